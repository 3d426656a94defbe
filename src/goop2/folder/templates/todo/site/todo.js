// The to-do list in the browser. It shows what todo.lua gives, and asks it for every change; whether one is made is for the script to say.
import { sdk } from "./sdk.js";

const todo = (...asked) => Goop.data.api("todo")(...asked);
const at = (id) => document.getElementById(id);
const NOTHING = { all: "Nothing to do. Enjoy the day.", open: "All done!", done: "Nothing is done yet." };

let items = [];
let isOwner = false;
let shown = "all";

/** An element with properties and children. Texts become text, never markup. */
function element(name, properties = {}, ...children) {
  const made = Object.assign(document.createElement(name), properties);
  made.append(...children);
  return made;
}

/** What went wrong, in words for the reader: an error of a script begins with the script and the line. */
const said = (error) => (error.code === "rate_limited" ? "Not so fast: try again in a minute." : error.message.replace(/^[\w-]+:\d+: /, ""));

/** Asks for a change and shows the list as it is then; says what went wrong, and gives false. */
async function change(action, params) {
  try {
    await todo(action, params);
    await show();
    return true;
  } catch (error) {
    Goop.ui.toast(said(error));
    draw(); // what was ticked and is refused is not ticked
    return false;
  }
}

function entry(item) {
  const box = element("input", { type: "checkbox", checked: Boolean(item.done), disabled: !isOwner });
  box.onchange = () => change("tick", { id: item._id, done: box.checked });
  const line = element("li", {}, element("label", {}, box, element("span", { className: item.done ? "done" : "", textContent: item.title })));
  line.dataset.id = item._id;
  if (isOwner) {
    const button = (text, onclick) => element("button", { className: "plain", textContent: text, ariaLabel: `${text}: ${item.title}`, onclick });
    line.append(button("Edit", () => rename(item)), button("Remove", () => remove(item)));
  }
  return line;
}

async function rename(item) {
  const title = await Goop.ui.prompt({ title: "What is there to do?", value: item.title, okText: "Save" });
  if (title !== null && title.trim() !== item.title) await change("rename", { id: item._id, title });
}

async function remove(item) {
  if (await Goop.ui.confirm(`Remove “${item.title}”?`)) await change("remove", { id: item._id });
}

/** Draws the list; what had the focus has it again. */
function draw() {
  const held = document.activeElement?.closest("#items li");
  const place = held && [...held.querySelectorAll("input, button")].indexOf(document.activeElement);
  const some = items.filter((item) => shown === "all" || Boolean(item.done) === (shown === "done"));
  at("items").replaceChildren(...some.map(entry));
  at("items").hidden = some.length === 0;
  at("none").hidden = some.length > 0;
  at("none").querySelector("p").textContent = items.length ? NOTHING[shown] : NOTHING.all;
  const open = items.filter((item) => !item.done).length;
  at("left").textContent = items.length ? `${open} of ${items.length} left` : "";
  at("clear").hidden = !isOwner || open === items.length;
  if (held) (at("items").querySelector(`[data-id="${held.dataset.id}"]`)?.querySelectorAll("input, button")[place] ?? at("filters").querySelector("[aria-pressed=true]")).focus();
}

async function show() {
  ({ items, owner: isOwner } = await todo("list"));
  at("add").hidden = !isOwner;
  at("app").hidden = false;
  draw();
}

at("add").onsubmit = async (event) => {
  event.preventDefault();
  const title = at("title").value;
  if (at("add").inert) return; // it is on its way
  at("add").inert = true;
  const isAdded = await change("add", { title });
  at("add").inert = false;
  if (isAdded) at("title").value = "";
  at("title").focus();
};
at("clear").onclick = () => change("clear");
at("filters").onclick = ({ target }) => {
  if (!target.dataset.show) return;
  shown = target.dataset.show;
  for (const button of at("filters").children) button.setAttribute("aria-pressed", String(button === target));
  draw();
};

await sdk("ui");
try {
  await show();
} catch (error) {
  Goop.ui.toast(said(error));
}
