"""Frames between peer and worker: bytes in, messages out, no I/O.

A frame is its length (4 bytes, little-endian) and that many bytes of msgpack. The reader holds at most one frame beyond the bytes it was
fed, refuses a frame larger than FRAME_MAX_BYTES as soon as its length is known, and returns typed messages only.
"""

from __future__ import annotations

import struct
from typing import Generic, TypeVar

import msgspec

from goop2.sandbox.messages import FromWorker, ToWorker

FRAME_MAX_BYTES = 4 * 1024 * 1024
"""Source or params (1 MB each, as sent) and an HTTP body fit with room to spare."""

_LENGTH = struct.Struct("<I")
_encoder = msgspec.msgpack.Encoder()

Message = TypeVar("Message")


class WorkerProtocolError(Exception):
    """The other side sent something that is no message, and cannot be used any more."""


def frame(message: ToWorker | FromWorker) -> bytes:
    """Return `message` as one frame, ready to send."""
    body = _encoder.encode(message)
    return _LENGTH.pack(len(body)) + body


class MessageFrameReader(Generic[Message]):
    """Turns a stream of bytes into messages of one direction."""

    def __init__(self, message_type: object) -> None:
        self._decoder: msgspec.msgpack.Decoder[Message] = msgspec.msgpack.Decoder(message_type)
        self._pending = bytearray()

    def feed(self, data: bytes) -> list[Message]:
        """Return every message completed by `data`, in order. Raises `WorkerProtocolError`."""
        if not self._pending and len(data) > _LENGTH.size:
            (length,) = _LENGTH.unpack_from(data)
            if length == len(data) - _LENGTH.size <= FRAME_MAX_BYTES:  # one whole frame, as nearly always
                return [self._decode(data[_LENGTH.size :])]
        buffer: bytes | bytearray = data
        if self._pending:
            self._pending += data
            buffer = self._pending
        messages: list[Message] = []
        start, available = 0, len(buffer)
        while available - start >= _LENGTH.size:
            (length,) = _LENGTH.unpack_from(buffer, start)
            if length > FRAME_MAX_BYTES:
                raise WorkerProtocolError(f"a frame of {length} bytes, the most is {FRAME_MAX_BYTES}")
            end = start + _LENGTH.size + length
            if end > available:
                break
            messages.append(self._decode(buffer[start + _LENGTH.size : end]))
            start = end
        self._store_rest(buffer, start)
        return messages

    def _store_rest(self, buffer: bytes | bytearray, start: int) -> None:
        """Keep the bytes that are no whole frame yet."""
        if buffer is self._pending:
            del self._pending[:start]
        elif start < len(buffer):
            self._pending = bytearray(buffer[start:])

    def _decode(self, body: bytes | bytearray) -> Message:
        try:
            return self._decoder.decode(body)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise WorkerProtocolError(f"not a message: {error}") from error


def from_worker() -> MessageFrameReader[FromWorker]:
    """Return a reader for what a worker sends."""
    return MessageFrameReader(FromWorker)


def to_worker() -> MessageFrameReader[ToWorker]:
    """Return a reader for what the peer sends."""
    return MessageFrameReader(ToWorker)
