"""A place at the relay beside a rendezvous server: taken, told, renewed, and had again when the relay comes back."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.net.hosts import SECONDS, asked, echo, new_identity, until
from tests.peers.discovery.test_discovery import Peer, peer

from goop2.config import Address
from goop2.net.address import CIRCUIT, PeerAddress, parse
from goop2.net.faults import UnreachableError
from goop2.net.host import open_host
from goop2.net.reachability import open_reachability
from goop2.peers.discovery import reservations
from goop2.peers.discovery.discovery import open_discovery
from goop2.peers.discovery.peers_file import RememberedPeers
from goop2.peers.discovery.rendezvous_client import ServerAwayError, relay_addresses
from goop2.peers.discovery.reservations import RENEW_MAX_SECONDS, RENEW_MIN_SECONDS, RelayReservation, renew_after
from goop2.peers.discovery.roster import Roster
from goop2.rendezvous.server import open_rendezvous

ANYWHERE = Address("127.0.0.1", 0)
RELAY, OTHER = new_identity().peer_id, new_identity().peer_id
NOWHERE = "192.0.2.77"
"""An address nobody has (RFC 5737)."""


@contextlib.asynccontextmanager
async def hidden(folder: Path, label: str, url: str) -> AsyncIterator[Peer]:
    """A peer that tells an address nobody can dial."""
    async with open_host(new_identity(), 0) as host, open_reachability(host) as reachability:
        one = Peer(host, label)
        (folder / label).mkdir()
        opened = open_discovery(
            host,
            reachability,
            Roster(host.peer_id, time.monotonic),
            RememberedPeers(folder / label),
            one.says,
            servers=[url],
            near_by=False,
            announced=[NOWHERE],
        )
        async with opened as one.discovery:
            yield one


async def test_two_peers_nobody_can_dial_meet_through_the_relay_alone(tmp_path: Path) -> None:
    async with (
        asyncio.timeout(SECONDS * 2),
        open_rendezvous(ANYWHERE, ANYWHERE) as url,
        hidden(tmp_path, "Ann", url) as ann,
        hidden(tmp_path, "Bob", url) as bob,
    ):
        await bob.host.serve("/test/echo", echo)
        seen: set[str] = set()
        ann.discovery.roster.subscribe(lambda change: seen.add(change.peer.id))
        await until_slowly(lambda: ann.host.is_connected(bob.host.peer_id))
        assert await asked(ann.host, bob.host, b"hello") == b"hello"
        assert ann.discovery.through_relays
        assert all(parse(address).is_circuit for address in ann.discovery.through_relays)
        await until_slowly(lambda: ann.sees() == {bob.host.peer_id: "Bob"} and bob.sees() == {ann.host.peer_id: "Ann"})
        assert seen == {bob.host.peer_id}, "a relay is nobody's neighbour"


async def until_slowly(condition: object) -> None:
    """Two dials that fail first, on a busy machine."""
    assert callable(condition)
    for _ in range(8):
        with contextlib.suppress(pytest.fail.Exception):
            await until(condition)
            return
    pytest.fail("it did not come about")


async def test_a_server_without_a_relay_gives_no_place(tmp_path: Path) -> None:
    async with open_rendezvous(ANYWHERE) as url, peer(tmp_path, "Ann", servers=[url]) as ann:
        await until(lambda: ann.discovery.reservations[0]._server.reached)
        assert ann.discovery.through_relays == ()


class FakeServer:
    """Says where a relay is, one answer after another; the last for ever."""

    url = "http://rendezvous.example"

    def __init__(self, *answers: list[PeerAddress] | Exception) -> None:
        self.answers = list(answers)
        self.asked = 0

    async def relay(self) -> list[PeerAddress]:
        self.asked += 1
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer


class FakeHost:
    """Reserves as often as it is asked."""

    peer_id = OTHER

    def __init__(self) -> None:
        self.connected = True
        self.reserved: list[str] = []
        self.left: list[str] = []
        self.fault: Exception | None = None

    async def reserve(self, relay: str, addresses: list[PeerAddress]) -> int:
        if self.fault is not None:
            raise self.fault
        self.reserved.append(relay)
        self.connected = True
        return 0

    def is_connected(self, _peer: str) -> bool:
        return self.connected

    def leave(self, relay: str) -> None:
        self.left.append(relay)


WHERE = [PeerAddress(RELAY, f"/ip4/192.0.2.{number}/tcp/4001") for number in range(6)]


class Kept:
    """A place that is kept, time going by a hundred times faster."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *answers: list[PeerAddress] | Exception) -> None:
        for name, seconds in (
            ("RENEW_MIN_SECONDS", 0.2),
            ("LOOK_SECONDS", 0.01),
            ("RETRY_FIRST_SECONDS", 0.01),
            ("NO_RELAY_SECONDS", 0.05),
        ):
            monkeypatch.setattr(reservations, name, seconds)
        self.server, self.host = FakeServer(*answers), FakeHost()
        self.told: list[tuple[str, ...]] = []
        self.place = RelayReservation(self.server, self.host, lambda: self.told.append(self.place.addresses))  # type: ignore[arg-type]

    async def __aenter__(self) -> Kept:
        self.task = asyncio.create_task(self.place.keep())
        return self

    async def __aexit__(self, *_: object) -> None:
        self.task.cancel()
        await asyncio.gather(self.task, return_exceptions=True)


async def test_a_place_is_told_and_renewed_before_it_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    async with Kept(monkeypatch, WHERE) as kept:
        await until(lambda: len(kept.host.reserved) >= 3)
    expected = tuple(f"/ip4/192.0.2.{number}/tcp/4001/p2p/{RELAY}{CIRCUIT}/p2p/{OTHER}" for number in range(4))
    assert kept.told == [expected], "told once: a renewal changes nothing"


async def test_a_way_through_this_machine_alone_is_told_when_there_is_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    near, far = PeerAddress(RELAY, "/ip4/127.0.0.1/tcp/4001"), PeerAddress(RELAY, "/ip4/192.0.2.1/tcp/4001")
    for told, expected in (([near, far], far), ([near], near)):
        async with Kept(monkeypatch, told) as kept:
            place = kept.place
            await until(lambda place=place: bool(place.addresses))  # type: ignore[misc]
            assert place.addresses == (f"{expected.transport}/p2p/{RELAY}{CIRCUIT}/p2p/{OTHER}",)


async def test_a_relay_that_is_gone_is_not_told_any_more_and_sought_again(monkeypatch: pytest.MonkeyPatch) -> None:
    async with Kept(monkeypatch, WHERE) as kept:
        await until(lambda: bool(kept.place.addresses))
        kept.host.fault = UnreachableError("gone")
        kept.host.connected = False
        await until(lambda: kept.place.addresses == ())
        assert kept.host.left == [RELAY]
        kept.host.fault = None
        await until(lambda: bool(kept.place.addresses))


async def test_a_relay_that_asks_for_it_gets_another_reservation_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    async with Kept(monkeypatch, WHERE) as kept:
        monkeypatch.setattr(reservations, "RENEW_MIN_SECONDS", 1000.0)
        await until(lambda: bool(kept.place.addresses))
        before = len(kept.host.reserved)
        for _ in range(3):
            kept.place.refresh()
        await until(lambda: len(kept.host.reserved) > before)
        await asyncio.sleep(0.1)  # a second reservation would be asked for by now
        assert len(kept.host.reserved) == before + 1, "the next one in ten seconds at the earliest"
        assert kept.place.relay == RELAY
        assert [line[20:] for line in kept.place.log][-2:] == ["the relay asks for a new reservation", "a reservation is made"]


@pytest.mark.parametrize("first", [[], ServerAwayError("500"), OSError("no network")])
async def test_a_server_that_has_a_relay_later_is_asked_again(
    monkeypatch: pytest.MonkeyPatch, first: list[PeerAddress] | Exception
) -> None:
    async with Kept(monkeypatch, first, WHERE) as kept:
        await until(lambda: bool(kept.host.reserved))


@pytest.mark.parametrize(
    ("lasts", "after"), [(3600, 1800), (100, 50), (-5_000_000, RENEW_MIN_SECONDS), (0, RENEW_MIN_SECONDS), (10**12, RENEW_MAX_SECONDS)]
)
def test_a_relays_clock_may_be_any(lasts: float, after: float) -> None:
    assert renew_after(lasts) == after


@pytest.mark.parametrize(
    ("content", "found"),
    [
        (b'{"peer_id":"%s","addrs":["/ip4/192.0.2.1/tcp/1"],"cleanup_delay_sec":5}' % RELAY.encode(), ["/ip4/192.0.2.1/tcp/1"]),
        (b'{"peer_id":"%s","addrs":["/ip4/192.0.2.1/tcp/1/p2p/%s"]}' % (RELAY.encode(), RELAY.encode()), ["/ip4/192.0.2.1/tcp/1"]),
        (b'{"peer_id":"%s","addrs":["/ip4/192.0.2.1/tcp/1/p2p/%s"]}' % (RELAY.encode(), OTHER.encode()), []),
        (b'{"peer_id":"%s","addrs":["/ip4/192.0.2.1/udp/1/quic","nonsense",""]}' % RELAY.encode(), []),
        (b'{"peer_id":"%s"}' % RELAY.encode(), []),
        (b'{"peer_id":"nobody","addrs":["/ip4/192.0.2.1/tcp/1"]}', []),
    ],
    ids=["without id", "with id", "another's", "no tcp", "no addresses", "no peer"],
)
def test_what_a_server_says_of_its_relay(content: bytes, found: list[str]) -> None:
    assert relay_addresses(content) == [PeerAddress(RELAY, transport) for transport in found]


@pytest.mark.parametrize("content", [b"", b"[]", b'{"peer_id":7}', b"\xff", b"[" * 10_000])
def test_what_says_nothing_of_a_relay(content: bytes) -> None:
    with pytest.raises(ServerAwayError):
        relay_addresses(content)
