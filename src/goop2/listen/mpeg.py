"""How long an MP3 without a table of contents is: every frame counted. Where the bitrate varies, the first frame says nothing.

Layout of a frame's four bytes: ISO 11172-3, 2.4.1.3. Bytes that are no frame (tags, garbage) are passed over.
"""

from __future__ import annotations

from typing import BinaryIO, Final

_RATES: Final = {3: (44100, 48000, 32000), 2: (22050, 24000, 16000), 0: (11025, 12000, 8000)}
"""MPEG version bits → sample rates."""
_KBITS_1: Final = (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320)
_KBITS_2: Final = (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160)
_LAYER_3: Final = 1
_HEADER_BYTES: Final = 4
_SEARCHED_BYTES: Final = 1 << 20
"""Without a frame in so many bytes it is no MP3, or broken."""


class NoFrames(Exception):
    """There is no MP3 in it, or it ends in the middle of nowhere."""


def scan(file: BinaryIO) -> tuple[float, int]:
    """Seconds, and bytes of audio, of all frames. Raises `NoFrames`. Reads the whole file, in pieces."""
    content = memoryview(file.read())
    at = _after_id3(content)
    seconds, audio, lost = 0.0, 0, 0
    end = len(content) - _HEADER_BYTES
    while at <= end:
        frame = _frame(content[at : at + _HEADER_BYTES])
        if frame is None:
            at, lost = at + 1, lost + 1
            if lost > _SEARCHED_BYTES:
                raise NoFrames
            continue
        size, length = frame
        seconds, audio, at = seconds + length, audio + size, at + size
    if not audio:
        raise NoFrames
    return seconds, audio


def _after_id3(content: memoryview) -> int:
    if bytes(content[:3]) != b"ID3" or len(content) < 10:
        return 0
    size = 0
    for byte in content[6:10]:
        size = size << 7 | byte & 0x7F
    return 10 + size


def _frame(head: memoryview) -> tuple[int, float] | None:
    """(bytes, seconds) of the frame that begins here, None when none does."""
    if head[0] != 0xFF or head[1] & 0xE0 != 0xE0:
        return None
    version, layer = head[1] >> 3 & 3, head[1] >> 1 & 3
    kbits, rate = head[2] >> 4, head[2] >> 2 & 3
    if version not in _RATES or layer != _LAYER_3 or kbits in (0, 15) or rate == 3:
        return None
    samples, table = (1152, _KBITS_1) if version == 3 else (576, _KBITS_2)
    hertz = _RATES[version][rate]
    return samples // 8 * table[kbits] * 1000 // hertz + (head[2] >> 1 & 1), samples / hertz
