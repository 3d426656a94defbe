"""Read and name rows with TEXT that is not UTF-8, as other programs leave them.

apsw makes a str of every TEXT, so one such value would end the reading of its table. The statement is then run again from that row on, as a
sub-select whose texts come as bytes. While the first one is open, both see the same moment.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final

import apsw
import msgspec

from goop2.storage.columns import quoted

NAMED_MAX: Final = 10
"""Values of one statement that are named: a table full of them is not a list to read."""
ROWS_NAMED_MAX: Final = 3
"""Rows with the same value, likewise."""
_NAME_BYTES: Final = 8


class TextLocation(msgspec.Struct, frozen=True):
    """A text that is not UTF-8, with its table and column."""

    table: str
    """ "" when the column is computed."""
    column: str
    value: bytes
    number: int
    """Of the row in the answer, from 1."""


Read = Callable[[bytes], Any]
"""What becomes of a TEXT's bytes."""


def readable(text: bytes) -> str:
    """Return `text` as far as it can be read; U+FFFD stands for the rest."""
    return text.decode("utf-8", "replace")


class Again:
    """Rows that are read a second time, usable like a cursor."""

    __slots__ = ("_description", "_rows")

    def __init__(self, description: tuple[tuple[str, str], ...], rows: Iterator[tuple[Any, ...]]) -> None:
        self._description, self._rows = description, rows

    def __iter__(self) -> Iterator[tuple[Any, ...]]:
        return self._rows

    def get_description(self) -> tuple[tuple[str, str], ...]:
        """Return the description of the statement as it was written."""
        return self._description


def run_out(cursor: apsw.Cursor) -> None:
    """Fetch all rows: a statement with RETURNING is done only then, whatever they contain."""
    while True:
        try:
            for _ in cursor:
                pass
            return
        except UnicodeDecodeError:
            continue


def rows_with(connection: apsw.Connection, place: TextLocation) -> list[object]:
    """Return the numbers of a few rows that hold the value; none where there are no numbers, or too many rows to look through."""
    if not place.table:
        return []
    column = quoted(place.column)
    same = f"typeof({column}) = 'text' AND CAST({column} AS BLOB) = ?"
    sql = f"SELECT rowid FROM main.{quoted(place.table)} WHERE {same} LIMIT {ROWS_NAMED_MAX}"
    try:
        return [row_id for (row_id,) in connection.execute(sql, (place.value,))]
    except apsw.Error:
        return []


def rows_again(
    cursor: apsw.Cursor,
    sql: str,
    arguments: Sequence[Any],
    skipped: int,
    flags: int,
    again: apsw.Cursor,
    read: Read,
    found: list[TextLocation],
) -> Iterator[tuple[Any, ...]]:
    """Yield the rows of `cursor`'s statement after `skipped` ones; `again` runs it as `sql`, without a semicolon. `found`: bad texts."""
    sources = cursor.description_full
    name = f"r{os.urandom(_NAME_BYTES).hex()}"  # of no table
    columns = [f"c{number}" for number in range(len(sources))]
    asked = ", ".join(f"iif(typeof({c}) = 'text', CAST({c} AS BLOB), {c}), typeof({c}) = 'text'" for c in columns)
    wrapped = f"WITH {name}({', '.join(columns)}) AS (\n{sql}\n) SELECT {asked} FROM {name} LIMIT -1 OFFSET {skipped}"
    for number, row in enumerate(again.execute(wrapped, arguments, prepare_flags=flags), skipped + 1):
        yield tuple(_value(row[2 * index], row[2 * index + 1], read, found, sources[index], number) for index in range(len(columns)))


def _value(value: Any, is_text: object, read: Read, found: list[TextLocation], source: Sequence[str | None], number: int) -> Any:
    if not is_text:
        return value
    if len(found) < NAMED_MAX and not _is_utf8(value):
        found.append(TextLocation(source[3] or "", source[4] or source[0] or "", value, number))
    return read(value)


def _is_utf8(text: bytes) -> bool:
    try:
        text.decode()
    except UnicodeDecodeError:
        return False
    return True


def sentence(place: TextLocation, row_ids: Sequence[object]) -> str:
    """Return the sentence for the owner: where the text is, how it is shown, and how to repair it."""
    if not place.table:
        where = f"row {place.number} of the answer, column {place.column}"
        return f"{where}: the text is not UTF-8; U+FFFD stands for what cannot be read"
    rows = f"row {', '.join(map(str, row_ids))}" if row_ids else f"row {place.number} of the answer"
    return (
        f"table {place.table}, {rows}, column {place.column}: the text is not UTF-8; U+FFFD stands for what cannot be read, "
        f"and CAST({place.column} AS BLOB) gives its bytes"
    )
