// Goop.data: the peer's data functions and tables.
(function () {
  "use strict";
  const Goop = globalThis.Goop;
  const data = (op, body) => Goop.request(`data/${op}`, body);

  const asked = (table, options) => {
    const { fields, ...others } = options || {};
    return { table, columns: fields, ...others };
  };

  Goop.data = {
    /** Calls a data function with `params`; its result, or a rejection with code, script and line. */
    call: (name, params = {}) => data("lua/call", { function: name, params }),
    /** The functions there are: [{name, description}]. */
    functions: async () => (await data("lua/list")).functions,
    /** The tables there are: [{name, insert_policy, created_at}]. */
    tables: () => data("tables"),
    /** The columns of a table. */
    describe: (table) => data("tables/describe", { table }),
    /** Rows, by {columns, where, args, order, limit, offset}. */
    query: (table, options = {}) => data("query", { table, ...options }),
    /** Rows, by {where, args, order, limit, offset, fields}, as goop.schema.find takes them. */
    find: (table, options = {}) => data("query", asked(table, options)),
    /** The first of these rows, or null. */
    findOne: (table, options = {}) => data("query-one", asked(table, options)),
    /** How many rows meet {where, args}. */
    count: (table, options = {}) => data("count", { table, ...options }),
    /** Whether a row meets {where, args}. */
    exists: (table, options = {}) => data("exists", { table, ...options }),
    /** One column of the rows, as a list. */
    pluck: (table, column, options = {}) => data("pluck", { table, column, ...options }),
    /** The different values of a column. */
    distinct: (table, column, options = {}) => data("distinct", { table, column, ...options }),
    /** `expr`, as "sum(points)", over the rows, for each {group_by}: [{value, …}]. */
    aggregate: (table, expr, options = {}) => data("aggregate", { table, expr, ...options }),
    /** What the viewer may do: {role, read, insert, update, delete}, each "all", "own" or "none". */
    role: (table) => data("role", { table }),
    /** Adds a row: {status, id}. */
    insert: (table, row) => data("insert", { table, data: row }),
    /** Changes columns of the row `id`. */
    update: (table, id, changes) => data("update", { table, id, data: changes }),
    /** Removes the row `id`. */
    remove: (table, id) => data("delete", { table, id }),
    /** The same for one table: orm("posts").find({where: "published = 1"}). */
    orm: (table) => ({
      schema: () => data("orm-schema", { table }),
      get: (id) => Goop.data.findOne(table, { where: "_id = ?", args: [id] }),
      find: (options) => Goop.data.find(table, options),
      findOne: (options) => Goop.data.findOne(table, options),
      count: (options) => Goop.data.count(table, options),
      insert: async (row) => (await Goop.data.insert(table, row)).id,
      update: (id, changes) => Goop.data.update(table, id, changes),
      remove: (id) => Goop.data.remove(table, id),
      role: () => Goop.data.role(table),
    }),

    // The owner's.
    createTable: (name, columns) => data("tables/create", { name, column_defs: columns }),
    dropTable: (table) => data("tables/delete", { table }),
    addColumn: (table, column) => data("tables/add-column", { table, column }),
    /** Changes every row that meets `where`: {status, count}. */
    updateWhere: (table, where, args, changes) => data("update-where", { table, where, args, data: changes }),
    /** Removes every row that meets `where`: {status, count}. */
    removeWhere: (table, where, args) => data("delete-where", { table, where, args }),
    /** Changes the row whose `key` column is that of `row`, or adds it: {status, id}. */
    upsert: (table, key, row) => data("upsert", { table, key_col: key, data: row }),
  };
})();
