"""Finding peers, all ways together: mDNS, gossip, rendezvous servers and the peers the owner typed in, into one roster.

Whoever is found is dialled, which proves who it is; a connection that ends is sought again (reconnect.py). Leaving the block says goodbye.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import Final

import msgspec
import structlog

from goop2.config.ticks import seconds_to_tick
from goop2.net.address import PeerAddress, parse
from goop2.net.faults import NetworkError, UnreachableError, WrongPeerError
from goop2.net.gossip import Gossip, open_gossip
from goop2.net.host import ALL_ADDRESSES, Host
from goop2.net.reachability import Reachability, open_reachability
from goop2.peers.discovery.mdns import lan_addresses, lan_places, stay_near_by
from goop2.peers.discovery.peers_file import Remembered
from goop2.peers.discovery.presence import PresenceListener, Send, Signs, giving_signs
from goop2.peers.discovery.reconnect import Redialling
from goop2.peers.discovery.rendezvous_client import open_server
from goop2.peers.discovery.reservations import Reserving
from goop2.peers.discovery.roster import Roster
from goop2.protocols.presence import TOPIC, Presence, write

NEAR_BY: Final = "near by"
NOTES_KEPT: Final = 100
LOOK_SECONDS: Final = 1.0
"""How soon a lost connection, a silent peer or a new one is noticed."""
GREETING_SECONDS: Final = 2.0
"""With the heartbeats 42 signs a minute, of the 60 others listen to."""
DIRECT_TOLD_MAX: Final = 8
"""Of this machine's own addresses; readers take sixteen in all, and those through relays are to be among them."""
SERVERS_MAX: Final = 2
"""The own one and presence.rendezvous_wan (network.md)."""

_log: structlog.typing.FilteringBoundLogger = structlog.get_logger("goop2.net")

Says = Callable[[], Presence]
"""What this peer says of itself now; its id, addresses, kind and time are filled in here."""


class Discovery:
    """What is found; made by `open_discovery`."""

    def __init__(self, host: Host, remembered: Remembered) -> None:
        self.roster = Roster(host.peer_id, time.monotonic)
        self.notes: list[str] = []
        """What did not work here since the start, a sentence each."""
        self.troubles: dict[str, str] = {}
        """What does not work now, by what it is about: a sentence each, for `goop2 peers`."""
        self.reachability: Reachability
        self._signs: Signs
        self._host = host
        self._remembered = remembered
        self._redialling = Redialling(time.monotonic, random.random)
        self._connected: frozenset[str] = frozenset()
        self._dials: set[asyncio.Task[None]] = set()
        self._met: frozenset[str] = frozenset()
        self._greeted_at = -GREETING_SECONDS
        self._places: list[Reserving] = []

    @property
    def through_relays(self) -> tuple[str, ...]:
        """Return where this peer is reached through relays now."""
        return tuple(address for place in self._places for address in place.addresses)

    @property
    def dialled_at(self) -> tuple[str, ...]:
        """Return where others have dialled this peer not long ago, beyond its own network."""
        return tuple(f"{address}/p2p/{self._host.peer_id}" for address in self.reachability.addresses)

    def changed(self) -> None:
        """The label or something else this peer says of itself is different: tell the others at once."""
        self._signs.changed()

    async def connect(self, address: PeerAddress) -> None:
        """Connect to a peer the owner typed in, and remember it whether it is there or not, but not when another is there.

        Raises `UnreachableError`, of which `WrongPeerError` is one.
        """
        self._remembered.add(address)
        self._redialling.known(address.peer)
        try:
            await self._host.connect(address.peer, [address])
        except WrongPeerError:
            self._remembered.forget(address.peer, address.transport)
            self._host.forgets(address)
            if not self._host.is_known(address.peer):
                self._redialling.forget(address.peer)
            raise
        except UnreachableError as fault:
            raise UnreachableError(f"{fault}; the address is kept and tried again") from None
        self._redialling.reached(address.peer)

    def found(self, addresses: Iterable[PeerAddress]) -> None:
        """Peers are said to be at these addresses."""
        others = [address for address in addresses if address.peer != self._host.peer_id]
        self._host.knows(others)
        for address in others:
            self._redialling.told_of(address.peer)

    def close_by(self, addresses: Sequence[PeerAddress]) -> None:
        """The same, said on the local network just now."""
        self.found(addresses)
        for address in addresses:
            self._redialling.at_once(address.peer)

    def _seek_remembered(self) -> None:
        try:
            addresses = self._remembered.addresses()
        except NetworkError as fault:
            self.note(str(fault))
            return
        self._host.knows(reversed(addresses))
        for address in addresses:
            self._redialling.known(address.peer)

    def note(self, sentence: str) -> None:
        """Something does not work, and everything else goes on."""
        if len(self.notes) < NOTES_KEPT:
            self.notes.append(sentence)
        _log.warning(sentence)

    def trouble(self, about: str, sentence: str) -> None:
        """Something does not work now, and is tried again; it is told once."""
        if self.troubles.get(about) != sentence:
            self.troubles[about] = sentence
            self.note(sentence)

    def well(self, about: str, sentence: str) -> None:
        """It works, or works again: that is told where it did not."""
        if self.troubles.pop(about, None) is not None:
            _log.warning(sentence)

    async def _look(self) -> None:
        while True:
            self.roster.expire()
            self._notice_connections()
            for peer in self._redialling.due(self._connected):
                dial = asyncio.create_task(self._dial(peer))
                self._dials.add(dial)
                dial.add_done_callback(self._dials.discard)
            await asyncio.sleep(seconds_to_tick(LOOK_SECONDS))

    def _notice_connections(self) -> None:
        now = frozenset(connected.peer for connected in self._host.peers()) - self._host.relays
        for peer in now - self._connected:
            self.roster.connected(peer)
        for peer in self._connected - now:
            self._redialling.lost(peer)
        self._connected = now

    async def _greet(self, gossip: Gossip) -> None:
        """Whoever has just begun to listen learns at once who is here, not a heartbeat later."""
        while True:
            gossip.listeners_changed.clear()
            neighbours = frozenset(gossip.neighbours())
            if neighbours - self._met and time.monotonic() - self._greeted_at >= GREETING_SECONDS:
                self._greeted_at = time.monotonic()
                self._met = neighbours
                await self._signs.give("update", [_over(gossip)])
            self._met &= neighbours
            if self._met == neighbours:
                await gossip.listeners_changed.wait()
            # A moment later, when our stream to who has just come stands too.
            await asyncio.sleep(seconds_to_tick(LOOK_SECONDS / 2))

    async def _dial(self, peer: str) -> None:
        try:
            await self._host.connect(peer)
        except Exception as error:  # whatever it was, the next try must not find this one still under way
            self._redialling.failed(peer)
            if not isinstance(error, NetworkError):
                _log.debug("a peer was not dialled", peer=peer, why=str(error) or type(error).__name__)
        else:
            self._redialling.reached(peer)

    async def _close(self) -> None:
        dials = tuple(self._dials)
        for dial in dials:
            dial.cancel()
        await asyncio.gather(*dials, return_exceptions=True)


@contextlib.asynccontextmanager
async def open_discovery(
    host: Host,
    folder: Path,
    says: Says,
    *,
    servers: Iterable[str] = (),
    near_by: bool = True,
    announced: Sequence[str] | None = None,
) -> AsyncIterator[Discovery]:
    """Find peers and be found until the block is left.

    `folder` is the peer's (data/peers.json); `servers`: URLs of rendezvous servers, the own and one in the wide world, say; `near_by`:
    look on the local network too; `announced`: this machine's IPv4 addresses as others
    can dial them, None: every real one.
    """
    discovery = Discovery(host, Remembered(folder))
    hearing = PresenceListener(discovery.roster, discovery.found)
    async with contextlib.AsyncExitStack() as stack:
        looking = asyncio.create_task(discovery._look())
        stack.push_async_callback(discovery._close)
        stack.push_async_callback(_ended, looking)
        discovery._seek_remembered()
        gossip = await stack.enter_async_context(open_gossip(host, TOPIC, hearing.gossip))
        if near_by:
            staying = stay_near_by(
                host.peer_id,
                host.port,
                discovery.close_by,
                partial(discovery.trouble, NEAR_BY),
                lan_addresses if announced is None else lambda: announced,
                places=lan_places if announced is None else tuple,
                well=partial(discovery.well, NEAR_BY, "peers near by are looked for again"),
            )
            stack.push_async_callback(_ended, asyncio.create_task(staying))
        own = lan_addresses if announced is None else lambda: announced
        discovery.reachability = await stack.enter_async_context(open_reachability(host, discovery.changed, own))
        host.announce(lambda: (*discovery.dialled_at, *real_addresses(host, announced)))
        ways: list[Send] = [_over(gossip)]
        for url in tuple(dict.fromkeys(url.rstrip("/") for url in servers))[:SERVERS_MAX]:
            server = await stack.enter_async_context(open_server(url, hearing.rendezvous, discovery))
            ways.append(server.send)
            discovery._places.append(Reserving(server, host, discovery.changed))
        discovery._signs = await stack.enter_async_context(giving_signs(_of(host, says, announced, discovery), ways))
        for place in discovery._places:
            stack.push_async_callback(_ended, asyncio.create_task(place.keep()))
        greeting = asyncio.create_task(discovery._greet(gossip))
        stack.push_async_callback(_ended, greeting)
        yield discovery


def _over(gossip: Gossip) -> Send:
    async def send(said: Presence) -> None:
        await gossip.publish(write(said))

    return send


def _of(host: Host, says: Says, announced: Sequence[str] | None, discovery: Discovery) -> Says:
    def complete() -> Presence:
        direct = dict.fromkeys((*discovery.dialled_at, *real_addresses(host, announced)))
        addresses = (*tuple(direct)[:DIRECT_TOLD_MAX], *discovery.through_relays)
        return msgspec.structs.replace(says(), peer_id=host.peer_id, addrs=addresses)

    return complete


def real_addresses(host: Host, announced: Sequence[str] | None = None) -> tuple[str, ...]:
    """Return where others can dial this host now: its listening address, or, where that is every address, each real one."""
    listening = [parse(address) for address in host.addresses]
    addresses = lan_addresses() if announced is None else announced
    every = [f"/ip4/{ip}/tcp/{host.port}/p2p/{host.peer_id}" for ip in addresses]
    own = [f"{address.transport}/p2p/{address.peer}" for address in listening if f"/{ALL_ADDRESSES}/" not in address.transport]
    return tuple(own or every)


async def _ended(task: asyncio.Task[None]) -> None:
    """End a task; one that has failed is told, and takes nothing else with it."""
    task.cancel()
    try:
        await task
    except asyncio.CancelledError:
        pass
    except Exception as error:
        _log.warning("a part of finding peers had ended", why=str(error) or type(error).__name__)
