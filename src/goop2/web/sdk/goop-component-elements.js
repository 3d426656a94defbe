// Elements that pages make again and again. Each takes the class names of the page, and has ours (gc-…) where none are given.
(function () {
  "use strict";
  const Goop = globalThis.Goop;
  const { idOf, make } = Goop.component;
  const isOptions = (what) => what !== null && typeof what === "object" && !(what instanceof Node) && !Array.isArray(what);

  function put(el, ...children) {
    for (const child of children.flat(Infinity)) if (child !== null && child !== undefined && child !== false && child !== true) el.append(child instanceof Node ? child : String(child));
    return el;
  }
  const box = (className, ...children) => put(make("div", { className }), ...children);
  const part = (className, content, tag = "div") => (content === null || content === undefined || content === "" ? null : put(make(tag, { className }), content));

  function attributes(el, { data = {}, id, title, disabled, ...others }) {
    for (const [key, value] of Object.entries(data)) el.dataset[key] = value;
    if (id) el.id = id;
    if (title && el.matches("button")) el.title = title;
    if (disabled) el.disabled = true;
    for (const [name, value] of Object.entries(others)) if (typeof value === "function" && /^on[A-Z]|^click$/.test(name)) el.addEventListener(name.replace(/^on/, "").toLowerCase(), value);
    return el;
  }

  Object.assign(Goop, {
    /** A button: {class, type, onClick, disabled, data, icon, title}. */
    button(label, options = {}) {
      const made = make("button", { type: options.type || "button", className: options.class || "gc-button" });
      return attributes(put(made, part("gc-button-icon", options.icon, "span"), label), options);
    },
    /** A card: {title, subtitle, body, footer, class, titleClass, bodyClass, footerClass, onClick, data}. */
    card(options = {}) {
      const { class: name = "gc-card", titleClass = "gc-card-title", subtitleClass = "gc-card-subtitle", bodyClass = "gc-card-body", footerClass = "gc-card-footer" } = options;
      const { title, ...others } = options;
      return attributes(box(name, part(titleClass, title, "h3"), part(subtitleClass, options.subtitle), part(bodyClass, options.body), part(footerClass, options.footer)), others);
    },
    /** A table: columns are names, or {key, label, render(value, row), class}; {class, empty, onRow(row, index)}. */
    table(columns, rows, options = {}) {
      const all = columns.map((column) => (typeof column === "string" ? { key: column, label: column } : { label: column.label ?? column.key, ...column }));
      const head = make("tr", {}, ...all.map(({ label, class: name = "" }) => make("th", { scope: "col", textContent: label, className: name })));
      const line = (row, index) => {
        const cells = all.map(({ key, render, class: name = "" }) => put(make("td", { className: name }), render ? render(row[key], row) : row[key]));
        const made = make("tr", { className: options.rowClass || "" }, ...cells);
        if (row._id !== undefined) made.dataset.id = row._id;
        if (options.onRow) made.addEventListener("click", () => options.onRow(row, index));
        return made;
      };
      const none = options.empty && !rows.length ? [make("tr", {}, make("td", { colSpan: all.length, textContent: options.empty, className: options.emptyClass || "gc-empty" }))] : [];
      return make("table", { className: options.class || "gc-table" }, make("thead", {}, head), make("tbody", {}, ...rows.map(line), ...none));
    },
    /** A labelled field: {name, type="text" (also textarea, select), value, placeholder, required, options, class, labelClass, inputClass, help}. */
    field(label, options = {}) {
      const { type = "text", name = "", value, options: choices = [] } = options;
      const input = make(["textarea", "select"].includes(type) ? type : "input", { name, className: options.inputClass || "gc-input", required: Boolean(options.required) });
      if (input.matches("input")) input.type = type;
      if (options.placeholder) input.placeholder = options.placeholder;
      for (const choice of choices) input.append(isOptions(choice) ? make("option", { value: choice.value, textContent: choice.label ?? choice.value }) : make("option", { value: choice, textContent: choice }));
      if (value !== undefined && value !== null) type === "checkbox" ? (input.checked = Boolean(value)) : (input.value = value);
      const words = make("label", { className: options.labelClass || "gc-label", htmlFor: idOf(input), textContent: label });
      const help = part(options.helpClass || "gc-help", options.help);
      if (help) input.setAttribute("aria-describedby", idOf(help));
      return attributes(box(options.class || "gc-field", words, input, help), { data: options.data });
    },
    /** One message: {from, text, time, avatar, own, class, fromClass, textClass, timeClass}. */
    message(options = {}) {
      const { class: name = "gc-message", fromClass = "gc-message-from", textClass = "gc-message-text", timeClass = "gc-message-time", ownClass = "gc-message-own" } = options;
      return attributes(box(options.own ? `${name} ${ownClass}` : name, options.avatar, part(fromClass, options.from), part(textClass, options.text), part(timeClass, options.time)), { data: options.data });
    },
    /** Numbers with their names: [{label, value, class}], {class, itemClass, valueClass, labelClass}. */
    stats(items, options = {}) {
      const { class: name = "gc-stats", itemClass = "gc-stat", valueClass = "gc-stat-value", labelClass = "gc-stat-label" } = options;
      return box(name, items.map((item) => box(item.class || itemClass, put(make("div", { className: valueClass }), item.value), put(make("div", { className: labelClass }), item.label))));
    },
    /** A section with its heading; section(title, [options], …nodes): {class, titleClass, level=2}. */
    section(title, ...nodes) {
      const options = isOptions(nodes[0]) ? nodes.shift() : {};
      const heading = part(options.titleClass || "gc-section-title", title, `h${options.level || 2}`);
      const made = put(make("section", { className: options.class || "gc-section" }), heading, nodes);
      if (heading) made.setAttribute("aria-labelledby", idOf(heading));
      return made;
    },
    /** Buttons in a row; actions([options], …nodes). */
    actions(...nodes) {
      const options = isOptions(nodes[0]) ? nodes.shift() : {};
      return box(options.class || "gc-actions", nodes);
    },
    /** One of a list: {title, subtitle, icon, meta, actions, class, titleClass, subtitleClass, onClick, data}. */
    item(options = {}) {
      const { class: name = "gc-item", titleClass = "gc-item-title", subtitleClass = "gc-item-subtitle", metaClass = "gc-item-meta", actionsClass = "gc-item-actions" } = options;
      const words = box("gc-item-words", part(titleClass, options.title), part(subtitleClass, options.subtitle));
      const { title, ...others } = options;
      return attributes(box(name, part("gc-item-icon", options.icon), words, part(metaClass, options.meta), part(actionsClass, options.actions)), others);
    },
  });
})();
