// Elements without HTML in strings (Goop.dom, Goop.render, Goop.list), and small parts of a page.
(function () {
  "use strict";
  const Goop = globalThis.Goop;
  const t = Goop.text;
  const { classes } = Goop.component;
  const SECOND = 1000;
  const AGES = [[60, "s"], [60, "m"], [24, "h"], [7, "d"]]; // how many of one make the next
  const AGO = { s: () => t("just now"), m: (age) => t("{0}m ago", age), h: (age) => t("{0}h ago", age), d: (age) => t("{0}d ago", age) };
  const OLDER = Goop.list; // of the files loaded before

  function append(el, children) {
    for (const child of children.flat(Infinity)) {
      if (child !== null && child !== undefined && child !== true && child !== false) el.append(child instanceof Node ? child : String(child));
    }
    return el;
  }

  function set(el, name, value) {
    if (value === null || value === undefined || value === false) return;
    if (typeof value === "function") el.addEventListener(name.replace(/^on/, "").toLowerCase(), value);
    else if (name === "class" || name === "className") el.className = Array.isArray(value) ? value.filter(Boolean).join(" ") : value;
    else if (name === "data") for (const [key, one] of Object.entries(value)) el.setAttribute(`data-${key.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`, one);
    else if (name === "style" && typeof value === "object") for (const [key, one] of Object.entries(value)) key.startsWith("--") ? el.style.setProperty(key, one) : (el.style[key] = one);
    else if (name === "value" && "value" in el) el.value = value;
    else el.setAttribute(name, value === true ? "" : value);
  }

  /** An element: dom("button", {class: "go", click: work, data: {id: 7}}, "Go"). null and false are left out. */
  Goop.dom = function (tag, attributes, ...children) {
    const isChild = attributes instanceof Node || Array.isArray(attributes) || (attributes !== null && attributes !== undefined && typeof attributes !== "object");
    const el = document.createElement(tag);
    append(el, isChild ? [attributes, ...children] : children);
    if (!isChild) for (const [name, value] of Object.entries(attributes || {})) set(el, name, value);
    return el;
  };

  /** Puts these children into the element, in the place of what is there. */
  Goop.render = function (el, ...children) {
    el.replaceChildren();
    return append(el, children);
  };

  /** One child a row, as `fn(row, index)` gives it, a node or a text; `empty` (text, node or function) where there is no row. */
  Goop.list = function (el, rows, fn, options = {}) {
    // The buttons of goop-data.js, and the partials of goop-component-template.js.
    if (OLDER && (typeof fn === "string" || options.actions || options.onRow)) return OLDER(el, rows, fn, options);
    const all = rows || [];
    if (all.length) return Goop.render(el, all.map((row, index) => fn(row, index)));
    const empty = typeof options.empty === "function" ? options.empty() : options.empty;
    if (empty instanceof Node || !empty) return Goop.render(el, empty);
    return Goop.render(el, Goop.ui.empty(empty, { class: options.emptyClass }));
  };

  const instant = (time) => {
    const text = String(time);
    if (time instanceof Date || typeof time === "number") return new Date(time).getTime();
    if (/^\d+$/.test(text)) return Number(text);
    return new Date(/^\d{4}-\d\d-\d\d \d\d:\d\d/.test(text) ? `${text.replace(" ", "T")}Z` : text).getTime();
  };

  Object.assign(Goop.ui, {
    /** "Nothing here" of a list: a text, with an icon where one is given. */
    empty(message, { class: name = "gc-empty", icon, iconClass = "gc-empty-icon" } = {}) {
      return Goop.dom("div", { class: name || "gc-empty" }, icon && Goop.dom("span", { class: iconClass, "aria-hidden": "true" }, icon), message);
    },
    /** "Still loading". */
    loading(message = t("Loading…"), { class: name = "gc-loading", spinnerClass = "gc-spinner" } = {}) {
      return Goop.dom("div", { class: name, role: "status" }, Goop.dom("span", { class: spinnerClass, "aria-hidden": "true" }), message);
    },
    /** How long ago: "just now", "5m ago", "3h ago", "2d ago", then the date. Takes milliseconds, a Date, or the text of a UTC time. */
    time(when) {
      const then = instant(when);
      if (when === null || when === undefined || when === "" || Number.isNaN(then)) return when ? String(when) : "";
      let age = Math.floor((Date.now() - then) / SECOND);
      for (const [most, unit] of AGES) {
        if (age < most) return AGO[unit](age);
        age = Math.floor(age / most);
      }
      return new Date(then).toLocaleDateString(undefined, { year: "numeric", month: "short", day: "numeric" });
    },
    /** The picture of a peer. */
    avatar(peerId, { size = 24, class: name = "gc-avatar", alt = "" } = {}) {
      return Goop.dom("img", { class: name, src: `/api/avatar/peer/${encodeURIComponent(peerId)}`, width: size, height: size, alt, loading: "lazy" });
    },
    /** Columns side by side: {col({class}) → an element, clear(), el}. */
    grid(el) {
      el.classList.add("gc-grid");
      return {
        el,
        col: ({ class: name = "" } = {}) => el.appendChild(Goop.dom("div", { class: ["gc-col", ...classes(name)] })),
        clear: () => el.replaceChildren(),
      };
    },
    /** "dark" or "light": what the page says of itself, else what the viewer's system prefers. */
    theme() {
      const said = document.documentElement.dataset.theme || (document.body && document.body.dataset.theme);
      return said || (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light");
    },
  });
})();
