"""Write what authors read from the declarations: docs/goop-table.md and the editor types docs/goop.lua (LuaLS).

`python -m goop2.scripting.api.docs` writes both; a test keeps them equal to the declarations. Each function's example is in examples.lua.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import cache
from importlib import resources
from itertools import groupby
from pathlib import Path
from typing import Final

from goop2.sandbox.messages import FailureForm
from goop2.scripting.api.declaration import Function, operations
from goop2.scripting.api.functions import FUNCTIONS

REFERENCE: Final = "goop-table.md"
EDITOR_TYPES: Final = "goop.lua"

_HEAD = """# The goop table

What scripts see as `goop`, function by function. Made from the declarations in `goop2.scripting.api`; change those, then run
`python -m goop2.scripting.api.docs`.

`goop.peer.id` and `goop.peer.label` are the caller, `goop.peer.email` the address it says it has ("" when it says none), `goop.self.id` and
`goop.self.label` this peer, `goop.json.null` is JSON's null. `goop.template` is the manifest of the site's template, with
`require_email`; `goop.group.member.id` is the caller too.
A wrong argument raises an error that names the function, the position and the expected type. Everything else that can fail says so
with a second value: `nil, "message"`; functions that give nothing on success return the message itself.

## The language

Scripts are Lua 5.1, on LuaJIT with `goto` and `bit`. Absent: `io`, `package`, `require`, `module`, `dofile`, `loadfile`, `debug`, `ffi`,
`jit`, `string.dump`, `newproxy`, `getfenv`, `setfenv`, `gcinfo`, the most of `os`, and `collectgarbage` but for `"count"`.

- `load` and `loadstring` take source text, or `load` a function that gives it in pieces. What does not compile, and what goes wrong in that
  function, is `nil, message`.
- `error("sold out")` tells the caller `buy:3: sold out`. `error({code = "no_stock", message = "sold out"})` tells the same, and a page has
  the code as `error.detail.code`. Any other table is told as its JSON, cut at 2000 bytes.
- `tostring` of a table, a function or a coroutine shows a number that belongs to this value in this call, and no address.
- An empty object that comes in (`request.params`, `goop.json.decode`, `goop.kv`) goes out as `{}` while it is empty, and as a list once
  something is put into it as into one. A new empty table is `[]`; `goop.json.object({})` is `{}`.
- The file of a data function may define `handle(args)`: `!name` runs it where there is no `lua/name.lua`; or `on_group_close(id)`,
  which is called, as the owner, when a group has ended that this peer was in or hosted; or `run(event)` with a schedule at the top of the
  file, `--- @every 15m` or `--- @cron 0 8 * * *`. Then it runs by itself, as the owner, while the peer
  runs ([authors](authors.md#schedules)).
- A command may have blanks before and after its `!`, and the full-width `！` of phone keyboards.

## The examples

Each function has an example, and a test runs each of them in a peer. `-->` at the end of a line is what the line gives, as JSON. The
examples use a typed table `posts` with the columns `title` (text, required) and `likes` (integer), and with two rows:
`{_id = 1, title = "Hello", likes = 3}` and `{_id = 2, title = "Second", likes = 5}`. The owner calls them, with `lua.http_enabled` and
`lua.kv_enabled` set.
"""

_LUALS_HEAD = """---@meta
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
"""

_LUALS_TESTS = """---Who calls in a test: `{as = "a peer id"}` or `{owner = true}`; without it, a visitor.
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
"""

_CLASSES: Final = {
    **dict.fromkeys(("schema.find", "schema.find_one", "schema.count", "orm.find", "orm.find_one"), "goop.FindOptions"),
    **dict.fromkeys(("orm.count", "orm.exists", "orm.pluck", "orm.distinct", "orm.aggregate"), "goop.FindOptions"),
    **dict.fromkeys(("orm.update_where", "orm.delete_where"), "goop.FindOptions"),
    **dict.fromkeys(("http.get", "http.post"), "goop.HttpOptions"),
}
"""Function → the class of its options; those of others are any table."""
_RESULTS: Final = {
    "rows": "goop.Row[]",
    "row": "goop.Row",
    "row or nil": "goop.Row|nil",
    **{name: name for name in ("string", "number", "boolean")},
}
"""What a function gives, as the reference says it → its type; of others any."""

LUALS_TYPES: Final = {
    "string": "string",
    "number": "number",
    "whole": "number|string",
    "boolean": "boolean",
    "table": "table",
    "function": "function",
    "value": "string|number|boolean|nil",
    "json": "any",
    "row": "table<string, string|number|boolean|nil>",
    "any": "any",
    "options": "table",
    "data": "string|table",
    "changes": "table<string, any>",
}


def reference(functions: Iterable[Function] = FUNCTIONS) -> str:
    """Return the text of docs/goop-table.md."""
    parts = [_HEAD]
    for group, members in groupby(_public(functions), key=lambda function: function.group):
        parts.append(f"## goop.{group}\n" if group else "## goop\n")
        for function in members:
            parts.append(_entry(function, f"goop.{function.name}"))
            parts.extend(_entry(method, method.name.replace(".", ":")) for method in _methods(function))
    return "\n".join(parts)


def editor_types(functions: Iterable[Function] = FUNCTIONS) -> str:
    """Return the text of docs/goop.lua."""
    parts = [_LUALS_HEAD]
    tables: set[str] = set()
    for group, members in groupby(_public(functions), key=lambda function: function.group):
        parts.extend(f"goop.{table} = {{}}\n" for table in _tables(group) if table not in tables)
        tables.update(_tables(group))
        for function in members:
            parts.extend(_luals_object(function) if function.methods else [_luals(function, f"goop.{function.name}", _result(function))])
    parts.append("---Stands for JSON's null.\ngoop.json.null = {}\n")
    parts.append(_LUALS_TESTS)
    return "\n".join(parts)


@cache
def examples() -> dict[str, str]:
    """Return function as the reference names it, `goop.kv.get` or `orm:find` → its example."""
    text = resources.files("goop2.scripting.api").joinpath("examples.lua").read_text("utf-8")
    parts = re.split(r"^-- ((?:goop\.[a-z_.]+|[a-z]+:[a-z_]+))\n", text, flags=re.MULTILINE)
    return {name: example.strip() for name, example in zip(parts[1::2], parts[2::2], strict=True)}


def _public(functions: Iterable[Function]) -> Iterator[Function]:
    return (function for function in functions if not function.private)


def _methods(function: Function) -> list[Function]:
    """Return the methods of the object that `function` gives, as `operations` has them."""
    return list(operations((function,)))[1:]


def _tables(group: str) -> list[str]:
    """Return the tables that must exist before the functions of a group: `group`, `group.member` for `group.member`."""
    names = group.split(".") if group else []
    return [".".join(names[:count]) for count in range(1, len(names) + 1)]


def _entry(function: Function, name: str) -> str:
    where = " Data functions only." if function.functions_only else ""
    shown = ", ".join(parameter.shown for parameter in function.parameters)
    return f"### `{name}({shown})` → {function.returns}\n\n{function.doc}{where}\n\n```lua\n{examples()[name]}\n```\n"


def _luals_object(function: Function) -> list[str]:
    """Return the class of the object that `function` gives, and the function."""
    kind = f"goop.{function.name}"
    local = function.member
    methods = [_luals(method, f"{local}:{method.member}", _result(method)) for method in _methods(function)]
    return [f"---@class {kind}\nlocal {local} = {{}}\n", *methods, _luals(function, kind, f"{kind}|nil, string|nil")]


def _result(function: Function) -> str:
    """Return the type of what a function gives, with that of its failure."""
    given = _RESULTS.get(function.gives)
    if given is None or function.failure in (FailureForm.MESSAGE, FailureForm.ZERO, FailureForm.FALSE):
        return "any ..."
    return f"{given}|nil, string|nil" if function.failure is FailureForm.NIL else given


def _luals(function: Function, name: str, returns: str) -> str:
    names = ["..." if parameter.repeated else parameter.name for parameter in function.parameters]
    lines = [f"---{function.doc}", f"---Returns: {function.returns}"]
    for shown, parameter in zip(names, function.parameters, strict=True):
        mark = "?" if parameter.may_be_nil and not parameter.repeated else ""
        kind = _CLASSES.get(function.name, LUALS_TYPES["options"]) if parameter.type == "options" else LUALS_TYPES[parameter.type]
        lines.append(f"---@param {shown}{mark} {kind}")
    lines.append(f"---@return {returns}")
    lines.append(f"function {name}({', '.join(names)}) end\n")
    return "\n".join(lines)


if __name__ == "__main__":
    docs = Path("docs")
    (docs / REFERENCE).write_text(reference(), "utf-8")
    (docs / EDITOR_TYPES).write_text(editor_types(), "utf-8")
