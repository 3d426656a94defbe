// What the console says and asks, by the browser's own <dialog>.
import { el } from "./dom.js";
import { t } from "./text.js";
import { toast } from "./toasts.js";

/** Puts `text` where the system pastes from, and says `done`. */
export async function copy(text, done) {
  try {
    await navigator.clipboard.writeText(text);
    toast(done);
  } catch {
    toast(t("The browser does not let this page copy: select the text and copy it"), "bad");
  }
}

// A dialog with `children` in a form; it goes away when it is closed, or when `signal` aborts.
function open(title, children, signal) {
  const name = el("h2", { id: "dialog-title" }, title);
  const form = el("form", { method: "dialog" }, name, ...children);
  const box = el("dialog", { "aria-labelledby": "dialog-title" }, form);
  const leave = () => box.close("");
  box.addEventListener("close", () => {
    signal?.removeEventListener("abort", leave);
    box.remove();
  });
  signal?.addEventListener("abort", leave);
  document.body.append(box);
  box.showModal();
  return { box, form };
}

const closed = (box) => new Promise((resolve) => box.addEventListener("close", () => resolve(box.returnValue)));

/** A dialog with `children`; a button whose `value` is set closes it. Promise of that value, "" when it was left. */
export const dialog = (signal, title, ...children) => closed(open(title, children, signal).box);

const buttons = (agree, props = {}) =>
  el("p", { class: "row end" }, el("button", { class: "main", value: "yes" }, agree), el("button", { value: "", formnovalidate: true, ...props }, t("Cancel")));

/** Promise of whether the owner agrees: `await confirm("Delete hello.lua?", "Delete")`. */
export async function confirm(question, agree = t("OK"), signal = undefined) {
  return (await dialog(signal, question, buttons(agree, { autofocus: true }))) === "yes";
}

/**
 * A dialog that stays open until `work()` is done, or it is left: what was typed into `fields` stays there while that is on its way, and
 * beside what was refused. Promise of whether it was done; what is refused after the dialog was left is told as a toast.
 */
export function asking(signal, title, fields, agree, work) {
  const refused = el("p", { class: "small level-error wrap", role: "alert" });
  const typed = el("div", {}, fields);
  // In sight whatever the form's length: whoever presses Enter in the first field reads what is refused at the last one.
  const foot = el("div", { class: "dialog-foot" }, refused, buttons(agree));
  const { box, form } = open(title, [typed, foot], signal);
  const gone = closed(box);
  let done = false;
  form.addEventListener("submit", async (event) => {
    if (event.submitter?.value === "") return; // Cancel
    event.preventDefault();
    if (typed.inert) return;
    const held = document.activeElement;
    typed.inert = true;
    refused.textContent = "";
    try {
      await work();
      done = true;
      if (box.open) box.close("yes");
    } catch (error) {
      if (box.open) refused.textContent = error.message;
      else toast(error.message, "bad");
    } finally {
      typed.inert = false;
    }
    if (box.open && box.contains(held)) held.focus();
  });
  return gone.then(() => done);
}
