"""A WAV file: where its samples are and how long they last. Any chunks may come before them, also of odd length. Reads a file; blocks."""

from __future__ import annotations

import os
import struct
from typing import BinaryIO, Final, NamedTuple

from goop2.services.listen.file_start import begins

MARKS: Final = (b"RIFF", b"RF64")
"""RF64 is for what is longer than 4 GB: its chunk ds64 says the length (EBU Tech 3306)."""
_CHUNKS_MAX: Final = 1024
"""Before the samples; real files have a dozen. Millions of empty ones would be read for minutes."""
_IN_DS64: Final = 0xFFFFFFFF
_MP3: Final = 0x55
_EXTENSIBLE: Final = 0xFFFE
_FLOATING: Final = 3
_FLOATING_BITS: Final = (32).to_bytes(2, "little")
_PLAYED: Final = frozenset({1, 3, 6, 7})
"""PCM, floating point, A-law and µ-law: what browsers play."""


class WavHoldsMp3Error(ValueError):
    """The sound is an MP3, which browsers play, and whose frames mpeg.py finds."""


class WavLayout(NamedTuple):
    """Where the samples of a WAV file are, and their format."""

    begin: int
    end: int
    """As far as the file goes, whatever its header says: a recording that was cut off, or written to a pipe."""
    rate: int
    """Samples a second."""
    block: int
    """Bytes of one sample of all channels."""
    front: int = 0
    """Where the file begins behind its tags."""

    @property
    def duration(self) -> float:
        """Return the length of the sound in seconds."""
        return (self.end - self.begin) // self.block / self.rate


def layout(file: BinaryIO) -> WavLayout:
    """Return where the samples are, and their format. Raises ValueError for another file, or for one that browsers do not play."""
    size = file.seek(0, os.SEEK_END)
    at, length, rate, block, long = (front := begins(file, MARKS)) + 12, 0, 0, 0, 0
    for _ in range(_CHUNKS_MAX):
        at += length + length % 2
        file.seek(at)
        head = file.read(8)
        if len(head) < 8:
            raise ValueError("it holds no sound")
        kind, length = struct.unpack("<4sI", head)
        at += 8
        if kind == b"ds64":
            long = int.from_bytes(file.read(16)[8:], "little")
        if kind == b"fmt ":
            rate, block = _format(file.read(min(length, 40)))
        if kind == b"data":
            break
    else:
        raise ValueError(f"more than {_CHUNKS_MAX} chunks stand before its sound")
    if not rate or not block:
        raise ValueError("it does not say what its samples are")
    if length == _IN_DS64 and long:
        length = long
    return WavLayout(at, min(size, at + length) if length else size, rate, block, front)


def _format(content: bytes) -> tuple[int, int]:
    if len(content) < 16:
        raise ValueError("it does not say what its samples are")
    code, _, rate, _, block = struct.unpack("<HHIIH", content[:14])
    if code == _EXTENSIBLE and len(content) >= 26:
        code = int.from_bytes(content[24:26], "little")
    if code == _FLOATING and content[14:16] != _FLOATING_BITS:
        raise ValueError("its samples are floating point of other than 32 bits, which browsers do not play")
    if code == _MP3:
        raise WavHoldsMp3Error
    if code not in _PLAYED:
        raise ValueError(f"its sound is packed in a way (0x{code:x}) that browsers do not play")
    return rate, block
