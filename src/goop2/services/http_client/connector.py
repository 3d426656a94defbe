"""The only way from a request to a socket: httpcore asks here for a connection, and the egress policy decides.

One `EgressConnector` serves one hop. It connects only to what the egress policy returned, counts the bytes that come back, and closes what
it opened, however the hop ends: also when a task is cancelled twice, or a handshake is cut short.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Any

import httpcore

from goop2.services.http_client.errors import too_large, too_many_headers
from goop2.services.http_client.limits import CONNECT_SECONDS, HEADERS_MAX_BYTES, READ_BYTES, READ_COST_BYTES, RECEIVED_MAX_BYTES
from goop2.services.http_client.resolver import SocketAddress

Admit = Callable[[str, int], Awaitable[Sequence[SocketAddress]]]
"""admit(host, port) → where to connect; raises `OutboundError`."""


class EgressConnector(httpcore.AsyncNetworkBackend):
    """The network behind the egress policy; an async context manager that closes every connection at its end."""

    def __init__(self, admit: Admit, sockets: httpcore.AsyncNetworkBackend) -> None:
        self._admit = admit
        self._sockets = sockets
        self._opened: list[httpcore.AsyncNetworkStream] = []
        self._allowance = Allowance()

    async def __aenter__(self) -> EgressConnector:
        return self

    async def __aexit__(self, *_: object) -> None:
        # A task of its own: who cancels us twice (the pool may) would else leave sockets behind.
        await asyncio.shield(asyncio.ensure_future(self._close()))

    def expect_body(self) -> None:
        """Note that the headers have arrived, and a body may follow."""
        self._allowance.expect_body()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """Connect through the egress policy (httpcore.AsyncNetworkBackend)."""
        # The caller's deadline and the egress policy decide these, not httpcore.
        del timeout, local_address, socket_options
        found = await self._admit(host, port)
        stream = await self._first_to_answer(found)
        self._opened.append(stream)
        return CountedStream(stream, self._allowance)

    async def _first_to_answer(self, addresses: Sequence[SocketAddress]) -> httpcore.AsyncNetworkStream:
        *others, last = addresses
        for address, port in others:
            try:
                return await self._sockets.connect_tcp(address, port, timeout=CONNECT_SECONDS)
            except (httpcore.ConnectError, httpcore.ConnectTimeout):
                continue
        return await self._sockets.connect_tcp(*last)

    async def _close(self) -> None:
        for stream in self._opened:
            await stream.aclose()


class Allowance:
    """The number of bytes that may still come: first headers, then a body."""

    def __init__(self) -> None:
        self._left = HEADERS_MAX_BYTES
        self._exceeded = too_many_headers()

    def expect_body(self) -> None:
        """Start the byte limit of the body, after the headers."""
        self._left = RECEIVED_MAX_BYTES
        self._exceeded = too_large()

    def spend(self, count: int) -> None:
        """Count bytes against the budget. Raises `OutboundError` when it is used up."""
        # Reads of one byte cost more than they carry; a server that dribbles must not keep us busy.
        self._left -= max(count, READ_COST_BYTES)
        if self._left < 0:
            raise self._exceeded


class CountedStream(httpcore.AsyncNetworkStream):
    """A connection that delivers `allowance` bytes and no more, a little at a time."""

    def __init__(self, stream: httpcore.AsyncNetworkStream, allowance: Allowance) -> None:
        self._stream = stream
        self._allowance = allowance

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        """Read and count bytes (httpcore.AsyncNetworkStream)."""
        data = await self._stream.read(min(max_bytes, READ_BYTES), timeout)
        self._allowance.spend(len(data))
        return data

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:
        """Write bytes (httpcore.AsyncNetworkStream)."""
        await self._stream.write(buffer, timeout)

    async def aclose(self) -> None:
        """Close the connection (httpcore.AsyncNetworkStream)."""
        await self._stream.aclose()

    async def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.AsyncNetworkStream:
        """Begin TLS on the connection (httpcore.AsyncNetworkStream)."""
        return CountedStream(await self._stream.start_tls(ssl_context, server_hostname, timeout), self._allowance)

    def get_extra_info(self, info: str) -> Any:
        """Return what the stream below knows (httpcore.AsyncNetworkStream)."""
        return self._stream.get_extra_info(info)
