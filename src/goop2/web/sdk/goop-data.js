// Goop.data: the peer's data functions and tables.
(function () {
  "use strict";
  const Goop = globalThis.Goop;
  const data = (op, body) => Goop.request(`data/${op}`, body);

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
    /** Adds a row: {status, id}. */
    insert: (table, row) => data("insert", { table, data: row }),
    /** Changes columns of the row `id`. */
    update: (table, id, changes) => data("update", { table, id, data: changes }),
    /** Removes the row `id`. */
    remove: (table, id) => data("delete", { table, id }),

    // The owner's.
    createTable: (name, columns) => data("tables/create", { name, column_defs: columns }),
    dropTable: (table) => data("tables/delete", { table }),
    addColumn: (table, column) => data("tables/add-column", { table, column }),
  };
})();
