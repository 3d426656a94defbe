"""A relay (circuit relay v2): peers that cannot be dialled reserve a place here, and others reach them through it.

Bytes go from one stream to the other as they come, a piece at a time. For a slow reader the sender waits, and no more is held than its
window allows. The relayed bytes are another connection's Noise, which this machine cannot read. The limits are in reservations.py.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable
from typing import Final

import structlog

from goop2.net.circuits import asked, drop, is_connected_directly, read_message
from goop2.net.dialling import FAULTS
from goop2.net.host import Host
from goop2.net.limits import NEGOTIATE_SECONDS, RELAY_ANSWER_SECONDS
from goop2.net.reservations import RelayLimits, RelayReservations
from goop2.net.stream import Stream
from goop2.protocols import circuit, peer_ids
from goop2.protocols.circuit import Connect, RelayRefusedError
from goop2.protocols.errors import RemoteProtocolError

CLEANUP_SECONDS: Final = 5.0
"""How soon a place is free whose peer is gone."""

Addresses = Callable[[], list[str]]
"""Where the relay can be dialled now: `/ip4/…/tcp/…/p2p/<its id>`."""


class Relay:
    """Answers HOP streams. Made by `open_relay`."""

    def __init__(self, host: Host, addresses: Addresses, limits: RelayLimits) -> None:
        self.reservations = RelayReservations(limits, time.monotonic)
        self._host = host
        self._addresses = addresses
        self._log = structlog.get_logger("goop2.net").bind()

    async def _sweep(self) -> None:
        while True:
            await asyncio.sleep(CLEANUP_SECONDS)
            for peer in self.reservations.peers():
                if not is_connected_directly(self._host, peer):
                    self.reservations.drop(peer)

    async def _hop(self, stream: Stream) -> None:
        try:
            message, rest = await read_message(stream, RELAY_ANSWER_SECONDS)
            wanted = circuit.hop_asked(message)
            if isinstance(wanted, Connect):
                await self._connect(stream, wanted, rest)
            else:
                await self._reserve(stream)
        except RelayRefusedError as refusal:
            await self._refuse(stream, refusal.status)
        except RemoteProtocolError:
            await self._refuse(stream, circuit.MALFORMED)
        except FAULTS as error:
            self._log.debug("a relay's exchange ended", peer=stream.peer, why=str(error) or type(error).__name__)
            stream.reset()

    async def _refuse(self, stream: Stream, status: int) -> None:
        with contextlib.suppress(*FAULTS):  # who has gone misses nothing
            await stream.finish(circuit.hop_refusal(status))

    async def _reserve(self, stream: Stream) -> None:
        # A reservation through another relay would make chains, and nobody could dial such a peer.
        if stream.connection.is_relayed:
            raise RelayRefusedError(circuit.PERMISSION_DENIED)
        seconds = self.reservations.reserve(stream.peer, stream.origin)
        await stream.finish(circuit.give_place(int(time.time() + seconds), self._addresses()))

    async def _connect(self, stream: Stream, wanted: Connect, rest: bytes) -> None:
        source, target = stream.peer, peer_ids.from_bytes(wanted.peer)
        limits = self.reservations.limits
        seconds, most = int(limits.circuit_seconds), limits.circuit_bytes
        with self.reservations.circuit(source, target, stream.origin):
            other, first_back = await self._bring(source, target, seconds, most)
            try:
                await stream.write(circuit.give_circuit(seconds, most))
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(seconds):
                        await _Carrying(most).both_ways(stream, rest, other, first_back)
            finally:
                stream.reset()
                drop(other)

    async def _bring(self, source: str, target: str, seconds: int, most: int) -> tuple[Stream, bytes]:
        """Return the target's stream of a circuit, once it has accepted, and the bytes it has sent already. Raises `RelayRefusedError`."""
        # A reservation is only as good as its connection; the peer may have left without a word.
        if not is_connected_directly(self._host, target):
            self.reservations.drop(target)
            raise RelayRefusedError(circuit.NO_RESERVATION)
        try:
            async with asyncio.timeout(NEGOTIATE_SECONDS):
                other = await self._host.open(target, circuit.STOP, relayed=False)
        except FAULTS:
            raise RelayRefusedError(circuit.FAILED) from None
        try:
            answer, rest = await asked(other, circuit.bring(peer_ids.to_bytes(source), seconds, most))
            circuit.taken(answer)
        except BaseException as error:
            drop(other)
            if isinstance(error, FAULTS):
                raise RelayRefusedError(circuit.FAILED) from None
            raise
        return other, rest


class _Carrying:
    """Moves a circuit's bytes until both sides have ended, one of them breaks off, or the limit is reached."""

    def __init__(self, most: int) -> None:
        self._left = most

    async def both_ways(self, one: Stream, first: bytes, other: Stream, first_back: bytes) -> None:
        ways = [asyncio.create_task(self._carry(one, first, other)), asyncio.create_task(self._carry(other, first_back, one))]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_EXCEPTION)
        finally:
            for way in ways:
                way.cancel()
            ended = await asyncio.gather(*ways, return_exceptions=True)
        for error in ended:
            if isinstance(error, Exception) and not isinstance(error, FAULTS):
                raise error

    async def _carry(self, source: Stream, piece: bytes, target: Stream) -> None:
        while True:
            self._left -= len(piece)
            # Both directions share one budget.
            if self._left < 0:
                raise RemoteProtocolError("the circuit has carried all it may")
            if piece:
                await target.write(piece)
            piece = await source.read(None)
            if not piece:
                # Only this direction is over; the other side may still answer.
                await target.finish()
                return


@contextlib.asynccontextmanager
async def open_relay(host: Host, addresses: Addresses, limits: RelayLimits | None = None) -> AsyncIterator[Relay]:
    """Be a relay until the block is left; circuits end with the host."""
    relay = Relay(host, addresses, limits or RelayLimits())
    await host.serve(circuit.HOP, relay._hop, None)
    sweeping = asyncio.create_task(relay._sweep())
    try:
        yield relay
    finally:
        sweeping.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await sweeping
