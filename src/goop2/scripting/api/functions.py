"""Every function of the goop table (manual: "Available APIs"; behaviour.md: "The goop table").

Grouped as the manual groups them; functions of one group stand together. What a function does is elsewhere: in sandbox/calls.lua (VM),
sandbox/data_calls.py (worker), and in the operations that app.py lends to the pool (peer).
"""

from __future__ import annotations

from typing import Final

from goop2.sandbox.messages import FailureForm
from goop2.scripting.api.declaration import ExecutionSite, Function, Parameter
from goop2.scripting.api.site_functions import CHAT, GROUP, ORM, ORM_PRIVATE, TRANSFORM

_VM, _WORKER, _PEER = ExecutionSite.VM, ExecutionSite.WORKER, ExecutionSite.PEER
_NIL, _MESSAGE, _FALSE = FailureForm.NIL, FailureForm.MESSAGE, FailureForm.FALSE

_VALUE = Parameter("value", "any")
_TABLE = Parameter("t", "table")
_NAME = Parameter("table", "string")
_ID = Parameter("id", "whole")
_ROW = Parameter("row", "row")
_SQL = (Parameter("sql", "string"), Parameter("args", "value", repeated=True))

_JSON = (
    Function(
        "json.encode",
        (_VALUE,),
        gives="string",
        failure=_NIL,
        place=_VM,
        doc="The value as JSON text; the keys of an object in their order.",
    ),
    Function(
        "json.decode",
        (Parameter("text", "string"),),
        gives="value",
        failure=_NIL,
        place=_VM,
        doc="The value of a JSON text; an error names line and column. null is an absent key in an object, goop.json.null in an array.",
    ),
    Function(
        "json.object", (_TABLE,), gives="t", place=_VM, doc="Marks t to be written as a JSON object, even when it is empty or a sequence."
    ),
    Function("json.array", (_TABLE,), gives="t", place=_VM, doc="Marks t to be written as a JSON array; its keys must be 1 to n."),
)

_LINE = (Parameter("values", "any", repeated=True),)
_LOG = (
    Function("log.info", _LINE, place=_VM, doc="Writes a line to the run's log; tables are shown as JSON. 200 lines and 64 KB a run."),
    Function("log.warn", _LINE, place=_VM, doc="Like goop.log.info, as a warning."),
    Function("log.error", _LINE, place=_VM, doc="Like goop.log.info, as an error."),
)

_URL = Parameter("url", "string")
_OPTIONS = Parameter("opts", "options", optional=True)
_HTTP = (
    Function(
        "http.get",
        (_URL, _OPTIONS),
        gives="body, nil",
        failure=_NIL,
        place=_PEER,
        doc="Fetches a public http or https address; opts.headers adds headers. 3 requests a call, 1 MB an answer. "
        "Any status is a body, not an error. With opts.full = true a third value is {status, headers}.",
    ),
    Function(
        "http.post",
        (_URL, Parameter("body", "data"), _OPTIONS),
        gives="body, nil",
        failure=_NIL,
        place=_PEER,
        doc="Like goop.http.get, sending body: a table as JSON, a string as it is.",
    ),
)

_KEY = Parameter("key", "string")
_KV = (
    Function("kv.get", (_KEY,), gives="value or nil", failure=_NIL, place=_WORKER, doc="What was stored under key, nil when nothing was."),
    Function(
        "kv.set",
        (_KEY, Parameter("value", "json", optional=True)),
        failure=_MESSAGE,
        place=_WORKER,
        doc="Stores a JSON-able value; nil forgets the key. 1000 keys, 64 KB a script.",
    ),
    Function("kv.del", (_KEY,), failure=_MESSAGE, place=_WORKER, doc="Forgets the key."),
)

_DB = (
    Function(
        "db.query",
        _SQL,
        gives="rows",
        failure=_NIL,
        place=_WORKER,
        doc="Rows of one reading statement, column → value. 1000 rows, 1 MB.",
        functions_only=True,
    ),
    Function(
        "db.scalar",
        _SQL,
        gives="value",
        failure=_NIL,
        place=_WORKER,
        doc="First column of the first row, nil when there is none.",
        functions_only=True,
    ),
    Function(
        "db.exec",
        _SQL,
        gives="changed rows",
        failure=_NIL,
        place=_WORKER,
        doc="One INSERT, UPDATE, DELETE or REPLACE.",
        functions_only=True,
    ),
    Function(
        "db.transaction",
        (Parameter("fn", "function"),),
        gives="what fn returns",
        place=_VM,
        doc="Runs fn in one transaction of at most a second; an error in fn rolls back and is raised again.",
        functions_only=True,
    ),
)

_WHERE = Parameter("options", "options", optional=True)
_SCHEMA = (
    Function(
        "schema.create",
        (_NAME, Parameter("columns", "options"), _OPTIONS),
        gives="true",
        failure=_NIL,
        place=_WORKER,
        doc="Makes a typed table, or adds new optional columns to it. opts: access {read, insert, update, delete}, roles {ROLE: {read, "
        "insert, update, delete}} for the policy group, context.",
        functions_only=True,
    ),
    Function(
        "schema.insert",
        (_NAME, _ROW),
        gives="id",
        failure=_NIL,
        place=_WORKER,
        doc="Adds a row owned by the caller.",
        functions_only=True,
    ),
    Function(
        "schema.get", (_NAME, _ID), gives="row or nil", failure=_NIL, place=_WORKER, doc="The row with this _id.", functions_only=True
    ),
    Function(
        "schema.list",
        (_NAME, Parameter("limit", "whole", optional=True)),
        gives="rows",
        failure=_NIL,
        place=_WORKER,
        doc="Rows in order of _id; more than 1000, or 1 MB, is an error.",
        functions_only=True,
    ),
    Function(
        "schema.update",
        (_NAME, _ID, Parameter("changes", "row")),
        gives="true",
        failure=_NIL,
        place=_WORKER,
        doc="Changes columns of a row.",
        functions_only=True,
    ),
    Function("schema.delete", (_NAME, _ID), gives="true", failure=_NIL, place=_WORKER, doc="Removes a row.", functions_only=True),
    Function(
        "schema.validate",
        (_NAME, _ROW),
        gives="true",
        failure=_FALSE,
        place=_WORKER,
        doc="Whether the row could be inserted.",
        functions_only=True,
    ),
    Function(
        "schema.describe",
        (_NAME,),
        gives="{name, columns}",
        failure=_NIL,
        place=_WORKER,
        doc="The table's declaration.",
        functions_only=True,
    ),
    Function(
        "schema.is_orm",
        (_NAME,),
        gives="boolean",
        failure=_NIL,
        place=_WORKER,
        doc="Whether the table is a typed one.",
        functions_only=True,
    ),
    Function(
        "schema.find",
        (_NAME, _WHERE),
        gives="rows",
        failure=_NIL,
        place=_WORKER,
        doc="Rows by where, args, order, limit, offset, fields.",
        functions_only=True,
    ),
    Function(
        "schema.find_one",
        (_NAME, _WHERE),
        gives="row or nil",
        failure=_NIL,
        place=_WORKER,
        doc="The first row of goop.schema.find, or nil.",
        functions_only=True,
    ),
    Function(
        "schema.count",
        (_NAME, _WHERE),
        gives="number",
        failure=_NIL,
        place=_WORKER,
        doc="How many rows meet where and args; all without.",
        functions_only=True,
    ),
    Function(
        "schema.seed",
        (_NAME, Parameter("rows", "options")),
        gives="number",
        failure=_NIL,
        place=_WORKER,
        doc="Inserts rows when the table is empty; gives how many went in. Rows that fail are passed over.",
        functions_only=True,
    ),
)

_SITE = (
    Function(
        "site.read",
        (Parameter("path", "string"),),
        gives="content",
        failure=_NIL,
        place=_PEER,
        doc="A file of the site, 1 MB at most.",
        functions_only=True,
    ),
)

_LISTEN = (
    Function(
        "listen.create",
        (Parameter("name", "string"),),
        gives="group",
        failure=_NIL,
        place=_PEER,
        doc="Opens a listening session.",
    ),
    Function(
        "listen.state",
        gives="group or nil",
        failure=_NIL,
        place=_PEER,
        doc="The session as it is now; its `role` is `host`, or `listener` in another peer's.",
    ),
    Function("listen.load", (Parameter("path", "string"),), gives="track", failure=_NIL, place=_PEER, doc="Loads an audio file."),
    Function("listen.play", failure=_MESSAGE, place=_PEER, doc="Plays from the current position."),
    Function("listen.pause", failure=_MESSAGE, place=_PEER, doc="Pauses."),
    Function("listen.seek", (Parameter("seconds", "number"),), failure=_MESSAGE, place=_PEER, doc="Moves to a position."),
    Function("listen.close", failure=_MESSAGE, place=_PEER, doc="Ends the session, or leaves another peer's."),
)

_COMMANDS = (
    Function(
        "commands",
        gives="names, name → description",
        place=_PEER,
        doc="The loaded chat commands, sorted, and their descriptions; data functions that define `handle(args)` are commands too.",
    ),
    Function(
        "use",
        (Parameter("name", "string"),),
        gives="what the file returns",
        place=_VM,
        doc="What `lib/name.lua`, in the folder of the scripts, returns: code that several scripts share. It is run once a call, with the "
        "rights of the script that uses it. Shared code may use other shared code, but not itself.",
    ),
    Function(
        "route",
        (Parameter("actions", "table"),),
        gives="function(request)",
        place=_VM,
        doc="A function that calls the one of actions that request.params.action names, with request.params, and gives what it gives: "
        "`call = goop.route{list = list, add = add}`.",
    ),
    Function(
        "owner",
        (Parameter("fn", "function"),),
        gives="function",
        place=_VM,
        doc="A function that calls fn when the caller is the owner of the site, and raises `only the site owner can do this` otherwise.",
    ),
)

FUNCTIONS: Final = (*_JSON, *_LOG, *_HTTP, *_KV, *_DB, *_SCHEMA, *_SITE, *TRANSFORM, *_LISTEN, *GROUP, *CHAT, *_COMMANDS, *ORM)
"""All of them, group by group."""

PRIVATE: Final = (
    *ORM_PRIVATE,
    Function("print", _LINE, place=_VM, doc="The script's print.", private=True),
    Function("use.source", (Parameter("name", "string"),), place=_PEER, doc="The text of shared code, for goop.use.", private=True),
    Function("log", (Parameter("level", "string"), Parameter("text", "string")), place=_WORKER, doc="Sends a line.", private=True),
    Function("db.begin", place=_WORKER, doc="Begins goop.db.transaction.", functions_only=True, private=True),
    Function("db.commit", place=_WORKER, doc="Ends it.", functions_only=True, private=True),
    Function("db.rollback", place=_WORKER, doc="Undoes it.", functions_only=True, private=True),
    Function("db.more", place=_WORKER, doc="The next rows of an answer that has many.", functions_only=True, private=True),
    Function(
        "api.perform",
        (Parameter("operation", "string"), Parameter("resource", "string"), Parameter("request", "options")),
        place=_PEER,
        doc="What the built-in function `api` asks (services/rest_api).",
        functions_only=True,
        private=True,
    ),
)
"""Operations that Lua of ours uses for the functions above; no script has them by name."""
