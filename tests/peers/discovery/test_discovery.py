"""Finding peers, all ways together, between real hosts on loopback."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest
from tests.net.hosts import LOOPBACK, SECONDS, new_identity, until

from goop2.folder.identity import Identity
from goop2.net.address import PeerAddress, parse
from goop2.net.dial_back import open_dial_back
from goop2.net.faults import UnreachableError, WrongPeerError
from goop2.net.host import Host, open_host
from goop2.net.reachability import open_reachability
from goop2.peers.discovery.discovery import Discovery, open_discovery, real_addresses
from goop2.peers.discovery.peers_file import FILE, RememberedPeers
from goop2.peers.discovery.roster import Roster
from goop2.protocols.presence import Presence


class Peer:
    """A peer that looks for others."""

    def __init__(self, host: Host, label: str) -> None:
        self.host = host
        self.label = label
        self.discovery: Discovery

    def says(self) -> Presence:
        return Presence("online", "", self.label)

    def sees(self) -> dict[str, str]:
        return {peer.id: peer.label for peer in self.discovery.roster.peers()}


@contextlib.asynccontextmanager
async def peer(
    folder: Path, label: str, identity: Identity | None = None, port: int = 0, servers: Sequence[str] = ()
) -> AsyncIterator[Peer]:
    async with (
        open_host(identity or new_identity(), port, None, LOOPBACK) as host,
        open_reachability(host, lambda: (LOOPBACK,)) as reachability,
    ):
        one = Peer(host, label)
        async with open_discovery(
            host,
            reachability,
            Roster(host.peer_id, time.monotonic),
            RememberedPeers(_folder(folder / label)),
            one.says,
            servers=servers,
            near_by=False,
        ) as one.discovery:
            yield one


def address_of(one: Peer) -> PeerAddress:
    return parse(one.host.addresses[0])


async def test_peers_that_are_connected_know_each_others_labels_and_goodbyes(tmp_path: Path) -> None:
    async with asyncio.timeout(SECONDS * 2), peer(tmp_path, "Ann") as ann:
        async with peer(tmp_path, "Bob") as bob:
            await ann.discovery.connect(address_of(bob))
            for one, other in ((ann, bob), (bob, ann)):
                while one.sees() != {other.host.peer_id: other.label}:
                    other.discovery.changed()
                    await asyncio.sleep(0.2)
            assert ann.discovery.roster.peers()[0].addresses == bob.host.addresses
        await until(lambda: ann.sees() == {})


async def test_a_peer_typed_in_is_found_when_it_comes_up_and_again_when_it_comes_back(tmp_path: Path) -> None:
    identity = new_identity()
    async with asyncio.timeout(SECONDS * 2):
        async with peer(tmp_path, "Bob", identity) as bob:
            typed = address_of(bob)
        async with peer(tmp_path, "Ann") as ann:
            with pytest.raises(UnreachableError):
                await ann.discovery.connect(typed)
            port = int(typed.transport.rsplit("/", 1)[1])
            for _ in range(2):
                async with peer(tmp_path, "Bob", identity, port):
                    await until(lambda: [each.peer for each in ann.host.peers()] == [identity.peer_id])
                await until(lambda: ann.host.peers() == ())
        assert RememberedPeers(tmp_path / "Ann").addresses() == [typed]


async def test_a_mistyped_id_at_a_live_address_says_so_and_is_not_kept(tmp_path: Path) -> None:
    mistyped = new_identity().peer_id
    async with asyncio.timeout(SECONDS * 2), peer(tmp_path, "Ann") as ann, peer(tmp_path, "Bob") as bob:
        there = address_of(bob)
        with pytest.raises(
            WrongPeerError, match=f"{mistyped} cannot be reached at {there.transport}: another peer is there, {there.peer}; check the id"
        ):
            await ann.discovery.connect(PeerAddress(mistyped, there.transport))
        assert RememberedPeers(tmp_path / "Ann").addresses() == []
        assert not ann.host.is_known(mistyped)
        assert mistyped not in ann.discovery.redialer._schedule._wanted


async def test_a_mistyped_address_takes_none_of_a_peers_others(tmp_path: Path) -> None:
    async with asyncio.timeout(SECONDS * 2), peer(tmp_path, "Ann") as ann, peer(tmp_path, "Bob") as bob:
        cid = new_identity().peer_id
        kept = PeerAddress(cid, "/ip4/127.0.0.1/tcp/1")
        RememberedPeers(tmp_path / "Ann").add(kept)
        with pytest.raises(WrongPeerError):
            await ann.discovery.connect(PeerAddress(cid, address_of(bob).transport))
        assert RememberedPeers(tmp_path / "Ann").addresses() == [kept]


async def test_a_peer_typed_in_before_the_start_is_sought(tmp_path: Path) -> None:
    async with asyncio.timeout(SECONDS), peer(tmp_path, "Bob") as bob:
        RememberedPeers(_folder(tmp_path / "Ann")).add(address_of(bob))
        async with peer(tmp_path, "Ann") as ann:
            await until(lambda: [each.peer for each in ann.host.peers()] == [bob.host.peer_id])


async def test_a_list_of_peers_that_cannot_be_read_is_said_and_stops_nothing(tmp_path: Path) -> None:
    (_folder(tmp_path / "Ann") / "data").mkdir()
    (tmp_path / "Ann" / FILE).write_text("nonsense")
    async with peer(tmp_path, "Ann") as ann:
        assert "mend it or delete it" in ann.discovery.troubles.notes[0]


async def test_a_host_on_every_address_is_announced_with_the_real_ones() -> None:
    async with open_host(new_identity(), 0) as host:
        assert real_addresses(host, ["192.0.2.7"]) == (f"/ip4/192.0.2.7/tcp/{host.port}/p2p/{host.peer_id}",)
        both = [f"/{address}/tcp/{host.port}/p2p/{host.peer_id}" for address in ("ip4/192.0.2.7", "ip6/2001:db8::7")]
        assert real_addresses(host, ["2001:db8::7", "192.0.2.7"]) == tuple(both)
    async with open_host(new_identity(), 0, None, "::") as host:
        assert real_addresses(host, ["192.0.2.7", "2001:db8::7"]) == (f"/ip6/2001:db8::7/tcp/{host.port}/p2p/{host.peer_id}",)


def _folder(path: Path) -> Path:
    path.mkdir(exist_ok=True)
    return path


async def test_an_outer_address_is_told_when_somebody_has_dialled_it_and_not_before(tmp_path: Path) -> None:
    outer = "/ip4/8.8.8.8/tcp/4001"
    async with peer(tmp_path, "alice") as alice, peer(tmp_path, "bob") as bob:
        await alice.host.connect(bob.host.peer_id, [address_of(bob)])
        await until(lambda: alice.host.peer_id in bob.sees())

        def told() -> bool:
            entry = bob.discovery.roster.get(alice.host.peer_id)
            return entry is not None and f"{outer}/p2p/{alice.host.peer_id}" in entry.addresses

        assert not told()
        alice.discovery.reachability._note("somebody", outer, came=False)
        assert not alice.discovery.dialled_at
        alice.discovery.reachability._note("somebody", outer, came=True)
        await until(told)


async def test_who_is_on_the_same_machine_is_not_asked_whether_we_can_be_dialled(tmp_path: Path) -> None:
    async with peer(tmp_path, "alice") as alice, peer(tmp_path, "bob") as bob:
        await open_dial_back(bob.host)
        await alice.host.connect(bob.host.peer_id, [address_of(bob)])
        (connection,) = alice.host.connections(bob.host.peer_id)
        await connection.identify_done.wait()
        assert connection.identified is not None
        assert connection.identified.observed
        assert alice.discovery.reachability._due(connection) == []
