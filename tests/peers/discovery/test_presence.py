"""Giving signs and taking those of others."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Sequence

import pytest
from tests.net.hosts import new_identity, until

from goop2.net.address import PeerAddress
from goop2.peers.discovery import presence as module
from goop2.peers.discovery.presence import PresenceListener, addresses_of, open_announcer
from goop2.peers.discovery.roster import Roster
from goop2.protocols.presence import Presence, write

ANN, BOB = new_identity().peer_id, new_identity().peer_id


class Heard:
    def __init__(self) -> None:
        self.roster = Roster("me", time.monotonic)
        self.found: list[PeerAddress] = []
        self.hearing = PresenceListener(self.roster, self._find)

    def _find(self, addresses: Sequence[PeerAddress]) -> None:
        self.found.extend(addresses)

    def labels(self) -> dict[str, str]:
        return {peer.id: peer.label for peer in self.roster.peers()}


@pytest.fixture
def heard() -> Heard:
    return Heard()


def online(peer: str, ts: int = 1, label: str = "", address: str = "/ip4/192.0.2.7/tcp/1") -> bytes:
    return write(Presence("online", peer, label, addrs=(address,), ts=ts))


def test_an_author_is_believed_about_itself_and_handed_on(heard: Heard) -> None:
    assert heard.hearing.gossip(ANN, online(ANN, label="Ann"))
    assert heard.labels() == {ANN: "Ann"}
    assert heard.found == [PeerAddress(ANN, "/ip4/192.0.2.7/tcp/1")]


def test_what_an_author_says_of_another_goes_no_further(heard: Heard) -> None:
    assert not heard.hearing.gossip(BOB, online(ANN))
    assert not heard.hearing.gossip(BOB, write(Presence("punch", ANN)))
    assert (heard.labels(), heard.found) == ({}, [])


def test_garbage_and_replays_go_no_further(heard: Heard) -> None:
    assert heard.hearing.gossip(ANN, online(ANN, 5))
    for payload in (online(ANN, 4), b"", b"{}", b"\xff"):
        assert not heard.hearing.gossip(ANN, payload)


def test_a_key_nobody_knows_disturbs_nobody(heard: Heard) -> None:
    said = json.loads(online(ANN, label="Ann")) | {"mood": {"x": [1]}}
    assert heard.hearing.gossip(ANN, json.dumps(said).encode())
    assert heard.labels() == {ANN: "Ann"}


def test_a_rendezvous_shows_who_may_be_there_and_takes_nobody_away(heard: Heard) -> None:
    heard.hearing.rendezvous(online(ANN, label="Ann"))
    heard.hearing.rendezvous(write(Presence("offline", ANN)))
    assert heard.labels() == {ANN: "Ann"}


@pytest.mark.parametrize("peer", ["", "nobody", "x" * 5000])
def test_a_rendezvous_is_not_heard_about_what_is_no_peer(heard: Heard, peer: str) -> None:
    heard.hearing.rendezvous(online(peer))
    assert (heard.labels(), heard.found) == ({}, [])


def test_an_address_with_another_peers_id_is_left_out() -> None:
    addrs = (f"/ip4/192.0.2.1/tcp/1/p2p/{ANN}", f"/ip4/192.0.2.2/tcp/1/p2p/{BOB}", "/ip4/192.0.2.3/tcp/1", "/unix/x", "nonsense")
    transports = [address.transport for address in addresses_of(Presence("online", ANN, addrs=addrs))]
    assert transports == ["/ip4/192.0.2.1/tcp/1", "/ip4/192.0.2.3/tcp/1"]


def test_a_way_through_a_relay_may_leave_out_who_is_at_its_end() -> None:
    through = f"/ip4/192.0.2.1/tcp/1/p2p/{BOB}/p2p-circuit"
    for text in (through, f"{through}/p2p/{ANN}"):
        assert addresses_of(Presence("online", ANN, addrs=(text,))) == [PeerAddress(ANN, through)]
    assert addresses_of(Presence("online", ANN, addrs=(f"{through}/p2p/{BOB}",))) == []


async def test_signs_are_given_at_once_at_every_change_and_at_the_end_each_later_than_the_last() -> None:
    given: list[Presence] = []

    async def way(said: Presence) -> None:
        given.append(said)

    async def broken(_said: Presence) -> None:
        raise OSError

    async with open_announcer(lambda: Presence("online", ANN, "Ann"), [broken, way], asyncio.Event()) as announcer:
        await until(lambda: len(given) == 1)
        announcer.changed.set()
        await until(lambda: len(given) == 2)
    assert [said.type for said in given] == ["online", "update", "offline"]
    assert [said.ts for said in given] == sorted({said.ts for said in given})


async def test_signs_go_on_though_one_way_hangs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "HEARTBEAT_SECONDS", 0.05)
    given: list[str] = []

    async def way(said: Presence) -> None:
        given.append(said.type)

    async def hanging(_said: Presence) -> None:
        await asyncio.sleep(3600)  # until it is cancelled

    async with open_announcer(lambda: Presence("online", ANN), [hanging, way], asyncio.Event()):
        await until(lambda: len(given) >= 3)
    assert (given[0], set(given[1:-1]), given[-1]) == ("online", {"update"}, "offline")


async def test_a_shortage_of_this_machine_does_not_end_the_announcer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "HEARTBEAT_SECONDS", 0.05)
    given: list[str] = []
    shortages = iter([OSError(24, "Too many open files")] * 2)

    def says() -> Presence:
        for shortage in shortages:
            raise shortage
        return Presence("online", ANN)

    async def way(said: Presence) -> None:
        given.append(said.type)

    async with open_announcer(says, [way], asyncio.Event()):
        await until(lambda: len(given) >= 2)
