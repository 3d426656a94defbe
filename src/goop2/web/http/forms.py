"""Read a form with one file, and the texts beside it, as browsers and curl send it (multipart/form-data)."""

from __future__ import annotations

import logging
from typing import Final, NamedTuple

from python_multipart import MultipartParser
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import parse_options_header

MULTIPART: Final = "multipart/form-data"
_FIELDS_MAX: Final = 16
_FIELD_MAX_BYTES: Final = 4096
"""Of a text beside the file: the longest path of a system."""


# The parser writes a line for each form it cannot read, which would let whoever sends such forms fill the terminal.
logging.getLogger("python_multipart").setLevel(logging.CRITICAL)


class FormError(Exception):
    """The form does not hold exactly one file. The message says what was sent and what is accepted."""

    code = "bad_request"


class Form(NamedTuple):
    """A form (multipart/form-data) with exactly one file."""

    file: bytes
    fields: dict[str, str]
    """The other fields, the first of each name."""


class _Parts:
    """Collects the files and the texts of a form while it is parsed."""

    def __init__(self, boundary: bytes) -> None:
        self.contents: list[bytes] = []
        self.fields: dict[str, str] = {}
        self.complete = False
        self._name, self._value = b"", b""
        self._content: list[bytes] = []
        self._field = b""
        self._filename: bytes | None = None
        self._parser = MultipartParser(
            boundary,
            {
                "on_part_begin": self._begin,
                "on_header_field": self._header_name,
                "on_header_value": self._header_value,
                "on_header_end": self._header_end,
                "on_part_data": self._data,
                "on_part_end": self._end,
                "on_end": self._complete,
            },
        )

    def read(self, body: bytes) -> None:
        """Parse a whole body. Raises `FormParserError`."""
        self._parser.write(body)
        self._parser.finalize()

    def _begin(self) -> None:
        self._filename, self._field, self._content = None, b"", []

    def _header_name(self, data: bytes, start: int, end: int) -> None:
        self._name += data[start:end]

    def _header_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def _header_end(self) -> None:
        if self._name.lower() == b"content-disposition":
            options = parse_options_header(self._value)[1]
            self._filename, self._field = options.get(b"filename"), options.get(b"name", b"")
        self._name, self._value = b"", b""

    def _data(self, data: bytes, start: int, end: int) -> None:
        if self._filename is not None or len(self.fields) < _FIELDS_MAX:
            self._content.append(data[start:end])

    def _end(self) -> None:
        content = b"".join(self._content)
        if self._filename is None:
            if 0 < len(content) <= _FIELD_MAX_BYTES:
                self.fields.setdefault(self._field.decode(errors="replace"), content.decode(errors="replace"))
        # Browsers send an empty part for a file input in which no file was chosen.
        elif self._filename or content:
            self.contents.append(content)
        self._content = []

    def _complete(self) -> None:
        self.complete = True


def is_form(content_type: str) -> bool:
    """Return whether a body of this type is a form."""
    return content_type.partition(";")[0].strip().lower() == MULTIPART


def read_form(content_type: str, body: bytes) -> Form:
    """Return the only file of a form and its other fields. Raises `FormError`."""
    boundary = parse_options_header(content_type)[1].get(b"boundary", b"")
    try:
        files = _Parts(boundary)
        files.read(body)
    except FormParserError as error:
        raise FormError(f"the form cannot be read ({error}): send the file itself as the body, or a form with one file") from None
    if not files.complete:
        raise FormError("the form ends before it is complete: send the file itself as the body, or a form with one file")
    if len(files.contents) != 1:
        raise FormError(
            f"a form with one file is taken, and this one has {len(files.contents) or 'none'}: send the file itself as the body"
        )
    return Form(files.contents[0], files.fields)
