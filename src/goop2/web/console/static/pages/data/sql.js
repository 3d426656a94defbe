// The owner's own SQL: it reads; it writes where that is switched on; how SQLite would do it; queries that are kept.
import { counted, duration, grouped } from "../../shell/format.js";
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
  const forget = el("button", { type: "button", class: "quiet", disabled: true, onclick: forgetQuery }, "Forget it");
  const answer = el("div", { class: "data-work", role: "region", "aria-label": "Answer", "aria-live": "polite" });
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
    labelled("SQL, one statement", box),
    el("div", { class: "row" }, el("button", { type: "button", class: "main", onclick: run }, "Run"), el("button", { type: "button", onclick: explain }, "Explain"),
      el("button", { type: "button", onclick: save }, "Save query"), el("label", { class: "row small" }, mayWrite, "Let it change rows"), el("span", { class: "small soft keys" }, el("kbd", {}, "Ctrl Enter"))),
    el("div", { class: "row saved-queries" }, labelled("Saved queries", kept, { class: "field grow" }), forget),
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
      return [el("p", { role: "status" }, `${counted(found.changed, "row")} changed, in ${duration(found.milliseconds)}.`)];
    }
    return [
      el("p", { class: "small soft", role: "status" }, `${counted(found.rows.length, "row")}${found.more ? ", and there are more: “goop2 data DIR query” gives all" : ""}, in ${duration(found.milliseconds)}.`),
      el("div", { class: "grid", tabindex: "0", role: "region", "aria-label": "Rows of the answer" }, el("table", {}, el("thead", {}, el("tr", {}, found.columns.map((name) => el("th", {}, name)))),
        el("tbody", {}, found.rows.map((row) => el("tr", {}, row.map((value) => el("td", { class: typeof value === "number" ? "number" : null }, shown(value)))))))),
    ];
  }); }

  function explain() { return asked(async () => {
    const steps = await shell.read("data/explain", { sql: box.value });
    return [el("ol", { class: "plan" }, steps.map((step) => el("li", { style: { marginLeft: `${step.depth * 1.2}rem` } }, step.text,
      /^SCAN /.test(step.text) ? el("span", { class: "badge warn" }, "reads every row") : null)))];
  }); }

  function paintSaved(chosen = "") {
    kept.replaceChildren(el("option", { value: "" }, saved.length ? "Choose…" : "none yet"), ...saved.map((one) => el("option", { value: one.name, selected: one.name === chosen }, one.name)));
    forget.disabled = !saved.some((one) => one.name === chosen);
  }

  function save() {
    const sql = box.value; // as it is now, whatever is typed while it is on its way
    const name = el("input", { autocomplete: "off", value: kept.value });
    return shell.asking("Save this query", labelled("Its name", name), "Save", async () => {
      saved = await shell.post("data/queries", { name: name.value, sql });
      if (!isClosed) paintSaved(name.value.trim());
    });
  }

  async function forgetQuery() {
    const name = kept.value;
    if (!(await shell.confirm(`Forget the query “${name}”?`, "Forget"))) return;
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
