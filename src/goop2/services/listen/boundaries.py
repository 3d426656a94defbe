"""Find where a second begins in an audio file, at a boundary from which a decoder can start, and what it must read before.

    mp3          a frame; nothing before it. All frames are noted on opening, because with a varying bitrate nothing else helps
    wav          a block of samples; before it the chunks up to the data
    flac         a frame, found by bisection; before it the mark and STREAMINFO
    ogg, opus    a page, found by bisection; before it the pages with the headers. Encoders choose the length of a page: mostly a
                 quarter of a second, with ffmpeg a whole one

Layouts: ISO 11172-3; RFC 9639, 9.1; RFC 3533, 6; RFC 7845, 5.1; Vorbis I, 4.2.2. Everything here reads a file and blocks.
"""

from __future__ import annotations

import os
import struct
from array import array
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import BinaryIO, Final, NamedTuple

from goop2.services.listen import flac, mpeg, wav
from goop2.services.listen.session import ListenError, Track

MARKS_MAX: Final = 1 << 17
"""Frames noted of an MP3, 1 MB, which is an hour; of a longer one every second is, and so on."""
KEPT_MAX: Final = 4
"""Files whose marks are kept."""
_SEARCHED_BYTES: Final = (1 << 14, 1 << 17)
"""Nearly always a boundary is in the first. A page of Ogg has at most 65,307 bytes, a frame of FLAC hardly more: in the second is one."""
_HEADERS_MAX_BYTES: Final = 1 << 20
"""What is sent before the sound; pictures in tags are most of it."""
_HEADER_PACKETS: Final = {"ogg": 3, "opus": 2}

Boundary = tuple[int, float]
"""Where it begins in the file, in bytes, and when in the track, in seconds."""


@dataclass(frozen=True, slots=True)
class SoundRange:
    """A file that can be heard from any second."""

    file: BinaryIO
    prefix: bytes
    """What a decoder wants first."""
    end: int
    """After the file's last byte of sound."""
    boundary: Callable[[float], Boundary]
    """Seconds → the boundary at or before them; `end` beyond the last."""

    def offset(self, seconds: float) -> int:
        """Return where in the file the boundary at or before `seconds` begins."""
        return self.boundary(seconds)[0]


def sound(file: BinaryIO, track: Track) -> SoundRange:
    """Return the sound of an open file; one call at a time. Raises `ListenError` if the file has changed since it was loaded."""
    size = file.seek(0, os.SEEK_END)
    try:
        return _FORMATS[track.format](file, track, size)
    except (mpeg.NoMpegFramesError, OSError, struct.error, ValueError, IndexError):
        raise ListenError(f"{track.name} is broken, or not the file that was loaded") from None


class _Marks(NamedTuple):
    """The positions at which frames of an MP3 begin."""

    offsets: array[int]
    each: float
    """Seconds from one to the next."""
    seconds: float


_kept: OrderedDict[tuple[str, int, int], _Marks] = OrderedDict()
"""Path, size and time of change → marks, the newest last: whoever asks again and again has the file read once."""


def _mp3(file: BinaryIO, track: Track, size: int) -> SoundRange:
    # Part of the key: marks of an older version of the file would lead into the middle of frames.
    changed = os.fstat(file.fileno()).st_mtime_ns
    marks = _kept.pop((track.path, size, changed), None) or _marks(file)
    _kept[track.path, size, changed] = marks
    while len(_kept) > KEPT_MAX:
        _kept.popitem(last=False)
    end = min(marks.seconds, track.duration)

    def boundary(at: float) -> Boundary:
        mark = min(len(marks.offsets) - 1, int(at / marks.each))
        return (size, end) if at >= end else (marks.offsets[mark], mark * marks.each)

    return SoundRange(file, b"", size, boundary)


def _marks(file: BinaryIO) -> _Marks:
    marks, stride, seconds, count = array("Q"), 1, 0.0, 0
    for count, (at, _, length) in enumerate(mpeg.frames(file), 1):
        seconds += length
        if (count - 1) % stride == 0:
            marks.append(at)
            # Every second mark is dropped, so memory stays bounded for a track of any length.
            if len(marks) > MARKS_MAX:
                marks, stride = marks[::2], stride * 2
    if not marks:
        raise mpeg.NoMpegFramesError
    return _Marks(marks, seconds / count * stride, seconds)


def _wav(file: BinaryIO, _track: Track, _size: int) -> SoundRange:
    known = wav.layout(file)

    def boundary(seconds: float) -> Boundary:
        block = min((known.end - known.begin) // known.block, int(seconds * known.rate))
        return known.begin + block * known.block, block / known.rate

    return SoundRange(file, _read(file, known.front, known.begin - known.front), known.end, boundary)


def _flac(file: BinaryIO, track: Track, size: int) -> SoundRange:
    known = flac.layout(file)

    def next_frame(begin: int, searched: int) -> Boundary | None:
        start = flac.next_start(_read(file, begin, searched, short=True), 0, known)
        return None if start is None else (begin + start.at, start.sample / known.rate)

    # The mark, and STREAMINFO as the last block: nothing follows it but frames.
    prefix = flac.MARK + b"\x80" + len(known.info).to_bytes(3, "big") + known.info
    return _halved(file, prefix, known.first, size, track.duration, next_frame)


def _ogg(file: BinaryIO, track: Track, size: int) -> SoundRange:
    head = _read(file, 0, 64)
    serial, packet = head[14:18], head[27 + head[26] :]
    opus = packet.startswith(b"OpusHead")
    rate, skipped = (48000, int.from_bytes(packet[10:12], "little")) if opus else (int.from_bytes(packet[12:16], "little"), 0)
    first, packets = 0, 0
    while packets < _HEADER_PACKETS[track.format]:
        head = _read(file, first, 27)
        if head[:4] != b"OggS":
            raise ValueError
        lacing = _read(file, first + 27, head[26])
        packets += sum(1 for length in lacing if length < 255)
        first += 27 + len(lacing) + sum(lacing)

    def next_page(begin: int, searched: int) -> Boundary | None:
        """Return the page after the first one that says when it ends."""
        content = _read(file, begin, searched, short=True)
        found = -1
        while (found := content.find(b"OggS\0", found + 1)) >= 0:
            lacing = content[found + 27 : found + 27 + content[found + 26]] if found + 27 <= len(content) else b""
            granule = int.from_bytes(content[found + 6 : found + 14], "little", signed=True)
            if lacing and content[found + 14 : found + 18] == serial and granule >= 0:
                return begin + found + 27 + len(lacing) + sum(lacing), max(0, granule - skipped) / rate
        return None

    return _halved(file, _read(file, 0, first), first, size, track.duration, next_page)


def _halved(
    file: BinaryIO, prefix: bytes, first: int, end: int, duration: float, next_after: Callable[[int, int], Boundary | None]
) -> SoundRange:
    """Return a range for a file whose boundaries carry their time; `next_after` finds the first after an offset, within so many bytes."""

    def boundary(seconds: float) -> Boundary:
        if seconds >= duration:
            return end, duration
        low, high, best = first, end, (first, 0.0)
        while low < high:
            middle = (low + high) // 2
            found = next_after(middle, _SEARCHED_BYTES[0]) or next_after(middle, _SEARCHED_BYTES[1])
            if found is None or found[1] > seconds:
                high = middle
            else:
                best, low = max(best, found), max(middle + 1, found[0])
        return min(best, (end, duration))

    return SoundRange(file, prefix, end, boundary)


def _read(file: BinaryIO, at: int, size: int, *, short: bool = False) -> bytes:
    if size > _HEADERS_MAX_BYTES:
        raise ValueError
    file.seek(at)
    content = file.read(size)
    if len(content) < size and not short:
        raise ValueError
    return content


_FORMATS: Final[dict[str, Callable[[BinaryIO, Track, int], SoundRange]]] = {
    "mp3": _mp3,
    "wav": _wav,
    "flac": _flac,
    "ogg": _ogg,
    "opus": _ogg,
}
