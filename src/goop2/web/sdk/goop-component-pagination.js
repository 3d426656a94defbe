// Goop.ui.pagination(el): the pages of a long list. Pages count from 1.
(function () {
  "use strict";
  const Goop = globalThis.Goop;
  const t = Goop.text;
  const { make } = Goop.component;

  /** pagination(el, {total, or totalItems and perPage, page, maxButtons=7, showInfo, onChange}) → {getValue, setValue, setTotal, setTotalItems, …}. */
  Goop.ui.pagination = function (el, options = {}) {
    const one = Goop.component("pagination", el, options);
    const { perPage = 10, maxButtons = 7, showInfo = false, activeClass = "active", buttonClass = "gc-pagination-button" } = options;
    let items = options.totalItems;
    let total = 1;
    let page = 1;

    function entry(text, to, label) {
      const button = make("button", { type: "button", textContent: text, className: buttonClass, disabled: one.disabled || to < 1 || to > total });
      button.dataset.page = to;
      button.setAttribute("aria-label", label);
      if (to === page && /\d/.test(text)) {
        button.classList.add(activeClass);
        button.setAttribute("aria-current", "page");
      }
      return button;
    }

    // The first, the last, and those around the page, with gaps.
    function numbers() {
      if (total <= maxButtons) return Array.from({ length: total }, (_, at) => at + 1);
      const inner = Math.max(1, maxButtons - 4);
      const start = Math.min(Math.max(2, page - Math.floor(inner / 2)), Math.max(2, total - inner));
      const middle = Array.from({ length: inner }, (_, at) => start + at).filter((number) => number < total);
      return [1, ...(middle[0] > 2 ? [0] : []), ...middle, ...(middle.at(-1) < total - 1 ? [0] : []), total];
    }

    function draw() {
      const focused = one.el.contains(document.activeElement) ? document.activeElement.getAttribute("aria-label") : null;
      const all = numbers().map((number) => (number ? entry(String(number), number, t("Page {0}", number)) : make("span", { className: "gc-pagination-gap", textContent: "…" })));
      one.el.replaceChildren(entry("‹", page - 1, t("Page before")), ...all, entry("›", page + 1, t("Page after")));
      if (showInfo) one.el.append(make("span", { className: "gc-pagination-info", textContent: items === undefined ? t("Page {0} of {1}", page, total) : t("{0}–{1} of {2}", items ? (page - 1) * perPage + 1 : 0, Math.min(page * perPage, items), items) }));
      const again = focused && [...one.el.children].find((child) => child.getAttribute("aria-label") === focused && !child.disabled);
      (again || (focused && one.el.querySelector("[aria-current]")) || { focus() {} }).focus();
    }
    function setValue(number) {
      page = Math.min(total, Math.max(1, Math.round(Number(number)) || 1));
      draw();
    }
    function setTotal(number) {
      total = Math.max(1, Math.ceil(Number(number) || 0));
      setValue(page);
    }
    function setTotalItems(number) {
      items = Math.max(0, Number(number) || 0);
      setTotal(items / perPage);
    }

    one.el.setAttribute("role", "navigation");
    if (!one.el.hasAttribute("aria-label")) one.el.setAttribute("aria-label", t("Pages"));
    one.on(one.el, "click", (event) => {
      const button = event.target.closest("[data-page]");
      if (!button || button.disabled || Number(button.dataset.page) === page) return;
      setValue(button.dataset.page);
      one.changed(page, { value: page, page });
    });
    page = Number(options.page) || 1;
    items === undefined ? setTotal(options.total) : setTotalItems(items);
    return one.handle({ getValue: () => page, setValue, setTotal, setTotalItems });
  };
})();
