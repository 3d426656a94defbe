---@meta
-- Types of the goop table, of scripts and of their tests, for editors that use the Lua language server (.luarc.json names this file).
-- Made by goop2; `goop2 lua types` makes it anew. It is no script: nothing runs it, and no visitor gets it.

---What a data function is called with.
---@class goop.Request
---@field params table<string, any> what the caller has sent

---What the `run` of a data function with a schedule is called with.
---@class goop.Event
---@field due integer when it was due, in seconds since 1970
---@field missed integer how many times it did not run before
---@field by "schedule"|"owner"

---A row of a table; `_id`, `_owner`, `_created_at` and `_updated_at` are always there.
---@class goop.Row: table<string, string|number|boolean|nil>
---@field _id integer
---@field _owner string
---@field _created_at string
---@field _updated_at string

---Which rows are meant.
---@class goop.FindOptions
---@field where? string a condition of SQL, with ? for each of `args`
---@field args? (string|number|boolean)[]
---@field order? string
---@field fields? string[]
---@field limit? integer
---@field offset? integer

---What goes with a request, and whether status and headers come back too.
---@class goop.HttpOptions
---@field headers? table<string, string>
---@field full? boolean

---The answer to a chat command: defined in site/lua/<name>.lua.
---@type fun(args: string): string|number|nil
handle = nil

---The result of a data function: defined in site/lua/functions/<name>.lua.
---@type fun(request: goop.Request): any
call = nil

---What a data function with --- @every or --- @cron does.
---@type fun(event: goop.Event): any
run = nil

---What a data function does when a group has ended.
---@type fun(id: string)
on_group_close = nil

goop = {}

---@type { id: string, label: string, email: string }
goop.peer = {}
---@type { id: string, label: string }
goop.self = {}
---@type table<string, any>
goop.template = {}

goop.json = {}

---The value as JSON text; the keys of an object in their order.
---Returns: string | nil, error
---@param value any
---@return string|nil, string|nil
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

---Fetches a public http or https address; opts.headers adds headers. 3 requests a call, 1 MB an answer. Any status is a body, not an error. With opts.full = true a third value is {status, headers}.
---Returns: body, nil | nil, error
---@param url string
---@param opts? goop.HttpOptions
---@return any ...
function goop.http.get(url, opts) end

---Like goop.http.get, sending body: a table as JSON, a string as it is.
---Returns: body, nil | nil, error
---@param url string
---@param body string|table
---@param opts? goop.HttpOptions
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
---@return goop.Row[]|nil, string|nil
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

---Makes a typed table, or adds new optional columns to it. opts: access {read, insert, update, delete}, roles {ROLE: {read, insert, update, delete}} for the policy group, context.
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
---@return goop.Row|nil|nil, string|nil
function goop.schema.get(table, id) end

---Rows in order of _id; more than 1000, or 1 MB, is an error.
---Returns: rows | nil, error
---@param table string
---@param limit? number|string
---@return goop.Row[]|nil, string|nil
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
---@return boolean|nil, string|nil
function goop.schema.is_orm(table) end

---Rows by where, args, order, limit, offset, fields.
---Returns: rows | nil, error
---@param table string
---@param options? goop.FindOptions
---@return goop.Row[]|nil, string|nil
function goop.schema.find(table, options) end

---The first row of goop.schema.find, or nil.
---Returns: row or nil | nil, error
---@param table string
---@param options? goop.FindOptions
---@return goop.Row|nil|nil, string|nil
function goop.schema.find_one(table, options) end

---How many rows meet where and args; all without.
---Returns: number | nil, error
---@param table string
---@param options? goop.FindOptions
---@return number|nil, string|nil
function goop.schema.count(table, options) end

---Inserts rows when the table is empty; gives how many went in. Rows that fail are passed over.
---Returns: number | nil, error
---@param table string
---@param rows table
---@return number|nil, string|nil
function goop.schema.seed(table, rows) end

goop.site = {}

---A file of the site, 1 MB at most.
---Returns: content | nil, error
---@param path string
---@return any ...
function goop.site.read(path) end

goop.transform = {}

---The definition in transformations/NAME.json of the peer folder.
---Returns: definition | nil, error
---@param name string
---@return any ...
function goop.transform.load(name) end

---{name, description, field_count} of each definition, by name.
---Returns: definitions | nil, error
---@return any ...
function goop.transform.list() end

---What a definition makes of a row: a field is its constant, its first source, or what its transform makes of its sources.
---Returns: row | nil, error
---@param name string
---@param row table
---@return goop.Row|nil, string|nil
function goop.transform.apply(name, row) end

---The same of each of at most 1000 rows.
---Returns: rows | nil, error
---@param name string
---@param rows table
---@return goop.Row[]|nil, string|nil
function goop.transform.apply_many(name, rows) end

---The transforms there are. Arguments: split {separator, index from 0}, join and concat {separator}, substring {start from 0, length}, round {places}, default, prefix and suffix {text}, replace {old, new}.
---Returns: names | nil, error
---@return any ...
function goop.transform.transforms() end

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

goop.group = {}

---Whether the caller is in the template group; the owner always is.
---Returns: boolean
---@return boolean
function goop.group.is_member() end

---The peer that hosts the template group.
---Returns: peer id
---@return any ...
function goop.group.owner() end

---Opens a group hosted here, with this peer in it as its owner. Failures of this function and the next ones are raised.
---Returns: id
---@param name string
---@param type string
---@param context? string
---@param max? number|string
---@return any ...
function goop.group.create(name, type, context, max) end

---Ends a group hosted here.
---Returns: true
---@param id string
---@return any ...
function goop.group.close(id) end

---Sends a peer an invitation to a group hosted here.
---Returns: true
---@param id string
---@param peer string
---@return any ...
function goop.group.add(id, peer) end

---Removes a member.
---Returns: true
---@param id string
---@param peer string
---@return any ...
function goop.group.remove(id, peer) end

---Gives a member another role.
---Returns: true
---@param id string
---@param peer string
---@param role string
---@return any ...
function goop.group.set_role(id, peer, role) end

---Sends a message to all members.
---Returns: true
---@param id string
---@param payload any
---@return any ...
function goop.group.send(id, payload) end

---{peer_id, role} of each member; none of an unknown group.
---Returns: members
---@param id string
---@return any ...
function goop.group.members(id) end

---{id, name, group_type} of each group hosted here.
---Returns: groups
---@return any ...
function goop.group.list() end

---The types of groups that programs know.
---Returns: names
---@return any ...
function goop.group.grouptypes() end

goop.group.member = {}

---The caller's role in the template group: "owner" for the owner, "" for who is not in it.
---Returns: role
---@return any ...
function goop.group.member.role() end

goop.chat = {}

---Opens a chat room here, with this peer in it: {id, name, description}.
---Returns: room | nil, error
---@param name string
---@param description? string
---@param max? number|string
---@param context? string
---@return any ...
function goop.chat.create(name, description, max, context) end

---Ends a room hosted here.
---Returns: nil | error
---@param id string
---@return any ...
function goop.chat.close(id) end

---Says something in a room hosted here, as the caller; in another peer's room as the owner alone.
---Returns: nil | error
---@param id string
---@param text string
---@return any ...
function goop.chat.send(id, text) end

---{id, name, description, members, messages}; the last 100 messages, oldest first, in memory only.
---Returns: state | nil, error
---@param id string
---@return any ...
function goop.chat.state(id) end

---{id, name, description, members} of each room this peer hosts or is in now.
---Returns: rooms
---@return any ...
function goop.chat.rooms() end

---The loaded chat commands, sorted, and their descriptions; data functions that define `handle(args)` are commands too.
---Returns: names, name → description
---@return any ...
function goop.commands() end

---What `lib/name.lua`, in the folder of the scripts, returns: code that several scripts share. It is run once a call, with the rights of the script that uses it. Shared code may use other shared code, but not itself.
---Returns: what the file returns
---@param name string
---@return any ...
function goop.use(name) end

---A function that calls the one of actions that request.params.action names, with request.params, and gives what it gives: `call = goop.route{list = list, add = add}`.
---Returns: function(request)
---@param actions table
---@return any ...
function goop.route(actions) end

---A function that calls fn when the caller is the owner of the site, and raises `only the site owner can do this` otherwise.
---Returns: function
---@param fn function
---@return any ...
function goop.owner(fn) end

---@class goop.orm
local orm = {}

---Rows by where, args, order, limit, offset, fields. 1000 rows, 1 MB.
---Returns: rows | nil, error
---@param options? goop.FindOptions
---@return goop.Row[]|nil, string|nil
function orm:find(options) end

---The first row of find, or nil.
---Returns: row or nil | nil, error
---@param options? goop.FindOptions
---@return goop.Row|nil|nil, string|nil
function orm:find_one(options) end

---The row with this _id; that there is none is an error.
---Returns: row | nil, error
---@param id number|string
---@return goop.Row|nil, string|nil
function orm:get(id) end

---The first row in which the column has this value.
---Returns: row or nil | nil, error
---@param column string
---@param value string|number|boolean|nil
---@return goop.Row|nil|nil, string|nil
function orm:get_by(column, value) end

---Rows in order of _id; without a limit, or 0, all.
---Returns: rows | nil, error
---@param limit? number|string
---@return goop.Row[]|nil, string|nil
function orm:list(limit) end

---How many rows meet where and args; all without.
---Returns: number | 0, error
---@param options? goop.FindOptions
---@return any ...
function orm:count(options) end

---Whether a row meets where and args; an error reads as false.
---Returns: boolean | false, error
---@param options? goop.FindOptions
---@return any ...
function orm:exists(options) end

---One column of the rows by where, args, order, limit.
---Returns: values | nil, error
---@param column string
---@param options? goop.FindOptions
---@return any ...
function orm:pluck(column, options) end

---The different values of a column, ascending, by where, args.
---Returns: values | nil, error
---@param column string
---@param options? goop.FindOptions
---@return any ...
function orm:distinct(column, options) end

---The rows of SELECT expr, such as `COUNT(*) AS n`, by where, args, group_by.
---Returns: rows | nil, error
---@param expr string
---@param options? goop.FindOptions
---@return goop.Row[]|nil, string|nil
function orm:aggregate(expr, options) end

---Adds a row owned by the caller.
---Returns: id | nil, error
---@param row table<string, string|number|boolean|nil>
---@return any ...
function orm:insert(row) end

---Changes columns of a row.
---Returns: true | false, error
---@param id number|string
---@param changes table<string, string|number|boolean|nil>
---@return any ...
function orm:update(id, changes) end

---Removes a row.
---Returns: true | false, error
---@param id number|string
---@return any ...
function orm:delete(id) end

---Changes columns of the rows that meet where and args, to values or to a goop.expr. Without where it is an error.
---Returns: changed rows | 0, error
---@param changes table<string, any>
---@param options? goop.FindOptions
---@return any ...
function orm:update_where(changes, options) end

---Removes the rows that meet where and args; where is needed.
---Returns: removed rows | 0, error
---@param options? goop.FindOptions
---@return any ...
function orm:delete_where(options) end

---Changes the first row with the same value in key_column, or inserts it. An existing row keeps its owner.
---Returns: id | nil, error
---@param key_column string
---@param row table<string, string|number|boolean|nil>
---@return any ...
function orm:upsert(key_column, row) end

---Inserts rows when the table is empty; gives how many went in. Rows that fail are passed over.
---Returns: number | 0, error
---@param rows table
---@return any ...
function orm:seed(rows) end

---Whether the row could be inserted.
---Returns: true | false, error
---@param row table<string, string|number|boolean|nil>
---@return any ...
function orm:validate(row) end

---A typed table as an object: name, system_key, context, columns, access, and methods called with a colon.
---Returns: handle | nil, error
---@param table string
---@return goop.orm|nil, string|nil
function goop.orm(table) end

---An SQL expression as a value of update_where, such as `position + 1`: columns of the row, constants and functions, no sub-select. Its text is the script's own: join only numbers into it, never what a caller sent as text.
---Returns: marker
---@param sql string
---@return any ...
function goop.expr(sql) end

---@class goop.config
local config = {}

---Stores one value; a table of pairs stores text.
---Returns: true | nil, error
---@param key string
---@param value? string|number|boolean|nil
---@return any ...
function config:set(key, value) end

---Stores several columns of a single row.
---Returns: true | nil, error
---@param row table<string, string|number|boolean|nil>
---@return any ...
function config:save(row) end

---Settings kept in a typed table: one of the columns key and value, or the newest row of any other. `config.NAME` is the stored value, else the default.
---Returns: config | nil, error
---@param table string
---@param defaults? table
---@return goop.config|nil, string|nil
function goop.config(table, defaults) end

---Stands for JSON's null.
goop.json.null = {}

---Who calls in a test: `{as = "a peer id"}` or `{owner = true}`; without it, a visitor.
---@class goop.TestCaller
---@field as? string
---@field label? string
---@field email? string
---@field owner? boolean

---@class goop.Expectation
---@field equals fun(wanted: any) compares values, tables with all they hold
---@field matches fun(pattern: string) wants a match of a pattern of Lua
---@field fails fun(text?: string) wants an error with this text from the function

---A test, in a file tests/…_test.lua.
---@param name string
---@param body fun()
function test(name, body) end

---@param value? any
---@return goop.Expectation
function expect(value) end

---Sends a chat command; gives its reply, and the class of its failure.
---@param message string
---@param who? goop.TestCaller
---@return string, string|nil
function chat(message, who) end

---Keeps a value for a script, as goop2 kv does.
---@param script string
---@param key string
---@param value any
function keep(script, key, value) end

---All rows of a table.
---@param name string
---@return goop.Row[]
function rows(name) end

http, clock = {}, {}

---What a server answers in this test.
---@param url string
---@param answer? { status?: integer, body?: string|table, headers?: table<string, string>, error?: string }
function http.stub(url, answer) end

---The requests of this test so far.
---@return { method: string, url: string, body: string }[]
function http.requests() end

---Stops the clock: at seconds since 1970, or a date in UTC.
---@param time number|string
---@return number
function clock.set(time) end

---@param seconds number
---@return number
function clock.advance(seconds) end
