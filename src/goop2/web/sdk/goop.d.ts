// Types of window.Goop. In a page's script: /// <reference path="/sdk/goop.d.ts" />

export interface GoopError extends Error {
  name: "GoopError";
  code: "not_found" | "bad_request" | "forbidden" | "rate_limited" | "script_error" | "timeout" | "memory" | "unavailable" | "offline";
  /** HTTP status; 0 when the peer could not be reached. */
  status: number;
  script?: string;
  line?: number;
  /** Of `error({code = …, message = …})` in a script. */
  detail?: { code: string };
  /** Seconds. */
  retryAfter?: number;
}

export type Row = Record<string, unknown>;
/** Columns and values, or a form whose fields are the columns. */
export type Written = Row | FormData | URLSearchParams;
export type Key = number | string | { id: number | string } | { slug: string };
export interface Query {
  columns?: string[];
  where?: string;
  args?: unknown[];
  order?: string;
  limit?: number | string;
  offset?: number | string;
}
export interface Find extends Omit<Query, "columns"> {
  fields?: string[];
}
export type Which = Pick<Query, "where" | "args">;
export type Opened = "all" | "own" | "none";
export interface Role {
  /** "owner", a role in the template group, or "". */
  role: string;
  /** What the role allows; null for who has none, and for a table without roles. */
  permissions: Record<"read" | "insert" | "update" | "delete", boolean> | null;
  read: Opened;
  insert: Opened;
  update: Opened;
  delete: Opened;
  /** The policies themselves: for the owner. */
  policies?: Record<"read" | "insert" | "update" | "delete", "open" | "group" | "email" | "owner" | "local">;
}
export interface Orm {
  schema(): Promise<{ name: string; columns: Column[]; access: Record<string, string> }>;
  get(id: number | string): Promise<Row | null>;
  find(options?: Find): Promise<Row[]>;
  findOne(options?: Find): Promise<Row | null>;
  count(options?: Which): Promise<number>;
  insert(row: Written): Promise<number>;
  update(id: number | string, changes: Written): Promise<{ status: string }>;
  remove(id: number | string): Promise<{ status: string }>;
  role(): Promise<Role>;
}
export interface Column {
  name: string;
  type: "text" | "integer" | "real" | "blob" | "guid" | "datetime" | "date" | "time" | "enum";
  required?: boolean;
  default?: unknown;
  key?: boolean;
  auto?: boolean;
  values?: unknown[];
}

export interface Data {
  call<Result = unknown>(name: string, params?: object | FormData | URLSearchParams): Promise<Result>;
  functions(): Promise<{ name: string; description: string }[]>;
  tables(): Promise<{ name: string; insert_policy: string; created_at: string }[]>;
  /** The columns, a list that also says which kind of table it is. */
  describe(table: string): Promise<unknown[] & { mode?: "orm" | "classic"; schema?: unknown }>;
  query(table: string, options?: Query): Promise<Row[]>;
  find(table: string, options?: Find): Promise<Row[]>;
  findOne(table: string, options?: Find): Promise<Row | null>;
  count(table: string, options?: Which): Promise<number>;
  exists(table: string, options?: Which): Promise<boolean>;
  pluck(table: string, column: string, options?: Omit<Query, "columns">): Promise<unknown[]>;
  distinct(table: string, column: string, options?: Omit<Query, "columns">): Promise<unknown[]>;
  aggregate(table: string, expr: string, options?: Which & { group_by?: string }): Promise<Row[]>;
  role(table: string): Promise<Role>;
  orm(table: string): Orm;
  insert(table: string, row: Written): Promise<{ status: string; id: number }>;
  update(table: string, id: number | string, changes: Written): Promise<{ status: string }>;
  remove(table: string, id: number | string): Promise<{ status: string }>;
  createTable(name: string, columns: Column[]): Promise<unknown>;
  dropTable(table: string): Promise<unknown>;
  addColumn(table: string, column: Column): Promise<unknown>;
  updateWhere(table: string, where: string, args: unknown[], changes: Written): Promise<{ affected: number }>;
  removeWhere(table: string, where: string, args: unknown[]): Promise<{ affected: number }>;
  upsert(table: string, key: string, row: Written): Promise<{ status: string; id: number }>;
}
export interface Api {
  get(resource: string, key: Key): Promise<{ found: true; item: Row } | { found: false }>;
  list(resource: string, page?: { limit?: number | string; offset?: number | string }): Promise<{ items: Row[] }>;
  insert(resource: string, data: Written): Promise<{ id: number }>;
  update(resource: string, key: Key, data: Written): Promise<{ ok: true }>;
  delete(resource: string, key: Key): Promise<{ ok: true }>;
  map(resource: string): Promise<Record<string, unknown>>;
}
export interface Viewer {
  id: string;
  label: string;
  email: string;
}
export interface Identity {
  get(): Promise<Viewer>;
  id(): Promise<string>;
  label(): Promise<string>;
  email(): Promise<string>;
  refresh(): Promise<Viewer>;
}
export interface Message {
  from: string;
  content: string;
  type: string;
  /** Milliseconds since 1970. */
  timestamp: number;
  /** Of a message that is kept: to ask for what was before it. */
  id: number;
}
export interface Chat {
  /** Rejects with the peer's own sentence when it does not take the message: `code` is `rate_limited` (with `retryAfter`), `unavailable` or `forbidden`. */
  send(peer: string, text: string): Promise<unknown>;
  broadcast(text: string): Promise<unknown>;
  subscribe(listener: (message: Message) => void): () => void;
  /** The newest messages, oldest first; of those before the message `before`. */
  messages(peer: string, before?: number): Promise<Message[]>;
}
export interface Site {
  files(): Promise<{ path: string; size: number; modified: number; Path: string; IsDir: false; Depth: number }[]>;
  read(path: string): Promise<string>;
  /** Of a form or a list of files: the only file in it. */
  upload(path: string, file: Blob | ArrayBuffer | ArrayBufferView | string | FormData | FileList): Promise<{ ok: true; status: "uploaded"; path: string; etag: string }>;
  remove(path: string): Promise<{ ok: true }>;
}
export interface Peer {
  id: string;
  /** What the peer calls itself: another's text. */
  label: string;
  online: boolean;
}
export interface Peers {
  list(): Promise<Peer[]>;
  subscribe(listener: (peer: Peer) => void): () => void;
}
export interface KnownGroup {
  id: string;
  /** The peer that hosts it. */
  host: string;
  /** Its host's text. */
  name: string;
  type: string;
  /** 0: as many as there may be. */
  max_members: number;
  volatile: boolean;
  /** False while its host is away, or has not answered. */
  joined: boolean;
  /** Members that are here. */
  members: string[];
  /** Of a group hosted here: members that are not here now. */
  away: string[];
}
export interface GroupMember {
  peer_id: string;
  /** "" where the host tells none. */
  role: string;
  name: string;
  /** Milliseconds since 1970; of a group hosted here. */
  joined_at?: number;
}
export interface HostedGroup {
  id: string;
  name: string;
  owner: string;
  group_type: string;
  group_context: string;
  max_members: number;
  /** What a new member gets. */
  default_role: string;
  /** The roles there may be; [] for any. */
  roles: string[];
  volatile: boolean;
  host_joined: boolean;
  host_in_group: boolean;
  host_can_join: boolean;
  created_at: string;
  member_count: number;
  members: GroupMember[];
}
export interface GroupSubscription {
  host_peer_id: string;
  host_name: string;
  group_id: string;
  group_name: string;
  group_type: string;
  /** The older name of `group_type`. */
  app_type: string;
  group_context: string;
  max_members: number;
  volatile: boolean;
  /** Of this peer; "" where the host tells none. */
  role: string;
  subscribed_at: string;
  host_reachable: boolean;
  member_count: number;
  members: GroupMember[];
}
export interface GroupEvent {
  type: "msg" | "state" | "members" | "welcome" | "meta" | "invite" | "hosted" | "away" | "error" | "close";
  group: string;
  host: string;
  /** Of a msg: the peer that sent it, where the group is hosted. */
  from?: string;
  /** Of a msg or state: its sender's. Of the others what happened: of welcome and members `{members: GroupMember[]}`. */
  payload?: unknown;
  members?: string[];
  /** Of an error or a close: why, as the host says. */
  message?: string;
}
/** Ends it, as its own `close` does. */
export type GroupListening = (() => void) & { close(): void };
export interface GroupInvitation {
  /** Who invites, and hosts the group. */
  host: string;
  group: string;
  name: string;
  type: string;
}
/** Where a function has two orders of arguments, the second one is that of Goop2's own pages. */
export interface Group {
  subscriptions(): Promise<{ subscriptions: GroupSubscription[]; active_groups: { group_id: string; host_peer_id: string }[] }>;
  list(): Promise<HostedGroup[]>;
  join(group: string, host?: string): Promise<KnownGroup & { status: "joined" }>;
  join(hostPeerId: string, groupId: string): Promise<KnownGroup & { status: "joined" }>;
  send(group: string, payload: unknown, host?: string): Promise<{ status: "sent" }>;
  send(payload: unknown, group?: string): Promise<{ status: "sent" }>;
  /** Without a group: the one that was joined last. */
  leave(group?: string, host?: string): Promise<{ status: "left" }>;
  /** Takes the place of the last listener to all groups. */
  subscribe(listener: (event: GroupEvent) => void): GroupListening;
  subscribe(group: string, listener: (event: GroupEvent) => void): GroupListening;
  unsubscribe(): void;
  create(name: string, options?: { type?: string; max_members?: number; volatile?: boolean; context?: string }): Promise<KnownGroup & { status: "created" }>;
  create(name: string, type: string, maxMembers?: number): Promise<KnownGroup & { status: "created" }>;
  close(group: string): Promise<{ status: "closed" }>;
  joinOwn(group: string): Promise<{ status: "joined" }>;
  leaveOwn(group: string): Promise<{ status: "left" }>;
  invite(group: string, peer: string): Promise<{ status: "invited" }>;
  remove(group: string, peer: string): Promise<{ status: "kicked" }>;
  setRole(group: string, peer: string, role: string): Promise<{ status: "ok" }>;
  setDefaultRole(group: string, role: string): Promise<{ status: "ok" }>;
  setRoles(group: string, roles: string[]): Promise<{ status: "ok" }>;
  invites(): Promise<GroupInvitation[]>;
  refuse(group: string, host: string): Promise<unknown>;
  invited(listener: (invitation: GroupInvitation) => void): () => void;
}
export interface RoomMember {
  peer_id: string;
  name: string;
}
export interface RoomMessage {
  id: string;
  /** The peer that said it: its host's word. */
  from: string;
  from_name: string;
  text: string;
  /** Milliseconds since 1970. */
  timestamp: number;
}
export interface Room {
  id: string;
  name: string;
  description: string;
  /** The peer that hosts it. */
  host: string;
  members: RoomMember[];
}
export interface RoomEvent {
  action: "msg" | "history" | "members" | "close";
  host: string;
  message?: RoomMessage;
  messages?: RoomMessage[];
  members?: RoomMember[];
}
export interface Chatroom {
  create(name: string, description?: string, most?: number, context?: string): Promise<Room>;
  close(room: string): Promise<{ status: "closed" }>;
  rooms(): Promise<Room[]>;
  join(host: string, room: string): Promise<{ status: "joined" }>;
  leave(room: string): Promise<{ status: "left" }>;
  send(room: string, text: string): Promise<{ status: "sent"; id: string }>;
  state(room: string): Promise<{ room: Room; messages: RoomMessage[] }>;
  subscribe(listener: (room: string, action: RoomEvent["action"], data: RoomEvent) => void): (() => void) & { close(): void };
}
export interface Session {
  id: string;
  name: string;
  /** "host": the session of the peer whose page this is, as it plays it. "listener": the same, heard over the network. Not there while we
   * are not in it. */
  role?: "host" | "listener";
  listeners: number;
  track?: { name: string; duration: number; bitrate: number; format: string };
  play_state?: { playing: boolean; position: number; updated_at: number };
  /** Whether `/api/listen/cover?session=<id>` is a picture. */
  cover?: boolean;
}
export interface Listen {
  state(): Promise<Session | null>;
  position(): number;
  subscribe(listener: (session: Session | null) => void): () => void;
  /** Where this player is in the track, in seconds. */
  heard(audio: HTMLAudioElement): number;
  /** What this player does; the element's event `goop-listen` tells of a change, with this as its `detail`. */
  hearing(audio: HTMLAudioElement): "left" | "silent" | "paused" | "blocked" | "loading" | "offline" | "playing";
  /** Resolves once this page is in the session; rejects when its host lets us not in. */
  join(audio: HTMLAudioElement): Promise<Session>;
  leave(audio: HTMLAudioElement): void;
  /** What the host of this page can load; null for everybody else. */
  files(): Promise<string[] | null>;
  control(action: "play" | "pause" | "close"): Promise<Session | null>;
  control(action: "create", options: { name: string }): Promise<Session | null>;
  control(action: "load", options: { path: string }): Promise<Session | null>;
  control(action: "seek", options: { seconds: number }): Promise<Session | null>;
}
export interface Ui {
  toast(what: string | number | Error | { title?: string; message: string }): void;
  confirm(text: string): Promise<boolean>;
  prompt(what: string | { title?: string; message?: string; value?: string }): Promise<string | null>;
}

declare global {
  var Goop: { Error: new (message: string, details: Partial<GoopError>) => GoopError; data: Data; api: Api; identity: Identity; chat: Chat; site: Site; peers: Peers; group: Group; chatroom: Chatroom; listen: Listen; ui: Ui };
}
