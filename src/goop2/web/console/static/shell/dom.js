// Elements from code. Text is always text, never HTML, so nothing a stranger wrote becomes part of the page.
const PROPERTIES = new Set(["value", "checked", "disabled", "hidden", "selected", "open", "indeterminate", "readOnly"]);

/**
 * An element: `el("button", { class: "main", onclick: save }, "Save")`. A prop `on…` is a listener; null and false leave an
 * attribute out, true sets it empty. Children are nodes, texts, arrays of these; null and false are left out.
 */
export function el(tag, props = {}, ...children) {
  const [name, space] = tag.split(":").reverse();
  const made = space ? document.createElementNS("http://www.w3.org/2000/svg", name) : document.createElement(name);
  for (const [key, value] of Object.entries(props || {})) {
    if (key.startsWith("on")) made.addEventListener(key.slice(2), value);
    else if (key === "style") Object.assign(made.style, value);
    else if (key === "dataset") Object.assign(made.dataset, value);
    else if (PROPERTIES.has(key)) made[key] = value;
    else if (value !== null && value !== undefined && value !== false) made.setAttribute(key, value === true ? "" : value);
  }
  made.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false));
  return made;
}

let ids = 0;
/** An id nobody else has, to tie a label to its control. */
export const freshId = (prefix) => `${prefix}-${++ids}`;
