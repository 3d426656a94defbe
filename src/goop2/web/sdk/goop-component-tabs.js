// Goop.ui.tabs(el): panels of which one is seen, and the bar that chooses it.
(function () {
  "use strict";
  const Goop = globalThis.Goop;
  const { classes, find, idOf, rove } = Goop.component;

  /** tabs(el, {tabAttr="data-tab", panelAttr="data-panel", bar, panels, active, activeClass="active", onChange}) → {getValue, setValue, getPanel, …}. */
  Goop.ui.tabs = function (el, options = {}) {
    const one = Goop.component("tabs", el, options);
    const { tabAttr = "data-tab", panelAttr = "data-panel", activeClass = "active" } = options;
    const bar = find(one.el, options.bar) || one.el.querySelector(".gc-tabs-bar, [role=tablist]") || one.el;
    const holder = find(one.el, options.panels) || one.el;
    const tabs = () => [...bar.querySelectorAll(`[${tabAttr}]`)].filter((tab) => bar !== holder || tab.matches("button, a, [role=tab]"));
    const nameOf = (tab) => tab.getAttribute(tabAttr);
    // Pages name a panel by an attribute, by the tab's own attribute, or by its id.
    const getPanel = (name = value) => {
      const text = CSS.escape(name);
      return holder.querySelector(`[${panelAttr}="${text}"]`) || [...holder.querySelectorAll(`[${tabAttr}="${text}"]`)].find((panel) => !tabs().includes(panel)) || document.getElementById(name);
    };
    let value = "";

    if (bar !== one.el || !bar.querySelector(`[${panelAttr}]`)) bar.setAttribute("role", "tablist");
    function setValue(name) {
      value = String(name ?? "");
      for (const tab of tabs()) {
        const isActive = nameOf(tab) === value;
        const panel = getPanel(nameOf(tab));
        if (bar.getAttribute("role") === "tablist") tab.setAttribute("role", "tab");
        tab.setAttribute(bar.getAttribute("role") === "tablist" ? "aria-selected" : "aria-pressed", String(isActive));
        for (const each of [tab, panel].filter(Boolean)) for (const one of classes(activeClass)) each.classList.toggle(one, isActive);
        if (!panel) continue;
        panel.hidden = !isActive;
        panel.setAttribute("role", "tabpanel");
        panel.setAttribute("aria-labelledby", idOf(tab));
        tab.setAttribute("aria-controls", idOf(panel));
      }
      settle(tabs().find((tab) => nameOf(tab) === value));
    }

    function choose(tab) {
      if (one.disabled || nameOf(tab) === value) return;
      setValue(nameOf(tab));
      one.changed(value);
    }

    const settle = rove(one, bar, tabs, { onMove: choose });
    one.on(bar, "click", (event) => {
      const tab = tabs().find((each) => each.contains(event.target));
      if (tab) event.preventDefault();
      if (tab) choose(tab);
    });
    const marked = tabs().find((tab) => classes(activeClass).some((name) => tab.classList.contains(name)));
    setValue(options.active ?? nameOf(marked || tabs()[0] || bar));
    return one.handle({ getValue: () => value, setValue, getPanel });
  };
})();
