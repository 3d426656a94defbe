// What poll.js asks of Goop.form, for the viewer of another program that lacks it. Loaded by sdk.js, there alone.

/** A form of one group of choices, as `Goop.form.render` makes it: its answer goes to `onSave`. */
export function render(el, { fields: [{ name, label, options }], values = {}, submitLabel = "Submit", onSave }) {
  const choice = ({ value, label: words }) => {
    const input = Object.assign(document.createElement("input"), { type: "radio", name, value, required: true, checked: values[name] === value });
    const text = document.createElement("label");
    text.append(input, ` ${words}`);
    return text;
  };
  const group = document.createElement("fieldset");
  group.append(Object.assign(document.createElement("legend"), { textContent: label }), ...options.map(choice));
  const status = document.createElement("p");
  status.setAttribute("role", "status");
  const made = document.createElement("form");
  made.append(group, Object.assign(document.createElement("button"), { textContent: submitLabel }), status);
  made.onsubmit = async (event) => {
    event.preventDefault();
    try {
      await onSave(Object.fromEntries(new FormData(made)));
    } catch (error) {
      status.textContent = error.message;
    }
  };
  el.replaceChildren(made);
}
