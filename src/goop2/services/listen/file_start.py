"""Skip what stands in front of the sound: ID3v2 tags, which some programs write before any kind of file, and which may have wrong sizes.

ID3v2.4, 3.1: a tag gives its length in four bytes of seven bits; some programs wrote a plain number. Reads a file, and blocks.
"""

from __future__ import annotations

import os
from typing import BinaryIO, Final

MARK: Final = b"ID3"
HEADER_BYTES: Final = 10
TAGS_MAX: Final = 16
"""Tags in a row; more is no file anybody made."""
_WITH_FOOTER: Final = 0x10


def after_tags(file: BinaryIO) -> int:
    """Return where the file begins behind its tags. If a tag claims to be longer than the file, only its header is skipped."""
    end = file.seek(0, os.SEEK_END)
    at = 0
    for _ in range(TAGS_MAX):
        header = _read(file, at)
        if not _is_tag(header):
            break
        after = at + _length(header)
        at = after if after <= end else at + HEADER_BYTES
    return at


def begins(file: BinaryIO, marks: tuple[bytes, ...]) -> int:
    """Return where one of `marks` begins: at the front of the file, or behind its tags. Raises ValueError if none does."""
    at = 0
    for _ in range(TAGS_MAX):
        header = _read(file, at)
        if header.startswith(marks):
            return at
        if not _is_tag(header):
            break
        plain = at + HEADER_BYTES + int.from_bytes(header[6:10], "big")
        at = plain if _read(file, plain).startswith(marks) else at + _length(header)
    raise ValueError("it does not begin as a file of its kind does")


def _is_tag(header: bytes) -> bool:
    return header.startswith(MARK) and len(header) == HEADER_BYTES


def _length(header: bytes) -> int:
    size = 0
    for byte in header[6:10]:
        size = size << 7 | byte & 0x7F
    return HEADER_BYTES + size + (HEADER_BYTES if header[5] & _WITH_FOOTER else 0)


def _read(file: BinaryIO, at: int) -> bytes:
    file.seek(at)
    return file.read(HEADER_BYTES)
