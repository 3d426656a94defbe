// A list of any length that stays quick: only the rows in sight are elements, and they are painted once a frame.
const ROW_PIXELS = 34;
const SPARE_ROWS = 8;

/**
 * Rows in `box`, which has a height and scrolls. `make(item)` gives an element of class `line`; `keyOf(item)` tells items
 * apart, so that a row keeps its element, and with it the focus, while others come above it.
 */
export function rows(box, make, keyOf) {
  const space = document.createElement("div");
  space.className = "space";
  box.replaceChildren(space);
  let items = [];
  let made = new Map(); // key → element
  let frame = 0;

  function paint() {
    frame = 0;
    const first = Math.max(0, Math.floor(box.scrollTop / ROW_PIXELS) - SPARE_ROWS);
    const last = Math.min(items.length, Math.ceil((box.scrollTop + box.clientHeight) / ROW_PIXELS) + SPARE_ROWS);
    const visible = new Map();
    for (let index = first; index < last; index++) {
      const key = keyOf(items[index]);
      const element = made.get(key) || make(items[index]);
      element.style.top = `${index * ROW_PIXELS}px`;
      visible.set(key, element);
      if (element.parentNode !== space) space.append(element);
    }
    for (const [key, element] of made) if (!visible.has(key)) element.remove();
    made = visible;
    space.style.height = `${items.length * ROW_PIXELS}px`;
  }
  const soon = () => {
    frame ||= requestAnimationFrame(paint);
  };
  box.addEventListener("scroll", soon, { passive: true });

  // The arrows go from row to row: SPARE_ROWS beyond what is in sight are there already.
  box.addEventListener("keydown", (event) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    const from = document.activeElement;
    if (!step || event.ctrlKey || event.altKey || event.metaKey || !box.contains(from)) return;
    const index = from === box ? Math.ceil(box.scrollTop / ROW_PIXELS) : Math.round(parseFloat(from.style.top) / ROW_PIXELS) + step;
    const next = items[index] && made.get(keyOf(items[index]));
    if (!next) return;
    event.preventDefault();
    next.focus({ preventScroll: true });
    next.scrollIntoView({ block: "nearest" });
  });

  return {
    /** Shows `next` instead; `added` of them are new at the top, and the scroll position stays at the same row. */
    set(next, added = 0) {
      items = next;
      if (added && box.scrollTop > 0) {
        space.style.height = `${items.length * ROW_PIXELS}px`;
        box.scrollTop += added * ROW_PIXELS;
      }
      soon();
    },
    /** Renders every row again. */
    renew(next) {
      for (const element of made.values()) element.remove();
      made = new Map();
      box.scrollTop = 0;
      this.set(next);
    },
    close: () => cancelAnimationFrame(frame),
  };
}
