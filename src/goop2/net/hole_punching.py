"""Replace a connection through a relay by a direct one: both peers dial each other at the same moment, so that each one's router takes the
incoming packet for an answer to the outgoing one (DCUtR; libp2p's specs/relay/DCUtR.md).

    B, who was called through the relay, begins: it dials A where A listens, if that is useful; else, at most PUNCH_TRIES times,
        both say where others see them, B says SYNC, and both dial, from the port they listen on; B dials half a round trip after SYNC,
        or at once where a dial before it met nothing but silence
    A, who called, is the client of the new connection, whichever packet came first, and B the server

New streams use the new connection (connections.py). The relayed one is closed when every exchange on it must have ended. If no direct
connection can be made, the relayed one stays.

The addresses that the other side names are not trusted: few are dialled, and none that is less public than the relay through which it came.
So nobody on the internet can make this peer dial machines of its own network.
"""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import time
from collections.abc import AsyncIterator, Coroutine, Iterable, Iterator, Sequence
from typing import Any, Final
from weakref import WeakSet

import structlog

from goop2.net.address import CIRCUIT
from goop2.net.admission import TokenBucket
from goop2.net.circuits import is_connected_directly
from goop2.net.connection import Connection
from goop2.net.delimited import next_message
from goop2.net.dialling import FAULTS
from goop2.net.host import Host
from goop2.net.limits import (
    EXCHANGE_SECONDS,
    PROBE_SECONDS,
    PUNCH_ADDRESSES_MAX,
    PUNCH_ANSWER_SECONDS,
    PUNCH_SECONDS,
    PUNCH_TRIES,
    PUNCHES_AT_ONCE,
    PUNCHES_PER_MINUTE_AND_PEER,
    REDIAL_PAUSE_SECONDS,
)
from goop2.net.stream import Stream
from goop2.protocols import autonat, dcutr, multiaddr
from goop2.protocols.errors import RemoteProtocolError

_NOWHERE: Final = 0
_THIS_MACHINE: Final = 1
_PRIVATE: Final = 2
_PUBLIC: Final = 3
"""How far an address reaches."""

_log: structlog.typing.FilteringBoundLogger = structlog.get_logger("goop2.net")


class NoHoleError(RemoteProtocolError):
    """There is no direct way to a peer; the message says why."""


class HolePuncher:
    """Looks for direct ways beside a host's relayed connections. Made by `open_hole_punching`."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self._places = asyncio.Semaphore(PUNCHES_AT_ONCE)
        self._asked = TokenBucket(PUNCHES_PER_MINUTE_AND_PEER, time.monotonic)
        self._tasks: set[asyncio.Task[None]] = set()
        self._ours: set[str] = set()
        """Peers that a direct way is looked for to, as B."""
        self._answering: dict[str, asyncio.Task[Any]] = {}
        """Peers that are dialled at their word, as A."""
        self.try_seconds = PUNCH_SECONDS
        self._told: WeakSet[Connection] = WeakSet()
        """Relayed connections beside which there was no hole, as the owner was told."""
        self._detach = host.watch(self._connected, self._disconnected)

    async def attach(self) -> None:
        """Answer peers that want to punch a hole."""
        await self._host.serve(dcutr.PROTOCOL, self._answer, PUNCH_ANSWER_SECONDS + PUNCH_SECONDS)

    async def close(self) -> None:
        """Stop looking for direct ways."""
        self._detach()
        tasks = tuple(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _connected(self, connection: Connection) -> None:
        if not connection.is_relayed:
            for other in self._host.connections(connection.peer):
                if other.is_relayed:
                    self._start(self._retire(other))
        elif is_connected_directly(self._host, connection.peer):
            self._start(self._retire(connection))
        else:
            self._look_for_a_way(connection)

    def _disconnected(self, connection: Connection) -> None:
        if connection.is_relayed or is_connected_directly(self._host, connection.peer):
            return
        for other in self._host.connections(connection.peer):
            if other.is_relayed and other.is_open:
                self._look_for_a_way(other)

    def _look_for_a_way(self, relayed: Connection) -> None:
        if not relayed.opened_by_us and relayed.peer not in self._ours and self._asked.take(relayed.peer):
            self._ours.add(relayed.peer)
            self._start(self._improve(relayed))

    async def _retire(self, relayed: Connection) -> None:
        """Close a relayed connection that is no longer needed, after the exchanges begun on it have had their time."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(EXCHANGE_SECONDS):
                await relayed.closed.wait()
        if is_connected_directly(self._host, relayed.peer):
            await relayed.close()

    # B, who was called.

    async def _improve(self, relayed: Connection) -> None:
        try:
            async with self._places:
                began = asyncio.get_running_loop().time()
                how = await self._directly(relayed)
                silent = asyncio.get_running_loop().time() - began >= PROBE_SECONDS
                how = how or await self._punch(relayed, silent=silent)
        except FAULTS as error:
            _log.info("no direct connection", peer=relayed.peer, why=str(error) or type(error).__name__)
        else:
            _log.info("connected directly", peer=relayed.peer, how=how)
        finally:
            self._ours.discard(relayed.peer)

    async def _directly(self, relayed: Connection) -> str:
        """Dial the peer where it says it listens; return the result, "" when there is no connection."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(PROBE_SECONDS):
                await relayed.identify_done.wait()
        listens_at = relayed.identified.listens_at if relayed.identified is not None else ()
        addresses = self._worth_dialling(relayed, listens_at)
        if addresses and await self._dial(relayed.peer, addresses, opened_by_us=True, seconds=PROBE_SECONDS, again=False):
            return "dialled"
        return "dialled by the peer" if is_connected_directly(self._host, relayed.peer) else ""

    async def _punch(self, relayed: Connection, *, silent: bool) -> str:
        """Punch a hole; return the result. Raises one of `dialling.FAULTS`.

        `silent`: the peer was dialled before, and nothing came back.
        """
        why: Exception = NoHoleError("the connection through the relay has ended")
        for number in range(1, PUNCH_TRIES + 1):
            if not relayed.is_open:
                break
            try:
                addresses, round_trip_seconds = await self._agree(relayed)
            except FAULTS as error:
                why = error
                # It may not know its own addresses yet.
                await asyncio.sleep(REDIAL_PAUSE_SECONDS)
                continue
            if not silent:
                # SYNC needs half a round trip. A dials when it arrives, so both first packets leave at about the same moment.
                await asyncio.sleep(round_trip_seconds / 2)
            # Where an earlier dial met silence, A's router drops and does not refuse: our packet may come too early. It must not come too
            # late: our router still lets A's packet in, our listener would answer it with a number that the router takes for none of that
            # dial, and while it goes on to answer no dial can leave from this port.
            silent = True
            if await self._dial(relayed.peer, addresses, opened_by_us=False, seconds=self.try_seconds):
                return f"through a hole, at the {_ordinal(number)} try"
            why = NoHoleError(f"nobody came through at {', '.join(addresses)}, tried {number} times")
        raise why

    async def _agree(self, relayed: Connection) -> tuple[tuple[str, ...], float]:
        """Return the addresses at which to dial the peer, and the round-trip time. Raises one of `dialling.FAULTS`."""
        own = self._own_addresses(relayed)
        if not own:
            raise NoHoleError("nobody has told us the address this peer has for others")
        async with asyncio.timeout(PUNCH_ANSWER_SECONDS), await self._host.open_on(relayed, dcutr.PROTOCOL) as stream:
            loop = asyncio.get_running_loop()
            reader = dcutr.reader()
            began = loop.time()
            await stream.write(dcutr.connect(own))
            addresses = self._worth_dialling(relayed, dcutr.read_connect(await next_message(stream, reader)))
            round_trip_seconds = loop.time() - began
            if not addresses:
                raise NoHoleError("the peer names no address that may be dialled")
            await stream.finish(dcutr.sync())
        return addresses, round_trip_seconds

    # A, who called.

    async def _answer(self, stream: Stream) -> None:
        relayed = stream.connection
        if not (relayed.is_relayed and relayed.opened_by_us):
            raise NoHoleError("a hole is punched by whoever was called through a relay, and by nobody else")
        # Two peers that each called the other have two relayed connections. The smaller id decides who goes on, on both sides
        # alike.
        if stream.peer in self._ours and self._host.peer_id < stream.peer:
            raise NoHoleError("both punch, and the one whose id comes first goes on with it")
        if not self._asked.take(stream.peer):
            raise NoHoleError(f"a hole is punched at most {PUNCHES_PER_MINUTE_AND_PEER} times a minute")
        reader = dcutr.reader()
        async with asyncio.timeout(PUNCH_ANSWER_SECONDS):
            addresses = self._worth_dialling(relayed, dcutr.read_connect(await next_message(stream, reader)))
            own = self._own_addresses(relayed)
            if not (addresses and own):
                raise NoHoleError("there is no address to be dialled, here or there")
            await stream.write(dcutr.connect(own))
            dcutr.read_sync(await next_message(stream, reader))
            await stream.finish()
        await self._dial_as_client(relayed, addresses)

    async def _dial_as_client(self, relayed: Connection, addresses: Sequence[str]) -> None:
        peer = relayed.peer
        # The other side tries again before we have given up: two of our sockets cannot lead to the same place.
        earlier = self._answering.pop(peer, None)
        if earlier is not None:
            earlier.cancel()
            await asyncio.gather(earlier, return_exceptions=True)
        dialling = self._answering[peer] = asyncio.create_task(self._dial(peer, addresses, opened_by_us=True, seconds=self.try_seconds))
        try:
            done = await dialling
        except asyncio.CancelledError:
            if not dialling.cancelled():
                dialling.cancel()
                raise
            return
        finally:
            if self._answering.get(peer) is dialling:
                del self._answering[peer]
        if done:
            _log.info("connected directly", peer=peer, how="through a hole")
        elif relayed not in self._told:
            # The other side tries again, and knows when it was the last time.
            self._told.add(relayed)
            _log.info("no direct connection", peer=peer, why=f"nobody came through at {', '.join(addresses)}")

    # Both.

    async def _dial(self, peer: str, addresses: Sequence[str], *, opened_by_us: bool, seconds: float, again: bool = True) -> bool:
        """Dial all of them at once; return whether there is a direct connection within so many seconds.

        The client ends the others when it has one; the server leaves that to it, lest each keep another one.
        """
        enough = asyncio.Event()
        if not again:
            enough.set()
        dials = [asyncio.create_task(self._dial_one(peer, address, enough, opened_by_us=opened_by_us)) for address in addresses]
        end = asyncio.get_running_loop().time() + seconds
        try:
            pending: Iterable[asyncio.Task[None]] = dials
            while pending and (left := end - asyncio.get_running_loop().time()) > 0:
                _, pending = await asyncio.wait(pending, timeout=min(left, REDIAL_PAUSE_SECONDS), return_when=asyncio.FIRST_COMPLETED)
                if is_connected_directly(self._host, peer):
                    enough.set()
                    if opened_by_us:
                        break
        finally:
            for dial in dials:
                dial.cancel()
            await asyncio.gather(*dials, return_exceptions=True)
        return is_connected_directly(self._host, peer)

    async def _dial_one(self, peer: str, address: str, enough: asyncio.Event, *, opened_by_us: bool) -> None:
        """Dial an address until there is a connection, or `enough`: a router may refuse a packet that comes too early."""
        while True:
            try:
                await self._host.dial_address(peer, address, opened_by_us=opened_by_us)
            except FAULTS as error:
                _log.debug("a hole is not open", peer=peer, address=address, why=str(error) or type(error).__name__)
            else:
                return
            if enough.is_set():
                return
            await asyncio.sleep(REDIAL_PAUSE_SECONDS)

    def _own_addresses(self, relayed: Connection) -> tuple[str, ...]:
        """Return the addresses at which the other side may try to dial us; those that others have seen first."""
        listening = (address.rpartition("/p2p/")[0] for address in self._host.addresses)
        return self._worth_dialling(relayed, (*self._host.observed_addresses(), *self._predicted(), *listening))

    def _predicted(self) -> Iterator[str]:
        """Yield the addresses at which routers that preserve ports would show our listening port.

        Where the connection to a relay could not be made from that port (an earlier one of the same two ends was still there), nobody has
        seen it.
        """
        for connection in self._host.connections():
            said = connection.identified
            if said is not None and said.observed and not connection.is_relayed:
                host, _ = autonat.ip_and_port(said.observed)
                yield f"{host}/tcp/{self._host.port}"

    def _worth_dialling(self, relayed: Connection, addresses: Iterable[str]) -> tuple[str, ...]:
        """Return the addresses that reach at least as far as the relay's, each once, and not too many."""
        # A relay on this machine or this network may lead to addresses there; one on the internet to public ones only.
        needed = min((_reach(address) for address in self._relay_addresses(relayed)), default=_PUBLIC)
        fit = dict.fromkeys(address for address in addresses if _reach(address) >= needed)
        return tuple(fit)[:PUNCH_ADDRESSES_MAX]

    def _relay_addresses(self, relayed: Connection) -> list[str]:
        relay = relayed.origin.removeprefix(f"{CIRCUIT}/")
        return [each.remote for each in self._host.connections(relay) if not each.is_relayed]

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


@contextlib.asynccontextmanager
async def open_hole_punching(host: Host) -> AsyncIterator[HolePuncher]:
    """Replace relayed connections by direct ones, where that works, until the block is left."""
    puncher = HolePuncher(host)
    await puncher.attach()
    try:
        yield puncher
    finally:
        await puncher.close()


def _reach(address: str) -> int:
    """Return how far an address reaches: 0 when nothing there may be dialled."""
    try:
        parts = multiaddr.parse(address)
        if [name for name, _ in parts] not in (["ip4", "tcp"], ["ip6", "tcp"]) or parts[1][1] == "0":
            return _NOWHERE
        ip = ipaddress.ip_address(parts[0][1])
    except ValueError:
        return _NOWHERE
    ip = getattr(ip, "ipv4_mapped", None) or ip
    if ip.is_multicast or ip.is_unspecified or ip.is_link_local or ip == ipaddress.IPv4Address("255.255.255.255"):
        return _NOWHERE
    if ip.is_loopback:
        return _THIS_MACHINE
    return _PUBLIC if ip.is_global else _PRIVATE


def _ordinal(number: int) -> str:
    return ("first", "second", "third")[number - 1] if number <= 3 else f"{number}th"
