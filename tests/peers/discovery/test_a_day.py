"""A day of five hundred peers coming and going, most of them under a name never heard before: what is kept of them does not grow.

Everything that remembers peers, together, under one clock the test turns. Signatures are left out: they remember nothing.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
from collections import Counter, OrderedDict, deque
from typing import Any, Final

import pytest
from nacl.public import PrivateKey

from goop2.net import dialling
from goop2.net.admission import Admission
from goop2.net.faults import ProtocolNotSupportedError
from goop2.net.gossip import intake, router
from goop2.net.gossip.caches import SeenCache
from goop2.net.gossip.messages import GossipMessage
from goop2.net.gossip.rpc import Control
from goop2.net.limits import HostLimits
from goop2.net.reservations import RelayLimits, RelayReservations
from goop2.peers import key_exchange, payload_crypto
from goop2.peers.dedup_cache import DedupCache
from goop2.peers.discovery import reconnect, roster
from goop2.peers.discovery.presence import PresenceListener
from goop2.protocols import circuit, peer_ids, topics
from goop2.protocols.presence import Presence, write
from goop2.protocols.protobuf import content
from goop2.rendezvous.registry import Registry
from goop2.services.groups.state import GroupState

PEERS: Final = 500
REGULARS: Final = 100
"""Of these, those that come again in every round."""
ROUNDS_PER_HOUR: Final = 2
BETWEEN_ROUNDS: Final = 3600 / ROUNDS_PER_HOUR
TALKATIVE: Final = 5
"""One of so many gives its signs over gossip and rendezvous with addresses and a key, connects, and joins a group."""
TOPIC: Final = "test.topic"
KEY: Final = base64.b64encode(bytes(PrivateKey.generate().public_key)).decode()
ADDRESS: Final = "/ip4/192.0.2.7/tcp/4001"
SLACK: Final = 60
"""Of a container between two moments: a round's regulars, and who has just come."""
BOUND: Final = 300
"""In the place of larger ones, so that two hours reach it."""
UNBOUNDED: Final = 10**9
BOUNDS: Final = {
    (roster, "PEERS_MAX"): ".roster._last_ts",
    (dialling, "FORGETTING_AT_KEYS"): ".book._transports",
    (payload_crypto, "FORGETTING_AT_KEYS"): ".key_ring._keys",
    (key_exchange, "FORGETTING_AT_KEYS"): ".key_exchange._asked",
    (router, "FORGETTING_AT_KEYS"): ".router.back_offs",
}
"""Each, and what grows without it."""


class Clock:
    def __init__(self) -> None:
        self.now = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now


class Day:
    """What a peer and a rendezvous keep of others."""

    def __init__(self, clock: Clock) -> None:
        self.roster = roster.Roster("me", clock)
        self.redials = reconnect.RedialSchedule(clock, lambda: 0.5)
        self.book = dialling.AddressBook()
        self.hearing = PresenceListener(self.roster, self.found)
        self.intake = intake.Intake(TOPIC, b"", self.hearing.gossip, clock)
        self.router = router.Router(TOPIC, self.intake.seen, clock)
        self.admission = Admission(HostLimits(), clock)
        self.key_ring = payload_crypto.KeyRing(bytes(PrivateKey.generate()), "ours", clock)
        self.key_exchange = key_exchange.KeyExchange(self, self.key_ring, topics.IdentityPayload, clock)
        self.groups = GroupState("me", lambda: int(clock.now * 1000))
        self.group = self.groups.host("Friends", "game", volatile=True).id
        self.places = RelayReservations(RelayLimits(), clock)
        self.registry = Registry(clock)
        self.seen = DedupCache(BOUND)
        self.roster.subscribe(self._changed)
        self._clock = clock
        self._names = 0

    def found(self, addresses: Any) -> None:
        for address in addresses:
            self.book.add(address.peer, [address.transport])
            self.redials.told_of(address.peer)

    async def hours(self, hours: int) -> None:
        for number in range(hours * ROUNDS_PER_HOUR):
            await self._round(number)

    async def close(self) -> None:
        await self.key_exchange.close()

    async def _round(self, number: int) -> None:
        ids = [_id(each) for each in range(REGULARS)] + [_id(self._new_name()) for _ in range(PEERS - REGULARS)]
        for at, peer in enumerate(ids):
            self._sign(peer, "online")
            if at % TALKATIVE == 0:
                await self._talk(peer, at)
        assert len(self.roster) == PEERS
        self._clock.now += roster.HEARTBEAT_SECONDS
        for peer in self.redials.due(()):
            (self.redials.reached if number % 2 else self.redials.failed)(peer)
        for peer in ids[::2]:
            self._sign(peer, "offline")
        self._clock.now += BETWEEN_ROUNDS - roster.HEARTBEAT_SECONDS
        self.roster.expire()
        self.groups.tick()
        for _ in range(router.FORGET_EVERY_HEARTBEATS):
            self.router.heartbeat()
        self.router.drain()

    def _new_name(self) -> int:
        self._names += 1
        return REGULARS + self._names

    def _sign(self, peer: str, kind: Any) -> None:
        said = Presence(kind, peer, f"Peer {peer[-4:]}", ts=int(self._clock.now * 1000))
        self.roster.signed(peer, said)
        self.registry.post(f"192.0.2.{hash(peer) % 250}", said)

    async def _talk(self, peer: str, at: int) -> None:
        stamp = int(self._clock.now * 1000) + 1
        said = Presence("update", peer, "Peer", addrs=(ADDRESS,), public_key=KEY, encryption_supported=True, ts=stamp)
        fields = content(1, peer_ids.to_bytes(peer)) + content(2, write(said)) + content(3, stamp.to_bytes(8)) + content(4, TOPIC.encode())
        message = self.intake.take(_id(at % REGULARS + 1), fields + content(5, bytes(64)))
        self.router.reach(peer, False)
        self.router.listen(peer, True)
        if message is not None:
            self.router.forward(message, peer)
        self.router.control(peer, Control((peer_ids.to_bytes(peer) + bytes(8),), graft=True, prune=int(BETWEEN_ROUNDS)))
        self.router.lose(peer)
        self.router.listen(peer, False)
        self.hearing.rendezvous(write(said))
        address = f"198.51.100.{at % 250}"
        self.registry.admit(address)
        with self.admission.connection(address), self.admission.stream(peer):
            self.admission.received(peer, 1000)
            self.seen.first_time(peer, str(stamp))
        with contextlib.suppress(circuit.RelayRefusedError):
            self.places.reserve(peer, address)
        self.key_ring.learn(peer, KEY, supported=True)
        self.key_exchange.ask(peer)
        topic = topics.group_topic(self.group, "join")
        joins = topics.read(topic, topics.envelope("join", self.group, sender=peer))
        assert isinstance(joins, topics.Group)
        self.groups.received(peer, joins)
        await asyncio.sleep(0)

    async def send(self, _peer: str, _topic: str, _payload: bytes) -> None:
        pass

    async def exchange_identities(self, _peer: str, _own: topics.IdentityPayload) -> topics.IdentityPayload:
        raise ProtocolNotSupportedError

    def _changed(self, change: roster.RosterChange) -> None:
        if change.what == "offline":
            self.groups.gone(change.peer.id)


def _id(number: int) -> str:
    return peer_ids.peer_of(number.to_bytes(32))


def kept(day: Day) -> Counter[str]:
    """How much every container holds that can be reached, by where it stands."""
    found: Counter[str] = Counter()
    seen: set[int] = set()

    def look(thing: Any, where: str) -> None:
        if id(thing) in seen or isinstance(thing, str | bytes | int | float | type):
            return
        seen.add(id(thing))
        if isinstance(thing, dict | OrderedDict | Counter):
            found[where] += len(thing)
            for each in thing.values():
                look(each, f"{where}[]")
        elif isinstance(thing, list | set | frozenset | deque):
            found[where] += len(thing)
            for each in thing:
                look(each, f"{where}[]")
        elif type(thing).__module__.startswith(("goop2.", "tests.peers.discovery")):
            for name, value in getattr(thing, "__dict__", {}).items():
                look(value, f"{where}.{name}")

    look(day, "")
    return found


def grown(before: Counter[str], after: Counter[str]) -> dict[str, tuple[int, int]]:
    return {where: (before[where], size) for where, size in after.items() if size > before[where] + SLACK}


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(GossipMessage, "is_authentic", lambda _message: True)
    monkeypatch.setattr(intake, "GOSSIP_SEEN_MAX", BOUND)
    for module, bound in BOUNDS:
        monkeypatch.setattr(module, bound, PEERS + BOUND if module is roster else BOUND)
    return clock


async def test_what_is_kept_of_500_peers_is_the_same_after_2_hours_and_after_24(clock: Clock) -> None:
    day = Day(clock)
    await day.hours(2)
    before = kept(day)
    await day.hours(22)
    assert grown(before, kept(day)) == {}
    await day.close()


async def test_without_its_bound_each_of_them_would_be_seen_to_grow(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    for module, bound in BOUNDS:
        monkeypatch.setattr(module, bound, UNBOUNDED)
    monkeypatch.setattr(SeenCache, "evict", lambda _cache, _now=None: None)
    monkeypatch.setattr(router.Router, "_forget", lambda _router, _now: None)
    day = Day(clock)
    await day.hours(2)
    before = kept(day)
    await day.hours(2)
    without = grown(before, kept(day))
    await day.close()
    assert {*BOUNDS.values(), ".intake.seen._until"} <= without.keys()
