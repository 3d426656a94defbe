"""A FLAC file: what stands before its frames, and with which sample a frame begins. RFC 9639, 8.2 and 9.1. Reads a file, and blocks."""

from __future__ import annotations

import os
from typing import BinaryIO, Final, NamedTuple

from goop2.services.listen.file_start import begins

MARK: Final = b"fLaC"
_STREAMINFO: Final = 0
"""Type of the block that must be the first."""
_INFO_BYTES: Final = 34
_BLOCKS_MAX: Final = 1024
"""Before the frames; real files have a dozen. Millions of empty ones would be read for minutes."""
_LAST_FRAME_IN_BYTES: Final = 1 << 17
"""Hardly any frame is longer."""
_HEADER_MAX_BYTES: Final = 16


class FlacLayout(NamedTuple):
    """The contents of the front of the file."""

    info: bytes
    """STREAMINFO."""
    rate: int
    """Samples a second."""
    block: int
    """Samples a frame, where it is the same in all."""
    first: int
    """Where the frames begin."""


class Start(NamedTuple):
    """Where a frame begins, and with which sample."""

    at: int
    """In the bytes it was looked for."""
    sample: int
    samples: int
    """In the frame."""


def layout(file: BinaryIO) -> FlacLayout:
    """Return where the frames of a FLAC file are, and their format. Raises ValueError for another file."""
    front = begins(file, (MARK,))
    file.seek(front)
    head = file.read(8 + _INFO_BYTES)
    if len(head) < 8 + _INFO_BYTES or head[4] & 0x7F != _STREAMINFO or int.from_bytes(head[5:8], "big") != _INFO_BYTES:
        raise ValueError("its first block does not say what its samples are (STREAMINFO), and without that nothing plays it")
    info = head[8:]
    rate = int.from_bytes(info[10:13], "big") >> 4
    if not rate:
        raise ValueError("its sample rate is 0")
    at = front + 4
    for _ in range(_BLOCKS_MAX):
        file.seek(at)
        block = file.read(4)
        if len(block) < 4:
            raise ValueError("it ends before its first frame")
        at += 4 + int.from_bytes(block[1:], "big")
        if block[0] & 0x80:
            break
    else:
        raise ValueError(f"more than {_BLOCKS_MAX} blocks stand before its first frame")
    return FlacLayout(info, rate, int.from_bytes(info[:2], "big"), at)


def duration(file: BinaryIO) -> float:
    """Return the seconds up to the end of the last frame that exists, whatever the front says. Raises ValueError."""
    known = layout(file)
    begin = max(known.first, file.seek(0, os.SEEK_END) - _LAST_FRAME_IN_BYTES)
    file.seek(begin)
    content, last, found = file.read(), None, 0
    while (start := next_start(content, found, known)) is not None:
        last, found = start, start.at + 1
    if last is None:
        raise ValueError("it holds no frame")
    return (last.sample + last.samples) / known.rate


def next_start(content: bytes, begin: int, known: FlacLayout) -> Start | None:
    """Return the first frame at or after `begin`."""
    found = begin - 1
    while (found := content.find(b"\xff", found + 1)) >= 0:
        start = _start(content[found : found + _HEADER_MAX_BYTES], found, known)
        if start is not None:
            return start
    return None


def _start(head: bytes, at: int, known: FlacLayout) -> Start | None:
    """Return the frame whose header this is, None for other bytes: the checksum decides."""
    if len(head) < _HEADER_MAX_BYTES or head[1] & 0xFE != 0xF8 or head[3] & 1:
        return None
    more = 8 - (head[4] ^ 0xFF).bit_length()
    if more == 1 or more > 7:
        return None
    number = head[4] & (0x7F >> more)
    length = 4 + max(1, more)
    for byte in head[5:length]:
        number = number << 6 | byte & 0x3F
    code = head[2] >> 4
    said = {6: 1, 7: 2}.get(code, 0)
    samples = 1 + int.from_bytes(head[length : length + said], "big") if said else _samples(code)
    length += said + {12: 1, 13: 2, 14: 2}.get(head[2] & 15, 0)
    if length >= len(head) or not samples or _crc8(head[:length]) != head[length]:
        return None
    return Start(at, number if head[1] & 1 else number * known.block, samples)


def _samples(code: int) -> int:
    return 192 if code == 1 else 576 << code - 2 if 2 <= code <= 5 else 256 << code - 8 if code >= 8 else 0


def _crc8(content: bytes) -> int:
    value = 0
    for byte in content:
        value ^= byte
        for _ in range(8):
            value = (value << 1 ^ 0x107) if value & 0x80 else value << 1
    return value
