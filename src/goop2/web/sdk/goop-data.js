// Goop.data: the peer's data functions and tables. Beside it what pages of Goop2 need at every turn: Goop.peer, esc, date, overlay and list.
(function () {
  "use strict";
  const Goop = globalThis.Goop;
  const t = Goop.text;
  const { ANY, LIST, NAME, PARAMS, ROW, TEXT, WHOLE, isOfForm, maybe, options, quoted, refuse } = Goop.kinds;
  const data = (op, body) => Goop.request(`data/${op}`, body);

  // What rows are asked for by. Counting takes the same, so that one object will do for a page of rows and their number.
  const QUERY = { columns: LIST, fields: LIST, where: TEXT, args: LIST, order: TEXT, limit: WHOLE, offset: WHOLE };
  const ROWS = options(QUERY);
  const asked = (table, { fields, ...others }) => ({ table, columns: fields, ...others });
  const SENT_AS = { row: "data", changes: "data", key: "key_col" };

  // Older peers answer a number, a yes or no, and a list of columns; newer ones an object with it.
  const inside = (key) => (given) => (given && typeof given === "object" && !Array.isArray(given) ? given[key] : given);
  const columnsOf = (answer) => {
    if (Array.isArray(answer)) return answer;
    const columns = answer.columns || (answer.schema ? answer.schema.columns : []);
    return Object.assign(columns, { mode: answer.mode, schema: answer.schema, columns: [...columns] });
  };

  /** Asks for the operation `op` of a table, with the arguments `more` has kinds for. */
  const ofTable = (name, op, more = {}, read = (answer) => answer) =>
    Goop.asks(`data.${name}`, { table: NAME, ...more }, async (table, ...values) => {
      const body = { table };
      for (const [place, key] of Object.keys(more).entries()) {
        if (key === "options") Object.assign(body, values[place]);
        else body[SENT_AS[key] || key] = values[place];
      }
      if (isOfForm(body.data)) body.data = await numbered(table, body.data);
      return read(await data(op, body));
    });

  // A form holds texts alone: where a column takes numbers, the text of one becomes it, and a field that was left empty no value.
  async function numbered(table, row) {
    const columns = await data("tables/describe", { table }).then(columnsOf, () => []); // who may write need not be one who may read
    const takesNumbers = new Set(columns.filter(({ type }) => /^(int|real|num|float|double)/i.test(type)).map(({ name }) => name));
    const isExact = (number) => Number.isFinite(number) && Math.abs(number) <= Number.MAX_SAFE_INTEGER; // beyond it the text is
    const number = (text) => (text.trim() === "" ? null : isExact(Number(text)) ? Number(text) : text);
    return Object.fromEntries(Object.entries(row).map(([name, text]) => [name, takesNumbers.has(name) ? number(text) : text]));
  }

  const COLUMN = (value, place) => (/^\w+$/.test(NAME(value, place)) ? value : refuse(`${place} takes the name of a column, not ${quoted(value)}`));
  const WHICH = options({ where: NAME, args: LIST }, ["where"]);
  const updateWhere = ofTable("updateWhere", "update-where", { where: NAME, args: maybe(LIST), changes: ROW });
  const removeWhere = ofTable("removeWhere", "delete-where", { where: NAME, args: maybe(LIST) });

  Goop.data = {
    /** Calls a data function with `params`; its result, or a rejection with code, script and line. */
    call: Goop.asks("data.call", { name: NAME, params: maybe(PARAMS) }, (name, params = {}) => data("lua/call", { function: name, params })),
    /** The functions there are: [{name, description}]. */
    functions: async () => {
      const { functions } = await data("lua/list");
      return Object.assign(functions, { functions: [...functions] }); // pages of Goop2 look for the list in the answer
    },
    /** The tables there are: [{name, insert_policy, created_at}]. */
    tables: () => data("tables"),
    /** The columns of a table, a list that also has `mode` and, of a typed table, `schema`. */
    describe: ofTable("describe", "tables/describe", {}, columnsOf),
    /** Rows, by {columns, where, args, order, limit, offset}. */
    query: ofTable("query", "query", { options: ROWS }),
    /** Rows, by {where, args, order, limit, offset, fields}, as goop.schema.find takes them. */
    find: Goop.asks("data.find", { table: NAME, options: ROWS }, (table, given) => data("query", asked(table, given))),
    /** The first of these rows, or null. */
    findOne: Goop.asks("data.findOne", { table: NAME, options: ROWS }, (table, given) => data("query-one", asked(table, given))),
    /** How many rows meet {where, args}. */
    count: ofTable("count", "count", { options: ROWS }, inside("count")),
    /** Whether a row meets {where, args}. */
    exists: ofTable("exists", "exists", { options: ROWS }, inside("exists")),
    /** One column of the rows, as a list. */
    pluck: ofTable("pluck", "pluck", { column: NAME, options: ROWS }),
    /** The different values of a column. */
    distinct: ofTable("distinct", "distinct", { column: NAME, options: ROWS }),
    /** `expr`, as "sum(points)", over the rows, for each {group_by}: [{value, …}]. */
    aggregate: ofTable("aggregate", "aggregate", { expr: NAME, options: options({ ...QUERY, group_by: NAME }) }),
    /** What the viewer may do: {role, read, insert, update, delete}, each "all", "own" or "none". */
    role: ofTable("role", "role"),
    /** Adds a row: {status, id}. */
    insert: ofTable("insert", "insert", { row: ROW }),
    /** Changes columns of the row `id`. */
    update: ofTable("update", "update", { id: WHOLE, changes: ROW }),
    /** Removes the row `id`. */
    remove: ofTable("remove", "delete", { id: WHOLE }),
    /** The row `id`, or null. */
    get: Goop.asks("data.get", { table: NAME, id: WHOLE }, (table, id) => Goop.data.findOne(table, { where: "_id = ?", args: [id] })),
    /** The first row whose column has that value, or null. */
    getBy: Goop.asks("data.getBy", { table: NAME, column: COLUMN, value: ANY }, (table, column, value) => Goop.data.findOne(table, { where: `${column} = ?`, args: [value] })),
    /** The rows, at most `limit`. */
    list: Goop.asks("data.list", { table: NAME, limit: maybe(WHOLE) }, (table, limit) => Goop.data.find(table, Number(limit) ? { limit } : {})),
    /** The typed tables: {name: schema}. */
    schemas: () => data("orm-schema"),
    /** One table. At once, ours: orm("posts").find(…), whose insert gives the id. Awaited, as pages of Goop2 do it: what the viewer may do too. */
    orm: Goop.reads("data.orm", { table: NAME }, (table) => ({ ...plain(table), then: (done, failed) => handle(table).then(done, failed) })),
    /** Settings in a table of keys and values, or in the newest row of any other: {get(key), set(key, value), save(values)}, and each key. */
    config: Goop.asks("data.config", { table: NAME, defaults: maybe(PARAMS) }, (table, defaults = {}) => config(table, defaults)),
    /** A data function by its actions: api("blog")("list", {limit: 5}). */
    api: Goop.reads("data.api", { name: NAME }, (name) => (action, params = {}) => Goop.data.call(name, { action, ...params })),

    // The owner's.
    createTable: Goop.asks("data.createTable", { name: NAME, columns: LIST }, (name, columns) => data("tables/create", { name, columns })),
    dropTable: ofTable("dropTable", "tables/delete"),
    addColumn: ofTable("addColumn", "tables/add-column", { column: ANY }),
    /** Changes every row that meets `where`: {affected}. Also updateWhere(table, changes, {where, args}). */
    updateWhere(table, ...given) {
      const [where, args, changes] = typeof given[0] === "string" || given.length > 2 ? given : [given[1]?.where, given[1]?.args, given[0]];
      return updateWhere(table, where, args, changes);
    },
    /** Removes every row that meets `where`: {affected}. */
    removeWhere,
    /** The same, as deleteWhere(table, {where, args}). */
    deleteWhere: Goop.asks("data.deleteWhere", { table: NAME, options: WHICH }, (table, { where, args }) => removeWhere(table, where, args)),
    /** Changes the row whose `key` column is that of `row`, or adds it: {status, id}. */
    upsert: ofTable("upsert", "upsert", { key: NAME, row: ROW }),
  };

  const peerOf = (path) => (/^\/p\/([^/]+)/.exec(path) || ["", ""])[1];
  let peer;

  /** Who looks at whose page: {myId, hostId, isOwner, isGroup, label}, asked once. `hostId` is "" where the address names no peer, and nobody
   * is the owner there. `isGroup`, with goop-group.js: the viewer is in the template group. */
  Goop.peer = () => (peer = peer || found());
  async function found() {
    const hostId = peerOf(location.pathname);
    const { id = "", label = "" } = await (Goop.identity ? Goop.identity.get() : Goop.request("identity")).catch(() => ({}));
    const isOwner = id !== "" && id === hostId;
    const hasPeer = id !== "" && !id.startsWith("visitor-"); // a browser's visitor is in no group
    const groups = Goop.group && hasPeer && !isOwner ? await Goop.group.subscriptions().catch(() => ({ subscriptions: [] })) : { subscriptions: [] };
    const isGroup = groups.subscriptions.some((one) => one.host_peer_id === hostId && [one.group_type, one.app_type].includes("template"));
    return { myId: id, hostId, isOwner, isGroup, label };
  }

  // A table for pages of Goop2: what the viewer may do, a form and a table.
  async function handle(table) {
    const [described, { isOwner, isGroup, hostId }] = await Promise.all([Goop.data.describe(table), Goop.peer()]);
    const schema = described.schema || {};
    const columns = (schema.columns || described.columns).filter(({ name }) => !name.startsWith("_"));
    const access = schema.access || { read: "open", insert: "owner", update: "owner", delete: "owner" };
    const allowed = { open: true, email: true, owner: isOwner, group: isOwner || isGroup, local: !hostId };
    const may = (operation) => Boolean(allowed[access[operation] || "owner"]);
    const rest = Object.fromEntries(OF_ONE.map((name) => [name, (...given) => Goop.data[name](table, ...given)]));
    return {
      ...rest,
      name: table,
      columns,
      access,
      system_key: schema.system_key ?? true,
      context: schema.context ?? false,
      canInsert: may("insert"),
      canUpdate: may("update"),
      canDelete: may("delete"),
      validate: (row) => validate(columns, row),
      form: (el, options = {}) => form(el, table, columns, options),
      table: (el, rows, options = {}) => tableOf(el, rows, columns, options),
    };
  }
  const OF_ONE = "find findOne get getBy list pluck exists count distinct aggregate insert update remove updateWhere deleteWhere upsert role".split(" ");

  // The same as goop.schema has it, whose insert gives the id.
  function plain(table) {
    return {
      schema: () => data("orm-schema", { table }),
      get: Goop.asks("data.orm.get", { id: WHOLE }, (id) => Goop.data.findOne(table, { where: "_id = ?", args: [id] })),
      find: (options) => Goop.data.find(table, options),
      findOne: (options) => Goop.data.findOne(table, options),
      count: (options) => Goop.data.count(table, options),
      insert: async (row) => (await Goop.data.insert(table, row)).id,
      update: (id, changes) => Goop.data.update(table, id, changes),
      remove: (id) => Goop.data.remove(table, id),
      role: () => Goop.data.role(table),
    };
  }

  const isEmpty = (value) => value === undefined || value === null || value === "";
  const keysOf = (column) => (column.values || []).map((one) => String(one !== null && typeof one === "object" ? one.key : one));

  /** {valid, errors}: a sentence for each column that is missing, or of another type. */
  function validate(columns, row) {
    const errors = [];
    for (const column of columns) {
      const value = row[column.name];
      if (isEmpty(value)) {
        if (column.required && !column.auto && isEmpty(column.default)) errors.push(t("{0} is required", column.name));
      } else if (["integer", "real"].includes(column.type) && !Number.isFinite(Number(value))) errors.push(t("{0} takes a number", column.name));
      else if (column.type === "enum" && keysOf(column).length && !keysOf(column).includes(String(value))) errors.push(t("{0} takes one of {1}", column.name, keysOf(column).join(", ")));
    }
    return { valid: !errors.length, errors };
  }

  async function config(table, defaults) {
    const columns = (await Goop.data.describe(table)).map(({ name }) => name);
    const isPairs = columns.includes("key") && columns.includes("value");
    const rows = await Goop.data.find(table, isPairs ? {} : { order: "_id DESC", limit: 1 });
    const stored = isPairs ? Object.fromEntries(rows.map(({ key, value }) => [key, value])) : { ...rows[0] };
    const get = (key) => (isEmpty(stored[key]) && !(isPairs && key in stored) ? defaults[key] : stored[key]);

    async function save(values) {
      if (isPairs) {
        for (const [key, value] of Object.entries(values)) await Goop.data.upsert(table, "key", { key, value: isEmpty(value) ? "" : String(value) });
      } else if (stored._id) await Goop.data.update(table, stored._id, values);
      else stored._id = (await Goop.data.insert(table, values)).id;
      for (const [key, value] of Object.entries(values)) {
        stored[key] = isPairs ? String(value ?? "") : value;
        show(key);
      }
    }
    const settings = { get, set: (key, value) => save({ [key]: value }), save };
    const show = (key) => key in settings || key === "then" || Object.defineProperty(settings, key, { get: () => get(key), enumerable: true });
    for (const key of [...Object.keys(defaults), ...Object.keys(stored), ...(isPairs ? [] : columns)]) show(key);
    return settings;
  }

  const element = (tag, properties = {}, ...children) => {
    const made = Object.assign(document.createElement(tag), properties);
    made.append(...children);
    return made;
  };
  const INPUTS = { integer: "number", real: "number", date: "date", time: "time", datetime: "datetime-local" };
  const shownOf = (columns, exclude = []) => columns.filter(({ name }) => !name.startsWith("_") && !exclude.includes(name));
  let forms = 0;

  function inputOf(column, value) {
    const keys = keysOf(column);
    const input = keys.length ? element("select") : element("input", { type: INPUTS[column.type] || "text" });
    if (column.type === "real") input.step = "any";
    if (keys.length) input.append(...(column.required ? [] : [element("option", { value: "" })]), ...(column.values || []).map((one) => element("option", { value: one.key ?? one, textContent: one.label ?? one.key ?? one })));
    const given = value ?? column.default;
    if (!isEmpty(given)) input.value = column.type === "datetime" ? String(given).replace(" ", "T").slice(0, 16) : given;
    input.dataset.col = column.name;
    input.required = Boolean(column.required && !column.auto);
    return input;
  }

  function valueOf(input, column) {
    if (input.value === "") return column.type === "text" ? "" : null;
    if (["integer", "real"].includes(column.type)) return Number(input.value);
    return column.type === "datetime" ? new Date(input.value).toISOString().slice(0, 19).replace("T", " ") : input.value;
  }

  /** A form of the columns in `el`: {exclude, values, labels, submitLabel or false, onSave(row)}. Without onSave it inserts, or updates the row of `values`. */
  function form(el, table, columns, { exclude, values = {}, labels = {}, submitLabel = t("Save"), onSave }) {
    const shown = shownOf(columns, exclude).filter(({ auto }) => !auto);
    const made = element("form", { className: "orm-form" });
    const said = element("span", { className: "orm-status" });
    said.setAttribute("role", "status");
    const serial = ++forms;
    for (const column of shown) {
      const input = inputOf(column, values[column.name]);
      input.id = `orm-${serial}-${column.name}`;
      made.append(element("div", { className: "orm-field" }, element("label", { htmlFor: input.id, textContent: labels[column.name] || column.name }), input));
    }
    const buttons = element("div", { className: "orm-btns" }, ...(submitLabel === false ? [] : [element("button", { className: "orm-submit", textContent: submitLabel })]), said);
    made.append(buttons);
    made.addEventListener("submit", async (event) => {
      event.preventDefault();
      const row = Object.fromEntries(shown.map((column) => [column.name, valueOf(made.querySelector(`[data-col="${CSS.escape(column.name)}"]`), column)]));
      const { errors } = validate(shown, row);
      said.textContent = errors.join("; ");
      if (errors.length) return;
      try {
        if (onSave) await onSave(row);
        else await (values._id ? Goop.data.update(table, values._id, row) : Goop.data.insert(table, row));
      } catch (error) {
        said.textContent = error.message;
      }
    });
    el.replaceChildren(made);
    return made;
  }

  /** The rows as a table in `el`: {exclude, labels, showId, actions: {name(id, row)}, onRow(id, row)}. */
  function tableOf(el, rows, columns, { exclude, labels = {}, showId = false, actions = {}, onRow }) {
    const shown = [...(showId ? [{ name: "_id" }] : []), ...shownOf(columns, exclude)];
    const heads = shown.map(({ name }) => element("th", { scope: "col", textContent: labels[name] || (name === "_id" ? t("id") : name) }));
    if (Object.keys(actions).length) heads.push(element("th", { scope: "col", textContent: labels._actions || t("Actions") }));
    const body = rows.map((row) => {
      const cells = shown.map(({ name }) => element("td", { textContent: row[name] ?? "" }));
      const buttons = Object.keys(actions).map((name) => {
        const button = element("button", { type: "button", textContent: labels[name] || name[0].toUpperCase() + name.slice(1) });
        Object.assign(button.dataset, { action: name, id: row._id });
        return button;
      });
      const line = element("tr", {}, ...cells, ...(buttons.length ? [element("td", { className: "orm-actions" }, ...buttons)] : []));
      line.dataset.id = row._id;
      return line;
    });
    const made = element("table", { className: "orm-table" }, element("thead", {}, element("tr", {}, ...heads)), element("tbody", {}, ...body));
    el.replaceChildren(made);
    pressed(el, rows, actions, onRow);
    return made;
  }

  // Small things of pages

  /** A text that HTML shows as it is. */
  Goop.esc = (value) => (value === null || value === undefined ? "" : String(value).replace(/[&<>"']/g, (one) => `&#${one.charCodeAt(0)};`));

  /** The local date of a time in UTC, "YYYY-MM-DD HH:MM:SS"; "" for none, and as it is when it is no time. */
  Goop.date = function (time, options = { year: "numeric", month: "long", day: "numeric" }) {
    if (time === null || time === undefined || time === "") return "";
    const text = String(time);
    const when = typeof time === "number" || time instanceof Date ? new Date(time) : new Date(/^\d{4}-\d\d-\d\d[ T]\d\d:\d\d(:\d\d(\.\d+)?)?$/.test(text) ? `${text.replace(" ", "T")}Z` : /^\d{4}-\d\d-\d\d$/.test(text) ? `${text}T00:00` : text);
    return Number.isNaN(when.getTime()) ? text : when.toLocaleDateString(undefined, options);
  };

  /** Something that lies over the page: {open, close, el}. The class `hidden` hides it; Escape, a press beside it, and [data-close] close it. */
  Goop.overlay = function (what) {
    const el = what instanceof Element ? what : document.getElementById(what);
    if (!el) throw new TypeError(`Goop.overlay: there is no element "${what}" in the page`);
    let before = null;
    const open = () => {
      before = document.activeElement;
      el.classList.remove("hidden");
      (el.querySelector("input:not([type=hidden]), textarea, select") || el.querySelector("button, a[href]") || el).focus();
    };
    const close = () => {
      if (el.classList.contains("hidden")) return;
      el.classList.add("hidden");
      if (before && before.isConnected) before.focus();
    };
    if (!el.hasAttribute("role")) el.setAttribute("role", "dialog");
    const heading = el.querySelector("h1, h2, h3");
    if (!el.hasAttribute("aria-label") && !el.hasAttribute("aria-labelledby")) el.setAttribute("aria-label", heading ? heading.textContent.trim() : t("Dialog"));
    el.addEventListener("click", (event) => (event.target === el || event.target.closest("[data-close]")) && close());
    document.addEventListener("keydown", (event) => event.key === "Escape" && !event.defaultPrevented && close());
    return { open, close, el };
  };

  const presses = new WeakMap(); // list → what its buttons do now
  function pressed(el, rows, actions = {}, onRow) {
    const isNew = !presses.has(el);
    presses.set(el, { rows, actions, onRow });
    if (onRow) for (const line of el.querySelectorAll("[data-id]")) if (!line.matches("button, a, input")) line.tabIndex = 0;
    if (!isNew) return;
    const work = (event, isKey) => {
      const { rows, actions, onRow } = presses.get(el);
      const place = event.target.closest("[data-id]");
      const button = event.target.closest("[data-action]");
      const id = (button && button.dataset.id) || (place && el.contains(place) ? place.dataset.id : undefined);
      const row = rows.find((one) => String(one._id) === id);
      if (button && el.contains(button)) return isKey || !actions[button.dataset.action] || actions[button.dataset.action](row ? row._id : id, row, button);
      if (!onRow || !row || (isKey ? event.target !== place : event.target.closest("button, a, input, select, textarea, label"))) return;
      event.preventDefault();
      onRow(row._id, row);
    };
    el.addEventListener("click", (event) => work(event, false));
    el.addEventListener("keydown", (event) => event.key === "Enter" && work(event, true));
  }

  /** One piece of HTML a row, as `fn(row, index)` gives it (text of others through Goop.esc; a node will do too): {empty, actions: {name(id,
   * row, button)}, onRow(id, row)}. Buttons are found by data-action, rows by data-id. */
  const older = Goop.list; // of goop-component-template.js, when it was loaded before
  Goop.list = function (el, rows, fn, { empty = "", emptyClass, actions, onRow } = {}) {
    if (typeof fn === "string" && older) return older(el, rows, fn, { empty, emptyClass });
    const all = rows || [];
    el.replaceChildren();
    const add = (what) => (what instanceof Node ? el.append(what) : el.insertAdjacentHTML("beforeend", String(what ?? "")));
    if (all.length) all.forEach((row, index) => add(fn(row, index)));
    else if (emptyClass) el.append(element("div", { className: emptyClass, textContent: empty }));
    else add(empty);
    pressed(el, all, actions, onRow);
    return el;
  };
})();
