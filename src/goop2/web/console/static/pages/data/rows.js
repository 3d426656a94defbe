// The rows of a table: filtered, searched, sorted, a page at a time; changed in place; new ones appear while the page is looked at.
import { post } from "../../shell/api.js";
import { grouped } from "../../shell/format.js";
import { t } from "../../shell/text.js";
import { NUMBERS, control, cut, labelled, named, point, select, shown } from "./fields.js";
import { word } from "./words.js";

const PAGE = 50;
const EXPORT_PAGE = 1000;
const LIVE_MS = 1000;
const QUICK_MS = 100; // a count that takes longer is not made anew for each change of others
const SLOW_COUNT_MS = 10_000; // but so often
const FORMULA = /^[=+\-@\t\r\n＝＋－＠]/;
const NUMBER = /^[+-]?[0-9]+([.][0-9]+)?([eE][+-]?[0-9]+)?$/;

export function showRows(place, shell, page) {
  const { el } = shell;
  const { choices, table } = page;
  const hasId = table.columns.some((column) => column.name === "_id");
  let wanted = { filters: [], search: "", order: hasId ? "_id" : "", down: false, offset: 0 };
  let rows = [];
  let total = table.about ? null : table.rows; // how many rows meet the filters; null while that is not known
  let more = false;
  let version = null; // of the database, when the rows were read
  let isClosed = false;
  let unanswered = 0;
  let counted = { at: 0, took: 0 }; // when, and how long it took

  const change = (op, request) => shell.post("data/do", { op, ...request });
  const asked = () => ({ table: table.name, ...wanted });
  const isFiltered = () => wanted.filters.length > 0 || wanted.search !== "";

  // ── above the rows: what is wanted of them ──
  const columnChoice = select(table.columns.map((column) => column.name), table.columns.find((column) => column.editable)?.name);
  const opChoice = select(choices.filters.map((op) => [op, word(op)]), "is");
  const valueBox = el("input", { autocomplete: "off", spellcheck: "false" });
  opChoice.addEventListener("input", () => { valueBox.disabled = choices.without_value.includes(opChoice.value); });
  const filterForm = el("form", { class: "filters data-filters", onsubmit: addFilter },
    labelled(t("Column"), columnChoice), labelled(t("Filter"), opChoice), labelled(t("Value"), valueBox), el("button", {}, t("Filter rows")));
  const searchBox = el("input", { type: "search", autocomplete: "off", placeholder: t("Words in any column"), value: "" });
  const searchForm = table.search && el("form", { class: "row search", role: "search", onsubmit: search }, labelled(t("Full text"), searchBox, { class: "field grow" }), el("button", {}, t("Search")));
  const chips = el("div", { class: "row chips" });
  const facetChoice = select([["", t("of a column…")], ...table.columns.filter((column) => column.type !== "blob").map((column) => column.name)], "");
  const facetList = el("ul", { class: "row facet" });
  const facets = el("div", { class: "facets" }, labelled(t("Commonest values"), facetChoice), facetList);
  facetChoice.addEventListener("input", () => countValues());
  const live = el("input", { type: "checkbox", checked: true });
  const tools = el("div", { class: "row" },
    table.editable && el("button", { type: "button", onclick: add }, t("Add a row")),
    el("button", { type: "button", onclick: () => download("csv") }, "CSV"), el("button", { type: "button", onclick: () => download("json") }, "JSON"),
    el("label", { class: "row small" }, live, t("Live")));
  const grid = el("div", { class: "grid", tabindex: "0", role: "region", "aria-label": t`Rows of ${table.name}` });
  const status = el("span", { role: "status" });
  const pageBox = el("input", { inputmode: "numeric", autocomplete: "off", class: "page-number" });
  const pageForm = el("form", { class: "row", onsubmit: jump }, el("label", { class: "row" }, t("Page"), pageBox), el("span", { class: "of-pages" }), el("button", {}, t("Go")));
  const back = el("button", { type: "button", onclick: () => turn(-PAGE) }, t("Back"));
  const next = el("button", { type: "button", onclick: () => turn(PAGE) }, t("Next"));
  const problem = el("p", { class: "level-error wrap", role: "alert" });
  const panel = el("details", { class: "data-more" }, el("summary", {}, t("Filter and count")), filterForm, facets);
  const pages = el("div", { class: "row apart small data-pages" }, status, el("div", { class: "row" }, pageForm, el("span", { class: "row" }, back, next)));
  place.replaceChildren(...[tools, searchForm, panel, chips, problem].filter(Boolean)); // the rows follow once they are there, so that nothing moves

  // ── reading ──
  // Ignore an answer that comes after another order, filter or page was chosen: its rows would stand under the wrong sign.
  const choosing = shell.choices();
  const counting = shell.choices();
  const faceting = shell.choices();

  async function load(recount = true) {
    const isChosen = choosing();
    const request = { ...asked(), limit: PAGE, total: isFiltered() ? null : total };
    grid.setAttribute("aria-busy", "true");
    unanswered += 1;
    if (recount) count();
    try {
      const found = await shell.read("data/rows", request);
      if (isClosed || !isChosen()) return;
      if (found.columns.some((name) => !table.columns.some((column) => column.name === name)) || found.columns.length !== table.columns.length) {
        page.renew(); // somebody has changed the columns
        return;
      }
      rows = found.rows.map((values) => Object.fromEntries(found.columns.map((name, index) => [name, values[index]])));
      more = found.more;
      problem.textContent = "";
      paint();
    } catch (error) {
      if (!isClosed && isChosen()) problem.textContent = error.message;
    } finally {
      unanswered -= 1;
      if (!unanswered) grid.removeAttribute("aria-busy");
    }
  }

  async function count() {
    const isChosen = counting();
    const wasFiltered = isFiltered();
    const begun = performance.now();
    try {
      const found = await shell.read("data/count", asked());
      counted = { at: performance.now(), took: performance.now() - begun };
      if (isClosed || !isChosen()) return;
      total = found.count;
      if (!wasFiltered && total !== null) page.sized(table.name, total);
    } catch {
      if (isClosed || !isChosen()) return;
      total = null; // the rows tell what is wrong
    }
    paintPages();
  }

  async function countValues() {
    const isChosen = faceting();
    const column = facetChoice.value;
    facetList.replaceChildren();
    if (!column) return;
    try {
      const found = await shell.read("data/facet", { ...asked(), column });
      if (isClosed || !isChosen()) return;
      facetList.replaceChildren(...found.values.map(({ value, count: many }) => el("li", {}, el("button", {
        type: "button", class: "chip", onclick: () => narrow(column, value), disabled: value !== null && typeof value === "object",
      }, el("span", { class: "cut" }, named(value)), el("span", { class: "soft" }, grouped(many))))), found.sampled ? el("li", { class: "soft small" }, t("of the first 100,000 rows")) : "");
    } catch (error) {
      if (!isClosed && isChosen()) facetList.replaceChildren(el("li", { class: "level-error wrap" }, error.message));
    }
  }

  // What is chosen anew begins at the first page.
  function choose(changes) {
    wanted = { ...wanted, offset: 0, ...changes };
    total = null;
    paintChips();
    load();
    countValues();
  }

  const narrow = (column, value) => choose({ filters: [...wanted.filters, value === null || value === "" ? { column, op: "is empty" } : { column, op: "is", value }] });

  function addFilter(event) {
    event.preventDefault();
    const filter = { column: columnChoice.value, op: opChoice.value, ...(choices.without_value.includes(opChoice.value) ? {} : { value: valueBox.value }) };
    choose({ filters: [...wanted.filters, filter] });
  }

  function search(event) {
    event.preventDefault();
    choose({ search: searchBox.value.trim() });
  }

  function paintChips() {
    chips.replaceChildren(...wanted.filters.map((filter) => {
      const text = `${filter.column} ${word(filter.op)}${"value" in filter ? ` ${filter.value}` : ""}`;
      return el("button", { type: "button", class: "chip", "aria-label": t`No longer: ${text}`, onclick: () => {
        choose({ filters: wanted.filters.filter((one) => one !== filter) });
        grid.focus();
      } }, el("span", { class: "cut" }, text), " ✕");
    }));
  }

  // ── painting ──
  const nameOf = (element) => element.getAttribute("aria-label") || element.textContent.replace(/ [↑↓]$/, "");

  // Keep the focus of keyboard users, or move it to the rows when its control is gone; and the place where somebody reads.
  function paint() {
    const held = grid.contains(document.activeElement) && document.activeElement !== grid && nameOf(document.activeElement);
    const { scrollTop, scrollLeft } = grid;
    if (!grid.isConnected) place.append(grid, pages);
    const labels = table.editable ? [el("th", {}, el("span", { class: "unseen" }, t("Remove")))] : [];
    grid.replaceChildren(el("table", {}, el("thead", {}, el("tr", {}, table.columns.map(heading), labels)), el("tbody", {}, rows.map(line))));
    Object.assign(grid, { scrollTop, scrollLeft });
    if (held) ([...grid.querySelectorAll("button:enabled")].find((one) => nameOf(one) === held) || grid).focus({ preventScroll: true });
    paintPages();
  }

  function paintPages() {
    const first = rows.length ? wanted.offset + 1 : 0;
    const last = wanted.offset + rows.length;
    status.textContent = rows.length ? total === null ? t`${grouped(first)} to ${grouped(last)}` : t`${grouped(first)} to ${grouped(last)} of ${grouped(total)}` : isFiltered() ? t("No rows match these filters") : total ? t("No rows on this page") : t("No rows");
    back.disabled = wanted.offset === 0;
    next.disabled = total === null ? !more : last >= total;
    const many = total === null ? 0 : Math.ceil(total / PAGE);
    pageForm.style.visibility = many < 2 ? "hidden" : "";
    pageForm.querySelector(".of-pages").textContent = t`of ${grouped(many)}`;
    if (document.activeElement !== pageBox) pageBox.value = String(Math.floor(wanted.offset / PAGE) + 1);
  }

  function heading(column) {
    const sorted = wanted.order === column.name;
    return el("th", { "aria-sort": sorted ? (wanted.down ? "descending" : "ascending") : null },
      el("button", { type: "button", class: "link", title: column.values.length ? t`one of ${column.values.join(", ")}` : column.type, onclick: () => {
        wanted = { ...wanted, order: column.name, down: sorted && !wanted.down, offset: 0 };
        load(false);
      } }, column.name, sorted ? (wanted.down ? " ↓" : " ↑") : ""), el("span", { class: "small soft" }, ` ${column.type}${column.required ? " *" : ""}`));
  }

  function line(row) {
    const cells = table.columns.map((column) => el("td", { class: NUMBERS.has(column.type) ? "number" : null },
      table.editable && column.editable && column.type !== "blob"
        ? el("button", { type: "button", class: "cell", "aria-label": t`${column.name} of row ${row._id}: change`, onclick: () => edit(row, column) }, shown(row[column.name]))
        : shown(row[column.name])));
    return el("tr", {}, cells, table.editable && el("td", {}, el("button", { type: "button", "aria-label": t`Remove row ${row._id}`, onclick: () => remove(row) }, "✕")));
  }

  function turn(by) {
    wanted = { ...wanted, offset: Math.max(0, wanted.offset + by) };
    grid.scrollTop = 0;
    return load();
  }

  function jump(event) {
    event.preventDefault();
    const last = Math.max(1, Math.ceil((total || 0) / PAGE));
    const number = Math.round(Number(pageBox.value.replaceAll(/[^0-9]/g, "")));
    wanted = { ...wanted, offset: (Math.min(Math.max(number || 1, 1), last) - 1) * PAGE };
    grid.scrollTop = 0;
    load(false);
  }

  // ── changing ──
  const renew = () => (isClosed ? undefined : load());

  async function edit(row, column) {
    let value = row[column.name];
    if (cut(value)) { // the page has only its beginning
      try {
        const [whole] = await shell.read("data/do", { op: "query", table: table.name, columns: [column.name], where: "_id = ?", args: [row._id], limit: 1 });
        value = whole?.[column.name] ?? null;
      } catch (error) {
        shell.toast(error.message, "bad");
        return;
      }
      if (isClosed) return;
    }
    const one = control(column, value);
    await shell.asking(t`${column.name} of row ${row._id}`, one.field, t("Save"), async () => {
      await change("update", { table: table.name, id: row._id, data: { [column.name]: one.read() } });
      renew();
    });
  }

  function add() {
    const columns = table.columns.filter((column) => column.editable && column.type !== "blob");
    const controls = columns.map((column) => [column.name, control(column, null, true)]);
    const data = () => Object.fromEntries(controls.filter(([, one]) => one.given()).map(([name, one]) => [name, one.read()]));
    return shell.asking(t`A new row of ${table.name}`, el("div", { class: "page" }, controls.map(([, one]) => one.field)), t("Add"), async () => {
      for (const [, one] of controls) one.input.removeAttribute("aria-invalid");
      try {
        await change("insert", { table: table.name, data: data() });
      } catch (error) {
        setTimeout(() => point(controls, table.name, error.message)); // once the dialog takes keys again
        throw error;
      }
      renew();
    });
  }

  async function remove(row) {
    if (!(await shell.confirm(t`Remove row ${row._id} of ${table.name}?`, t("Remove")))) return;
    try {
      await change("delete", { table: table.name, id: row._id });
      renew();
    } catch (error) {
      shell.toast(error.message, "bad");
    }
  }

  async function download(form) {
    try {
      const all = await everything();
      const names = table.columns.map((column) => column.name);
      const safe = (text) => (FORMULA.test(text) && !NUMBER.test(text) ? `'${text}` : text); // a spreadsheet would run it, and strangers may have written it
      const written = (text) => (text === "" || /[",\n\r]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);
      const cell = (value) => (value === null || value === undefined ? "" : typeof value === "string" ? written(safe(value)) : String(value));
      const text = form === "json" ? `${JSON.stringify(all, null, 2)}\n` : `${[names, ...all.map((row) => names.map((name) => row[name]))].map((line_) => line_.map(cell).join(",")).join("\n")}\n`;
      const link = el("a", { href: URL.createObjectURL(new Blob([text])), download: `${table.name}.${form}` });
      link.click();
      setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
    } catch (error) {
      shell.toast(error.message, "bad");
    }
  }

  // Rows may be so large that fewer of them fit into an answer. The file comes though the page be left.
  async function everything() {
    const all = [];
    for (let limit = EXPORT_PAGE; ;) {
      try {
        const part = await post("data/do", { op: "query", table: table.name, ...(hasId ? { order: "_id" } : {}), limit, offset: all.length });
        all.push(...part);
        if (part.length < limit) return all;
      } catch (error) {
        if (limit === 1 || !/ bytes; /.test(error.message)) throw error;
        limit = Math.ceil(limit / 4);
      }
    }
  }

  // ── live ──
  const looking = shell.renewals();
  async function look() {
    if (isClosed || !live.checked || document.hidden || unanswered || document.querySelector("dialog[open]")) return;
    const isNews = looking();
    try {
      const found = await shell.get("data/version");
      if (isClosed || !isNews()) return;
      const isFirst = version === null;
      const changed = found.version !== version;
      version = found.version;
      if (changed && !isFirst) await load(counted.took < QUICK_MS || performance.now() - counted.at > SLOW_COUNT_MS);
    } catch {
      // The sign of the connection tells when the peer is away.
    }
  }
  const timer = setInterval(look, LIVE_MS);
  look();

  paintChips();
  load();
  return () => {
    isClosed = true;
    clearInterval(timer);
  };
}
