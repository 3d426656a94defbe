// Goop.ui.dialog(el): questions in a dialog of the page's own markup. It also becomes Goop.ui.confirm, alert, prompt and confirmDanger.
(function () {
  "use strict";
  const Goop = globalThis.Goop;
  const t = Goop.text;
  const { classes, holdFocus, idOf, setShown } = Goop.component;
  const PLAIN = Goop.ui.dialog; // of goop-ui.js, when it was loaded before
  const MARKUP = `<div class="gc-dialog"><h2 class="gc-dialog-title"></h2><p class="gc-dialog-message"></p>
    <div class="gc-dialog-input-wrap"><input class="gc-dialog-input"></div>
    <div class="gc-dialog-buttons"><button type="button" class="gc-dialog-cancel">${t("Cancel")}</button><button type="button" class="gc-dialog-ok">${t("OK")}</button></div></div>`;

  function dialogs(el, options = {}) {
    const one = Goop.component("dialog", el, options, MARKUP);
    const [title, message, wrap, input, ok, cancel] = ["title", "message", "inputWrap", "input", "ok", "cancel"].map(one.part);
    const { hiddenClass = "hidden", dangerClass = "gc-dialog-danger", disabledClass = "gc-disabled" } = options;
    const box = one.el.matches("[role=dialog], .gc-dialog") ? one.el : one.el.querySelector("[role=dialog], .gc-dialog") || one.el;
    const said = new Map([ok, cancel].filter(Boolean).map((button) => [button, button.textContent]));
    let asked = null; // {answer, resolve, release} while it is open

    box.setAttribute("role", "dialog");
    box.setAttribute("aria-modal", "true");
    if (input && !input.labels?.length && !input.hasAttribute("aria-label")) input.setAttribute("aria-labelledby", [title, message].filter(Boolean).map(idOf).join(" "));
    setShown(one.el, false, { hiddenClass });

    function close(value = null) {
      if (!asked) return;
      const { resolve, release } = asked;
      asked = null;
      setShown(one.el, false, { hiddenClass });
      release();
      resolve(value);
    }

    function check({ match }) {
      const isWrong = Boolean(match) && input.value !== match;
      ok.disabled = isWrong;
      for (const name of classes(disabledClass)) ok.classList.toggle(name, isWrong);
    }

    const agree = () => asked && !ok.disabled && close(asked.answer());

    /** Asks by {title, message, value, placeholder, type, okText, cancelText, danger, match, hasInput, isAlert}; a promise of the answer. */
    function ask(question) {
      close();
      const { hasInput, danger, isAlert } = question;
      const fill = (part, text) => {
        if (!part) return;
        part.textContent = text ?? "";
        setShown(part, Boolean(text), { hiddenClass });
      };
      fill(title, question.title);
      fill(message, question.message);
      // It is called by its title, else by what it says.
      const [name, words] = question.title && title ? [title, message] : [message, null];
      if (name) box.setAttribute("aria-labelledby", idOf(name));
      if (words && question.message) box.setAttribute("aria-describedby", idOf(words));
      else box.removeAttribute("aria-describedby");
      setShown(wrap || input, Boolean(hasInput), { hiddenClass });
      if (input) Object.assign(input, { type: question.type || "text", value: question.value ?? "", placeholder: question.placeholder ?? "" });
      if (ok) ok.textContent = question.okText || said.get(ok) || t("OK");
      if (cancel) cancel.textContent = question.cancelText || said.get(cancel) || t("Cancel");
      setShown(cancel, !isAlert, { hiddenClass });
      if (ok) for (const name of classes(dangerClass)) ok.classList.toggle(name, Boolean(danger));
      setShown(one.el, true, { hiddenClass });
      if (ok) check(question);
      return new Promise((resolve) => {
        const release = holdFocus(box, hasInput ? input : isAlert || !danger ? ok : cancel);
        if (hasInput && input.setSelectionRange && input.type === "text") input.select();
        asked = { question, resolve, release, answer: () => (hasInput && !question.match ? input.value : true) };
      });
    }

    one.on(ok, "click", agree);
    one.on(cancel, "click", () => close());
    one.on(input, "input", () => asked && check(asked.question));
    one.on(one.el, "pointerdown", (event) => event.target === one.el && one.el !== box && close());
    one.on(one.el, "keydown", (event) => {
      if (event.key === "Escape") {
        event.preventDefault();
        event.stopPropagation();
        close();
      } else if (event.key === "Enter" && (event.target === input || event.target === box)) {
        event.preventDefault();
        agree();
      }
    });
    one.after(() => close());

    const textOf = (what) => (what !== null && typeof what === "object" ? what : { message: what });
    const functions = {
      /** show({title, message, input, okText, …}): with `input` (true, or {value, placeholder, type}) a promise of the text. */
      show: ({ input: field, ok: okText, cancel: cancelText, ...question } = {}) =>
        ask({ okText, cancelText, ...question, ...(typeof field === "object" ? field : {}), hasInput: Boolean(field) }),
      close: (value) => close(value),
      /** confirm(message, title) → true, or null. */
      confirm: (what, heading) => ask({ title: heading, ...textOf(what) }),
      alert: (heading, text) => ask({ ...(text === undefined ? textOf(heading) : { title: heading, message: text }), isAlert: true }),
      /** prompt({title, message, value, placeholder, type, okText, cancelText}) → the text, or null. */
      prompt: (what, value) => ask({ value, ...(what !== null && typeof what === "object" ? what : { title: what }), hasInput: true }),
      /** confirmDanger({title, message, match, okText}): the word must be typed → true, or null. */
      confirmDanger: (what = {}) => {
        const { match = "DELETE", ...question } = textOf(what);
        return ask({ okText: t("Delete"), placeholder: match, ...question, match, hasInput: true, danger: true });
      },
    };
    const handle = one.handle(functions);
    const { confirm, alert, prompt, confirmDanger } = functions;
    Object.assign(Goop.ui, { confirm, alert, prompt, confirmDanger });
    return handle;
  }

  /** dialog(el, options) → {show, close, confirm, alert, prompt, confirmDanger, destroy, el}; all but `el` are optional. */
  Goop.ui.dialog = function (el, options) {
    if (el instanceof Element || typeof el === "string") return dialogs(el, options);
    if (PLAIN) return PLAIN(el);
    return dialogs(el, options); // says what is missing
  };
})();
