"""Sixty routers together, without a network: meshes form and stay, everybody hears what is said, also where much of it is lost."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from random import Random

import pytest
from tests.clock import Clock
from tests.net.gossip.authors import TOPIC, Author

from goop2.net.gossip.caches import SeenCache
from goop2.net.gossip.messages import GossipMessage, read_message
from goop2.net.gossip.router import DEGREE_HIGH, DEGREE_LOW, OUTBOUND, Router
from goop2.net.gossip.rpc import read_control, read_rpc
from goop2.protocols.protobuf import read_varint

PEERS = 60
CONNECTIONS = 8
"""A peer opens; it has as many again that others open."""
SETTLED_HEARTBEATS = 10


class Network:
    """Routers and who is connected to whom; what one writes, the other has read at once, or never."""

    def __init__(self, seed: int) -> None:
        self.clock = Clock()
        self.dice = Random(seed)
        self.loss = 0.0
        """How much of others' messages is lost."""
        self.routers: dict[str, Router] = {}
        self.heard: dict[str, Counter[bytes]] = {}
        self.sent = 0
        for number in range(PEERS):
            self.add(f"peer {number}")
        for one in self.routers:
            for other in self.dice.sample([each for each in self.routers if each != one], CONNECTIONS):
                self.connect(one, other)

    def add(self, peer: str) -> None:
        seen = SeenCache(120, 10_000, self.clock)
        self.routers[peer] = Router(TOPIC, seen, self.clock, Random(self.dice.random()))
        self.heard[peer] = Counter()

    def connect(self, one: str, other: str) -> None:
        """Where there are two connections, the one that is known is the last."""
        for here, there, outbound in ((one, other, True), (other, one, False)):
            self.routers[here].reach(there, outbound)
            self.routers[here].listen(there, True)
        self.deliver([one, other])

    def remove(self, peer: str) -> None:
        del self.routers[peer]
        for router in self.routers.values():
            router.lose(peer)
            router.listen(peer, False)

    def deliver(self, writers: Iterable[str]) -> None:
        """Until nobody has anything to write."""
        waiting = set(writers)
        while waiting:
            writer = waiting.pop()
            for each in self.routers[writer].drain():
                if each.peer not in self.routers or (each.handed_on and self.dice.random() < self.loss):
                    continue
                rpc = read_rpc(each.frame[read_varint(each.frame)[1] :])
                for content in rpc.messages:
                    self.sent += 1
                    self.hear(each.peer, writer, content)
                self.routers[each.peer].control(writer, read_control(rpc.control, TOPIC))
                waiting.add(each.peer)

    def hear(self, peer: str, source: str, content: bytes) -> None:
        message = read_message(content)
        assert message is not None
        router = self.routers[peer]
        if message.name not in router._seen:
            self.heard[peer][message.data] += 1
            router.forward(message, source)

    def beat(self, count: int = 1) -> None:
        for _ in range(count):
            self.clock.now += 1
            for router in self.routers.values():
                router.heartbeat()
            self.deliver(self.routers)

    def publish(self, peer: str, message: GossipMessage) -> None:
        self.routers[peer].publish(message)
        self.deliver([peer])

    def missing(self, author: str, data: bytes) -> set[str]:
        """Who has not heard it, or not once."""
        return {peer for peer in self.routers if peer != author and self.heard[peer][data] != 1}


@pytest.fixture(params=range(3))
def network(request: pytest.FixtureRequest) -> Network:
    made = Network(request.param)
    made.beat(SETTLED_HEARTBEATS)
    return made


def test_meshes_form_within_their_bounds_and_both_sides_know_of_them(network: Network) -> None:
    for peer, router in network.routers.items():
        assert DEGREE_LOW <= len(router.mesh) <= DEGREE_HIGH
        assert sum(router._is_outbound(each) for each in router.mesh) >= OUTBOUND
        assert all(peer in network.routers[each].mesh for each in router.mesh)


def test_meshes_that_have_formed_stay(network: Network) -> None:
    before = {peer: set(router.mesh) for peer, router in network.routers.items()}
    network.beat(20)
    assert {peer: router.mesh for peer, router in network.routers.items()} == before


def test_nobody_is_blamed_for_anything(network: Network) -> None:
    network.beat(100)
    assert [peer for peer, router in network.routers.items() if router._faults._used or router._ignored] == []


def test_everybody_hears_what_is_said_once_at_once_and_no_oftener_than_the_mesh_is_wide(network: Network) -> None:
    author = Author()
    for number, peer in enumerate(list(network.routers)[:10]):
        network.sent = 0
        network.publish(peer, author.says(b"%d" % number))
        assert network.missing(peer, b"%d" % number) == set()
        assert network.sent <= PEERS * DEGREE_HIGH


def test_a_third_goes_and_the_others_still_hear_each_other(network: Network) -> None:
    for peer in network.dice.sample(list(network.routers), PEERS // 3):
        network.remove(peer)
    network.beat(2)
    (first, *_) = network.routers
    network.publish(first, Author().says(b"still here"))
    assert network.missing(first, b"still here") == set()


def test_what_is_lost_is_heard_a_few_heartbeats_later(network: Network) -> None:
    (first, *_) = network.routers
    network.loss = 0.9
    network.publish(first, Author().says(b"hello"))
    assert network.missing(first, b"hello")
    network.loss = 0.2
    network.beat(5)
    assert network.missing(first, b"hello") == set()


def test_who_comes_late_is_let_in_and_hears(network: Network) -> None:
    network.add("late")
    for peer in network.dice.sample([each for each in network.routers if each != "late"], CONNECTIONS):
        network.connect("late", peer)
    network.beat(2)
    assert len(network.routers["late"].mesh) >= DEGREE_LOW
    (first, *_) = network.routers
    network.publish(first, Author().says(b"hello"))
    assert network.missing(first, b"hello") == set()
