---@meta
-- Types of the goop table for editors that use the Lua language server: put this file beside your scripts' workspace.
-- Made from the declarations in goop2.scripting.api.

goop = {}

---@type { id: string, label: string }
goop.peer = {}
---@type { id: string, label: string }
goop.self = {}

goop.json = {}

---The value as JSON text; the keys of an object in their order.
---Returns: string | nil, error
---@param value any
---@return any ...
function goop.json.encode(value) end

---The value of a JSON text; an error names line and column. null is an absent key in an object, goop.json.null in an array.
---Returns: value | nil, error
---@param text string
---@return any ...
function goop.json.decode(text) end

---Marks t to be written as a JSON object, even when it is empty or a sequence.
---Returns: t
---@param t table
---@return any ...
function goop.json.object(t) end

---Marks t to be written as a JSON array; its keys must be 1 to n.
---Returns: t
---@param t table
---@return any ...
function goop.json.array(t) end

goop.log = {}

---Writes a line to the run's log; tables are shown as JSON. 200 lines and 64 KB a run.
---Returns: nil
---@param ... any
---@return any ...
function goop.log.info(...) end

---Like goop.log.info, as a warning.
---Returns: nil
---@param ... any
---@return any ...
function goop.log.warn(...) end

---Like goop.log.info, as an error.
---Returns: nil
---@param ... any
---@return any ...
function goop.log.error(...) end

goop.http = {}

---Fetches a public http or https address; opts.headers adds headers. 3 requests a call, 1 MB an answer. Any status is a body, not an error.
---Returns: body, nil, {status, headers} | nil, error
---@param url string
---@param opts? table
---@return any ...
function goop.http.get(url, opts) end

---Like goop.http.get, sending body: a table as JSON, a string as it is.
---Returns: body, nil, {status, headers} | nil, error
---@param url string
---@param body string|table
---@param opts? table
---@return any ...
function goop.http.post(url, body, opts) end

goop.kv = {}

---What was stored under key, nil when nothing was.
---Returns: value or nil | nil, error
---@param key string
---@return any ...
function goop.kv.get(key) end

---Stores a JSON-able value; nil forgets the key. 1000 keys, 64 KB a script.
---Returns: nil | error
---@param key string
---@param value? any
---@return any ...
function goop.kv.set(key, value) end

---Forgets the key.
---Returns: nil | error
---@param key string
---@return any ...
function goop.kv.del(key) end

goop.db = {}

---Rows of one reading statement, column → value. 1000 rows, 1 MB.
---Returns: rows | nil, error
---@param sql string
---@param ... string|number|boolean|nil
---@return any ...
function goop.db.query(sql, ...) end

---First column of the first row, nil when there is none.
---Returns: value | nil, error
---@param sql string
---@param ... string|number|boolean|nil
---@return any ...
function goop.db.scalar(sql, ...) end

---One INSERT, UPDATE, DELETE or REPLACE.
---Returns: changed rows | nil, error
---@param sql string
---@param ... string|number|boolean|nil
---@return any ...
function goop.db.exec(sql, ...) end

---Runs fn in one transaction of at most a second; an error in fn rolls back and is raised again.
---Returns: what fn returns
---@param fn function
---@return any ...
function goop.db.transaction(fn) end

goop.schema = {}

---Makes a typed table, or adds new optional columns to it.
---Returns: true | nil, error
---@param table string
---@param columns table
---@param opts? table
---@return any ...
function goop.schema.create(table, columns, opts) end

---Adds a row owned by the caller.
---Returns: id | nil, error
---@param table string
---@param row table<string, string|number|boolean|nil>
---@return any ...
function goop.schema.insert(table, row) end

---The row with this _id.
---Returns: row or nil | nil, error
---@param table string
---@param id number|string
---@return any ...
function goop.schema.get(table, id) end

---Rows in order of _id; more than 1000, or 1 MB, is an error.
---Returns: rows | nil, error
---@param table string
---@param limit? number|string
---@return any ...
function goop.schema.list(table, limit) end

---Changes columns of a row.
---Returns: true | nil, error
---@param table string
---@param id number|string
---@param changes table<string, string|number|boolean|nil>
---@return any ...
function goop.schema.update(table, id, changes) end

---Removes a row.
---Returns: true | nil, error
---@param table string
---@param id number|string
---@return any ...
function goop.schema.delete(table, id) end

---Whether the row could be inserted.
---Returns: true | false, error
---@param table string
---@param row table<string, string|number|boolean|nil>
---@return any ...
function goop.schema.validate(table, row) end

---The table's declaration.
---Returns: {name, columns} | nil, error
---@param table string
---@return any ...
function goop.schema.describe(table) end

---Whether the table is a typed one.
---Returns: boolean | nil, error
---@param table string
---@return any ...
function goop.schema.is_orm(table) end

---Rows by where, args, order, limit, offset, fields.
---Returns: rows | nil, error
---@param table string
---@param options? table
---@return any ...
function goop.schema.find(table, options) end

---The first row of goop.schema.find, or nil.
---Returns: row or nil | nil, error
---@param table string
---@param options? table
---@return any ...
function goop.schema.find_one(table, options) end

---How many rows meet where and args; all without.
---Returns: number | nil, error
---@param table string
---@param options? table
---@return any ...
function goop.schema.count(table, options) end

---Inserts rows when the table is empty; gives how many went in. Rows that fail are passed over.
---Returns: number | nil, error
---@param table string
---@param rows table
---@return any ...
function goop.schema.seed(table, rows) end

goop.site = {}

---A file of the site, 1 MB at most.
---Returns: content | nil, error
---@param path string
---@return any ...
function goop.site.read(path) end

goop.listen = {}

---Opens a listening session.
---Returns: group | nil, error
---@param name string
---@return any ...
function goop.listen.create(name) end

---The session as it is now; its `role` is `host`, or `listener` in another peer's.
---Returns: group or nil | nil, error
---@return any ...
function goop.listen.state() end

---Loads an audio file.
---Returns: track | nil, error
---@param path string
---@return any ...
function goop.listen.load(path) end

---Plays from the current position.
---Returns: nil | error
---@return any ...
function goop.listen.play() end

---Pauses.
---Returns: nil | error
---@return any ...
function goop.listen.pause() end

---Moves to a position.
---Returns: nil | error
---@param seconds number
---@return any ...
function goop.listen.seek(seconds) end

---Ends the session, or leaves another peer's.
---Returns: nil | error
---@return any ...
function goop.listen.close() end

---The loaded chat commands, sorted, and their descriptions.
---Returns: names, name → description
---@return any ...
function goop.commands() end

---Stands for JSON's null.
goop.json.null = {}
