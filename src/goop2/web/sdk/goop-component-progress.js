// Goop.ui.progress(el): how much is done. The style draws --gc-progress, a percentage.
(function () {
  "use strict";
  const Goop = globalThis.Goop;
  const t = Goop.text;
  const { idOf } = Goop.component;
  const MARKUP = `<div class="gc-progress-bar"></div><span class="gc-progress-label"></span>`;

  /** progress(el, {value, max=100, bar, label, format, onChange}) → {getValue, setValue, setMax, …}. `format`: (value, max) → text of the label. */
  Goop.ui.progress = function (el, options = {}) {
    const one = Goop.component("progress", el, options, MARKUP);
    const [bar, label] = ["bar", "label"].map(one.part);
    const { format = (value, most) => `${Math.round((100 * value) / most)} %` } = options;
    let max = Number(options.max) || 100;
    let value = 0;

    function setValue(number) {
      const before = value;
      value = Math.min(max, Math.max(0, Number(number) || 0));
      for (const part of [one.el, bar].filter(Boolean)) part.style.setProperty("--gc-progress", `${(100 * value) / max}%`);
      one.el.setAttribute("aria-valuenow", value);
      one.el.setAttribute("aria-valuemax", max);
      one.el.setAttribute("aria-valuetext", format(value, max));
      if (label) label.textContent = format(value, max);
      return before !== value;
    }

    one.el.setAttribute("role", "progressbar");
    one.el.setAttribute("aria-valuemin", 0);
    if (!one.el.hasAttribute("aria-label") && !one.el.hasAttribute("aria-labelledby")) {
      const name = one.el.previousElementSibling?.matches("label, h2, h3") ? one.el.previousElementSibling : null;
      name ? one.el.setAttribute("aria-labelledby", idOf(name)) : one.el.setAttribute("aria-label", t("Progress"));
    }
    setValue(options.value ?? one.el.dataset.value);
    return one.handle({
      getValue: () => value,
      setValue: (number) => setValue(number) && one.changed(value),
      setMax(most) {
        max = Number(most) || max;
        setValue(value);
      },
    });
  };
})();
