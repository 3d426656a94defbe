"""The lease of a peer on a real nats-server, with times a tenth as long: taken, renewed, lost, handed over, and by one of two alone."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest
from tests.cluster.hub import SERVER, Hub, free_port, running_hub, until
from tests.cluster.hub import _listens as listens
from tests.cluster.hub import _until as until_now

from goop2.cluster import lease, lease_client
from goop2.cluster.bus import ClusterError
from goop2.cluster.keys import read_key
from goop2.cluster.lease import LeaseRecord, StandbyBeat
from goop2.cluster.lease_client import LeaseClient, LeaseMember, OwnerLease, OwnHold, StandbyLease, WriterState, taking_part
from goop2.cluster.lease_store import BUCKET, LeaseMovedError, NatsLeaseStore
from goop2.cluster.nats_bus import connected_to
from goop2.cluster.setup_files import invite

LEASE, HOLD, RENEW, RETRY = 1.0, 0.7, 0.25, 0.05


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hub]:
    folder = tmp_path_factory.mktemp("hub") / "mysite"
    with running_hub(folder) as hub:
        hub.stop()
        for name in ("spare", "second"):
            _, hub.keys[name] = invite(folder, name, "standby")
        _, hub.keys["attic"] = invite(folder, "attic", "worker")
        hub.start()
        yield hub


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lease, "LEASE_SECONDS", LEASE)
    for name, value in (("HOLD_SECONDS", HOLD), ("RENEW_SECONDS", RENEW), ("LEASE_RETRY_SECONDS", RETRY)):
        monkeypatch.setattr(lease_client, name, value)


@pytest.fixture
def peer(request: pytest.FixtureRequest) -> str:
    """A peer of its own for each test."""
    return "p" + str(abs(hash(request.node.name)))


def member(name: str) -> LeaseMember:
    return LeaseMember(writer=name, host=f"host-{name}", label="blog")


def owner(name: str = "me", term: int = 0) -> OwnerLease:
    return OwnerLease(member(name), OwnHold(), lambda: WriterState(term=term, txid=5, place="file:///backup"), "tls://hub:4222")


def standby(name: str = "spare") -> StandbyLease:
    return StandbyLease(member(name), f"K{name}", lambda _record: StandbyBeat(name=name, host=f"host-{name}", behind_seconds=0.5))


@asynccontextmanager
async def part(hub: Hub, one: LeaseClient, peer: str, key: str = "") -> AsyncIterator[LeaseClient]:
    file = hub.keys[key] if key else hub.folder / "data/cluster.nk"
    async with taking_part(one, hub.url, lambda: read_key(file), peer, "test"):
        yield one


@asynccontextmanager
async def store(hub: Hub, peer: str) -> AsyncIterator[NatsLeaseStore]:
    async with connected_to(hub.url, read_key(hub.folder / "data/cluster.nk"), "test") as bus:
        yield NatsLeaseStore(bus, peer)


async def test_an_owner_holds_it_and_a_standby_takes_it_only_when_nobody_renews_it(hub: Hub, peer: str) -> None:
    spare = standby()
    async with part(hub, spare, peer, "spare"):
        async with part(hub, first := owner(), peer):
            await asyncio.wait_for(first.held.wait(), 5)
            await until(lambda: bool(first.view().standbys))
            await asyncio.sleep(LEASE + RENEW)  # nobody may take it though the time of a lease passes
            assert (first.is_held, spare.held.is_set()) == (True, False)
            view = first.view()
            assert (view.held, view.holder, view.standbys[0].name, view.standbys[0].behind_seconds) == (True, "host-me", "spare", 0.5)
        gone = time.monotonic()
        await asyncio.wait_for(spare.held.wait(), 5)
        assert LEASE - RENEW - 2 * RETRY < time.monotonic() - gone < LEASE + 1
        await spare.become_writer(WriterState(term=2, place="file:///backup"))
        async with part(hub, back := owner(term=1), peer):
            await asyncio.wait_for(back.lost.wait(), 5)
        assert (back.held.is_set(), back.for_good) == (False, True)
        assert "host-spare has taken the place of this peer (term 2 of its backup)" in back.verdict


async def test_of_two_standbys_one_takes_it_and_of_two_owners_one_serves(hub: Hub, peer: str) -> None:
    async with AsyncExitStack() as stack:
        spares = [standby("spare"), standby("second")]
        for one in spares:
            await stack.enter_async_context(part(hub, one, peer, one.me.writer))
        await until(lambda: any(one.held.is_set() for one in spares))
        await asyncio.sleep(LEASE)  # long enough for it to be taken
        assert [one.is_held for one in spares].count(True) == 1


async def test_an_owner_that_comes_second_is_refused_while_the_first_one_lives_and_after(hub: Hub, peer: str) -> None:
    async with part(hub, first := owner("first"), peer), part(hub, second := owner("second"), peer):
        await until(lambda: second.lost.is_set() or first.lost.is_set())
    assert [one.is_held or one.held.is_set() for one in (first, second)].count(True) == 1


async def test_a_promotion_by_hand_stops_the_owner_and_waits_for_its_last_copy(hub: Hub, peer: str) -> None:
    spare = standby()
    async with part(hub, first := owner(), peer):
        await asyncio.wait_for(first.held.wait(), 5)
        async with part(hub, spare, peer, "spare"):
            spare.wanted = True
            await asyncio.wait_for(first.lost.wait(), 5)
            assert "handed over" in first.verdict
            assert not spare.held.is_set(), "the owner closes and copies first"
            begun = time.monotonic()
            await first.give_back()
            await asyncio.wait_for(spare.held.wait(), 5)
            assert time.monotonic() - begun < LEASE / 2


async def test_a_removed_bucket_is_made_anew_by_the_owner_and_gives_a_standby_nothing(hub: Hub, peer: str) -> None:
    async with part(hub, first := owner(), peer), part(hub, spare := standby(), peer, "spare"):
        await asyncio.wait_for(first.held.wait(), 5)
        async with connected_to(hub.url, read_key(hub.folder / "data/cluster.nk"), "test") as bus:
            await bus.client.jetstream().delete_key_value(BUCKET)
        await asyncio.sleep(LEASE + 2 * RENEW)  # nobody may take it though the time of a lease passes
        assert (first.is_held, first.lost.is_set(), spare.held.is_set()) == (True, False, False)


async def test_an_owner_without_a_server_stops_in_time_and_nobody_takes_over(hub: Hub, peer: str) -> None:
    async with part(hub, first := owner(), peer), part(hub, spare := standby(), peer, "spare"):
        await asyncio.wait_for(first.held.wait(), 5)
        hub.stop()
        gone = time.monotonic()
        await asyncio.wait_for(first.lost.wait(), 5)
        assert time.monotonic() - gone <= HOLD + RETRY + 0.3
        assert (first.for_good, first.hold.is_up()) == (False, True)
        assert "could not be renewed" in first.verdict
        await asyncio.sleep(LEASE)  # the lease passes while the server is away
        hub.start()
        async with part(hub, again := owner(term=1), peer):  # as the peer that starts itself again
            await asyncio.wait_for(again.held.wait(), 5)
        assert not spare.held.is_set(), "the owner goes first when the server is back"


async def test_an_owner_that_stood_still_holds_nothing_when_it_goes_on(hub: Hub, peer: str) -> None:
    async with part(hub, first := owner(), peer):
        await asyncio.wait_for(first.held.wait(), 5)
        time.sleep(HOLD + 0.1)  # noqa: ASYNC251 - no task and no timer runs meanwhile, as in a process that was stopped
        assert not first.is_held
        assert first.hold.is_up()


async def test_what_is_wrong_is_one_sentence(hub: Hub, peer: str, tmp_path: Path) -> None:
    async with store(hub, peer) as kept:
        assert await kept.read() is None
        revision = await kept.write(LeaseRecord(holder="x", host="x", label="", writer="x", term=1), 0)
        with pytest.raises(LeaseMovedError):
            await kept.write(LeaseRecord(holder="y", host="y", label="", writer="y", term=1), revision + 1)
        with pytest.raises(LeaseMovedError):
            await kept.write(LeaseRecord(holder="y", host="y", label="", writer="y", term=1), 0)
        await kept.remove(revision)
        assert await kept.read() is None
        await kept._bus.client.jetstream().publish(f"$KV.{BUCKET}.{peer}", b"{")
        with pytest.raises(ClusterError, match="none this version can read"):
            await kept.read()
    # A worker's key may neither read nor write it.
    async with connected_to(hub.url, read_key(hub.keys["attic"]), "test") as bus:
        with pytest.raises(ClusterError, match="does not answer"):
            await NatsLeaseStore(bus, peer).read()
    async with without_jetstream(tmp_path) as url, connected_to(url, read_key(hub.keys["attic"]), "test") as bus:
        with pytest.raises(ClusterError, match=r"keeps nothing \(JetStream is off"):
            await NatsLeaseStore(bus, peer).read()


@asynccontextmanager
async def without_jetstream(folder: Path) -> AsyncIterator[str]:
    """A server that keeps nothing."""
    port = free_port()
    (folder / "nats.conf").write_text(f'listen: "127.0.0.1:{port}"\nmax_payload: 8MB\n')
    server = await asyncio.create_subprocess_exec(SERVER, "-c", str(folder / "nats.conf"), stderr=-3)
    try:
        until_now(lambda: listens(port))
        yield f"nats://127.0.0.1:{port}"
    finally:
        server.kill()
        await server.wait()
