// Goop.ui.accordion(el): sections that open and close by their headers.
(function () {
  "use strict";
  const Goop = globalThis.Goop;
  const { classes, idOf, pressable } = Goop.component;

  /** accordion(el, {section, header, body, multi, openClass="open", sectionAttr="data-section", onChange}) → {open, close, getSection, getValue, …}.
   * A section is named by its attribute, or by its place. */
  Goop.ui.accordion = function (el, options = {}) {
    const one = Goop.component("accordion", el, options);
    const { multi = false, openClass = "open", sectionAttr = "data-section" } = options;
    const sections = () => one.parts("section", ".gc-accordion-section, [data-section]");
    const headerOf = (section) => section.querySelector(options.header || ".gc-accordion-header, button, h2, h3") || section.firstElementChild;
    // What is hidden: the body, or whatever else is in the section beside its header.
    const bodyOf = (section) => {
      const found = section.querySelector(options.body || ".gc-accordion-body");
      const head = [...section.children].find((child) => child.contains(headerOf(section)));
      return found ? [found] : [...section.children].filter((child) => child !== head);
    };
    const nameOf = (section) => section.getAttribute(sectionAttr) ?? String(sections().indexOf(section));
    const getSection = (name) => (name instanceof Element ? name : sections().find((section) => nameOf(section) === String(name)) || null);
    const isOpen = (section) => section.classList.contains(classes(openClass)[0]);
    const opened = () => sections().filter(isOpen).map(nameOf);
    const getValue = () => (multi ? opened() : (opened()[0] ?? null));

    function show(section, shown) {
      for (const name of classes(openClass)) section.classList.toggle(name, shown);
      headerOf(section).setAttribute("aria-expanded", String(shown));
      for (const body of bodyOf(section)) body.hidden = !shown;
    }
    function open(name) {
      const section = getSection(name);
      if (!section) return;
      if (!multi) sections().filter((other) => other !== section && isOpen(other)).forEach((other) => show(other, false));
      show(section, true);
    }
    const close = (name) => getSection(name) && show(getSection(name), false);
    function setValue(value) {
      for (const section of sections()) show(section, false);
      for (const name of [value].flat()) if (name !== null && name !== undefined) open(name);
    }

    for (const section of sections()) {
      const header = headerOf(section);
      const [body] = bodyOf(section);
      if (body) header.setAttribute("aria-controls", idOf(body));
      pressable(one, header, () => {
        if (one.disabled) return;
        isOpen(section) ? close(section) : open(section);
        one.changed(getValue());
      });
      show(section, isOpen(section));
    }
    if (options.value !== undefined) setValue(options.value);
    return one.handle({ open, close, getSection, getValue, setValue });
  };
})();
