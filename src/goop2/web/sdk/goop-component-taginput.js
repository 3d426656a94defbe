// Goop.ui.taginput(el): a list of short texts. Enter or a comma adds one; Backspace in the empty field removes the last.
(function () {
  "use strict";
  const Goop = globalThis.Goop;
  const t = Goop.text;
  const { idOf, make } = Goop.component;
  const MARKUP = `<span class="gc-taginput-tags"></span><input class="gc-taginput-input" placeholder="${t("Add…")}" autocomplete="off">`;

  /** taginput(el, {value, max, suggestions, allowDuplicates, input, tags, tagClass, onChange}) → {getValue, setValue, addTag, setSuggestions, …}. */
  Goop.ui.taginput = function (el, options = {}) {
    const one = Goop.component("taginput", el, options, MARKUP);
    const input = one.part("input") || one.el.querySelector("input") || one.el.appendChild(make("input", { className: "gc-taginput-input" }));
    const { max = 0, allowDuplicates = false, tagClass = "gc-taginput-tag", removeClass = "gc-taginput-remove" } = options;
    const holder = one.part("tags") || one.el.insertBefore(make("span", { className: "gc-taginput-tags" }), input.parentNode === one.el ? input : one.el.firstChild);
    const known = make("datalist");
    let tags = [];
    if (!input.labels?.length && !input.hasAttribute("aria-label")) input.setAttribute("aria-label", one.el.getAttribute("aria-label") || t("Add a tag"));

    function draw() {
      holder.replaceChildren(
        ...tags.map((text, index) => {
          const remove = make("button", { type: "button", className: removeClass, textContent: "×", onclick: () => removeTag(index) });
          remove.setAttribute("aria-label", t("Remove {0}", text));
          return make("span", { className: tagClass }, text, remove);
        }),
      );
      input.disabled = one.disabled || (max > 0 && tags.length >= max);
    }
    const textsOf = (value) => (Array.isArray(value) ? value : String(value ?? "").split(",")).map((text) => String(text).trim()).filter(Boolean);
    function setValue(value) {
      const texts = textsOf(value);
      tags = (allowDuplicates ? texts : [...new Set(texts)]).slice(0, max || undefined);
      draw();
    }
    /** Adds a text; false when there is no room, or it is there already. */
    function addTag(text) {
      const tag = String(text ?? "").trim();
      if (!tag || (max > 0 && tags.length >= max) || (!allowDuplicates && tags.includes(tag))) return false;
      tags.push(tag);
      draw();
      one.changed([...tags]);
      return true;
    }
    function removeTag(index) {
      if (one.disabled) return;
      tags.splice(index, 1);
      draw();
      one.changed([...tags]);
      input.focus();
    }
    function setSuggestions(list) {
      known.replaceChildren(...(list || []).map((text) => make("option", { value: text })));
      if (!(list || []).length) return known.remove();
      one.el.append(known);
      input.setAttribute("list", idOf(known));
    }
    function take() {
      const texts = textsOf(input.value);
      input.value = "";
      texts.forEach(addTag);
    }

    one.on(input, "keydown", (event) => {
      if (event.isComposing) return;
      if (event.key === "Enter" || event.key === ",") {
        event.preventDefault();
        take();
      } else if (event.key === "Backspace" && !input.value && tags.length) removeTag(tags.length - 1);
    });
    one.on(input, "input", () => input.value.includes(",") && take()); // phones give no key for a comma
    one.on(input, "change", (event) => event.stopPropagation());
    one.on(input, "blur", take);
    one.on(one.el, "click", (event) => event.target === one.el && input.focus());
    one.after(() => known.remove());
    setValue(options.value);
    setSuggestions(options.suggestions);
    return one.handle({ getValue: () => [...tags], setValue, addTag, setSuggestions });
  };
})();
