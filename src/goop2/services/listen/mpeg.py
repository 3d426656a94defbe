"""Count the frames of an MP3: how long it is, and where a second begins. Neither the first frame nor a header at the front can be trusted:
bitrates vary, headers get lost, files are cut.

Layout of a frame's four bytes: ISO 11172-3, 2.4.1.3. Bytes that are no frame (tags, pictures, garbage) are skipped. After them, two frames
of one kind in a row are needed, since a single match may be chance. A file is read in pieces and never held.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO, Final, NamedTuple

from goop2.services.listen.file_start import after_tags

_RATES: Final = {3: (44100, 48000, 32000), 2: (22050, 24000, 16000), 0: (11025, 12000, 8000)}
"""MPEG version bits → sample rates."""
_KBITS_1: Final = (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320)
_KBITS_2: Final = (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160)
_LAYER_3: Final = 1
_HEADER_BYTES: Final = 4
_PIECE_BYTES: Final = 1 << 18
_FRAME_MAX_BYTES: Final = 1441
"""320 kbit/s at 32 kHz."""
_SEARCHED_BYTES: Final = 1 << 20
"""Without a frame in so many bytes it is no MP3."""
_CONTENTS: Final = (b"Xing", b"Info", b"VBRI")
_CONTENTS_BYTES: Final = 44
"""A first frame that says here what follows holds no sound."""


class NoMpegFramesError(Exception):
    """The file holds no MP3 frames."""

    def __init__(self) -> None:
        super().__init__("it holds no frames of an MP3 that browsers play")


class MpegFrame(NamedTuple):
    """A frame: its place in the file, and its sound."""

    at: int
    """Offset in the file."""
    size: int
    """Bytes."""
    seconds: float


class _Header(NamedTuple):
    size: int
    seconds: float
    kind: int
    """Version, layer and sample rate; the same in all frames of a file."""


def scan(file: BinaryIO) -> tuple[float, int]:
    """Return seconds, and bytes of audio, of all frames. Raises `NoMpegFramesError`. Reads the whole file in pieces."""
    seconds, audio = 0.0, 0
    for _, size, length in frames(file):
        seconds, audio = seconds + length, audio + size
    if not audio:
        raise NoMpegFramesError
    return seconds, audio


def frames(file: BinaryIO) -> Iterator[MpegFrame]:
    """Yield every frame of sound in order. Raises `NoMpegFramesError` if too many bytes at the front are no frame."""
    first = start = at = after_tags(file)
    content, synced, any_yet = _read(file, at), False, False
    while True:
        if len(content) - (at - start) < 2 * _FRAME_MAX_BYTES:
            start, content = at, _read(file, at)
            if len(content) <= _HEADER_BYTES:
                return
        inside = at - start
        header = _header(content, inside)
        # Any two bytes of a picture can look like a header; the next header must follow where this frame ends.
        if header is not None and (synced or _another_follows(content, inside, header)):
            # The first frame may be a Xing, Info or VBRI header, which decoders play as silence or skip.
            if any_yet or not _is_contents(content[inside : inside + _CONTENTS_BYTES]):
                yield MpegFrame(at, header.size, header.seconds)
            at, synced, any_yet = at + header.size, True, True
            continue
        synced = False
        found = content.find(b"\xff", inside + 1)
        at = start + (found if found >= 0 else len(content))
        if not any_yet and at - first > _SEARCHED_BYTES:
            raise NoMpegFramesError


def _read(file: BinaryIO, at: int) -> bytes:
    file.seek(at)
    return file.read(_PIECE_BYTES)


def _another_follows(content: bytes, at: int, header: _Header) -> bool:
    """Return whether a frame of the same kind follows this one, or the file ends with it."""
    after = at + header.size
    if after + _HEADER_BYTES > len(content):
        return after == len(content)
    following = _header(content, after)
    return following is not None and following.kind == header.kind


def _is_contents(head: bytes) -> bool:
    return any(mark in head for mark in _CONTENTS)


def _header(content: bytes, at: int) -> _Header | None:
    """Return the frame that begins at `at`, None for other bytes."""
    if at + _HEADER_BYTES > len(content) or content[at] != 0xFF or content[at + 1] & 0xE0 != 0xE0:
        return None
    version, layer = content[at + 1] >> 3 & 3, content[at + 1] >> 1 & 3
    kbits, rate = content[at + 2] >> 4, content[at + 2] >> 2 & 3
    if version not in _RATES or layer != _LAYER_3 or kbits in (0, 15) or rate == 3:
        return None
    samples, table = (1152, _KBITS_1) if version == 3 else (576, _KBITS_2)
    hertz = _RATES[version][rate]
    size = samples // 8 * table[kbits] * 1000 // hertz + (content[at + 2] >> 1 & 1)
    return _Header(size, samples / hertz, version << 2 | rate)
