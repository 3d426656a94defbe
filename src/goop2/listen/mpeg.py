"""The frames of an MP3, each counted: how long it is without a table of contents, and where a second begins. The first frame says nothing
where the bitrate varies.

Layout of a frame's four bytes: ISO 11172-3, 2.4.1.3. Bytes that are no frame (tags, garbage) are passed over. A file is read in pieces
and never held.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO, Final

_RATES: Final = {3: (44100, 48000, 32000), 2: (22050, 24000, 16000), 0: (11025, 12000, 8000)}
"""MPEG version bits → sample rates."""
_KBITS_1: Final = (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320)
_KBITS_2: Final = (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160)
_LAYER_3: Final = 1
_HEADER_BYTES: Final = 4
_PIECE_BYTES: Final = 1 << 18
_SEARCHED_BYTES: Final = 1 << 20
"""Without a frame in so many bytes it is no MP3, or broken."""


class NoFrames(Exception):
    """There is no MP3 in it, or it ends in the middle of nowhere."""


def scan(file: BinaryIO) -> tuple[float, int]:
    """Seconds, and bytes of audio, of all frames. Raises `NoFrames`. Reads the whole file, in pieces."""
    seconds, audio = 0.0, 0
    for _, size, length in frames(file):
        seconds, audio = seconds + length, audio + size
    if not audio:
        raise NoFrames
    return seconds, audio


def frames(file: BinaryIO) -> Iterator[tuple[int, int, float]]:
    """(offset in the file, bytes, seconds) of every frame, in order. Raises `NoFrames` where too much is none."""
    file.seek(0)
    at = _after_id3(file.read(10))
    file.seek(at)
    start, content, lost = at, file.read(_PIECE_BYTES), 0
    while True:
        inside = at - start
        if inside + _HEADER_BYTES > len(content):
            file.seek(at)
            start, content, inside = at, file.read(_PIECE_BYTES), 0
            if len(content) < _HEADER_BYTES:
                return
        frame = _frame(content, inside)
        if frame is None:
            at, lost = at + 1, lost + 1
            if lost > _SEARCHED_BYTES:
                raise NoFrames
            continue
        size, length = frame
        yield at, size, length
        at += size


def _after_id3(head: bytes) -> int:
    if head[:3] != b"ID3" or len(head) < 10:
        return 0
    size = 0
    for byte in head[6:10]:
        size = size << 7 | byte & 0x7F
    return 10 + size


def _frame(content: bytes, at: int) -> tuple[int, float] | None:
    """(bytes, seconds) of the frame that begins at `at`, None when none does."""
    if content[at] != 0xFF or content[at + 1] & 0xE0 != 0xE0:
        return None
    version, layer = content[at + 1] >> 3 & 3, content[at + 1] >> 1 & 3
    kbits, rate = content[at + 2] >> 4, content[at + 2] >> 2 & 3
    if version not in _RATES or layer != _LAYER_3 or kbits in (0, 15) or rate == 3:
        return None
    samples, table = (1152, _KBITS_1) if version == 3 else (576, _KBITS_2)
    hertz = _RATES[version][rate]
    return samples // 8 * table[kbits] * 1000 // hertz + (content[at + 2] >> 1 & 1), samples / hertz
