"""The parts of a declaration of a goop function. No function is named here.

From one `Function` follow its Lua stub, the check of its arguments on both sides of the wall, who may call it, how it fails, and what
authors read. It must not know how a function does its work.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import KW_ONLY, dataclass, replace
from enum import Enum
from typing import Final

from goop2.sandbox.messages import FailureForm


class ExecutionSite(Enum):
    """Where the work of a function is done."""

    VM = "in the VM"
    """Lua in the script's own VM (sandbox/vm_functions.lua); nothing crosses the wall."""
    WORKER = "in the worker"
    """Python or SQLite in the worker process."""
    PEER = "in the peer"
    """A message to the peer, which touches the world on the script's behalf."""


LETTERS: Final = {
    "string": "s",
    "number": "n",
    "whole": "i",
    "boolean": "b",
    "table": "t",
    "function": "f",
    "value": "v",
    "json": "j",
    "row": "r",
    "changes": "c",
    "any": "a",
    "options": "o",
    "data": "d",
}
"""Type of a parameter → its letter in a signature, as sandbox/calls.lua reads it."""


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter. `type` is a key of `LETTERS`; `json` is a table or any JSON-able value, sent as JSON.

    `whole` is a whole number or one as text, as an id or a limit often comes.
    `options` is a table, sent as JSON; `data` a string, sent as it is, or a table, sent as JSON, and told apart;
    `row`, last of all, a table of columns and values; `changes` such a table whose values may be goop.expr, sent as JSON.
    """

    name: str
    type: str
    optional: bool = False
    repeated: bool = False
    default: str | int | float | bool | None = None
    """What stands in for an argument that is nil; None for nothing."""

    @property
    def may_be_nil(self) -> bool:
        """Return whether a script may leave the argument out."""
        return self.optional or self.repeated or self.default is not None

    @property
    def letters(self) -> str:
        """Return the parameter's part of the signature."""
        return LETTERS[self.type] + ("*" if self.repeated else "?" if self.optional else "")

    @property
    def shown(self) -> str:
        """Return the parameter as the reference shows it: `[limit = 100]`, `...`."""
        if self.repeated:
            return "..."
        if self.default is not None:
            return f"[{self.name} = {str(self.default).lower() if isinstance(self.default, bool) else self.default}]"
        return f"[{self.name}]" if self.optional else self.name


_TOLD_AS: Final = {
    FailureForm.NIL: "{} | nil, error",
    FailureForm.MESSAGE: "{} | error",
    FailureForm.FALSE: "{} | false, error",
    FailureForm.ZERO: "{} | 0, error",
}


@dataclass(frozen=True, slots=True)
class Function:
    """One function of the goop table, or one method of an object that a function of it gives."""

    name: str
    """As written after `goop.`: `kv.get`, `commands`. Of a method, the function's name and its own: `orm.find`."""
    parameters: tuple[Parameter, ...] = ()
    _: KW_ONLY
    gives: str = "nil"
    """What the script receives when all goes well, in words of the reference."""
    failure: FailureForm = FailureForm.RAISE
    """How the script is told of a failure."""
    place: ExecutionSite
    doc: str
    """One paragraph for site authors."""
    functions_only: bool = False
    """Absent in chat commands."""
    methods: tuple[Function, ...] = ()
    """Methods of the object it gives, its handle (sandbox/handles.lua). Their operations get the first argument of this function before
    their own, or, when this function is done in the VM, the handle itself."""
    private: bool = False
    """An operation that our own Lua uses for another function. It has no stub and no docs."""

    @property
    def returns(self) -> str:
        """Return what the script receives, failure included: `rows | nil, error`."""
        return _TOLD_AS.get(self.failure, "{}").format(self.gives)

    @property
    def group(self) -> str:
        """`kv` of `kv.get`; "" for functions directly on the goop table."""
        return self.name.rpartition(".")[0]

    @property
    def member(self) -> str:
        """Return the name within its group: `get` of `kv.get`."""
        return self.name.rpartition(".")[2]

    @property
    def signature(self) -> str:
        """Return the parameters as sandbox/calls.lua reads them."""
        return "".join(parameter.letters for parameter in self.parameters)


def operations(functions: Iterable[Function]) -> Iterator[Function]:
    """Yield every function and, after it, its methods: whatever has an operation of its own.

    A method is for data functions only when the function that gives the object is.
    """
    for function in functions:
        yield function
        for method in function.methods:
            yield replace(method, functions_only=function.functions_only or method.functions_only)
