// Controls for the values of columns, and how values are shown.
import { el, freshId } from "../../shell/dom.js";
import { bytes } from "../../shell/format.js";
import { t } from "../../shell/text.js";

export const NUMBERS = new Set(["integer", "real"]);

const isCut = (value) => value !== null && typeof value === "object" && "text" in value;
const isBytes = (value) => value !== null && typeof value === "object" && "bytes" in value;

/** Whether a page of rows has only the beginning of the value. */
export const cut = isCut;

/** A value as a cell shows it. */
export function shown(value) {
  if (value === null || value === undefined) return el("span", { class: "soft" }, "NULL");
  if (isBytes(value)) return el("span", { class: "soft" }, bytes(value.bytes));
  if (isCut(value)) return `${value.text}…`;
  return String(value); // a year or a code has no separators; counts do
}

/** What a value is called where it is chosen from a list. */
export const named = (value) => (value === null ? "NULL" : value === "" ? t("(empty)") : isBytes(value) ? bytes(value.bytes) : isCut(value) ? `${value.text}…` : String(value));

/**
 * A control for a column's value: `field` to show, `read()` its value, `given()` whether there is one. A number where the column holds one,
 * null where NULL is ticked; what must be there has no NULL to tick. `fresh`: of a new row, where what is not touched is not given.
 */
export function control(column, value, fresh = false) {
  const id = freshId("value");
  const isNull = value === null || value === undefined;
  const text = isNull ? "" : String(value);
  const none = column.required ? null : el("input", { type: "checkbox", id: `${id}-null`, checked: isNull });
  const fallback = column.default === null || column.default === undefined ? column.auto ? t("made by itself") : "" : t`${column.default} by itself`;
  const hint = fresh && fallback ? fallback : null;
  let touched = false;
  const input = column.values.length
    ? el("select", { id }, fresh && column.required ? el("option", { value: "" }, hint || t("Choose…")) : null,
      column.values.map((one) => el("option", { value: one, selected: one === text && !isNull }, one)))
    : column.type === "text" ? el("textarea", { id, rows: 4, value: text, placeholder: hint })
      : el("input", { id, value: text, autocomplete: "off", spellcheck: "false", placeholder: hint });
  input.addEventListener("input", () => {
    touched = true;
    if (none) none.checked = false;
  });
  const label = column.required ? t`${column.name}, ${column.type}, must be there` : `${column.name}, ${column.type}`;
  const field = el("div", {}, el("label", { class: "field", for: id }, label, input), none && el("label", { class: "row small" }, none, "NULL"));
  const read = () => {
    if (none?.checked) return null;
    const number = Number(input.value);
    const exact = column.type === "integer" ? Number.isSafeInteger(number) : Number.isFinite(number); // beyond 2^53 the text is the exact one
    return NUMBERS.has(column.type) && input.value.trim() !== "" && exact ? number : input.value;
  };
  const given = () => (none ? !none.checked : !fresh || (touched && !(column.values.length && input.value === "")));
  return { field, input, read, given };
}

/** Moves the focus to the control a refusal is about: `posts.title is required`. */
export function point(controls, table, message) {
  const found = controls.find(([name]) => message.startsWith(`${table}.${name} `));
  if (!found) return;
  found[1].input.setAttribute("aria-invalid", "true");
  found[1].input.focus();
}

/** A labelled control. */
export function labelled(name, input, props = {}) {
  input.id ||= freshId("field");
  return el("div", { class: "field", ...props }, el("label", { for: input.id }, name), input);
}

/** A select of `options`: texts, or [value, text]. */
export const select = (options, chosen, props = {}) => el("select", props,
  options.map((one) => { const [value, text] = Array.isArray(one) ? one : [one, one]; return el("option", { value, selected: value === chosen }, text); }));
