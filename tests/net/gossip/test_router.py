"""To whom what is sent. The clock stands still until it is turned, and nothing is written anywhere."""

from __future__ import annotations

from random import Random

import pytest
from tests.clock import Clock
from tests.net.gossip.authors import TOPIC, Author

from goop2.net.gossip import router as module
from goop2.net.gossip.caches import GOSSIP_WINDOWS, KEPT_WINDOWS, SeenCache
from goop2.net.gossip.messages import GossipMessage, read_message
from goop2.net.gossip.router import (
    BACK_OFF_SLACK_SECONDS,
    BROKEN_PROMISE,
    DEGREE,
    DEGREE_HIGH,
    DEGREE_LOW,
    EARLY_GRAFT,
    FANOUT_SECONDS,
    FORGET_EVERY_HEARTBEATS,
    IGNORED_SECONDS,
    LAZY_DEGREE,
    OUTBOUND,
    PROMISE_SECONDS,
    Router,
)
from goop2.net.gossip.rpc import Control, read_control, read_rpc
from goop2.net.limits import (
    FORGETTING_AT_KEYS,
    GOSSIP_BACK_OFF_MAX_SECONDS,
    GOSSIP_BACK_OFF_SECONDS,
    GOSSIP_FAULTS_PER_MINUTE,
    GOSSIP_IDS_PER_HEARTBEAT,
    GOSSIP_IHAVES_PER_HEARTBEAT,
    GOSSIP_PROMISES_MAX,
    GOSSIP_SEEN_MAX,
    GOSSIP_SEEN_SECONDS,
)
from goop2.protocols.protobuf import read_varint

ANN = Author()


class Table:
    """A router, and what it has sent."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.seen = SeenCache(GOSSIP_SEEN_SECONDS, GOSSIP_SEEN_MAX, self.clock)
        self.router = Router(TOPIC, self.seen, self.clock, Random(1))

    def meet(self, count: int, *, outbound: bool = False, name: str = "peer") -> list[str]:
        """So many that listen and can be written to."""
        peers = [f"{name} {number}" for number in range(count)]
        for peer in peers:
            self.router.reach(peer, outbound)
            self.router.listen(peer, True)
        return peers

    def controls(self) -> dict[str, Control]:
        """What is to be sent now, of controls; messages are dropped."""
        sent = {}
        for each in self.router.drain():
            rpc = read_rpc(each.frame[read_varint(each.frame)[1] :])
            if rpc.control:
                sent[each.peer] = read_control(rpc.control, TOPIC)
        return sent

    def messages(self) -> list[tuple[str, bytes]]:
        """To whom what message is to be sent now."""
        sent = []
        for each in self.router.drain():
            for content in read_rpc(each.frame[read_varint(each.frame)[1] :]).messages:
                message = read_message(content)
                assert message is not None
                sent.append((each.peer, message.data))
        return sorted(sent)

    def pass_seconds(self, seconds: float) -> None:
        """With a heartbeat each."""
        for _ in range(int(seconds)):
            self.clock.now += 1
            self.router.heartbeat()


@pytest.fixture
def table() -> Table:
    return Table()


# The mesh.


def test_the_first_listeners_are_taken_into_the_mesh_at_once(table: Table) -> None:
    peers = table.meet(DEGREE + 3)
    assert table.router.mesh == set(peers[:DEGREE_LOW])
    assert table.controls() == {peer: Control(graft=True) for peer in peers[:DEGREE_LOW]}


def test_who_does_not_listen_or_cannot_be_written_to_is_not_in_the_mesh(table: Table) -> None:
    table.router.reach("deaf", True)
    table.router.listen("unreachable", True)
    table.router.heartbeat()
    assert table.router.mesh == set()
    assert table.router.listeners == ("unreachable",)


def test_a_heartbeat_fills_a_short_mesh_up(table: Table) -> None:
    peers = table.meet(20)
    for peer in peers[:DEGREE_LOW]:
        table.router.listen(peer, False)
    table.controls()
    table.router.heartbeat()
    assert len(table.router.mesh) == DEGREE
    assert set(table.controls()) == table.router.mesh <= set(peers[DEGREE_LOW:])


def test_a_heartbeat_cuts_a_full_mesh_down_and_keeps_outbound_connections(table: Table) -> None:
    outbound = table.meet(OUTBOUND, outbound=True, name="outbound")
    for peer in (peers := table.meet(DEGREE_HIGH + 5)):
        table.router.mesh.add(peer)
    table.controls()
    table.router.heartbeat()
    assert len(table.router.mesh) == DEGREE
    assert set(outbound) <= table.router.mesh
    pruned = {*peers, *outbound} - table.router.mesh
    assert table.controls() == {peer: Control(prune=int(GOSSIP_BACK_OFF_SECONDS)) for peer in pruned}


def test_a_mesh_of_inbound_connections_gets_some_outbound_ones(table: Table) -> None:
    table.meet(DEGREE_LOW)
    outbound = table.meet(5, outbound=True, name="outbound")
    table.controls()
    table.router.heartbeat()
    assert len(table.router.mesh & set(outbound)) == OUTBOUND


def test_who_asks_is_let_into_the_mesh_until_it_is_full(table: Table) -> None:
    peers = table.meet(DEGREE_HIGH + 2)
    (friend,) = table.meet(1, outbound=True, name="friend")
    table.controls()
    for peer in (*peers, friend):
        table.router.control(peer, Control(graft=True))
    assert table.router.mesh == {*peers[:DEGREE_HIGH], friend}
    assert set(table.controls()) == set(peers[DEGREE_HIGH:])


def test_who_asks_and_does_not_listen_is_not_let_in(table: Table) -> None:
    table.router.reach("deaf", False)
    table.router.control("deaf", Control(graft=True))
    assert table.router.mesh == set()
    assert table.controls()["deaf"].prune


def test_a_stranger_to_gossip_says_nothing(table: Table) -> None:
    table.router.control("stranger", Control((b"id",), (b"id",), graft=True, prune=1))
    assert (table.controls(), table.router.back_offs) == ({}, {})


@pytest.mark.parametrize("leave", ["lose", "deaf"])
def test_who_is_gone_is_in_no_mesh_and_comes_back_without_a_back_off(table: Table, leave: str) -> None:
    (peer,) = table.meet(1)
    if leave == "lose":
        table.router.lose(peer)
    else:
        table.router.listen(peer, False)
    assert table.router.mesh == set()
    table.controls()
    table.meet(1)
    assert table.controls() == {peer: Control(graft=True)}


def test_who_is_gone_both_ways_leaves_nothing_behind(table: Table) -> None:
    for peer in table.meet(3):
        table.router.lose(peer)
        table.router.listen(peer, False)
    assert table.router.is_idle
    assert (table.router.listeners, table.router.drain()) == ((), [])


# Back-off.


def test_who_puts_us_out_of_its_mesh_is_left_alone_for_as_long_as_it_says(table: Table) -> None:
    (peer,) = table.meet(1)
    table.router.control(peer, Control(prune=10))
    table.controls()
    assert table.router.mesh == set()
    table.pass_seconds(10 + BACK_OFF_SLACK_SECONDS - 1)
    assert table.controls() == {}
    table.pass_seconds(1)
    assert table.controls() == {peer: Control(graft=True)}


@pytest.mark.parametrize(("said", "kept"), [(0, GOSSIP_BACK_OFF_SECONDS), (2**63, GOSSIP_BACK_OFF_MAX_SECONDS)])
def test_a_back_off_has_a_usual_and_a_longest_length(table: Table, said: int, kept: float) -> None:
    (peer,) = table.meet(1)
    table.router.control(peer, Control(prune=said))
    assert table.router.back_offs == {peer: table.clock.now + kept}


def test_a_shorter_back_off_does_not_end_a_longer_one(table: Table) -> None:
    (peer,) = table.meet(1)
    table.router.control(peer, Control(prune=100))
    table.router.control(peer, Control(prune=1))
    assert table.router.back_offs == {peer: table.clock.now + 100}


def test_who_comes_back_too_early_is_put_out_again_and_waits_from_then(table: Table) -> None:
    (peer,) = table.meet(1)
    table.router.control(peer, Control(prune=10))
    table.clock.now += 5
    table.controls()
    table.router.control(peer, Control(graft=True))
    assert table.router.mesh == set()
    assert table.controls() == {peer: Control(prune=int(GOSSIP_BACK_OFF_SECONDS))}
    assert table.router.back_offs == {peer: table.clock.now + GOSSIP_BACK_OFF_SECONDS}


def test_a_back_off_is_not_ended_by_a_new_connection(table: Table) -> None:
    (peer,) = table.meet(1)
    table.router.control(peer, Control(prune=10))
    table.router.lose(peer)
    table.router.listen(peer, False)
    table.controls()
    table.meet(1)
    assert (table.router.mesh, table.controls()) == (set(), {})


def test_back_offs_that_are_over_are_forgotten(table: Table) -> None:
    (peer,) = table.meet(1)
    table.router.control(peer, Control(prune=1))
    table.router.lose(peer)
    table.pass_seconds(FORGET_EVERY_HEARTBEATS)
    assert table.router.back_offs == {}


def test_there_are_so_many_back_offs_and_those_that_run_longest_are_kept(table: Table) -> None:
    for number in range(FORGETTING_AT_KEYS + 10):
        peer = f"peer {number}"
        table.router.reach(peer, False)
        table.router.control(peer, Control(prune=100 + number % 2))
    assert len(table.router.back_offs) == FORGETTING_AT_KEYS
    assert "peer 1" in table.router.back_offs
    assert "peer 0" not in table.router.back_offs


# Messages.


def test_anothers_message_goes_to_the_mesh_but_not_back(table: Table) -> None:
    peers = table.meet(DEGREE_LOW)
    message = ANN.says(b"hello")
    table.router.forward(message, peers[0])
    assert table.messages() == [(peer, b"hello") for peer in peers[1:]]


def test_anothers_message_does_not_go_to_its_author(table: Table) -> None:
    message = ANN.says(b"hello")
    table.router.reach(message.author_id, False)
    table.router.listen(message.author_id, True)
    table.controls()
    table.router.forward(message, "neighbour")
    assert table.messages() == []


def test_our_own_words_go_past_a_short_mesh(table: Table) -> None:
    peers = table.meet(DEGREE + 4)
    for peer in peers[:3]:
        table.router.control(peer, Control(prune=60))
    table.controls()
    table.router.publish(ANN.says(b"hello"))
    reached = {peer for peer, _ in table.messages()}
    assert (table.router.mesh < reached, len(reached)) == (True, DEGREE)


def test_our_own_words_reach_a_listener_that_wants_us_in_no_mesh(table: Table) -> None:
    (peer,) = table.meet(1)
    table.router.control(peer, Control(prune=60))
    table.router.publish(ANN.says(b"goodbye"))
    assert table.messages() == [(peer, b"goodbye")]


def test_the_same_listeners_get_our_own_words_for_a_while(table: Table) -> None:
    peers = table.meet(30)
    for peer in peers:
        table.router.control(peer, Control(prune=600))
    table.controls()

    def reached() -> set[str]:
        table.router.publish(ANN.says(b"hello"))
        return {peer for peer, _ in table.messages()}

    first = reached()
    assert first == reached()
    table.pass_seconds(FANOUT_SECONDS)
    table.controls()
    assert reached() != first


def test_the_fan_out_is_not_used_beside_a_mesh_that_is_long_enough(table: Table) -> None:
    peers = table.meet(30)
    table.router.publish(ANN.says(b"hello"))
    for peer in peers:
        table.router.control(peer, Control(graft=True))
    table.controls()
    table.router.publish(ANN.says(b"hello"))
    assert {peer for peer, _ in table.messages()} == table.router.mesh


def test_our_own_words_are_not_handed_on_and_others_are(table: Table) -> None:
    table.meet(1)
    table.controls()
    table.router.publish(ANN.says(b"own"))
    table.router.forward(ANN.says(b"another's"), "neighbour")
    assert [each.handed_on for each in table.router.drain()] == [False, True]


def test_words_of_ours_that_come_back_were_seen(table: Table) -> None:
    message = ANN.says(b"hello")
    table.router.publish(message)
    assert message.name in table.seen


# What was missed.


def offered(table: Table, message: GossipMessage, peer: str) -> None:
    table.router.control(peer, Control(ihave=(message.id,)))


def test_who_is_outside_the_mesh_is_told_of_new_messages_for_so_many_heartbeats(table: Table) -> None:
    peers = table.meet(DEGREE_LOW + 2)
    table.controls()
    message = ANN.says(b"hello")
    table.router.forward(message, "neighbour")
    table.controls()
    for _ in range(GOSSIP_WINDOWS):
        table.router.heartbeat()
        assert table.controls() == {peer: Control(ihave=(message.id,)) for peer in peers[DEGREE_LOW:]}
    table.router.heartbeat()
    assert table.controls() == {}


def test_one_in_four_of_many_is_told(table: Table) -> None:
    table.meet(4 * LAZY_DEGREE + DEGREE_LOW + 8)
    table.controls()
    table.router.forward(ANN.says(b"hello"), "neighbour")
    table.controls()
    table.router.heartbeat()
    assert len(table.controls()) == LAZY_DEGREE + 2


def test_what_was_missed_is_asked_for_and_answered(table: Table) -> None:
    other = Table()
    (peer,) = table.meet(1)
    (_us,) = other.meet(1)
    message = ANN.says(b"hello")
    other.router.forward(message, "neighbour")
    other.controls()
    offered(table, message, peer)
    asked = table.controls()[peer]
    assert asked.iwant == (message.id,)
    other.router.control("peer 0", Control(iwant=asked.iwant))
    assert other.messages() == [("peer 0", b"hello")]


def test_an_offer_in_the_form_of_js_is_asked_for_in_the_same_form(table: Table) -> None:
    (peer,) = table.meet(1)
    seen, message = ANN.says(b"seen"), ANN.says(b"hello")
    table.router.forward(seen, "neighbour")
    table.controls()
    table.router.control(peer, Control(ihave=(seen.id[2:], message.id[2:])))
    assert table.controls()[peer].iwant == (message.id[2:],)


def test_what_was_seen_or_cannot_be_taken_is_not_asked_for(table: Table) -> None:
    (peer,) = table.meet(1)
    message = ANN.says(b"hello")
    table.router.publish(message)
    table.controls()
    table.router.control(peer, Control(ihave=(message.id, b"", b"x" * 46, message.id + b"x")))
    assert table.controls() == {}


def test_a_neighbour_is_asked_for_so_much_between_two_heartbeats(table: Table) -> None:
    (peer,) = table.meet(1)
    table.controls()
    for number in range(4):
        ids = tuple(ANN.id + (number * 10_000 + each).to_bytes(8) for each in range(GOSSIP_IDS_PER_HEARTBEAT // 3))
        table.router.control(peer, Control(ihave=ids))
    assert len(table.controls()[peer].iwant) == GOSSIP_IDS_PER_HEARTBEAT
    table.router.heartbeat()
    offered(table, ANN.says(b"hello"), peer)
    assert len(table.controls()[peer].iwant) == 1


def test_so_many_offers_of_a_neighbour_are_looked_at_between_two_heartbeats(table: Table) -> None:
    (peer,) = table.meet(1)
    table.controls()
    for _ in range(GOSSIP_IHAVES_PER_HEARTBEAT + 5):
        offered(table, ANN.says(b"hello"), peer)
    assert len(table.controls()[peer].iwant) == GOSSIP_IHAVES_PER_HEARTBEAT


def test_a_neighbour_is_answered_so_much_between_two_heartbeats(table: Table, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "GOSSIP_IDS_PER_HEARTBEAT", 2)
    (peer,) = table.meet(1)
    said = [ANN.says(b"%d" % number) for number in range(4)]
    for message in said:
        table.router.forward(message, peer)
    table.controls()
    table.router.control(peer, Control(iwant=tuple(message.id for message in said)))
    assert len(table.messages()) == 2


# Conduct.


def test_a_promise_that_is_broken_is_held_against_the_neighbour_and_one_that_is_kept_is_not(table: Table) -> None:
    liar, honest = table.meet(2)
    for number in range(GOSSIP_FAULTS_PER_MINUTE // BROKEN_PROMISE + 1):
        if number % GOSSIP_IHAVES_PER_HEARTBEAT == 0:
            table.router.heartbeat()
        message = ANN.says(b"kept")
        offered(table, message, honest)
        table.seen.add(message.name)
        offered(table, ANN.says(b"broken"), liar)
    table.clock.now += PROMISE_SECONDS
    table.router.heartbeat()
    assert (table.router.ignores(liar), table.router.ignores(honest)) == (True, False)
    assert table.router.promises == {}


def test_promises_are_bounded(table: Table, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "GOSSIP_IHAVES_PER_HEARTBEAT", GOSSIP_PROMISES_MAX * 2)
    (peer,) = table.meet(1)
    for _ in range(GOSSIP_PROMISES_MAX + 5):
        table.router.control(peer, Control(ihave=(ANN.id + len(table.router.promises).to_bytes(8),)))
    for number in range(5):
        table.router.control(peer, Control(ihave=(ANN.id + (10**6 + number).to_bytes(8),)))
    assert len(table.router.promises) == GOSSIP_PROMISES_MAX


def test_who_misbehaves_too_often_is_ignored_for_a_while(table: Table) -> None:
    (peer,) = table.meet(1)
    table.router.control(peer, Control(prune=3600))
    for _ in range(GOSSIP_FAULTS_PER_MINUTE // EARLY_GRAFT):
        table.router.control(peer, Control(graft=True))
    assert not table.router.ignores(peer)
    table.router.control(peer, Control(graft=True))
    assert table.router.ignores(peer)
    table.controls()
    table.router.listen(peer, True)
    offered(table, ANN.says(b"hello"), peer)
    table.router.publish(ANN.says(b"hello"))
    assert (len(table.router.listeners), table.router.drain()) == (0, [])
    table.clock.now += IGNORED_SECONDS
    assert not table.router.ignores(peer)
    table.router.listen(peer, True)
    assert list(table.router.listeners) == [peer]


def test_a_router_without_neighbours_is_idle(table: Table) -> None:
    idle = [table.router.is_idle]
    (peer,) = table.meet(1)
    idle.append(table.router.is_idle)
    table.router.lose(peer)
    table.router.listen(peer, False)
    idle.append(table.router.is_idle)
    assert idle == [True, False, True]


@pytest.mark.parametrize(("seconds", "offered"), [(0, 2), (GOSSIP_WINDOWS, 1), (KEPT_WINDOWS, 0)])
def test_what_was_said_to_nobody_is_offered_to_who_comes_soon(table: Table, seconds: int, offered: int) -> None:
    """Without neighbours there is no heartbeat."""
    for _ in range(20):
        table.router.publish(ANN.says(b"long ago"))
        table.clock.now += 10
    table.router.publish(ANN.says(b"just now"))
    table.clock.now += seconds
    if seconds < KEPT_WINDOWS:
        table.router.publish(ANN.says(b"now"))
    (peer,) = table.meet(1)
    control = table.controls()[peer]
    assert (control.graft, len(control.ihave)) == (True, offered)
    assert len(table.router.cache) <= 2


def test_who_begins_to_listen_again_is_not_offered_everything_again(table: Table) -> None:
    table.meet(1, name="another")
    table.router.publish(ANN.says(b"hello"))
    (peer,) = table.meet(1)
    assert table.controls()[peer].ihave
    table.router.listen(peer, False)
    table.router.listen(peer, True)
    assert table.controls()[peer] == Control(graft=True)
