"""The types of typed columns: what a value must be, how SQLite stores it, what `auto` makes of none.

A table of types and nothing else; it knows neither tables nor SQL beyond the type's name.
"""

from __future__ import annotations

import json
import math
import re
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from typing import Final

Value = None | int | float | str | bytes

EXACT_INTEGER_MAX: Final = 2**53
INTEGER_MIN: Final = -(2**63)
INTEGER_MAX: Final = 2**63 - 1
SHOWN_CHARACTERS: Final = 40
_BIG_INTEGER = re.compile(r"-?[1-9][0-9]{15,18}\Z")
_DATE: Final = r"[0-9]{4}-[0-9]{2}-[0-9]{2}"
_TIME: Final = r"[0-9]{2}:[0-9]{2}(:[0-9]{2}([.][0-9]{1,9})?)?(Z|[+-][0-9]{2}:[0-9]{2})?"


@dataclass(frozen=True, slots=True)
class Type:
    """One type of column."""

    sql: str
    allowed: str
    fits: Callable[[object], bool]
    automatic: Callable[[], Value] | None = None
    """Makes the value of an `auto` column that is given none."""


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _is_integer(value: object) -> bool:
    if isinstance(value, str):  # what an integer beyond 2^53 looks like in Lua
        return bool(_BIG_INTEGER.match(value)) and abs(int(value)) > EXACT_INTEGER_MAX and INTEGER_MIN <= int(value) <= INTEGER_MAX
    if isinstance(value, float):  # JSON's 5.0 is 5
        return value.is_integer() and abs(value) <= EXACT_INTEGER_MAX
    return isinstance(value, int) and not isinstance(value, bool) and INTEGER_MIN <= value <= INTEGER_MAX


def _is_real(value: object) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    try:
        return math.isfinite(value) and float(value) == value  # an integer that no double holds would come back as another
    except OverflowError:
        return False


def _is_blob(value: object) -> bool:
    return isinstance(value, str | bytes)


def _is_guid(value: object) -> bool:
    if not isinstance(value, str):
        return False
    try:
        return str(uuid.UUID(value)) == value.lower()
    except ValueError:
        return False


def _parses(parse: Callable[[str], object], shape: str) -> Callable[[object], bool]:
    """Of this very shape: what SQLite could take for a number, as 20260131, would come back as one."""
    shaped = re.compile(shape + r"\Z")

    def fits(value: object) -> bool:
        if not isinstance(value, str) or not shaped.match(value):
            return False
        try:
            parse(value)
        except ValueError:
            return False
        return True

    return fits


def _now(shape: str) -> Callable[[], Value]:
    return lambda: datetime.now(UTC).strftime(shape)


TYPES: Final = {
    "text": Type("TEXT", "a text", _is_text),
    "integer": Type("INTEGER", "a whole number", _is_integer),
    "real": Type("REAL", "a number", _is_real),
    "blob": Type("BLOB", "a string", _is_blob),
    "guid": Type("TEXT", "a UUID like 3f2504e0-4f89-41d3-9a0c-0305e82c3301", _is_guid, lambda: str(uuid.uuid4())),
    "datetime": Type(
        "DATETIME", "a time like 2026-01-31 23:59:59", _parses(datetime.fromisoformat, f"{_DATE}([ T]{_TIME})?"), _now("%Y-%m-%d %H:%M:%S")
    ),
    "date": Type("DATE", "a date like 2026-01-31", _parses(date.fromisoformat, _DATE), _now("%Y-%m-%d")),
    "time": Type("TIME", "a time of day like 23:59:59", _parses(time.fromisoformat, _TIME), _now("%H:%M:%S")),
    "enum": Type("TEXT", "one of its values", _is_text),
}
"""Type → what it is."""

AUTOMATIC: Final = (*(name for name, type_ in TYPES.items() if type_.automatic), "integer")
"""Types that may be `auto`; integers are numbered by the table they stand in (typed.py)."""


def check(kind: str, keys: Sequence[str], value: object) -> str:
    """ "" when `value` may stand in a column of type `kind`, else what is wrong. `keys`: the values of an enum."""
    type_ = TYPES[kind]
    if not type_.fits(value):
        return f"takes {type_.allowed}, not {shown(value)}"
    if keys and value not in keys:
        return f"takes one of {', '.join(keys)}, not {shown(value)}"
    return ""


def stored(kind: str, value: object) -> Value:
    """A checked value as it is bound: SQLite must keep what was given."""
    if kind == "integer":
        return int(value)  # type: ignore[call-overload, no-any-return]
    if kind == "blob" and isinstance(value, str):
        return value.encode()
    if kind == "real" and isinstance(value, int):
        return float(value)  # beyond 64 bits no integer can be bound
    return value  # type: ignore[return-value]


def shown(value: object) -> str:
    """A value in a message."""
    if isinstance(value, bytes):
        return "a string that is not UTF-8"
    text = json.dumps(value, ensure_ascii=False) if isinstance(value, str | int | float | None) else f"a {type(value).__name__}"
    return text if len(text) <= SHOWN_CHARACTERS else text[:SHOWN_CHARACTERS] + "…"
