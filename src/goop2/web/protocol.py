"""uvicorn's HTTP protocol with an end to patience: headers of a bounded size, slow and stalled clients let go.

No timers a request: each connection notes when it began to wait for something, and `sweep`, called
every second for all of them, closes those that have waited too long.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable
from typing import Any, NoReturn, cast

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from goop2.web.limits import (
    BODY_SECONDS,
    CONNECTIONS_MAX,
    CONNECTIONS_PER_ADDRESS_MAX,
    HEAD_MAX_BYTES,
    HEAD_SECONDS,
    STALLED_SECONDS,
)
from goop2.web.local_users import LocalUsers

NEVER = float("inf")
_HEAD_TOO_LARGE = "The request's headers are too large."
_OF_TWO_MINDS = "The request names one host in its first line and another in its headers."


class PatientProtocol(HttpToolsProtocol):
    """A connection from this machine."""

    connections_per_address = CONNECTIONS_MAX
    local_users: LocalUsers | None = LocalUsers()
    """Tells whose connection it is; None at a door where everybody is a visitor."""

    def __init__(self, **given: Any) -> None:
        super().__init__(**given)
        self._user: int | None = None
        """The user of this machine at the other end."""
        self._head_bytes = 0
        self._in_head = True
        self._read_by = NEVER
        """When what the client is sending must be there."""
        self._unsent_bytes = 0
        self._taken_at = 0.0
        """When the client last took something of what waits for it."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """asyncio.Protocol."""
        super().connection_made(transport)
        self._taken_at = time.monotonic()
        self._read_by = self._taken_at + HEAD_SECONDS
        if len(self.connections) > CONNECTIONS_MAX or self._from_same_address() > self.connections_per_address:
            transport.abort()
        elif self.local_users is not None and self.client is not None:
            # Now and never again: later the pair of addresses may be somebody else's.
            self._user = self.local_users.user_of(self.client, transport.get_extra_info("sockname")[:2])

    def data_received(self, data: bytes) -> None:
        """asyncio.Protocol."""
        super().data_received(data)
        if self._in_head:
            self._head_bytes += len(data)
            if self._head_bytes > HEAD_MAX_BYTES:
                self.send_400_response(_HEAD_TOO_LARGE)

    def on_message_begin(self) -> None:
        """A request begins."""
        super().on_message_begin()
        self.scope["state"]["user"] = self._user
        self._in_head, self._head_bytes = True, 0
        self._read_by = time.monotonic() + HEAD_SECONDS

    def on_headers_complete(self) -> None:
        """Its body, if any, follows."""
        self._in_head = False
        self._read_by = time.monotonic() + BODY_SECONDS
        if len(self.url) + sum([len(name) + len(value) for name, value in self.headers]) > HEAD_MAX_BYTES:  # they came at once
            self._refuse(_HEAD_TOO_LARGE)
        if self._means_another_host():
            self._refuse(_OF_TWO_MINDS)
        super().on_headers_complete()

    def _refuse(self, message: str) -> NoReturn:
        self.send_400_response(message)
        raise ValueError(message)  # ends the parser's work

    def _means_another_host(self) -> bool:
        """As requests to proxies are written, `GET http://host/path`: then this is the host, whatever `Host` says (RFC 9112, 3.2.2)."""
        if self.url[:1] in (b"/", b"*"):
            return False
        host = self.url.partition(b"://")[2].partition(b"/")[0].partition(b"?")[0].lower()
        return any(value.lower() != host for name, value in self.headers if name == b"host")

    def on_message_complete(self) -> None:
        """All of it is there."""
        self._read_by = NEVER
        super().on_message_complete()

    def send_400_response(self, msg: str) -> None:
        """Once: what makes no sense ends the connection."""
        if not self.transport.is_closing():
            super().send_400_response(msg)

    def resume_writing(self) -> None:
        """asyncio.Protocol."""
        self._taken_at = time.monotonic()
        super().resume_writing()

    def out_of_patience(self, now: float) -> bool:
        """Whether the client lets us wait too long, for its request or for taking our answer."""
        unsent = self.transport.get_write_buffer_size()
        if unsent == 0 or unsent < self._unsent_bytes:
            self._taken_at = now
        self._unsent_bytes = unsent
        return now > self._read_by or now > self._taken_at + STALLED_SECONDS

    def _from_same_address(self) -> int:
        host = self.client and self.client[0]
        others = cast("set[PatientProtocol]", self.connections)
        return len([other for other in others if (other.client and other.client[0]) == host])


class StrangersProtocol(PatientProtocol):
    """A connection at the opened door: no single stranger takes all the places."""

    connections_per_address = CONNECTIONS_PER_ADDRESS_MAX
    local_users = None


def sweep(connections: Iterable[object], now: float) -> None:
    """Close the connections out of patience at `now`, `time.monotonic()`."""
    for connection in list(connections):
        protocol = cast(PatientProtocol, connection)
        if protocol.out_of_patience(now):
            protocol.transport.abort()
