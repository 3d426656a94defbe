"""Circuit relay v2 between go-libp2p, js-libp2p and ours: their relay, client and hidden peer, each with ours in the other places."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from tests.interop.others import ANSWER_SECONDS, go_peer, js_peer
from tests.net.hosts import loopback_host
from tests.peers.test_server import Pair, pair

from goop2.net.address import CIRCUIT, PeerAddress, parse
from goop2.net.relay import open_relay
from goop2.peers.client import PeerClient


@pytest.fixture(scope="module", params=["go-libp2p", "js-libp2p"])
def other(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """The command of another implementation."""
    folder = tmp_path_factory.mktemp("other")
    return go_peer(folder) if request.param == "go-libp2p" else js_peer(folder, "relay.js")


@contextlib.asynccontextmanager
async def running(*command: str) -> AsyncIterator[PeerAddress]:
    """The address a relay or a hidden peer prints; it ends with its stdin."""
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(*command, stdin=pipe, stdout=pipe)
    try:
        assert process.stdout is not None
        yield parse((await asyncio.wait_for(process.stdout.readline(), ANSWER_SECONDS)).decode())
    finally:
        assert process.stdin is not None
        process.stdin.close()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(process.wait(), ANSWER_SECONDS)
        if process.returncode is None:
            process.kill()


async def read_through(other: list[str], address: str) -> list[str]:
    """A peer's label as the other's client reads it through a relay, and whom it was connected to."""
    process = await asyncio.create_subprocess_exec(*other, "through", address, stdout=asyncio.subprocess.PIPE)
    out, _ = await asyncio.wait_for(process.communicate(), ANSWER_SECONDS)
    assert process.returncode == 0
    return out.decode().splitlines()


@pytest_asyncio.fixture
async def served(tmp_path: Path) -> AsyncIterator[Pair]:
    opened = pair(tmp_path)
    async with opened as running:
        yield running


async def test_our_peer_is_reached_through_the_others_relay_by_its_client_and_by_ours(other: list[str], served: Pair) -> None:
    async with running(*other, "relay") as relay, loopback_host() as caller:
        us = served.callee.peer_id
        await served.callee.reserve(relay.peer, [relay])
        through = f"{relay.transport}/p2p/{relay.peer}{CIRCUIT}/p2p/{us}"
        assert await read_through(other, through) == ["Alice", f"{us} true 1"]
        await caller.connect(us, [parse(through)])
        assert await PeerClient(caller).label(us) == "Alice"
        assert caller.peer_id in {each.peer for each in served.callee.peers()}


async def test_the_others_hidden_peer_is_reached_through_our_relay_by_its_client_and_by_ours(other: list[str]) -> None:
    async with (
        loopback_host() as host,
        open_relay(host, lambda: list(host.addresses)),
        loopback_host() as caller,
        running(*other, "hidden", host.addresses[0]) as hidden,
    ):
        await caller.connect(hidden.peer, [hidden])
        assert (await PeerClient(caller).label(hidden.peer)).endswith(f", called by {caller.peer_id}")
        label, connected = await read_through(other, f"{hidden.transport}/p2p/{hidden.peer}")
        assert ", called by 12D3Koo" in label
        assert connected == f"{hidden.peer} true 1"


async def test_our_peer_is_reached_through_our_relay_by_the_others_client(other: list[str], served: Pair) -> None:
    async with loopback_host() as host, open_relay(host, lambda: list(host.addresses)):
        await served.callee.reserve(host.peer_id, [parse(host.addresses[0])])
        answer = await read_through(other, f"{host.addresses[0]}{CIRCUIT}/p2p/{served.callee.peer_id}")
        assert answer == ["Alice", f"{served.callee.peer_id} true 1"]


async def test_the_other_tells_where_it_sees_us(other: list[str]) -> None:
    async with running(*other, "relay") as relay, loopback_host() as host:
        await host.connect(relay.peer, [relay])
        (connection,) = host.connections(relay.peer)
        await asyncio.wait_for(connection.identify_done.wait(), ANSWER_SECONDS)
        assert host.observed_addresses() == (host.addresses[0].rpartition("/p2p/")[0],)
