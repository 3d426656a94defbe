// Partials: HTML files of the site with {{names}}. A name's value is escaped; only {{{three}}} braces put in HTML as it is.
(function () {
  "use strict";
  const Goop = globalThis.Goop;
  const ELEMENTS = Goop.list; // of the files loaded before
  const BLOCK = /\{\{#(if|unless|each)\s+([^}\s]+)\s*\}\}([\s\S]*?)\{\{\/\1\}\}/;
  const NAME = /\{\{\{\s*([^{}]+?)\s*\}\}\}|\{\{\s*([^{}#/]+?)\s*\}\}/g;
  const FIRST_PEER = /^\/p\/[^/]+\//;
  const partials = new Map(); // name → promise of its text

  const escaped = (value) => String(value).replace(/[&<>"']/g, (one) => `&#${one.charCodeAt(0)};`);
  const isTrue = (value) => !(value === null || value === undefined || value === false || value === 0 || value === "" || (Array.isArray(value) && !value.length));
  const own = (data, key) => (data !== null && data !== undefined && Object.hasOwn(Object(data), key) ? data[key] : undefined);
  const look = (data, path) => (path === "." || path === "this" ? data["."] ?? data : path.replace(/^@/, "_").split(".").reduce(own, data));

  function each(rows, body) {
    const isRow = (row) => row !== null && typeof row === "object" && !Array.isArray(row);
    return [...(rows || [])].map((row, index) => fill(body, isRow(row) ? { ...row, _index: index } : { ".": row, _index: index })).join("");
  }

  // Blocks first, from the left; what they give is not looked at again, so that a value with braces stays a value.
  function fill(text, data) {
    const block = BLOCK.exec(text);
    if (block) {
      const [whole, kind, path, body] = block;
      const value = look(data, path);
      const inside = kind === "each" ? each(value, body) : isTrue(value) === (kind === "if") ? fill(body, data) : "";
      return fill(text.slice(0, block.index), data) + inside + fill(text.slice(block.index + whole.length), data);
    }
    return text.replace(NAME, (_, raw, name) => {
      const value = look(data, raw || name);
      if (value === null || value === undefined || typeof value === "function") return "";
      return raw ? String(value) : escaped(typeof value === "object" ? (value["."] ?? "") : value);
    });
  }

  function load(name) {
    if (!partials.has(name)) {
      const site = (FIRST_PEER.exec(location.pathname) || ["/"])[0];
      const asked = fetch(`${site}partials/${name.split("/").map(encodeURIComponent).join("/")}.html`).then((answer) => {
        if (!answer.ok) throw new Error(`there is no partial "${name}": the site has no partials/${name}.html`);
        return answer.text();
      });
      asked.catch(() => partials.delete(name)); // it is asked again next time
      partials.set(name, asked);
    }
    return partials.get(name);
  }

  /** The element that partials/NAME.html makes with `data`; several roots come in a div. */
  Goop.partial = async function (name, data = {}) {
    const holder = document.createElement("template");
    holder.innerHTML = fill(await load(name), data).trim();
    const { children, textContent } = holder.content;
    const isAlone = children.length === 1 && [...holder.content.childNodes].every((node) => node === children[0] || (node.nodeType === Node.COMMENT_NODE) || !node.textContent.trim());
    if (isAlone) return document.importNode(children[0], true);
    const several = document.createElement("div");
    several.append(children.length ? document.importNode(holder.content, true) : textContent);
    return several;
  };

  /** Loads partials before they are used. */
  Goop.preload = (...names) => Promise.all(names.flat().map(load));

  /** One partial a row: list(el, rows, "card", {empty, emptyClass}) → promise. With a function as before. */
  Goop.list = function (el, rows, what, options = {}) {
    if (typeof what !== "string") {
      if (ELEMENTS) return ELEMENTS(el, rows, what, options);
      throw new TypeError("Goop.list with a function needs goop-component-base.js or goop-data.js: load it before goop-component-template.js");
    }
    const all = rows || [];
    return Promise.all(all.map((row, index) => Goop.partial(what, row !== null && typeof row === "object" ? { _index: index, ...row } : { ".": row, _index: index }))).then((made) => {
      el.replaceChildren(...made);
      if (made.length || !options.empty) return el;
      const none = Object.assign(document.createElement("div"), { className: options.emptyClass || "gc-empty", textContent: options.empty });
      el.append(options.empty instanceof Node ? options.empty : none);
      return el;
    });
  };
})();
