// Goop.ui.tooltip(el): a word about something, while the pointer or the focus is on it.
(function () {
  "use strict";
  const Goop = globalThis.Goop;
  const { classes, find, focusable, idOf, make } = Goop.component;

  // `tip` is an element, a selector of one inside, or the text itself.
  function tipOf(el, tip) {
    try {
      if (tip instanceof Element || /^[.#[]/.test(String(tip ?? ""))) return find(el, tip);
    } catch {
      // A text that begins like a selector.
    }
    return null;
  }

  /** tooltip(el, {tip, openClass="open", tipClass}) → {setText, show, hide, destroy, el}. */
  Goop.ui.tooltip = function (el, options = {}) {
    const one = Goop.component("tooltip", el, options);
    const { openClass = "open", tipClass = "gc-tooltip-tip" } = options;
    const given = tipOf(one.el, options.tip) || one.el.querySelector(".gc-tooltip-tip");
    const tip = given || one.el.appendChild(make("span", { className: tipClass, textContent: options.tip ?? options.text ?? one.el.dataset.tip ?? "" }));
    const target = focusable(one.el)[0] || one.el;

    function show(shown = true) {
      tip.hidden = !shown;
      for (const name of classes(openClass)) tip.classList.toggle(name, shown);
    }
    const hide = () => show(false);

    one.el.classList.add("gc-tooltip");
    tip.setAttribute("role", "tooltip");
    if (target === one.el && !one.el.matches("a, button, input, select, textarea, [tabindex]")) one.el.tabIndex = 0;
    target.setAttribute("aria-describedby", idOf(tip));
    for (const type of ["mouseenter", "focusin"]) one.on(one.el, type, () => one.disabled || show());
    one.on(one.el, "mouseleave", () => one.el.contains(document.activeElement) || hide());
    one.on(one.el, "focusout", hide);
    one.on(document, "keydown", (event) => event.key === "Escape" && hide());
    one.after(() => (given ? hide() : tip.remove()));
    hide();
    return one.handle({ setText: (text) => (tip.textContent = text ?? ""), show: () => show(), hide });
  };
})();
