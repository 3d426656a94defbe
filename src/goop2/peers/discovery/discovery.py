"""Run all ways of finding peers together: mDNS, gossip, rendezvous servers and the peers the owner typed in, into one roster.

Every peer that is found is dialled, which proves who it is. A lost connection is dialled again (redialer.py). At the end of the block an
`offline` announcement is sent.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Final

import msgspec
import structlog

from goop2.config.ticks import seconds_to_tick
from goop2.net.address import PeerAddress
from goop2.net.gossip import Gossip, open_gossip
from goop2.net.host import Host
from goop2.net.listener import WILDCARDS
from goop2.net.reachability import Reachability
from goop2.peers.discovery.mdns import lan_addresses, lan_places, stay_near_by
from goop2.peers.discovery.peers_file import RememberedPeers
from goop2.peers.discovery.presence import Announcer, PresenceListener, Send, open_announcer
from goop2.peers.discovery.redialer import LOOK_SECONDS, Redialer
from goop2.peers.discovery.roster import Roster
from goop2.peers.discovery.troubles import Troubles
from goop2.protocols.presence import TOPIC, Presence, write

if TYPE_CHECKING:
    from goop2.peers.discovery.reservations import RelayReservation

NEAR_BY: Final = "near by"
GREETING_SECONDS: Final = 2.0
"""Between two greetings. With the heartbeats that makes 42 announcements a minute, of the 60 others listen to."""
DIRECT_ANNOUNCED_MAX: Final = 8
"""Own addresses in an announcement. Readers take sixteen in all, and those through relays must be among them."""
SERVERS_MAX: Final = 2
"""The own one and presence.rendezvous_wan (network.md)."""

_log: structlog.typing.FilteringBoundLogger = structlog.get_logger("goop2.net")

Says = Callable[[], Presence]
"""What this peer says of itself now; its id, addresses, kind and time are filled in here."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Discovery:
    """The ways to find peers while they are open. Made by `open_discovery`."""

    roster: Roster
    troubles: Troubles
    redialer: Redialer
    announcer: Announcer
    reservations: tuple[RelayReservation, ...]
    host: Host
    reachability: Reachability

    @property
    def dialled_at(self) -> tuple[str, ...]:
        """Return where others have dialled this peer recently, beyond its own network."""
        return _dialled_at(self.host, self.reachability)

    @property
    def through_relays(self) -> tuple[str, ...]:
        """Return where this peer can be reached through relays now."""
        return _through(self.reservations)

    def changed(self) -> None:
        """Announce at once that the label or something else about this peer has changed."""
        self.announcer.changed.set()

    def typed_in(self) -> list[PeerAddress]:
        """Return the addresses the owner typed in (`Redialer.typed_in`)."""
        return self.redialer.typed_in()

    def forget(self, peer: str) -> bool:
        """Forget the addresses of a peer that the owner typed in (`Redialer.forget`)."""
        return self.redialer.forget(peer)

    async def connect(self, address: PeerAddress) -> None:
        """Connect to a peer the owner typed in, and remember it (`Redialer.connect`)."""
        await self.redialer.connect(address)


@contextlib.asynccontextmanager
async def open_discovery(
    host: Host,
    reachability: Reachability,
    roster: Roster,
    remembered: RememberedPeers,
    says: Says,
    *,
    servers: Iterable[str] = (),
    near_by: bool = True,
    announced: Sequence[str] | None = None,
) -> AsyncIterator[Discovery]:
    """Find peers and be found until the block is left.

    `reachability`: what is known of the ways to `host`; its changes are announced. `servers`: URLs of rendezvous servers, at most
    SERVERS_MAX. `near_by`: look on the local network too. `announced`: this machine's IP addresses as others can dial them; None: every
    real one.
    """
    troubles, changed = Troubles(), asyncio.Event()
    redialer = Redialer(host, roster, remembered, troubles)
    listener = PresenceListener(roster, redialer.found)
    async with contextlib.AsyncExitStack() as stack:
        stack.push_async_callback(redialer.close)
        _run(stack, redialer.run())
        redialer.seek_remembered()
        # Opened before the announcer and so closed after it: the last announcement still goes out over gossip.
        gossip = await stack.enter_async_context(open_gossip(host, TOPIC, listener.gossip))
        if near_by:
            staying = stay_near_by(
                host.peer_id,
                host.port,
                redialer.found_near_by,
                partial(troubles.report, NEAR_BY),
                lan_addresses if announced is None else lambda: announced,
                places=lan_places if announced is None else tuple,
                well=partial(troubles.resolve, NEAR_BY, "peers near by are looked for again"),
            )
            _run(stack, staying)
        stack.callback(reachability.watch(changed.set))
        direct = partial(_direct, host, reachability, announced)
        host.announce(direct)
        ways: list[Send] = [over_gossip(gossip)]
        reservations: list[RelayReservation] = []
        for url in tuple(dict.fromkeys(url.rstrip("/") for url in servers))[:SERVERS_MAX]:
            # Here, because a peer that uses no server should not hold an HTTP client.
            from goop2.peers.discovery.rendezvous_client import open_server
            from goop2.peers.discovery.reservations import RelayReservation

            server = await stack.enter_async_context(open_server(url, listener.rendezvous, troubles))
            ways.append(server.send)
            reservations.append(RelayReservation(server, host, changed.set))
        complete = _with_addresses(says, host, direct, reservations)
        announcer = await stack.enter_async_context(open_announcer(complete, ways, changed))
        for reservation in reservations:
            _run(stack, reservation.keep())
        _run(stack, _greet(gossip, announcer))
        yield Discovery(
            roster=roster,
            troubles=troubles,
            redialer=redialer,
            announcer=announcer,
            reservations=tuple(reservations),
            host=host,
            reachability=reachability,
        )


def over_gossip(gossip: Gossip) -> Send:
    """Return the function that sends an announcement over gossip, without our key for payload encryption.

    A Go peer that learns our key encrypts everything for us from then on, its answer to `identity` too, which is how we would learn its key
    (network.md, "Payload keys"). So our key goes to a peer whose key we know, and to a rendezvous, which tells both keys to both.
    """

    async def send(presence: Presence) -> None:
        await gossip.publish(write(msgspec.structs.replace(presence, public_key="")))

    return send


async def _greet(gossip: Gossip, announcer: Announcer) -> None:
    """Announce this peer to every new listener, so that it need not wait for a heartbeat; until cancelled."""
    greeted: frozenset[str] = frozenset()
    greeted_at = -GREETING_SECONDS
    while True:
        gossip.listeners_changed.clear()
        neighbours = frozenset(gossip.neighbours())
        if neighbours - greeted and time.monotonic() - greeted_at >= GREETING_SECONDS:
            greeted, greeted_at = neighbours, time.monotonic()
            await announcer.give("update", [over_gossip(gossip)])
        greeted &= neighbours
        if greeted == neighbours:
            await gossip.listeners_changed.wait()
        # A moment later, when our stream to the new neighbour is open too.
        await asyncio.sleep(seconds_to_tick(LOOK_SECONDS / 2))


def _with_addresses(says: Says, host: Host, direct: Callable[[], tuple[str, ...]], reservations: Sequence[RelayReservation]) -> Says:
    def complete() -> Presence:
        addresses = (*direct()[:DIRECT_ANNOUNCED_MAX], *_through(reservations))
        return msgspec.structs.replace(says(), peer_id=host.peer_id, addrs=addresses)

    return complete


def _direct(host: Host, reachability: Reachability, announced: Sequence[str] | None) -> tuple[str, ...]:
    """Return where this peer can be dialled without a relay; first where others have dialled it recently, beyond its own network."""
    return tuple(dict.fromkeys((*_dialled_at(host, reachability), *real_addresses(host, announced))))


def _dialled_at(host: Host, reachability: Reachability) -> tuple[str, ...]:
    return tuple(f"{address}/p2p/{host.peer_id}" for address in reachability.addresses)


def _through(reservations: Iterable[RelayReservation]) -> tuple[str, ...]:
    return tuple(address for reservation in reservations for address in reservation.addresses)


def real_addresses(host: Host, announced: Sequence[str] | None = None) -> tuple[str, ...]:
    """Return where others can dial this host now: its listening addresses, or, where that is every address of a family, each real one."""
    machine = tuple(lan_addresses() if announced is None else announced)
    found: list[str] = []
    for address in host.addresses:
        family, ip = address.split("/")[1:3]
        reached = [each for each in machine if (":" in each) == (family == "ip6")] if ip in WILDCARDS.values() else [ip]
        found += (f"/{family}/{each}/tcp/{host.port}/p2p/{host.peer_id}" for each in reached)
    return tuple(found)


def _run(stack: contextlib.AsyncExitStack, work: Coroutine[object, object, None]) -> None:
    """Run `work` beside this until `stack` is closed."""
    stack.push_async_callback(_end, asyncio.create_task(work))


async def _end(task: asyncio.Task[None]) -> None:
    """Cancel a task. If it has failed, that is logged, and nothing else is affected."""
    task.cancel()
    try:
        await task
    except asyncio.CancelledError:
        pass
    except Exception as error:
        _log.warning("a way of finding peers had failed", why=str(error) or type(error).__name__)
