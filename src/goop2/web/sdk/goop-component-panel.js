// Goop.ui.panel(el): a box with a header, which can be folded.
(function () {
  "use strict";
  const Goop = globalThis.Goop;
  const t = Goop.text;
  const { classes, idOf } = Goop.component;
  const MARKUP = `<div class="gc-panel-header"><h2 class="gc-panel-title"></h2><button type="button" class="gc-panel-collapse-btn" aria-label="${t("Fold")}">▾</button></div><div class="gc-panel-body"></div>`;

  /** panel(el, {header, title, body, footer, collapseBtn, collapsed, collapsedClass, onChange}) → {collapse, expand, toggle, setTitle, body, …}. */
  Goop.ui.panel = function (el, options = {}) {
    const one = Goop.component("panel", el, options, MARKUP);
    const [header, body, footer, button] = ["header", "body", "footer", "collapseBtn"].map(one.part);
    const heading = one.el.querySelector(".gc-panel-title") || header?.querySelector("h1, h2, h3, h4") || header;
    const { collapsedClass = "collapsed" } = options;
    let isFolded = false;

    function show(folded) {
      isFolded = folded;
      for (const name of classes(collapsedClass)) one.el.classList.toggle(name, folded);
      for (const part of [body, footer].filter(Boolean)) part.hidden = folded;
      if (button) button.setAttribute("aria-expanded", String(!folded));
    }
    function change(folded) {
      if (folded === isFolded || one.disabled) return;
      show(folded);
      one.changed(!folded, { value: !folded, open: !folded });
    }
    function setTitle(text) {
      if (!heading) return;
      heading.textContent = text ?? "";
      heading.hidden = !heading.textContent; // an empty heading is read out as one
    }

    if (button && body) button.setAttribute("aria-controls", idOf(body));
    if (button && !/\w{3}/.test(button.textContent) && !button.hasAttribute("aria-label")) button.setAttribute("aria-label", t("Fold"));
    one.on(button, "click", () => change(!isFolded));
    if (typeof options.title === "string" || (heading && !heading.textContent)) setTitle(options.title);
    show(Boolean(options.collapsed) || classes(collapsedClass).some((name) => one.el.classList.contains(name)));
    return one.handle({ collapse: () => change(true), expand: () => change(false), toggle: () => change(!isFolded), setTitle, body, getValue: () => !isFolded, setValue: (isOpen) => change(!isOpen) });
  };
})();
