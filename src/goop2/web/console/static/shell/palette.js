// The keyboard: `g` and a letter goes to a page, Ctrl+K opens a list of everything there is to go to.
import { el } from "./dom.js";
import { grouped } from "./format.js";
import { t } from "./text.js";

const CHORD_MS = 1200;
const SHOWN_MAX = 50; // more nobody reads; a few letters more find the rest

const isWriting = (target) => target.closest?.("input, textarea, select, [contenteditable], .cm-editor, dialog");

/** Watches the keyboard: for `destinations()`, each `{ title, keys: "g h", run }`, and for Ctrl+K, which calls `openPlaces`. */
export function watchKeys(destinations, openPlaces) {
  let begun = 0;
  document.addEventListener("keydown", (event) => {
    if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "k") {
      event.preventDefault();
      openPlaces();
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

// How well a place fits what was typed: 0 not at all, more is better.
function fit({ title, about = "" }, words) {
  const name = title.toLowerCase();
  if (!words.every((word) => name.includes(word) || about.toLowerCase().includes(word))) return 0;
  const [first = ""] = words;
  return name.replace(/^!/, "").startsWith(first) ? 3 : name.includes(first) ? 2 : 1;
}

/**
 * A list of places to go, narrowed down by writing: `destinations`, and what `places` finds: `all()` promises those that are known by
 * name, `search(text, found)` calls `found` with those that have to be asked for. Each is `{ title, keys | kind, about, run }`.
 */
export function openPalette(destinations, places) {
  if (document.querySelector("dialog[open]")) return;
  let known = destinations;
  let found = []; // by what is written now
  let shown = [];
  let chosen = null; // one of those shown
  const input = el("input", {
    type: "text", role: "combobox", "aria-label": t("Go to"), "aria-expanded": "true", "aria-controls": "places",
    "aria-autocomplete": "list", placeholder: t("A page, script, table, run or setting"), autocomplete: "off", spellcheck: "false",
  });
  const list = el("ul", { id: "places", role: "listbox", "aria-label": t("Places") });
  const none = el("p", { class: "small soft", role: "status" });
  const box = el("dialog", { class: "palette", "aria-label": t("Go to") }, input, list, none);

  const run = (place) => {
    box.close();
    place?.run();
  };

  function paint() {
    const words = input.value.toLowerCase().split(/\s+/).filter(Boolean);
    const fitting = words.length ? known.map((place) => [fit(place, words), place]).filter(([good]) => good).sort(([a], [b]) => b - a).map(([, place]) => place)
      : destinations;
    const all = [...fitting, ...found];
    shown = all.slice(0, SHOWN_MAX);
    if (!shown.includes(chosen)) chosen = shown[0] || null;
    list.replaceChildren(...shown.map((place, index) =>
      el(
        "li",
        { role: "option", id: `place-${index}`, "aria-selected": String(place === chosen), onclick: () => run(place) },
        el("span", { class: "cut" }, place.title, place.about && el("span", { class: "small soft" }, ` ${place.about}`)),
        place.keys ? el("kbd", {}, place.keys) : el("span", { class: "small soft" }, place.kind),
      )));
    none.textContent = !shown.length ? t("No place is called that.") : all.length > SHOWN_MAX ? t`${grouped(all.length - SHOWN_MAX)} more: write more of the name.` : "";
    input.setAttribute("aria-activedescendant", shown.length ? `place-${shown.indexOf(chosen)}` : "");
    list.children[shown.indexOf(chosen)]?.scrollIntoView({ block: "nearest" });
  }

  function search() {
    const text = input.value.trim();
    places.search(text, (more) => {
      if (!box.open || input.value.trim() !== text) return; // something else is written by now
      found = more;
      paint();
    });
  }

  input.addEventListener("input", () => {
    found = [];
    chosen = null;
    paint();
    search();
  });
  input.addEventListener("keydown", (event) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (event.key === "Enter") run(chosen);
    else if (step && shown.length) chosen = shown[(shown.indexOf(chosen) + step + shown.length) % shown.length];
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
  places.all().then((more) => {
    known = [...destinations, ...more];
    if (box.open && input.value) paint(); // what is chosen stays chosen
  }, () => {});
}
