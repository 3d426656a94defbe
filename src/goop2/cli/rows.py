"""Write rows as a table for people, as CSV, or as JSON. Rows are written one by one, so any number is possible.

Values: NULL is NULL in a table, empty in CSV, null in JSON. A BLOB is its length in a table and base64 elsewhere. An integer beyond 2^53 is
its digits as a string in JSON. It must not know where rows come from.
"""

from __future__ import annotations

import base64
import csv
import math
import re
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Final, Protocol

import msgspec

from goop2.cli import output
from goop2.cli.table import Cell, fitting_widths, line_of, record_lines, terminal_width

if TYPE_CHECKING:
    from goop2.storage.database import Value

EXACT_INTEGER_MAX: Final = 2**53
SHOWN_ROWS_MAX: Final = 1000
"""In a table; CSV and JSON give all."""
SHOWN_CHARACTERS: Final = 200
"""Of one value in a table."""

Rows = Iterator[tuple["Value", ...]]


class Writable(Protocol):
    """A stream that text can be written to."""

    def write(self, text: str, /) -> object: ...


Write = Callable[[Writable, Sequence[str], Rows], None]


class Harmless:
    """A terminal on which the control characters of written text are made harmless."""

    def __init__(self, stream: Writable) -> None:
        self._stream = stream

    def write(self, text: str, /) -> object:
        """Write text with its control characters made harmless."""
        return self._stream.write(output.harmless(text))


FORMULA_SIGNS: Final = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
"""With what a cell begins that spreadsheets calculate; some of them pass over white space before it, and take full-width signs."""
_NUMBER: Final = re.compile(r"[+-]?[0-9]+([.][0-9]+)?([eE][+-]?[0-9]+)?\Z")


def write_csv(stream: Writable, names: Sequence[str], rows: Rows) -> None:
    """Write rows as CSV (RFC 4180 except for line ends), with a first line of names."""
    usual = csv.writer(stream, lineterminator="\n")
    quoting = csv.writer(stream, lineterminator="\n", quoting=csv.QUOTE_ALL)
    usual.writerow([harmless_in_spreadsheets(name) for name in names])
    for row in rows:
        cells = [_in_csv(value) for value in row]
        # The usual one leaves a lone carriage return bare, which readers take for the end of the row.
        has_return = any(isinstance(cell, str) and "\r" in cell for cell in cells)
        (quoting if has_return else usual).writerow(cells)


def write_json(stream: Writable, names: Sequence[str], rows: Rows) -> None:
    """Write rows as a JSON array of objects, one a line."""
    from goop2.storage.row_encoding import told_apart  # not for every start of the command

    keys = told_apart(tuple(names))
    separator = "["
    for row in rows:
        # Row by row: a table with millions of rows must not be in memory.
        record = msgspec.json.encode(dict(zip(keys, map(in_json, row), strict=True)))
        stream.write(f"{separator}\n{output.escaped(record.decode())}")
        separator = ","
    stream.write("[]\n" if separator == "[" else "\n]\n")


def print_table(names: Sequence[str], rows: Rows) -> None:
    """Print rows for people: as a table if its columns fit the terminal, else one value a line; say when there are more."""
    heads = [Cell(output.one_line(name), output.BOLD) for name in names]
    shown = [[_in_table(value) for value in row] for row in islice(rows, SHOWN_ROWS_MAX)]
    room = terminal_width()
    widths = fitting_widths([heads, *shown], room)
    if shown and widths is not None:
        for line in (heads, *shown):
            print(line_of(line, widths))
    else:
        for number, row in enumerate(shown):
            if number:
                print()
            for text in record_lines(heads, row, room):
                print(text)
    if next(rows, None) is not None:
        output.note(f"the first {SHOWN_ROWS_MAX} rows; --csv and --json give all")
    elif not shown:
        output.note("no rows")


def _in_table(value: Value) -> Cell:
    if value is None:
        return Cell("NULL", output.DIM)
    if isinstance(value, bytes):
        return Cell(f"blob, {len(value)} bytes", output.DIM)
    return Cell(output.one_line(str(value), SHOWN_CHARACTERS), right=not isinstance(value, str))


def _in_csv(value: Value) -> object:
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if isinstance(value, str):
        return harmless_in_spreadsheets(value)
    return "" if value is None else value


def harmless_in_spreadsheets(text: str) -> str:
    """Return a text that a spreadsheet does not run as a formula: it gets a quotation mark in front, which marks it as text.

    Rows hold what strangers wrote, and a formula can send the sheet's contents away. A number is no formula.
    """
    return f"'{text}" if text.startswith(FORMULA_SIGNS) and not _NUMBER.match(text) else text


def in_json(value: Value) -> object:
    """Return a value as JSON has it (behaviour.md, "Values across the wall"); infinity is a number no double can hold."""
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if isinstance(value, int) and not -EXACT_INTEGER_MAX <= value <= EXACT_INTEGER_MAX:
        return str(value)
    if isinstance(value, float) and math.isinf(value):
        return msgspec.Raw(b"1e999" if value > 0 else b"-1e999")  # for which other encoders of ours have null
    if isinstance(value, float) and value.is_integer() and -EXACT_INTEGER_MAX <= value <= EXACT_INTEGER_MAX:
        return int(value)
    return value


WRITERS: Final[dict[str, Write]] = {"csv": write_csv, "json": write_json}
