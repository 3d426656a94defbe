"""What each side of a connection says of itself, where it sees the other, and what a stranger's word can do."""

from __future__ import annotations

import asyncio

import pytest
import structlog
from structlog.testing import capture_logs
from tests.net.hosts import LOOPBACK, connect, echo, loopback_host, read_all, two_hosts, until

from goop2.net import identify as identify_module
from goop2.net.connection import Connection
from goop2.net.host import Host
from goop2.net.identify import AGENT
from goop2.net.ping import PING
from goop2.net.stream import Stream
from goop2.protocols import identify, peer_ids
from goop2.protocols.identify import IDENTIFY, MESSAGE_MAX_BYTES, PUSH, Identified
from goop2.protocols.protobuf import delimited, varint


async def identified(host: Host) -> Connection:
    """A host's only connection, when its other side has said what it is."""
    (connection,) = host.connections()
    await asyncio.wait_for(connection.identify_done.wait(), 10)
    return connection


async def test_both_sides_say_what_they_are_and_where_they_see_the_other() -> None:
    async with two_hosts() as (caller, callee):
        for one, other in ((caller, callee), (callee, caller)):
            said = (await identified(one)).identified
            assert said is not None
            assert said.agent == AGENT
            assert {IDENTIFY, PUSH, PING} <= said.protocols
            assert said.listens_at == (f"/ip4/{LOOPBACK}/tcp/{other.port}",)
            assert said.observed == f"/ip4/{LOOPBACK}/tcp/{one.port}"
            assert one.observed_addresses() == (said.observed,)
            assert one.supports(other.peer_id, PING) is True
            assert one.supports(other.peer_id, "/test/none") is False


async def test_nothing_is_known_of_who_is_not_connected() -> None:
    async with loopback_host() as one:
        assert one.supports(one.peer_id, PING) is None
        assert one.observed_addresses() == ()


async def test_a_protocol_that_is_served_later_is_told_to_who_is_connected() -> None:
    async with two_hosts() as (caller, callee):
        await identified(caller)
        await identified(callee)
        await callee.serve("/test/one", echo)
        await callee.serve("/test/two", echo)
        await until(lambda: caller.supports(callee.peer_id, "/test/two") is True)
        assert caller.supports(callee.peer_id, "/test/one")


async def test_what_most_networks_see_comes_first() -> None:
    async with loopback_host() as one:
        seen = {
            "/ip4/192.0.2.1/tcp/1": ["a"] * 3,
            "/ip4/192.0.2.2/tcp/2": ["a", "b"],
            "/dns4/x/tcp/1": ["c"],
            "/ip4/192.0.2.3/tcp/3": ["d"],
        }
        async with loopback_host() as other:
            await connect(other, one)
            (real,) = one.connections()

            class Seen:
                is_relayed = False

                def __init__(self, observed: str, origin: str, *, from_listening_port: bool = True) -> None:
                    self.identified = Identified(observed=observed)
                    self.origin = origin
                    self.from_listening_port = from_listening_port

            table = [Seen(observed, origin) for observed, origins in seen.items() for origin in origins]
            table.append(Seen("/ip4/192.0.2.9/tcp/9", "z", from_listening_port=False))
            one.connections = lambda peer="": tuple(table)  # type: ignore[method-assign, arg-type]
            assert one.observed_addresses() == ("/ip4/192.0.2.2/tcp/2", "/ip4/192.0.2.1/tcp/1", "/ip4/192.0.2.3/tcp/3")
            del one.connections
            assert one.connections() == (real,)


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"\xff" * 20,
        varint(MESSAGE_MAX_BYTES + 1) + bytes(100),
        delimited(b"\xff\xff"),
        delimited(identify.write(bytes(32), Identified())),
        varint(500) + b"cut",
    ],
)
async def test_a_peer_that_says_nothing_sensible_is_one_like_any_other(answer: bytes) -> None:
    async with loopback_host() as caller, loopback_host() as callee:

        async def lie(stream: Stream) -> None:
            await stream.finish(answer)

        await callee.serve(IDENTIFY, lie)
        await callee.serve("/test/echo", echo)
        structlog.configure(cache_logger_on_first_use=False)
        with capture_logs() as logs:
            await connect(caller, callee)
            connection = await identified(caller)
        assert connection.identified is None
        assert [log["event"] for log in logs if log.get("peer") == callee.peer_id] == ["a peer did not answer identify"]
        assert caller.supports(callee.peer_id, "/test/echo") is None
        async with await caller.open(callee.peer_id, "/test/echo") as stream:
            await stream.finish(b"hello")
            assert await read_all(stream) == b"hello"


async def test_a_peer_that_never_answers_is_waited_for_no_longer_than_the_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(identify_module, "PROBE_SECONDS", 0.2)
    async with loopback_host() as caller, loopback_host() as callee:

        async def never(stream: Stream) -> None:
            await asyncio.sleep(60)  # until it is cancelled

        await callee.serve(IDENTIFY, never)
        await connect(caller, callee)
        (connection,) = caller.connections()
        await asyncio.wait_for(connection.identify_done.wait(), 3)
        assert connection.identified is None


async def test_a_push_of_another_peers_key_changes_nothing() -> None:
    async with two_hosts() as (caller, callee):
        await identified(callee)
        before = callee.connections()[0].identified
        async with await caller.open(callee.peer_id, PUSH) as stream:
            await stream.finish(delimited(identify.write(bytes(32), Identified(agent="somebody else"))))
        async with await caller.open(callee.peer_id, PUSH) as stream:
            key = peer_ids.public_key_of(caller.peer_id)
            await stream.finish(delimited(identify.write(key, Identified(agent="newer"))))
        await until(lambda: callee.connections()[0].identified not in (before, None))
        said = callee.connections()[0].identified
        assert said is not None
        assert said.agent == "newer"
