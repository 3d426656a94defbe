"""Declarations → Lua stubs: one line a function, pasted into prelude.lua where it says @declarations."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import groupby

from goop2.scripting.api.declaration import Function


def stubs(functions: Iterable[Function]) -> str:
    """Fields of the Lua table constructor `goop = { ... }`; functions of one group stand together."""
    lines = []
    for group, members in groupby(functions, key=lambda function: function.group):
        fields = "\n".join(_stub(function) for function in members)
        lines.append(f"{group} = {{\n{fields}\n}}," if group else fields)
    return "\n".join(lines)


def _stub(function: Function) -> str:
    # pass: not a tail call, for the error levels in calls.lua count this frame.
    return f'{function.member} = function(...) return pass(call("{function.name}", "{function.signature}", ...)) end,'
