"""Read one line of bounded length from bytes that come in any pieces. Content, data and mq are one such line; site begins with one."""

from __future__ import annotations

import re

from goop2.protocols.errors import LocalProtocolError, RemoteProtocolError

NEWLINE = b"\n"


class LineReader:
    """Collects a line. `what` names it in messages, `max_bytes` counts without its newline."""

    def __init__(self, what: str, max_bytes: int) -> None:
        self._what = what
        self._max_bytes = max_bytes
        self._buffer = bytearray()
        self._searched = 0

    def receive(self, data: bytes) -> bytes | None:
        """Return the line without its newline once it is whole, else None. Raises `RemoteProtocolError` when it is too long."""
        if not self._buffer and 0 < len(data) <= self._max_bytes and data.find(NEWLINE) == len(data) - 1:
            return data[:-1]  # one whole line, as nearly always
        self._buffer += data
        end = self._buffer.find(NEWLINE, self._searched)
        self._searched = len(self._buffer)
        if (end if end >= 0 else self._searched) > self._max_bytes:
            raise RemoteProtocolError(f"{self._what} is longer than {self._max_bytes} bytes")
        if end < 0:
            return None
        line = bytes(self._buffer[:end])
        del self._buffer[: end + 1]
        self._searched = 0
        return line

    def rest(self) -> bytes:
        """Return the bytes after the line; they are handed over once."""
        rest = bytes(self._buffer)
        self._buffer.clear()
        self._searched = 0
        return rest

    def end(self) -> None:
        """Raise `RemoteProtocolError`: the other side sends no more and the line is not whole."""
        raise RemoteProtocolError(f"{self._what} ended after {len(self._buffer)} bytes, before its newline")


def line(what: str, content: bytes, max_bytes: int) -> bytes:
    """Return `content` as a line of bytes. Raises `LocalProtocolError` when it is no line or too long."""
    if len(content) > max_bytes:
        raise LocalProtocolError(f"{what} is {len(content)} bytes; the most is {max_bytes}")
    if NEWLINE in content:
        raise LocalProtocolError(f"{what} must not contain a line break")
    return content + NEWLINE


_CONTROL_OR_LONE_SURROGATE = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]")


def is_one_line(text: str) -> bool:
    """Return whether a text can stand on one line: without control characters and lone surrogates."""
    return not _CONTROL_OR_LONE_SURROGATE.search(text)
