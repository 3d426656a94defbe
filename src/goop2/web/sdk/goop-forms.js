// Goop.forms: a form and a table for every table there is, as it is described. Needs goop-data.js.
(function () {
  "use strict";
  const Goop = globalThis.Goop;
  const t = Goop.text;
  const ROWS_MAX = 200;
  const NUMBERS = /^(int|real|num|float|double)/i;
  let forms = 0;

  const make = (tag, properties = {}, ...children) => {
    const made = Object.assign(document.createElement(tag), properties);
    made.append(...children);
    return made;
  };
  const shown = (columns) => columns.filter(({ name }) => !name.startsWith("_"));
  const columnsOf = async (table) => {
    if (!Goop.data) throw new Error("goop-forms.js needs goop-data.js: load it first");
    const columns = await Goop.data.describe(table);
    return shown(columns.schema?.columns || columns); // a schema knows what is required, and which values there are
  };

  function inputOf(column) {
    const choices = column.values || [];
    const required = Boolean(column.required || column.not_null) && !column.auto && (column.default ?? "") === "";
    if (choices.length) return make("select", { name: column.name, required }, ...(required ? [] : [make("option", { value: "" })]), ...choices.map((one) => make("option", { value: one.key ?? one, textContent: one.label ?? one.key ?? one })));
    const type = NUMBERS.test(column.type) ? "number" : { date: "date", time: "time" }[column.type] || "text";
    const input = make("input", { name: column.name, type, required });
    if (type === "number" && !/^int/i.test(column.type)) input.step = "any";
    return input;
  }

  async function insertForm(el, table, onInsert) {
    const columns = (await columnsOf(table)).filter(({ auto }) => !auto);
    const said = make("span", { className: "gf-status" });
    said.setAttribute("role", "status");
    const serial = ++forms;
    const form = make("form", { className: "gf-form" });
    for (const column of columns) {
      const input = inputOf(column);
      input.id = `gf-${serial}-${column.name}`;
      form.append(make("div", { className: "gf-field" }, make("label", { htmlFor: input.id, textContent: column.name }), input));
    }
    form.append(make("div", { className: "gf-btns" }, make("button", { type: "submit", className: "primary", textContent: t("Add") }), said));
    form.addEventListener("submit", async (event) => {
      event.preventDefault();
      // A field that was left empty is left out, so that the column's default holds.
      const texts = [...new FormData(form)].filter(([, text]) => text !== "");
      const numbers = new Set(columns.filter(({ type }) => NUMBERS.test(type)).map(({ name }) => name));
      const row = Object.fromEntries(texts.map(([name, text]) => [name, numbers.has(name) ? Number(text) : text]));
      said.textContent = t("Saving...");
      try {
        const { id } = await Goop.data.insert(table, row);
        form.reset();
        said.textContent = t("Added");
        if (typeof onInsert === "function") await onInsert(row, id);
      } catch (error) {
        said.textContent = t("Error: {0}", error.message);
      }
    });
    el.replaceChildren(form);
    return form;
  }

  const sure = async (text) => Boolean(await (Goop.ui && Goop.ui.confirm ? Goop.ui.confirm(text) : confirm(text)));

  async function render(el, table) {
    const columns = await columnsOf(table);
    const [top, below] = [make("div"), make("div", { className: "gf-scroll", tabIndex: 0 })];
    below.setAttribute("role", "region");
    below.setAttribute("aria-label", t("Rows of {0}", table));
    const said = make("p", { className: "gf-status" });
    said.setAttribute("role", "status");

    async function draw() {
      const rows = await Goop.data.query(table, { limit: ROWS_MAX });
      const heads = [...columns.map(({ name }) => name), t("Actions")].map((text) => make("th", { scope: "col", textContent: text }));
      const lines = rows.map((row) => {
        const remove = make("button", { type: "button", textContent: t("Delete") });
        remove.setAttribute("aria-label", t("Delete row {0}", row._id));
        remove.addEventListener("click", async () => {
          if (!(await sure(t("Delete row {0} of {1}?", row._id, table)))) return;
          await Goop.data.remove(table, row._id).then(draw, (error) => (said.textContent = t("Error: {0}", error.message)));
        });
        const line = make("tr", {}, ...columns.map(({ name }) => make("td", { textContent: row[name] ?? "" })), make("td", { className: "gf-actions" }, remove));
        line.dataset.id = row._id;
        return line;
      });
      below.replaceChildren(make("table", { className: "gf-table" }, make("thead", {}, make("tr", {}, ...heads)), make("tbody", {}, ...lines)));
    }

    await insertForm(top, table, draw);
    await draw();
    el.replaceChildren(top, said, below);
    return { el, refresh: draw };
  }

  Goop.forms = {
    /** A form that adds rows, and below it the first 200 rows, each with a button that deletes it. */
    render,
    /** The form alone; calls `onInsert(row, id)`. */
    insertForm,
  };
})();
