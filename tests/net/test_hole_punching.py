"""Direct connections beside relayed ones, on loopback; with routers between them it is tests/e2e/test_hole_punching.py."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
import pytest_asyncio
from structlog.testing import capture_logs
from tests.net.hosts import asked, loopback_host, until
from tests.net.test_relay import ECHO, Three, three

from goop2.net import hole_punching
from goop2.net.address import parse
from goop2.net.circuits import is_connected_directly
from goop2.net.connection import Connection
from goop2.net.faults import StreamBrokenError
from goop2.net.hole_punching import HolePuncher, _reach, open_hole_punching
from goop2.net.host import Host
from goop2.net.limits import PUNCH_ADDRESSES_MAX
from goop2.net.stream import Stream
from goop2.protocols import dcutr
from goop2.protocols.identify import Identified

NOBODY = "/ip4/127.0.0.1/tcp/9"


@pytest_asyncio.fixture
async def parts() -> AsyncIterator[Three]:
    opened = three()
    async with opened as running:
        yield running


async def no_way(_relayed: object) -> str:
    """In the place of a dial to where the peer listens."""
    return ""


@contextlib.asynccontextmanager
async def punching(
    parts: Three, monkeypatch: pytest.MonkeyPatch, *, directly: bool = False
) -> AsyncIterator[tuple[HolePuncher, HolePuncher]]:
    """The caller's and the callee's. `directly`: the callee may dial the caller where that listens."""
    async with open_hole_punching(parts.caller) as a, open_hole_punching(parts.callee) as b:
        if not directly:
            monkeypatch.setattr(b, "_directly", no_way)
        yield a, b


def is_direct(parts: Three) -> bool:
    return is_connected_directly(parts.caller, parts.callee.peer_id) and is_connected_directly(parts.callee, parts.caller.peer_id)


async def test_who_can_be_dialled_is_dialled_by_who_was_called(parts: Three, monkeypatch: pytest.MonkeyPatch) -> None:
    with capture_logs() as logs:
        async with punching(parts, monkeypatch, directly=True):
            await parts.meet()
            await until(lambda: is_direct(parts))
            await until(lambda: any(log["event"] == "connected directly" for log in logs))
    assert {each.opened_by_us for each in parts.caller.connections(parts.callee.peer_id) if not each.is_relayed} == {False}
    assert [log["how"] for log in logs if log["event"] == "connected directly"] == ["dialled"]


async def test_both_dial_and_the_one_who_called_is_the_client(parts: Three, monkeypatch: pytest.MonkeyPatch) -> None:
    async with punching(parts, monkeypatch):
        await parts.meet()
        await until(lambda: is_direct(parts))
        for host, peer, is_client in ((parts.caller, parts.callee, True), (parts.callee, parts.caller, False)):
            assert {each.opened_by_us for each in host.connections(peer.peer_id) if not each.is_relayed} == {is_client}


@pytest.mark.parametrize("silent", [True, False], ids=["after a dial that met silence", "as a rule"])
async def test_who_dials_waits_for_the_other_side_but_not_after_silence(
    parts: Three, monkeypatch: pytest.MonkeyPatch, silent: bool
) -> None:
    """A router still lets in what comes for that dial, and the listener would answer it first."""
    waits: list[float] = []
    pause = asyncio.sleep

    async def slept(seconds: float) -> None:
        waits.append(seconds)
        await pause(0)

    async def directly(_relayed: object) -> str:
        await pause(0.06 if silent else 0)
        return ""

    monkeypatch.setattr(hole_punching, "PROBE_SECONDS", 0.05)
    async with open_hole_punching(parts.caller), open_hole_punching(parts.callee) as b:
        agree = b._agree

        async def far_away(relayed: Connection) -> tuple[tuple[str, ...], float]:
            addresses, _ = await agree(relayed)
            monkeypatch.setattr(asyncio, "sleep", slept)
            return addresses, 100.0

        monkeypatch.setattr(b, "_directly", directly)
        monkeypatch.setattr(b, "_agree", far_away)
        await parts.meet()
        await until(lambda: is_direct(parts))
    assert (50.0 in waits) is not silent


async def test_new_streams_take_the_direct_connection_and_old_ones_go_on(parts: Three, monkeypatch: pytest.MonkeyPatch) -> None:
    origins: list[str] = []

    async def note(stream: Stream) -> None:
        origins.append(stream.origin)
        await stream.finish(await stream.read())

    await parts.callee.serve(ECHO, note)
    async with punching(parts, monkeypatch):
        await parts.meet()
        async with await parts.caller.open(parts.callee.peer_id, ECHO, relayed=True) as old:
            await until(lambda: is_direct(parts))
            assert await asked(parts.caller, parts.callee, b"new") == b"new"
            await old.finish(b"old")
            assert await old.read() == b"old"
    assert sorted(origins) == [f"/p2p-circuit/{parts.relay_host.peer_id}", "127.0.0.1"]


async def test_the_relayed_connection_is_closed_when_its_exchanges_have_had_their_time(
    parts: Three, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hole_punching, "EXCHANGE_SECONDS", 0.5)
    async with punching(parts, monkeypatch):
        await parts.meet()
        await until(lambda: is_direct(parts))
        assert parts.relay.reservations.circuits == 1
        await until(lambda: parts.relay.reservations.circuits == 0)
        assert await asked(parts.caller, parts.callee, b"hello") == b"hello"


async def failing(parts: Three, monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Meet, and wait until the callee has given up; what was logged."""
    monkeypatch.setattr(hole_punching, "PUNCH_SECONDS", 0.3)
    monkeypatch.setattr(hole_punching, "REDIAL_PAUSE_SECONDS", 0.1)
    with capture_logs() as logs:
        async with punching(parts, monkeypatch):
            await parts.meet()
            await until(lambda: any(log["event"] == "no direct connection" and "tried" in log["why"] for log in logs))
            assert await asked(parts.caller, parts.callee, b"hello") == b"hello", "the relayed connection is as it was"
            assert not is_direct(parts)
    return list(logs)


async def test_a_hole_that_does_not_open_is_tried_three_times_and_told_once(parts: Three, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(HolePuncher, "_own_addresses", lambda _puncher, _relayed: (NOBODY,))
    rounds = 0
    agree = HolePuncher._agree

    async def counted(puncher: HolePuncher, relayed: Any) -> tuple[tuple[str, ...], float]:
        nonlocal rounds
        rounds += 1
        return await agree(puncher, relayed)

    monkeypatch.setattr(HolePuncher, "_agree", counted)
    logs = await failing(parts, monkeypatch)
    assert rounds == 3
    told = [log for log in logs if log["event"] == "no direct connection" and log["peer"] == parts.caller.peer_id]
    assert [log["why"] for log in told] == [f"nobody came through at {NOBODY}, tried 3 times"]


async def hop(parts: Three, handler: Callable[[Stream], Awaitable[None]]) -> None:
    """Have the caller answer DCUtR so."""
    await parts.caller.serve(dcutr.PROTOCOL, handler)


@pytest.mark.parametrize(
    "answer",
    [b"", b"\xff" * 10, dcutr.sync(), dcutr.connect([]), dcutr.connect(["/ip4/224.0.0.1/tcp/1"]), b"\x00"],
    ids=["nothing", "no size", "SYNC", "no address", "multicast", "empty"],
)
async def test_whatever_the_peer_answers_the_relayed_connection_stays(parts: Three, answer: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hole_punching, "REDIAL_PAUSE_SECONDS", 0.05)
    await hop(parts, lambda stream: stream.finish(answer))
    with capture_logs() as logs:
        async with open_hole_punching(parts.callee) as callee:
            monkeypatch.setattr(callee, "_directly", no_way)
            await parts.meet()
            await until(lambda: any(log["event"] == "no direct connection" for log in logs))
        assert await asked(parts.caller, parts.callee, b"hello") == b"hello"
    assert len([log for log in logs if log["event"] == "no direct connection"]) == 1


async def test_a_peer_that_answers_nothing_is_given_up(parts: Three, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hole_punching, "PUNCH_ANSWER_SECONDS", 0.2)
    monkeypatch.setattr(hole_punching, "REDIAL_PAUSE_SECONDS", 0.05)
    forever = asyncio.Event()

    async def wait(_stream: Stream) -> None:
        await forever.wait()

    await hop(parts, wait)
    with capture_logs() as logs:
        async with open_hole_punching(parts.callee) as callee:
            monkeypatch.setattr(callee, "_directly", no_way)
            await parts.meet()
            await until(lambda: any(log["event"] == "no direct connection" for log in logs))
    forever.set()
    assert not callee._ours


async def say(host: Host, peer: Host, data: bytes) -> None:
    """Write this to a peer, on DCUtR, and wait for its answer."""
    async with await host.open(peer.peer_id, dcutr.PROTOCOL) as stream:
        await stream.write(data)
        await stream.read(5.0)


async def test_only_who_was_called_through_a_relay_may_have_us_dial(parts: Three, monkeypatch: pytest.MonkeyPatch) -> None:
    dialled: list[str] = []
    async with open_hole_punching(parts.callee) as callee, loopback_host() as near:
        monkeypatch.setattr(callee, "_dial_as_client", lambda relayed, _addresses: dialled.append(relayed.peer))
        await parts.meet()
        await near.connect(parts.callee.peer_id, [parse(parts.callee.addresses[0])])
        for host in (parts.caller, near):
            with pytest.raises(StreamBrokenError):
                await say(host, parts.callee, dcutr.connect([NOBODY]) + dcutr.sync())
    assert dialled == []


@pytest.mark.parametrize(
    "said",
    [
        b"",
        b"\x00",
        b"\xff" * 40,
        b"\x81\x20" + b"x" * 5000,
        dcutr.sync(),
        dcutr.connect([]) + dcutr.sync(),
        dcutr.connect([NOBODY]),
        dcutr.connect([NOBODY]) * 2,
        dcutr.connect([NOBODY]) + b"\xff" * 40,
        dcutr.connect(["/ip4/224.0.0.1/tcp/1", "/ip4/127.0.0.1/tcp/0"]) + dcutr.sync(),
    ],
    ids=["nothing", "empty", "no size", "too long", "SYNC", "no address", "no SYNC", "CONNECT twice", "no second message", "nowhere"],
)
async def test_whatever_comes_instead_of_a_hole_nobody_is_dialled(parts: Three, said: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hole_punching, "PUNCH_ANSWER_SECONDS", 0.3)
    dialled: list[object] = []
    async with open_hole_punching(parts.caller) as caller:
        monkeypatch.setattr(caller, "_dial_as_client", lambda _relayed, addresses: dialled.append(addresses))
        await parts.meet()
        for _ in range(2):
            with contextlib.suppress(StreamBrokenError):
                async with await parts.callee.open(parts.caller.peer_id, dcutr.PROTOCOL) as stream:
                    await stream.write(said)
                    while await stream.read(5.0):
                        pass
        assert await asked(parts.caller, parts.callee, b"hello") == b"hello"
    assert dialled == []


async def test_holes_are_metered_by_who_asks(parts: Three, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hole_punching, "PUNCHES_PER_MINUTE_AND_PEER", 2)
    answers = 0
    async with open_hole_punching(parts.caller) as caller:

        async def nothing(_relayed: object, _addresses: object) -> None:
            pass

        monkeypatch.setattr(caller, "_dial_as_client", nothing)
        await parts.meet()
        for _ in range(5):
            async with await parts.callee.open(parts.caller.peer_id, dcutr.PROTOCOL) as stream:
                await stream.write(dcutr.connect([NOBODY]))
                with contextlib.suppress(Exception):
                    answers += bool(await stream.read(5.0))
    assert answers == 2


async def test_a_listening_port_that_nobody_has_seen_is_told_all_the_same(parts: Three) -> None:
    await parts.meet()
    (relayed,) = parts.callee.connections(parts.caller.peer_id)
    (to_relay,) = parts.callee.connections(parts.relay_host.peer_id)
    await asyncio.wait_for(to_relay.identify_done.wait(), 5)
    to_relay.from_listening_port = False
    assert to_relay.identified is not None
    to_relay.identified = Identified(observed="/ip4/8.8.8.8/tcp/54321")
    puncher = HolePuncher(parts.callee)
    assert parts.callee.observed_addresses() == ()
    assert puncher._own_addresses(relayed)[0] == f"/ip4/8.8.8.8/tcp/{parts.callee.port}"
    await puncher.close()


async def test_two_that_call_each_other_at_once_punch_one_hole(parts: Three, monkeypatch: pytest.MonkeyPatch) -> None:
    agreed: list[str] = []
    agree = HolePuncher._agree

    async def counted(puncher: HolePuncher, relayed: Connection) -> tuple[tuple[str, ...], float]:
        found = await agree(puncher, relayed)
        agreed.append(puncher._host.peer_id)
        return found

    monkeypatch.setattr(HolePuncher, "_agree", counted)
    monkeypatch.setattr(HolePuncher, "_directly", lambda _puncher, relayed: no_way(relayed))
    for host in (parts.caller, parts.callee):
        await host.reserve(parts.relay_host.peer_id, [parse(parts.relay_host.addresses[0])])
    async with open_hole_punching(parts.caller), open_hole_punching(parts.callee):
        await asyncio.gather(
            *(
                host._circuits.dial(peer.peer_id, parts.through(peer.peer_id).transport)
                for host, peer in ((parts.caller, parts.callee), (parts.callee, parts.caller))
            )
        )
        await until(lambda: is_direct(parts))
    assert set(agreed) == {min(parts.caller.peer_id, parts.callee.peer_id)}


@pytest.mark.parametrize(
    ("address", "reach"),
    [
        ("/ip4/127.0.0.1/tcp/1", 1),
        ("/ip6/::1/tcp/1", 1),
        ("/ip4/10.0.0.1/tcp/1", 2),
        ("/ip4/192.168.1.1/tcp/1", 2),
        ("/ip4/100.64.0.1/tcp/1", 2),
        ("/ip4/203.0.113.7/tcp/1", 2),
        ("/ip6/fd00::1/tcp/1", 2),
        ("/ip6/::ffff:10.0.0.1/tcp/1", 2),
        ("/ip4/8.8.8.8/tcp/4001", 3),
        ("/ip6/2600::1/tcp/4001", 3),
        ("/ip4/0.0.0.0/tcp/1", 0),
        ("/ip4/255.255.255.255/tcp/1", 0),
        ("/ip4/224.0.0.1/tcp/1", 0),
        ("/ip4/169.254.169.254/tcp/80", 0),
        ("/ip6/fe80::1/tcp/1", 0),
        ("/ip4/8.8.8.8/tcp/0", 0),
        ("/dns4/example.org/tcp/4001", 0),
        ("/ip4/8.8.8.8", 0),
        ("", 0),
    ],
)
def test_how_far_an_address_reaches(address: str, reach: int) -> None:
    assert _reach(address) == reach


async def test_no_address_less_public_than_the_relay_is_dialled_or_told(parts: Three, monkeypatch: pytest.MonkeyPatch) -> None:
    await parts.meet()
    (relayed,) = parts.callee.connections(parts.caller.peer_id)
    addresses = ["/ip4/127.0.0.1/tcp/1", "/ip4/10.0.0.1/tcp/1", "/ip4/8.8.8.8/tcp/1", "/ip4/8.8.8.8/tcp/1"]
    puncher = HolePuncher(parts.callee)
    assert puncher._worth_dialling(relayed, addresses) == tuple(dict.fromkeys(addresses))
    for relay, fit in (("/ip4/10.9.9.9/tcp/1", addresses[1:3]), ("/ip4/9.9.9.9/tcp/1", addresses[2:3])):
        monkeypatch.setattr(puncher, "_relay_addresses", lambda _relayed, relay=relay: [relay])
        assert puncher._worth_dialling(relayed, addresses) == tuple(fit)
    monkeypatch.setattr(puncher, "_relay_addresses", lambda _relayed: [])
    assert puncher._worth_dialling(relayed, addresses) == tuple(addresses[2:3])
    many = [f"/ip4/8.8.8.8/tcp/{port}" for port in range(1, 100)]
    assert len(puncher._worth_dialling(relayed, many)) == PUNCH_ADDRESSES_MAX
    await puncher.close()
