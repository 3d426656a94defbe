"""uvicorn's HTTP protocol with time-outs: headers of a bounded size, connections of slow and stalled clients closed.

There are no timers per request: each connection notes since when it waits, and `sweep`, called every second for all of them, closes those
that have waited too long. When places run out, connection_slots.py says which connection loses its place; one that gets none is answered
with a 503 as soon as its request is there.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final, NoReturn, cast
from weakref import WeakKeyDictionary

from starlette.types import ASGIApp
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle
from uvicorn.server import ServerState

from goop2.protocols.source_network import network_of
from goop2.web.http.connection_slots import ConnectionSlots, victim
from goop2.web.http.local_users import NOBODY, LocalUsers
from goop2.web.http.one_write import OneWrite
from goop2.web.http.proxies import NO_PROXIES, Proxies
from goop2.web.limits import (
    BODY_SECONDS,
    CONNECTIONS_MAX,
    CONNECTIONS_PER_ADDRESS_MAX,
    COOKIES_MAX_BYTES,
    FULL_HOLD_SECONDS,
    FULL_RETRY_SECONDS,
    HEAD_MAX_BYTES,
    HEAD_SECONDS,
    REFUSED_MAX,
    REFUSED_SECONDS,
    STALLED_SECONDS,
    UNHEARD_MAX_BYTES,
)

NEVER = float("inf")
_HEAD_TOO_LARGE = "The request's headers are too large."
_FULL = "Too many connections are open here; try again in a moment."
FULL: Final = (
    b"HTTP/1.1 503 Service Unavailable\r\ncontent-type: text/plain; charset=utf-8\r\ncontent-length: %d\r\n"
    b"retry-after: %d\r\ncache-control: no-store\r\nconnection: close\r\n\r\n%s\n"
) % (len(_FULL) + 1, FULL_RETRY_SECONDS, _FULL.encode())
"""The answer to a connection without a place."""
_COOKIE: Final = b"cookie:"
OUR_COOKIES: Final = b"goop2_"
"""How the names of our cookies begin (visitors.py, passes.py)."""
_UPGRADE_WITH_BODY = "The request asks for another protocol (Upgrade) and has a body; only HTTP/1.1 is spoken here: leave Upgrade out."
_OF_TWO_MINDS = "The request names one host in its first line and another in its headers."


_PLACES: WeakKeyDictionary[ServerState, ConnectionSlots] = WeakKeyDictionary()
"""The places of each server."""


FOR_NOBODY: Final = ""
"""The network of a proxy's connection while it carries nobody's request: it counts in the total alone."""


class WakingState(ServerState):
    """What the connections of one server share. `begun` is called with each that is made: a server nobody is connected to does nothing."""

    def __init__(self, begun: Callable[[], None], proxies: Proxies = NO_PROXIES) -> None:
        super().__init__()
        self.begun = begun
        self.proxies = proxies


class TimeoutProtocol(HttpToolsProtocol):
    """A connection from this machine."""

    connections_per_address: float = NEVER
    """Connections of one network."""
    cookies_max_bytes = COOKIES_MAX_BYTES
    """Size of all cookies, which on loopback do not count as part of the head."""
    local_users: LocalUsers | None = LocalUsers()
    """Looks up the user of a connection; None at a listener where everybody is a visitor."""

    def __init__(self, **given: Any) -> None:
        super().__init__(**given)
        self._user: int | None = None
        """The user of this machine at the other end."""
        self.network = ""
        self.waiting_since = 0.0
        self._places = _PLACES.setdefault(self.server_state, ConnectionSlots())
        self._has_place = False
        self._refused = False
        self._proxies = self.server_state.proxies if isinstance(self.server_state, WakingState) else NO_PROXIES
        self._by_proxy = False
        """The other end is a proxy that is believed."""
        self._head_bytes = 0
        self._cookie_bytes = 0
        self._unheard_bytes = 0
        self._line_begin = b""
        self._line_bytes = 0
        """Of the header line that is still incomplete."""
        self._in_head = True
        self._read_by = NEVER
        """When the request must be complete, `time.monotonic()`."""
        self._unsent_bytes = 0
        self._taken_at = 0.0
        """When the client last read some of the answer, `time.monotonic()`."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Take a place for the connection (asyncio.Protocol)."""
        super().connection_made(transport)
        if isinstance(self.server_state, WakingState):
            self.server_state.begun()
        self._taken_at = time.monotonic()
        self.waiting_since = self._taken_at
        self._read_by = self._taken_at + HEAD_SECONDS
        self._by_proxy = self.client is not None and self.client[0] in self._proxies
        self.network = network_of(self.client[0]) if self.client and not self._by_proxy else FOR_NOBODY
        self._take_place()
        if self._has_place and self.local_users is not None and self.client is not None:
            # Now and never again: later the pair of addresses may be somebody else's.
            self._user = self.local_users.user_of(self.client, transport.get_extra_info("sockname")[:2])

    @property
    def connections_max(self) -> int:
        """Return how many connections this server takes."""
        return CONNECTIONS_MAX

    @property
    def half_sent(self) -> bool:
        """Return whether a request is only partly received (connection_slots.py)."""
        return self._has_place and self._read_by != NEVER

    @property
    def idle(self) -> bool:
        """Return whether no request is under way (connection_slots.py)."""
        return self._has_place and self._read_by == NEVER and (self.cycle is None or self.cycle.response_complete)

    def _take_place(self) -> None:
        # The limit of one network first: a stranger with many connections must not take places from others.
        is_for_nobody = self._by_proxy and self.network == FOR_NOBODY
        if self._places.of(self.network) >= self.connections_per_address and not is_for_nobody:
            self._give_way(each for each in self._others() if each.network == self.network)
        elif self._places.total >= self.connections_max:
            self._give_way(self._others())
        if not self._refused:
            self._has_place = True
            self._places.take(self.network)

    def _others(self) -> Iterator[TimeoutProtocol]:
        others = cast("set[TimeoutProtocol]", self.connections)
        return (each for each in others if each is not self)

    def _give_way(self, others: Iterable[TimeoutProtocol]) -> None:
        """Take the place of another connection, or be refused."""
        loser = victim(others)
        if loser is not None:
            loser._leave_place()
            # Not `close`, which would wait until a slow reader has taken what is still to be sent.
            loser.transport.abort()
            return
        self._refused = True
        self._places.refusing += 1
        self._read_by = self._taken_at + REFUSED_SECONDS
        if self._places.refusing > REFUSED_MAX:
            self.transport.abort()

    def _move_place(self, network: str) -> None:
        """Count the connection of a proxy for `network` from now on, which may have no place left."""
        if network != self.network and self._has_place:
            self._leave_place()
            self.network = network
            self._take_place()

    def _for_client(self) -> None:
        """Take a proxy's request as that of the client it names. It is never the owner's, whoever's program the proxy is."""
        if address := self._proxies.client_of(self.headers):
            self.scope["client"] = (address, 0)
            self.scope["state"]["user"] = NOBODY
            self.scope["state"]["proxied"] = True
        self._move_place(network_of(address) if address else FOR_NOBODY)

    def on_response_complete(self) -> None:
        """Give back what a client had of a proxy's connection (uvicorn)."""
        if self._by_proxy and not self.pipeline:
            self._move_place(FOR_NOBODY)
        super().on_response_complete()

    def give_up_place(self) -> None:
        """Give the place back of a connection that has become another protocol's, and has ended."""
        self._leave_place()

    def _leave_place(self) -> None:
        if self._has_place:
            self._has_place = False
            self._places.give_back(self.network)

    def connection_lost(self, exc: Exception | None) -> None:
        """Give the place of the connection back (asyncio.Protocol)."""
        self._leave_place()
        if self._refused:
            self._refused = False
            self._places.refusing -= 1
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Parse what came, within the limit of the head (asyncio.Protocol)."""
        super().data_received(data)
        if self._in_head:
            self._measure_head(data)
        elif self.idle and self.timeout_keep_alive_task is None:
            # Blank lines begin no request, but have cancelled the keep-alive time-out of uvicorn 0.54.
            self._read_by = time.monotonic() + HEAD_SECONDS

    def _measure_head(self, data: bytes) -> None:
        """Refuse a head that is too large before it ends. On loopback cookies are counted apart, incomplete ones too."""
        self._head_bytes += len(data)
        end = data.rfind(b"\n")
        if end >= 0:
            self._line_begin, self._line_bytes = b"", 0
        self._line_begin = (self._line_begin + data[end + 1 : end + 1 + len(_COOKIE)])[: len(_COOKIE)]
        self._line_bytes += len(data) - end - 1
        cookies = self._cookie_bytes + (self._line_bytes if self._line_begin.lower() == _COOKIE else 0)
        if self._head_bytes - min(cookies, self.cookies_max_bytes) > HEAD_MAX_BYTES:
            self.send_400_response(_HEAD_TOO_LARGE)

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header (httptools). Of the cookies on loopback only ours are kept: others belong to other ports of the host."""
        if self.cookies_max_bytes and name.lower() == b"cookie":
            self._cookie_bytes += len(value)
            value = b";".join(pair for pair in value.split(b";") if pair.lstrip().startswith(OUR_COOKIES))
        super().on_header(name, value)

    def on_message_begin(self) -> None:
        """Begin a request: start its deadline (httptools)."""
        super().on_message_begin()
        self.scope["state"]["user"] = self._user
        self._in_head, self._head_bytes, self._cookie_bytes = True, 0, 0
        self.waiting_since = time.monotonic()
        self._read_by = self.waiting_since + (REFUSED_SECONDS if self._refused else HEAD_SECONDS)

    def on_headers_complete(self) -> None:
        """Start the deadline of the body, or refuse the request (httptools)."""
        self._in_head = False
        if self._by_proxy:
            self._for_client()
        if self._refused:
            self._send_full()
        self._read_by = time.monotonic() + BODY_SECONDS
        # A head that comes in one piece is complete before its size was checked.
        if len(self.url) + sum([len(name) + len(value) for name, value in self.headers]) > HEAD_MAX_BYTES:
            self._refuse(_HEAD_TOO_LARGE)
        if self._means_another_host():
            self._refuse(_OF_TWO_MINDS)
        upgrade = self.parser.should_upgrade()
        if upgrade and any(name == b"transfer-encoding" or (name == b"content-length" and int(value)) for name, value in self.headers):
            self._refuse(_UPGRADE_WITH_BODY)
        super().on_headers_complete()
        self._unheard_bytes = 0
        # The parser leaves what follows to the other protocol, and would take some of the body for the next request.
        if upgrade and not self._should_upgrade():
            self.cycle.keep_alive = False
        # A refused client may send its body or the next request, and nobody could tell which: close the connection.
        if self.expect_100_continue:
            self.cycle.keep_alive = False

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: ASGIApp) -> None:  # type: ignore[override]
        super()._start_asgi_task(cycle, cast(Any, OneWrite(cycle, app)))

    def _refuse(self, message: str) -> NoReturn:
        self.send_400_response(message)
        # Any exception ends the parser's work.
        raise ValueError(message)

    def _send_full(self) -> NoReturn:
        """Answer that there is no place, after a moment: a client that asks again at once would be refused as fast as it can ask, and
        that work would be missing where there are places."""
        if not self.transport.is_closing():
            self._read_by = NEVER
            self.transport.pause_reading()
            self.loop.call_later(FULL_HOLD_SECONDS, self._write_full)
        # Any exception ends the parser's work.
        raise ValueError(_FULL)

    def _write_full(self) -> None:
        if not self.transport.is_closing():
            self.transport.write(FULL)
            self.transport.close()

    def _means_another_host(self) -> bool:
        """Return whether a request line as sent to proxies, `GET http://host/path`, names another host than `Host`."""
        # It would win over `Host` (RFC 9112, 3.2.2), and the origin is decided by `Host`.
        if self.url[:1] in (b"/", b"*"):
            return False
        host = self.url.partition(b"://")[2].partition(b"/")[0].partition(b"?")[0].lower()
        return any(value.lower() != host for name, value in self.headers if name == b"host")

    def on_body(self, body: bytes) -> None:
        """Take a piece of the body. After the answer it is discarded, up to a limit: a client that is still sending reads no answer."""
        if self.cycle.response_complete:
            self._unheard_bytes += len(body)
            if self._unheard_bytes > UNHEARD_MAX_BYTES:
                self.transport.abort()
            return
        super().on_body(body)

    def on_message_complete(self) -> None:
        """End the deadline of a request that is whole (httptools)."""
        self._read_by = NEVER
        self.waiting_since = time.monotonic()
        super().on_message_complete()

    def send_400_response(self, msg: str) -> None:
        """Answer a request that makes no sense, once, and end the connection. One without a place gets the 503 instead."""
        if not self._refused and not self.transport.is_closing():
            super().send_400_response(msg)

    def resume_writing(self) -> None:
        """Note that the client has read data (asyncio.Protocol)."""
        self._taken_at = time.monotonic()
        super().resume_writing()

    def timed_out(self, now: float) -> bool:
        """Return whether the client has taken too long to send its request or to read our answer."""
        unsent = self.transport.get_write_buffer_size()
        # A buffer that shrinks is being read, however slowly.
        if unsent == 0 or unsent < self._unsent_bytes:
            self._taken_at = now
        self._unsent_bytes = unsent
        return now > self._read_by or now > self._taken_at + STALLED_SECONDS


class OpenListenerProtocol(TimeoutProtocol):
    """A connection at the opened listener, where places are limited per network, so that one stranger cannot take all."""

    local_users = None
    cookies_max_bytes = 0
    connections_per_address: float = CONNECTIONS_PER_ADDRESS_MAX


def sweep(connections: Iterable[object], now: float) -> None:
    """Close the connections that have timed out at `now`, `time.monotonic()`."""
    # A copy: `abort` removes the connection from the server's set.
    for connection in list(connections):
        protocol = cast(TimeoutProtocol, connection)
        if protocol.timed_out(now):
            protocol.transport.abort()
