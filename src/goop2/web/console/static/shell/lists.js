// A list that scrolls by itself, with a filter as soon as it is long: the page around it stays where it is.
import { el, freshId } from "./dom.js";
import { grouped } from "./format.js";
import { t } from "./text.js";

const FILTER_FROM = 8; // shorter lists are seen at a glance
const SHOWN_MAX = 2000; // elements; the filter finds the rest

/**
 * `label` names the filter; `make(item)` gives the element of an item, `text(item)` what is looked for in it, `keyOf(item)` tells items
 * apart, so that the focus stays on its item when the list is painted again. `none` is shown in place of an empty list.
 */
export function filteredList({ label, make, text, keyOf, none = "" }) {
  const id = freshId("filter");
  const input = el("input", { id, type: "search", autocomplete: "off", spellcheck: "false", oninput: paint, onkeydown: down });
  const field = el("label", { class: "field", for: id, hidden: true }, label, input);
  const state = el("p", { class: "small soft", role: "status" });
  const box = el("div", { class: "scrolls", onkeydown: move });
  const element = el("div", { class: "filtered" }, field, state, box);
  let items = [];

  const links = () => [...box.querySelectorAll("a, button")];

  function down(event) {
    if (event.key !== "ArrowDown") return;
    event.preventDefault();
    links()[0]?.focus();
  }

  function move(event) {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (!step || event.ctrlKey || event.altKey || event.metaKey || event.target.closest("input, textarea, select")) return;
    const all = links();
    const next = all[all.indexOf(document.activeElement) + step];
    if (!next && step > 0) return;
    event.preventDefault();
    (next || input).focus();
  }

  function paint() {
    const words = input.value.toLowerCase().split(/\s+/).filter(Boolean);
    const fitting = words.length ? items.filter((item) => words.every((word) => text(item).toLowerCase().includes(word))) : items;
    const held = box.contains(document.activeElement) ? document.activeElement.closest("[data-key]")?.dataset.key : null;
    const scrolled = box.scrollTop;
    const lines = fitting.slice(0, SHOWN_MAX).map((item) => {
      const line = make(item);
      line.dataset.key = keyOf(item);
      return line;
    });
    field.hidden = items.length < FILTER_FROM && !input.value;
    state.textContent = fitting.length > SHOWN_MAX ? t`The first ${grouped(SHOWN_MAX)} of ${grouped(fitting.length)}.` : words.length ? t`${grouped(fitting.length)} of ${grouped(items.length)}` : "";
    box.replaceChildren(lines.length ? el("ul", { class: "list" }, lines) : el("p", { class: "soft small" }, words.length ? t("Nothing has this in its name.") : none));
    box.scrollTop = scrolled;
    if (held) lines.find((line) => line.dataset.key === held)?.querySelector("a, button")?.focus({ preventScroll: true });
  }

  return {
    element,
    /** Shows these items. */
    set(next) {
      items = next;
      paint();
    },
    /** Brings the item of this key into sight. */
    reveal(key) {
      const line = [...box.querySelectorAll("[data-key]")].find((one) => one.dataset.key === key);
      if (!line) return;
      const [top, bottom] = [line.offsetTop - box.offsetTop, line.offsetTop - box.offsetTop + line.offsetHeight];
      if (top < box.scrollTop || bottom > box.scrollTop + box.clientHeight) box.scrollTop = top - box.clientHeight / 2;
    },
  };
}
