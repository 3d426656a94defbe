// Goop.ui: small things to say and ask. Themed by CSS variables: --goop-accent, --goop-surface, --goop-text, --goop-radius, --goop-font.
(function () {
  "use strict";
  const Goop = globalThis.Goop;
  const TOAST_MILLISECONDS = 4000;

  const STYLE = `
    .goop-toasts { position: fixed; inset: auto 1rem 1rem auto; display: grid; gap: .5rem; z-index: 2147483647; max-width: min(24rem, calc(100vw - 2rem)); }
    .goop-toast, .goop-dialog { font: var(--goop-font, 16px/1.5 system-ui, sans-serif); color: var(--goop-text, CanvasText);
      background: var(--goop-surface, Canvas); border: 1px solid color-mix(in srgb, currentColor 18%, transparent);
      border-radius: var(--goop-radius, .6rem); box-shadow: 0 .4rem 1.6rem rgb(0 0 0 / .18); }
    .goop-toast { padding: .7rem 1rem; overflow-wrap: anywhere; }
    .goop-toast strong { display: block; }
    .goop-dialog { padding: 1.2rem; width: min(26rem, calc(100vw - 2rem)); }
    .goop-dialog::backdrop { background: rgb(0 0 0 / .35); }
    .goop-dialog h2 { margin: 0 0 .4rem; font-size: 1.1em; }
    .goop-dialog p { margin: 0 0 .9rem; overflow-wrap: anywhere; }
    .goop-dialog input { font: inherit; width: 100%; box-sizing: border-box; padding: .45rem .6rem; margin-bottom: .9rem;
      color: inherit; background: transparent; border: 1px solid color-mix(in srgb, currentColor 35%, transparent); border-radius: calc(var(--goop-radius, .6rem) / 2); }
    .goop-dialog menu { display: flex; justify-content: end; gap: .5rem; margin: 0; padding: 0; }
    .goop-dialog button { font: inherit; padding: .4rem 1rem; color: inherit; background: transparent; cursor: pointer;
      border: 1px solid color-mix(in srgb, currentColor 30%, transparent); border-radius: calc(var(--goop-radius, .6rem) / 2); }
    .goop-dialog button[value=yes] { color: var(--goop-on-accent, #fff); background: var(--goop-accent, #2b6a4d); border-color: transparent; }`;

  function element(name, properties = {}, ...children) {
    const made = Object.assign(document.createElement(name), properties);
    made.append(...children);
    return made;
  }

  let styled = false;
  function style() {
    if (styled) return;
    styled = true;
    const sheet = new CSSStyleSheet();
    sheet.replaceSync(STYLE);
    document.adoptedStyleSheets = [...document.adoptedStyleSheets, sheet];
  }

  let toasts;
  function toast(what) {
    style();
    const { title, message } = typeof what === "object" && what !== null ? what : { message: what };
    if (!toasts || !toasts.isConnected) {
      toasts = element("div", { className: "goop-toasts", role: "status" });
      document.body.append(toasts);
    }
    const shown = element("div", { className: "goop-toast" });
    if (title) shown.append(element("strong", { textContent: title }));
    shown.append(String(message ?? ""));
    toasts.append(shown);
    setTimeout(() => shown.remove(), TOAST_MILLISECONDS);
  }

  // Shows a dialog; resolves with what `answer` makes of it when it was agreed to, else with `otherwise`.
  function ask({ title, message, field }, answer, otherwise) {
    style();
    const dialog = element("dialog", { className: "goop-dialog" });
    const form = element("form", { method: "dialog" });
    if (title) form.append(element("h2", { textContent: title }));
    if (message) form.append(element("p", { textContent: message }));
    if (field) form.append(field);
    form.append(
      element(
        "menu",
        {},
        element("button", { type: "button", textContent: "Cancel", onclick: () => dialog.close() }),
        element("button", { value: "yes", textContent: "OK", autofocus: !field }),
      ),
    );
    dialog.append(form);
    dialog.setAttribute("aria-label", title || message || "");
    document.body.append(dialog);
    return new Promise((resolve) => {
      dialog.addEventListener("close", () => {
        resolve(dialog.returnValue === "yes" ? answer() : otherwise);
        dialog.remove();
      });
      dialog.showModal();
    });
  }

  Goop.ui = {
    /** Says something for a few seconds: text, or {title, message}. */
    toast,
    /** Asks yes or no: a promise of true or false. */
    confirm: (text) => ask({ message: String(text) }, () => true, false),
    /** Asks for a text, by {title, message, value} or a text: a promise of it, null when it was called off. */
    prompt(what) {
      const { title, message, value } = typeof what === "object" && what !== null ? what : { message: what };
      const field = element("input", { value: value ?? "", autofocus: true });
      field.setAttribute("aria-label", message || title || "");
      return ask({ title, message, field }, () => field.value, null);
    },
  };
})();
