// The tree of the site's files: folders open and close by themselves, and are filled when they are opened first; a filter finds files.
import { freshId } from "../../shell/dom.js";
import { bytes } from "../../shell/format.js";
import { many, t } from "../../shell/text.js";

const FILTER_FROM = 12; // files that are seen at a glance
const FOUND_MAX = 200;
const OPEN_UP_TO = 40; // entries of a site whose folders are all open at the beginning

/** `choose(path)` is called with the file that was chosen; `isOpen(path)` says which one is shown. */
export function fileTree(shell, { choose, isOpen }) {
  const { el } = shell;
  const id = freshId("find");
  const input = el("input", { id, type: "search", autocomplete: "off", spellcheck: "false", oninput: paint });
  const field = el("label", { class: "field", for: id, hidden: true }, t("Find a file"), input);
  const state = el("p", { class: "small soft", role: "status" });
  const box = el("div", { class: "scrolls file-tree", dataset: { folder: "" }, onkeydown: move });
  const element = el("nav", { class: "filtered script-list", "aria-label": t("Files") }, field, state, box);
  const opened = new Map(); // folder → whether it is open
  let files = [];
  let below = new Map(); // folder → its entries

  function set(next) {
    files = next;
    below = new Map([["", []]]);
    for (const one of files) {
      const folder = one.path.split("/").slice(0, -1).join("/");
      if (!below.has(folder)) below.set(folder, []);
      below.get(folder).push(one);
    }
    for (const entries of below.values()) entries.sort((one, other) => other.folder - one.folder || one.path.localeCompare(other.path));
    paint();
  }

  function paint() {
    const words = input.value.toLowerCase().split(/\s+/).filter(Boolean);
    field.hidden = files.length < FILTER_FROM && !words.length;
    const held = box.contains(document.activeElement) ? document.activeElement.closest("[data-path]")?.dataset.path : null;
    const scrolled = box.scrollTop;
    if (words.length) {
      const found = files.filter((one) => !one.folder && words.every((word) => one.path.toLowerCase().includes(word)));
      state.textContent = many(found.length, "{0} file", "{0} files");
      box.replaceChildren(found.length ? el("ul", { class: "list" }, found.slice(0, FOUND_MAX).map((one) => line(one, one.path))) : el("p", { class: "soft small" }, t("Nothing has this in its name.")));
    } else {
      state.textContent = "";
      box.replaceChildren(files.length ? branch("") : el("p", { class: "soft small" }, t("The site is empty. Make a file, drop some here, or apply a template.")));
    }
    box.scrollTop = scrolled;
    if (held) [...box.querySelectorAll("[data-path]")].find((one) => one.dataset.path === held)?.querySelector("a, summary")?.focus({ preventScroll: true });
  }

  const branch = (folder) => el("ul", { class: "list" }, (below.get(folder) || []).map((one) => (one.folder ? folderLine(one) : line(one, one.path.split("/").pop()))));

  function folderLine(one) {
    const inner = el("div", { class: "branch" });
    const isShown = opened.get(one.path) ?? files.length <= OPEN_UP_TO;
    const fill = () => inner.childElementCount || inner.append(branch(one.path));
    const folder = el("details", { open: isShown, ontoggle: () => { opened.set(one.path, folder.open); if (folder.open) fill(); } }, el("summary", { class: "mono" }, `${one.path.split("/").pop()}/`), inner);
    if (isShown) fill();
    return el("li", { dataset: { path: one.path, folder: one.path } }, folder);
  }

  const line = (one, name) => el("li", { dataset: { path: one.path } }, el("a", {
    href: `#/site?file=${encodeURIComponent(one.path)}`, "aria-current": isOpen(one.path) ? "true" : null, title: bytes(one.size),
    onclick: (event) => { event.preventDefault(); choose(one.path); } }, el("span", { class: "mono" }, name)));

  function move(event) {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (!step || event.ctrlKey || event.altKey || event.metaKey) return;
    const all = [...box.querySelectorAll("a, summary")].filter((one) => one.checkVisibility());
    const next = all[all.indexOf(document.activeElement) + step];
    if (!next) return;
    event.preventDefault();
    next.focus();
  }

  return {
    element,
    set,
    /** Opens the folders above a file, and brings it into sight. */
    reveal(path) {
      const parts = path.split("/").slice(0, -1);
      parts.forEach((_, depth) => opened.set(parts.slice(0, depth + 1).join("/"), true));
      paint();
      const shown = [...box.querySelectorAll("[data-path]")].find((one) => one.dataset.path === path);
      if (!shown) return;
      const [top, bottom] = [shown.offsetTop, shown.offsetTop + shown.offsetHeight];
      if (top < box.scrollTop || bottom > box.scrollTop + box.clientHeight) box.scrollTop = top - box.clientHeight / 2;
    },
  };
}
