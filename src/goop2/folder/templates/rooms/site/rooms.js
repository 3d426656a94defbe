// Chat rooms in the browser: # is the lobby, #7 a room. A page of a peer is in the room itself (Goop.chatroom) and hears what is said at once; one of
// a visitor without a peer asks room.lua every few seconds.
import { isElsewhere, sdk } from "./sdk.js";

const ASK_MILLISECONDS = 2500;

const rooms = (...asked) => Goop.data.api("rooms")(...asked);
const at = (id) => document.getElementById(id);
const clock = new Intl.DateTimeFormat(undefined, { timeStyle: "short" });

/** An element with properties and children. Texts become text, never markup. */
function element(name, properties = {}, ...children) {
  const made = Object.assign(document.createElement(name), properties);
  made.append(...children);
  return made;
}

/** What went wrong, in words for the reader: an error of a script begins with the script and the line. */
const said = (error) => (error.code === "rate_limited" ? "Not so fast: try again in a minute." : error.message.replace(/^[\w-]+:\d+: /, ""));

/** Does something that may fail; says so, and gives undefined then. */
async function tried(work) {
  try {
    return await work();
  } catch (error) {
    Goop.ui.toast(said(error));
    return undefined;
  }
}

// The lobby

function entry(room, isOwner) {
  const here = room.here ? `${room.here} here` : "nobody here";
  const words = element("div", {}, element("strong", { textContent: room.name }), element("p", { className: "soft small", textContent: room.about ? `${room.about} · ${here}` : here }));
  const line = element("li", { className: "card room" }, words);
  if (isOwner) line.append(element("button", { className: "plain", textContent: "Close", ariaLabel: `Close ${room.name}`, onclick: () => close(room) }));
  line.append(element("a", { className: "button main", href: `#${room.id}`, textContent: "Enter", ariaLabel: `Enter ${room.name}` }));
  return line;
}

async function showLobby() {
  const known = await tried(() => rooms("list"));
  if (!known || location.hash.length > 1) return;
  at("rooms").replaceChildren(...known.rooms.map((room) => entry(room, known.owner)));
  at("none").hidden = known.rooms.length > 0;
  at("open").hidden = !known.owner;
  at("room").hidden = true;
  at("lobby").hidden = false;
}

async function close(room) {
  if (!(await Goop.ui.confirm(`Close ${room.name}? What was said there is gone then.`))) return;
  await tried(() => rooms("close", { id: room.id }));
  await showLobby();
}

at("open").onsubmit = async (event) => {
  event.preventDefault();
  const form = event.target;
  if (form.inert) return; // it is on its way
  form.inert = true;
  const id = await tried(() => rooms("open", { name: at("name").value, about: at("about").value }));
  form.inert = false;
  if (!id) return;
  form.reset();
  location.hash = `#${id}`;
};

// A room

let inside = null; // {id, room, host, me, isPeer}
const names = new Map(); // peer → what it is called
let shown = new Set(); // ids of the messages that are in the log

const nameOf = (id, name) => (id === inside.me ? "You" : name || names.get(id) || (id.startsWith("visitor-") ? id.slice(8, 24) : id.slice(-6)));

function showMessages(messages) {
  const scroll = at("scroll");
  const isAtEnd = scroll.scrollHeight - scroll.scrollTop - scroll.clientHeight < 40;
  for (const message of messages) {
    if (shown.has(message.id)) continue;
    shown.add(message.id);
    const who = element("p", { className: "who", textContent: `${nameOf(message.from, message.from_name)} · ${clock.format(new Date(message.timestamp))}` });
    at("log").append(element("li", { className: message.from === inside.me ? "mine" : "" }, who, element("p", { className: "said", textContent: message.text })));
  }
  at("quiet").hidden = shown.size > 0;
  if (isAtEnd) scroll.scrollTop = scroll.scrollHeight;
}

function showMembers(members) {
  for (const { peer_id: id, name } of members) if (name) names.set(id, name);
  at("members").replaceChildren(...members.map(({ peer_id: id, name }) => element("span", { className: "chip", textContent: nameOf(id, name) })));
}

async function enter(id) {
  const room = await tried(() => rooms("enter", { id: Number(id) }));
  if (location.hash !== `#${id}`) return; // somewhere else by now
  if (!room) return void (location.hash = "");
  inside = { ...room, isPeer: !isElsewhere && !room.me.startsWith("visitor-") };
  shown = new Set();
  at("log").replaceChildren();
  at("quiet").hidden = false;
  at("members").replaceChildren();
  at("room-name").textContent = room.name;
  at("room-about").textContent = room.about;
  at("lobby").hidden = true;
  at("room").hidden = false;
  at("text").value = "";
  at("text").focus();
  if (inside.isPeer && inside.me !== inside.host) await tried(() => Goop.chatroom.join(room.host, room.room));
  await look();
}

/** Asks for what was said, and who is there. */
async function look() {
  const now = inside;
  if (!now) return;
  try {
    const state = now.isPeer ? await Goop.chatroom.state(now.room) : await Goop.data.call("room", { id: now.id });
    if (now !== inside) return;
    showMembers(state.members ?? state.room.members);
    showMessages(state.messages);
  } catch (error) {
    if (now === inside && (error.code !== "offline" || now.isPeer)) over(said(error));
  }
}

/** The room is over for this page. */
function over(why) {
  inside = null;
  Goop.ui.toast(why);
  location.hash = "";
}

async function leave() {
  const now = inside;
  inside = null;
  if (now?.isPeer && now.me !== now.host) await Goop.chatroom.leave(now.room).catch(() => {});
}

at("say").onsubmit = async (event) => {
  event.preventDefault();
  const now = inside;
  const text = at("text").value.trim();
  if (!now || !text || at("say").inert) return;
  at("say").inert = true;
  const isSent = await tried(async () => {
    await (now.isPeer ? Goop.chatroom.send(now.room, text) : rooms("say", { id: now.id, text }));
    return true;
  });
  at("say").inert = false;
  if (now !== inside) return;
  if (isSent) at("text").value = "";
  at("text").focus();
  if (!now.isPeer) await look();
};

// Where we are

async function route() {
  const id = location.hash.slice(1);
  await leave();
  if (/^\d+$/.test(id)) await enter(id);
  else await showLobby();
}

await sdk("chatroom", "ui");
addEventListener("hashchange", route);
addEventListener("pagehide", () => leave());
if (!isElsewhere) {
  Goop.chatroom.subscribe((room, action, data) => {
    if (!inside?.isPeer || room !== inside.room) return;
    if (action === "msg") showMessages([data.message]);
    if (action === "history") showMessages(data.messages);
    if (action === "members") showMembers(data.members);
    if (action === "close") over("The room is closed.");
  });
}
setInterval(() => inside && !inside.isPeer && !document.hidden && look(), ASK_MILLISECONDS);
await route();
