"""Connections through a relay: a stream to the relay carries another connection, with Noise and Yamux of its own from end to end.

    we dial        we open a HOP stream to the relay and send CONNECT; then it is a connection we dialled, and its peer's id is proved
    we are dialled a relay at which we have a reservation opens a STOP stream; then it is a connection somebody made to us

A relay can drop or delay what it carries, and learns who talks to whom. It can read and change nothing.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from typing import TYPE_CHECKING
from weakref import WeakValueDictionary

import structlog

from goop2.net.address import CIRCUIT, peer_id
from goop2.net.connection import Connection
from goop2.net.dialling import FAULTS
from goop2.net.limits import CIRCUITS_PER_RELAY, RELAY_ANSWER_SECONDS
from goop2.net.stream import Stream
from goop2.net.transport import StreamTransport
from goop2.protocols import circuit, peer_ids
from goop2.protocols.errors import RemoteProtocolError

if TYPE_CHECKING:
    from goop2.net.host import Host


class Circuits:
    """The circuits of one host, through relays."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self._called: Counter[str] = Counter()
        self._places: set[str] = set()
        self._dialling: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        """Held while a relay is dialled: several who want it wait for one connection."""
        self._ends: set[asyncio.Task[None]] = set()
        """Each waits for the end of a circuit we called."""
        self.asked: set[str] = set()
        """Who is being asked for a place."""
        self._log = structlog.get_logger("goop2.net").bind()

    @property
    def relays(self) -> frozenset[str]:
        """Return the ids of the relays that are in use."""
        return frozenset((*self._places, *self.asked, *self._called))

    async def attach(self) -> None:
        """Accept the circuits that relays bring."""
        await self._host.serve(circuit.STOP, self._brought, None)

    async def reserve(self, relay: str) -> int:
        """Make a reservation at a connected relay; return its end by the relay's clock. Raises one of `dialling.FAULTS`."""
        try:
            stream = await self._host.open(relay, circuit.HOP, relayed=False)
            try:
                until = circuit.reserved((await asked(stream, circuit.reserve()))[0])
            finally:
                drop(stream)
        except BaseException:
            self._places.discard(relay)
            raise
        self._places.add(relay)
        return until

    def leave(self, relay: str) -> None:
        """Accept no more circuits from this relay."""
        self._places.discard(relay)

    async def dial(self, peer: str, transport: str) -> Connection:
        """Return a connection to a peer through the relay of an address. Raises one of `dialling.FAULTS`."""
        way, _, rest = transport.partition("/p2p/")
        relay = peer_id(rest.removesuffix(CIRCUIT))
        if peer in (relay, self._host.peer_id) or relay == self._host.peer_id:
            raise ValueError("nobody is reached through itself")
        if self._called[relay] >= CIRCUITS_PER_RELAY:
            raise RemoteProtocolError(f"{CIRCUITS_PER_RELAY} circuits through {relay} are open, the most there may be")
        with contextlib.ExitStack() as place:
            self._called[relay] += 1
            place.callback(self._release, relay)
            connection = await self._dial(peer, relay, way)
            # The connection's end gives it back.
            place.pop_all()
        return connection

    async def _dial(self, peer: str, relay: str, way: str) -> Connection:
        # Not by host.connect: that may go through other relays, and in circles.
        dialling = self._dialling.setdefault(relay, asyncio.Lock())
        async with dialling:
            if not is_connected_directly(self._host, relay):
                await self._host.dial_address(relay, way)
        stream = await self._host.open(relay, circuit.HOP, relayed=False)
        try:
            answer, rest = await asked(stream, circuit.connect(peer_ids.to_bytes(peer)))
            circuit.connected(answer)
            connection = await self._upgrade(stream, rest, relay, opened_by_us=True, expected=peer)
        except BaseException:
            drop(stream)
            raise
        end = asyncio.create_task(self._to_its_end(connection, stream, relay))
        self._ends.add(end)
        end.add_done_callback(self._ends.discard)
        return connection

    async def _to_its_end(self, connection: Connection, stream: Stream, relay: str) -> None:
        try:
            await connection.closed.wait()
        finally:
            self._release(relay)
            drop(stream)

    async def _brought(self, stream: Stream) -> None:
        """Serve a circuit to the end of its connection; until then it counts among the streams of the relay."""
        relay = stream.peer
        try:
            message, rest = await read_message(stream, RELAY_ANSWER_SECONDS)
            circuit.brought(message)
            # Only relays that we asked for a place may bring calls. Otherwise any peer could hide callers behind its own address.
            if relay not in self._places:
                await stream.finish(circuit.take(circuit.PERMISSION_DENIED))
                self._log.info("a circuit was refused", relay=relay, why="it brings a circuit, and gave us no place")
                return
            # One relay is one address: those who come through it share what one may have.
            with self._host.admission.connection(f"{CIRCUIT}/{relay}"):
                # After the admission: with OK sent, the caller begins its handshake, which takes a place.
                await stream.write(circuit.take())
                connection = await self._upgrade(stream, rest, relay, opened_by_us=False)
                await connection.closed.wait()
        except FAULTS as error:
            self._log.info("a circuit ended", relay=relay, why=str(error) or type(error).__name__)
            stream.reset()
        except BaseException:
            stream.reset()
            raise

    async def _upgrade(self, stream: Stream, rest: bytes, relay: str, *, opened_by_us: bool, expected: str = "") -> Connection:
        return await self._host.upgrade(
            StreamTransport(stream, rest),
            opened_by_us=opened_by_us,
            expected=expected,
            remote=f"/p2p/{relay}{CIRCUIT}",
            origin=f"{CIRCUIT}/{relay}",
            is_relayed=True,
        )

    def _release(self, relay: str) -> None:
        self._called[relay] -= 1
        if self._called[relay] <= 0:
            del self._called[relay]


def is_connected_directly(host: Host, peer: str) -> bool:
    """Return whether there is a connection to a peer that uses no relay."""
    return any(connection.is_open and not connection.is_relayed for connection in host.connections(peer))


async def asked(stream: Stream, message: bytes) -> tuple[bytes, bytes]:
    """Write a message and read the answer; return it and the bytes after it. Raises one of `dialling.FAULTS`."""
    await stream.write(message)
    return await read_message(stream, RELAY_ANSWER_SECONDS)


async def read_message(stream: Stream, seconds: float) -> tuple[bytes, bytes]:
    """Return a message that arrives whole within so many seconds, and the bytes after it. Raises one of `dialling.FAULTS`."""
    reader = circuit.MessageReader()
    async with asyncio.timeout(seconds):
        while True:
            piece = await stream.read(None)
            if not piece:
                reader.end()
            message = reader.receive(piece)
            if message is not None:
                return message, reader.rest()


def drop(stream: Stream) -> None:
    """Reset a stream we opened, and free its place."""
    stream.reset()
    stream.at_end(stream)
