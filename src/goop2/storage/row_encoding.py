"""Encode the rows of an answer: flat for a worker's VM, or as records for JSON; bounded in number and size."""

from __future__ import annotations

import base64
import math
from collections.abc import Iterator
from itertools import count
from typing import Any, Final, Protocol

import msgspec

from goop2.storage.errors import StorageError
from goop2.storage.guard import Role
from goop2.storage.limits import ROWS_MAX, ROWS_MAX_BYTES
from goop2.storage.values import EXACT_INTEGER_MAX

NUMBER_BYTES: Final = 8
"""What a number counts as."""

CrossingValue = None | int | float | bytes
"""A value on its way to Lua: text as UTF-8 bytes, an integer beyond 2^53 as decimal digits."""


class RowSink(msgspec.Struct, frozen=True, gc=False):
    """The result of a query, flat: `values` holds len(names) values a row."""

    names: tuple[str, ...]
    values: list[CrossingValue]

    def __len__(self) -> int:
        return len(self.values) // len(self.names) if self.names else 0


class RowCursor(Protocol):
    """A cursor of apsw, or something that works like one."""

    def __iter__(self) -> Iterator[tuple[Any, ...]]: ...

    def get_description(self) -> tuple[tuple[str, str], ...]:
        """Return name and type of each column."""


def collect(cursor: RowCursor, role: Role, rows_max: int) -> RowSink:
    """Return all rows, flat. Raises `StorageError` beyond `rows_max` rows or ROWS_MAX_BYTES."""
    values: list[CrossingValue] = []
    names: tuple[str, ...] = ()
    size = 0
    for number, row in enumerate(cursor, 1):
        if number == 1:
            names = told_apart(tuple([column[0] for column in cursor.get_description()]))  # a list costs half of a generator
        elif number > rows_max:
            raise StorageError(f"{role.name}: {_of(role)}more than {rows_max} rows; {_fewer(role)}")
        size += cross(row, values)
        if size > ROWS_MAX_BYTES:
            raise StorageError(f"{role.name}: {_of(role)}more than {ROWS_MAX_BYTES} bytes of rows; {_smaller(role)}")
    return RowSink(names, values)


def told_apart(names: tuple[str, ...]) -> tuple[str, ...]:
    """Return column names for the keys of an object: of several `x` the last keeps its name, those before it are `x:1`, `x:2`."""
    # Nearly every statement: only one that joins tables gives a name twice.
    if len(set(names)) == len(names):
        return names
    last = {name: place for place, name in enumerate(names)}
    taken = set(names)
    found = []
    for place, name in enumerate(names):
        if last[name] != place:
            name = next(free for number in count(1) if (free := f"{name}:{number}") not in taken)
            taken.add(name)
        found.append(name)
    return tuple(found)


def _of(role: Role) -> str:
    return f"{role.table} gives " if role.table else ""


def _fewer(role: Role) -> str:
    return "give limit and offset" if role.table else "add a LIMIT"


def _smaller(role: Role) -> str:
    return "give limit and offset, or fewer columns" if role.table else "ask for fewer rows or columns"


def as_records(cursor: RowCursor, role: Role) -> list[dict[str, object]]:
    """Return all rows, each as column → value for JSON. Raises `StorageError` beyond ROWS_MAX rows or ROWS_MAX_BYTES."""
    records: list[dict[str, object]] = []
    names: tuple[str, ...] = ()
    crossed: list[CrossingValue] = []
    size = 0
    for row in cursor:
        names = names or told_apart(tuple(column[0] for column in cursor.get_description()))
        size += cross(row, crossed)
        crossed.clear()
        if len(records) >= ROWS_MAX or size > ROWS_MAX_BYTES:
            raise StorageError(f"{role.name}: more than {ROWS_MAX} rows or {ROWS_MAX_BYTES} bytes; give limit and offset")
        records.append({name: _for_json(role, name, value) for name, value in zip(names, row, strict=True)})
    return records


def _for_json(role: Role, name: str, value: Any) -> object:
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if isinstance(value, int) and not -EXACT_INTEGER_MAX <= value <= EXACT_INTEGER_MAX:
        return str(value)
    if isinstance(value, float):
        # JSON has no infinity, and null would look like a value that is not there.
        if not math.isfinite(value):
            raise StorageError(f"{role.name}: {name} is not a finite number")
        if value.is_integer() and -EXACT_INTEGER_MAX <= value <= EXACT_INTEGER_MAX:
            return int(value)  # 5, never 5.0, as a script gives it
    return value


def cross(row: tuple[Any, ...], values: list[CrossingValue]) -> int:
    """Append a row's values; return their bytes. It is the inner loop of every query, hence one function."""
    size = 0
    # By class, most frequent first: isinstance costs more, and here every value of every answer passes.
    for value in row:
        kind = value.__class__
        if kind is str:
            value = value.encode()
            size += len(value)
        elif kind is bytes:
            size += len(value)
        else:
            size += NUMBER_BYTES
            if kind is int and not -EXACT_INTEGER_MAX <= value <= EXACT_INTEGER_MAX:
                value = b"%d" % value
        values.append(value)
    return size
