"""The rendezvous server over real sockets."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator

import httpx
import pytest
import pytest_asyncio
from starlette.requests import Request
from tests.net.hosts import SECONDS, new_identity

from goop2.config import Address
from goop2.net.address import parse
from goop2.protocols.presence import PRESENCE_MAX_BYTES, Presence, write
from goop2.rendezvous import http as module
from goop2.rendezvous.limits import ASKED_FOR_MAX, PUBLISHED_PER_MINUTE
from goop2.rendezvous.server import open_rendezvous
from goop2.web.http.listeners import ListenerError

ANN, BOB = new_identity().peer_id, new_identity().peer_id


@pytest_asyncio.fixture
async def server() -> AsyncIterator[httpx.AsyncClient]:
    async with open_rendezvous(Address("127.0.0.1", 0)) as url, httpx.AsyncClient(base_url=url, timeout=SECONDS) as client:
        yield client


def online(peer: str, label: str = "") -> bytes:
    return write(Presence("online", peer, label, ts=1))


async def data_of(answer: httpx.Response, count: int) -> list[dict[str, object]]:
    found: list[dict[str, object]] = []
    async with asyncio.timeout(SECONDS):
        async for line in answer.aiter_lines():
            if line.startswith("data: "):
                found.append(json.loads(line.removeprefix("data: ")))
            if len(found) == count:
                return found
    return found


async def test_a_sign_reaches_who_listens_and_who_comes_later(server: httpx.AsyncClient) -> None:
    async with server.stream("GET", "/events") as first:
        assert first.headers["content-type"].startswith("text/event-stream")
        assert (await server.post("/publish", content=online(ANN, "Ann"))).status_code == 204
        assert await data_of(first, 1) == [{"type": "online", "peerId": ANN, "content": "Ann", "ts": 1}]
    async with server.stream("GET", "/events") as later:
        assert [said["peerId"] for said in await data_of(later, 1)] == [ANN]


async def test_whoever_asks_for_some_peers_hears_those_alone(server: httpx.AsyncClient) -> None:
    await server.post("/publish", content=online(ANN, "Ann"))
    await server.post("/publish", content=online(BOB, "Bob"))
    async with server.stream("GET", f"/events?peers={BOB}") as some:
        await server.post("/publish", content=online(ANN, "Ann Other"))
        await server.post("/publish", content=online(BOB, "Bob Other"))
        assert [said["content"] for said in await data_of(some, 2)] in (["Bob", "Bob Other"], ["Bob Other", "Bob Other"])


async def test_what_is_no_peer_and_too_many_of_them_cannot_be_asked_for(server: httpx.AsyncClient) -> None:
    refused = await server.get("/events?peers=ann")
    assert (refused.status_code, refused.text) == (400, "'ann' is not a peer's id, such as 12D3Koo…\n")
    refused = await server.get(f"/events?peers={','.join([ANN] * (ASKED_FOR_MAX + 1))}")
    assert (refused.status_code, refused.text) == (400, "257 peers are asked for; the most is 256\n")


async def test_whoever_was_away_hears_what_was_missed(server: httpx.AsyncClient) -> None:
    async with server.stream("GET", "/events") as first:
        await server.post("/publish", content=online(ANN))
        last_id = ""
        async for line in first.aiter_lines():
            if line.startswith("id: "):
                last_id = line.removeprefix("id: ")
                break
    await server.post("/publish", content=online(BOB))
    async with server.stream("GET", "/events", headers={"last-event-id": last_id}) as again:
        assert [said["peerId"] for said in await data_of(again, 1)] == [BOB]


async def test_a_look_at_the_events_headers_ends_with_them(server: httpx.AsyncClient) -> None:
    answer = await server.head("/events")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/event-stream; charset=utf-8")
    # On the same connection, where a stream without an end would stand before it.
    assert (await server.get("/healthz", timeout=10)).text == "ok\n"


async def test_whoever_has_heard_nothing_yet_hears_who_is_here(server: httpx.AsyncClient) -> None:
    await server.post("/publish", content=online(ANN))
    async with server.stream("GET", "/events", headers={"last-event-id": ""}) as first:
        assert [said["peerId"] for said in await data_of(first, 1)] == [ANN]


@pytest.mark.parametrize(
    ("content", "status"),
    [(b"", 400), (b"{}", 400), (online("<script>"), 400), (b" " * (PRESENCE_MAX_BYTES + 1), 413)],
)
async def test_what_is_no_presence_is_refused(server: httpx.AsyncClient, content: bytes, status: int) -> None:
    answer = await server.post("/publish", content=content)
    assert answer.status_code == status
    assert "Nobody yet" in (await server.get("/")).text


async def test_more_signs_than_60_a_minute_are_refused(server: httpx.AsyncClient) -> None:
    statuses: list[int] = []
    while 429 not in statuses and len(statuses) < 5 * PUBLISHED_PER_MINUTE:
        statuses.append((await server.post("/publish", content=online(ANN))).status_code)
    assert statuses[:PUBLISHED_PER_MINUTE] == [204] * PUBLISHED_PER_MINUTE
    assert statuses[-1] == 429


def test_who_has_a_network_of_ipv6_is_one_address() -> None:
    sources = {
        module._source(Request({"type": "http", "client": (address, 1), "headers": []})) for address in ("2001:db8::1", "2001:db8::ffff:2")
    }
    assert len(sources) == 1
    assert module._source(Request({"type": "http", "client": ("::ffff:192.0.2.1", 1), "headers": []})) == "192.0.2.1"


async def test_a_reader_that_is_gone_before_it_hears_anything_leaves_its_place() -> None:
    rendezvous = module.Rendezvous()

    async def receive() -> dict[str, object]:
        return {"type": "http.disconnect"}

    async def send(_message: object) -> None:  # as a connection does that takes nothing
        await asyncio.Event().wait()

    scope = {"type": "http", "method": "GET", "path": "/events", "query_string": b"", "headers": [], "client": ("192.0.2.1", 1)}
    await asyncio.wait_for(rendezvous.app(scope, receive, send), 5)
    assert rendezvous.announcements.readers == 0


async def test_when_no_more_peers_have_room_a_new_one_is_told_when_to_come_again(
    server: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("goop2.rendezvous.registry.PEERS_MAX", 1)
    assert (await server.post("/publish", content=online(ANN))).status_code == 204
    refused = await server.post("/publish", content=online(BOB))
    assert (refused.status_code, refused.headers["retry-after"]) == (503, "10")
    assert (await server.post("/publish", content=online(ANN))).status_code == 204


@pytest.mark.parametrize("bound", ["READERS_MAX", "READERS_PER_ADDRESS_MAX"])
async def test_when_too_many_listen_one_more_is_told_when_to_come_again(
    server: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch, bound: str
) -> None:
    monkeypatch.setattr(module, bound, 1)
    async with server.stream("GET", "/events"):
        refused = await server.get("/events")
        assert (refused.status_code, refused.headers["retry-after"]) == (503, "10")


async def test_a_reader_that_takes_nothing_hears_the_newest_when_it_reads_again(server: httpx.AsyncClient) -> None:
    """A slow reader hears fewer, never later and later."""
    await server.post("/publish", content=online(ANN, "x" * 200))
    url = server.base_url
    with socket.create_connection((url.host, url.port)) as slow:
        slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        slow.sendall(b"GET /events HTTP/1.1\r\nHost: x\r\n\r\n")
        async with asyncio.timeout(SECONDS):
            for number in range(40):
                await server.post("/publish", content=online(BOB, f"{number} " + "x" * 240))
                await asyncio.sleep(0)
            got = b""
            slow.setblocking(False)
            while b'"39 xxx' not in got:
                got += await asyncio.get_running_loop().sock_recv(slow, 65536)
    assert got.count(BOB.encode()) < 40


async def test_what_is_not_served_is_404(server: httpx.AsyncClient) -> None:
    # A plain GET of /ws is no WebSocket.
    assert [(await server.get(path)).status_code for path in ("/ws?peer_id=x", "/relay", "/healthz")] == [404, 404, 200]


async def test_a_server_with_a_relay_says_where_it_is_as_it_is_reached_itself() -> None:
    everywhere = Address("0.0.0.0", 0)
    async with open_rendezvous(Address("127.0.0.1", 0), everywhere) as url, httpx.AsyncClient(base_url=url, timeout=SECONDS) as client:
        answer = await client.get("/relay")
        said = answer.json()
        assert said["cleanup_delay_sec"] > 0
        read_by_go = ("cleanup_delay_sec", "poll_deadline_sec", "connect_timeout_sec", "refresh_interval_sec", "recovery_grace_sec")
        assert all(said[key] > 0 for key in read_by_go), "0 seconds would be no time at all"
        seconds = [value for key, value in said.items() if key.endswith("_sec")]
        assert all(type(value) is int for value in seconds), "existing peers read integers, and refuse 5.0"
        first = parse(said["addrs"][0])
        assert first.peer == said["peer_id"]
        assert first.transport.startswith("/ip4/127.0.0.1/tcp/")
        port = first.transport.rpartition("/")[2]
        by_name = (await client.get("/relay", headers={"host": "meet.example:8787"})).json()
        assert by_name["addrs"][0] == f"/dns4/meet.example/tcp/{port}/p2p/{said['peer_id']}"
        for host in ("[::1]:80", "a/b", "x" * 300):
            addresses = (await client.get("/relay", headers={"host": host})).json()["addrs"]
            assert all(parse(address).transport.startswith("/ip4/") for address in addresses)


async def test_a_relay_that_listens_on_one_address_says_that_one() -> None:
    one = Address("127.0.0.1", 0)
    async with open_rendezvous(one, one) as url, httpx.AsyncClient(base_url=url, timeout=SECONDS) as client:
        said = (await client.get("/relay", headers={"host": "meet.example"})).json()
        assert [parse(address).transport.rpartition("/")[0] for address in said["addrs"]] == ["/ip4/127.0.0.1/tcp"]


async def test_a_port_that_is_taken_for_the_relay_is_a_sentence() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(ListenerError, match=rf"no relay can be opened on 127\.0\.0\.1:{port} .*: choose another with --relay"):
            async with open_rendezvous(Address("127.0.0.1", 0), Address("127.0.0.1", port)):
                pass


async def test_the_page_and_what_it_loads_are_there(server: httpx.AsyncClient) -> None:
    await server.post("/publish", content=online(ANN, "<b>Ann"))
    page = await server.get("/")
    assert "&lt;b&gt;Ann" in page.text
    for path, mime in (("/page.js", "text/javascript"), ("/page.css", "text/css")):
        answer = await server.get(path)
        assert (answer.status_code, answer.headers["content-type"].split(";")[0]) == (200, mime)


async def test_no_address_takes_all_the_places(server: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "READERS_PER_ADDRESS_MAX", 1)
    async with server.stream("GET", "/events") as first:
        assert first.status_code == 200
        assert (await server.get("/events")).status_code == 503


async def test_a_port_that_is_taken_is_a_sentence() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(
            ListenerError, match=rf"127\.0\.0\.1:{port} \(another program listens there already\): choose another with --http"
        ):
            async with open_rendezvous(Address("127.0.0.1", port)):
                pass


async def test_the_end_lets_listeners_go() -> None:
    async with asyncio.timeout(SECONDS), httpx.AsyncClient(timeout=SECONDS) as client:
        async with open_rendezvous(Address("127.0.0.1", 0)) as url:
            answer = await client.send(client.build_request("GET", f"{url}/events"), stream=True)
        await answer.aclose()
