// Goop.ui.stepper(el): a number between two buttons.
(function () {
  "use strict";
  const Goop = globalThis.Goop;
  const t = Goop.text;
  const MARKUP = `<button type="button" class="gc-stepper-dec" aria-label="${t("Less")}">−</button><input class="gc-stepper-input" type="number"><button type="button" class="gc-stepper-inc" aria-label="${t("More")}">+</button>`;

  /** stepper(el, {value, min, max, step, input, dec, inc, onChange}) → {getValue, setValue, setDisabled, destroy, el}. */
  Goop.ui.stepper = function (el, options = {}) {
    const one = Goop.component("stepper", el, options, MARKUP);
    const [input, dec, inc] = ["input", "dec", "inc"].map(one.part);
    const numberOf = (text, otherwise) => (text === "" || text === null || text === undefined || !Number.isFinite(Number(text)) ? otherwise : Number(text));
    const [min, max, step] = [numberOf(options.min, -Infinity), numberOf(options.max, Infinity), numberOf(options.step, 1) || 1];
    const digits = Math.max(...[step, min].map((number) => (String(number).split(".")[1] || "").length));
    let value = 0;

    function setValue(number) {
      value = Number(Math.min(max, Math.max(min, numberOf(number, value))).toFixed(digits));
      if (input) input.value = value;
      if (dec) dec.disabled = one.disabled || value <= min;
      if (inc) inc.disabled = one.disabled || value >= max;
    }
    function choose(number) {
      const before = value;
      setValue(number);
      if (value !== before) one.changed(value);
    }

    if (input) {
      if (!input.labels?.length && !input.hasAttribute("aria-label")) input.setAttribute("aria-label", one.el.getAttribute("aria-label") || t("Number"));
      for (const [name, bound] of [["min", min], ["max", max]]) if (Number.isFinite(bound)) input.setAttribute(name, bound);
      input.setAttribute("step", step);
    }
    one.on(dec, "click", () => choose(value - step));
    one.on(inc, "click", () => choose(value + step));
    one.on(input, "change", (event) => event.stopPropagation() || choose(input.value));
    one.on(input, "keydown", (event) => {
      if (!["ArrowUp", "ArrowDown"].includes(event.key) || one.disabled) return;
      event.preventDefault();
      choose(value + (event.key === "ArrowUp" ? step : -step));
    });
    setValue(options.value ?? (input && input.value !== "" ? input.value : Math.max(0, Number.isFinite(min) ? min : 0)));
    return one.handle({ getValue: () => value, setValue });
  };
})();
