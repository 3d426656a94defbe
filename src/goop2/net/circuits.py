"""Connections through a relay: a stream to it that carries another connection, Noise and Yamux anew from end to end. Trio side.

    we call       a HOP stream to the relay, CONNECT; then it is a connection we dialled, and the id at its end is proved
    we are called a STOP stream from a relay that has given us a place; then it is a connection somebody made to us

The library's own relay keeps circuits in one table by peer, so that a second takes the first one's end; its messages are used and nothing
else of it. A relay can drop or delay what it carries, and knows who talks to whom; it reads and changes nothing.
"""

from __future__ import annotations

import contextlib
from collections import Counter
from typing import Any, Final, cast

import structlog
import trio
from libp2p.connection_types import ConnectionType
from libp2p.custom_types import TProtocol
from libp2p.host.basic_host import BasicHost
from libp2p.host.exceptions import StreamFailure
from libp2p.io.abc import ReadWriteCloser
from libp2p.network.connection.raw_connection import RawConnection
from libp2p.network.exceptions import SwarmException
from libp2p.network.stream.exceptions import StreamError, StreamReset
from libp2p.network.stream.net_stream import NetStream
from libp2p.peer.id import ID
from libp2p.stream_muxer.exceptions import MuxedStreamError
from multiaddr import Multiaddr

from goop2.net.address import CIRCUIT, peer_id
from goop2.net.admission import Admission, AdmissionError
from goop2.net.limits import (
    CIRCUITS_PER_RELAY,
    CLOSE_SECONDS,
    HANDSHAKE_SECONDS,
    NEGOTIATE_SECONDS,
    READ_MAX_BYTES,
    RELAY_ANSWER_SECONDS,
    WRITE_SECONDS,
)
from goop2.protocols import circuit
from goop2.protocols.errors import RemoteProtocolError

FAULTS: Final = (
    SwarmException,
    StreamFailure,
    StreamError,
    MuxedStreamError,
    RemoteProtocolError,
    AdmissionError,
    trio.TooSlowError,
    ValueError,
)
"""All in which an attempt may end that is nobody's bug here."""


class Circuits:
    """The circuits of one host, through relays."""

    def __init__(self, host: BasicHost, admission: Admission) -> None:
        self._host = host
        self._swarm: Any = host.get_network()
        self._admission = admission
        self._called: Counter[ID] = Counter()
        self._places: set[str] = set()
        self.asked: set[str] = set()
        """Who is being asked for a place."""
        self.others: dict[tuple[str, str], str] = {}
        """Peer and address that were dialled → who answered there instead; taken out by whoever dialled."""
        self._log = structlog.get_logger("goop2.net").bind()

    @property
    def relays(self) -> frozenset[str]:
        """Return the ids of the relays that are used now."""
        return frozenset((*self._places, *self.asked, *map(str, self._called)))

    def attach(self) -> None:
        """Take the circuits relays bring."""
        self._host.set_stream_handler(TProtocol(circuit.STOP), cast(Any, self._brought))

    async def reserve(self, relay: ID) -> int:
        """Have a place at a connected relay; until when, by its clock. Raises one of FAULTS."""
        try:
            stream = await self._open(relay)
            try:
                until = circuit.reserved((await asked(stream, circuit.reserve()))[0])
            finally:
                await reset(stream)
        except BaseException:
            self._places.discard(str(relay))
            raise
        self._places.add(str(relay))
        return until

    def leave(self, relay: str) -> None:
        """Take no more circuits from this relay."""
        self._places.discard(relay)

    async def dial(self, peer: ID, transport: str) -> None:
        """A connection to a peer through the relay of an address. Raises one of FAULTS."""
        way, _, rest = transport.partition("/p2p/")
        relay = peer_id(rest.removesuffix(CIRCUIT))
        if peer in (relay, self._host.get_id()) or relay == self._host.get_id():
            raise ValueError("nobody is reached through itself")
        if self._called[relay] >= CIRCUITS_PER_RELAY:
            raise RemoteProtocolError(f"{CIRCUITS_PER_RELAY} circuits through {relay} are open, the most there may be")
        with contextlib.ExitStack() as place:
            self._called[relay] += 1
            place.callback(self._release, relay)
            await self._dial(peer, relay, way)
            # The connection's end gives it back.
            place.pop_all()

    async def _dial(self, peer: ID, relay: ID, way: str) -> None:
        if not self._swarm.get_connections(relay):
            await self._swarm.dial_addr(Multiaddr(way), relay)
        stream = await self._open(relay)
        try:
            answer, rest = await asked(stream, circuit.connect(peer.to_bytes()))
            circuit.connected(answer)
            raw = RawConnection(_Carried(stream, rest), True, ConnectionType.RELAYED, [_address(relay, peer)])
            with trio.fail_after(2 * HANDSHAKE_SECONDS):
                connection = await self._swarm.upgrade_outbound_raw_conn(raw, peer)
            self._swarm.manager.run_task(self._to_its_end, connection.muxed_conn, stream, relay)
        except BaseException:
            await reset(stream)
            raise

    async def _to_its_end(self, muxed: Any, stream: NetStream, relay: ID) -> None:
        """The library leaves the bottom of a connection open that the other side has ended."""
        try:
            await muxed.event_closed.wait()
        finally:
            self._release(relay)
            await reset(stream)

    async def _brought(self, stream: NetStream) -> None:
        """To the end of the connection: so long it counts among the streams of the relay."""
        relay = stream.muxed_conn.peer_id
        try:
            with trio.fail_after(RELAY_ANSWER_SECONDS):
                message, rest = await read_message(stream)
            claimed = circuit.brought(message)
            if str(relay) not in self._places:
                await write(stream, circuit.take(circuit.PERMISSION_DENIED))
                await stream.close_write()
                raise AdmissionError(f"{relay} brings a circuit, and gave us no place")
            # One relay is one address: those who come through it share what one may have.
            with self._admission.connection(f"{CIRCUIT}/{relay}"):
                await write(stream, circuit.take())
                address = _address(relay, ID(claimed.peer))
                raw = RawConnection(_Carried(stream, rest), False, ConnectionType.RELAYED, [address])
                muxed = await self._swarm.upgrade_inbound_raw_conn(raw, address)
                await muxed.event_closed.wait()
        except Exception as error:  # the library's are many, and none is to reach it again
            self._log.info("a circuit ended", relay=str(relay), why=str(error) or type(error).__name__)
        finally:
            await reset(stream)

    async def _open(self, relay: ID) -> NetStream:
        with trio.fail_after(NEGOTIATE_SECONDS):
            return cast(NetStream, await self._host.new_stream(relay, [TProtocol(circuit.HOP)]))

    def _release(self, relay: ID) -> None:
        self._called[relay] -= 1
        if self._called[relay] <= 0:
            del self._called[relay]


class _Carried(ReadWriteCloser):
    """A stream as a connection's raw bytes."""

    def __init__(self, stream: NetStream, rest: bytes) -> None:
        self._stream = stream
        self._rest = rest

    async def read(self, n: int | None = None) -> bytes:
        if self._rest:
            piece = self._rest[:n]
            self._rest = self._rest[len(piece) :]
            return piece
        return await self._stream.read(n)

    async def write(self, data: bytes) -> None:
        await write(self._stream, data)

    async def close(self) -> None:
        await reset(self._stream)

    def get_remote_address(self) -> tuple[str, int] | None:
        return None


async def asked(stream: NetStream, message: bytes) -> tuple[bytes, bytes]:
    """Write a message and read the answer; gives it and what came after it."""
    with trio.fail_after(RELAY_ANSWER_SECONDS):
        await write(stream, message)
        return await read_message(stream)


async def read_message(stream: NetStream) -> tuple[bytes, bytes]:
    """Return a message and what came after it. Raises `RemoteProtocolError` and the stream's errors; its time is the caller's affair."""
    reader = circuit.MessageReader()
    while True:
        piece = await stream.read(READ_MAX_BYTES)
        if not piece:
            reader.end()
        message = reader.receive(piece)
        if message is not None:
            return message, reader.rest()


async def write(stream: NetStream, data: bytes) -> None:
    """All of it, as fast as the other side takes it; TooSlowError when that is not at all."""
    muxed: Any = stream.muxed_stream
    try:
        await muxed.write_all(data, WRITE_SECONDS)
    except MuxedStreamError as error:
        raise StreamReset from error


async def reset(stream: NetStream) -> None:
    """End it now, whatever happens to us."""
    with trio.CancelScope(shield=True, deadline=trio.current_time() + CLOSE_SECONDS), contextlib.suppress(Exception):  # in any of its ways
        await stream.reset()


def _address(relay: ID, peer: ID) -> Multiaddr:
    return Multiaddr(f"/p2p/{relay}{CIRCUIT}/p2p/{peer}")
