"""Declarations → what authors read: docs/goop-table.md and the editor types docs/goop.lua (LuaLS).

`python -m goop2.scripting.api.docs` writes both; a test keeps them equal to the declarations.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import groupby
from pathlib import Path
from typing import Final

from goop2.scripting.api.declaration import Function, Parameter
from goop2.scripting.api.functions import FUNCTIONS

REFERENCE: Final = "goop-table.md"
EDITOR_TYPES: Final = "goop.lua"

_HEAD = """# The goop table

What scripts see as `goop`, function by function. Made from the declarations in `goop2.scripting.api`; change those, then run
`python -m goop2.scripting.api.docs`.

`goop.peer.id` and `goop.peer.label` are the caller, `goop.self.id` and `goop.self.label` this peer, `goop.json.null` is JSON's null.
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
- A command may have blanks before and after its `!`, and the full-width `！` of phone keyboards.
"""

_LUALS_HEAD = """---@meta
-- Types of the goop table for editors that use the Lua language server: put this file beside your scripts' workspace.
-- Made from the declarations in goop2.scripting.api.

goop = {}

---@type { id: string, label: string }
goop.peer = {}
---@type { id: string, label: string }
goop.self = {}
"""

_LUALS_TYPES: Final = {
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
}


def reference(functions: Iterable[Function] = FUNCTIONS) -> str:
    """Return the text of docs/goop-table.md."""
    parts = [_HEAD]
    for group, members in groupby(functions, key=lambda function: function.group):
        parts.append(f"## goop.{group}\n" if group else "## goop\n")
        parts.extend(map(_entry, members))
    return "\n".join(parts)


def editor_types(functions: Iterable[Function] = FUNCTIONS) -> str:
    """Return the text of docs/goop.lua."""
    parts = [_LUALS_HEAD]
    for group, members in groupby(functions, key=lambda function: function.group):
        if group:
            parts.append(f"goop.{group} = {{}}\n")
        parts.extend(map(_luals, members))
    parts.append("---Stands for JSON's null.\ngoop.json.null = {}\n")
    return "\n".join(parts)


def _entry(function: Function) -> str:
    where = " Data functions only." if function.functions_only else ""
    return f"### `goop.{function.name}({_shown(function)})` → {function.returns}\n\n{function.doc}{where}\n"


def _shown(function: Function) -> str:
    return ", ".join(map(_shown_parameter, function.parameters))


def _shown_parameter(parameter: Parameter) -> str:
    if parameter.repeated:
        return "..."
    return f"[{parameter.name}]" if parameter.optional else parameter.name


def _luals(function: Function) -> str:
    names = ["..." if parameter.repeated else parameter.name for parameter in function.parameters]
    lines = [f"---{function.doc}", f"---Returns: {function.returns}"]
    for name, parameter in zip(names, function.parameters, strict=True):
        mark = "?" if parameter.optional and not parameter.repeated else ""
        lines.append(f"---@param {name}{mark} {_LUALS_TYPES[parameter.type]}")
    lines.append("---@return any ...")
    lines.append(f"function goop.{function.name}({', '.join(names)}) end\n")
    return "\n".join(lines)


if __name__ == "__main__":
    docs = Path("docs")
    (docs / REFERENCE).write_text(reference(), "utf-8")
    (docs / EDITOR_TYPES).write_text(editor_types(), "utf-8")
