"""The TCP port of a host, for IPv4 and IPv6: accepts connections, and dials from the same port, so that a router that let a connection
out lets one in.

A port that another peer listens on is refused, and one whose last peer has ended is had again at once. SO_REUSEPORT, without which a port
that listens cannot be dialled from, is set only after that: Linux would share the port with another peer of the same user, and each would
get the other's visitors.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import random
import socket
from collections.abc import Mapping
from contextlib import ExitStack
from typing import Any, Final

import structlog

from goop2.net.acceptor import Start
from goop2.net.admission import Admission, AdmissionError
from goop2.net.connection import Connection
from goop2.net.faults import AddressError, PortInUseError
from goop2.net.noise_handshake import SimultaneousOpenError
from goop2.net.transport import SocketTransport
from goop2.net.upgrade import Upgrade, Upgrader
from goop2.protocols import multiaddr
from goop2.protocols.source_network import network_of

BACKLOG: Final = 128
"""Connections the system keeps until they are accepted; as many as there may be."""
ACCEPTED_AT_ONCE: Final = 32
"""Connections taken in one turn of the loop; then others have theirs."""
PAUSE_SECONDS: Final = 1.0
"""Without descriptors or memory nothing is accepted for so long."""
SECOND_DIAL_WITHIN_SECONDS: Final = 0.2
"""When both dialled at the same moment, each dials again within so long, at random, from a port of its own."""
UNHEARD_SECONDS: Final = 1.5
"""A peer that dialled at the same moment as we did says its first word within so long; a listener waits for ours."""
_OUT_OF: Final = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)
_PORT_TAKEN: Final = (errno.EADDRINUSE, errno.EADDRNOTAVAIL, errno.EINVAL)
"""The listening port cannot be dialled from: there is or was a connection of the same two ends, or it listens on loopback only."""
EVERY_ADDRESS: Final = ""
"""Listen on every IPv4 and every IPv6 address of the machine."""
WILDCARDS: Final = {socket.AF_INET: "0.0.0.0", socket.AF_INET6: "::"}
"""Every address of one family."""
PORT_TRIES: Final = 16
"""A free port of IPv4 may be taken for IPv6: then another one is tried."""
_NO_FAMILY: Final = (errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL)
"""The machine has no IPv6, or no IPv4."""
_FAMILIES: Final = {
    "ip4": socket.AF_INET,
    "ip6": socket.AF_INET6,
    "dns4": socket.AF_INET,
    "dns6": socket.AF_INET6,
    "dns": socket.AF_UNSPEC,
}

_log: structlog.typing.FilteringBoundLogger = structlog.get_logger("goop2.net")


class TcpListener:
    """The listening port of a host."""

    def __init__(self, upgrader: Upgrader, admission: Admission, start: Start) -> None:
        self._upgrader = upgrader
        self._admission = admission
        self._start = start
        self._sockets: dict[int, socket.socket] = {}
        """Family → what listens."""
        self.port = 0
        """0 while it does not listen."""

    @property
    def addresses(self) -> tuple[str, ...]:
        """Return where it listens, `/ip4/0.0.0.0/tcp/4001`; nothing while it does not."""
        return tuple(_multiaddr(listening.getsockname(), family) for family, listening in self._sockets.items())

    def open(self, port: int, listen_on: str) -> None:
        """Listen on an IP address, or with EVERY_ADDRESS on all of them. Raises `PortInUseError`."""
        try:
            self._sockets = _listening(port, listen_on)
        except OverflowError:
            raise _no_port(port) from None
        self.port = next(iter(self._sockets.values())).getsockname()[1]
        for listening in self._sockets.values():
            asyncio.get_running_loop().add_reader(listening, self._acceptable, listening)

    def close(self) -> None:
        """Stop listening; connections stay open."""
        for listening in self._sockets.values():
            asyncio.get_running_loop().remove_reader(listening)
            listening.close()
        self._sockets, self.port = {}, 0

    async def dial(self, peer: str, transport: str, *, opened_by_us: bool = True) -> Connection:
        """Return a new connection to a peer at an address, from the listening port where possible. Raises `RemoteProtocolError`,
        `AddressError`, `OSError`, `EOFError` and `TimeoutError`.
        """
        try:
            return await self._dial(peer, transport, opened_by_us=opened_by_us, from_listening_port=True)
        except SimultaneousOpenError:
            await asyncio.sleep(random.uniform(0, SECOND_DIAL_WITHIN_SECONDS))
            return await self._dial(peer, transport, opened_by_us=opened_by_us, from_listening_port=False)

    async def _dial(self, peer: str, transport: str, *, opened_by_us: bool, from_listening_port: bool) -> Connection:
        connected, bound = await self._connect(transport, from_listening_port=from_listening_port)
        if not opened_by_us and not await _speaks(connected):
            # Nobody dialled at the same moment: the other side's listener has accepted, and waits for us as we do for it.
            opened_by_us = True
        address = connected.getpeername()
        about = Upgrade(
            opened_by_us=opened_by_us,
            expected=peer,
            remote=_multiaddr(address, connected.family),
            origin=network_of(address[0]),
            from_listening_port=bound,
        )
        return await self._upgrader.upgrade(SocketTransport(connected), about)

    async def _connect(self, transport: str, *, from_listening_port: bool) -> tuple[socket.socket, bool]:
        """Return a connected socket, and whether it uses the listening port."""
        parts = multiaddr.parse(transport)
        if len(parts) != 2 or parts[0][0] not in _FAMILIES or parts[1][0] != "tcp":
            raise AddressError(f"{transport[:80]!r} is not an address that can be dialled")
        loop = asyncio.get_running_loop()
        family = _FAMILIES[parts[0][0]]
        found = await loop.getaddrinfo(parts[0][1], int(parts[1][1]), family=family, type=socket.SOCK_STREAM)
        if not found:
            raise OSError(f"{parts[0][1]} has no address")
        family, _kind, _protocol, _name, address = found[0]
        listening = self._sockets.get(family)
        if from_listening_port and listening is not None:
            try:
                return await self._connect_from(address, family, listening.getsockname()[:2]), True
            except OSError as error:
                if error.errno not in _PORT_TAKEN:
                    raise
        return await self._connect_from(address, family, None), False

    async def _connect_from(
        self, address: tuple[object, ...], family: socket.AddressFamily, source: tuple[str, int] | None
    ) -> socket.socket:
        opened = socket.socket(family, socket.SOCK_STREAM)
        try:
            opened.setblocking(False)
            _without_delay(opened)
            if source is not None:
                opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
                opened.bind(source)
            await asyncio.get_running_loop().sock_connect(opened, address)
        except BaseException:
            opened.close()
            raise
        return opened

    def _acceptable(self, listening: socket.socket) -> None:
        for _ in range(ACCEPTED_AT_ONCE):
            if listening not in self._sockets.values():
                return
            try:
                accepted, address = listening.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError as error:
                if error.errno in _OUT_OF:
                    self._pause(listening, error)
                return
            self._take(accepted, address)

    def _pause(self, listening: socket.socket, error: OSError) -> None:
        _log.warning("connections wait for a second", why=error.strerror)
        loop = asyncio.get_running_loop()
        loop.remove_reader(listening)

        def again() -> None:
            if listening in self._sockets.values():
                loop.add_reader(listening, self._acceptable, listening)

        loop.call_later(PAUSE_SECONDS, again)

    def _take(self, accepted: socket.socket, address: tuple[str, int]) -> None:
        """Run a task for a connection until that ends; one that is not admitted is closed at once."""
        place = ExitStack()
        place.callback(accepted.close)
        tasks: list[asyncio.Task[None]] = []

        def give_way() -> None:
            for task in tasks:
                task.cancel()

        try:
            done = place.enter_context(self._admission.connection(network_of(address[0]), give_way))
        except AdmissionError as refusal:
            place.close()
            _log.debug("refused", why=str(refusal))
            return

        async def serve() -> None:
            try:
                _without_delay(accepted)
                about = Upgrade(opened_by_us=False, remote=_multiaddr(address, accepted.family), origin=network_of(address[0]))
                connection = await self._upgrader.upgrade(SocketTransport(accepted), about)
            except Exception as error:  # whatever a stranger's bytes lead to is the end of this connection, and of no other
                _log.debug("refused", why=f"a connection from {address[0]}: {str(error) or type(error).__name__}")
                return
            done()
            await connection.closed.wait()

        tasks.append(self._start(serve()))
        # A task that is cancelled before its first step runs nothing of it.
        tasks[0].add_done_callback(lambda _task: place.close())


def _listening(port: int, listen_on: str) -> dict[int, socket.socket]:
    """Return family → a socket that listens, all on one port. Raises `PortInUseError`."""
    if listen_on != EVERY_ADDRESS:
        family = socket.AF_INET6 if ":" in listen_on else socket.AF_INET
        return _all_on_one_port(port, {family: listen_on})
    for _ in range(PORT_TRIES - 1):
        with contextlib.suppress(PortInUseError):
            return _all_on_one_port(port, WILDCARDS)
        if port:
            break
    return _all_on_one_port(port, WILDCARDS)


def _all_on_one_port(port: int, addresses: Mapping[socket.AddressFamily, str]) -> dict[int, socket.socket]:
    listening: dict[int, socket.socket] = {}
    with contextlib.ExitStack() as opened:
        for family, address in addresses.items():
            try:
                one = opened.enter_context(_listening_socket(family, address, port))
            except OSError as error:
                # Of all addresses those of a family that the machine does not have are left out.
                if error.errno in _NO_FAMILY and len(addresses) > 1:
                    continue
                raise (_no_address(address) if error.errno in _NO_FAMILY else _no_port(port)) from None
            listening[family] = one
            port = one.getsockname()[1]
        if not listening:
            raise _no_port(port)
        opened.pop_all()
    return listening


def _listening_socket(family: socket.AddressFamily, address: str, port: int) -> socket.socket:
    opened = socket.socket(family, socket.SOCK_STREAM)
    try:
        opened.setblocking(False)
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            # IPv4 has a socket of its own: its connections would come here as `::ffff:192.0.2.7`, an address nobody can be told.
            opened.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        opened.bind((address, port))
        opened.listen(BACKLOG)
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    except BaseException:
        opened.close()
        raise
    return opened


def _no_port(port: int) -> PortInUseError:
    return PortInUseError(f"port {port} is taken or not allowed: set p2p.listen_port to another one, or to 0 for any free one")


def _no_address(address: str) -> PortInUseError:
    return PortInUseError(f"{address} is no address of this machine: set p2p.listen_on to one of its own, or leave it empty for all")


async def _speaks(connected: socket.socket) -> bool:
    """Return whether any byte comes, or the end, within UNHEARD_SECONDS; no byte is consumed."""
    loop = asyncio.get_running_loop()
    came = asyncio.Event()
    try:
        loop.add_reader(connected, came.set)
        async with asyncio.timeout(UNHEARD_SECONDS):
            await came.wait()
    except TimeoutError:
        return False
    except BaseException:
        loop.remove_reader(connected)
        connected.close()
        raise
    finally:
        if connected.fileno() >= 0:
            loop.remove_reader(connected)
    return True


def _without_delay(opened: socket.socket) -> None:
    with contextlib.suppress(OSError):
        opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


def _multiaddr(address: tuple[Any, ...], family: int) -> str:
    version = 6 if family == socket.AF_INET6 else 4
    return f"/ip{version}/{address[0].partition('%')[0]}/tcp/{address[1]}"
