"""What the web side remembers of peers that were here."""

from __future__ import annotations

from typing import cast

import pytest

from goop2.peers.discovery.roster import DiscoverySource, Roster
from goop2.protocols.presence import Presence
from goop2.web.remote import network as module
from goop2.web.remote.network import NetworkView, RemoteNetwork


class Net:
    """Of a network as much as a name needs."""

    def __init__(self) -> None:
        self.roster = Roster("self", lambda: 0.0)

    def comes(self, peer: str, label: str, source: DiscoverySource = DiscoverySource.ITSELF) -> None:
        self.roster._here(Presence("online", peer, label=label), source)

    def goes(self, peer: str) -> None:
        self.roster._gone(peer)


def remote_with(net: Net) -> RemoteNetwork:
    remote = RemoteNetwork()
    remote.attach(cast(NetworkView, net))
    return remote


def test_the_name_of_a_peer_outlives_its_going_and_ours() -> None:
    net = Net()
    net.comes("ann", "Ann")
    remote = remote_with(net)
    net.comes("bob", "Bob")
    net.comes("bob", "Robert")
    net.goes("ann")
    assert [remote.label(peer) for peer in ("ann", "bob", "eve")] == ["Ann", "Robert", ""]
    remote.detach()
    net.comes("eve", "Eve")
    assert [remote.label(peer) for peer in ("ann", "eve")] == ["Ann", ""]


def test_what_others_say_a_peer_is_called_is_shown_until_it_says_so_itself_and_not_remembered() -> None:
    net = Net()
    remote = remote_with(net)
    net.comes("ann", "Mallory", DiscoverySource.HEARSAY)
    assert remote.label("ann") == "Mallory"
    net.comes("ann", "Ann")
    net.goes("ann")
    net.comes("ann", "Mallory", DiscoverySource.HEARSAY)
    net.comes("bob", "Mallory", DiscoverySource.HEARSAY)
    net.goes("bob")
    assert [remote.label(peer) for peer in ("ann", "bob")] == ["Ann", ""]


def test_who_has_not_said_its_name_has_none() -> None:
    net = Net()
    remote = remote_with(net)
    net.comes("ann", "")
    assert remote.label("ann") == ""


def test_names_without_end_are_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LABELS_MAX", 2)
    net = Net()
    remote = remote_with(net)
    for peer in ("ann", "bob", "ann", "eve"):
        net.comes(peer, peer.title() + peer)
        net.goes(peer)
    assert [bool(remote.label(peer)) for peer in ("ann", "bob", "eve")] == [True, False, True]
