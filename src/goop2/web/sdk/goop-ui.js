// Goop.ui: small things to say and ask. Themed by CSS variables: --goop-accent, --goop-surface, --goop-text, --goop-radius, --goop-font; or by
// those of pages of Goop2: --accent, --panel, --text. goop-component-toast.js and goop-component-dialog.js use the same names with an element.
(function () {
  "use strict";
  const Goop = globalThis.Goop;
  const t = Goop.text;
  const { ANY, NUMBER, WORDS, maybe, options } = Goop.kinds;
  const TOAST_MILLISECONDS = 4000;
  const LOOK_MILLISECONDS = 200; // how often a toast's place is looked at
  const EDGE_PIXELS = 16;
  const STEP_PIXELS = 24;
  const PRESSED = "a[href], button, input, select, textarea, summary, label, [tabindex]:not([tabindex='-1']), [contenteditable='true']";

  const STYLE = `
    .goop-toasts { position: fixed; left: 1rem; bottom: 1rem; display: grid; gap: .5rem; z-index: 2147483647; width: max-content; max-width: min(24rem, calc(100vw - 2rem)); pointer-events: none; }
    .goop-toast, .goop-dialog { font: var(--goop-font, 16px/1.5 system-ui, sans-serif); color: var(--goop-text, var(--text, CanvasText));
      background: var(--goop-surface, var(--panel, Canvas)); border: 1px solid color-mix(in srgb, currentColor 18%, transparent);
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
    .goop-dialog button[value=yes] { color: var(--goop-on-accent, #fff); background: var(--goop-accent, #2b6a4d); border-color: transparent; }
    .goop-dialog button[value=yes].goop-danger { color: #fff; background: #b42318; }
    .goop-dialog button:disabled { opacity: .5; cursor: default; }`;

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
  // {title, message, duration}, or a text; milliseconds, 0 stays.
  const TOLD = options({ title: WORDS, message: WORDS, duration: NUMBER }, ["message"]);
  const TOAST = (what, place) => {
    if (what instanceof Error) return { message: what.message };
    return what !== null && typeof what === "object" ? TOLD(what, place) : { message: WORDS(what, place) };
  };
  const say = Goop.reads("ui.toast", { what: TOAST }, ({ title, message, duration = TOAST_MILLISECONDS }) => {
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
    const gone = new MutationObserver(() => {
      if (toasts.childElementCount) return;
      gone.disconnect();
      clearInterval(looking);
      looking = undefined;
    });
    gone.observe(toasts, { childList: true });
    if (duration) setTimeout(() => shown.remove(), duration);
    return shown;
  });

  // Shows a dialog; resolves with what `answer` makes of it when it was agreed to, else with `otherwise`.
  function ask({ title, message, field, okText = t("OK"), cancelText = t("Cancel"), isDanger = false, match, isAlert = false }, answer, otherwise) {
    style();
    const dialog = element("dialog", { className: "goop-dialog" });
    const form = element("form", { method: "dialog" });
    if (title) form.append(element("h2", { textContent: title }));
    if (message) form.append(element("p", { textContent: message }));
    if (field) form.append(field);
    const agree = element("button", { value: "yes", textContent: okText, autofocus: !field, className: isDanger ? "goop-danger" : "", disabled: Boolean(match) });
    const cancel = element("button", { type: "button", textContent: cancelText, onclick: () => dialog.close() });
    form.append(element("menu", {}, ...(isAlert ? [] : [cancel]), agree));
    if (match) field.addEventListener("input", () => (agree.disabled = field.value !== match));
    dialog.append(form);
    dialog.setAttribute("aria-label", title || message || "");
    document.body.append(dialog);
    return new Promise((resolve) => {
      dialog.addEventListener("close", () => {
        resolve(dialog.returnValue === "yes" ? answer() : otherwise);
        dialog.remove();
      });
      dialog.showModal();
      if (field && field.type === "text") field.setSelectionRange(field.value.length, field.value.length); // WebKit would write before the value
    });
  }

  function fieldOf({ title, message, value, placeholder = "", type = "text" }) {
    const field = element("input", { type, value: value ?? "", placeholder, autofocus: true });
    field.setAttribute("aria-label", message || title || "");
    return field;
  }

  const QUESTION = ["title", "message", "value", "placeholder", "type", "okText", "cancelText"];
  const PROMPT = options({ ...Object.fromEntries(QUESTION.map((name) => [name, WORDS])), dangerOk: ANY });
  const DANGER = options(Object.fromEntries(["title", "message", "match", "okText", "cancelText"].map((name) => [name, WORDS])));
  const DIALOG = options({ title: WORDS, message: WORDS, input: ANY, ok: ANY, cancel: ANY });
  const textOf = (button) => (button !== null && typeof button === "object" ? button.text ?? button.label : typeof button === "string" ? button : undefined);
  const textOr = (read) => (what, place) => (what !== null && typeof what === "object" ? read(what, place) : { message: WORDS(what, place) });

  const prompt = Goop.asks("ui.prompt", { what: textOr(PROMPT), value: maybe(WORDS) }, (what, value) => {
    const field = fieldOf({ value, ...what });
    return ask({ ...what, field, isDanger: Boolean(what.dangerOk) }, () => field.value, null);
  });

  const confirmDanger = Goop.asks("ui.confirmDanger", { what: textOr(DANGER) }, ({ match = "DELETE", ...what }) => {
    const field = fieldOf({ ...what, placeholder: match });
    return ask({ okText: t("Delete"), ...what, field, match, isDanger: true }, () => true, null);
  });

  const dialog = Goop.asks("ui.dialog", { what: DIALOG }, ({ input, ok, cancel, ...what }) => {
    const field = input ? fieldOf({ ...what, ...(typeof input === "object" ? input : {}) }) : undefined;
    return ask({ ...what, okText: textOf(ok), cancelText: textOf(cancel), isAlert: cancel === false, field }, () => (field ? field.value : true), null);
  });

  const before = { ...Goop.ui }; // of components, when they were loaded before
  const orComponent = (name, own) => (what, more) => {
    if (!(what instanceof Element)) return own(what, more);
    if (before[name]) return before[name](what, more);
    throw new TypeError(`Goop.ui.${name} with an element needs goop-component-${name}.js: load it`);
  };

  Goop.ui = Object.assign(Goop.ui || {}, {
    /** Says something for a few seconds: text, or {title, message, duration} in milliseconds, 0 stays. Gives the element. */
    toast: orComponent("toast", say),
    /** Asks yes or no: a promise of true, or false. With a title, as pages of Goop2 ask, it is true or null. */
    confirm: Goop.asks("ui.confirm", { text: WORDS, title: maybe(WORDS) }, (message, title) => ask({ message, title }, () => true, title === undefined ? false : null)),
    /** Asks for a text, by {title, message, value, placeholder, type, okText, cancelText, dangerOk} or a text: a promise of it, null when it was called off. */
    prompt,
    /** Says something that must be read: alert(title, message), or a text. */
    alert: Goop.asks("ui.alert", { title: WORDS, message: maybe(WORDS) }, (title, message) => ask(message === undefined ? { message: title, isAlert: true } : { title, message, isAlert: true }, () => true, true)),
    /** Asks before something that cannot be undone: the word `match` must be typed. A promise of true, or null. */
    confirmDanger,
    /** A dialog by {title, message, input, ok, cancel}: a promise of the text, or true, or null. */
    dialog: orComponent("dialog", dialog),
    /** "dark" or "light": what the page says of itself, else what the viewer's system prefers. */
    theme: () => document.documentElement.dataset.theme || (document.body && document.body.dataset.theme) || (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light"),
  });
})();
