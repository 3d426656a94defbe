// What the console says and asks, by the browser's own <dialog>.
import { el } from "./dom.js";

const SHOWN_MS = 5000;

/** A word at the edge of the page, gone by itself: `toast("Saved")`, `toast("Not saved: …", "bad")`. */
export function toast(text, kind = "good") {
  const note = el("p", { class: `toast ${kind}` }, text);
  document.getElementById("toasts").append(note);
  setTimeout(() => note.remove(), SHOWN_MS);
}

/** Puts `text` where the system pastes from, and says `done`. */
export async function copy(text, done) {
  try {
    await navigator.clipboard.writeText(text);
    toast(done);
  } catch {
    toast("The browser does not let this page copy: select the text and copy it", "bad");
  }
}

/** A dialog with `children`; a button whose `value` is set closes it. Promise of that value, "" when it was left. */
export function dialog(title, ...children) {
  const name = el("h2", { id: "dialog-title" }, title);
  const box = el("dialog", { "aria-labelledby": "dialog-title" }, el("form", { method: "dialog" }, name, ...children));
  document.body.append(box);
  box.showModal();
  return new Promise((resolve) => {
    box.addEventListener("close", () => {
      box.remove();
      resolve(box.returnValue);
    });
  });
}

/** Promise of whether the owner agrees: `await confirm("Delete hello.lua?", "Delete")`. */
export async function confirm(question, agree = "OK") {
  const buttons = el("p", { class: "row end" }, el("button", { class: "main", value: "yes" }, agree), el("button", { value: "", autofocus: true }, "Cancel"));
  return (await dialog(question, buttons)) === "yes";
}
