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
export type Handler = (id: number | string, row: Row, button?: HTMLElement) => unknown;
/** A table as `await Goop.data.orm(table)` gives it to pages of Goop2: its functions answer as those of Goop.data. */
export interface OrmHandle {
  name: string;
  columns: Column[];
  access: Record<"read" | "insert" | "update" | "delete", string>;
  system_key: boolean;
  context: boolean;
  canInsert: boolean;
  canUpdate: boolean;
  canDelete: boolean;
  validate(row: Row): { valid: boolean; errors: string[] };
  form(el: Element, options?: { exclude?: string[]; values?: Row; labels?: Record<string, string>; submitLabel?: string | false; onSave?: (row: Row) => unknown }): HTMLFormElement;
  table(el: Element, rows: Row[], options?: { exclude?: string[]; labels?: Record<string, string>; showId?: boolean; actions?: Record<string, Handler>; onRow?: Handler }): HTMLTableElement;
  find(options?: Find): Promise<Row[]>;
  findOne(options?: Find): Promise<Row | null>;
  get(id: number | string): Promise<Row | null>;
  getBy(column: string, value: unknown): Promise<Row | null>;
  list(limit?: number): Promise<Row[]>;
  pluck(column: string, options?: Omit<Query, "columns">): Promise<unknown[]>;
  exists(options?: Which): Promise<boolean>;
  count(options?: Which): Promise<number>;
  distinct(column: string, options?: Omit<Query, "columns">): Promise<unknown[]>;
  aggregate(expr: string, options?: Which & { group_by?: string }): Promise<Row[]>;
  insert(row: Written): Promise<{ status: string; id: number }>;
  update(id: number | string, changes: Written): Promise<{ status: string }>;
  remove(id: number | string): Promise<{ status: string }>;
  updateWhere(changes: Written, which: Which): Promise<{ affected: number }>;
  deleteWhere(which: Which): Promise<{ affected: number }>;
  upsert(key: string, row: Written): Promise<{ status: string; id: number }>;
  role(): Promise<Role>;
}
/** Settings in a table; each known key is a property as well. */
export interface Config {
  get(key: string): unknown;
  set(key: string, value: unknown): Promise<void>;
  save(values: Row): Promise<void>;
  readonly [key: string]: unknown;
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
  functions(): Promise<{ name: string; description: string }[] & { functions: { name: string; description: string }[] }>;
  tables(): Promise<{ name: string; insert_policy: string; created_at: string }[]>;
  /** The columns, a list that also says which kind of table it is. */
  describe(table: string): Promise<unknown[] & { mode?: "orm" | "classic"; schema?: unknown; columns: unknown[] }>;
  query(table: string, options?: Query): Promise<Row[]>;
  find(table: string, options?: Find): Promise<Row[]>;
  findOne(table: string, options?: Find): Promise<Row | null>;
  count(table: string, options?: Which): Promise<number>;
  exists(table: string, options?: Which): Promise<boolean>;
  pluck(table: string, column: string, options?: Omit<Query, "columns">): Promise<unknown[]>;
  distinct(table: string, column: string, options?: Omit<Query, "columns">): Promise<unknown[]>;
  aggregate(table: string, expr: string, options?: Which & { group_by?: string }): Promise<Row[]>;
  role(table: string): Promise<Role>;
  get(table: string, id: number | string): Promise<Row | null>;
  getBy(table: string, column: string, value: unknown): Promise<Row | null>;
  list(table: string, limit?: number | string): Promise<Row[]>;
  schemas(): Promise<Record<string, { name: string; columns: Column[]; access: Record<string, string> }>>;
  /** Used at once ours, whose insert gives the id; awaited that of Goop2's pages. */
  orm(table: string): Orm & PromiseLike<OrmHandle>;
  config(table: string, defaults?: Row): Promise<Config>;
  api<Result = unknown>(name: string): (action: string, params?: object) => Promise<Result>;
  insert(table: string, row: Written): Promise<{ status: string; id: number }>;
  update(table: string, id: number | string, changes: Written): Promise<{ status: string }>;
  remove(table: string, id: number | string): Promise<{ status: string }>;
  createTable(name: string, columns: Column[]): Promise<unknown>;
  dropTable(table: string): Promise<unknown>;
  addColumn(table: string, column: Column): Promise<unknown>;
  updateWhere(table: string, where: string, args: unknown[], changes: Written): Promise<{ affected: number }>;
  updateWhere(table: string, changes: Written, which: Which): Promise<{ affected: number }>;
  deleteWhere(table: string, which: Which): Promise<{ affected: number }>;
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
  /** To await; put into a text at once it is what is known by then. */
  resolveName(peerId: string, serverName?: string): String & PromiseLike<string>;
}
export interface PageViewer {
  myId: string;
  /** "" where the address names no peer. */
  hostId: string;
  isOwner: boolean;
  /** In the template group of the host. */
  isGroup: boolean;
  label: string;
}
export interface Template {
  get(): Promise<{ name?: string; description?: string; require_email?: boolean } & Record<string, unknown>>;
  requireEmail(): Promise<boolean>;
  refresh(): Promise<Record<string, unknown>>;
}
/** Ends it, as its own `close` does. */
export type Listening = (() => void) & { close(): void };
export interface Message {
  from: string;
  content: string;
  type: "direct" | "broadcast";
  /** Milliseconds since 1970. */
  timestamp: number;
  /** Of a message that is kept: to ask for what was before it. */
  id: number;
}
export interface Chat {
  /** Rejects with the peer's own sentence when it does not take the message: `code` is `rate_limited` (with `retryAfter`), `unavailable` or `forbidden`. */
  send(peer: string, text: string): Promise<unknown>;
  broadcast(text: string): Promise<unknown>;
  subscribe(listener: (message: Message) => void): Listening;
  unsubscribe(): void;
  /** Those this page has heard, oldest first. */
  broadcasts(): Promise<Message[]>;
  /** The newest messages, oldest first; of those before the message `before`. */
  messages(peer: string, before?: number): Promise<Message[]>;
}
export interface Site {
  files(): Promise<{ path: string; size: number; modified: number; Path: string; IsDir: false; Depth: number }[]>;
  read(path: string): Promise<string>;
  fetch(path: string): Promise<Response>;
  /** Of a form or a list of files: the only file in it. */
  upload(path: string, file: Blob | ArrayBuffer | ArrayBufferView | string | FormData | FileList): Promise<{ ok: true; status: "uploaded"; path: string; etag: string }>;
  remove(path: string): Promise<{ ok: true; status: "deleted" }>;
}
export interface Peer {
  id: string;
  /** What the peer calls itself: another's text. */
  label: string;
  online: boolean;
}
export interface Peers {
  list(): Promise<Peer[]>;
  subscribe(listener: (peer: Peer) => void): Listening;
  subscribe(
    listeners: { onSnapshot?: (peers: Peer[]) => void; onUpdate?: (id: string, peer: Peer) => void; onRemove?: (id: string) => void; onError?: (error: Error) => void },
    milliseconds?: number,
  ): Listening;
  unsubscribe(): void;
}
export interface Mq {
  /** `topic`: one, or what several begin with: "realtime:*". */
  subscribe(topic: string, listener: (from: string, topic: string, payload: any, ack: () => Promise<unknown>) => void): () => void;
  send(peer: string, topic: string, payload: unknown): Promise<{ msg_id: string; status: "delivered" }>;
  unsubscribe(): void;
}
export type Received = (payload: any, about: { channel: string; from: string }) => void;
export interface Channel {
  id: string;
  remotePeer: string;
  send(payload: unknown): Promise<unknown>;
  onMessage(listener: Received): () => void;
  offMessage(listener?: Received): void;
  close(): void;
}
export interface Realtime {
  connect(peer: string): Promise<Channel>;
  accept(channel: string, host: string): Promise<Channel>;
  channels(): Channel[];
  onIncoming(listener: (invitation: { channelId: string; hostPeerId: string }) => void): () => void;
  onMessage(listener: Received): () => void;
  offMessage(listener?: Received): void;
  isConnected(channelOrPeer?: string): boolean;
}
/** Calls are not there yet. */
export interface Call {
  start(peer: string, options?: { video?: boolean; audio?: boolean }): Promise<never>;
  onIncoming(listener: (call: never) => void): () => void;
  getCall(id: string): null;
  activeCalls(): never[];
}
export interface Router {
  param(name: string): string | null;
  params(): Record<string, string>;
  /** The path below the site. */
  page(): string;
  go(target: string): void;
  home(): void;
}
export type Choice = string | number | { value: string | number; label?: string };
export interface FormField {
  name: string;
  label?: string;
  type?: "text" | "textarea" | "number" | "select" | "radio" | "checkbox" | "date" | "datetime" | "color" | "toggle" | "tags" | "stepper";
  placeholder?: string;
  required?: boolean;
  options?: Choice[];
  multi?: boolean;
  searchable?: boolean;
  min?: number | string;
  max?: number | string;
  step?: number | string;
}
export interface Form {
  render(
    el: Element,
    options: {
      /** Whose rows the answers are; needed without `onSave`. */
      table?: string;
      fields: FormField[];
      submitLabel?: string;
      /** Everybody has one row, which is filled in and updated. */
      singleResponse?: boolean;
      onDone?: (values: Record<string, string>, id: number) => unknown;
      /** Who may insert into a table that is made now. */
      policy?: "open" | "group" | "email" | "owner" | "local";
      /** Takes the answers instead of a table; what it rejects with is shown. */
      onSave?: (values: Record<string, string>) => unknown;
      /** With `onSave`: what is filled in already. */
      values?: Record<string, string>;
    },
  ): Promise<{ el: HTMLFormElement; getValues(): Record<string, string>; setValues(values: Row): void }>;
}
export interface Forms {
  render(el: Element, table: string): Promise<{ el: Element; refresh(): Promise<void> }>;
  insertForm(el: Element, table: string, onInsert?: (row: Row, id: number) => unknown): Promise<HTMLFormElement>;
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
export type Shown = string | number | Error | { title?: string; message: string; duration?: number };
export interface Question {
  title?: string;
  message?: string;
  value?: string;
  placeholder?: string;
  type?: string;
  okText?: string;
  cancelText?: string;
  dangerOk?: boolean;
}
/** What every component gives. */
export interface Component {
  el: Element;
  setDisabled(isDisabled: boolean): void;
  /** Ends its listeners; the elements stay. */
  destroy(): void;
}
export interface Valued<Value> extends Component {
  getValue(): Value;
  setValue(value: Value | null): void;
}
/** Of each component: `onChange(value)`, `disabled`, selectors of its parts and names of its classes, whose default is the `gc-…` in docs/pages.md. */
export interface ComponentOptions<Value = unknown> {
  onChange?: (value: Value) => void;
  disabled?: boolean;
  [name: string]: unknown;
}
export type ToastTo = ((what: Shown) => HTMLElement) & Component & Record<"success" | "error" | "warning" | "info", (what: Shown) => HTMLElement>;
export interface Dialog extends Component {
  show(question: Question & { input?: boolean | Question; danger?: boolean; match?: string }): Promise<string | true | null>;
  close(value?: unknown): void;
  confirm(message: string, title?: string): Promise<true | null>;
  alert(title: string, message?: string): Promise<unknown>;
  prompt(question: string | Question): Promise<string | null>;
  confirmDanger(question: { title?: string; message?: string; match?: string; okText?: string }): Promise<true | null>;
}
export interface Ui {
  // goop-ui.js
  /** With an element: goop-component-toast.js. */
  toast(what: Shown): HTMLElement;
  toast(el: Element, options?: ComponentOptions & { duration?: number }): ToastTo;
  /** Null in place of false when there is a title, as on pages of Goop2. */
  confirm(text: string, title?: string): Promise<boolean | null>;
  prompt(what: string | Question, value?: string): Promise<string | null>;
  alert(title: string, message?: string): Promise<unknown>;
  confirmDanger(question: string | { title?: string; message?: string; match?: string; okText?: string }): Promise<true | null>;
  /** With an element: goop-component-dialog.js. */
  dialog(what: { title?: string; message?: string; input?: boolean | Question; ok?: string; cancel?: string }): Promise<string | true | null>;
  dialog(el: Element, options?: ComponentOptions): Dialog;
  theme(): "dark" | "light";
  // goop-component-base.js
  empty(message: string, options?: { class?: string; icon?: string; iconClass?: string }): HTMLElement;
  loading(message?: string, options?: { class?: string; spinnerClass?: string }): HTMLElement;
  time(when: number | string | Date): string;
  avatar(peerId: string, options?: { size?: number; class?: string; alt?: string }): HTMLImageElement;
  grid(el: Element): { col(options?: { class?: string }): HTMLElement; clear(): void; el: Element };
  // goop-component-NAME.js
  toolbar(el: Element, options?: ComponentOptions<string | string[]> & { active?: string | string[]; multi?: boolean }): Valued<string | string[] | null>;
  lightbox(el: Element, options?: ComponentOptions<number> & { items?: string | unknown[]; loop?: boolean }): Valued<number> & { open(index?: number): void; close(): void; setItems(items: string | unknown[]): void };
  colorpicker(el: Element, options?: ComponentOptions<string> & { colors?: string[]; value?: string }): Valued<string> & { open(): void; close(): void };
  datepicker(
    el: Element,
    options?: ComponentOptions<string> & { value?: string; time?: boolean; min?: string; max?: string; firstDay?: number; format?: (value: string) => string },
  ): Valued<string> & { open(): void; close(): void };
  select(
    el: Element,
    options?: ComponentOptions<string | string[]> & { options?: Choice[]; value?: string | string[]; multi?: boolean; searchable?: boolean; clearable?: boolean; placeholder?: string },
  ): Valued<string | string[]> & { setOptions(options: Choice[]): void; open(): void; close(): void };
  tabs(el: Element, options?: ComponentOptions<string> & { active?: string }): Valued<string> & { getPanel(name?: string): Element | null };
  accordion(el: Element, options?: ComponentOptions & { multi?: boolean }): Valued<string | string[] | null> & { open(name: string): void; close(name: string): void; getSection(name: string): Element | null };
  taginput(
    el: Element,
    options?: ComponentOptions<string[]> & { value?: string[]; max?: number; suggestions?: string[]; allowDuplicates?: boolean },
  ): Valued<string[]> & { addTag(text: string): boolean; setSuggestions(texts: string[]): void };
  stepper(el: Element, options?: ComponentOptions<number> & { value?: number; min?: number; max?: number; step?: number }): Valued<number>;
  carousel(el: Element, options?: ComponentOptions<number> & { start?: number; autoplay?: number | boolean; loop?: boolean }): Valued<number> & { goTo(index: number): void; next(): void; prev(): void };
  sidebar(el: Element, options?: ComponentOptions<boolean> & { onOpen?: () => void; onClose?: () => void }): Valued<boolean> & { open(): void; close(): void; toggle(): void; isOpen(): boolean; body: Element };
  badge(el: Element, options?: ComponentOptions & { text?: string; variant?: string; dot?: boolean }): Valued<string> & { setText(text: string): void; setVariant(name: string): void; showDot(isShown?: boolean): void };
  progress(el: Element, options?: ComponentOptions<number> & { value?: number; max?: number; format?: (value: number, max: number) => string }): Valued<number> & { setMax(max: number): void };
  pagination(
    el: Element,
    options?: ComponentOptions<number> & { total?: number; totalItems?: number; perPage?: number; page?: number; maxButtons?: number; showInfo?: boolean },
  ): Valued<number> & { setTotal(pages: number): void; setTotalItems(items: number): void };
  tooltip(el: Element, options?: ComponentOptions & { tip?: string | Element }): Component & { setText(text: string): void; show(): void; hide(): void };
  toggle(el: Element, options?: ComponentOptions<boolean> & { checked?: boolean }): Valued<boolean> & { toggle(): void };
  panel(el: Element, options?: ComponentOptions<boolean> & { title?: string; collapsed?: boolean }): Valued<boolean> & { collapse(): void; expand(): void; toggle(): void; setTitle(text: string): void; body: Element | null };
  scrollbox(el: Element, options?: ComponentOptions & { follow?: boolean }): Component & { scrollTo(where: number | string | Element): void; scrollToBottom(): void; isAtBottom(): boolean };
  splitpane(el: Element, options?: ComponentOptions<number> & { direction?: "horizontal" | "vertical"; initial?: number; minSize?: number }): Valued<number>;
}
export interface Dropped {
  item: HTMLElement;
  from: Element;
  to: Element;
  oldIndex: number;
  newIndex: number;
}
export interface Drag {
  sortable(
    el: Element,
    options?: {
      items?: string;
      handle?: string;
      group?: string;
      direction?: "vertical" | "horizontal";
      placeholder?: string;
      onStart?: (what: { item: HTMLElement; from: Element; index: number }) => void;
      onMove?: (what: { item: HTMLElement; to: Element }) => void;
      onEnd?: (what: Dropped) => void;
      onCancel?: (what: { item: HTMLElement }) => void;
    },
  ): Component;
}
export type Child = Node | string | number | boolean | null | undefined | Child[];
export type Attributes = Record<string, unknown>;
/** What the files add to Goop itself. */
export interface Elements {
  // goop-data.js
  peer(): Promise<PageViewer>;
  esc(value: unknown): string;
  date(time: string | number | Date, options?: Intl.DateTimeFormatOptions): string;
  overlay(what: string | Element): { open(): void; close(): void; el: Element };
  list(
    el: Element,
    rows: any[],
    fn: (row: any, index: number) => Node | string,
    options?: { empty?: string | Node | (() => Node | string); emptyClass?: string; actions?: Record<string, Handler>; onRow?: Handler },
  ): Element;
  // goop-component-template.js
  list(el: Element, rows: any[], partial: string, options?: { empty?: string | Node; emptyClass?: string }): Promise<Element>;
  partial(name: string, data?: unknown): Promise<Element>;
  preload(...names: string[]): Promise<unknown>;
  // goop-component-base.js
  dom(tag: string, attributes?: Attributes | Child, ...children: Child[]): HTMLElement;
  render(el: Element, ...children: Child[]): Element;
  // goop-component-elements.js
  button(label: Child, options?: Attributes): HTMLButtonElement;
  card(options: Attributes): HTMLElement;
  table(columns: (string | { key: string; label?: string; class?: string; render?: (value: any, row: any) => Child })[], rows: any[], options?: Attributes): HTMLTableElement;
  field(label: string, options?: Attributes): HTMLElement;
  message(options: Attributes): HTMLElement;
  stats(items: { label: string; value: Child; class?: string }[], options?: Attributes): HTMLElement;
  section(title: string, ...nodes: (Attributes | Child)[]): HTMLElement;
  actions(...nodes: (Attributes | Child)[]): HTMLElement;
  item(options: Attributes): HTMLElement;
}

declare global {
  var Goop: Elements & {
    /** Texts of the page for the SDK's own, by their English: `Goop.texts = { Cancel: "No thanks" }` before or after its files are loaded. */
    texts: Record<string, string>;
    /** A text in the browser's language by its English; {0}, {1} … stand for values. */
    text(english: string, ...values: unknown[]): string;
    Error: new (message: string, details: Partial<GoopError>) => GoopError;
    data: Data;
    api: Api;
    identity: Identity;
    template: Template;
    chat: Chat;
    chatroom: Chatroom;
    site: Site;
    peers: Peers;
    group: Group;
    mq: Mq;
    realtime: Realtime;
    call: Call;
    router: Router;
    form: Form;
    forms: Forms;
    listen: Listen;
    drag: Drag;
    ui: Ui;
  };
  // goop-engine.js
  class GameLoop {
    constructor(rate?: number);
    start(update: (seconds: number) => void, render?: (part: number) => void): void;
    stop(): void;
  }
  class Renderer {
    constructor(canvas: HTMLCanvasElement | string);
    readonly ctx: CanvasRenderingContext2D;
    readonly width: number;
    readonly height: number;
    clear(color?: string): void;
    drawRect(x: number, y: number, width: number, height: number, color?: string): void;
    drawRectOutline(x: number, y: number, width: number, height: number, color?: string, lineWidth?: number): void;
    drawCircle(x: number, y: number, radius: number, color?: string): void;
    drawSprite(image: CanvasImageSource, x: number, y: number, width?: number, height?: number, part?: { x: number; y: number; width: number; height: number }): void;
    drawText(text: string, x: number, y: number, color?: string, font?: string, align?: CanvasTextAlign): void;
    drawTextCentered(text: string, y: number, color?: string, font?: string): void;
  }
  class SpriteSheet {
    constructor(src: string, width: number, height: number);
    readonly ready: Promise<SpriteSheet>;
    getTile(index: number): { x: number; y: number; width: number; height: number };
    draw(renderer: Renderer, index: number, x: number, y: number, width?: number, height?: number): void;
  }
  class Input {
    constructor(target?: EventTarget);
    bind(name: string, keys: string | string[]): this;
    isDown(name: string): boolean;
    justPressed(name: string): boolean;
    justReleased(name: string): boolean;
    update(): void;
  }
  const Collision: Record<"rectRect" | "rect" | "rects" | "aabb" | "pointRect" | "circleCircle" | "circles" | "circleRect", (one: any, other: any) => boolean>;
  class TileMap {
    constructor(data: number[] | number[][], width?: number, height?: number, sheet?: SpriteSheet);
    solid: Iterable<number> | null;
    draw(renderer: Renderer, offsetX?: number, offsetY?: number): void;
    getTileAt(x: number, y: number): number;
    isSolid(x: number, y: number): boolean;
    setTile(column: number, row: number, tile: number): void;
    collideRect(x: number, y: number, width: number, height: number): boolean;
  }
  class GameAudio {
    load(name: string, src: string): HTMLAudioElement;
    play(name: string, options?: { volume?: number; loop?: boolean }): void;
    stop(name: string): void;
    stopAll(): void;
    toggleMute(): boolean;
  }
  class SceneManager {
    add(name: string, scene: object): this;
    switch(name: string, ...more: unknown[]): void;
    update(seconds: number): void;
    render(renderer: Renderer, part?: number): void;
  }
  class Entity {
    constructor(x?: number, y?: number, width?: number, height?: number);
    x: number;
    y: number;
    width: number;
    height: number;
    vx: number;
    vy: number;
    active: boolean;
    update(seconds: number): void;
    render(renderer: Renderer): void;
    collidesWith(other: Entity): boolean;
  }
  function clamp(value: number, min: number, max: number): number;
  function lerp(from: number, to: number, part: number): number;
  function random(min?: number, max?: number): number;
  function randomInt(min: number, max: number): number;
  function distance(x1: number, y1: number, x2: number, y2: number): number;
  function angle(x1: number, y1: number, x2: number, y2: number): number;
}
