// Goop.ui.splitpane(el): two panes and a divider between them. The style sizes the first by --gc-split, a percentage.
(function () {
  "use strict";
  const Goop = globalThis.Goop;
  const t = Goop.text;
  const { idOf } = Goop.component;
  const MARKUP = `<div class="gc-splitpane-panel-a"></div><div class="gc-splitpane-divider"></div><div class="gc-splitpane-panel-b"></div>`;
  const STEP_PERCENT = 5;

  /** splitpane(el, {panelA, panelB, divider, direction="horizontal"|"vertical", initial=50, minSize=10, onChange}) → {getValue, setValue, …}; percent. */
  Goop.ui.splitpane = function (el, options = {}) {
    const one = Goop.component("splitpane", el, options, MARKUP);
    const [first, second, divider] = ["panelA", "panelB", "divider"].map(one.part);
    const isVertical = options.direction === "vertical";
    let value = 50;
    // A least size beyond half of it is meant in pixels.
    const least = () => {
      const size = Number(options.minSize ?? 10);
      const box = one.el.getBoundingClientRect();
      const whole = (isVertical ? box.height : box.width) || 1;
      return size > 50 ? Math.min(50, (100 * size) / whole) : size;
    };

    function setValue(percent) {
      value = Math.min(100 - least(), Math.max(least(), Number.isFinite(Number(percent)) ? Number(percent) : 50));
      one.el.style.setProperty("--gc-split", `${value}%`);
      divider?.setAttribute("aria-valuenow", Math.round(value));
    }
    function choose(percent) {
      const before = value;
      setValue(percent);
      if (value !== before) one.changed(value);
    }

    one.el.dataset.direction = isVertical ? "vertical" : "horizontal";
    if (divider) {
      const attributes = { role: "separator", "aria-orientation": isVertical ? "horizontal" : "vertical", "aria-valuemin": 0, "aria-valuemax": 100, tabindex: 0 };
      for (const [name, text] of Object.entries(attributes)) divider.setAttribute(name, text);
      if (!divider.hasAttribute("aria-label")) divider.setAttribute("aria-label", t("Divider"));
      if (first) divider.setAttribute("aria-controls", [first, second].filter(Boolean).map(idOf).join(" "));
      divider.style.touchAction = "none";
    }
    one.on(divider, "pointerdown", (event) => {
      if (one.disabled || event.button !== 0) return;
      event.preventDefault();
      divider.focus();
      divider.setPointerCapture(event.pointerId);
      const ends = new AbortController();
      const box = one.el.getBoundingClientRect();
      divider.addEventListener("pointermove", (now) => choose(isVertical ? (100 * (now.clientY - box.top)) / box.height : (100 * (now.clientX - box.left)) / box.width), { signal: ends.signal });
      for (const type of ["pointerup", "pointercancel"]) divider.addEventListener(type, () => ends.abort(), { signal: ends.signal });
    });
    one.on(divider, "keydown", (event) => {
      const to = { ArrowLeft: value - STEP_PERCENT, ArrowUp: value - STEP_PERCENT, ArrowRight: value + STEP_PERCENT, ArrowDown: value + STEP_PERCENT, Home: 0, End: 100 }[event.key];
      if (to === undefined || one.disabled) return;
      event.preventDefault();
      choose(to);
    });
    setValue(options.initial ?? 50);
    return one.handle({ getValue: () => value, setValue });
  };
})();
