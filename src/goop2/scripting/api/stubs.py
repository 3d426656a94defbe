"""Declarations → Lua stubs: a function each. What uses them is sandbox/calls.lua, where it says @members."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import msgspec

from goop2.scripting.api.declaration import ExecutionSite, Function, Parameter


@dataclass
class _Group:
    """The functions of one table, and the tables in it: `goop.group` holds `goop.group.member`."""

    functions: list[Function] = field(default_factory=list)
    groups: dict[str, _Group] = field(default_factory=dict)

    def inner(self, path: str) -> _Group:
        """Return the group at `path`, such as `group.member`; itself for ""."""
        group = self
        for name in filter(None, path.split(".")):
            group = group.groups.setdefault(name, _Group())
        return group

    @property
    def functions_only(self) -> bool:
        """Return whether nothing in it is for chat commands; they then have no such table at all."""
        return all(one.functions_only for one in self.functions) and all(one.functions_only for one in self.groups.values())


def stubs(functions: Iterable[Function]) -> dict[str, str]:
    """Return member of the goop table → the Lua expression that makes it; private operations have none."""
    root = _Group()
    for function in functions:
        if not function.private:
            root.inner(function.group).functions.append(function)
    return _members(root)


def _members(group: _Group) -> dict[str, str]:
    return {one.member: _stub(one) for one in group.functions} | {name: _table(inner) for name, inner in group.groups.items()}


def _table(group: _Group) -> str:
    fields = "".join(f"\n{name} = {expression}," for name, expression in _members(group).items())
    return _for_functions(f"{{{fields}\n}}", group.functions_only)


def _for_functions(expression: str, functions_only: bool) -> str:
    return f"not is_command and {expression} or nil" if functions_only else expression


def _stub(function: Function) -> str:
    names, defaults = _arguments(function.parameters)
    opened = f'"{function.name}", "{function.signature}"'
    is_here = function.place is ExecutionSite.VM
    if function.methods:
        work = f"handles()({'here()' if is_here else 'nil'}, {opened}, {{ {_methods(function)} }}, {names})"
    else:
        work = f"{'call_here' if is_here else 'call'}({opened}, {names})"
    # pass: not a tail call, for the error levels in sandbox/calls.lua count this frame.
    return _for_functions(f"function({names}) {defaults}return pass({work}) end", function.functions_only)


def _methods(function: Function) -> str:
    return ", ".join(f'{method.member} = "{method.signature}"' for method in function.methods)


def _arguments(parameters: tuple[Parameter, ...]) -> tuple[str, str]:
    """Return the parameters of a stub and the statements that put defaults in; only a function that has defaults names its parameters."""
    # `...` is passed on without a copy; names would also make "no value" look like nil.
    if not any(parameter.default is not None for parameter in parameters):
        return "...", ""
    names = ["..." if parameter.repeated else f"a{place}" for place, parameter in enumerate(parameters, 1)]
    defaults = [
        f"if {name} == nil then {name} = {_literal(parameter.default)} end "
        for name, parameter in zip(names, parameters, strict=True)
        if parameter.default is not None
    ]
    return ", ".join(names), "".join(defaults)


def _literal(value: str | int | float | bool | None) -> str:
    """Return `value` as Lua writes it: JSON's literals are Lua's, but for \\u, which no default needs."""
    return msgspec.json.encode(value).decode()
