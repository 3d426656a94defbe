"""uvicorn's WebSocket protocol in the place of the HTTP connection it began as: counted, and closed when the client stops reading."""

from __future__ import annotations

import asyncio
import time
from typing import Any

from uvicorn.protocols.websockets.wsproto_impl import WSProtocol

from goop2.protocols.presence import PRESENCE_MAX_BYTES
from goop2.rendezvous.limits import KEEP_ALIVE_SECONDS, PONG_SECONDS
from goop2.web.http.timeout_protocol import TimeoutProtocol
from goop2.web.limits import HEAD_SECONDS, STALLED_SECONDS


class SocketProtocol(WSProtocol):
    """A WebSocket. `http` is the connection that it was, whose place it keeps; messages are bounded, compression is not spoken."""

    def __init__(self, http: TimeoutProtocol, **given: Any) -> None:
        super().__init__(**given)
        self._http = http
        self.network = http.network
        self.waiting_since = http.waiting_since
        self._unsent_bytes = 0
        self._taken_at = time.monotonic()
        self._open_by = self._taken_at + HEAD_SECONDS
        self.buffer.max_length = PRESENCE_MAX_BYTES
        self.ping_interval, self.ping_timeout = KEEP_ALIVE_SECONDS, PONG_SECONDS
        self.config.ws_per_message_deflate = False

    @property
    def half_sent(self) -> bool:
        """Return False: its request is complete (web/http/connection_slots.py)."""
        return False

    @property
    def idle(self) -> bool:
        """Return False: whoever listens is being answered (web/http/connection_slots.py)."""
        return False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin, as a connection of the client that the HTTP connection is for (asyncio.Protocol)."""
        super().connection_made(transport)
        self.client = self._http.scope["client"]

    def connection_lost(self, exc: Exception | None) -> None:
        """Give the place back (asyncio.Protocol)."""
        super().connection_lost(exc)
        self._http.give_up_place()

    def timed_out(self, now: float) -> bool:
        """Return whether the client has not finished its handshake, or has not read for too long (web/http/timeout_protocol.py)."""
        unsent = self.transport.get_write_buffer_size()
        if unsent == 0 or unsent < self._unsent_bytes:
            self._taken_at = now
        self._unsent_bytes = unsent
        return now > self._taken_at + STALLED_SECONDS or (not self.handshake_complete and now > self._open_by)
