// Data: tables with their policies and rows; cells are edited in place, rows are added, removed and exported.
import { post } from "../shell/api.js";
import { freshId } from "../shell/dom.js";

const PAGE = 50;
const EXPORT_PAGE = 1000;
const NUMBERS = new Set(["integer", "real"]);

export async function show(main, shell) {
  const { el } = shell;
  let tables = await shell.get("data");
  let table = null;
  let page = { order: "_id", down: false, offset: 0 };
  let rows = [];

  const list = el("nav", { class: "script-list", "aria-label": "Tables" });
  const work = el("section", { class: "card data-work" });
  main.replaceChildren(el("h1", {}, "Data"), el("div", { class: "scripts" }, el("section", { class: "card" }, list), work));

  const read = (op, request) => shell.read("data/do", { op, ...request });
  const change = (op, request) => shell.post("data/do", { op, ...request });
  const quoted = (name) => `"${name.replaceAll('"', '""')}"`;

  function paintList() {
    list.replaceChildren(tables.length
      ? el("ul", {}, tables.map((one) => el("li", {}, el("a", { href: `#/data?table=${one.name}`, "aria-current": table && one.name === table.name ? "true" : null,
          onclick: (event) => { event.preventDefault(); choose(one.name); } }, el("span", { class: "mono" }, one.name), el("span", { class: "small soft" }, `${one.rows}`)))))
      : el("p", { class: "soft small" }, "No tables yet. Create one with a file in schemas/, with goop.schema.create in a script, or from a page."));
  }

  async function choose(name) {
    table = tables.find((one) => one.name === name) || tables[0] || null;
    page = { order: "_id", down: false, offset: 0 };
    paintList();
    if (!table) return work.replaceChildren(el("p", { class: "soft" }, "Choose a table to see its rows."));
    shell.note({ table: table.name });
    await load();
  }

  // Ignore an answer that comes after another table, order or page was chosen: its rows would appear under the wrong name.
  const choosing = shell.choices();
  async function load() {
    const isChosen = choosing();
    const { name } = table;
    try {
      const found = await read("query", { table: name, order: `${quoted(page.order)} ${page.down ? "DESC" : "ASC"}`, limit: PAGE, offset: page.offset });
      const { count } = await read("count", { table: name });
      if (!isChosen()) return;
      rows = found;
      table.rows = count;
      paint();
      paintList();
    } catch (error) {
      if (isChosen()) work.replaceChildren(el("p", { class: "level-error wrap" }, error.message));
    }
  }

  const nameOf = (control) => control.getAttribute("aria-label") || control.textContent.replace(/ [↑↓]$/, "");

  // Keep the focus of keyboard users, or move it to the rows when its control is gone.
  function paint() {
    const held = work.contains(document.activeElement) && nameOf(document.activeElement);
    paintRows();
    if (held) ([...work.querySelectorAll("button:enabled")].find((one) => nameOf(one) === held) || work.querySelector(".grid")).focus();
  }

  function paintRows() {
    const last = Math.min(page.offset + rows.length, table.rows);
    work.replaceChildren(
      el("div", { class: "row apart" }, el("h2", { class: "mono" }, table.name), el("div", { class: "row" },
        el("button", { type: "button", onclick: add }, "Add a row"),
        el("button", { type: "button", onclick: () => download("csv") }, "CSV"), el("button", { type: "button", onclick: () => download("json") }, "JSON"))),
      el("p", { class: "small soft" }, table.typed ? "Typed table. " : "Classic table. ", Object.entries(table.policies).map(([key, value]) => `${key}: ${value}`).join(", "), "."),
      el("div", { class: "grid", tabindex: "0", role: "region", "aria-label": `Rows of ${table.name}` }, el("table", {},
        el("thead", {}, el("tr", {}, table.columns.map(heading), el("th", {}, el("span", { class: "unseen" }, "Remove")))),
        el("tbody", {}, rows.map(line)))),
      el("div", { class: "row apart small" }, el("span", { role: "status" }, table.rows ? `${page.offset + 1} to ${last} of ${table.rows}` : "No rows"), el("div", { class: "row" },
        el("button", { type: "button", disabled: page.offset === 0, onclick: () => turn(-PAGE) }, "Back"),
        el("button", { type: "button", disabled: last >= table.rows, onclick: () => turn(PAGE) }, "Next"))),
    );
  }

  function heading(column) {
    const sorted = page.order === column.name;
    return el("th", { "aria-sort": sorted ? (page.down ? "descending" : "ascending") : null },
      el("button", { type: "button", class: "link", title: column.values.length ? `one of ${column.values.join(", ")}` : column.type, onclick: () => {
        page = { order: column.name, down: sorted && !page.down, offset: 0 };
        load();
      } }, column.name, sorted ? (page.down ? " ↓" : " ↑") : ""), el("span", { class: "small soft" }, ` ${column.type}${column.required ? " *" : ""}`));
  }

  const shown = (column, value) => (value === null || value === undefined ? el("span", { class: "soft" }, "NULL")
    : column.type === "blob" ? el("span", { class: "soft" }, `${Math.floor((value.length * 3) / 4)} bytes`) : String(value));

  function line(row) {
    return el("tr", {}, table.columns.map((column) => el("td", { class: NUMBERS.has(column.type) ? "number" : null },
      column.editable && column.type !== "blob"
        ? el("button", { type: "button", class: "cell", "aria-label": `${column.name} of row ${row._id}: change`, onclick: () => edit(row, column) }, shown(column, row[column.name]))
        : shown(column, row[column.name]))),
      el("td", {}, el("button", { type: "button", "aria-label": `Remove row ${row._id}`, onclick: () => remove(row) }, "✕")));
  }

  function turn(by) {
    page.offset = Math.max(0, page.offset + by);
    return load();
  }

  // A control for a column's value, and what it says: a number where the column holds one, null where it is left empty as NULL.
  function control(column, value) {
    const id = freshId("value");
    const none = el("input", { type: "checkbox", id: `${id}-null`, checked: value === null || value === undefined });
    const text = value === null || value === undefined ? "" : String(value);
    const input = column.values.length
      ? el("select", { id }, column.values.map((one) => el("option", { value: one, selected: one === text }, one)))
      : column.type === "text" ? el("textarea", { id, rows: 4, value: text }) : el("input", { id, value: text, autocomplete: "off", spellcheck: "false" });
    input.addEventListener("input", () => { none.checked = false; });
    const field = el("div", {}, el("label", { class: "field", for: id }, `${column.name}, ${column.type}`, input), !column.required && el("label", { class: "row small" }, none, "NULL"));
    const read = () => {
      if (none.checked && !column.required) return null;
      const number = Number(input.value);
      const exact = column.type === "integer" ? Number.isSafeInteger(number) : Number.isFinite(number);  // beyond 2^53 the text is the exact one
      return NUMBERS.has(column.type) && input.value.trim() !== "" && exact ? number : input.value;
    };
    return { field, read, given: () => !none.checked };
  }

  // A change belongs to the table it was made in; if another table is shown by then, that one is not reloaded.
  const renew = (changed) => (changed === table ? load() : undefined);

  function edit(row, column) {
    const one = control(column, row[column.name]);
    const changed = table;
    return shell.asking(`${column.name} of row ${row._id}`, one.field, "Save", async () => {
      await change("update", { table: changed.name, id: row._id, data: { [column.name]: one.read() } });
      renew(changed);
    });
  }

  function add() {
    const changed = table;
    const columns = changed.columns.filter((column) => column.editable && column.type !== "blob");
    const controls = columns.map((column) => [column.name, control({ ...column, required: false }, null)]);
    const data = () => Object.fromEntries(controls.filter(([, one]) => one.given()).map(([name, one]) => [name, one.read()]));
    return shell.asking(`A new row of ${changed.name}`, el("div", { class: "page" }, controls.map(([, one]) => one.field)), "Add", async () => {
      await change("insert", { table: changed.name, data: data() });
      renew(changed);
    });
  }

  async function remove(row) {
    const changed = table;
    if (!(await shell.confirm(`Remove row ${row._id} of ${changed.name}?`, "Remove"))) return;
    try {
      await change("delete", { table: changed.name, id: row._id });
      renew(changed);
    } catch (error) {
      shell.toast(error.message, "bad");
    }
  }

  async function download(form) {
    const exported = table;
    try {
      const all = [];
      for (let offset = 0; ; offset += EXPORT_PAGE) {
        const part = await post("data/do", { op: "query", table: exported.name, order: "_id", limit: EXPORT_PAGE, offset }); // the file comes though the page be left
        all.push(...part);
        if (part.length < EXPORT_PAGE) break;
      }
      const names = exported.columns.map((column) => column.name);
      const cell = (value) => (value === null || value === undefined ? "" : value === "" || /[",\n\r]/.test(value) ? `"${String(value).replaceAll('"', '""')}"` : String(value));
      const text = form === "json" ? `${JSON.stringify(all, null, 2)}\n` : `${[names, ...all.map((row) => names.map((name) => row[name]))].map((line) => line.map(cell).join(",")).join("\n")}\n`;
      const link = el("a", { href: URL.createObjectURL(new Blob([text])), download: `${exported.name}.${form}` });
      link.click();
      setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
    } catch (error) {
      shell.toast(error.message, "bad");
    }
  }

  await choose(shell.query.get("table") || "");
}
