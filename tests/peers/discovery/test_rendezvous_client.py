"""A peer and its rendezvous servers: real ones, and one that lies."""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from types import SimpleNamespace

import httpx
import pytest
from tests.net.hosts import SECONDS, new_identity, until
from tests.peers.discovery.test_discovery import peer

from goop2.config import Address
from goop2.peers.discovery import rendezvous_client as module
from goop2.peers.discovery.rendezvous_client import open_server
from goop2.peers.discovery.troubles import Troubles
from goop2.protocols.presence import Presence
from goop2.rendezvous.server import open_rendezvous

ANYWHERE = Address("127.0.0.1", 0)
ANN = new_identity().peer_id


def read_label(data: bytes) -> str:
    return str(json.loads(data).get("content"))


async def test_two_peers_find_each_other_through_a_server_alone(tmp_path: Path) -> None:
    async with asyncio.timeout(SECONDS), open_rendezvous(ANYWHERE) as url:
        async with peer(tmp_path, "Ann", servers=[url, f"{url}/"]) as ann, peer(tmp_path, "Bob", servers=[url]) as bob:
            await until(lambda: [each.peer for each in ann.host.peers()] == [bob.host.peer_id])
            assert ann.sees() == {bob.host.peer_id: "Bob"}
            page = await _page(url)
            assert ("Ann" in page, "Bob" in page, "2 peers" in page) == (True, True, True)
        assert "Nobody yet" in await _page(url)


async def test_a_peer_of_two_servers_hears_both_and_is_heard_at_both(tmp_path: Path) -> None:
    async with contextlib.AsyncExitStack() as stack:
        own, wide = [await stack.enter_async_context(open_rendezvous(ANYWHERE)) for _ in range(2)]
        ann = await stack.enter_async_context(peer(tmp_path, "Ann", servers=[own]))
        bob = await stack.enter_async_context(peer(tmp_path, "Bob", servers=[own, wide]))
        cid = await stack.enter_async_context(peer(tmp_path, "Cid", servers=[wide]))
        await until(lambda: {ann.host.peer_id, cid.host.peer_id} <= {each.peer for each in bob.host.peers()})
        for url, here in ((own, "Ann"), (wide, "Cid")):
            page = await _page(url)
            assert ("Bob" in page, here in page) == (True, True)


async def test_forged_goodbyes_and_addresses_harm_no_connected_peer(tmp_path: Path) -> None:
    async with asyncio.timeout(SECONDS), open_rendezvous(ANYWHERE) as url:
        both = peer(tmp_path, "Ann", servers=[url]), peer(tmp_path, "Bob", servers=[url])
        async with both[0] as ann, both[1] as bob:
            await until(lambda: any(each.proved for each in ann.discovery.roster.peers()))
            lies = [{"type": "online", "peerId": bob.host.peer_id, "content": "Mallory", "addrs": ["/ip4/203.0.113.1/tcp/1"], "ts": 2**53}]
            lies += [{"type": "offline", "peerId": bob.host.peer_id, "ts": 2**53}, {"type": "online", "peerId": ANN, "content": "Last"}]
            async with httpx.AsyncClient() as client:
                for lie in lies:
                    assert (await client.post(f"{url}/publish", json=lie)).status_code == 204
            await until(lambda: ANN in ann.sees())
            assert ann.sees()[bob.host.peer_id] == "Bob"
            assert [each.peer for each in ann.host.peers()] == [bob.host.peer_id]


async def test_a_server_that_comes_back_is_heard_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "RETRY_FIRST_SECONDS", 0.05)
    heard: list[str] = []
    async with asyncio.timeout(SECONDS), contextlib.AsyncExitStack() as stack:
        async with open_rendezvous(ANYWHERE) as url:
            server = await stack.enter_async_context(open_server(url, lambda data: heard.append(read_label(data)), Troubles()))
            await until(lambda: server.reached)
            await server.send(Presence("online", ANN, "first"))
            await until(lambda: heard == ["first"])
        await until(lambda: not server.reached)
        port = int(url.rsplit(":", 1)[1])
        async with open_rendezvous(Address("127.0.0.1", port)):
            await until(lambda: server.reached)
            await server.send(Presence("online", ANN, "second"))
            await until(lambda: heard == ["first", "second"])


async def test_a_server_that_does_not_answer_is_told_of_after_a_while_and_when_it_is_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "RETRY_FIRST_SECONDS", 0.05)
    monkeypatch.setattr(module, "AWAY_TOLD_SECONDS", 0.5)
    troubles = Troubles()
    async with asyncio.timeout(SECONDS), contextlib.AsyncExitStack() as stack:
        async with open_rendezvous(ANYWHERE) as url:
            server = await stack.enter_async_context(open_server(url, print, troubles))
            await until(lambda: server.reached)
        await until(lambda: not server.reached)
        assert troubles.current == {}, "it may be back in a moment"
        await until(lambda: url in troubles.current)
        assert troubles.current[url].startswith(f"the rendezvous server {url} does not answer (")
        assert "check presence.rendezvous_wan" in troubles.current[url]
        await asyncio.sleep(0.5)  # it is asked many times meanwhile
        assert len(troubles.notes) == 1, "however often it is asked"
        async with open_rendezvous(Address("127.0.0.1", int(url.rsplit(":", 1)[1]))):
            await until(lambda: troubles.current == {})


async def test_a_sign_that_is_not_taken_is_an_error() -> None:
    async with open_rendezvous(ANYWHERE) as url, open_server(url, print, Troubles()) as server:
        with pytest.raises(Exception, match="answers 400"):
            await server.send(Presence("online", "nobody"))


@contextlib.asynccontextmanager
async def lying(answer: bytes, held: list[asyncio.StreamWriter]) -> AsyncIterator[str]:
    """A server that answers everything with these bytes and holds the connection."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        held.append(writer)
        with contextlib.suppress(asyncio.IncompleteReadError):
            await reader.readuntil(b"\r\n\r\n")
        with contextlib.suppress(ConnectionError):
            writer.write(answer)
            await writer.drain()

    serve: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]] = handle
    async with await asyncio.start_server(serve, "127.0.0.1", 0) as listening:
        yield f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}"
        for writer in held:
            writer.transport.abort()


EVENTS = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n"


FLOODS = [b"nonsense\r\n\r\n", b"HTTP/1.1 500 No\r\n\r\n", EVENTS + b"data: " + b"x" * 200_000]


@pytest.mark.parametrize("answer", FLOODS)
async def test_a_server_that_lies_or_floods_is_left_and_asked_again_later(answer: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "RETRY_FIRST_SECONDS", 0.05)
    held: list[asyncio.StreamWriter] = []
    async with asyncio.timeout(SECONDS), lying(answer, held) as url, open_server(url, print, Troubles()):
        await until(lambda: len(held) >= 3)


@contextlib.asynccontextmanager
async def endless(head: bytes, content: bytes) -> AsyncIterator[str]:
    """A server whose answers never end."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            await reader.readuntil(b"\r\n\r\n")
            writer.write(head)
            while True:
                writer.write(content)
                await writer.drain()
        writer.transport.abort()

    async with await asyncio.start_server(handle, "127.0.0.1", 0) as listening:
        yield f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}"


async def test_an_answer_to_a_sign_that_has_no_end_is_not_read_to_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module.Server, "_listen", lambda _self: asyncio.sleep(0))
    async with endless(b"HTTP/1.1 200 OK\r\n\r\n", b"x" * 65536) as url, open_server(url, print, Troubles()) as server:
        async with asyncio.timeout(SECONDS):
            with pytest.raises(module.ServerAwayError, match="/publish answers more than 16384 bytes"):
                await server.send(Presence("online", ANN))


@pytest.mark.parametrize("content", [b"data: {}\n\n" * 1000, b"\n" * 65536])
async def test_a_flood_of_events_takes_a_share_of_a_core(content: bytes) -> None:
    heard: list[bytes] = []
    async with endless(EVENTS, content) as url, open_server(url, heard.append, Troubles()) as server:
        await until(lambda: server.reached)
        began, used = time.monotonic(), time.thread_time()
        await asyncio.sleep(2)  # over which its use is measured
        assert time.thread_time() - used < 2 * module.HEARING_SHARE * (time.monotonic() - began), "the flooding server is in it too"


class Told(Troubles):
    """What the owner is told."""

    def __init__(self) -> None:
        super().__init__()
        self.said: list[str] = []

    def resolve(self, subject: str, sentence: str) -> None:
        if self.current.pop(subject, None):
            self.said.append(sentence)


PORTALS = [
    (b"HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=utf-8\r\nContent-Length: 7\r\n\r\n<login>", "text/html"),
    (b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", "something without a type"),
    (b"HTTP/1.1 302 Found\r\nLocation: http://login.example/\r\nContent-Length: 0\r\n\r\n", r"a redirect \(302\)"),
]


@pytest.mark.parametrize(("answer", "what"), PORTALS)
async def test_a_login_page_in_the_place_of_a_server_is_told_and_asked_seldom(
    answer: bytes, what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits: list[float] = []
    asked = asyncio.Event()

    async def sleep(seconds: float) -> None:
        waits.append(seconds)
        if len(waits) > 6:
            asked.set()
            await asyncio.Event().wait()

    monkeypatch.setattr(module, "asyncio", SimpleNamespace(**{**vars(asyncio), "sleep": sleep}))
    monkeypatch.setattr(module, "random", SimpleNamespace(uniform=lambda _least, most: most))
    told = Told()
    async with asyncio.timeout(SECONDS), lying(answer, []) as url, open_server(url, print, told):
        await asked.wait()
        assert waits == [2, 4, 8, 16, 32, 60, 60]
        assert re.search(f"is no rendezvous server from here: /events answers {what} instead of events", told.current[url])


async def test_when_a_server_answers_in_the_place_of_a_login_page_that_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "RETRY_FIRST_SECONDS", 0.02)
    told = Told()
    async with asyncio.timeout(SECONDS), contextlib.AsyncExitStack() as stack:
        async with lying(PORTALS[0][0], []) as url:
            server = await stack.enter_async_context(open_server(url, print, told))
            await until(lambda: bool(told.current))
        async with open_rendezvous(Address("127.0.0.1", int(url.rsplit(":", 1)[1]))):
            await until(lambda: server.reached)
    assert (told.current, told.said) == ({}, [f"the rendezvous server {url} is heard again"])


async def test_a_server_that_is_full_is_asked_when_it_says(monkeypatch: pytest.MonkeyPatch) -> None:
    full = b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 77\r\nContent-Length: 0\r\n\r\n"
    waits: list[float] = []
    asked = asyncio.Event()

    async def sleep(seconds: float) -> None:
        waits.append(seconds)
        asked.set()
        await asyncio.Event().wait()

    monkeypatch.setattr(module, "asyncio", SimpleNamespace(**{**vars(asyncio), "sleep": sleep}))
    async with asyncio.timeout(SECONDS), lying(full, []) as url, open_server(url, print, Troubles()):
        await asked.wait()
    assert waits == [77]


async def test_a_server_that_lies_keeps_nobody_from_another(tmp_path: Path) -> None:
    async with asyncio.timeout(SECONDS), lying(EVENTS + b"\xff\n\n" * 100 + b"data: []\n\n", []) as bad, open_rendezvous(ANYWHERE) as good:
        both = peer(tmp_path, "Ann", servers=[bad, good]), peer(tmp_path, "Bob", servers=[good])
        async with both[0] as ann, both[1] as bob:
            await until(lambda: [each.peer for each in ann.host.peers()] == [bob.host.peer_id])


async def _page(url: str) -> str:
    async with httpx.AsyncClient() as client:
        return (await client.get(url)).text
