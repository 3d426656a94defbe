// Goop.ui.toggle(el): a switch. `el` is a button, a checkbox, an element with a checkbox in it, or any other element.
(function () {
  "use strict";
  const Goop = globalThis.Goop;
  const t = Goop.text;
  const { classes, pressable } = Goop.component;

  /** toggle(el, {checked, checkedClass="checked", onChange}) → {getValue, setValue, toggle, setDisabled, destroy, el}. */
  Goop.ui.toggle = function (el, options = {}) {
    const one = Goop.component("toggle", el, options);
    const { checkedClass = "checked" } = options;
    const box = one.el.matches("input[type=checkbox]") ? one.el : one.el.querySelector("input[type=checkbox]");
    const control = box || one.el;
    let value = false;

    function setValue(isOn) {
      value = Boolean(isOn) && isOn !== "0" && isOn !== "false";
      if (box) box.checked = value;
      if (!box) control.setAttribute("aria-checked", String(value));
      for (const name of classes(checkedClass)) one.el.classList.toggle(name, value);
    }
    function choose(isOn) {
      if (one.disabled) return;
      setValue(isOn);
      one.changed(value);
    }

    if (control.matches("button, input")) control.setAttribute("role", "switch");
    if (box) {
      one.on(box, "change", (event) => {
        if (event instanceof CustomEvent) return; // our own
        event.stopPropagation();
        choose(box.checked);
      });
    } else {
      control.setAttribute("role", "switch");
      pressable(one, control, () => choose(!value));
    }
    if (!box && !control.textContent.trim() && !control.hasAttribute("aria-label") && !control.hasAttribute("aria-labelledby")) control.setAttribute("aria-label", t("Switch"));
    const marked = classes(checkedClass).some((name) => one.el.classList.contains(name));
    setValue(options.checked ?? options.value ?? (box ? box.checked : marked));
    return one.handle({ getValue: () => value, setValue, toggle: () => choose(!value) });
  };
})();
