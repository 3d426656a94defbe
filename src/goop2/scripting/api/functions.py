"""Every function of the goop table (manual: "Available APIs"; behaviour.md: "The goop table").

Grouped as the manual groups them; functions of one group stand together. What a function does is
elsewhere: sandbox/calls.lua (VM), sandbox/host_calls.py (worker), app.py hands out the peer's.
"""

from __future__ import annotations

from typing import Final

from goop2.scripting.api.declaration import ExecutionSite, Function, Parameter

_VALUE = Parameter("value", "any")
_TABLE = Parameter("t", "table")
_NAME = Parameter("table", "string")
_ID = Parameter("id", "whole")
_ROW = Parameter("row", "row")
_SQL = (Parameter("sql", "string"), Parameter("args", "value", repeated=True))

_JSON = (
    Function(
        "json.encode", (_VALUE,), "string | nil, error", ExecutionSite.VM, "The value as JSON text; the keys of an object in their order."
    ),
    Function(
        "json.decode",
        (Parameter("text", "string"),),
        "value | nil, error",
        ExecutionSite.VM,
        "The value of a JSON text; an error names line and column. null is an absent key in an object, goop.json.null in an array.",
    ),
    Function(
        "json.object", (_TABLE,), "t", ExecutionSite.VM, "Marks t to be written as a JSON object, even when it is empty or a sequence."
    ),
    Function("json.array", (_TABLE,), "t", ExecutionSite.VM, "Marks t to be written as a JSON array; its keys must be 1 to n."),
)

_LINE = (Parameter("values", "any", repeated=True),)
_LOG = (
    Function(
        "log.info", _LINE, "nil", ExecutionSite.VM, "Writes a line to the run's log; tables are shown as JSON. 200 lines and 64 KB a run."
    ),
    Function("log.warn", _LINE, "nil", ExecutionSite.VM, "Like goop.log.info, as a warning."),
    Function("log.error", _LINE, "nil", ExecutionSite.VM, "Like goop.log.info, as an error."),
)

_URL = Parameter("url", "string")
_OPTIONS = Parameter("opts", "options", optional=True)
_HTTP = (
    Function(
        "http.get",
        (_URL, _OPTIONS),
        "body, nil, {status, headers} | nil, error",
        ExecutionSite.PEER,
        "Fetches a public http or https address; opts.headers adds headers. 3 requests a call, 1 MB an answer. "
        "Any status is a body, not an error.",
    ),
    Function(
        "http.post",
        (_URL, Parameter("body", "data"), _OPTIONS),
        "body, nil, {status, headers} | nil, error",
        ExecutionSite.PEER,
        "Like goop.http.get, sending body: a table as JSON, a string as it is.",
    ),
)

_KEY = Parameter("key", "string")
_KV = (
    Function("kv.get", (_KEY,), "value | nil", ExecutionSite.WORKER, "What was stored under key, nil when nothing was."),
    Function(
        "kv.set",
        (_KEY, Parameter("value", "json", optional=True)),
        "nil | error",
        ExecutionSite.WORKER,
        "Stores a JSON-able value; nil forgets the key. 1000 keys, 64 KB a script.",
    ),
    Function("kv.del", (_KEY,), "nil | error", ExecutionSite.WORKER, "Forgets the key."),
)

_DB = (
    Function(
        "db.query", _SQL, "rows | nil, error", ExecutionSite.WORKER, "Rows of one reading statement, column → value. 1000 rows, 1 MB.", True
    ),
    Function("db.scalar", _SQL, "value | nil, error", ExecutionSite.WORKER, "First column of the first row, nil when there is none.", True),
    Function("db.exec", _SQL, "changed rows | nil, error", ExecutionSite.WORKER, "One INSERT, UPDATE, DELETE or REPLACE.", True),
    Function(
        "db.transaction",
        (Parameter("fn", "function"),),
        "what fn returns",
        ExecutionSite.WORKER,
        "Runs fn in one transaction of at most a second; an error in fn rolls back and is raised again.",
        True,
    ),
)

_WHERE = Parameter("options", "options", optional=True)
_SCHEMA = (
    Function(
        "schema.create",
        (_NAME, Parameter("columns", "options"), _OPTIONS),
        "true | nil, error",
        ExecutionSite.WORKER,
        "Makes a typed table, or adds new optional columns to it.",
        True,
    ),
    Function("schema.insert", (_NAME, _ROW), "id | nil, error", ExecutionSite.WORKER, "Adds a row owned by the caller.", True),
    Function("schema.get", (_NAME, _ID), "row | nil", ExecutionSite.WORKER, "The row with this _id.", True),
    Function(
        "schema.list",
        (_NAME, Parameter("limit", "whole", optional=True)),
        "rows | nil, error",
        ExecutionSite.WORKER,
        "Rows in order of _id; more than 1000, or 1 MB, is an error.",
        True,
    ),
    Function(
        "schema.update",
        (_NAME, _ID, Parameter("changes", "row")),
        "true | nil, error",
        ExecutionSite.WORKER,
        "Changes columns of a row.",
        True,
    ),
    Function("schema.delete", (_NAME, _ID), "true | nil, error", ExecutionSite.WORKER, "Removes a row.", True),
    Function("schema.validate", (_NAME, _ROW), "true | false, error", ExecutionSite.WORKER, "Whether the row could be inserted.", True),
    Function("schema.describe", (_NAME,), "{name, columns} | nil, error", ExecutionSite.WORKER, "The table's declaration.", True),
    Function("schema.is_orm", (_NAME,), "boolean", ExecutionSite.WORKER, "Whether the table is a typed one.", True),
    Function(
        "schema.find",
        (_NAME, _WHERE),
        "rows | nil, error",
        ExecutionSite.WORKER,
        "Rows by where, args, order, limit, offset, fields.",
        True,
    ),
    Function("schema.find_one", (_NAME, _WHERE), "row | nil", ExecutionSite.WORKER, "The first row of goop.schema.find, or nil.", True),
    Function(
        "schema.count",
        (_NAME, _WHERE),
        "number | nil, error",
        ExecutionSite.WORKER,
        "How many rows meet where and args; all without.",
        True,
    ),
    Function(
        "schema.seed",
        (_NAME, Parameter("rows", "options")),
        "number | nil, error",
        ExecutionSite.WORKER,
        "Inserts rows when the table is empty; gives how many went in. Rows that fail are passed over.",
        True,
    ),
)

_SITE = (
    Function(
        "site.read", (Parameter("path", "string"),), "content | nil, error", ExecutionSite.PEER, "A file of the site, 1 MB at most.", True
    ),
)

_LISTEN = (
    Function("listen.create", (Parameter("name", "string"),), "group | nil, error", ExecutionSite.PEER, "Opens a listening session."),
    Function(
        "listen.state",
        (),
        "group | nil",
        ExecutionSite.PEER,
        "The session as it is now; its `role` is `host`, or `listener` in another peer's.",
    ),
    Function("listen.load", (Parameter("path", "string"),), "track | nil, error", ExecutionSite.PEER, "Loads an audio file."),
    Function("listen.play", (), "nil | error", ExecutionSite.PEER, "Plays from the current position."),
    Function("listen.pause", (), "nil | error", ExecutionSite.PEER, "Pauses."),
    Function("listen.seek", (Parameter("seconds", "number"),), "nil | error", ExecutionSite.PEER, "Moves to a position."),
    Function("listen.close", (), "nil | error", ExecutionSite.PEER, "Ends the session, or leaves another peer's."),
)

_COMMANDS = (
    Function("commands", (), "names, name → description", ExecutionSite.PEER, "The loaded chat commands, sorted, and their descriptions."),
)

FUNCTIONS: Final = (*_JSON, *_LOG, *_HTTP, *_KV, *_DB, *_SCHEMA, *_SITE, *_LISTEN, *_COMMANDS)
"""All of them, group by group."""
