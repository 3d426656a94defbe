// The guestbook in the browser: entries are rows of a table, read and written under its policy. The buttons shown only spare
// a reader the refusal: what may be changed is for the peer to say.
import { sdk } from "./sdk.js";

const TABLE = "guestbook";
const PAGE = 20;

const at = (id) => document.getElementById(id);
const when = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });
const relative = new Intl.RelativeTimeFormat(undefined, { numeric: "auto" });
const STEPS = [
  ["day", 86400],
  ["hour", 3600],
  ["minute", 60],
];

/** An element with properties and children. Texts become text, never markup. */
function element(name, properties = {}, ...children) {
  const made = Object.assign(document.createElement(name), properties);
  made.append(...children);
  return made;
}

/** How long ago, in words. */
function ago(seconds) {
  const step = STEPS.find(([, length]) => seconds >= length);
  return step ? relative.format(-Math.floor(seconds / step[1]), step[0]) : "just now";
}

const said = (error) => (error.code === "rate_limited" ? "Not so fast: try again in a minute." : error.message);

/** Does something that may fail; says so, and gives false then. */
async function tried(work) {
  try {
    await work();
    return true;
  } catch (error) {
    Goop.ui.toast(said(error));
    return false;
  }
}

await sdk("ui");

let viewer = { me: "", owner: false };
let shown = 0;

function entry(row) {
  const mine = row._owner === viewer.me;
  // SQLite's times are UTC, and do not say so.
  const time = element("time", { className: "soft small", textContent: when.format(new Date(`${row._created_at.replace(" ", "T").replace(/Z$/, "")}Z`)) });
  const head = element("header", {}, element("h3", { textContent: row.name }), time);
  if (mine) head.append(element("span", { className: "chip", textContent: "yours" }));
  const long = row.message.length > 300 || row.message.split("\n").length > 10; // it may scroll, and so must be had by the keyboard
  const text = element("p", { className: "text", textContent: row.message, tabIndex: long ? 0 : -1 });
  const made = element("li", { className: "card entry" }, head, text);
  if (mine || viewer.owner) made.append(controls(row, mine));
  return made;
}

function controls(row, mine) {
  const buttons = element("div", { className: "row" });
  if (mine) buttons.append(element("button", { className: "plain", textContent: "Edit", ariaLabel: `Edit the entry of ${row.name}`, onclick: () => edit(row) }));
  buttons.append(element("button", { className: "plain", textContent: "Remove", ariaLabel: `Remove the entry of ${row.name}`, onclick: () => remove(row) }));
  return buttons;
}

// The form takes shorter ones. A program can write a megabyte, and two of these would keep everybody from reading the book.
const READABLE = "length(CAST(name AS BLOB)) <= 600 AND length(CAST(message AS BLOB)) <= 6000"; // bytes

const read = (limit, offset) => Goop.data.query(TABLE, { where: READABLE, order: "_id DESC", limit, offset });

let asked = 0; // counts questions: an answer that comes late does not replace a later one's

/** Shows `count` entries from the newest on. */
async function show(count) {
  const mine = ++asked;
  const rows = await read(count + 1, 0);
  if (mine !== asked) return;
  shown = Math.min(rows.length, count);
  at("entries").replaceChildren(...rows.slice(0, count).map(entry));
  at("none").hidden = shown > 0;
  at("more").hidden = rows.length <= count;
}

async function remove(row) {
  if (!(await Goop.ui.confirm(`Remove the entry of ${row.name}?`))) return;
  if (await tried(() => Goop.data.remove(TABLE, row._id))) await tried(() => show(Math.max(shown, PAGE)));
}

function edit(row) {
  at("edit-message").value = row.message;
  ask(at("edit"), async () => {
    await Goop.data.update(TABLE, row._id, { message: at("edit-message").value.trim() });
    tried(() => show(Math.max(shown, PAGE)));
  });
}

let asking = 0; // dialogs shown: an answer that comes late closes none that was opened since

/** Shows `dialog` until `work` is done or it is called off: what was typed stays there meanwhile, and beside what was refused. */
function ask(dialog, work) {
  const mine = ++asking;
  const form = dialog.querySelector("form");
  const [fields, refused] = [form.querySelector(".fields"), form.querySelector(".refused")];
  const isOpen = () => mine === asking && dialog.open;
  fields.inert = false;
  refused.textContent = "";
  form.onsubmit = async (event) => {
    event.preventDefault();
    if (fields.inert) return; // it is on its way
    const held = document.activeElement;
    fields.inert = true;
    refused.textContent = "";
    try {
      await work();
      if (isOpen()) dialog.close();
    } catch (error) {
      if (!isOpen()) return Goop.ui.toast(said(error));
      refused.textContent = said(error);
      fields.inert = false;
      held.focus();
    }
  };
  dialog.showModal();
}

let signing = ""; // the message that is on its way

at("edit-cancel").onclick = () => at("edit").close();
at("more").onclick = () => tried(() => show(shown + PAGE));
at("sign").addEventListener("submit", async (event) => {
  event.preventDefault();
  const form = event.target;
  const [name, message] = ["name", "message"].map((field) => form.elements[field].value.trim());
  if (!name || !message) return Goop.ui.toast("A name and a message, please.");
  if (signing === message) return; // pressed twice
  signing = message;
  const isSigned = await tried(() => Goop.data.insert(TABLE, { name, message }));
  if (signing === message) signing = "";
  if (!isSigned) return;
  if (form.elements.message.value.trim() === message) form.elements.message.value = ""; // else another one is being written
  Goop.ui.toast("Thank you!");
  await tried(() => show(Math.max(shown + 1, PAGE)));
});

await tried(async () => {
  const visit = await Goop.data.call("visit");
  viewer = visit;
  at("visits").textContent =
    visit.count > 1 ? `${visit.count} visits so far; before the latest, somebody came by ${ago(visit.last[1])}.` : "The first visit.";
});
await tried(() => show(PAGE));
