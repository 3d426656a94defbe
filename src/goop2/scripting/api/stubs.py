"""Declarations → Lua stubs: one line a function, pasted into sandbox/prelude.lua where it says @declarations."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import groupby

from goop2.scripting.api.declaration import Function


def stubs(functions: Iterable[Function]) -> str:
    """Fields of the Lua table constructor `goop = { ... }`; functions of one group stand together."""
    lines = []
    for group, members in groupby(functions, key=lambda function: function.group):
        stubs_of_group = list(members)
        fields = "\n".join(map(_stub, stubs_of_group))
        if group and all(function.functions_only for function in stubs_of_group):
            lines.append(f"{group} = not is_command and {{\n{fields}\n}} or nil,")
        else:
            lines.append(f"{group} = {{\n{fields}\n}}," if group else fields)
    return "\n".join(lines)


def _stub(function: Function) -> str:
    kept, otherwise = ("not is_command and ", " or nil") if function.functions_only else ("", "")
    # pass: not a tail call, for the error levels in sandbox/calls.lua count this frame.
    return f'{function.member} = {kept}function(...) return pass(call("{function.name}", "{function.signature}", ...)) end{otherwise},'
