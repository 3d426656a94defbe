// Goop.ui.colorpicker(el): a colour of a palette, or any by its #rrggbb.
(function () {
  "use strict";
  const Goop = globalThis.Goop;
  const t = Goop.text;
  const { classes, popup, rove } = Goop.component;
  const COLORS = ["#1f2937", "#6b7280", "#ffffff", "#dc2626", "#ea580c", "#d97706", "#65a30d", "#16a34a", "#0d9488", "#0284c7", "#2563eb", "#7c3aed", "#c026d3", "#db2777"];
  const COLUMNS = 7;
  const MARKUP = `<button type="button" class="gc-colorpicker-swatch" aria-label="${t("Choose a colour")}"></button>
    <div class="gc-colorpicker-popup"><div class="gc-colorpicker-grid" role="group" aria-label="${t("Colours")}"></div><input class="gc-colorpicker-hex" aria-label="${t("Colour as #rrggbb")}" maxlength="7" spellcheck="false"></div>`;

  /** A colour as #rrggbb in small letters; "" when it is none. */
  function colorOf(text) {
    const found = /^#?([0-9a-f]{3}|[0-9a-f]{6})$/i.exec(String(text ?? "").trim());
    if (!found) return "";
    const digits = found[1].toLowerCase();
    return `#${digits.length === 3 ? digits.replace(/./g, "$&$&") : digits}`;
  }

  /** colorpicker(el, {colors, value, swatch, hex, popup, grid, openClass, onChange}) → {getValue, setValue, open, close, …}. */
  Goop.ui.colorpicker = function (el, options = {}) {
    const one = Goop.component("colorpicker", el, options, MARKUP);
    const [swatch, hex, panel, grid] = ["swatch", "hex", "popup", "grid"].map(one.part);
    const { colors = COLORS, openClass = "open", activeClass = "active", colorClass = "gc-colorpicker-color" } = options;
    const buttons = () => (grid ? [...grid.querySelectorAll("[data-color]")] : []);
    let value = "";

    if (grid && (options.colors || !buttons().length)) {
      grid.replaceChildren();
      for (const color of colors.map(colorOf).filter(Boolean)) {
        const button = Goop.component.make("button", { type: "button", className: colorClass });
        button.dataset.color = color;
        button.style.background = color;
        button.setAttribute("aria-label", color);
        grid.append(button);
      }
    }
    const settle = grid ? rove(one, grid, buttons, { columns: COLUMNS }) : () => {};
    const chooser = panel ? popup(one, swatch, panel, { openClass, onOpen: () => (buttons().find((button) => button.tabIndex === 0) || hex)?.focus() }) : null;

    function setValue(text) {
      value = colorOf(text);
      if (swatch) {
        swatch.style.setProperty("--gc-color", value || "transparent");
        swatch.style.backgroundColor = value || "";
        swatch.setAttribute("aria-label", value ? t("Choose a colour: {0} now", value) : t("Choose a colour"));
      }
      if (hex) Object.assign(hex, { value });
      for (const button of buttons()) {
        const isActive = colorOf(button.dataset.color) === value;
        button.setAttribute("aria-pressed", String(isActive));
        for (const name of classes(activeClass)) button.classList.toggle(name, isActive);
      }
      settle(buttons().find((button) => colorOf(button.dataset.color) === value));
    }

    function choose(text) {
      const before = value;
      if (colorOf(text)) setValue(text);
      else if (hex) hex.value = value; // what was written is no colour
      if (value !== before) one.changed(value);
    }

    one.on(swatch, "click", () => chooser && chooser.toggle());
    one.on(grid, "click", (event) => {
      const button = event.target.closest("[data-color]");
      if (!button || one.disabled) return;
      choose(button.dataset.color);
      if (chooser) chooser.close(true);
    });
    one.on(hex, "change", (event) => event.stopPropagation() || choose(hex.value));
    one.on(hex, "keydown", (event) => {
      if (event.key !== "Enter") return;
      event.preventDefault();
      choose(hex.value);
      if (chooser) chooser.close(true);
    });
    setValue(options.value ?? one.el.dataset.value);
    return one.handle({ getValue: () => value, setValue, open: () => chooser && chooser.open(), close: () => chooser && chooser.close() });
  };
})();
