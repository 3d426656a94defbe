"""A rendezvous server on an address, until it is told to end."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import resource
import socket
from collections.abc import AsyncIterator
from functools import cache, partial
from typing import TYPE_CHECKING, Any

from goop2.config import Address
from goop2.rendezvous.http import Rendezvous
from goop2.rendezvous.limits import ACCEPTED_AT_ONCE, CONNECTIONS_MAX, CONNECTIONS_PER_NETWORK_MAX, DESCRIPTORS_KEPT
from goop2.rendezvous.socket_protocol import SocketProtocol
from goop2.web.http.listeners import BACKLOG, BoundListener, ListenerError, is_loopback
from goop2.web.http.origins import Listener
from goop2.web.http.proxies import NO_PROXIES, Proxies
from goop2.web.http.server import HttpServers, serve
from goop2.web.http.timeout_protocol import TimeoutProtocol
from goop2.web.http.tls import TlsFiles

if TYPE_CHECKING:
    from goop2.cluster.keys import ClusterKey
    from goop2.rendezvous.relay_server import RelayServer


@contextlib.asynccontextmanager
async def open_rendezvous(
    address: Address,
    relay: Address | None = None,
    *,
    proxies: Proxies = NO_PROXIES,
    tls: TlsFiles | None = None,
    bus: tuple[str, ClusterKey] | None = None,
) -> AsyncIterator[str]:
    """Serve until the block is left, with a relay on the other address if there is one; yield the server's URL. Raises `ListenerError`.

    `proxies` are believed about who asks; `tls` is the certificate, None: plain HTTP. `bus`: a NATS server's URL, and the key for it.
    """
    async with contextlib.AsyncExitStack() as stack:
        sock = stack.enter_context(contextlib.closing(_bound(address)))
        port = sock.getsockname()[1]
        beside = await stack.enter_async_context(_relay(relay)) if relay else None
        rendezvous = Rendezvous(relay=beside, bus_key=bus[1] if bus else None)
        # The loop takes one connection of a socket in each of its rounds, and a round is long when thousands are written to.
        again = [stack.enter_context(contextlib.closing(sock.dup())) for _ in range(ACCEPTED_AT_ONCE - 1)]
        bound = BoundListener(Listener(peer_id="", port=port, opened=not is_loopback(address.host)), (sock, *again))
        servers = HttpServers(OpenedProtocol if bound.listener.opened or proxies else LocalProtocol, proxies, tls)
        async with serve(servers, [(bound, rendezvous.app)], rendezvous.announcements.stop), _joined(rendezvous, bus):
            yield f"{'http' if tls is None else 'https'}://{Address(address.host, port)}"


@contextlib.asynccontextmanager
async def _joined(rendezvous: Rendezvous, bus: tuple[str, ClusterKey] | None) -> AsyncIterator[None]:
    """Be on the bus in the block, whenever its server is there."""
    staying = None if bus is None or rendezvous.bus is None else asyncio.create_task(rendezvous.bus.stay_joined(bus[0]))
    try:
        yield
    finally:
        if staying is not None:
            staying.cancel()
            await asyncio.gather(staying, return_exceptions=True)


class LocalProtocol(TimeoutProtocol):
    """A connection from this machine; it may become a WebSocket."""

    local_users = None

    def __init__(self, **given: Any) -> None:
        super().__init__(**given)
        self.ws_protocol_class = partial(SocketProtocol, self)  # type: ignore[assignment]

    @property
    def connections_max(self) -> int:
        """Return how many connections this server accepts: one more is answered with a 503, since without a descriptor none is."""
        return min(CONNECTIONS_MAX, _descriptors())


class OpenedProtocol(LocalProtocol):
    """A connection that may come from any address, or from a proxy for one."""

    connections_per_address: float = CONNECTIONS_PER_NETWORK_MAX


@cache
def _descriptors() -> int:
    """Return how many connections this process may have open."""
    return max(1, resource.getrlimit(resource.RLIMIT_NOFILE)[0] - DESCRIPTORS_KEPT)


def _relay(address: Address) -> contextlib.AbstractAsyncContextManager[RelayServer]:
    # Here, because a server without one should not load the network for it.
    from goop2.rendezvous.relay_server import open_relay_server

    return open_relay_server(address)


def _bound(address: Address) -> socket.socket:
    try:
        family = socket.getaddrinfo(address.host, address.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0][0]
        both = family == socket.AF_INET6 and address.host == "::"
        sock = socket.create_server((address.host, address.port), family=family, backlog=BACKLOG, dualstack_ipv6=both)
    except OSError as error:
        why = "another program listens there already" if error.errno == errno.EADDRINUSE else str(error.strerror or error)
        raise ListenerError(f"no rendezvous server can be opened on {address} ({why}): choose another with --http") from None
    sock.setblocking(False)
    return sock
