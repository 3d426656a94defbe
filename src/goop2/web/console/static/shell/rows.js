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
    for (const [key, element] of made) {
      if (visible.has(key)) continue;
      if (element === document.activeElement) visible.set(key, element); // else the keyboard would begin at the top of the page again
      else element.remove();
    }
    made = visible;
    space.style.height = `${items.length * ROW_PIXELS}px`;
  }
  const soon = () => {
    frame ||= requestAnimationFrame(paint);
  };
  box.addEventListener("scroll", soon, { passive: true });

  // The arrows go from row to row, the page keys as far as is in sight, Home and End to the first and the last one.
  box.addEventListener("keydown", (event) => {
    const page = Math.max(1, Math.floor(box.clientHeight / ROW_PIXELS) - 1);
    const step = { ArrowDown: 1, ArrowUp: -1, PageDown: page, PageUp: -page, Home: -items.length, End: items.length }[event.key];
    const from = document.activeElement;
    if (!step || event.ctrlKey || event.altKey || event.metaKey || !box.contains(from)) return;
    event.preventDefault();
    const first = from === box && Math.abs(step) === 1;
    const index = first ? Math.ceil(box.scrollTop / ROW_PIXELS) : Math.round((from === box ? box.scrollTop : parseFloat(from.style.top)) / ROW_PIXELS) + step;
    const next = Math.min(Math.max(index, 0), items.length - 1);
    const top = next * ROW_PIXELS;
    box.scrollTop = Math.min(Math.max(box.scrollTop, top + ROW_PIXELS - box.clientHeight), top); // in sight, and no further
    paint();
    made.get(keyOf(items[next])).focus({ preventScroll: true });
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
