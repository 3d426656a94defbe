// Short messages at the edge of the page. They avoid everything that can be clicked, and move when that changes.
import { el } from "./dom.js";

const SHOWN_MS = 5000;
const LOOK_MS = 200; // how often a place is looked at while a toast is shown
const EDGE_PIXELS = 16;
const STEP_PIXELS = 24;
const PRESSED = "a[href], button, input, select, textarea, summary, label, [tabindex]:not([tabindex='-1']), [contenteditable='true'], [role='option']";

/** Shows a message that disappears by itself: `toast("Saved")`, `toast("Not saved: …", "bad")`. */
export function toast(text, kind = "good") {
  const place = document.getElementById("toasts");
  const note = el("p", { class: `toast ${kind}` }, text);
  place.append(note);
  startMoving(place);
  setTimeout(() => {
    note.remove();
    if (place.childElementCount) return;
    clearInterval(looking);
    looking = 0;
  }, SHOWN_MS);
}

let looking = 0;

function startMoving(place) {
  moveToFreePlace(place);
  looking ||= setInterval(() => moveToFreePlace(place), LOOK_MS);
}

const meet = (one, other) => one.left < other.right && other.left < one.right && one.top < other.bottom && other.top < one.bottom;

// Whatever can be pressed now: a rectangle for each, as far as it is in sight.
function pressed(place) {
  const shown = (element) => !place.contains(element) && element.checkVisibility({ visibilityProperty: true });
  const boxes = [...document.querySelectorAll(PRESSED)].filter(shown).map((element) => element.getBoundingClientRect());
  return boxes.filter((box) => box.width && meet(box, { left: 0, top: 0, right: innerWidth, bottom: innerHeight }));
}

function* places({ width, height }) {
  const across = [innerWidth - EDGE_PIXELS - width, EDGE_PIXELS, (innerWidth - width) / 2];
  for (let top = innerHeight - EDGE_PIXELS - height; top >= EDGE_PIXELS; top -= STEP_PIXELS) {
    for (const left of across) yield { left, top, right: left + width, bottom: top + height };
  }
}

function moveToFreePlace(place) {
  const now = place.getBoundingClientRect();
  const taken = pressed(place);
  const isClear = (box) => !taken.some((one) => meet(one, box));
  if (place.dataset.laid && isClear(now) && now.bottom <= innerHeight) return;
  const all = [...places(now)];
  const clear = all.find(isClear) || all[0] || { left: EDGE_PIXELS, bottom: innerHeight - EDGE_PIXELS }; // where all is full, it lets clicks through
  Object.assign(place.style, { left: `${Math.max(0, clear.left)}px`, bottom: `${innerHeight - clear.bottom}px` });
  place.dataset.laid = "";
}
