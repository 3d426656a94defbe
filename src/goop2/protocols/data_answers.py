"""Answers of data operations in the shapes of the network's newest state, whatever version of whichever program gave them.

    describe                    {mode: "orm", schema} or {mode: "classic", columns}    older: the bare columns; ours of 0.1.0: with both
    exists, count               {exists: bool}, {count: n}                             older: the bare value
    update-where, delete-where  {affected: n}                                          older: {status, count}
    role                        {role, permissions, …}                                 older: without permissions
    rows and lists              […]                                                    others: null for none

What has none of these shapes is passed on as it came. Refusals without a code get one where their text is certain.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

import msgspec

from goop2.protocols.untrusted_json import InvalidJsonError, decode

LISTS: Final = frozenset({"tables", "query", "pluck", "distinct", "aggregate"})
"""Operations that answer a list."""
_CODES: Final = (
    ("rate limit exceeded", "rate_limited"),
    ("not available for remote peers", "forbidden"),
)
"""Part of a refusal's text → its code."""


def newest(operation: str, json: bytes) -> bytes:
    """Return the answer of an operation, JSON text, in its newest shape."""
    if operation in LISTS:
        return b"[]" if json == b"null" else json
    shape = _SHAPES.get(operation)
    if shape is None:
        return json
    try:
        found: Any = decode(json)
    except InvalidJsonError:
        return json
    shaped = shape(found)
    return json if shaped is found else msgspec.json.encode(shaped)


def code_of(text: str) -> str:
    """Return the code of a refusal that has none, "" where its text does not tell."""
    lower = text.lower()
    return next((code for part, code in _CODES if part in lower), "")


def _described(found: Any) -> Any:
    if isinstance(found, list):
        return {"mode": "classic", "columns": found}
    if not isinstance(found, dict):
        return found
    if found.get("schema"):
        return {"mode": "orm", "schema": found["schema"]}
    return {"mode": "classic", "columns": found["columns"]} if "columns" in found else found


def _changed(found: Any) -> Any:
    number = found.get("affected", found.get("count")) if isinstance(found, dict) else found
    return {"affected": number} if type(number) is int else found


def _role(found: Any) -> Any:
    return {"permissions": None, **found} if isinstance(found, dict) and "permissions" not in found else found


_SHAPES: Final[Mapping[str, Callable[[Any], Any]]] = {
    "describe": _described,
    "exists": lambda found: {"exists": found} if isinstance(found, bool) else found,
    "count": lambda found: {"count": found} if type(found) is int else found,
    "update-where": _changed,
    "delete-where": _changed,
    "role": _role,
}
