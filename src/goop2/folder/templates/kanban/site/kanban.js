// The board in the browser. kanban-board.lua says every few seconds how it stands, and kanban.lua is asked for every change. Cards move by mouse, by
// finger, and by keyboard (Space, arrows, Space); the dialog of a card moves it as well.
import { sdk } from "./sdk.js";

const ASK_MILLISECONDS = 3000;
const LANES = ["todo", "doing", "done"];
// A finger scrolls the page on a card, so it drags by a grip; a mouse drags the whole card.
const isFinger = matchMedia("(pointer: coarse)").matches;
const HOW = isFinger ? "Drag a card by its grip, or move it by its button." : "Drag a card, or press Space on it and move it with the arrow keys.";

const ask = (...asked) => Goop.data.api("kanban")(...asked);
const at = (id) => document.getElementById(id);

let board = { cards: [], open: false, owner: false, me: "" };
let drawn = "";

/** An element with properties and children. Texts become text, never markup. */
function element(name, properties = {}, ...children) {
  const made = Object.assign(document.createElement(name), properties);
  made.append(...children);
  return made;
}

/** What went wrong, in words for the reader: an error of a script begins with the script and the line. */
const said = (error) => (error.code === "rate_limited" ? "Not so fast: try again in a minute." : error.message.replace(/^[\w-]+:\d+: /, ""));
const mayWrite = () => board.owner || board.open;
const mayEdit = (card) => board.owner || (board.open && card._owner === board.me);

function entry(card) {
  const head = element("div", { className: "titled" }, element("h3", { textContent: card.title }));
  if (mayWrite() && isFinger) head.prepend(element("button", { className: "plain grip", textContent: "⠿", ariaLabel: `Grip of ${card.title}` }));
  if (mayWrite()) head.append(element("button", { className: "plain", textContent: mayEdit(card) ? "Edit" : "Move", ariaLabel: `${mayEdit(card) ? "Edit" : "Move"}: ${card.title}`, onclick: () => edit(card) }));
  const line = element("li", {}, head);
  if (card.note) line.append(element("p", { className: "note", textContent: card.note }));
  line.dataset.id = card._id;
  if (mayWrite() && Goop.drag && !isFinger) line.tabIndex = 0; // at once: it may get the focus back
  return line;
}

/** Draws the board when it has changed; what had the focus has it again. */
function draw() {
  if (drawn === JSON.stringify(board)) return;
  drawn = JSON.stringify(board);
  const held = document.activeElement?.closest("#lanes li");
  const isButton = held && document.activeElement !== held;
  const place = isButton && [...held.querySelectorAll("button")].indexOf(document.activeElement);
  for (const lane of LANES) {
    const cards = board.cards.filter((card) => card.lane === lane);
    at(lane).replaceChildren(...cards.map(entry));
    const section = at(lane).parentElement;
    section.querySelector(".count").textContent = cards.length || "";
    section.querySelector(".add").hidden = !mayWrite();
  }
  at("lanes").hidden = false;
  at("lanes").classList.toggle("moves", mayWrite());
  at("opening").hidden = !board.owner;
  at("open").checked = board.open;
  at("how").textContent = mayWrite() ? HOW : "";
  sortable(mayWrite());
  const again = held && document.querySelector(`#lanes li[data-id="${held.dataset.id}"]`);
  if (again) (isButton ? again.querySelectorAll("button")[place] : again)?.focus();
}

let lists = [];
function sortable(isOn) {
  if (!Goop.drag || isOn === lists.length > 0) return;
  for (const list of lists.splice(0)) list.destroy();
  if (isOn) lists = LANES.map((lane) => Goop.drag.sortable(at(lane), { items: "li", handle: isFinger ? ".grip" : undefined, group: "board", onEnd: dropped }));
}

const dropped = ({ item, to, newIndex }) => change("move", { id: Number(item.dataset.id), lane: to.id, position: newIndex });

let asked = 0; // counts questions: an answer that comes late does not replace a later one's

async function look() {
  const mine = ++asked;
  const now = await Goop.data.call("kanban-board");
  // A card that is on its way under a finger must not be drawn anew.
  if (mine !== asked || document.querySelector(".goop-drag-source")) return;
  board = { ...now, cards: now.cards || [] };
  draw();
}

/** Asks for a change, and shows the board as it is then; says what went wrong, and gives false. */
async function change(action, params) {
  try {
    await ask(action, params);
    return true;
  } catch (error) {
    Goop.ui.toast(said(error));
    return false;
  } finally {
    drawn = ""; // what was dragged and refused goes back
    await look().catch(() => {});
  }
}

// A card's dialog

let asking = 0; // dialogs shown: an answer that comes late closes none that was opened since

/** Shows the dialog for `card`, or for a new one in `lane`, until it is saved or called off: what was typed stays there, beside what was refused. */
function edit(card, lane = card.lane) {
  const mine = ++asking;
  const dialog = at("editor");
  const form = dialog.querySelector("form");
  const { title, note, lane: chosen } = form.elements;
  const [fields, refused] = [form.querySelector(".fields"), form.querySelector(".refused")];
  const isText = !card || mayEdit(card);
  const isOpen = () => mine === asking && dialog.open;
  at("editor-title").textContent = card ? (isText ? "A card" : `Move “${card.title}”`) : "A new card";
  [title.value, note.value, chosen.value] = [card?.title ?? "", card?.note ?? "", lane];
  for (const field of [title, note]) field.closest(".field").hidden = !isText;
  at("remove").hidden = !card || !isText;
  fields.inert = false;
  refused.textContent = "";

  async function doing(work) {
    if (fields.inert) return; // it is on its way
    fields.inert = true;
    refused.textContent = "";
    try {
      await work();
      await look();
      if (isOpen()) dialog.close();
    } catch (error) {
      if (!isOpen()) return Goop.ui.toast(said(error));
      refused.textContent = said(error);
      fields.inert = false;
    }
  }
  form.onsubmit = (event) => {
    event.preventDefault();
    doing(async () => {
      const text = { title: title.value, note: note.value };
      if (!card) return ask("add", { ...text, lane: chosen.value });
      if (isText && (text.title !== card.title || text.note !== (card.note ?? ""))) await ask("edit", { id: card._id, ...text });
      if (chosen.value !== card.lane) await ask("move", { id: card._id, lane: chosen.value });
    });
  };
  at("remove").onclick = () => doing(() => ask("remove", { id: card._id }));
  dialog.showModal();
}

at("cancel").onclick = () => at("editor").close();
at("open").onchange = () => change("open", { open: at("open").checked });
for (const section of document.querySelectorAll("#lanes section")) section.querySelector(".add").onclick = () => edit(null, section.dataset.lane);

await sdk("component-drag", "ui");
try {
  await look();
} catch (error) {
  Goop.ui.toast(said(error));
}
setInterval(() => !document.hidden && look().catch(() => {}), ASK_MILLISECONDS);
document.addEventListener("visibilitychange", () => !document.hidden && look().catch(() => {}));
