// A new table: its name, its columns, and who may do what, as sentences.
import { el } from "../../shell/dom.js";
import { t } from "../../shell/text.js";
import { labelled, select } from "./fields.js";
import { word } from "./words.js";

const DEFAULTS = { read: "open", insert: "owner", update: "owner", delete: "owner" };

/** A select of the policies of an operation, as sentences. */
export const policyChoice = (choices, operation, chosen) => select(Object.entries(choices.policies[operation]).map(([policy, sentence]) => [policy, word(sentence)]), chosen);

/** The fields that describe a column; `read()` gives it as the peer takes it. */
export function columnFields(choices, removable = null) {
  const name = el("input", { autocomplete: "off", spellcheck: "false", placeholder: t("title") });
  const type = select(choices.types, "text");
  const required = el("input", { type: "checkbox" });
  const fallback = el("input", { autocomplete: "off", spellcheck: "false" });
  const values = el("input", { autocomplete: "off", spellcheck: "false", placeholder: t("new, old") });
  const valuesField = labelled(t("Its values, with commas between"), values);
  const showValues = () => { valuesField.hidden = type.value !== "enum"; };
  type.addEventListener("input", showValues);
  showValues();
  const field = el("div", { class: "new-column" }, labelled(t("Column"), name), labelled(t("Type"), type), labelled(t("Default"), fallback), valuesField,
    el("label", { class: "row small" }, required, t("must be there")), removable && el("button", { type: "button", class: "quiet", onclick: () => removable(field) }, t("Leave it out")));
  const read = () => {
    const isNumber = (type.value === "integer" || type.value === "real") && fallback.value.trim() !== "" && Number.isFinite(Number(fallback.value));
    return {
      name: name.value.trim(), type: type.value, ...(required.checked ? { required: true } : {}),
      ...(fallback.value === "" ? {} : { default: isNumber ? Number(fallback.value) : fallback.value }),
      ...(type.value === "enum" ? { values: values.value.split(",").map((one) => one.trim()).filter(Boolean) } : {}),
    };
  };
  return { field, read, name };
}

/** Asks for a table and makes it; promise of its name, "" when it was not made. */
export async function newTable(shell, choices) {
  const operations = Object.keys(choices.policies);
  const name = el("input", { autocomplete: "off", spellcheck: "false", placeholder: t("posts") });
  const columns = el("div", { class: "page" });
  let all = [];
  const addColumn = () => {
    const one = columnFields(choices, all.length ? (field) => {
      all = all.filter((each) => each.field !== field);
      field.remove();
    } : null);
    all.push(one);
    columns.append(one.field);
    return one;
  };
  addColumn();
  const policies = Object.fromEntries(operations.map((operation) => [operation, policyChoice(choices, operation, DEFAULTS[operation])]));
  const fields = el("div", { class: "page" }, labelled(t("Name of the table"), name), columns,
    el("p", {}, el("button", { type: "button", onclick: () => addColumn().name.focus() }, t("Another column"))),
    el("fieldset", { class: "page plain" }, el("legend", { class: "small soft" }, t("Who may do what")), operations.map((operation) => labelled(word(operation), policies[operation]))));
  let made = "";
  await shell.asking(t("A new table"), fields, t("Make it"), async () => {
    const access = Object.fromEntries(operations.map((operation) => [operation, policies[operation].value]));
    await shell.post("data/design", { change: "create", table: name.value.trim(), columns: all.map((one) => one.read()), access });
    made = name.value.trim();
  });
  return made;
}
