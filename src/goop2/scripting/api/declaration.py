"""What a declaration of a goop function consists of. No function is named here."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Final


class ExecutionSite(Enum):
    """Where the work of a function is done."""

    VM = "in the VM"
    """Lua in the script's own VM (sandbox/calls.lua)."""
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
    `row`, last of all, a table of columns and values.
    """

    name: str
    type: str
    optional: bool = False
    repeated: bool = False

    @property
    def letters(self) -> str:
        """Return the parameter's part of the signature."""
        return LETTERS[self.type] + ("*" if self.repeated else "?" if self.optional else "")


@dataclass(frozen=True, slots=True)
class Function:
    """One function of the goop table."""

    name: str
    """As written after `goop.`: `kv.get`, `commands`."""
    parameters: tuple[Parameter, ...]
    returns: str
    """What the script receives, in words of the reference."""
    place: ExecutionSite
    doc: str
    """One paragraph for site authors."""
    functions_only: bool = False
    """Absent in chat commands."""

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
