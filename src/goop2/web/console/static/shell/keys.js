// The keyboard: `g` and a letter goes to a page, Ctrl+K opens a list to choose from.
import { el } from "./dom.js";

const CHORD_MS = 1200;

const isWriting = (target) => target.closest?.("input, textarea, select, [contenteditable], .cm-editor, dialog");

/** Watches the keyboard for `destinations()`: each `{ title, keys: "g h", run }`. */
export function watchKeys(destinations) {
  let begun = 0;
  document.addEventListener("keydown", (event) => {
    if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "k") {
      event.preventDefault();
      openPalette(destinations());
      return;
    }
    if (event.ctrlKey || event.metaKey || event.altKey || isWriting(event.target)) return;
    const chord = Date.now() - begun < CHORD_MS ? destinations().find(({ keys }) => keys === `g ${event.key}`) : null;
    begun = event.key === "g" && !chord ? Date.now() : 0;
    if (chord) {
      event.preventDefault();
      chord.run();
    }
  });
}

/** A list of places to go, narrowed down by writing. */
export function openPalette(destinations) {
  if (document.querySelector("dialog[open]")) return;
  let shown = destinations;
  let chosen = 0;
  const input = el("input", {
    type: "text", role: "combobox", "aria-label": "Go to", "aria-expanded": "true", "aria-controls": "places",
    "aria-autocomplete": "list", placeholder: "Go to…", autocomplete: "off", spellcheck: "false",
  });
  const list = el("ul", { id: "places", role: "listbox", "aria-label": "Places" });
  const none = el("p", { class: "small soft", role: "status" });
  const box = el("dialog", { class: "palette", "aria-label": "Go to" }, input, list, none);

  const run = (place) => {
    box.close();
    place?.run();
  };
  const paint = () => {
    const rows = shown.map((place, index) =>
      el(
        "li",
        { role: "option", id: `place-${index}`, "aria-selected": String(index === chosen), onclick: () => run(place) },
        el("span", {}, place.title),
        el("kbd", {}, place.keys),
      ),
    );
    list.replaceChildren(...rows);
    none.textContent = shown.length ? "" : "No place is called that.";
    input.setAttribute("aria-activedescendant", shown.length ? `place-${chosen}` : "");
  };
  input.addEventListener("input", () => {
    shown = destinations.filter(({ title }) => title.toLowerCase().includes(input.value.toLowerCase()));
    chosen = 0;
    paint();
  });
  input.addEventListener("keydown", (event) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (event.key === "Enter") run(shown[chosen]);
    else if (step && shown.length) chosen = (chosen + step + shown.length) % shown.length;
    else return;
    event.preventDefault();
    if (box.open) paint();
  });
  box.addEventListener("click", (event) => event.target === box && box.close());
  box.addEventListener("close", () => box.remove());
  document.body.append(box);
  paint();
  box.showModal();
  input.focus();
}
