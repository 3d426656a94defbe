// Goop.ui.select(el): one of several, or several, with a search where wanted.
(function () {
  "use strict";
  const Goop = globalThis.Goop;
  const t = Goop.text;
  const { classes, idOf, make, popup } = Goop.component;
  const MARKUP = `<button type="button" class="gc-select-trigger"></button><div class="gc-select-dropdown"></div>`;
  const optionOf = (one) => (one !== null && typeof one === "object" ? { ...one, value: String(one.value ?? one.key ?? one.label), label: String(one.label ?? one.value ?? one.key) } : { value: String(one), label: String(one) });

  /** select(el, {options, value, multi, searchable, clearable, placeholder, trigger, dropdown, openClass, onChange}) → {getValue, setValue, setOptions, …}.
   * `options`: texts, or {value, label, disabled}. The value is a text ("" for none), with `multi` a list. */
  Goop.ui.select = function (el, options = {}) {
    const { multi = false, searchable = false, clearable = false, placeholder = t("Choose…"), openClass = "open", optionClass = "gc-select-option", activeClass = "active", selectedClass = "selected" } = options;
    const native = el instanceof HTMLSelectElement ? el : null; // a plain select: ours stands in its place, and it keeps the value for its form
    const holder = native ? make("div", { className: "gc-select" }) : el;
    if (native) native.after(holder);
    if (native) native.hidden = true;
    const one = Goop.component("select", holder, options, MARKUP);
    const trigger = one.part("trigger");
    const dropdown = one.part("dropdown");
    let all = (options.options || (native ? [...native.options].map(({ value, label }) => ({ value, label })) : [])).map(optionOf);
    let chosen = [];
    let active = -1;
    const search = searchable ? make("input", { type: "search", className: "gc-select-search", placeholder: t("Search…"), autocomplete: "off" }) : null;
    const list = make("div", { className: "gc-select-list", tabIndex: -1 });
    const clear = clearable ? make("button", { type: "button", className: "gc-select-clear", textContent: "×" }) : null;
    const label = one.el.getAttribute("aria-label") || (native && native.labels?.[0]?.textContent.trim()) || placeholder;

    list.setAttribute("role", "listbox");
    list.setAttribute("aria-label", label);
    list.setAttribute("aria-multiselectable", String(multi));
    trigger.setAttribute("aria-haspopup", "listbox");
    if (search) {
      search.setAttribute("role", "combobox");
      search.setAttribute("aria-expanded", "true");
      search.setAttribute("aria-controls", idOf(list));
      search.setAttribute("aria-label", t("Search: {0}", label));
    }
    if (clear) clear.setAttribute("aria-label", t("Clear: {0}", label));
    dropdown.replaceChildren(...(search ? [search, list] : [list]));
    if (clear) trigger.after(clear);

    const shown = () => {
      const wanted = search ? search.value.trim().toLowerCase() : "";
      return all.filter((option) => option.label.toLowerCase().includes(wanted));
    };
    const holderOfFocus = search || list;
    const chooser = popup(one, trigger, dropdown, {
      openClass,
      onOpen() {
        if (search) search.value = "";
        active = Math.max(0, shown().findIndex(({ value }) => chosen.includes(value)));
        draw();
        holderOfFocus.focus();
      },
    });

    function draw() {
      const rows = shown().map((option, index) => {
        const row = make("div", { className: optionClass, textContent: option.label });
        const isChosen = chosen.includes(option.value);
        row.setAttribute("role", "option");
        row.setAttribute("aria-selected", String(isChosen));
        if (option.disabled) row.setAttribute("aria-disabled", "true");
        row.dataset.value = option.value;
        for (const name of classes(selectedClass)) row.classList.toggle(name, isChosen);
        for (const name of classes(activeClass)) row.classList.toggle(name, index === active);
        return row;
      });
      list.replaceChildren(...rows);
      if (rows[active]) {
        holderOfFocus.setAttribute("aria-activedescendant", idOf(rows[active]));
        rows[active].scrollIntoView({ block: "nearest" });
      } else holderOfFocus.removeAttribute("aria-activedescendant");
    }

    function say() {
      const labels = chosen.map((value) => all.find((option) => option.value === value)?.label ?? value);
      trigger.textContent = labels.join(", ") || placeholder;
      trigger.classList.toggle("gc-select-placeholder", !labels.length);
      trigger.setAttribute("aria-label", `${label}: ${labels.join(", ") || t("nothing chosen")}`);
      if (clear) clear.hidden = !labels.length;
      if (native) for (const option of native.options) option.selected = chosen.includes(option.value);
    }

    const getValue = () => (multi ? [...chosen] : (chosen[0] ?? ""));
    function setValue(value) {
      const values = (Array.isArray(value) ? value : value === null || value === undefined || value === "" ? [] : [value]).map(String);
      chosen = multi ? values : values.slice(0, 1);
      say();
      if (chooser.isOpen()) draw();
    }
    function setOptions(list) {
      all = (list || []).map(optionOf);
      setValue(chosen.filter((value) => all.some((option) => option.value === value)));
    }
    function choose(value) {
      const option = all.find((each) => each.value === value);
      if (!option || option.disabled) return;
      const before = JSON.stringify(chosen);
      setValue(!multi ? value : chosen.includes(value) ? chosen.filter((other) => other !== value) : [...chosen, value]);
      if (!multi) chooser.close(true);
      if (JSON.stringify(chosen) !== before) one.changed(getValue());
    }

    one.on(trigger, "click", () => chooser.toggle());
    one.on(trigger, "keydown", (event) => ["ArrowDown", "ArrowUp"].includes(event.key) && !event.preventDefault() && chooser.open());
    one.on(list, "click", (event) => event.target.closest("[data-value]") && choose(event.target.closest("[data-value]").dataset.value));
    one.on(search, "input", () => {
      active = 0;
      draw();
    });
    one.on(search, "change", (event) => event.stopPropagation());
    one.on(dropdown, "keydown", (event) => {
      const rows = shown();
      const to = { ArrowDown: active + 1, ArrowUp: active - 1, Home: 0, End: rows.length - 1 }[event.key];
      if (to !== undefined && rows.length && !(search && ["Home", "End"].includes(event.key))) {
        event.preventDefault();
        active = (to + rows.length) % rows.length;
        draw();
      } else if ((event.key === "Enter" || (event.key === " " && !search)) && rows[active]) {
        event.preventDefault();
        choose(rows[active].value);
      } else if (!search && event.key.length === 1 && /\S/.test(event.key)) {
        const found = rows.findIndex((option, index) => index > active && option.label.toLowerCase().startsWith(event.key.toLowerCase()));
        active = found >= 0 ? found : Math.max(active, rows.findIndex((option) => option.label.toLowerCase().startsWith(event.key.toLowerCase())));
        draw();
      }
    });
    one.on(clear, "click", () => {
      setValue(null);
      one.changed(getValue());
      trigger.focus();
    });
    setValue(options.value ?? (native ? [...native.selectedOptions].map(({ value }) => value) : []));
    return one.handle({ getValue, setValue, setOptions, open: chooser.open, close: chooser.close });
  };
})();
