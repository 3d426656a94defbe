"""The types of typed columns: what a value must be, how SQLite stores it, and what `auto` makes of a missing value.

It is a table of types and nothing else; it must not know tables, nor SQL beyond the type's name.
"""

from __future__ import annotations

import json
import math
import re
import uuid
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, time
from typing import Final

import msgspec

from goop2.storage import clock

Value = None | int | float | str | bytes

EXACT_INTEGER_MAX: Final = 2**53
INTEGER_MIN: Final = -(2**63)
INTEGER_MAX: Final = 2**63 - 1
SHOWN_CHARACTERS: Final = 40
_NUMERIC_TEXT = re.compile(r"-?[0-9]{1,19}\Z")
_BIG_INTEGER = re.compile(r"-?[1-9][0-9]{15,18}\Z")
_DATE: Final = r"[0-9]{4}-[0-9]{2}-[0-9]{2}"
_TIME: Final = r"[0-9]{2}:[0-9]{2}(:[0-9]{2}([.][0-9]{1,9})?)?(Z|[+-][0-9]{2}:[0-9]{2})?"

_DATETIME: Final = rf"{_DATE}([ Tt][0-9]{{2}}:[0-9]{{2}}(:[0-9]{{2}}([.,][0-9]{{1,9}})?)? ?([Zz]|[+-][0-9]{{2}}(:?[0-9]{{2}})?)?)?"
"""The ISO 8601 forms that programs write: with T or a blank, with an offset, Z or neither."""


class Type(msgspec.Struct, frozen=True):
    """A column type: its SQL name and its check."""

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


def instant(text: str) -> str:
    """Return an ISO date or time as a datetime column holds it: `YYYY-MM-DD HH:MM:SS[.fff]` in UTC, so that text order is time order.

    A time without an offset is UTC. A fraction of zero is left out. Raises `ValueError` for what is no time, or lies outside the years 1 to
    9999 in UTC.
    """
    given = datetime.fromisoformat(text.upper())
    try:
        moment = given.astimezone(UTC).replace(tzinfo=None) if given.tzinfo else given
    except OverflowError as error:
        raise ValueError(str(error)) from None
    return moment.isoformat(" ", "milliseconds").removesuffix(".000")


def _parses(parse: Callable[[str], object], shape: str) -> Callable[[object], bool]:
    """Return whether a text has exactly this form: SQLite would take others, such as 20260131, for a number."""
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
    return lambda: clock.now().strftime(shape)


TYPES: Final = {
    "text": Type("TEXT", "a text", _is_text),
    "integer": Type("INTEGER", "a whole number", _is_integer),
    "real": Type("REAL", "a number", _is_real),
    "blob": Type("BLOB", "a string", _is_blob),
    "guid": Type("TEXT", "a UUID like 3f2504e0-4f89-41d3-9a0c-0305e82c3301", _is_guid, lambda: str(uuid.uuid4())),
    "datetime": Type("DATETIME", "a time like 2026-01-31 23:59:59", _parses(instant, _DATETIME), _now("%Y-%m-%d %H:%M:%S")),
    "date": Type("DATE", "a date like 2026-01-31", _parses(date.fromisoformat, _DATE), _now("%Y-%m-%d")),
    "time": Type("TIME", "a time of day like 23:59:59", _parses(time.fromisoformat, _TIME), _now("%H:%M:%S")),
    "enum": Type("TEXT", "one of its values", _is_text),
}
"""Type → what it is."""

AUTOMATIC: Final = (*(name for name, type_ in TYPES.items() if type_.automatic), "integer")
"""Types that may be `auto`; integers are numbered by the table they stand in (typed_tables.py)."""


def check(kind: str, keys: Sequence[str], value: object) -> str:
    """Return "" if `value` may be in a column of type `kind`, else what is wrong. `keys`: the values of an enum."""
    type_ = TYPES[kind]
    if not type_.fits(value):
        return f"takes {type_.allowed}, not {shown(value)}"
    if keys and value not in keys:
        return f"takes one of {', '.join(keys)}, not {shown(value)}"
    return ""


def whole_number(value: object, minimum: int = 0) -> int | None:
    """Return an id, a limit or an offset given as a number or as numeric text; None when it is neither, or outside the range.

    Pages have ids mostly as text, and an `_id` beyond 2^53 is given to them as text.
    """
    is_text = isinstance(value, str) and _NUMERIC_TEXT.match(value)
    is_real = isinstance(value, float) and value.is_integer() and abs(value) <= EXACT_INTEGER_MAX  # JSON's 5.0 is 5
    if is_text or is_real:
        value = int(value)  # type: ignore[call-overload]
    # For Python True is an int; for whoever sent it it is no number.
    if isinstance(value, bool) or not isinstance(value, int) or not minimum <= value <= INTEGER_MAX:
        return None
    return value


def stored(kind: str, value: object) -> Value:
    """Return a checked value for SQLite, which must keep it unchanged."""
    if kind == "datetime" and isinstance(value, str):
        return instant(value)
    if kind == "integer":
        return int(value)  # type: ignore[call-overload, no-any-return]
    if kind == "blob" and isinstance(value, str):
        return value.encode()
    if kind == "real" and isinstance(value, int):
        return float(value)  # beyond 64 bits no integer can be bound
    return value  # type: ignore[return-value]


def shown(value: object) -> str:
    """Return a value for a message."""
    if isinstance(value, bytes):
        return "a string that is not UTF-8"
    text = json.dumps(value, ensure_ascii=False) if isinstance(value, str | int | float | None) else f"a {type(value).__name__}"
    return text if len(text) <= SHOWN_CHARACTERS else text[:SHOWN_CHARACTERS] + "…"
