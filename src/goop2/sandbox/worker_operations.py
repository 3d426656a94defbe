"""What the operations of a worker share: their names, Lua values for SQLite and JSON, and rows for a VM."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, TypeVar

import msgspec

from goop2.sandbox.answers import LIST, ROW, ROWS, Answer, ok
from goop2.sandbox.messages import Scalar
from goop2.storage.database import Value
from goop2.storage.errors import StorageError
from goop2.storage.row_encoding import RowSink
from goop2.storage.typed_tables import Row

VALUES_AT_ONCE: Final = 4000
"""Values of rows pushed into a VM at a time; Lua's stack takes 8000."""

_Method = TypeVar("_Method", bound=Callable[..., Answer])
_NAME: Final = "operation"
"""Attribute of a method that says which operation it does."""


def operation(name: str) -> Callable[[_Method], _Method]:
    """Make a method the operation `name` of the goop table."""

    def named(work: _Method) -> _Method:
        setattr(work, _NAME, name)
        return work

    return named


def operations_of(calls: object) -> dict[str, Callable[..., Answer]]:
    """Return name → bound method of every operation that `calls` has."""
    members = {name: member for kind in reversed(type(calls).__mro__) for name, member in vars(kind).items()}
    methods = (getattr(calls, name) for name, member in members.items() if hasattr(member, _NAME))
    return {getattr(method, _NAME): method for method in methods}


class RowAnswers:
    """Answers that have rows: the first of them at once, the rest when the script asks for it."""

    def __init__(self) -> None:
        self._pending: list[Scalar] = []
        self._width = 0
        self.rows: int | None = None
        """How many rows the last operation read or changed; None where that means nothing."""

    def _one(self, rows: RowSink) -> Answer:
        return (ROW, *self._first_rows(rows)) if rows.values else ok()

    def _rows(self, rows: RowSink) -> Answer:
        return ROWS, *self._first_rows(rows)

    def _values(self, rows: RowSink) -> Answer:
        """Return the values of rows of one column; there are at most ROWS_MAX, which is fewer than go at once."""
        self.rows = len(rows.values)
        return LIST, *rows.values

    def _first_rows(self, rows: RowSink) -> tuple[Scalar, ...]:
        """Return whether there is more, how many columns, their names, the values row by row."""
        width = len(rows.names)
        self.rows = len(rows.values) // width if width else 0
        names = [name.encode() for name in rows.names]
        self._width, self._pending = width, rows.values
        more, *values = self._next_rows()
        return more, width, *names, *values

    @operation("db.more")
    def _more(self) -> Answer:
        return ROWS, *self._next_rows()

    def _next_rows(self) -> tuple[Scalar, ...]:
        """Return whether there is more after them, and the values of the next whole rows of what is pending."""
        # Whole rows only, so that calls.lua can build each piece by itself.
        end = VALUES_AT_ONCE - VALUES_AT_ONCE % self._width if self._width else 0
        values, self._pending = self._pending[:end], self._pending[end:]
        return bool(self._pending), *values


def text_of(given: bytes, what: str) -> str:
    """Return a string of Lua as text. Raises `StorageError` naming `what`."""
    try:
        return given.decode()
    except UnicodeDecodeError:
        raise StorageError(f"{what} is not UTF-8") from None


def table_name(given: bytes) -> str:
    """Return the name of a table as a script gave it. Raises `StorageError`."""
    return text_of(given, "the table's name")


def bound(value: Scalar) -> Value:
    """Return a Lua value for SQLite: a string that is UTF-8 is TEXT, any other a BLOB."""
    if isinstance(value, bytes):
        try:
            return value.decode()
        except UnicodeDecodeError:
            return value
    return value


def row_of(flat: tuple[Scalar, ...]) -> Row:
    """Return column, value, column, value …; a boolean stays one, so that a column can refuse it."""
    names = (text_of(name, "a column's name") for name in flat[::2] if isinstance(name, bytes))
    return dict(zip(names, map(bound, flat[1::2]), strict=True))


def decoded(text: bytes | None) -> object:
    """Return what calls.lua sent as JSON; None for nothing."""
    return None if text is None else msgspec.json.decode(text)
