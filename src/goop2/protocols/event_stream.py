"""Server-sent events, as a rendezvous server sends them: bytes in, the data of each event out (`text/event-stream` of the HTML standard).

id: 4f2a-17
data: {"type": "online", …}
(an empty line ends the event; a line that begins with a colon is a comment; a byte order mark before the first line is none of it)
"""

from __future__ import annotations

from codecs import BOM_UTF8
from collections.abc import Iterator
from typing import Final

from goop2.protocols.errors import RemoteProtocolError

EVENT_MAX_BYTES: Final = 64 * 1024
"""Lines of one event; a presence has 16 KB at most."""
ID_MAX_BYTES: Final = 128


class ServerSentEventReader:
    """Reads one stream of server-sent events."""

    def __init__(self) -> None:
        self.last_id = ""
        """Of the last whole event; what a new stream is asked to begin after."""
        self._rest = b""
        self._begun = False
        """Whether the first line is read, which a byte order mark may stand before."""
        self._data: list[bytes] = []
        self._size = 0
        self._id = b""

    def receive(self, piece: bytes) -> Iterator[bytes]:
        """Return the data of every event these bytes complete. Raises `RemoteProtocolError` when one is too long."""
        *lines, self._rest = (self._rest + piece).split(b"\n")
        for line in lines:
            if not self._begun:
                self._begun = True
                line = line.removeprefix(BOM_UTF8)
            yield from self._line(line.removesuffix(b"\r"))
        if len(self._rest) + self._size > EVENT_MAX_BYTES:
            raise RemoteProtocolError(f"an event is longer than {EVENT_MAX_BYTES} bytes")

    def _line(self, line: bytes) -> Iterator[bytes]:
        if not line:
            yield from self._end_of_event()
            return
        self._size += len(line)
        if self._size > EVENT_MAX_BYTES:
            raise RemoteProtocolError(f"an event is longer than {EVENT_MAX_BYTES} bytes")
        name, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if name == b"data":
            self._data.append(value)
        elif name == b"id" and len(value) <= ID_MAX_BYTES:
            self._id = value

    def _end_of_event(self) -> Iterator[bytes]:
        data, self._data, self._size = self._data, [], 0
        # It goes into a header of the next request: nothing but visible ASCII.
        if self._id.isascii() and self._id.decode().isprintable():
            self.last_id = self._id.decode()
        if data:
            yield b"\n".join(data)
