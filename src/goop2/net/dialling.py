"""Find a way to a peer: try all its addresses, each with a small head start before the next; the first that works wins (RFC 8305).

Addresses through a relay are tried after the direct ones have had their time.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Final

import structlog

from goop2.net.address import CIRCUIT
from goop2.net.admission import AdmissionError
from goop2.net.connection import Connection
from goop2.net.faults import NetworkError
from goop2.net.limits import ADDRESSES_MAX, CIRCUIT_HEAD_START_SECONDS, CIRCUITS_TRIED, DIAL_SECONDS, FORGETTING_AT_KEYS, HEAD_START_SECONDS
from goop2.net.muxer import MuxedStreamError
from goop2.net.noise_handshake import OtherPeerError
from goop2.protocols.errors import RemoteProtocolError

_log: structlog.typing.FilteringBoundLogger = structlog.get_logger("goop2.net")

Dial = Callable[[str, str], Awaitable[Connection]]
"""Makes a connection to a peer at an address; raises one of FAULTS."""


FAULTS: Final = (NetworkError, RemoteProtocolError, MuxedStreamError, AdmissionError, TimeoutError, OSError, EOFError, ValueError)
"""All in which an attempt may end that is nobody's bug here."""


class AddressBook:
    """Addresses that peers are said to have, the newest first. It is bounded, since strangers name many."""

    def __init__(self) -> None:
        self._transports: OrderedDict[str, list[str]] = OrderedDict()

    def add(self, peer: str, transports: Iterable[str]) -> None:
        known = self._transports.pop(peer, [])
        self._transports[peer] = list(dict.fromkeys([*transports, *known]))[:ADDRESSES_MAX]
        if len(self._transports) > FORGETTING_AT_KEYS:
            self._transports.popitem(last=False)

    def drop(self, peer: str, transport: str) -> None:
        """Remove one address; a peer without any is removed too."""
        left = [each for each in self._transports.get(peer, ()) if each != transport]
        if left:
            self._transports[peer] = left
        else:
            self._transports.pop(peer, None)

    def of(self, peer: str) -> tuple[str, ...]:
        """Return the addresses of a peer, `/ip4/192.0.2.7/tcp/4001`, the most promising first."""
        return tuple(self._transports.get(peer, ()))


class Dialling:
    """One search for a way to a peer. `directly` dials a direct address, `through_relay` one that leads through a relay."""

    def __init__(self, peer: str, directly: Dial, through_relay: Dial) -> None:
        self._peer = peer
        self._directly = directly
        self._through_relay = through_relay
        self._found: asyncio.Future[Connection]
        self._tasks: set[asyncio.Task[None]] = set()
        self.others: dict[str, str] = {}
        """Address → who answered there in the peer's place."""

    async def run(self, transports: Sequence[str]) -> Connection | None:
        """Return a connection within DIAL_SECONDS, and as long again through a relay after its wait; None when there is no way."""
        direct = [transport for transport in transports if not transport.endswith(CIRCUIT)]
        through = [transport for transport in transports if transport.endswith(CIRCUIT)][:CIRCUITS_TRIED]
        self._found = asyncio.get_running_loop().create_future()
        everything = asyncio.create_task(self._everything(direct, through))
        try:
            async with asyncio.timeout(DIAL_SECONDS + (CIRCUIT_HEAD_START_SECONDS if through else 0)):
                await asyncio.wait((everything, self._found), return_when=asyncio.FIRST_COMPLETED)
        except TimeoutError:
            pass
        finally:
            tasks = (everything, *self._tasks)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        return self._found.result() if self._found.done() else None

    async def _everything(self, direct: Sequence[str], through: Sequence[str]) -> None:
        directly = asyncio.create_task(self._in_turn(self._directly, direct, DIAL_SECONDS))
        self._tasks.add(directly)
        if through:
            await asyncio.wait((directly,), timeout=CIRCUIT_HEAD_START_SECONDS)
            await self._in_turn(self._through_relay, through, None)
        await asyncio.wait((directly,))

    async def _in_turn(self, dial: Dial, transports: Sequence[str], seconds: float | None) -> None:
        tries: list[asyncio.Task[None]] = []
        for transport in transports:
            tries.append(asyncio.create_task(self._try(dial, transport)))
            self._tasks.add(tries[-1])
            await asyncio.wait((tries[-1],), timeout=HEAD_START_SECONDS)
        if tries:
            _done, late = await asyncio.wait(tries, timeout=seconds)
            for task in late:
                task.cancel()

    async def _try(self, dial: Dial, transport: str) -> None:
        try:
            connection = await dial(self._peer, transport)
        except OtherPeerError as error:
            self.others[transport] = error.other
        except FAULTS as error:
            _log.debug("a dial failed", peer=self._peer, at=transport, why=str(error) or type(error).__name__)
        else:
            if not self._found.done():
                self._found.set_result(connection)
