// The beginning of every goop-component-*.js: what components share. Served in front of each of them (web/http/assets.py), so that a page
// loads only those it uses; the first one defines it.
(function () {
  "use strict";
  const Goop = (globalThis.Goop = globalThis.Goop || {});
  Goop.ui = Goop.ui || {};
  if (Goop.component) return;

  const CONTROLS = "button, input, select, textarea";
  const FOCUSABLE = `a[href], ${CONTROLS}, summary, [tabindex]:not([tabindex="-1"]), [contenteditable="true"]`;
  const handles = new WeakMap(); // element → component's name → its handle: making one again ends the one before
  let ids = 0;

  /** The first element in `root`, else in the page, that `what` means: an element, or a selector. Null for none. */
  function find(root, what) {
    if (what instanceof Element) return what;
    if (typeof what !== "string" || !what) return null;
    return root.querySelector(what) || document.querySelector(what);
  }

  function elementOf(name, el) {
    const found = typeof el === "string" ? document.getElementById(el) || document.querySelector(el) : el;
    if (found instanceof Element) return found;
    throw new TypeError(`Goop.ui.${name} takes an element: ${typeof el === "string" ? `there is none for "${el}" in the page` : `${el} is none`}`);
  }

  /** An id for an element that has none: labels and descriptions need one. */
  function idOf(el) {
    if (!el.id) el.id = `gc-${++ids}`;
    return el.id;
  }

  /** One use of a component: its element and options, its parts, its listeners, and what ends it.
   *
   * `markup` is put into an element that has nothing in it. The part `prev` of "carousel" is what the option `prev` selects, else
   * `.gc-carousel-prev` in the element. */
  Goop.component = function (name, given, opts, markup = "") {
    const el = elementOf(name, given);
    const options = opts || {};
    const before = (handles.get(el) || {})[name];
    if (before) before.destroy();
    if (markup && !el.firstElementChild && !el.textContent.trim()) el.innerHTML = markup;
    const ends = new AbortController();
    const cleaning = [() => ends.abort()];
    const classOf = (part) => `.gc-${name}-${part.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
    const one = {
      el,
      options,
      disabled: false,
      part: (part) => (options[part] ? find(el, options[part]) : el.querySelector(classOf(part))),
      parts: (part, otherwise) => [...(options[part] ? el.querySelectorAll(options[part]) : el.querySelectorAll(otherwise || classOf(part)))],
      on(target, type, listener, more) {
        if (target) target.addEventListener(type, listener, { ...more, signal: ends.signal });
      },
      /** Something to do when the component ends. */
      after: (work) => cleaning.push(work),
      /** Tells the page of a new value: the event `change` with `detail`, and the option onChange. */
      changed(value, detail = { value }) {
        el.dispatchEvent(new CustomEvent("change", { bubbles: true, detail }));
        if (typeof options.onChange === "function") options.onChange(value);
      },
      handle(functions) {
        const handle = {
          el,
          setDisabled(isDisabled) {
            one.disabled = Boolean(isDisabled);
            el.classList.toggle(options.disabledClass || "gc-disabled", one.disabled);
            el.setAttribute("aria-disabled", String(one.disabled));
            for (const control of [el, ...el.querySelectorAll(CONTROLS)]) if (control.matches(CONTROLS)) control.disabled = one.disabled;
          },
          destroy() {
            for (const work of cleaning.splice(0)) work();
          },
          ...functions,
        };
        if (el.hasAttribute("aria-label") && !el.hasAttribute("role") && el.matches("div, span")) el.setAttribute("role", "group"); // else nobody is told the label
        handles.set(el, { ...handles.get(el), [name]: handle });
        if (options.disabled) handle.setDisabled(true);
        return handle;
      },
    };
    return one;
  };

  Object.assign(Goop.component, {
    find,
    idOf,
    focusable: (root) => [...root.querySelectorAll(FOCUSABLE)].filter((one) => !one.disabled && one.checkVisibility()),
    /** A plain element: tag, properties, children. */
    make(tag, properties = {}, ...children) {
      const made = Object.assign(document.createElement(tag), properties);
      made.append(...children);
      return made;
    },
    /** Classes of an option, which may name several. */
    classes: (names) => String(names || "").split(/\s+/).filter(Boolean),
    /** Does what a press does when an element that is no button is activated by a key. */
    pressable(one, el, work) {
      if (!el) return;
      one.on(el, "click", work);
      if (el.matches("button, a[href], summary")) return;
      el.tabIndex = 0;
      if (!el.hasAttribute("role")) el.setAttribute("role", "button");
      one.on(el, "keydown", (event) => {
        if (event.target !== el || !["Enter", " "].includes(event.key)) return;
        event.preventDefault();
        work(event);
      });
    },
    /** One of several elements takes the focus by Tab, and arrows, Home and End go to the others. `items` gives them as they are now. */
    rove(one, el, items, { vertical = false, columns = 1, onMove = () => {} } = {}) {
      const settle = (chosen) => items().forEach((item, at) => (item.tabIndex = chosen ? (item === chosen ? 0 : -1) : at ? -1 : 0));
      one.on(el, "keydown", (event) => {
        const all = items().filter((item) => !item.disabled);
        const at = all.indexOf(event.target.closest ? all.find((item) => item.contains(event.target)) : event.target);
        if (at < 0 || event.ctrlKey || event.metaKey || event.altKey) return;
        const steps = { ArrowRight: columns > 1 || !vertical ? 1 : 0, ArrowLeft: columns > 1 || !vertical ? -1 : 0, ArrowDown: columns > 1 ? columns : vertical ? 1 : 0, ArrowUp: columns > 1 ? -columns : vertical ? -1 : 0 };
        let to = event.key === "Home" ? 0 : event.key === "End" ? all.length - 1 : steps[event.key] ? at + steps[event.key] : -1;
        if (to === -1 && !steps[event.key]) return;
        event.preventDefault();
        if (columns > 1 && (to < 0 || to >= all.length)) return;
        to = (to + all.length) % all.length;
        settle(all[to]);
        all[to].focus();
        onMove(all[to]);
      });
      return settle;
    },
    /** Shows and hides something by a class of the page and by `hidden`, so that it works with the page's style and without. */
    setShown(el, isShown, { hiddenClass = "hidden", openClass = "" } = {}) {
      if (!el) return;
      el.hidden = !isShown;
      for (const name of Goop.component.classes(hiddenClass)) el.classList.toggle(name, !isShown);
      for (const name of Goop.component.classes(openClass)) el.classList.toggle(name, isShown);
    },
    /** Keeps Tab inside `el` while it is open, and gives the focus back: the function that ends it. */
    holdFocus(el, first) {
      const before = document.activeElement;
      const stay = (event) => {
        if (event.key !== "Tab") return;
        const all = Goop.component.focusable(el);
        if (!all.length) return event.preventDefault();
        const at = all.indexOf(document.activeElement);
        const to = event.shiftKey ? (at <= 0 ? all.length - 1 : -1) : at === all.length - 1 || at < 0 ? 0 : -1;
        if (to < 0) return;
        event.preventDefault();
        all[to].focus();
      };
      el.addEventListener("keydown", stay);
      const start = first || Goop.component.focusable(el)[0] || el;
      if (start === el && !el.hasAttribute("tabindex")) el.tabIndex = -1;
      start.focus();
      return () => {
        el.removeEventListener("keydown", stay);
        if (before && before.isConnected && before !== document.body) before.focus();
      };
    },
    /** A popup below what opens it: {open, close, toggle, isOpen}. Closes by Escape, by a press elsewhere, and when the focus leaves it. */
    popup(one, trigger, popup, { openClass = "open", onOpen = () => {}, onClose = () => {} } = {}) {
      let isOpen = false;
      const show = (shown) => {
        isOpen = shown;
        Goop.component.setShown(popup, shown);
        for (const name of Goop.component.classes(openClass)) one.el.classList.toggle(name, shown);
        if (trigger) trigger.setAttribute("aria-expanded", String(shown));
      };
      const open = () => {
        if (isOpen || one.disabled) return;
        show(true);
        onOpen();
      };
      const close = (back = false) => {
        if (!isOpen) return;
        show(false);
        if (back && trigger) trigger.focus();
        onClose();
      };
      show(false);
      if (trigger && popup) trigger.setAttribute("aria-controls", idOf(popup));
      // Before anything else that Escape closes, such as a dialog around it, and wherever the focus is.
      const escape = (event) => {
        if (event.key !== "Escape" || !isOpen) return;
        event.preventDefault();
        event.stopPropagation();
        close(true);
      };
      one.on(document, "keydown", escape, { capture: true });
      const isOutside = (target) => target instanceof Node && !one.el.contains(target) && !(popup && popup.contains(target));
      one.on(document, "pointerdown", (event) => isOutside(event.target) && close());
      one.on(one.el, "focusout", (event) => isOutside(event.relatedTarget) && close());
      return { open, close, toggle: () => (isOpen ? close(true) : open()), isOpen: () => isOpen };
    },
  });
})();
