"""The interface of the network: connect, open, serve, peers, close. Everything above it knows only addresses, ids and streams.

It speaks Noise and Yamux over TCP, nothing else. So every connected peer has proved its id. Limits are in limits.py; every wait has an end.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType, TracebackType
from typing import Any
from weakref import WeakValueDictionary

import structlog

from goop2.config.ticks import seconds_to_tick
from goop2.folder.identity import Identity
from goop2.net.acceptor import Acceptor, Handler
from goop2.net.address import PeerAddress, peer_id
from goop2.net.admission import Admission
from goop2.net.circuits import Circuits
from goop2.net.connection import Connection, ConnectionCallback
from goop2.net.connections import ConnectionTable
from goop2.net.dialling import FAULTS, AddressBook, Dialling
from goop2.net.faults import NetworkError, PeerBusyError, ProtocolNotSupportedError, StreamBrokenError, UnreachableError, WrongPeerError
from goop2.net.identify import Identify
from goop2.net.limits import (
    CLOSE_SECONDS,
    EXCHANGE_SECONDS,
    OUTGOING_STREAMS_PER_PEER,
    PING_SECONDS,
    TIDY_SECONDS,
    HostLimits,
)
from goop2.net.listener import EVERY_ADDRESS, TcpListener
from goop2.net.muxer import MuxedStreamError
from goop2.net.ping import PING, answer_pings
from goop2.net.requests import NoProtocolSupportedError, NotConnectedError, Requester
from goop2.net.stream import Stream
from goop2.net.transport import Transport
from goop2.net.upgrade import Upgrade, Upgrader
from goop2.protocols.errors import RemoteProtocolError
from goop2.protocols.line import LineReader


@dataclass(frozen=True, slots=True)
class Connected:
    """A peer that is connected now."""

    peer: str
    address: str
    """`ip:port` of its end, "" when that is not known."""
    relay: str
    """The relay that new streams go through, "" when they go directly."""
    latency_seconds: float | None
    """How long the last ping took; None while there was none."""


@contextlib.asynccontextmanager
async def open_host(
    identity: Identity, port: int = 0, limits: HostLimits | None = None, listen_on: str = EVERY_ADDRESS
) -> AsyncIterator[Host]:
    """A host that listens on `port` (0: any) until the block is left. `listen_on`: an IP address. Raises `PortInUseError`."""
    host = Host(identity, limits or HostLimits())
    try:
        await host._start(port, listen_on)
        yield host
    finally:
        await host.close()


class Host:
    """This peer on the network. Made by `open_host`."""

    def __init__(self, identity: Identity, limits: HostLimits) -> None:
        self.identity = identity
        self.peer_id = identity.peer_id
        self._log = structlog.get_logger("goop2.net").bind()
        self.admission = Admission(limits, time.monotonic)
        self._beside: set[asyncio.Task[None]] = set()
        """What runs until it is done, or until the host is closed."""
        self._connections = ConnectionTable(limits.connections_per_peer, limits.dialled_connections)
        self._acceptor = Acceptor(self.admission, self._soon)
        self._upgrader = Upgrader(identity, self.admission, self._acceptor.accept, self._connections)
        self._listener = TcpListener(self._upgrader, self.admission, self._soon)
        self._requester = Requester(self._connections, self._soon)
        self._book = AddressBook()
        self._circuits = Circuits(self)
        self._identify = Identify(self, self._soon)
        self._dialling: WeakValueDictionary[str, _Dialling] = WeakValueDictionary()
        self._outgoing: Counter[str] = Counter()
        self._closed = False

    # Where it is, and who is there.

    @property
    def addresses(self) -> tuple[str, ...]:
        """Where it listens: `/ip4/…/tcp/…/p2p/<our id>`; where that is every address of a family, it is `0.0.0.0` or `::`, no real one."""
        return tuple(f"{address}/p2p/{self.peer_id}" for address in self._listener.addresses)

    @property
    def port(self) -> int:
        """Return the TCP port it listens on, 0 when it no longer does."""
        return self._listener.port

    def knows(self, addresses: Iterable[PeerAddress]) -> None:
        """Remember addresses of peers; nothing is dialled."""
        for address in addresses:
            self._book.add(address.peer, [address.transport])

    def forgets(self, address: PeerAddress) -> None:
        """Drop this address of a peer, until somebody names it again."""
        self._book.drop(address.peer, address.transport)

    def is_connected(self, peer: str) -> bool:
        """Return whether there is a connection to the peer, as far as is known."""
        return self._connections.best(peer_id(peer)) is not None

    def is_known(self, peer: str) -> bool:
        """Return whether there is a connection to the peer, or an address to try."""
        return self.is_connected(peer) or bool(self._book.of(peer))

    def peers(self) -> tuple[Connected, ...]:
        """Return the connected peers, each once."""
        best = (self._connections.best(peer) for peer in self._connections.peers())
        return tuple(_connected(connection) for connection in best if connection is not None)

    def connections(self, peer: str = "") -> tuple[Connection, ...]:
        """Return the connections to a peer, or all of them."""
        return self._connections.of(peer)

    def watch(self, connected: ConnectionCallback | None = None, disconnected: ConnectionCallback | None = None) -> Callable[[], None]:
        """Call these with each connection that comes or goes, on the loop; they must not wait. Return the function that ends it."""
        self._connections.watch(connected, disconnected)
        return lambda: self._connections.unwatch(connected, disconnected)

    def observed_addresses(self) -> tuple[str, ...]:
        """Return where others see this peer, `/ip4/192.0.2.7/tcp/4001`, from identify; the address that most networks report first."""
        return self._identify.observed_addresses()

    def announce(self, addresses: Callable[[], tuple[str, ...]]) -> None:
        """Announce by identify that this peer can be dialled at these addresses: peers connected through a relay try them."""
        self._identify.announced = lambda: tuple(address.partition("/p2p/")[0] for address in addresses())

    def supports(self, peer: str, protocol: str) -> bool | None:
        """Return whether a connected peer said that it supports a protocol; None while it has said nothing."""
        for connection in self._connections.of(peer):
            if connection.identified is not None:
                return protocol in connection.identified.protocols
        return None

    # Connections.

    async def connect(self, peer: str, addresses: Sequence[PeerAddress] = ()) -> None:
        """Make sure there is a connection, trying these addresses and those known before.

        Raises `UnreachableError`, of which `WrongPeerError` is one, and `AddressError`.
        """
        peer_id(peer)
        # Only addresses that name this peer: others may come with a typed list, and a dial to them would prove somebody else.
        self.knows(address for address in addresses if address.peer == peer)
        transports = self._book.of(peer)
        # One dial a peer: who comes meanwhile waits for it, and has its outcome unless there are more addresses to try.
        dialling = self._dialling.setdefault(peer, _Dialling())
        waits = dialling.locked()
        async with dialling:
            connected = self.is_connected(peer)
            if not (connected or (waits and set(transports) <= set(dialling.tried))):
                dialling.tried = transports
                search = Dialling(peer, self.dial_address, self._circuits.dial)
                with _translate_errors(peer):
                    connected = await search.run(transports) is not None or self.is_connected(peer)
                dialling.others = search.others
            others = dialling.others
        given = [address.transport for address in addresses if address.peer == peer] or transports
        if not connected and given and set(others) >= set(given):
            raise WrongPeerError(f"{peer} cannot be reached{_tried(given)}: another peer is there, {others[given[0]]}; check the id")
        if not connected:
            raise UnreachableError(f"{peer} cannot be reached{_tried(transports)}")

    async def dial_address(self, peer: str, transport: str, *, opened_by_us: bool = True) -> Connection:
        """Return a new connection to a peer at one address of its own, dialled from the listening port, whatever connections there are.

        `opened_by_us`: False where both sides dial at once to punch a hole, and this one is to behave as if it had been dialled. Raises one
        of `dialling.FAULTS`, `OtherPeerError` among them.
        """
        return await self._listener.dial(peer, transport, opened_by_us=opened_by_us)

    async def upgrade(
        self,
        transport: Transport,
        *,
        opened_by_us: bool,
        expected: str = "",
        remote: str = "",
        origin: str = "",
        is_relayed: bool = False,
    ) -> Connection:
        """Make a connection of a transport, within HANDSHAKE_SECONDS. When it ends, the transport ends too.

        `expected`: the peer it must be, "" for any; `remote`, `origin`: as `Connection` has them. Admission is the caller's affair. Raises
        one of `dialling.FAULTS`, `OtherPeerError` among them.
        """
        return await self._upgrader.upgrade(transport, Upgrade(opened_by_us, expected, remote, origin, is_relayed))

    async def disconnect(self, peer: str) -> None:
        """End the connections to a peer."""
        await asyncio.gather(*(connection.close() for connection in self._connections.of(peer_id(peer))))

    # Streams.

    async def open(self, peer: str, *protocols: str, relayed: bool | None = None) -> Stream:
        """Return a new stream to a peer, on the first of `protocols` that it supports. `relayed`: only over a relayed connection, or only
        over a direct one.

        Raises `UnreachableError`, `ProtocolNotSupportedError`, `PeerBusyError`, `StreamBrokenError`.
        """
        if relayed is None and self._connections.best(peer) is None:
            await self.connect(peer)
        self._acquire(peer)
        try:
            with _translate_errors(peer, protocols):
                return await self._requester.open(peer, protocols, self._let_go, relayed)
        except BaseException:
            self._release(peer)
            raise

    async def open_on(self, connection: Connection, *protocols: str) -> Stream:
        """Do as `open`, on this connection and no other."""
        self._acquire(connection.peer)
        try:
            with _translate_errors(connection.peer, protocols):
                return await self._requester.open_on(connection, protocols, self._let_go)
        except BaseException:
            self._release(connection.peer)
            raise

    async def ask(self, peer: str, protocol: str, question: bytes, reader: LineReader, seconds: float, *, kept: str = "") -> bytes:
        """Return the answer to a request of one line, within so many seconds. `kept`: the protocol's form for many requests on one stream.

        Raises as `open` does.
        """
        if self._connections.best(peer) is None:
            await self.connect(peer)
        self._acquire(peer)
        try:
            with _translate_errors(peer, (kept, protocol) if kept else (protocol,)):
                return await self._requester.ask(peer, protocol, kept, question, reader, seconds)
        finally:
            self._release(peer)

    async def serve(self, protocol: str, handler: Handler, seconds: float | None = EXCHANGE_SECONDS) -> None:
        """Have `handler` answer the streams others open with this protocol, each within `seconds`; None: for as long as it takes."""
        self._acceptor.serve(protocol, handler, seconds)
        self._identify.changed()

    @property
    def protocols(self) -> tuple[str, ...]:
        """Return the protocols that are served."""
        return self._acceptor.protocols

    # Relays.

    @property
    def relays(self) -> frozenset[str]:
        """Return the peers that are in use as relays; they are no peers to show or to ask."""
        return self._circuits.relays

    async def reserve(self, relay: str, addresses: Sequence[PeerAddress]) -> int:
        """Make a reservation at a relay; return its end (seconds since 1970, by the relay's clock). Raises `UnreachableError`."""
        self._circuits.asked.add(relay)
        try:
            await self.connect(relay, addresses)
            return await self._circuits.reserve(peer_id(relay))
        except FAULTS as fault:
            raise UnreachableError(f"the relay {relay} gives no place: {str(fault) or type(fault).__name__}") from None
        finally:
            self._circuits.asked.discard(relay)

    def leave(self, relay: str) -> None:
        """Stop using a relay, and accept no more circuits from it."""
        self._circuits.leave(relay)

    # Its life.

    async def close(self) -> None:
        """Stop listening and end every connection. Idempotent."""
        if self._closed:
            return
        self._closed = True
        self._listener.close()
        with contextlib.suppress(TimeoutError):
            # A peer that does not read must not delay the end; what is left is abandoned below.
            async with asyncio.timeout(CLOSE_SECONDS):
                await asyncio.gather(*(connection.close() for connection in self._connections.of()))
        for connection in self._connections.of():
            connection.abandon()
        for task in self._beside:
            task.cancel()
        await asyncio.gather(*self._beside, return_exceptions=True)

    async def _start(self, port: int, listen_on: str) -> None:
        self._listener.open(port, listen_on)
        # Identify comes first: a peer that connects at once must be answered, and its answer decides which protocols it is
        # asked for.
        await self._identify.attach()
        await self.serve(PING, answer_pings, None)
        await self._circuits.attach()
        self._soon(self._look())

    async def _look(self) -> None:
        """Release idle kept streams, and ask silent connections for a sign of life, for ever."""
        loop = asyncio.get_running_loop()
        looked = loop.time()
        while True:
            await asyncio.sleep(seconds_to_tick(TIDY_SECONDS))
            due = loop.time() - looked >= PING_SECONDS - TIDY_SECONDS / 2
            looked = loop.time() if due else looked
            for connection in self._connections.of():
                connection.pool.evict_idle()
                if due:
                    connection.muxer.look(looked)

    def _let_go(self, stream: Stream) -> None:
        self._release(stream.peer)
        if not stream.muxed.ended:
            self._soon(stream.linger())

    def _soon(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.get_running_loop().create_task(work)
        self._beside.add(task)
        task.add_done_callback(self._beside.discard)
        return task

    def _acquire(self, peer: str) -> None:
        if self._outgoing[peer] >= OUTGOING_STREAMS_PER_PEER:
            raise PeerBusyError(f"{OUTGOING_STREAMS_PER_PEER} streams to {peer} are open, the most there may be")
        self._outgoing[peer] += 1

    def _release(self, peer: str) -> None:
        self._outgoing[peer] -= 1
        if self._outgoing[peer] <= 0:
            del self._outgoing[peer]


def _connected(connection: Connection) -> Connected:
    return Connected(connection.peer, connection.address, connection.relay, connection.latency_seconds)


class _Dialling(asyncio.Lock):
    """The lock held while a peer is dialled, with the result for those who wait for it."""

    tried: tuple[str, ...] = ()
    others: Mapping[str, str] = MappingProxyType({})
    """Address → who answered there in the peer's place."""


class _translate_errors:  # noqa: N801  (used as a function is; one made of a generator costs a microsecond, in every call)
    """What has to do with a peer; its failures as faults."""

    def __init__(self, peer: str, protocols: Sequence[str] = ()) -> None:
        self._peer = peer
        self._protocols = protocols

    def __enter__(self) -> None: ...

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        if error is not None and (fault := _as_fault(error, self._peer, " or ".join(self._protocols))) is not None:
            raise fault from None


def _as_fault(error: BaseException, peer: str, protocols: str) -> NetworkError | None:
    """Return what it is in our words; None for what is our own word, or a bug."""
    match error:
        case NoProtocolSupportedError():
            return ProtocolNotSupportedError(f"{peer} does not speak {protocols}")
        case RemoteProtocolError():
            return StreamBrokenError(f"{peer} does not keep to the protocol: {error}")
        case MuxedStreamError():
            return StreamBrokenError(f"{peer} ended the exchange before it was done ({protocols})")
        case TimeoutError():
            return StreamBrokenError(f"{peer} is too slow ({protocols})")
        case NotConnectedError():
            return UnreachableError(f"{peer} cannot be reached: the connection is lost")
        case OSError():  # of this machine: no descriptors, no network
            return UnreachableError(f"{peer} cannot be reached from here: {error.strerror or error}")
    return None


def _tried(transports: Sequence[str]) -> str:
    return f" at {', '.join(transports)}" if transports else ": no address of it is known"
