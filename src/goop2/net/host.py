"""The network behind five words: connect, open, serve, peers, close. Everything above it is asyncio and knows neither libp2p nor trio.

Noise and Yamux over TCP, nothing else: whoever is connected has proved the id it has. Own limits stand in limits.py and are kept by
pinned.py; every wait has an end.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from types import MappingProxyType
from typing import Any, cast
from weakref import WeakValueDictionary

import structlog
import trio
from libp2p import new_host
from libp2p.crypto.ed25519 import create_new_key_pair
from libp2p.crypto.x25519 import create_new_key_pair as create_new_noise_key_pair
from libp2p.custom_types import TProtocol
from libp2p.host.basic_host import BasicHost
from libp2p.network.config import ConnectionConfig
from libp2p.network.exceptions import SwarmException
from libp2p.network.swarm import Swarm
from libp2p.security.noise.transport import PROTOCOL_ID as NOISE
from libp2p.security.noise.transport import Transport as NoiseTransport
from libp2p.stream_muxer.exceptions import MuxedStreamError
from libp2p.stream_muxer.yamux.yamux import PROTOCOL_ID as YAMUX
from libp2p.stream_muxer.yamux.yamux import Yamux
from multiaddr import Multiaddr

from goop2.folder.identity import Identity
from goop2.net import pinned
from goop2.net.accepting import Linger, OwnProtocol
from goop2.net.address import PeerAddress, peer_id
from goop2.net.admission import Admission
from goop2.net.asking import NoProtocolSupportedError, NotConnectedError, Requester
from goop2.net.circuits import FAULTS, Circuits
from goop2.net.dialling import AddressBook, dial
from goop2.net.faults import PeerBusyError, PortInUseError, ProtocolNotSupportedError, StreamBrokenError, UnreachableError, WrongPeerError
from goop2.net.guest import Guest, GuestStoppedError
from goop2.net.limits import (
    CLOSE_SECONDS,
    DIAL_SECONDS,
    EXCHANGE_SECONDS,
    HANDSHAKE_SECONDS,
    NEGOTIATE_SECONDS,
    OUTGOING_STREAMS_PER_PEER,
    HostLimits,
)
from goop2.net.muxer import MuxedStream
from goop2.net.stream import Stream
from goop2.protocols.errors import RemoteProtocolError
from goop2.protocols.line import LineReader

Handler = Callable[[Stream], Awaitable[None]]
"""Carries out one exchange another peer began. What it raises resets the stream."""

ALL_ADDRESSES = "0.0.0.0"


@dataclass(frozen=True, slots=True)
class Connected:
    """A peer we are connected to now."""

    peer: str
    address: str
    """`ip:port` of its end, "" when that is not known."""


@contextlib.asynccontextmanager
async def open_host(
    guest: Guest, identity: Identity, port: int = 0, limits: HostLimits | None = None, listen_on: str = ALL_ADDRESSES
) -> AsyncIterator[Host]:
    """A host that listens on `port` (0: any) until the block is left. Raises `PortInUseError`."""
    host = Host(guest, identity, limits or HostLimits())
    await host._start(port, listen_on)
    try:
        yield host
    finally:
        await host.close()


class Host:
    """This peer on the network; made by `open_host`."""

    def __init__(self, guest: Guest, identity: Identity, limits: HostLimits) -> None:
        self.peer_id = identity.peer_id
        self._guest = guest
        self._host = _new_host(identity, limits)
        self._log = structlog.get_logger("goop2.net").bind()
        self.admission = Admission(limits, time.monotonic)
        pinned.settle(self._host, self.admission, self._refused, guest.touch)
        self._swarm = cast(Swarm, self._host.get_network())
        self._asking = Requester(guest, self._swarm, self._soon)
        self._beside: set[asyncio.Task[None]] = set()
        """What runs until it is done, or until the host is closed."""
        self._book = AddressBook()
        self._circuits = Circuits(self._host, self.admission)
        self._dialling: WeakValueDictionary[str, _Dialling] = WeakValueDictionary()
        self._outgoing: Counter[str] = Counter()
        self._listening: trio.Event
        self._done: trio.Event
        self._closed = False

    @property
    def addresses(self) -> tuple[str, ...]:
        """Where it listens, as others can dial it: `/ip4/…/tcp/…/p2p/<our id>`; with ALL_ADDRESSES the address is that, not a real one."""
        return tuple(f"{address}/p2p/{self.peer_id}" for address in map(str, self._host.get_transport_addrs()))

    @property
    def port(self) -> int:
        """Return the TCP port it listens on, 0 when it no longer does."""
        listening = self._host.get_transport_addrs()
        return int(listening[0].value_for_protocol("tcp") or 0) if listening else 0

    def knows(self, addresses: Iterable[PeerAddress]) -> None:
        """Remember where peers are said to be; nothing is dialled."""
        for address in addresses:
            self._book.add(address.peer, [address.transport])

    def forgets(self, address: PeerAddress) -> None:
        """Try this address of a peer no more, unless it is told of again."""
        self._book.drop(address.peer, address.transport)

    def is_connected(self, peer: str) -> bool:
        """Return whether there is a connection to the peer, as far as is known."""
        return bool(self._swarm.get_connections(peer_id(peer)))

    def is_known(self, peer: str) -> bool:
        """Return whether there is a connection to the peer, or an address to try."""
        return bool(self._book.of(peer) or self._swarm.get_connections(peer_id(peer)))

    async def connect(self, peer: str, addresses: Sequence[PeerAddress] = ()) -> None:
        """Make sure there is a connection, trying these addresses and those known before.

        Raises `UnreachableError`, of which `WrongPeerError` is one, and `AddressError`.
        """
        id_ = peer_id(peer)
        self.knows(address for address in addresses if address.peer == peer)
        transports = self._book.of(peer)
        # One dial a peer: who comes meanwhile waits for it, and has its outcome unless there are more addresses to try.
        dialling = self._dialling.setdefault(peer, _Dialling())
        waits = dialling.locked()
        async with dialling:
            if waits and set(transports) <= set(dialling.tried):
                connected = self.is_connected(peer)
            else:
                dialling.tried = transports
                with _in_our_words(peer):
                    connected = await self._guest.call(dial, self._swarm, self._circuits, id_, transports)
                found = {each: self._circuits.others.pop((peer, each), "") for each in transports}
                dialling.others = {transport: other for transport, other in found.items() if other}
            others = dialling.others
        given = [address.transport for address in addresses if address.peer == peer] or transports
        if not connected and given and set(others) >= set(given):
            raise WrongPeerError(f"{peer} cannot be reached{_tried(given)}: another peer is there, {others[given[0]]}; check the id")
        if not connected:
            raise UnreachableError(f"{peer} cannot be reached{_tried(transports)}")

    async def open(self, peer: str, *protocols: str) -> Stream:
        """Return a new stream to a peer, on the first of `protocols` it speaks. Raises `UnreachableError`, `ProtocolNotSupportedError`,
        `PeerBusyError`, `StreamBrokenError`."""
        await self._make_sure(peer)
        self._acquire(peer)
        try:
            with _in_our_words(peer, protocols):
                stream = await self._asking.open(peer, protocols)
        except BaseException:
            self._release(peer)
            raise
        stream.at_end = self._let_go
        return stream

    async def ask(self, peer: str, protocol: str, question: bytes, reader: LineReader, seconds: float, *, kept: str = "") -> bytes:
        """Return the line that answers a line, within so long. `kept`: the protocol's form for many questions on a stream.

        Raises as `open` does.
        """
        await self._make_sure(peer)
        self._acquire(peer)
        try:
            with _in_our_words(peer, (kept, protocol) if kept else (protocol,)):
                return await self._asking.ask(peer, protocol, kept, question, reader, seconds)
        finally:
            self._release(peer)

    async def serve(self, protocol: str, handler: Handler, seconds: float = EXCHANGE_SECONDS) -> None:
        """Have `handler` answer the streams others open with this protocol, each within `seconds`."""

        async def accept(muxed: MuxedStream, unsent: bytes) -> Linger:
            stream = Stream(muxed, str(muxed.muxed_conn.peer_id), protocol, unsent=unsent)
            stream.origin = muxed.origin
            await self._accept(stream, handler, seconds)
            return partial(self._guest.host, stream.linger)

        self._host.set_stream_handler(TProtocol(protocol), OwnProtocol(accept))

    def peers(self) -> tuple[Connected, ...]:
        """Whom we are connected to now, each once."""
        connections = self._swarm.get_connections_map()
        return tuple(Connected(str(peer), _remote(found[0].muxed_conn)) for peer, found in connections.items() if found)

    @property
    def relays(self) -> frozenset[str]:
        """Peers that are used as relays now, and speak for nobody but the network."""
        return self._circuits.relays

    async def reserve(self, relay: str, addresses: Sequence[PeerAddress]) -> int:
        """Be reached through a relay, until the time it says (seconds since 1970, its clock). Raises `UnreachableError`."""
        self._circuits.asked.add(relay)
        try:
            await self.connect(relay, addresses)
            return await self._guest.call(self._circuits.reserve, peer_id(relay))
        except (*FAULTS, GuestStoppedError) as fault:
            raise UnreachableError(f"the relay {relay} gives no place: {str(fault) or type(fault).__name__}") from None
        finally:
            self._circuits.asked.discard(relay)

    def leave(self, relay: str) -> None:
        """Not be reached through it any more."""
        self._circuits.leave(relay)

    async def disconnect(self, peer: str) -> None:
        """End the connections to a peer, if there are any."""
        with contextlib.suppress(GuestStoppedError):
            await self._guest.call(self._host.disconnect, peer_id(peer))

    async def close(self) -> None:
        """Stop listening and end every connection; a second time does nothing."""
        if self._closed:
            return
        self._closed = True
        with contextlib.suppress(GuestStoppedError):
            await self._guest.call(self._close)
        for task in self._beside:
            task.cancel()
        await asyncio.gather(*self._beside, return_exceptions=True)

    async def _start(self, port: int, listen_on: str) -> None:
        pinned.quiet()
        self._listening, self._done = trio.Event(), trio.Event()
        self._stop = trio.Event()
        self._circuits.attach()
        self._guest.start_soon(self._run, Multiaddr(f"/ip4/{listen_on}/tcp/{port}"))
        await self._guest.call(self._listening.wait)
        if not self._host.get_transport_addrs():
            raise PortInUseError(f"port {port} is taken or not allowed: set p2p.listen_port to another one, or to 0 for any free one")
        self._soon(self._asking.evict_idle())

    async def _run(self, address: Multiaddr) -> None:
        try:
            async with self._host.run([address]):
                self._listening.set()
                try:
                    await self._stop.wait()
                finally:
                    # Left to itself the library is cancelled while it closes, and connections stay open on both sides.
                    with trio.CancelScope(shield=True, deadline=trio.current_time() + CLOSE_SECONDS):
                        await self._close_connections()
                        await self._host.close()
        finally:
            self._done.set()

    async def _close_connections(self) -> None:
        """All at once: each takes the library a fifth of a second."""
        async with trio.open_nursery() as nursery:
            for connection in self._swarm.get_connections():
                nursery.start_soon(connection.close)

    async def _close(self) -> None:
        self._stop.set()
        await self._done.wait()

    async def _make_sure(self, peer: str) -> None:
        if not self._swarm.get_connections(peer_id(peer)):
            await self.connect(peer)

    async def _accept(self, stream: Stream, handler: Handler, seconds: float) -> None:
        stream.another = partial(self.admission.request, stream.peer, stream.origin)
        try:
            with trio.fail_after(seconds):
                await self._guest.host(_exchange, stream, handler)
        except Exception as error:
            self._log.info("exchange failed", peer=stream.peer, protocol=stream.protocol, why=str(error) or type(error).__name__)
            stream.reset()
        except BaseException:
            stream.reset()
            raise

    def _let_go(self, stream: Stream) -> None:
        self._release(stream.peer)
        if not stream.muxed.ended:
            self._soon(stream.linger())

    def _soon(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._beside.add(task)
        task.add_done_callback(self._beside.discard)

    def _acquire(self, peer: str) -> None:
        if self._outgoing[peer] >= OUTGOING_STREAMS_PER_PEER:
            raise PeerBusyError(f"{OUTGOING_STREAMS_PER_PEER} streams to {peer} are open, the most there may be")
        self._outgoing[peer] += 1

    def _release(self, peer: str) -> None:
        self._outgoing[peer] -= 1
        if self._outgoing[peer] <= 0:
            del self._outgoing[peer]

    def _refused(self, why: str) -> None:
        self._log.debug("refused", why=why)


class _Dialling(asyncio.Lock):
    """Held while a peer is dialled."""

    tried: tuple[str, ...] = ()
    others: Mapping[str, str] = MappingProxyType({})
    """Address → who answered there in the peer's place."""


@contextlib.contextmanager
def _in_our_words(peer: str, protocols: Sequence[str] = ()) -> Iterator[None]:
    """What has to do with a peer; its failures as faults."""
    try:
        yield
    except NoProtocolSupportedError:
        raise ProtocolNotSupportedError(f"{peer} does not speak {' or '.join(protocols)}") from None
    except RemoteProtocolError as fault:
        raise StreamBrokenError(f"{peer} does not keep to the protocol: {fault}") from None
    except MuxedStreamError:
        raise StreamBrokenError(f"{peer} ended the exchange before it was done ({' or '.join(protocols)})") from None
    except (trio.TooSlowError, TimeoutError):
        raise StreamBrokenError(f"{peer} is too slow ({' or '.join(protocols)})") from None
    except (SwarmException, NotConnectedError, GuestStoppedError):
        raise UnreachableError(f"{peer} cannot be reached: the connection is lost") from None
    except OSError as error:  # of this machine: no descriptors, no network
        raise UnreachableError(f"{peer} cannot be reached from here: {error.strerror or error}") from None


async def _exchange(stream: Stream, handler: Handler) -> None:
    await handler(stream)


def _new_host(identity: Identity, limits: HostLimits) -> BasicHost:
    keys = create_new_key_pair(identity.seed)
    config = ConnectionConfig(
        max_connections=limits.connections * 2,
        min_connections=0,
        low_watermark=0,
        high_watermark=limits.connections * 2,
        max_connections_per_peer=limits.connections_per_peer,
        dial_timeout=DIAL_SECONDS,
        inbound_upgrade_timeout=HANDSHAKE_SECONDS,
        outbound_upgrade_timeout=HANDSHAKE_SECONDS,
        outbound_stream_protocol_negotiation_timeout=NEGOTIATE_SECONDS,
        inbound_stream_protocol_negotiation_timeout=NEGOTIATE_SECONDS,
    )
    host = new_host(
        key_pair=keys,
        sec_opt={NOISE: NoiseTransport(keys, noise_privkey=create_new_noise_key_pair().private_key)},
        muxer_opt={TProtocol(YAMUX): Yamux},
        connection_config=config,
        disable_identify_address_discovery=True,
    )
    assert isinstance(host, BasicHost)
    if str(host.get_id()) != identity.peer_id:
        raise RuntimeError(f"libp2p calls this peer {host.get_id()}, identity.key calls it {identity.peer_id}")
    return host


def _remote(muxed: object) -> str:
    address = muxed.get_remote_address() if hasattr(muxed, "get_remote_address") else None
    return f"{address[0]}:{address[1]}" if address else ""


def _tried(transports: Sequence[str]) -> str:
    return f" at {', '.join(transports)}" if transports else ": no address of it is known"
