"""Yamux frames without a connection: bytes in, frames out (the format: github.com/hashicorp/yamux, spec.md).

A long data frame is returned as several short ones while its bytes arrive, so nothing waits for its end and no more is held than has come.
"""

from __future__ import annotations

import struct
from typing import Final, NamedTuple

from goop2.protocols.errors import RemoteProtocolError

DATA: Final = 0
WINDOW: Final = 1
PING: Final = 2
GO_AWAY: Final = 3

SYN: Final = 1
ACK: Final = 2
FIN: Final = 4
RST: Final = 8

_VERSION: Final = 0
_HEADER: Final = struct.Struct("!BBHII")
HEADER_BYTES: Final = _HEADER.size


class MuxerFrame(NamedTuple):
    """A frame; `value` is the growth of the window, the number of the ping or the reason for going away, and `data` the content."""

    kind: int
    flags: int
    stream: int
    value: int
    data: bytes = b""


def write(kind: int, flags: int, stream: int, value: int = 0, data: bytes | memoryview = b"") -> bytes:
    """Return a frame as bytes; a data frame's value is the length of its data."""
    return _HEADER.pack(_VERSION, kind, flags, stream, len(data) if kind == DATA else value) + data


class MuxerFrameReader:
    """Reads frames from bytes that come in any pieces. `longest`: the most bytes a data frame may carry."""

    def __init__(self, longest: int) -> None:
        self._longest = longest
        self._buffer = b""
        self._flags = self._stream = self._missing = 0
        """Of the data frame that is under way."""

    def receive(self, data: bytes) -> list[MuxerFrame]:
        """Return the whole frames, and the received part of the next one. Raises `RemoteProtocolError` for an invalid frame."""
        buffer = self._buffer + data if self._buffer else data
        at, frames = 0, []
        while True:
            if self._missing:
                if at == len(buffer):
                    break
                frames.append(self._piece(buffer[at : at + self._missing]))
                at += len(frames[-1].data)
            elif len(buffer) - at < HEADER_BYTES:
                break
            else:
                version, kind, flags, stream, value = _HEADER.unpack_from(buffer, at)
                at += HEADER_BYTES
                self._check(version, kind, value)
                if kind == DATA and value:
                    self._flags, self._stream, self._missing = flags, stream, value
                else:
                    frames.append(MuxerFrame(kind, flags, stream, value))
        self._buffer = buffer[at:]
        return frames

    def _piece(self, data: bytes) -> MuxerFrame:
        """Return a piece of a data frame; the first one may open the stream, the last one may end it."""
        self._missing -= len(data)
        flags = self._flags if not self._missing else self._flags & ~(FIN | RST)
        self._flags &= ~(SYN | ACK)
        return MuxerFrame(DATA, flags, self._stream, len(data), data)

    def _check(self, version: int, kind: int, value: int) -> None:
        if version != _VERSION or kind > GO_AWAY:
            raise RemoteProtocolError(f"there is no frame of version {version} and kind {kind}")
        if kind == DATA and value > self._longest:
            raise RemoteProtocolError(f"a frame of {value} bytes; the longest there may be has {self._longest}")
