"""`GET /ws` of the rendezvous server, tried first by existing peers, and what it must not open."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from urllib.parse import urlsplit

import httpx
import pytest
import pytest_asyncio
from tests.net.hosts import SECONDS, new_identity
from tests.wire_socket import WireSocket, wire_socket

from goop2.config import Address
from goop2.protocols.presence import PRESENCE_MAX_BYTES, Presence, write
from goop2.rendezvous import http as module
from goop2.rendezvous.limits import DROPPED_PER_SOCKET_MAX
from goop2.rendezvous.server import open_rendezvous

ANN, BOB = new_identity().peer_id, new_identity().peer_id


@pytest_asyncio.fixture
async def url() -> AsyncIterator[str]:
    async with open_rendezvous(Address("127.0.0.1", 0)) as found:
        yield found


def port_of(url: str) -> int:
    return urlsplit(url).port or 0


async def eventually(true: Callable[[], Awaitable[bool]]) -> bool:
    """Whether it becomes true in time."""
    async with asyncio.timeout(SECONDS):
        for _ in iter(bool, True):
            if await true():
                break
            await asyncio.sleep(0.02)
    return True


def online(peer: str, label: str = "") -> bytes:
    return write(Presence("online", peer, label, ts=1))


async def test_both_ways_over_a_socket_and_between_the_two_kinds(url: str) -> None:
    async with httpx.AsyncClient(base_url=url, timeout=SECONDS) as client, await wire_socket(port_of(url)) as ann:
        assert ann.status == 101
        ann.send(online(ANN, "Ann"))
        assert await ann.next() == {"type": "online", "peerId": ANN, "content": "Ann", "ts": 1}
        async with await wire_socket(port_of(url)) as bob:
            assert (await bob.next())["peerId"] == ANN, "who is here comes first"
            assert (await client.post("/publish", content=online(BOB))).status_code == 204
            assert [(await each.next())["peerId"] for each in (ann, bob)] == [BOB, BOB]
        async with client.stream("GET", "/events") as events:
            async for line in events.aiter_lines():
                if line.startswith("data: "):
                    assert json.loads(line[6:])["peerId"] in (ANN, BOB)
                    break


async def test_a_message_in_pieces_is_one(url: str) -> None:
    async with await wire_socket(port_of(url)) as ann:
        said = online(ANN, "Ann")
        ann.send(said[:20], final=False)
        ann.send(said[20:], 0)
        assert (await ann.next())["content"] == "Ann"


@pytest.mark.parametrize(
    "origin",
    ["https://evil.example", "null", "http://127.0.0.1:1"],
)
async def test_a_page_of_another_origin_hears_nothing(url: str, origin: str) -> None:
    async with await wire_socket(port_of(url), origin=origin) as socket:
        assert socket.status == 403
    async with await wire_socket(port_of(url), origin=url) as own:
        assert own.status == 101


async def test_other_addresses_have_no_socket(url: str) -> None:
    async with await wire_socket(port_of(url), "/events") as socket:
        assert socket.status in (403, 404)


async def test_a_socket_has_its_place_among_readers_and_gives_it_back(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "READERS_PER_ADDRESS_MAX", 1)
    async with await wire_socket(port_of(url)) as first:
        assert first.status == 101
        async with await wire_socket(port_of(url)) as second:
            assert second.status == 503
            assert b"too many are listening" in second.body or b"retry-after" in second.body.lower()

    async def again() -> bool:
        async with await wire_socket(port_of(url)) as third:
            return third.status == 101

    assert await eventually(again)


async def test_a_message_that_is_too_long_ends_the_socket(url: str) -> None:
    async with await wire_socket(port_of(url)) as socket:
        socket.send(b" " * (PRESENCE_MAX_BYTES + 1))
        assert await socket.closed_with() == 1009


async def test_a_client_that_sends_nonsense_without_end_is_let_go(url: str) -> None:
    async with await wire_socket(port_of(url)) as socket:
        for _ in range(DROPPED_PER_SOCKET_MAX):
            socket.send(b"{}")
        assert await socket.closed_with() == module.POLICY_VIOLATION


async def test_a_quiet_client_is_pinged_and_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("goop2.rendezvous.socket_protocol.KEEP_ALIVE_SECONDS", 0.05)
    async with open_rendezvous(Address("127.0.0.1", 0)) as url, await wire_socket(port_of(url)) as socket:
        while socket.pings < 3:
            await socket.frame()


async def test_a_client_that_answers_no_ping_is_let_go(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("goop2.rendezvous.socket_protocol.KEEP_ALIVE_SECONDS", 0.05)
    monkeypatch.setattr("goop2.rendezvous.socket_protocol.PONG_SECONDS", 0.1)
    monkeypatch.setattr(WireSocket, "send", lambda *_given, **_more: None)
    async with open_rendezvous(Address("127.0.0.1", 0)) as url, await wire_socket(port_of(url)) as socket:
        assert await socket.closed_with() == 1011


async def test_the_end_of_the_server_says_so_to_sockets() -> None:
    async with open_rendezvous(Address("127.0.0.1", 0)) as url:
        socket = await wire_socket(port_of(url))
    async with socket:
        assert await socket.closed_with() in (module.GOING_AWAY, 1012)


async def test_sockets_count_as_connections_of_their_network(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("goop2.rendezvous.server.CONNECTIONS_MAX", 2)
    async with open_rendezvous(Address("127.0.0.1", 0)) as url, httpx.AsyncClient(base_url=url, timeout=SECONDS) as client:
        one, two = await wire_socket(port_of(url)), await wire_socket(port_of(url))
        assert (await client.get("/healthz")).status_code == 503
        async with one, two:
            pass

        async def free() -> bool:
            return (await client.get("/healthz")).status_code == 200

        assert await eventually(free)
