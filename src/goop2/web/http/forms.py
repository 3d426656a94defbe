"""Read the only file of a form as browsers and curl send it (multipart/form-data)."""

from __future__ import annotations

from typing import Final

from python_multipart import MultipartParser
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import parse_options_header

MULTIPART: Final = "multipart/form-data"


class FormError(Exception):
    """The form does not hold exactly one file. The message says what was sent and what is accepted."""

    code = "bad_request"


class _Files:
    """Collects the files of a form while it is parsed. Other fields are ignored."""

    def __init__(self, boundary: bytes) -> None:
        self.contents: list[bytes] = []
        self.complete = False
        self._name, self._value = b"", b""
        self._content: list[bytes] | None = None
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
        self._filename, self._content = None, []

    def _header_name(self, data: bytes, start: int, end: int) -> None:
        self._name += data[start:end]

    def _header_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def _header_end(self) -> None:
        if self._name.lower() == b"content-disposition":
            self._filename = parse_options_header(self._value)[1].get(b"filename")
        self._name, self._value = b"", b""

    def _data(self, data: bytes, start: int, end: int) -> None:
        if self._filename is not None and self._content is not None:
            self._content.append(data[start:end])

    def _end(self) -> None:
        content = b"".join(self._content or ())
        # Browsers send an empty part for a file input in which no file was chosen.
        if self._filename or content:
            self.contents.append(content)
        self._filename, self._content = None, None

    def _complete(self) -> None:
        self.complete = True


def is_form(content_type: str) -> bool:
    """Return whether a body of this type is a form."""
    return content_type.partition(";")[0].strip().lower() == MULTIPART


def the_file(content_type: str, body: bytes) -> bytes:
    """Return the content of the only file in a form. Raises `FormError`."""
    boundary = parse_options_header(content_type)[1].get(b"boundary", b"")
    try:
        files = _Files(boundary)
        files.read(body)
    except FormParserError as error:
        raise FormError(f"the form cannot be read ({error}): send the file itself as the body, or a form with one file") from None
    if not files.complete:
        raise FormError("the form ends before it is complete: send the file itself as the body, or a form with one file")
    if len(files.contents) != 1:
        raise FormError(
            f"a form with one file is taken, and this one has {len(files.contents) or 'none'}: send the file itself as the body"
        )
    return files.contents[0]
