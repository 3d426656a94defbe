// Goop.form: a form made of a list of fields, whose answers are rows of a table. Needs goop-data.js. Colours, dates, tags and the like become
// components when those are loaded, else plain fields.
(function () {
  "use strict";
  const Goop = globalThis.Goop;
  const t = Goop.text;
  const { refuse } = Goop.kinds;
  const TYPES = ["text", "textarea", "number", "select", "radio", "checkbox", "date", "datetime", "color", "toggle", "tags", "stepper"];

  const make = (tag, properties = {}, ...children) => {
    const made = Object.assign(document.createElement(tag), properties);
    made.append(...children);
    return made;
  };
  const choicesOf = ({ options = [] }) => options.map((one) => (one !== null && typeof one === "object" ? { value: String(one.value ?? one.key), label: String(one.label ?? one.value ?? one.key) } : { value: String(one), label: String(one) }));
  const listOf = (text) => String(text || "").split(",").map((one) => one.trim()).filter(Boolean);
  const idOf = ({ name }) => `gform-${name}`;

  // Each gives {element, get() → text, set(text)}; the element that a label is for has the field's id.
  function plain(field) {
    const { type = "text", placeholder = "", required, min, max, step } = field;
    const isArea = type === "textarea";
    const input = make(isArea ? "textarea" : "input", { id: idOf(field), name: field.name, placeholder, required: Boolean(required), className: isArea ? "gform-textarea" : "gform-input" });
    if (type === "number" || type === "stepper") input.type = "number";
    for (const [name, bound] of Object.entries({ min, max, step })) if (bound !== undefined) input.setAttribute(name, bound);
    return { element: input, get: () => input.value, set: (text) => (input.value = text ?? "") };
  }

  function select(field) {
    const choices = choicesOf(field);
    if (Goop.ui && Goop.ui.select && (field.multi || field.searchable)) {
      const holder = make("div", { className: "gform-select gc-select", ariaLabel: field.label || field.name });
      holder.append(make("button", { type: "button", className: "gc-select-trigger", id: idOf(field) }), make("div", { className: "gc-select-dropdown" }));
      const made = Goop.ui.select(holder, { options: choices, multi: field.multi, searchable: field.searchable, clearable: !field.required, placeholder: field.placeholder || t("Choose…") });
      return { element: holder, get: () => [made.getValue()].flat().join(","), set: (text) => made.setValue(field.multi ? listOf(text) : text) };
    }
    const input = make("select", { id: idOf(field), name: field.name, className: "gform-select", required: Boolean(field.required), multiple: Boolean(field.multi) });
    if (!field.multi) input.append(make("option", { value: "", textContent: field.placeholder || "" }));
    input.append(...choices.map(({ value, label }) => make("option", { value, textContent: label })));
    const set = (text) => {
      const chosen = field.multi ? listOf(text) : [text ?? ""];
      for (const option of input.options) option.selected = chosen.includes(option.value);
    };
    return { element: input, get: () => [...input.selectedOptions].map(({ value }) => value).join(","), set };
  }

  function radio(field) {
    const kind = field.multi ? "checkbox" : "radio";
    const inputs = choicesOf(field).map(({ value, label }, index) => {
      const input = make("input", { type: kind, name: idOf(field), value, id: `${idOf(field)}-${index}`, required: Boolean(field.required && !field.multi) });
      return { input, label: make("label", {}, input, label) };
    });
    const element = make("div", { className: "gform-radio-group" }, ...inputs.map((one) => one.label));
    const set = (text) => inputs.forEach(({ input }) => (input.checked = field.multi ? listOf(text).includes(input.value) : input.value === text));
    return { element, isGroup: true, get: () => inputs.filter(({ input }) => input.checked).map(({ input }) => input.value).join(","), set };
  }

  function checkbox(field) {
    const input = make("input", { type: "checkbox", id: idOf(field), name: field.name, required: Boolean(field.required) });
    const element = make("div", { className: "gform-checkbox-wrap" }, make("label", {}, input, field.label || field.name));
    return { element, isLabelled: true, get: () => (input.checked ? "1" : "0"), set: (text) => (input.checked = text === "1") };
  }

  // With a component's own markup: `NAME(element, options)` of Goop.ui.
  function component(name, options, { isTruth = false } = {}) {
    return (field) => {
      const holder = make(isTruth ? "button" : "div", { className: `gc-${name}`, ariaLabel: field.label || field.name });
      if (isTruth) Object.assign(holder, { type: "button", id: idOf(field) });
      const made = Goop.ui[name](holder, options(field));
      const input = isTruth ? null : holder.querySelector("input") || holder.querySelector("button");
      if (input && !input.id) input.id = idOf(field);
      const text = (value) => (isTruth ? (value ? "1" : "0") : [value].flat().join(","));
      return { element: holder, get: () => text(made.getValue()), set: (given) => made.setValue(isTruth ? given === "1" : given ?? "") };
    };
  }
  const BY_COMPONENT = {
    date: ["datepicker", component("datepicker", ({ min, max }) => ({ min, max }))],
    datetime: ["datepicker", component("datepicker", ({ min, max }) => ({ min, max, time: true }))],
    color: ["colorpicker", component("colorpicker", ({ options }) => (options ? { colors: options } : {}))],
    toggle: ["toggle", component("toggle", () => ({}), { isTruth: true })],
    tags: ["taginput", component("taginput", ({ options, max }) => ({ suggestions: options, max }))],
    stepper: ["stepper", component("stepper", ({ min, max, step }) => ({ min, max, step }))],
  };
  const PLAIN = { select, radio, checkbox, toggle: checkbox };

  function controlOf(field) {
    const { type = "text" } = field;
    if (!TYPES.includes(type)) refuse(`Goop.form.render: the field ${field.name} has the type ${JSON.stringify(type)}; there are ${TYPES.join(", ")}`);
    const [name, made] = BY_COMPONENT[type] || [];
    return name && Goop.ui && Goop.ui[name] ? made(field) : (PLAIN[type] || plain)(field);
  }

  function rowOf(field, control) {
    const words = field.label || field.name;
    if (control.isLabelled) return make("div", { className: "gform-field" }, control.element);
    if (control.isGroup) return make("fieldset", { className: "gform-field" }, make("legend", { className: "gform-label", textContent: words }), control.element);
    return make("div", { className: "gform-field" }, make("label", { className: "gform-label", htmlFor: idOf(field), textContent: words }), control.element);
  }

  // The table and its columns, made by the owner alone: who only fills in the form asks for what is there.
  async function prepared(table, fields, policy) {
    const column = ({ name }) => ({ name, type: "TEXT", default: "''" });
    const isThere = (await Goop.data.tables()).some(({ name }) => name === table);
    if (isThere) {
      const columns = await Goop.data.describe(table);
      const known = new Set(columns.map(({ name }) => name));
      if (columns.mode !== "orm") for (const field of fields) if (!known.has(field.name)) await Goop.data.addColumn(table, column(field));
      return;
    }
    try {
      await Goop.data.createTable(table, fields.map(column));
    } catch (error) {
      if (error.code !== "forbidden") throw error;
      throw new Goop.Error(`the table ${table} of this form is not there yet: the owner makes it by opening this page`, { code: "not_found", status: 404 });
    }
    if (policy) await Goop.request("data/tables/set-policy", { table, policy });
  }

  async function render(el, { table, fields, submitLabel = t("Submit"), singleResponse = false, onDone, policy, values: given, onSave } = {}) {
    if (!Goop.data) throw new Error("goop-form.js needs goop-data.js: load it first");
    if (!(el instanceof Element)) refuse("Goop.form.render: el is missing: it takes an element");
    const isOwn = typeof onSave === "function"; // the page itself does something with the answers
    if ((!table && !isOwn) || !Array.isArray(fields) || !fields.length) refuse("Goop.form.render takes {table, fields: [{name, type, label}]}, or onSave instead of a table, with at least one field");
    let row = (isOwn && given) || null;
    if (!isOwn) await prepared(table, fields, policy);
    if (singleResponse && !isOwn) {
      const { id } = await (Goop.identity ? Goop.identity.get() : Goop.request("identity"));
      [row = null] = await Goop.data.query(table, { where: "_owner = ?", args: [id], limit: 1 });
    }

    const controls = fields.map((field) => ({ field, control: controlOf(field) }));
    const button = make("button", { className: "primary", id: "gform-submit", type: "submit" });
    const status = make("span", { className: "gform-status", id: "gform-status" });
    status.setAttribute("role", "status");
    const form = make("form", { className: "gform-wrap" }, ...controls.map(({ field, control }) => rowOf(field, control)), make("div", { className: "gform-btns" }, button, status));
    const setValues = (values) => controls.forEach(({ field, control }) => values[field.name] !== undefined && control.set(String(values[field.name] ?? "")));
    const getValues = () => Object.fromEntries(controls.map(({ field, control }) => [field.name, control.get()]));
    const label = () => (button.textContent = row ? t("Update") : submitLabel);
    label();
    if (row) setValues(row);

    form.addEventListener("submit", async (event) => {
      event.preventDefault();
      const values = getValues();
      const missing = fields.find(({ name, required, type }) => required && (!values[name] || (["checkbox", "toggle"].includes(type) && values[name] === "0")));
      if (missing) return void (status.textContent = t("Error: {0} is required", missing.label || missing.name));
      button.disabled = true;
      status.textContent = t("Saving...");
      try {
        const isUpdate = row !== null;
        const done = await (isOwn ? onSave(values) : isUpdate ? Goop.data.update(table, row._id, values) : Goop.data.insert(table, values));
        const id = isOwn ? undefined : isUpdate ? row._id : done.id;
        status.textContent = isUpdate ? t("Updated!") : t("Submitted!");
        if (singleResponse) row = { ...values, _id: id };
        else controls.forEach(({ field, control }) => control.set(field.type === "checkbox" || field.type === "toggle" ? "0" : ""));
        label();
        if (onDone) await onDone(values, id);
      } catch (error) {
        status.textContent = t("Error: {0}", error.message);
      } finally {
        button.disabled = false;
      }
    });
    el.replaceChildren(form);
    return { el: form, getValues, setValues };
  }

  Goop.form = {
    /** Puts a form into `el`: {table, fields: [{name, label, type, placeholder, required, options, multi, searchable, min, max, step}],
     * submitLabel, singleResponse, onDone(values, id), policy}. A table or column that is missing is made, by the owner; `policy` is who may
     * then insert ("open", "group", …). With `singleResponse` everybody has one row, which is filled in and updated. With `onSave(values)` instead of a
     * table, the page does with the answers what it likes, such as giving them to a function; `values` is then what is filled in already. */
    render,
  };
})();
