// Columns and policies of a table: add, rename and drop columns, say who may do what, rename and drop the table.
import { t } from "../../shell/text.js";
import { labelled } from "./fields.js";
import { columnFields, policyChoice } from "./newtable.js";
import { word } from "./words.js";

export function showStructure(place, shell, page) {
  const { el } = shell;
  const { choices, table } = page;
  let isClosed = false;

  // What a change brings about besides is told; then the page shows the table as it is now.
  async function design(change, keys, done, name = table.name) {
    const { notes } = await shell.post("data/design", { change, table: table.name, ...keys });
    shell.toast([done, ...notes].join(". "));
    if (!isClosed) page.renew(name, "structure");
  }

  const own = table.columns.filter((column) => !column.name.startsWith("_"));
  const columns = el("div", { class: "grid", tabindex: "0", role: "region", "aria-label": t`Columns of ${table.name}` }, el("table", {},
    el("thead", {}, el("tr", {}, [t("Column"), t("Type"), t("Must be there"), t("Default"), t("Values")].map((name) => el("th", {}, name)), el("th", {}, el("span", { class: "unseen" }, t("Change"))))),
    el("tbody", {}, own.map((column) => el("tr", {}, el("td", { class: "mono" }, column.name, column.key ? el("span", { class: "badge" }, t("key")) : null), el("td", {}, column.type),
      el("td", {}, column.required ? t("yes") : ""), el("td", {}, column.default === null ? "" : String(column.default)), el("td", {}, column.values.join(", ")),
      el("td", {}, el("div", { class: "row" }, el("button", { type: "button", "aria-label": t`Rename column ${column.name}`, onclick: () => renameColumn(column) }, t("Rename")),
        el("button", { type: "button", class: "danger", "aria-label": t`Drop column ${column.name}`, onclick: () => dropColumn(column) }, t("Drop")))))))));

  const policies = Object.fromEntries((table.kind === "typed" ? Object.keys(choices.policies) : ["insert"]).map((operation) => [operation, policyChoice(choices, operation, table.policies[operation])]));
  const refused = el("p", { class: "small level-error wrap", role: "alert" });
  const access = el("form", { class: "page policies", onsubmit: savePolicies }, el("h3", {}, t("Who may do what")),
    table.kind === "unregistered" ? el("p", { class: "small soft" }, t("Nobody but you, as long as it is in no registry. To choose a policy registers it, where it has the columns of a site’s table.")) : null,
    Object.entries(policies).map(([operation, choice]) => labelled(word(operation), choice)), refused, el("p", {}, el("button", {}, t("Save who may do what"))));

  place.replaceChildren(...[columns, el("div", { class: "row" },
    el("button", { type: "button", onclick: addColumn }, t("Add a column")), el("button", { type: "button", onclick: renameTable }, t("Rename the table")),
    el("button", { type: "button", class: "danger", onclick: dropTable }, t("Drop the table"))), table.kind === "unreadable" ? null : access].filter(Boolean));

  async function savePolicies(event) {
    event.preventDefault();
    refused.textContent = "";
    const changed = Object.fromEntries(Object.entries(policies).map(([operation, choice]) => [operation, choice.value]).filter(([operation, policy]) => policy !== table.policies[operation] || table.kind !== "typed"));
    if (!Object.keys(changed).length) { refused.textContent = t("Nothing was changed."); return; }
    try {
      await design("allow", { policies: changed }, t("Saved"));
    } catch (error) {
      if (!isClosed) refused.textContent = error.message;
      else shell.toast(error.message, "bad");
    }
  }

  function addColumn() {
    const one = columnFields(choices);
    return shell.asking(t`A new column of ${table.name}`, one.field, t("Add it"), () => design("add-column", { column: one.read() }, t`${table.name}.${one.read().name} is there`));
  }

  function renameColumn(column) {
    const name = el("input", { value: column.name, autocomplete: "off", spellcheck: "false" });
    const fields = el("div", { class: "page" }, labelled(t("New name"), name), el("p", { class: "small soft" }, t("Scripts and pages that use the old name are not changed.")));
    return shell.asking(t`Rename ${table.name}.${column.name}`, fields, t("Rename it"), () => design("rename-column", { column: column.name, new: name.value.trim() }, t`It is ${name.value.trim()} now`));
  }

  function renameTable() {
    const name = el("input", { value: table.name, autocomplete: "off", spellcheck: "false" });
    const fields = el("div", { class: "page" }, labelled(t("New name"), name), el("p", { class: "small soft" }, t("Scripts and pages that use the old name are not changed.")));
    return shell.asking(t`Rename ${table.name}`, fields, t("Rename it"), () => design("rename", { new: name.value.trim() }, t`It is ${name.value.trim()} now`, name.value.trim()));
  }

  // What goes for good wants its name typed once more.
  function confirming(title, what, name, change, keys, after) {
    const typed = el("input", { autocomplete: "off", spellcheck: "false" });
    const fields = el("div", { class: "page" }, el("p", {}, what), labelled(t`Type ${name} to go on`, typed));
    return shell.asking(title, fields, t("Drop it"), () => design(change, { ...keys, confirm: typed.value.trim() }, t`${name} is gone`, after));
  }

  function dropColumn(column) {
    return confirming(t`Drop ${table.name}.${column.name}?`, t("What stands in it in every row goes too, for good."), column.name, "drop-column", { column: column.name }, table.name);
  }

  function dropTable() {
    return confirming(t`Drop ${table.name}?`, t("All its rows go too, for good. “goop2 data DIR backup FILE” keeps a copy first."), table.name, "drop", {}, "");
  }

  return () => { isClosed = true; };
}
