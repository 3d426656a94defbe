"""Whether a peer can be dialled is what somebody says who did."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from tests.clock import Clock
from tests.net.hosts import connect, loopback_host, until

from goop2.net import dial_back, reachability
from goop2.net.delimited import next_message
from goop2.net.dial_back import open_dial_back
from goop2.net.faults import NetworkError
from goop2.net.host import Host
from goop2.net.limits import PROOF_SECONDS
from goop2.net.reachability import Reachability, open_reachability
from goop2.net.stream import Stream
from goop2.protocols import autonat
from goop2.protocols.errors import RemoteProtocolError

NOBODY = "/ip4/127.0.0.1/tcp/9"


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reachability, "REACHABILITY_LOOK_SECONDS", 0.05)
    monkeypatch.setattr(reachability, "seconds_to_tick", lambda seconds: seconds)
    monkeypatch.setattr(reachability, "PROBE_SECONDS", 0.5)
    monkeypatch.setattr(dial_back, "DIAL_BACK_SECONDS", 0.5)


@pytest_asyncio.fixture
async def two() -> AsyncIterator[tuple[Host, Host]]:
    """A client and a server that serves nothing yet."""
    opened = contextlib.AsyncExitStack()
    async with opened as stack:
        client, server = [await stack.enter_async_context(loopback_host()) for _ in range(2)]
        yield client, server


def own_address(host: Host) -> str:
    return host.addresses[0].rpartition("/p2p/")[0]


async def test_a_peer_that_is_dialled_back_knows_where_and_tells_when_that_changes(two: tuple[Host, Host]) -> None:
    client, server = two
    changes = []
    await open_dial_back(server)
    async with open_reachability(client) as known:
        known.watch(lambda: changes.append(1))
        assert (known.addresses, known.is_reachable) == ((), None), "nothing is guessed"
        await connect(client, server)
        await until(lambda: known.is_reachable is True)
        assert known.addresses == (own_address(client),)
        (proof,) = known.proofs
        assert (proof.by, proof.is_public) == (server.peer_id, False)
        assert abs(proof.at - time.time()) < 60
    assert changes
    assert {each.peer for each in client.peers()} == {server.peer_id}, "the connection back is over, and the first stands"


async def test_nobody_answers_and_that_is_said(two: tuple[Host, Host]) -> None:
    client, server = two
    await open_dial_back(server)
    async with open_reachability(client) as known:
        client._listener.close()
        client._listener.port = 9
        await connect(client, server)
        await until(lambda: known.is_reachable is False)
        assert known.addresses == ()


async def test_an_address_on_our_own_private_network_says_nothing(two: tuple[Host, Host]) -> None:
    client, server = two
    await open_dial_back(server)
    async with open_reachability(client, own=lambda: ("127.0.0.1",)) as known:
        await connect(client, server)
        await until(lambda: client.connections(server.peer_id)[0].identified is not None)
        await asyncio.sleep(0.5)  # an answer that is believed would be in it by now
        assert known.is_reachable is None


@pytest.mark.parametrize(
    ("protocol", "answer"),
    [
        (autonat.DIAL_REQUEST, autonat.dial_response(autonat.OK, 0, autonat.OK)),
        (autonat.DIAL_REQUEST, autonat.dial_response(autonat.OK, 7, autonat.OK)),
        (autonat.DIAL_REQUEST, autonat.dial_response(autonat.OK, 0, autonat.DIAL_BACK_ERROR)),
        (autonat.DIAL_REQUEST, autonat.dial_response(autonat.REFUSED)),
        (autonat.DIAL_REQUEST, autonat.dial_response(autonat.REJECTED)),
        (autonat.DIAL_REQUEST, b"\x07\x1a\x05\x10\xff\xff\xff\x7f"),
        (autonat.DIAL_REQUEST, b""),
        (autonat.DIAL_REQUEST, b"\xff" * 20),
        (autonat.VERSION_1, autonat.v1_response(autonat.V1_DIAL_REFUSED, "no")),
        (autonat.VERSION_1, autonat.v1_response(autonat.V1_OK, "", "/ip4/127.0.0.1/tcp/1")),
        (autonat.VERSION_1, b"\x02\x08\x00"),
    ],
)
async def test_a_server_that_dialled_nobody_is_not_believed(two: tuple[Host, Host], protocol: str, answer: bytes) -> None:
    client, server = two
    asked = asyncio.Event()

    async def lie(stream: Stream) -> None:
        await stream.read()
        await stream.finish(answer)
        asked.set()

    await server.serve(protocol, lie)
    async with open_reachability(client) as known:
        await connect(client, server)
        await asyncio.wait_for(asked.wait(), 10)
        await asyncio.sleep(0.7)  # an answer that is believed would be in it by now
        assert (known.addresses, known.is_reachable) == ((), None)


async def test_a_yes_of_version_1_counts_when_somebody_came_and_not_else(two: tuple[Host, Host], monkeypatch: pytest.MonkeyPatch) -> None:
    client, server = two
    for comes in (False, True):
        answered = asyncio.Event()

        async def answer(stream: Stream, comes: bool = comes, answered: asyncio.Event = answered) -> None:
            _, (address, *_) = autonat.read_v1_dial(await next_message(stream, autonat.reader()))
            if comes:
                async with loopback_host() as dialler:
                    await connect(dialler, client)
            await stream.finish(autonat.v1_response(autonat.V1_OK, "", address))
            answered.set()

        await server.serve(autonat.VERSION_1, answer)
        async with open_reachability(client) as known:
            await connect(client, server)
            await asyncio.wait_for(answered.wait(), 10)
            await asyncio.sleep(0.3)  # until the answer is weighed
            assert known.is_reachable is (True if comes else None)


async def bring(host: Host, peer: Host, nonce: int) -> None:
    async with await host.open(peer.peer_id, autonat.DIAL_BACK) as stream:
        await stream.write(autonat.dial_back(nonce))
        await next_message(stream, autonat.reader())


async def test_a_nonce_nobody_waits_for_is_not_taken(two: tuple[Host, Host]) -> None:
    client, server = two
    async with open_reachability(client) as known:
        await connect(server, client)
        with pytest.raises((NetworkError, RemoteProtocolError)):
            await bring(server, client, 1)
        assert known.addresses == ()


async def test_a_proof_ends_in_time(two: tuple[Host, Host]) -> None:
    clock = Clock()
    changes: list[bool | None] = []
    known = Reachability(two[0], clock=clock)
    unwatch = known.watch(lambda: changes.append(known.is_reachable))
    known._note("a", NOBODY, came=False)
    known._note("b", NOBODY, came=True)
    known._note("a", NOBODY, came=False)
    assert changes == [False, True], "one who could weighs more"
    clock.now += PROOF_SECONDS + 1
    assert (known.addresses, known.is_reachable) == ((), None)
    unwatch()
    known._note("b", NOBODY, came=True)
    assert changes == [False, True]
    known.close()
