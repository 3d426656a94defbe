"""A file of rows, CSV or JSON, read a row at a time: any size, in little memory, and what is no such file ends in a sentence.

CSV: UTF-8, separated by commas, semicolons or tabs, with a first line of names. JSON: a list of objects, or an object a line. It knows no
table.
"""

from __future__ import annotations

import codecs
import csv
import json
import re
from collections.abc import Iterator, Sequence
from itertools import chain, islice
from typing import BinaryIO, Final, Literal, NamedTuple

from goop2.storage.errors import StorageError
from goop2.storage.import_limits import COLUMNS_READ_MAX, LINE_MAX_BYTES, SAMPLE_ROWS
from goop2.storage.values import shown

Form = Literal["csv", "json"]
DELIMITERS: Final = (",", ";", "\t")
_MARK: Final = b"\xef\xbb\xbf"
_READ_BYTES: Final = 64 * 1024
_BLANKS: Final = " \t\r\n"
_FORMULA: Final = re.compile(r"'[=+\-@\t\r\n＝＋－＠]")
"""How a text begins that our export has made harmless for spreadsheets (cli/rows.py)."""
csv.field_size_limit(LINE_MAX_BYTES)


class ImportFileError(StorageError):
    """The file cannot be read as rows; the message says where and why."""


class SourceRow(NamedTuple):
    """A row of the file that is imported: where it stands, and its values or what is wrong with it."""

    place: str
    """For people: "line 12", "row 3"."""
    values: Sequence[object]
    """As many as the source has names; a text of CSV, any value of JSON. Empty where `fault` says why."""
    fault: str = ""


class ImportSource:
    """The rows of one file. `names` are those of its first line, or the keys of its first objects."""

    def __init__(self, stream: BinaryIO, form: Form, *, partial: bool = False) -> None:
        """Read as far as the names. `partial`: the stream is the beginning of a file, whose last row may be cut. Raises `StorageError`."""
        self._stream = stream
        self._partial = partial
        self.bytes_read = 0
        self._rows = self._csv() if form == "csv" else self._json()
        self.names = tuple(str(name) for name in next(self._rows).values)

    def rows(self) -> Iterator[SourceRow]:
        """Yield the rows after the names. Raises `ImportFileError` where the file ends being one."""
        return self._rows

    # ── CSV ──────────────────────────────────────────────────────────────────────────────────

    def _lines(self) -> Iterator[str]:
        number = 0
        while raw := self._stream.readline(LINE_MAX_BYTES):
            number += 1
            self.bytes_read += len(raw)
            if not raw.endswith(b"\n"):
                if len(raw) >= LINE_MAX_BYTES:
                    raise ImportFileError(f"line {number} is longer than {LINE_MAX_BYTES} bytes: is this a CSV file?")
                # The last line of what was sent may be cut in its middle.
                if self._partial:
                    return
            if number == 1:
                raw = raw.removeprefix(_MARK)
                _refuse_utf16(raw)
            if b"\0" in raw:
                raise ImportFileError(f"line {number} holds a NUL byte: this is no text; save it as CSV in UTF-8")
            try:
                yield raw.decode()
            except UnicodeDecodeError:
                raise ImportFileError(f"line {number} is not UTF-8: save the file as CSV in UTF-8") from None

    def _csv(self) -> Iterator[SourceRow]:
        lines = self._lines()
        first = next(lines, "")
        if not first.strip():
            raise ImportFileError("the file is empty, or begins with an empty line; the first line names the columns")
        # Programs write commas, semicolons or tabs, by the language they run in; the line of the names tells which.
        delimiter = max(DELIMITERS, key=first.count)
        reader = csv.reader(chain((first,), lines), delimiter=delimiter, strict=True)
        names: list[str] = []
        while True:
            place = f"line {reader.line_num + 1}"
            try:
                values = next(reader)
            except StopIteration:
                return
            except csv.Error as error:
                if (row := self._csv_fault(place, str(error), has_names=bool(names))) is not None:
                    yield row
                continue
            if not names:
                names = _named(values)
                yield SourceRow(place, names)
            elif values:
                yield _of_line(place, values, names)

    def _csv_fault(self, place: str, error: str, *, has_names: bool) -> SourceRow | None:
        """Return the row that the CSV reader could not read; None where the cut of the file is to blame. Raises `ImportFileError`."""
        if "field larger" in error:
            raise ImportFileError(f"{place}: a value is longer than {LINE_MAX_BYTES} bytes: is a quotation mark not closed?")
        if "unexpected end" in error and self._partial:
            return None
        if not has_names:
            raise ImportFileError(f"{place}, which names the columns, is no CSV: {error}")
        return SourceRow(
            place,
            (),
            "a quotation mark is not closed before the end of the file" if "unexpected end" in error else f"it is no CSV: {error}",
        )

    # ── JSON ─────────────────────────────────────────────────────────────────────────────────

    def _json(self) -> Iterator[SourceRow]:
        objects = self._objects()
        sample = list(islice(objects, SAMPLE_ROWS))
        names: dict[str, None] = {}
        for _, found in sample:
            names.update(dict.fromkeys(found) if isinstance(found, dict) else {})
        if not names:
            raise ImportFileError('there is no row in it; the file must be a list of objects, as [{"title": "One"}], or an object a line')
        if len(names) > COLUMNS_READ_MAX:
            raise ImportFileError(f"its objects have {len(names)} keys; the most is {COLUMNS_READ_MAX}")
        yield SourceRow("row 0", tuple(names))
        for number, found in sample:
            yield _of_object(number, found, names)
        for number, found in objects:
            yield _of_object(number, found, names)

    def _objects(self) -> Iterator[tuple[int, object]]:
        text = _JsonText(self._pieces())
        number = 0
        is_list = text.skip("[")
        while True:
            text.skip(",")
            if text.is_at_end() or (is_list and text.skip("]")):
                return
            number += 1
            try:
                yield number, text.value()
            except RecursionError:
                raise ImportFileError(f"row {number} is nested too deeply") from None
            except ValueError as error:
                if self._partial:
                    return
                why = error.msg if isinstance(error, json.JSONDecodeError) else "a number in it is too long"
                raise ImportFileError(f"row {number} is no JSON: {why}") from None

    def _pieces(self) -> Iterator[str]:
        decoder = codecs.getincrementaldecoder("utf-8-sig")()
        while raw := self._stream.read(_READ_BYTES):
            if not self.bytes_read:
                _refuse_utf16(raw)
            self.bytes_read += len(raw)
            try:
                yield decoder.decode(raw)
            except UnicodeDecodeError:
                raise ImportFileError(f"it is not UTF-8, near byte {self.bytes_read}: save it in that encoding") from None


class _JsonText:
    """JSON values one after the other, of a text that comes in pieces."""

    def __init__(self, pieces: Iterator[str]) -> None:
        self._pieces = pieces
        self._text = ""
        self._decoder = json.JSONDecoder()

    def skip(self, sign: str) -> bool:
        """Pass over blanks and one `sign`, if it is next; whether it was."""
        self._text = self._text.lstrip(_BLANKS)
        while not self._text and self._more(1):
            self._text = self._text.lstrip(_BLANKS)
        if not self._text.startswith(sign):
            return False
        self._text = self._text[1:]
        return True

    def is_at_end(self) -> bool:
        """Return whether nothing but blanks follows."""
        self.skip("\0")
        return not self._text

    def value(self) -> object:
        """Return the next value. Raises `ValueError` where there is none, or one that is larger than LINE_MAX_BYTES."""
        at_once = 1
        while True:
            try:
                found, end = self._decoder.raw_decode(self._text)
            except ValueError:
                if len(self._text) > LINE_MAX_BYTES or not self._more(at_once):
                    raise
                at_once *= 2  # a large value is looked at a few times, and not once a piece
                continue
            # A number or a word may go on in the next piece; an object cannot.
            if end == len(self._text) and not isinstance(found, dict | list) and self._more(1):
                continue
            self._text = self._text[end:].lstrip(_BLANKS)
            return found

    def _more(self, pieces: int) -> bool:
        added = "".join(islice(self._pieces, pieces))
        self._text += added
        return bool(added)


def _refuse_utf16(raw: bytes) -> None:
    if raw.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise ImportFileError("it is UTF-16, not UTF-8: save it in that encoding")


def _named(values: Sequence[str]) -> list[str]:
    if len(values) > COLUMNS_READ_MAX:
        raise ImportFileError(f"the first line names {len(values)} columns; the most is {COLUMNS_READ_MAX}")
    names = [_unquoted(value).strip() for value in values]
    doubled = next((name for place, name in enumerate(names) if name and name in names[:place]), None)
    if doubled is not None:
        raise ImportFileError(f"the first line names {shown(doubled)} twice: give each column a name of its own")
    return names


def _of_line(place: str, values: Sequence[str], names: Sequence[str]) -> SourceRow:
    if len(values) != len(names):
        return SourceRow(place, (), f"it has {len(values)} values, and the first line names {len(names)} columns")
    return SourceRow(place, [_unquoted(value) for value in values])


def _unquoted(value: str) -> str:
    return value[1:] if _FORMULA.match(value) else value


def _of_object(number: int, found: object, names: dict[str, None]) -> SourceRow:
    place = f"row {number}"
    if not isinstance(found, dict):
        return SourceRow(place, (), f"it is {shown(found)}, not an object")
    unknown = found.keys() - names.keys()
    if unknown:
        return SourceRow(place, (), f"the key {shown(min(unknown))} is in none of the first {SAMPLE_ROWS} rows")
    return SourceRow(place, [_plain(found.get(name)) for name in names])


def _plain(value: object) -> object:
    """Return a value as a column can hold it: lists and objects as their JSON text, true and false as 1 and 0."""
    if isinstance(value, dict | list):
        return json.dumps(value, ensure_ascii=False)
    return int(value) if isinstance(value, bool) else value
