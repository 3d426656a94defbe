// Goop.data: the peer's data functions and tables.
(function () {
  "use strict";
  const Goop = globalThis.Goop;
  const { ANY, LIST, NAME, PARAMS, ROW, TEXT, WHOLE, isOfForm, maybe, options } = Goop.kinds;
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
    return Object.assign(columns, { mode: answer.mode, schema: answer.schema });
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

  Goop.data = {
    /** Calls a data function with `params`; its result, or a rejection with code, script and line. */
    call: Goop.asks("data.call", { name: NAME, params: maybe(PARAMS) }, (name, params = {}) => data("lua/call", { function: name, params })),
    /** The functions there are: [{name, description}]. */
    functions: async () => (await data("lua/list")).functions,
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
    /** The same for one table: orm("posts").find({where: "published = 1"}). */
    orm: Goop.reads("data.orm", { table: NAME }, (table) => ({
      schema: () => data("orm-schema", { table }),
      get: Goop.asks("data.orm.get", { id: WHOLE }, (id) => Goop.data.findOne(table, { where: "_id = ?", args: [id] })),
      find: (options) => Goop.data.find(table, options),
      findOne: (options) => Goop.data.findOne(table, options),
      count: (options) => Goop.data.count(table, options),
      insert: async (row) => (await Goop.data.insert(table, row)).id,
      update: (id, changes) => Goop.data.update(table, id, changes),
      remove: (id) => Goop.data.remove(table, id),
      role: () => Goop.data.role(table),
    })),

    // The owner's.
    createTable: Goop.asks("data.createTable", { name: NAME, columns: LIST }, (name, columns) => data("tables/create", { name, columns })),
    dropTable: ofTable("dropTable", "tables/delete"),
    addColumn: ofTable("addColumn", "tables/add-column", { column: ANY }),
    /** Changes every row that meets `where`: {affected}. */
    updateWhere: ofTable("updateWhere", "update-where", { where: NAME, args: maybe(LIST), changes: ROW }),
    /** Removes every row that meets `where`: {affected}. */
    removeWhere: ofTable("removeWhere", "delete-where", { where: NAME, args: maybe(LIST) }),
    /** Changes the row whose `key` column is that of `row`, or adds it: {status, id}. */
    upsert: ofTable("upsert", "upsert", { key: NAME, row: ROW }),
  };
})();
