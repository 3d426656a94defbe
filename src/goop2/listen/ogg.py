"""An Ogg file: whether it is one recording or several, one behind the other ("chained"), as radio is recorded. RFC 3533, 4 and 6.

Reads, and blocks.
"""

from __future__ import annotations

from typing import BinaryIO, Final

_HEAD_BYTES: Final = 27
_BEGINS: Final = 2
"""Flag of the first page of a stream."""
_FIRST_PAGE: Final = b"OggS\0\2"
_PIECE_BYTES: Final = 1 << 20


def is_chained(file: BinaryIO) -> bool:
    """Whether a stream begins behind the sound of another: those that are heard, or seen, together all begin at the front."""
    at = 0
    while (length := _first_page(file, at)) > 0:
        at += length
    file.seek(at)
    rest = b""
    while piece := file.read(_PIECE_BYTES):
        if _FIRST_PAGE in rest + piece:
            return True
        rest = piece[1 - len(_FIRST_PAGE) :]
    return False


def _first_page(file: BinaryIO, at: int) -> int:
    """Bytes of the page at `at`, 0 where it is not the first of a stream."""
    file.seek(at)
    head = file.read(_HEAD_BYTES)
    if len(head) < _HEAD_BYTES or not head.startswith(b"OggS") or not head[5] & _BEGINS:
        return 0
    lacing = file.read(head[26])
    return _HEAD_BYTES + len(lacing) + sum(lacing)
