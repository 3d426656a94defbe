// A file of rows: chosen, shown with what would become of its columns, checked, and added.
import { upload as send } from "../../shell/api.js";
import { el } from "../../shell/dom.js";
import { bytes } from "../../shell/format.js";
import { many, t } from "../../shell/text.js";
import { labelled, select } from "./fields.js";

const BEGINNING_BYTES = 1_000_000; // from which the columns are guessed
const PART_BYTES = 4_000_000;
const ASK_MS = 300;
const NEW = "";
const FORMS = { csv: "csv", tsv: "csv", txt: "csv", json: "json", jsonl: "json", ndjson: "json" };

const nameOf = (file) => file.name.replace(/\.[^.]*$/, "").replace(/[^A-Za-z0-9_]+/g, "_").replace(/^[^A-Za-z]+/, "").slice(0, 63) || "imported";

/** Asks for a file and a table, and imports; promise of the table's name, "" when nothing was added. */
export async function importFile(shell, choices, tables, into) {
  const possible = tables.filter((one) => one.editable);
  const fileBox = el("input", { type: "file", accept: ".csv,.tsv,.txt,.json,.jsonl,.ndjson" });
  const tableChoice = select([[NEW, t("A new table")], ...possible.map((one) => one.name)], possible.some((one) => one === into) ? into.name : NEW);
  const nameBox = el("input", { autocomplete: "off", spellcheck: "false" });
  const nameField = labelled(t("Name of the new table"), nameBox);
  const passOver = el("input", { type: "checkbox" });
  const shown = el("div", { class: "page", "aria-live": "polite" });
  const progress = el("progress", { max: 100, hidden: true, "aria-label": t("How far the import is") });
  const told = el("p", { class: "small", role: "status" });
  let names = {}; // column of the file → column of the table, as the owner chose
  let types = {};
  let newest = 0;
  let running = ""; // id of the import that is under way
  let left = false;

  const isNew = () => tableChoice.value === NEW;
  const plan = () => ({ table: isNew() ? nameBox.value.trim() : tableChoice.value, create: isNew(), names, types: isNew() ? types : {}, pass_over: passOver.checked });
  const form = (file) => FORMS[file.name.toLowerCase().split(".").pop()] || "csv";

  async function look() {
    const mine = ++newest;
    nameField.hidden = !isNew();
    const [file] = fileBox.files;
    if (!file) { shown.replaceChildren(); return; }
    try {
      const beginning = file.slice(0, BEGINNING_BYTES);
      const asked = new URLSearchParams({ form: form(file), plan: JSON.stringify(plan()), partial: String(file.size > BEGINNING_BYTES) });
      const found = await send(`data/import/preview?${asked}`, beginning);
      if (mine === newest) paint(file, found);
    } catch (error) {
      if (mine === newest) shown.replaceChildren(el("p", { class: "small level-error wrap" }, error.message));
    }
  }

  function paint(file, found) {
    const held = document.activeElement?.getAttribute("aria-label");
    shown.replaceChildren(...[
      el("p", { class: "small soft" }, t`${file.name}, ${bytes(file.size)}. Its columns, and where they go:`),
      el("div", { class: "grid import-columns", tabindex: "0", role: "region", "aria-label": t("Columns of the file") }, el("table", {},
        el("thead", {}, el("tr", {}, [t("In the file"), t("In the table"), t("Type"), t("First values")].map((one) => el("th", {}, one)))),
        el("tbody", {}, found.columns.map((column, place) => columnLine(column, found.rows.map((row) => row[place])))))),
      found.problem && el("p", { class: "small level-error wrap" }, found.problem),
      found.faults.length ? el("ul", { class: "small level-warn wrap" }, found.faults.map((fault) => el("li", {}, `${fault.place}: ${fault.message}`))) : null,
    ].filter(Boolean));
    if (held) [...shown.querySelectorAll("[aria-label]")].find((one) => one.getAttribute("aria-label") === held)?.focus();
  }

  function columnLine(column, values) {
    const table = tables.find((one) => one.name === tableChoice.value);
    const target = isNew()
      ? el("input", { "aria-label": t`Name of ${column.source}`, value: column.name, autocomplete: "off", spellcheck: "false", placeholder: t("left out") })
      : select([["", t("left out")], ...table.columns.filter((one) => one.editable).map((one) => one.name)], column.name, { "aria-label": t`Column for ${column.source}` });
    target.addEventListener("change", () => { names = { ...names, [column.source]: target.value.trim() }; look(); });
    const type = isNew() && column.name ? select(choices.types.filter((one) => one !== "enum"), column.type, { "aria-label": t`Type of ${column.source}` }) : null;
    type?.addEventListener("change", () => { types = { ...types, [column.source]: type.value }; look(); });
    return el("tr", {}, el("td", { class: "mono" }, column.source || t("(no name)")), el("td", {}, target, column.why ? el("span", { class: "small soft" }, ` ${column.why}`) : null),
      el("td", {}, type || column.type), el("td", { class: "small soft" }, values.map((one) => (one === null ? "NULL" : one)).join(" · ")));
  }

  fileBox.addEventListener("change", () => {
    [names, types] = [{}, {}];
    if (isNew() && fileBox.files[0]) nameBox.value = nameOf(fileBox.files[0]);
    look();
  });
  tableChoice.addEventListener("change", () => { [names, types] = [{}, {}]; look(); });
  nameBox.addEventListener("change", look);
  nameField.hidden = !isNew();

  const wait = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));

  async function bring() {
    const [file] = fileBox.files;
    if (!file) throw new Error(t("Choose a file first."));
    const wanted = plan();
    if (!wanted.table) throw new Error(t("Name the new table."));
    progress.hidden = false;
    try {
      const begun = await send("data/import/begin", "{}");
      running = begun.id;
      for (let at = 0; at < file.size; at += PART_BYTES) {
        if (left) throw new Error(t("The import was stopped."));
        await send(`data/import/part?${new URLSearchParams({ id: running, at })}`, file.slice(at, at + PART_BYTES));
        tell("receiving", at / file.size, 0);
      }
      await shell.post("data/import/start", { id: running, form: form(file), plan: wanted });
      return await ended(wanted.table);
    } finally {
      running = "";
      progress.hidden = true;
    }
  }

  const WORDS = { receiving: t("Sending the file…"), check: t("Checking every row"), add: t("Adding rows") };
  const SHARES = { receiving: [0, 20], check: [20, 50], add: [50, 100] };
  function tell(stage, part, rows) {
    const [from, to] = SHARES[stage];
    progress.value = from + (to - from) * part;
    told.textContent = rows ? `${WORDS[stage]}: ${many(rows, "{0} row", "{0} rows")}` : WORDS[stage];
  }

  async function ended(table) {
    for (;;) {
      const state = await shell.get(`data/import/state?id=${running}`);
      if (state.stage in SHARES) tell(state.stage, state.bytes_all ? state.bytes_read / state.bytes_all : 0, state.rows);
      else if (state.stage === "done") {
        const added = many(state.rows, "{0} row added to {1}", "{0} rows added to {1}", table);
        shell.toast(state.wrong ? `${added}, ${many(state.wrong, "{0} wrong one passed over", "{0} wrong ones passed over")}` : added);
        return table;
      } else {
        told.textContent = "";
        shown.append(el("ul", { class: "small level-warn wrap kept" }, state.faults.map((fault) => el("li", {}, `${fault.place}: ${fault.message}`))));
        throw new Error(state.message);
      }
      await wait(ASK_MS);
    }
  }

  const fields = el("div", { class: "page wide-dialog" }, labelled(t("File, CSV or JSON"), fileBox), labelled(t("Into"), tableChoice), nameField, shown,
    el("label", { class: "row small" }, passOver, t("Pass over wrong rows; else one of them keeps all from being added")), progress, told);
  const stop = () => running && send("data/import/stop", JSON.stringify({ id: running })).catch(() => {});
  shell.atEnd(stop);
  let done = "";
  const agreed = await shell.asking(t("Import rows"), fields, t("Import"), async () => {
    const name = await bring();
    done = name;
  });
  left = true;
  if (!agreed) stop(); // the dialog was left meanwhile
  return done;
}
