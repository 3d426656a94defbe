"""An Ogg file: whether it holds one recording or several in a row ("chained"), as radio is recorded. RFC 3533, 4 and 6.

Reads a file, and blocks.
"""

from __future__ import annotations

import os
from typing import BinaryIO, Final

CODEC_BYTES: Final = 128
"""In so many bytes of the front stands what a stream holds."""
_LAST_PAGE_IN_BYTES: Final = 1 << 17
"""A page has at most 65,307."""
_HEAD_BYTES: Final = 27
_BEGINS: Final = 2
"""Flag of the first page of a stream."""
_FIRST_PAGE: Final = b"OggS\0\2"
_PIECE_BYTES: Final = 1 << 20


def codec(head: bytes) -> str:
    """Return `ogg` (Vorbis) or `opus`, by the first bytes of a file; "" for neither."""
    if not head.startswith(b"OggS"):
        return ""
    return "ogg" if b"\x01vorbis" in head else "opus" if b"OpusHead" in head else ""


def duration(file: BinaryIO) -> float:
    """Return the seconds up to the last page, by that page's position. Raises ValueError."""
    file.seek(0)
    head = file.read(CODEC_BYTES)
    if len(head) < CODEC_BYTES:
        raise ValueError("it holds no sound")
    packet = head[_HEAD_BYTES + head[26] :]
    opus = packet.startswith(b"OpusHead")
    rate, skipped = (48000, int.from_bytes(packet[10:12], "little")) if opus else (int.from_bytes(packet[12:16], "little"), 0)
    begin = max(0, file.seek(0, os.SEEK_END) - _LAST_PAGE_IN_BYTES)
    file.seek(begin)
    content = file.read()
    found = len(content)
    while rate and (found := content.rfind(b"OggS\0", 0, found)) >= 0:
        granule = int.from_bytes(content[found + 6 : found + 14], "little", signed=True)
        lacing = content[found + _HEAD_BYTES : found + _HEAD_BYTES + content[found + 26]] if found + 26 < len(content) else b""
        is_whole = bool(lacing) and found + _HEAD_BYTES + len(lacing) + sum(lacing) <= len(content)
        if is_whole and content[found + 14 : found + 18] == head[14:18] and granule >= 0:
            return max(0, granule - skipped) / rate
    raise ValueError("it holds no sound")


def is_chained(file: BinaryIO) -> bool:
    """Return whether a stream begins behind the sound of another; streams that play at the same time all begin at the front."""
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
    """Return the size of the page at `at`, 0 if it is not the first of a stream."""
    file.seek(at)
    head = file.read(_HEAD_BYTES)
    if len(head) < _HEAD_BYTES or not head.startswith(b"OggS") or not head[5] & _BEGINS:
        return 0
    lacing = file.read(head[26])
    return _HEAD_BYTES + len(lacing) + sum(lacing)
