// Data: the tables, and of one its rows, its columns and policies, or the owner's own SQL.
import { grouped } from "../shell/format.js";
import { t } from "../shell/text.js";
import { importFile } from "./data/import.js";
import { newTable } from "./data/newtable.js";
import { showRows } from "./data/rows.js";
import { showSql } from "./data/sql.js";
import { showStructure } from "./data/structure.js";
import { word } from "./data/words.js";

const VIEWS = { rows: t("Rows"), structure: t("Columns and policies"), sql: "SQL" };
const SHOW = { rows: showRows, structure: showStructure, sql: showSql };
const MANY = 8; // tables from which on their list has a filter

export async function show(main, shell) {
  const { el } = shell;
  const [found, choices] = await Promise.all([shell.get("data"), shell.get("data/choices")]);
  let tables = found;
  let table = null;
  let view = Object.hasOwn(VIEWS, shell.query.get("view") || "") ? shell.query.get("view") : "rows";
  let close = () => {}; // ends the view that is shown

  const filter = el("input", { type: "search", "aria-label": t("Filter tables"), placeholder: t("Filter tables"), autocomplete: "off", spellcheck: "false", oninput: () => paintList() });
  const filterBox = el("div", { class: "grow" }, filter);
  const list = el("nav", { class: "script-list table-list", "aria-label": t("Tables") });
  const tabs = el("div", { class: "tabs", role: "tablist", "aria-label": t("What of the table") });
  const head = el("div", { class: "data-head" });
  const body = el("div", { class: "data-work", id: "data-view", role: "tabpanel" });
  main.replaceChildren(
    el("h1", {}, t("Data")),
    el("div", { class: "scripts data-page" },
      el("section", { class: "card table-card" }, el("div", { class: "row" },
        el("button", { type: "button", onclick: make }, t("New table")), el("button", { type: "button", onclick: () => bring(null) }, t("Import a file"))), filterBox, list),
      el("section", { class: "card data-work" }, head, tabs, body)),
  );

  const page = {
    choices,
    get table() { return table; },
    get tables() { return tables; },
    /** Reads the list of tables again, and shows `name`, in `shown` or as now. */
    async renew(name = table?.name, shown = view) {
      const isNews = renewing();
      const now = await shell.get("data");
      if (!isNews()) return;
      tables = now;
      open(name, shown);
    },
    /** What the list says of a table's size. */
    sized(name, rows) {
      const entry = tables.find((one) => one.name === name);
      if (!entry || (entry.rows === rows && !entry.about)) return;
      Object.assign(entry, { rows, about: false });
      const shown = list.querySelector(`[data-table="${CSS.escape(name)}"] .size`);
      if (shown) shown.textContent = grouped(rows);
    },
    bring: () => bring(table),
  };
  const renewing = shell.renewals();

  function paintList() {
    const words = filter.value.trim().toLowerCase();
    const shown = tables.filter((one) => one.name.toLowerCase().includes(words));
    filterBox.hidden = tables.length < MANY;
    list.replaceChildren(shown.length
      ? el("ul", {}, shown.map(entry))
      : el("p", { class: "soft small" }, tables.length ? t("No table is called that.") : t("No tables yet. Make one here, with a file in schemas/, with goop.schema.create in a script, or from a page.")));
  }

  const entry = (one) => el("li", {}, el("a", {
    href: `#/data?table=${encodeURIComponent(one.name)}`, "data-table": one.name, "aria-current": table && one.name === table.name ? "true" : null,
    title: one.about ? t("the highest row number; rows may have been deleted") : null,
    onclick: (event) => { event.preventDefault(); open(one.name); },
  }, el("span", { class: "mono cut" }, one.name), el("span", { class: "small soft size" }, one.about ? t`about ${grouped(one.rows)}` : grouped(one.rows)),
  one.kind === "typed" || one.kind === "classic" ? null : el("span", { class: "badge warn" }, one.kind)));

  function open(name, shown = view) {
    table = tables.find((one) => one.name === name) || tables[0] || null;
    paintList();
    look(shown);
  }

  function look(shown) {
    view = table ? shown : "sql";
    close();
    shell.note({ ...(table ? { table: table.name } : {}), ...(view === "rows" ? {} : { view }) });
    head.replaceChildren(...(table ? title() : [el("p", { class: "soft" }, t("There are no tables yet. The network’s own can be read by SQL."))]));
    paintTabs();
    const place = el("div", { class: "data-work" }); // each view has a place of its own: what comes late for another paints nothing here
    body.replaceChildren(place);
    body.setAttribute("aria-labelledby", `tab-${view}`);
    close = SHOW[view](place, shell, page) || (() => {});
  }

  const KINDS = {
    typed: t("Typed table."), classic: t("Classic table."),
    unregistered: t("In no registry: another program made it, so it is yours alone."),
    unreadable: t("Its declaration cannot be read, so it is yours alone."),
  };
  const title = () => [el("h2", { class: "mono" }, table.name), el("p", { class: "small soft" }, KINDS[table.kind], " ", sentence(table.sentences.map(word)))];
  const sentence = (parts) => { const text = parts.join("; "); return text ? `${text[0].toUpperCase()}${text.slice(1)}.` : ""; };

  function paintTabs() {
    const names = table ? Object.keys(VIEWS) : ["sql"];
    const had = tabs.contains(document.activeElement);
    tabs.replaceChildren(...names.map((name) => el("button", {
      type: "button", role: "tab", id: `tab-${name}`, "aria-controls": "data-view", "aria-selected": String(name === view), tabindex: name === view ? null : "-1",
      onclick: () => look(name), onkeydown: (event) => step(event, names, name),
    }, VIEWS[name])));
    if (had) tabs.querySelector('[aria-selected="true"]').focus();
  }

  function step(event, names, name) {
    const by = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!by) return;
    event.preventDefault();
    look(names[(names.indexOf(name) + by + names.length) % names.length]);
  }

  async function make() {
    const name = await newTable(shell, choices);
    if (name) page.renew(name, "rows");
  }

  async function bring(into) {
    const name = await importFile(shell, choices, tables, into);
    if (name) page.renew(name, "rows");
  }

  shell.atEnd(() => close());
  open(shell.query.get("table") || "");
}
