// Goop.ui.toolbar(el): buttons of which one, or several, are chosen.
(function () {
  "use strict";
  const Goop = globalThis.Goop;
  const { classes, rove } = Goop.component;

  /** toolbar(el, {idAttr, activeClass, activeAttr, active, multi, onChange}) → {getValue, setValue, setDisabled, destroy, el}. */
  Goop.ui.toolbar = function (el, options = {}) {
    const one = Goop.component("toolbar", el, options);
    const { idAttr = "data-id", activeClass = "active", activeAttr, multi = false } = options;
    const buttons = () => [...one.el.querySelectorAll(`button[${idAttr}]`)];
    const idOf = (button) => button.getAttribute(idAttr);
    const given = options.active ?? buttons().filter((button) => classes(activeClass).some((name) => button.classList.contains(name))).map(idOf);
    let chosen = new Set();

    const getValue = () => (multi ? buttons().map(idOf).filter((id) => chosen.has(id)) : ([...chosen][0] ?? null));
    function setValue(value) {
      const ids = (Array.isArray(value) ? value : [value]).filter((id) => id !== null && id !== undefined).map(String);
      chosen = new Set(multi ? ids : ids.slice(0, 1));
      for (const button of buttons()) {
        const isActive = chosen.has(idOf(button));
        for (const name of classes(activeClass)) button.classList.toggle(name, isActive);
        button.setAttribute("aria-pressed", String(isActive));
        if (activeAttr) isActive ? button.setAttribute(activeAttr, "true") : button.removeAttribute(activeAttr);
      }
    }

    if (!one.el.hasAttribute("role")) one.el.setAttribute("role", "toolbar");
    const settle = rove(one, one.el, buttons);
    one.on(one.el, "click", (event) => {
      const button = event.target.closest(`button[${idAttr}]`);
      if (!button || !one.el.contains(button) || one.disabled) return;
      const id = idOf(button);
      const before = JSON.stringify(getValue());
      setValue(!multi ? id : chosen.has(id) ? [...chosen].filter((other) => other !== id) : [...chosen, id]);
      settle(button);
      if (JSON.stringify(getValue()) !== before) one.changed(getValue());
    });
    setValue(given);
    settle(buttons().find((button) => chosen.has(idOf(button))));
    return one.handle({ getValue, setValue });
  };
})();
