"""Answers to host calls: a shape, then the values it describes. Both sides of the wall make their answers here.

An operation says what happened (`ok`, `json`, `several`, `err`). How a failure looks to the script is declared with the function
(`FailureForm`, scripting/api) and applied by the caller of the operation. sandbox/calls.lua reads the shapes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

import msgspec

from goop2.sandbox.messages import FailureForm, Scalar

PLAIN, JSON, ROWS, ROW, LIST, RAISE = b"v", b"j", b"R", b"r", b"l", b"!"
"""Shapes. One letter a value: `v` the value as it is, `j` JSON text that the script receives decoded. `R` and `r` are rows and the first
row; `l` a list of all values that follow; `!` raises the value as an error at the script's line."""
FAILED: Final = b"e"
"""Shape of `err`: a message without a form. It never reaches the VM, since `with_failure_form` replaces it."""

Answer = tuple[bytes, *tuple[Scalar, ...]]
"""The shape, then its values."""


FAILURES: Final[Mapping[FailureForm, Callable[[bytes], Answer]]] = {
    FailureForm.NIL: lambda message: (b"vv", None, message),
    FailureForm.MESSAGE: lambda message: (PLAIN, message),
    FailureForm.FALSE: lambda message: (b"vv", False, message),
    FailureForm.ZERO: lambda message: (b"vv", 0, message),
    FailureForm.RAISE: lambda message: (RAISE, message),
}


def ok(value: Scalar = None) -> Answer:
    """Answer one value as it is; without one, nil."""
    return PLAIN, value


def json(value: object) -> Answer:
    """Answer one value that becomes a Lua table: `value` is anything msgspec can write as JSON."""
    return JSON, msgspec.json.encode(value)


def several(shape: bytes, *values: Scalar) -> Answer:
    """Answer several values, one letter of `shape` each: `several(b"vvj", body, None, json_text)`."""
    return shape, *values


def err(message: str) -> Answer:
    """Answer that the operation failed, in the form its declaration gives."""
    return FAILED, message.encode("utf-8", "replace")


def raised(message: str) -> Answer:
    """Answer an error at the script's line, whatever the declaration says: for misuse that only the operation can see."""
    return RAISE, message.encode("utf-8", "replace")


def with_failure_form(answer: Answer, form: FailureForm) -> Answer:
    """Return `answer` as the script may receive it: a failure in the declared form, anything else unchanged."""
    shape, *values = answer
    if shape != FAILED:
        return answer
    (message,) = values
    return FAILURES[form](message if isinstance(message, bytes) else b"")
