"""Groups between peers that exchange messages in memory: each message goes through the network's own form and back."""

from __future__ import annotations

import json
from collections import deque

import pytest

from goop2.p2p import groups as module
from goop2.p2p.groups import Change, Groups, NoSuchGroup, Outgoing, TooManyGroups
from goop2.p2p.protocols import topics


class Network:
    """Peers, and who told what to whom."""

    def __init__(self) -> None:
        self.peers: dict[str, Groups] = {}
        self.changes: dict[str, list[Change]] = {}
        self.topics: list[tuple[str, str, str]] = []

    def peer(self, name: str) -> Groups:
        groups = self.peers[name] = Groups(name, lambda: 1700000000000)
        self.changes[name] = []
        groups.subscribe(self.changes[name].append)
        return groups

    def deliver(self, sender: str, outgoing: list[Outgoing]) -> None:
        waiting = deque((sender, each) for each in outgoing)
        while waiting:
            from_, each = waiting.popleft()
            self.topics.append((from_, each.peer, each.topic.rsplit(":", 1)[1]))
            event = topics.read(each.topic, each.payload)
            assert isinstance(event, topics.Group)
            waiting.extend((each.peer, answer) for answer in self.peers[each.peer].received(from_, event))

    def told(self, name: str) -> list[tuple[str, tuple[str, ...]]]:
        return [(change.what, change.group.members) for change in self.changes[name]]


@pytest.fixture
def network() -> Network:
    network = Network()
    for name in ("host", "ann", "bob", "eve"):
        network.peer(name)
    return network


@pytest.fixture
def game(network: Network) -> str:
    """A group of the host's with ann and bob in it."""
    group = network.peers["host"].host("Game", "template", max_members=2).id
    for name in ("ann", "bob"):
        network.deliver(name, network.peers[name].join("host", group))
    return group


def said(type_: str, group: str, payload: object = None) -> topics.Group:
    event = topics.read(
        topics.group_topic(group, type_), json.dumps(payload if payload is not None else {"type": type_, "group": group}).encode()
    )
    assert isinstance(event, topics.Group)
    return event


def test_who_joins_is_welcomed_and_all_others_hear_of_it(network: Network, game: str) -> None:
    ann = network.peers["ann"].joined()[0]
    assert (ann.id, ann.name, ann.kind, ann.max_members, ann.members) == (game, "Game", "template", 2, ("ann", "bob"))
    assert network.told("ann") == [("joined", ("ann",)), ("members", ("ann", "bob"))]
    assert network.told("bob") == [("joined", ("ann", "bob"))]


def test_a_full_group_lets_nobody_in(network: Network, game: str) -> None:
    network.deliver("eve", network.peers["eve"].join("host", game))
    change = network.changes["eve"][-1]
    assert (change.what, change.refused.code) == ("refused", "full")
    assert network.peers["eve"].joined() == ()
    assert not network.peers["host"].is_member("eve", "template")


def test_who_joins_twice_is_in_once(network: Network, game: str) -> None:
    network.deliver("ann", network.peers["ann"].join("host", game))
    assert network.peers["host"].hosted()[0].members == ("ann", "bob")
    assert network.peers["ann"].joined()[0].joined, "though the group is full"


def test_a_message_of_a_member_reaches_host_and_all_others_but_itself(network: Network, game: str) -> None:
    network.deliver("ann", network.peers["ann"].send("host", game, b'{"move":1}'))
    assert [(change.sender, change.payload) for change in network.changes["host"] if change.what == "msg"] == [("ann", b'{"move":1}')]
    assert [(change.sender, change.payload) for change in network.changes["bob"] if change.what == "msg"] == [("host", b'{"move":1}')]
    assert [change for change in network.changes["ann"] if change.what == "msg"] == []


def test_the_host_speaks_to_all(network: Network, game: str) -> None:
    network.deliver("host", network.peers["host"].send("host", game, b"1"))
    assert [network.changes[name][-1].payload for name in ("ann", "bob")] == [b"1", b"1"]


@pytest.mark.parametrize("type_", ["msg", "leave", "ping", "close", "members", "welcome"])
def test_a_stranger_does_nothing_in_a_group(network: Network, game: str, type_: str) -> None:
    before = network.peers["host"].hosted()
    payload = {"members": [{"peer_id": "eve"}]} if type_ in ("members", "welcome") else None
    assert network.peers["host"].received("eve", said(type_, game, payload)) == []
    assert network.peers["host"].hosted() == before
    assert [change for change in network.changes["host"] if change.sender == "eve"] == []


@pytest.mark.parametrize("type_", ["msg", "close", "members", "welcome", "error", "meta", "state"])
def test_only_the_host_speaks_for_the_group(network: Network, game: str, type_: str) -> None:
    before, heard = network.peers["ann"].joined(), len(network.changes["ann"])
    payload = {"members": [{"peer_id": "eve"}]} if type_ in ("members", "welcome") else None
    assert network.peers["ann"].received("bob", said(type_, game, payload)) == []
    assert (network.peers["ann"].joined(), len(network.changes["ann"])) == (before, heard)


@pytest.mark.parametrize("type_", ["msg", "members", "meta", "state"])
def test_a_host_that_has_not_let_us_in_tells_us_nothing(network: Network, type_: str) -> None:
    network.peers["ann"].join("host", "g")
    network.peers["ann"].received("host", said(type_, "g", {"members": []} if type_ == "members" else None))
    assert network.changes["ann"] == []
    with pytest.raises(NoSuchGroup):
        network.peers["ann"].send("host", "g", b"1")


def test_whoever_leaves_or_goes_offline_is_no_member(network: Network, game: str) -> None:
    network.deliver("bob", network.peers["bob"].leave("host", game))
    assert network.changes["ann"][-1].group.members == ("ann",)
    network.deliver("host", network.peers["host"].gone("ann"))
    assert network.peers["host"].hosted()[0].members == ()
    assert not network.peers["host"].is_member("ann", "template")


def test_a_group_ends_with_its_host(network: Network, game: str) -> None:
    network.deliver("host", network.peers["host"].close(game))
    assert network.changes["ann"][-1].what == "ended"
    network.peers["bob"].join("host", "other")
    network.peers["bob"].gone("host")
    assert [network.peers[name].joined() for name in ("ann", "bob")] == [(), ()]


def test_a_new_name_is_told(network: Network, game: str) -> None:
    network.deliver("host", network.peers["host"].change(game, "Finale", 3))
    assert [(group.name, group.max_members) for group in network.peers["ann"].joined()] == [("Finale", 3)]


def test_a_ping_is_answered_both_ways(network: Network, game: str) -> None:
    assert [each.topic for each in network.peers["host"].received("ann", said("ping", game))] == [f"group:{game}:pong"]
    assert [each.topic for each in network.peers["ann"].received("host", said("ping", game))] == [f"group:{game}:pong"]


def test_two_hosts_may_have_chosen_the_same_id(network: Network) -> None:
    for host in ("host", "eve"):
        network.peers[host].host(host, "template", group="same")
        network.deliver("ann", network.peers["ann"].join(host, "same"))
    assert [group.name for group in network.peers["ann"].joined()] == ["host", "eve"]


def test_the_policy_asks_for_members_of_one_kind(network: Network, game: str) -> None:
    assert network.peers["host"].is_member("ann", "template")
    assert not network.peers["host"].is_member("ann", "listen")


def test_a_host_that_takes_part_is_on_its_list(network: Network) -> None:
    group = network.peers["host"].host("Radio", "listen", take_part=True)
    network.deliver("ann", network.peers["ann"].join("host", group.id))
    assert network.peers["ann"].joined()[0].members == ("host", "ann")


def test_groups_are_bounded(network: Network, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "HOSTED_MAX", 1)
    monkeypatch.setattr(module, "JOINED_MAX", 1)
    network.peers["host"].host("one", "template")
    network.peers["ann"].join("host", "one")
    with pytest.raises(TooManyGroups, match="close one"):
        network.peers["host"].host("two", "template")
    with pytest.raises(TooManyGroups, match="leave one"):
        network.peers["ann"].join("host", "two")


def test_members_are_bounded_where_the_host_sets_no_bound(network: Network, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MEMBERS_MAX", 1)
    group = network.peers["host"].host("Game", "template").id
    for name in ("ann", "bob"):
        network.deliver(name, network.peers[name].join("host", group))
    assert network.peers["host"].hosted()[0].members == ("ann",)
