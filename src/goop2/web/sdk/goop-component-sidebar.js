// Goop.ui.sidebar(el): a panel at the side that opens over the page.
(function () {
  "use strict";
  const Goop = globalThis.Goop;
  const t = Goop.text;
  const { classes, focusable } = Goop.component;

  /** sidebar(el, {backdrop, close, body, openClass="open", onOpen, onClose, onChange}) → {open, close, toggle, isOpen, body, …}. */
  Goop.ui.sidebar = function (el, options = {}) {
    const one = Goop.component("sidebar", el, options);
    const [backdrop, closer, body] = ["backdrop", "close", "body"].map((name) => one.part(name) || (name === "backdrop" ? document.querySelector(".gc-sidebar-backdrop") : null));
    const { openClass = "open" } = options;
    let isOpen = false;
    let before = null;

    function show(shown) {
      isOpen = shown;
      for (const part of [one.el, backdrop].filter(Boolean)) for (const name of classes(openClass)) part.classList.toggle(name, shown);
    }
    function change(shown) {
      if (isOpen === shown || (shown && one.disabled)) return;
      if (shown) before = document.activeElement;
      show(shown);
      if (shown) {
        const first = closer || focusable(one.el)[0] || one.el;
        if (first === one.el) one.el.tabIndex = -1;
        first.focus();
        // A style may show it late.
        if (document.activeElement !== first) one.el.addEventListener("transitionend", () => isOpen && !one.el.contains(document.activeElement) && first.focus(), { once: true });
      } else if (before && before.isConnected) before.focus();
      const told = shown ? options.onOpen : options.onClose;
      if (typeof told === "function") told();
      one.changed(shown, { value: shown, open: shown });
    }
    const open = () => change(true);
    const close = () => change(false);

    // Whether it can be reached while it is closed is the style's: where there is room, a page may show it always.
    if (one.el.matches("div, section") && !one.el.hasAttribute("role")) one.el.setAttribute("role", "dialog");
    if (!one.el.hasAttribute("aria-label") && !one.el.hasAttribute("aria-labelledby")) one.el.setAttribute("aria-label", t("Side panel"));
    one.on(closer, "click", close);
    one.on(backdrop, "click", close);
    one.on(document, "keydown", (event) => event.key === "Escape" && isOpen && !event.defaultPrevented && close());
    show(classes(openClass).some((name) => one.el.classList.contains(name)));
    return one.handle({ open, close, toggle: () => change(!isOpen), isOpen: () => isOpen, getValue: () => isOpen, setValue: (value) => change(Boolean(value)), body: body || one.el });
  };
})();
