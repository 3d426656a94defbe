"""A relay (circuit relay v2): peers that cannot be dialled keep a place here, and others reach them through it. Trio side.

Bytes go from one stream to the other as they come, a piece at a time: who reads slowly is waited for, and nothing is held for it
but what its window lets the other side send. What is carried is another connection's Noise, which this machine cannot read.
reservations.py has the bounds.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import AsyncIterator, Callable
from typing import Any, Final, cast

import structlog
import trio
from libp2p.custom_types import TProtocol
from libp2p.host.exceptions import StreamFailure
from libp2p.network.stream.exceptions import StreamEOF
from libp2p.network.stream.net_stream import NetStream
from libp2p.peer.id import ID

from goop2.net.circuits import FAULTS, asked, read_message, reset, write
from goop2.net.guest import Guest, GuestStoppedError
from goop2.net.host import Host
from goop2.net.limits import NEGOTIATE_SECONDS, READ_MAX_BYTES, RELAY_ANSWER_SECONDS
from goop2.net.reservations import RelayLimits, RelayReservations
from goop2.protocols import circuit
from goop2.protocols.circuit import Connect, RelayRefusedError
from goop2.protocols.errors import RemoteProtocolError
from goop2.protocols.source_network import network_of

CLEANUP_SECONDS: Final = 5.0
"""How soon a place is free whose peer is gone."""

Addresses = Callable[[], list[str]]
"""Where the relay can be dialled now: `/ip4/…/tcp/…/p2p/<its id>`."""


class Relay:
    """Answers HOP streams; made by `open_relay`."""

    def __init__(self, host: Host, addresses: Addresses, limits: RelayLimits) -> None:
        self.reservations = RelayReservations(limits, time.monotonic)
        self._host = host
        self._addresses = addresses
        self._log = structlog.get_logger("goop2.net").bind()
        self._stop = trio.CancelScope()

    async def _attach(self) -> None:
        self._host._host.set_stream_handler(TProtocol(circuit.HOP), cast(Any, self._hop))

    async def _sweep(self) -> None:
        with self._stop:
            while True:
                await trio.sleep(CLEANUP_SECONDS)
                for peer in self.reservations.peers():
                    if not self._host.is_connected(peer):
                        self.reservations.drop(peer)

    async def _end(self) -> None:
        self._stop.cancel()

    async def _hop(self, stream: NetStream) -> None:
        peer = stream.muxed_conn.peer_id
        try:
            try:
                with trio.fail_after(RELAY_ANSWER_SECONDS):
                    message, rest = await read_message(stream)
                wanted = circuit.hop_asked(message)
                if isinstance(wanted, Connect):
                    await self._connect(stream, peer, wanted, rest)
                else:
                    await self._reserve(stream)
            except RelayRefusedError as refusal:
                await write(stream, circuit.hop_refusal(refusal.status))
                await stream.close_write()
            except RemoteProtocolError:
                await write(stream, circuit.hop_refusal(circuit.MALFORMED))
                await stream.close_write()
        except Exception as error:  # the library's are many, and none is to reach it again
            self._log.debug("a relay's exchange ended", peer=str(peer), why=str(error) or type(error).__name__)
        finally:
            ours: Any = stream.muxed_stream
            await ours.linger(RELAY_ANSWER_SECONDS)

    async def _reserve(self, stream: NetStream) -> None:
        seconds = self.reservations.reserve(str(stream.muxed_conn.peer_id), _address(stream))
        await write(stream, circuit.give_place(int(time.time() + seconds), self._addresses()))
        await stream.close_write()

    async def _connect(self, stream: NetStream, source: ID, wanted: Connect, rest: bytes) -> None:
        target = ID(wanted.peer)
        limits = self.reservations.limits
        seconds, most = int(limits.circuit_seconds), limits.circuit_bytes
        with self.reservations.circuit(str(source), str(target), _address(stream)):
            other, first_back = await self._bring(source, target, seconds, most)
            try:
                await write(stream, circuit.give_circuit(seconds, most))
                with trio.move_on_after(seconds):
                    await _Carrying(most).both_ways(stream, rest, other, first_back)
            finally:
                await reset(stream)
                await reset(other)

    async def _bring(self, source: ID, target: ID, seconds: int, most: int) -> tuple[NetStream, bytes]:
        """Return the target's end of a circuit, once it has taken it, and what it has said already. Raises `RelayRefusedError`."""
        if not self._host.is_connected(str(target)):
            self.reservations.drop(str(target))
            raise RelayRefusedError(circuit.NO_RESERVATION)
        try:
            with trio.fail_after(NEGOTIATE_SECONDS):
                other = cast(NetStream, await self._host._host.new_stream(target, [TProtocol(circuit.STOP)]))
        except (*FAULTS, StreamFailure):
            raise RelayRefusedError(circuit.FAILED) from None
        try:
            answer, rest = await asked(other, circuit.bring(source.to_bytes(), seconds, most))
            circuit.taken(answer)
        except BaseException as error:
            await reset(other)
            if isinstance(error, FAULTS):
                raise RelayRefusedError(circuit.FAILED) from None
            raise
        return other, rest


class _Carrying:
    """Moves a circuit's bytes until both sides have ended, one of them breaks off, or too many have come."""

    def __init__(self, most: int) -> None:
        self._left = most

    async def both_ways(self, one: NetStream, first: bytes, other: NetStream, first_back: bytes) -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._one_way, one, first, other, nursery.cancel_scope)
            nursery.start_soon(self._one_way, other, first_back, one, nursery.cancel_scope)

    async def _one_way(self, source: NetStream, first: bytes, target: NetStream, circuit_scope: trio.CancelScope) -> None:
        try:
            await self._carry(source, first, target)
        except FAULTS:
            circuit_scope.cancel()

    async def _carry(self, source: NetStream, piece: bytes, target: NetStream) -> None:
        while True:
            self._left -= len(piece)
            if self._left < 0:
                raise RemoteProtocolError("the circuit has carried all it may")
            await write(target, piece)
            try:
                piece = await source.read(READ_MAX_BYTES)
            except StreamEOF:
                await target.close_write()
                return


@contextlib.asynccontextmanager
async def open_relay(guest: Guest, host: Host, addresses: Addresses, limits: RelayLimits | None = None) -> AsyncIterator[Relay]:
    """Be a relay until the block is left; circuits end with the host."""
    relay = Relay(host, addresses, limits or RelayLimits())
    await guest.call(relay._attach)
    guest.start_soon(relay._sweep)
    try:
        yield relay
    finally:
        with contextlib.suppress(GuestStoppedError):
            await guest.call(relay._end)


def _address(stream: NetStream) -> str:
    """Return the network of the connection's other end."""
    address = stream.get_remote_address()
    return network_of(address[0]) if address else ""
