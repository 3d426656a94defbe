// Goop.ui.badge(el): a number or a word in a coloured pill.
(function () {
  "use strict";
  const Goop = globalThis.Goop;

  /** badge(el, {text, variant, dot}) → {setText, setVariant, showDot, getValue, setValue, destroy, el}. `variant`: success, error, warning, info or your own. */
  Goop.ui.badge = function (el, options = {}) {
    const one = Goop.component("badge", el, options);
    const { badgeClass = "gc-badge", dotClass = "gc-badge-dot" } = options;
    let variant = "";
    one.el.classList.add(badgeClass);

    const setText = (text) => (one.el.textContent = text ?? "");
    function setVariant(name) {
      if (variant) one.el.classList.remove(`${badgeClass}-${variant}`);
      variant = String(name || "").replace(/[^\w-]/g, "");
      if (variant) one.el.classList.add(`${badgeClass}-${variant}`);
      one.el.dataset.variant = variant;
    }
    const showDot = (isShown = true) => one.el.classList.toggle(dotClass, Boolean(isShown));

    if (options.text !== undefined) setText(options.text);
    setVariant(options.variant);
    showDot(options.dot || false);
    return one.handle({ setText, setVariant, showDot, getValue: () => one.el.textContent, setValue: setText });
  };
})();
