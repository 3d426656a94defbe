"""Find out whether others can dial this peer. Only a peer that dialled can say so (AutoNAT; protocols/autonat.py); nothing is guessed.

A connected peer, for example a relay, is asked to dial this peer at the address it sees, and at the port this peer listens on. An address
counts when the nonce came back on a connection that somebody made to us, and for PROOF_SECONDS. Version 1 has no nonce; there a yes counts
only when somebody from the server's network connected meanwhile. The server learns nothing new: it sees our address and port anyway.
"""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import secrets
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable
from dataclasses import dataclass

import structlog

from goop2.config.ticks import seconds_to_tick
from goop2.net.connection import Connection
from goop2.net.delimited import next_message
from goop2.net.dialling import FAULTS
from goop2.net.host import Host
from goop2.net.limits import (
    DIALLED_BACK_WITHIN_SECONDS,
    PROBE_SECONDS,
    PROOF_SECONDS,
    REACHABILITY_LOOK_SECONDS,
    REACHABILITY_SECONDS,
    REACHABILITY_SERVERS,
)
from goop2.net.stream import Stream
from goop2.protocols import autonat, peer_ids
from goop2.protocols.autonat import DialResponse
from goop2.protocols.errors import RemoteProtocolError

_log: structlog.typing.FilteringBoundLogger = structlog.get_logger("goop2.net")


class NotDialledError(RemoteProtocolError):
    """A server dialled nobody; the message says why."""


@dataclass(frozen=True, slots=True)
class DialProof:
    """Somebody has dialled this peer."""

    address: str
    """Where: `/ip4/192.0.2.7/tcp/4001`."""
    by: str
    """The peer that did."""
    at: float
    """When, seconds since 1970."""

    @property
    def is_public(self) -> bool:
        """Return whether the address is one of the internet, and not of a private network."""
        return ipaddress.ip_address(self.address.split("/")[2]).is_global


class Reachability:
    """The ways by which others reach this peer. Made by `open_reachability`.

    `own`: the IP addresses of this machine; that somebody on the same private network can dial them says nothing about others, and nobody
    is asked.
    """

    def __init__(self, host: Host, own: Callable[[], Iterable[str]] = tuple, clock: Callable[[], float] = time.monotonic) -> None:
        self._host = host
        self._clock = clock
        self._own = own
        self._callbacks: list[Callable[[], object]] = []
        self.look_seconds = REACHABILITY_LOOK_SECONDS
        self._asked_at: dict[tuple[str, str], float] = {}
        """Server and address → when it was asked last."""
        self._proved: dict[str, tuple[float, DialProof]] = {}
        """Address → until when it counts as one we are reached at, and by whom."""
        self._disproved: dict[str, float] = {}
        """Address → until when it counts as one nobody came to."""
        self._waiting: dict[int, asyncio.Event] = {}
        """Nonce → set when somebody brought it."""
        self._came: Counter[str] = Counter()
        """Network → connections that came from it."""
        self._detach = host.watch(self._connected)

    @property
    def proofs(self) -> tuple[DialProof, ...]:
        """Return who has dialled us not long ago, and where: the last one at each address."""
        return tuple(proof for until, proof in self._proved.values() if until > self._clock())

    @property
    def addresses(self) -> tuple[str, ...]:
        """Return the addresses at which somebody has dialled us not long ago, `/ip4/192.0.2.7/tcp/4001`."""
        return tuple(proof.address for proof in self.proofs)

    @property
    def is_reachable(self) -> bool | None:
        """Return whether others can dial this peer: True when somebody did, False when nobody who tried could, None when nobody tried."""
        if self.addresses:
            return True
        return False if any(until > self._clock() for until in self._disproved.values()) else None

    def watch(self, changed: Callable[[], object]) -> Callable[[], None]:
        """Call `changed` whenever `addresses` or `is_reachable` changes. Returns what ends it."""
        self._callbacks.append(changed)
        return lambda: self._callbacks.remove(changed)

    async def attach(self) -> None:
        """Accept the nonces of those who dial back."""
        await self._host.serve(autonat.DIAL_BACK, self._dialled_back, PROBE_SECONDS)

    def close(self) -> None:
        """Stop asking others to dial back."""
        self._detach()

    async def keep_asking(self) -> None:
        """Ask others to dial this peer where they see it, soon after a change and then now and again, for ever."""
        while True:
            await asyncio.sleep(seconds_to_tick(self.look_seconds))
            self._forget()
            # One after the other: several answers at once could not be told apart with version 1.
            for connection in self._host.connections():
                for address in self._due(connection):
                    await self._ask(connection, address)

    def _connected(self, connection: Connection) -> None:
        if not (connection.is_relayed or connection.opened_by_us):
            self._came[connection.origin] += 1

    def _forget(self) -> None:
        now = self._clock()
        before = self.addresses, self.is_reachable
        self._proved = {address: word for address, word in self._proved.items() if word[0] > now}
        self._disproved = {address: until for address, until in self._disproved.items() if until > now}
        for question in [question for question, at in self._asked_at.items() if at + REACHABILITY_SECONDS <= now]:
            del self._asked_at[question]
        # Only arrivals after a question count as its answer.
        self._came.clear()
        if before != (self.addresses, self.is_reachable):
            self._notify()

    def _notify(self) -> None:
        for changed in tuple(self._callbacks):
            changed()

    def _due(self, connection: Connection) -> list[str]:
        """Return the addresses about which to ask the other side now."""
        said = connection.identified
        if said is None or connection.is_relayed or not connection.is_open or not said.observed:
            return []
        if not {autonat.DIAL_REQUEST, autonat.VERSION_1} & said.protocols:
            return []
        host, port = autonat.ip_and_port(said.observed)
        if not host or self._is_near(host):
            return []
        ports = dict.fromkeys((port if connection.from_listening_port else "", str(self._host.port)))
        addresses = [f"{host}/tcp/{each}" for each in ports if each not in ("", "0")]
        asked = Counter(address for _, address in self._asked_at)
        return [
            address for address in addresses if (connection.peer, address) not in self._asked_at and asked[address] < REACHABILITY_SERVERS
        ]

    def _is_near(self, host: str) -> bool:
        ip = host.rpartition("/")[2]
        return not ipaddress.ip_address(ip).is_global and ip in self._own()

    async def _ask(self, connection: Connection, address: str) -> None:
        """Ask the other side to dial this peer at this address, and note the result."""
        self._asked_at[connection.peer, address] = self._clock()
        assert connection.identified is not None
        ask = self._ask_2 if autonat.DIAL_REQUEST in connection.identified.protocols else self._ask_1
        try:
            async with asyncio.timeout(DIALLED_BACK_WITHIN_SECONDS):
                came = await ask(connection, address)
        except FAULTS as error:
            _log.debug("no peer could be asked to dial back", server=connection.peer, why=str(error) or type(error).__name__)
            return
        self._note(connection.peer, address, came=came)

    def _note(self, server: str, address: str, *, came: bool) -> None:
        before = self.addresses, self.is_reachable
        until = self._clock() + PROOF_SECONDS
        if came:
            self._proved[address] = until, DialProof(address, server, time.time())
            self._disproved.pop(address, None)
        elif address not in self.addresses:
            # One who could dial us weighs more than one who could not.
            self._disproved[address] = until
        if before != (self.addresses, self.is_reachable):
            _log.info("this peer was dialled" if came else "this peer was not reached", address=address, by=server)
            self._notify()

    async def _ask_2(self, connection: Connection, address: str) -> bool:
        # Random, so that a server cannot claim a dial that it did not make.
        nonce = secrets.randbits(64)
        brought = self._waiting[nonce] = asyncio.Event()
        try:
            async with await self._host.open_on(connection, autonat.DIAL_REQUEST) as stream:
                await stream.write(autonat.dial_request([address], nonce))
                answer = autonat.read_dial_response(await next_message(stream, autonat.reader()))
            if not isinstance(answer, DialResponse):
                raise NotDialledError("the server wants to be sent bytes first")
            if answer.status != autonat.OK or answer.index != 0:
                raise NotDialledError(f"the server dialled nobody (status {answer.status})")
            if answer.dial_status == autonat.DIAL_ERROR:
                return False
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(PROBE_SECONDS):
                    await brought.wait()
            if not brought.is_set():
                raise NotDialledError("the server says it has dialled us, and nobody came")
            return True
        finally:
            del self._waiting[nonce]

    async def _ask_1(self, connection: Connection, address: str) -> bool:
        before = self._came[connection.origin]
        async with await self._host.open_on(connection, autonat.VERSION_1) as stream:
            await stream.write(autonat.v1_dial(peer_ids.to_bytes(self._host.peer_id), [address]))
            status, text, dialled = autonat.read_v1_response(await next_message(stream, autonat.reader()))
        if status == autonat.V1_DIAL_ERROR:
            return False
        if status != autonat.V1_OK or dialled.partition("/p2p/")[0] != address:
            raise NotDialledError(f"the server dialled nobody there (status {status}, {text or 'no word'})")
        if self._came[connection.origin] == before:
            raise NotDialledError("the server says it has dialled us, and nobody came")
        return True

    async def _dialled_back(self, stream: Stream) -> None:
        brought = self._waiting.get(autonat.read_dial_back(await next_message(stream, autonat.reader())))
        # Over a relay, or on a connection we opened ourselves, a nonce proves nothing about our reachability.
        if brought is None or stream.connection.is_relayed or stream.connection.opened_by_us:
            raise RemoteProtocolError("nobody was asked to bring this")
        brought.set()
        await stream.finish(autonat.dial_back_response())


@contextlib.asynccontextmanager
async def open_reachability(host: Host, own: Callable[[], Iterable[str]] = tuple) -> AsyncIterator[Reachability]:
    """Find out how this peer is reached until the block is left; `own` as `Reachability` has it."""
    reachability = Reachability(host, own)
    await reachability.attach()
    asking = asyncio.create_task(reachability.keep_asking())
    try:
        yield reachability
    finally:
        reachability.close()
        asking.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await asking
