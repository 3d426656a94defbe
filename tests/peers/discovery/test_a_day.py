"""A day of five hundred peers coming and going, most of them under a name never heard before: what is kept of them does not grow.

Everything that remembers peers, together, under one clock the test turns. Signatures are left out: they remember nothing.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
from collections import Counter, OrderedDict, deque
from types import SimpleNamespace
from typing import Any, Final

import base58
import pytest
from libp2p.peer.id import ID
from libp2p.pubsub import gossipsub, pubsub
from libp2p.pubsub.pb import rpc_pb2
from libp2p.tools.timed_cache import base_timed_cache, last_seen_cache
from nacl.public import PrivateKey
from tests.net.conftest import guest
from tests.net.hosts import loopback_host

from goop2.net import dialling, gossip
from goop2.net.admission import Admission
from goop2.net.faults import ProtocolNotSupportedError
from goop2.net.guest import Guest
from goop2.net.host import Host
from goop2.net.limits import HostLimits
from goop2.net.places import RelayLimits, RelayReservations
from goop2.peers import key_exchange, payload_crypto
from goop2.peers.dedup_cache import DedupCache
from goop2.peers.discovery import reconnect, roster
from goop2.peers.discovery.presence import PresenceListener
from goop2.protocols import circuit, topics
from goop2.protocols.presence import Presence, write
from goop2.rendezvous.registry import Registry
from goop2.services.groups.state import GroupState

__all__ = ["guest"]

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
}
"""Each, and what grows without it."""
SWEPT_AT: Final = {".router.equivocation_detection": 1000}
"""So much may be there whenever one looks: the library halves it when it is reached."""


class Clock:
    def __init__(self) -> None:
        self.now = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now

    def module(self) -> SimpleNamespace:
        """What is asked of the module `time`."""
        return SimpleNamespace(time=self, monotonic=self, time_ns=lambda: int(self.now * 1e9))


class Day:
    """What a peer and a rendezvous keep of others."""

    def __init__(self, guest: Guest, host: Host, clock: Clock) -> None:
        self._guest = guest
        self.roster = roster.Roster("me", clock)
        self.redials = reconnect.RedialSchedule(clock, lambda: 0.5)
        self.book = dialling.AddressBook()
        self.hearing = PresenceListener(self.roster, self.found)
        self.router = gossip._Router(TOPIC)
        self.pubsub = gossip._Pubsub(host._host, self.router, TOPIC, self.hearing.gossip)
        self.pubsub.strict_signing = False
        self.pubsub.validation_cache.max_size = BOUND
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
        self.pubsub.seen_messages.stop()

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
        self.pubsub.seen_messages._sweep()
        for _ in range(5):
            self.router.mcache.shift()
        self.router._prune_idontwant_entries()
        self.router._periodic_security_cleanup()

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
        message = rpc_pb2.Message(
            data=write(said), topicIDs=[TOPIC], from_id=ID.from_string(peer).to_bytes(), seqno=stamp.to_bytes(8, "big")
        )
        await self._guest.call(self.pubsub.push_msg, ID.from_string(_id(at % REGULARS + 1)), message)
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
    return base58.b58encode(b"\x00\x24\x08\x01\x12\x20" + number.to_bytes(32, "big")).decode()


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
        elif type(thing).__module__.startswith(("goop2.", "libp2p.pubsub", "libp2p.tools.timed_cache", "tests.peers.discovery")):
            for name, value in getattr(thing, "__dict__", {}).items():
                if name not in ("host", "pubsub") or where == "":
                    look(value, f"{where}.{name}")

    look(day, "")
    return found


def grown(before: Counter[str], after: Counter[str]) -> dict[str, tuple[int, int]]:
    return {where: (before[where], size) for where, size in after.items() if size > max(before[where], SWEPT_AT.get(where, 0)) + SLACK}


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    for module in (gossip, gossipsub, pubsub, base_timed_cache, last_seen_cache):
        monkeypatch.setattr(module, "time", clock.module())
    for module, bound in BOUNDS:
        monkeypatch.setattr(module, bound, PEERS + BOUND if module is roster else BOUND)
    return clock


async def test_what_is_kept_of_500_peers_is_the_same_after_2_hours_and_after_24(guest: Guest, clock: Clock) -> None:
    async with loopback_host(guest) as host:
        day = Day(guest, host, clock)
        await day.hours(2)
        before = kept(day)
        await day.hours(22)
        assert grown(before, kept(day)) == {}
        await day.close()


async def test_without_its_bound_each_of_them_would_be_seen_to_grow(guest: Guest, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    for module, bound in BOUNDS:
        monkeypatch.setattr(module, bound, UNBOUNDED)
    monkeypatch.delattr(gossip._Router, "publish")
    async with loopback_host(guest) as host:
        day = Day(guest, host, clock)
        await day.hours(2)
        before = kept(day)
        monkeypatch.setattr(day.pubsub.seen_messages, "_sweep", lambda: None)
        await day.hours(2)
        without = grown(before, kept(day))
        await day.close()
    assert {*BOUNDS.values(), ".router.recent_message_deliveries[]", ".pubsub.seen_messages.cache"} <= without.keys()
