"""The rules for a host call, from its declaration: who may make it, with which arguments, and how it fails.

The worker gets its part in `Setup` (`rules`). The peer checks again what a worker sends (`PeerCall`), since native code may have taken the
worker over. `forgotten` compares the declarations with the existing operations.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Final

from goop2.sandbox.messages import FailureForm, OperationRule, Scalar
from goop2.scripting.api.declaration import ExecutionSite, Function, operations

_NIL: Final = frozenset((type(None),))
_SCALAR: Final = frozenset((type(None), bool, int, float, bytes))
_TYPES: Final[Mapping[str, frozenset[type]]] = {
    "string": frozenset((bytes,)),
    "number": frozenset((int, float)),
    "whole": frozenset((int, float, bytes)),
    "boolean": frozenset((bool,)),
    "value": _SCALAR,
    "json": frozenset((bytes,)),
    "any": _SCALAR,
    "options": frozenset((bytes,)),
    "data": frozenset((bytes,)),
    "changes": frozenset((bytes,)),
}
"""Type of a parameter → the types its argument has once sandbox/calls.lua has converted it. A table, a function or a row as it is never
crosses to the peer."""

WHERE: Final = {
    ExecutionSite.VM: "a function of that name in `here`, sandbox/vm_functions.lua",
    ExecutionSite.WORKER: "an operation of that name in sandbox/data_calls.py",
    ExecutionSite.PEER: "an operation of that name among those app.py lends to the pool",
}
"""Where a function is done → what has to be written for it."""


def rules(functions: Iterable[Function]) -> tuple[OperationRule, ...]:
    """Return the rules for a worker: of all operations that are not Lua."""
    return tuple(
        OperationRule(function.name, function.place is ExecutionSite.PEER, not function.functions_only, function.failure)
        for function in operations(functions)
        if function.place is not ExecutionSite.VM
    )


class PeerCall:
    """A function done in the peer, as its declaration bounds what a worker may send."""

    __slots__ = ("_least", "_rest", "_types", "failure", "functions_only")

    def __init__(self, function: Function, bound: int = 0) -> None:
        """`bound`: how many arguments come before the declared ones, as the handle's does before a method's."""
        repeated = [parameter for parameter in function.parameters if parameter.repeated]
        single = [parameter for parameter in function.parameters if not parameter.repeated]
        self._types = (_SCALAR,) * bound + tuple(_TYPES[one.type] | (_NIL if one.may_be_nil else frozenset()) for one in single)
        self._rest = _TYPES[repeated[0].type] | _NIL if repeated else None
        self._least = bound + max((place for place, one in enumerate(single, 1) if not one.may_be_nil), default=0)
        self.functions_only: bool = function.functions_only
        self.failure: FailureForm = function.failure

    def breach(self, arguments: tuple[Scalar, ...]) -> str:
        """Return what of `arguments` no script can make an honest worker send; "" when all can be."""
        count, most = len(arguments), len(self._types)
        # calls.lua sends nil for each argument that was left out; Lua of ours may send fewer.
        if count < self._least or (count > most and self._rest is None):
            return f"with {count} arguments"
        for place, (value, types) in enumerate(zip(arguments, self._types, strict=False), 1):
            # Not isinstance: for Python True is an int, for Lua it is no number.
            if type(value) not in types:
                return f"with a {type(value).__name__} as argument {place}"
        if self._rest is not None and any(type(value) not in self._rest for value in arguments[most:]):
            return "with an argument of a wrong type"
        return ""


def peer_calls(functions: Iterable[Function]) -> dict[str, PeerCall]:
    """Return name → check, of every operation the peer may be asked for."""
    calls: dict[str, PeerCall] = {}
    for function in functions:
        calls |= {one.name: PeerCall(one, bound=one is not function) for one in operations((function,)) if one.place is ExecutionSite.PEER}
    return calls


def forgotten(functions: Iterable[Function], done: Mapping[ExecutionSite, Collection[str]]) -> list[str]:
    """Return a sentence for each function declared and not done, and for each operation done and not declared.

    `done`: where → the names of the operations there are; a place that is not in it is not looked at.
    """
    declared: dict[str, ExecutionSite] = {function.name: function.place for function in operations(functions)}
    sentences = []
    for site, names in done.items():
        lacking = sorted(name for name, place in declared.items() if place is site and name not in names)
        unknown = sorted(name for name in names if declared.get(name) is not site)
        sentences += [f"goop.{name} is declared as done {site.value}, and nothing does it: write {WHERE[site]}" for name in lacking]
        sentences += [
            f"the operation {name} is done {site.value}, and no function declares it so: add it to scripting/api/functions.py"
            for name in unknown
        ]
    return sentences
