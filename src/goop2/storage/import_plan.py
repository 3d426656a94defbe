"""Which column of a file goes into which of a table: guessed, and corrected by the owner; and each value made what its column holds.

It must not know how a file is read, nor how rows are written.
"""

from __future__ import annotations

import base64
import math
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Final

import msgspec

from goop2.storage.columns import NAME, SYSTEM_COLUMNS, Column, Table
from goop2.storage.errors import StorageError
from goop2.storage.import_source import SourceRow
from goop2.storage.limits import COLUMNS_MAX
from goop2.storage.values import Value, check, shown

_INTEGER: Final = re.compile(r"[+-]?(0|[1-9][0-9]{0,17})")
_WHOLE: Final = re.compile(r"\s*[+-]?[0-9]{1,19}\s*")
_REAL: Final = re.compile(r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]{1,3})?")
_LEADING_ZERO: Final = re.compile(r"[+-]?0[0-9]")
"""A number that begins so is a code, as 00420 or a telephone number: a text."""
NAME_MAX_CHARS: Final = 63


class PlannedColumn(msgspec.Struct, frozen=True):
    """What becomes of a column of the file."""

    source: str
    """Its name there."""
    name: str
    """Of the table's column; "" leaves it out."""
    type: str
    """Of a column that is to be made; of one that is there, its own."""
    why: str = ""
    """Why it is left out."""


def guessed(names: Sequence[str], sample: Sequence[SourceRow]) -> list[PlannedColumn]:
    """Return columns for a new table, with types that all values of the sample have."""
    taken: set[str] = {name.lower() for name in SYSTEM_COLUMNS}
    planned = []
    for place, source in enumerate(names):
        if source in SYSTEM_COLUMNS:
            planned.append(PlannedColumn(source, "", "", "the peer makes it anew"))
        elif len(taken) - len(SYSTEM_COLUMNS) >= COLUMNS_MAX:
            planned.append(PlannedColumn(source, "", "", f"a table has {COLUMNS_MAX} columns at most"))
        else:
            name = _free_name(source, place, taken)
            taken.add(name.lower())
            planned.append(PlannedColumn(source, name, _type_of([row.values[place] for row in sample if not row.fault])))
    return planned


def matched(names: Sequence[str], table: Table) -> list[PlannedColumn]:
    """Return the columns of a table that is there for those of a file that are called so, whatever their capitals."""
    by_name = {column.name.lower(): column for column in table.columns}
    planned = []
    for source in names:
        column = by_name.get(source.lower()) or by_name.get(_as_name(source).lower())
        if source in SYSTEM_COLUMNS:
            planned.append(PlannedColumn(source, "", "", "the peer makes it anew"))
        elif column is None:
            planned.append(PlannedColumn(source, "", "", "the table has no such column"))
        else:
            planned.append(PlannedColumn(source, column.name, column.type))
    return planned


def corrected(planned: Sequence[PlannedColumn], names: Mapping[str, str], types: Mapping[str, str]) -> list[PlannedColumn]:
    """Return the plan with what the owner says: source → name, "" to leave it out; source → type. Raises `StorageError`."""
    known = {each.source for each in planned}
    for source in (*names, *types):
        if source not in known:
            raise StorageError(f"the file has no column {shown(source)}; it has {', '.join(sorted(known))}")
    corrected_ = [
        PlannedColumn(
            each.source,
            names.get(each.source, each.name),
            types.get(each.source, each.type) or "text",
            "left out" if names.get(each.source) == "" else each.why,
        )
        for each in planned
    ]
    targets = [each.name.lower() for each in corrected_ if each.name]
    doubled = next((name for place, name in enumerate(targets) if name in targets[:place]), None)
    if doubled:
        raise StorageError(f"two columns of the file go into {doubled}: leave one of them out")
    return corrected_


def need_all(planned: Sequence[PlannedColumn], table: Table) -> None:
    """Raises `StorageError` when a column of the file has no place in the table, or one that must be there is not in the file."""
    lost = [each.source for each in planned if not each.name and each.why == "the table has no such column"]
    own = ", ".join(column.name for column in table.columns)
    if lost:
        raise StorageError(
            f"{table.name} has no column {', '.join(map(shown, lost))}, which the file has; its columns are {own}: "
            "say which each is, or leave it out"
        )
    given = {each.name for each in planned if each.name}
    if not given:
        raise StorageError(f"no column of the file goes into {table.name}; its columns are {own}")
    unknown = sorted(given - {column.name for column in table.columns})
    if unknown:
        raise StorageError(f"{table.name} has no column {shown(unknown[0])}; its columns are {own}")
    missing = [column.name for column in table.columns if _is_needed(column) and column.name not in given]
    if missing:
        raise StorageError(f"{table.name}.{missing[0]} must be there in every row, and no column of the file goes into it")


def _is_needed(column: Column) -> bool:
    return (column.required or column.key) and column.default is None and not column.auto


def _as_name(source: str) -> str:
    words = re.sub(r"[^A-Za-z0-9_]+", "_", source).strip("_")[:NAME_MAX_CHARS]
    return words if NAME.match(words) else f"c_{words}".rstrip("_")[:NAME_MAX_CHARS]


def _free_name(source: str, place: int, taken: set[str]) -> str:
    name = _as_name(source) if source.strip() else f"column_{place + 1}"
    number = 1
    free = name
    while free.lower() in taken:
        number += 1
        free = f"{name[: NAME_MAX_CHARS - 4]}_{number}"
    return free


def _type_of(values: Sequence[object]) -> str:
    """Return the narrowest type that all values have that are there."""
    there = [value for value in values if value not in (None, "")]
    if not there:
        return "text"
    return next((kind for kind, fits in _GUESSES if all(fits(value) for value in there)), "text")


def _is_integer(value: object) -> bool:
    return isinstance(value, int) or (isinstance(value, str) and bool(_INTEGER.fullmatch(value)))


def _is_real(value: object) -> bool:
    return isinstance(value, int | float) or (isinstance(value, str) and bool(_REAL.fullmatch(value)) and not _LEADING_ZERO.match(value))


def _is_of(kind: str) -> Callable[[object], bool]:
    return lambda value: isinstance(value, str) and not check(kind, (), value)


_GUESSES: Final[tuple[tuple[str, Callable[[object], bool]], ...]] = (
    ("integer", _is_integer),
    ("real", _is_real),
    ("date", _is_of("date")),
    ("datetime", _is_of("datetime")),
    ("guid", _is_of("guid")),
)


def value_of(column: Column, given: object) -> Value:
    """Return what a column is to hold of a value of the file; None leaves it to its default. Raises `ValueError` with what is wrong."""
    if given is None or (given == "" and not (column.type == "text" and _is_needed(column))):
        return None
    value: object = given
    if isinstance(given, str):
        if column.type == "integer" and _WHOLE.fullmatch(given):
            value = int(given)
        elif column.type == "real" and _REAL.fullmatch(given.strip()):
            value = float(given)
        elif column.type == "blob":
            value = _bytes(given)
    elif column.type == "text" and isinstance(given, int | float):
        value = str(given)
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError("is not a finite number")
    if wrong := check(column.type, column.keys, value):
        raise ValueError(wrong)
    return value  # type: ignore[return-value]


def _bytes(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except ValueError:
        raise ValueError(f"takes bytes in base64, not {shown(text)}") from None
