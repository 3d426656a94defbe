// Goop.ui: small things to say and ask. Themed by CSS variables: --goop-accent, --goop-surface, --goop-text, --goop-radius, --goop-font.
(function () {
  "use strict";
  const Goop = globalThis.Goop;
  const { WORDS, options } = Goop.kinds;
  const TOAST_MILLISECONDS = 4000;
  const LOOK_MILLISECONDS = 200; // how often a toast's place is looked at
  const EDGE_PIXELS = 16;
  const STEP_PIXELS = 24;
  const PRESSED = "a[href], button, input, select, textarea, summary, label, [tabindex]:not([tabindex='-1']), [contenteditable='true']";

  const STYLE = `
    .goop-toasts { position: fixed; left: 1rem; bottom: 1rem; display: grid; gap: .5rem; z-index: 2147483647; width: max-content; max-width: min(24rem, calc(100vw - 2rem)); pointer-events: none; }
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

  // A text, or an object with these texts, of which `needed` must be there.
  const saying = (known, needed) => {
    const read = options(Object.fromEntries(known.map((name) => [name, WORDS])), needed);
    return (what, place) => {
      if (what instanceof Error) return { message: what.message };
      return what !== null && typeof what === "object" ? read(what, place) : { message: WORDS(what, place) };
    };
  };

  // A toast lies where there is nothing to press, and looks for another place when that changes.
  const meet = (one, other) => one.left < other.right && other.left < one.right && one.top < other.bottom && other.top < one.bottom;

  function* places({ width, height }) {
    for (let top = innerHeight - EDGE_PIXELS - height; top >= EDGE_PIXELS; top -= STEP_PIXELS) {
      for (const left of [innerWidth - EDGE_PIXELS - width, EDGE_PIXELS, (innerWidth - width) / 2]) yield { left, top, right: left + width, bottom: top + height };
    }
  }

  function lay() {
    const taken = [...document.querySelectorAll(PRESSED)].map((one) => one.getBoundingClientRect()).filter((one) => one.width);
    const isClear = (box) => !taken.some((one) => meet(one, box));
    const now = toasts.getBoundingClientRect();
    if (toasts.style.left && isClear(now) && now.right <= innerWidth && now.bottom <= innerHeight) return;
    const all = [...places(now)];
    const place = all.find(isClear) || all[0] || { left: EDGE_PIXELS, bottom: innerHeight - EDGE_PIXELS }; // where all is full, it lets clicks through
    Object.assign(toasts.style, { left: `${Math.max(0, place.left)}px`, bottom: `${innerHeight - place.bottom}px` });
  }

  let toasts;
  let looking;
  const toast = Goop.reads("ui.toast", { what: saying(["title", "message"], ["message"]) }, ({ title, message }) => {
    style();
    if (!toasts || !toasts.isConnected) {
      toasts = element("div", { className: "goop-toasts", role: "status" });
      document.body.append(toasts);
    }
    const shown = element("div", { className: "goop-toast" });
    if (title) shown.append(element("strong", { textContent: title }));
    shown.append(message);
    toasts.append(shown);
    lay();
    looking = looking || setInterval(lay, LOOK_MILLISECONDS);
    setTimeout(() => {
      shown.remove();
      if (toasts.childElementCount) return;
      clearInterval(looking);
      looking = undefined;
    }, TOAST_MILLISECONDS);
  });

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
      if (field) field.setSelectionRange(field.value.length, field.value.length); // WebKit would write before the value
    });
  }

  Goop.ui = {
    /** Says something for a few seconds: text, or {title, message}. */
    toast,
    /** Asks yes or no: a promise of true or false. */
    confirm: Goop.asks("ui.confirm", { text: WORDS }, (message) => ask({ message }, () => true, false)),
    /** Asks for a text, by {title, message, value} or a text: a promise of it, null when it was called off. */
    prompt: Goop.asks("ui.prompt", { what: saying(["title", "message", "value"], []) }, ({ title, message, value }) => {
      const field = element("input", { value: value ?? "", autofocus: true });
      field.setAttribute("aria-label", message || title || "");
      return ask({ title, message, field }, () => field.value, null);
    }),
  };
})();
