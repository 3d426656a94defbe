"""Members whom a host removes from its group: what they and the others are told, and when they may return."""

from __future__ import annotations

import pytest
from tests.services.groups.network import Network, said

from goop2.services.groups import state as module
from goop2.services.groups.errors import (
    UnknownGroupError,
    UnknownMemberError,
)


def test_a_removed_member_hears_that_it_is_over_and_the_others_that_it_is_gone(network: Network, game: str) -> None:
    host = network.peers["host"]
    network.deliver("host", host.remove(game, "ann"))
    assert (host.hosted()[0].members, host.is_member("ann"), host.removed(game)) == (("bob",), False, ("ann",))
    assert network.changes["bob"][-1].group.members == ("bob",)
    last = network.changes["ann"][-1]
    assert (last.what, last.refused.code, last.refused.message) == ("ended", "removed", "the host has removed this peer")
    assert network.peers["ann"].joined() == ()


def test_a_removed_member_speaks_to_nobody_and_is_let_in_when_it_is_invited_again(network: Network, game: str) -> None:
    host, ann = network.peers["host"], network.peers["ann"]
    host.remove(game, "ann")  # its message is lost
    before = len(network.changes["bob"])
    network.deliver("ann", ann.send("host", game, b"1"))
    assert [change.what for change in network.changes["host"]].count("msg") == 0
    assert len(network.changes["bob"]) == before
    assert network.changes["ann"][-1].what == "ended", "whoever speaks and is no member any more learns it"
    network.deliver("ann", ann.join("host", game))
    assert (network.changes["ann"][-1].what, network.changes["ann"][-1].refused.code) == ("refused", "removed")
    host.invitation(game, "ann")
    network.deliver("ann", ann.join("host", game))
    assert host.hosted()[0].members == ("bob", "ann")


def test_who_was_away_when_it_was_removed_learns_it_when_it_is_back(network: Network, game: str) -> None:
    host, ann = network.peers["host"], network.peers["ann"]
    host.gone("ann")
    ann.gone("host")
    assert [each.peer for each in host.remove(game, "ann")] == [], "nothing is sent to who is not here, and no list changes"
    assert host.hosted()[0].away == ()
    network.deliver("ann", ann.back("host"))
    assert network.changes["ann"][-1].refused.code == "removed"
    assert ann.joined() == ()


def test_who_was_removed_is_out_after_a_restart_of_the_host_too(network: Network, game: str) -> None:
    host = network.peers["host"]
    host.remove(game, "ann")
    kept, since, removed = host.hosted()[0], host.members_since(game), host.removed(game)
    again = network.peer("host")
    again.restore([(kept, since, removed)], [])
    network.deliver("ann", network.peers["ann"].join("host", game))
    assert not again.is_member("ann")


@pytest.mark.parametrize(("group", "peer"), [("nosuch", "ann"), ("", "eve"), ("", "host")])
def test_who_is_no_member_is_not_removed(network: Network, game: str, group: str, peer: str) -> None:
    with pytest.raises(UnknownGroupError if group else UnknownMemberError):
        network.peers["host"].remove(group or game, peer)


def test_a_storm_of_a_removed_peer_is_not_answered(network: Network, game: str) -> None:
    network.passes_ms = 0
    network.peers["host"].remove(game, "ann")
    for type_ in ("msg", "join", "ping"):
        assert len([each for _ in range(200) for each in network.peers["host"].received("ann", said(type_, game))]) < 50


def test_of_those_removed_the_last_are_remembered(network: Network, game: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "REMOVED_MAX", 1)
    for name in ("ann", "bob"):
        network.peers["host"].remove(game, name)
    assert network.peers["host"].removed(game) == ("bob",)
