// The owner's own SQL: it reads; it writes where that is switched on; how SQLite would do it; queries that are kept.
import { duration, grouped } from "../../shell/format.js";
import { many, t } from "../../shell/text.js";
import { labelled, select, shown } from "./fields.js";

const drafts = new Map(); // table → what stands in the box, as long as this tab is open

export function showSql(place, shell, page) {
  const { el } = shell;
  const key = page.table?.name || "";
  const start = page.table ? `SELECT * FROM "${page.table.name.replaceAll('"', '""')}" LIMIT 100` : "SELECT name FROM sqlite_schema";
  let isClosed = false;
  let saved = [];

  const box = el("textarea", { rows: 6, spellcheck: "false", autocomplete: "off", "aria-keyshortcuts": "Control+Enter", value: drafts.get(key) ?? start });
  const mayWrite = el("input", { type: "checkbox" });
  const kept = select([["", "…"]], "");
  const forget = el("button", { type: "button", class: "quiet", disabled: true, onclick: forgetQuery }, t("Forget it"));
  const answer = el("div", { class: "data-work", role: "region", "aria-label": t("Answer"), "aria-live": "polite" });
  box.addEventListener("input", () => drafts.set(key, box.value));
  box.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey)) return;
    event.preventDefault();
    run();
  });
  kept.addEventListener("input", () => {
    const found = saved.find((one) => one.name === kept.value);
    forget.disabled = !found;
    if (!found) return;
    box.value = found.sql;
    drafts.set(key, box.value);
  });

  place.replaceChildren(
    labelled(t("SQL, one statement"), box),
    el("div", { class: "row" }, el("button", { type: "button", class: "main", onclick: run }, t("Run")), el("button", { type: "button", onclick: explain }, t("Explain")),
      el("button", { type: "button", onclick: save }, t("Save query")), el("label", { class: "row small" }, mayWrite, t("Let it change rows")), el("span", { class: "small soft keys" }, el("kbd", {}, "Ctrl Enter"))),
    el("div", { class: "row saved-queries" }, labelled(t("Saved queries"), kept, { class: "field grow" }), forget),
    answer,
  );

  const asking = shell.choices();

  async function asked(work) {
    const isChosen = asking();
    answer.setAttribute("aria-busy", "true");
    try {
      const parts = await work();
      if (!isClosed && isChosen()) answer.replaceChildren(...parts);
    } catch (error) {
      if (!isClosed && isChosen()) answer.replaceChildren(el("p", { class: "level-error wrap", role: "alert" }, error.message));
    }
    if (!isClosed && isChosen()) answer.removeAttribute("aria-busy");
  }

  function run() { return asked(async () => {
    const sql = box.value;
    const writes = mayWrite.checked && !/^\s*(select|with|values|explain|pragma)\b/i.test(sql);
    const found = await (writes ? shell.post("data/sql", { sql, write: true }) : shell.read("data/sql", { sql }));
    if (found.changed !== null && found.changed !== undefined) {
      return [el("p", { role: "status" }, many(found.changed, "{0} row changed, in {1}.", "{0} rows changed, in {1}.", duration(found.milliseconds)))];
    }
    return [
      el("p", { class: "small soft", role: "status" }, many(found.rows.length, "{0} row, in {1}.", "{0} rows, in {1}.", duration(found.milliseconds)), found.more && [" ", t("There are more: “goop2 data DIR query” gives all.")]),
      el("div", { class: "grid", tabindex: "0", role: "region", "aria-label": t("Rows of the answer") }, el("table", {}, el("thead", {}, el("tr", {}, found.columns.map((name) => el("th", {}, name)))),
        el("tbody", {}, found.rows.map((row) => el("tr", {}, row.map((value) => el("td", { class: typeof value === "number" ? "number" : null }, shown(value)))))))),
    ];
  }); }

  function explain() { return asked(async () => {
    const steps = await shell.read("data/explain", { sql: box.value });
    return [el("ol", { class: "plan" }, steps.map((step) => el("li", { style: { marginLeft: `${step.depth * 1.2}rem` } }, step.text,
      /^SCAN /.test(step.text) ? el("span", { class: "badge warn" }, t("reads every row")) : null)))];
  }); }

  function paintSaved(chosen = "") {
    kept.replaceChildren(el("option", { value: "" }, saved.length ? t("Choose…") : t("none yet")), ...saved.map((one) => el("option", { value: one.name, selected: one.name === chosen }, one.name)));
    forget.disabled = !saved.some((one) => one.name === chosen);
  }

  function save() {
    const sql = box.value; // as it is now, whatever is typed while it is on its way
    const name = el("input", { autocomplete: "off", value: kept.value });
    return shell.asking(t("Save this query"), labelled(t("Its name"), name), t("Save"), async () => {
      saved = await shell.post("data/queries", { name: name.value, sql });
      if (!isClosed) paintSaved(name.value.trim());
    });
  }

  async function forgetQuery() {
    const name = kept.value;
    if (!(await shell.confirm(t`Forget the query “${name}”?`, t("Forget")))) return;
    try {
      saved = await shell.post("data/queries", { name });
      if (!isClosed) paintSaved();
    } catch (error) {
      shell.toast(error.message, "bad");
    }
  }

  paintSaved();
  shell.get("data/queries").then((found) => {
    saved = found;
    if (!isClosed) paintSaved(kept.value);
  }, (error) => shell.toast(error.message, "bad"));
  return () => { isClosed = true; };
}
