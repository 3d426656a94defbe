"""Visits to peers that do as they like: every answer that is none becomes a page that says so, and nothing waits or grows."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass

import pytest
import pytest_asyncio
from tests.net.hosts import LOOPBACK, connect, loopback_host
from tests.web.served import Answer, Served, served

from goop2.app import join
from goop2.net.acceptor import Handler
from goop2.net.host import Host
from goop2.net.stream import Stream
from goop2.peers import client
from goop2.protocols import data, site
from goop2.web.http.peer_host import host_label

pytestmark = pytest.mark.asyncio(loop_scope="module")

MEGABYTE = 1024 * 1024


@dataclass
class Visit:
    """Our peer, and one it visits that answers as a test wants."""

    served: Served
    other: Host
    asked: list[bytes]

    @property
    def origin(self) -> str:
        return f"{host_label(self.other.peer_id)}.localhost:{self.served.port}"

    async def get(self, path: str = "/index.html", method: str = "GET") -> Answer:
        return await self.served.ask(path, host=self.origin, method=method)

    async def answers(self, *pieces: bytes, then: Handler | None = None) -> None:
        """Whatever file is asked for."""

        async def answer(stream: Stream) -> None:
            self.asked.append(await stream.read())
            for piece in pieces:
                await stream.write(piece)
            await (then(stream) if then else stream.finish())

        await self.other.serve(site.PROTOCOL, answer)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def visit(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Visit]:
    async with AsyncExitStack() as stack:
        up = await stack.enter_async_context(served(tmp_path_factory.mktemp("peer")))
        network = await stack.enter_async_context(join(up.peer, 0, listen_on=LOOPBACK, near_by=False))
        other = await stack.enter_async_context(loopback_host())
        await connect(network.host, other)
        up.web.remote.attach(network)
        stack.callback(up.web.remote.detach)
        yield Visit(up, other, [])


async def silent(stream: Stream) -> None:
    """Says no more, for longer than anybody waits."""
    await stream.read()


async def ends(stream: Stream) -> None:
    await asyncio.sleep(0.2)  # a reset throws away what was sent before it and not read yet
    stream.reset()


async def drips(stream: Stream) -> None:
    for _ in range(100):
        await stream.write(b"x")
        await asyncio.sleep(0.05)  # the drip that is tried


@pytest.mark.parametrize(
    ("mime", "shown"),
    [
        ("text/html; charset=utf-8", "text/html; charset=utf-8"),
        ('text/html;charset="UTF-8"; x=1', "text/html; charset=UTF-8"),
        ("text/html ; charset=utf-8", "text/html; charset=utf-8"),
        ("video/mp4; codecs=avc1", "video/mp4"),
        ("image/svg+xml", "image/svg+xml"),
        ("text/html\x0bset-cookie: a=b", "application/octet-stream"),
        ("what you like", "application/octet-stream"),
        ("../../x", "application/octet-stream"),
        ("text/ht\u00e9ml", "application/octet-stream"),
    ],
)
async def test_a_type_with_blanks_is_kept_and_what_is_none_is_bytes(visit: Visit, mime: str, shown: str) -> None:
    await visit.answers(f"OK {mime} 2\nhi".encode())
    answer = await visit.get("/x")
    assert (answer.status, answer.headers["content-type"], answer.body) == (200, shown, b"hi")
    assert "set-cookie" not in answer.headers


@pytest.mark.parametrize(
    ("path", "asked"),
    [
        ("/p/{peer}/", b"GET /index.html\n"),
        ("/quiz/", b"GET /quiz/index.html\n"),
        ("/a%20b.html?x=1&y=%2F", b"GET /a b.html\n"),
        ("/%C3%A6.html", "GET /æ.html\n".encode()),
        ("//evil.example/x", b"GET /evil.example/x\n"),
    ],
)
async def test_a_folder_is_its_index_and_the_query_stays_with_the_page(visit: Visit, path: str, asked: bytes) -> None:
    await visit.answers(b"OK text/html 2\nhi")
    visit.asked.clear()
    assert (await visit.get(path.format(peer=visit.other.peer_id))).status == 200
    assert visit.asked == [asked]


@pytest.mark.parametrize("path", ["/a%0Ab", "/" + "x" * 5000])
async def test_a_path_no_file_can_have_is_not_asked_for(visit: Visit, path: str) -> None:
    await visit.answers(b"OK text/html 2\nhi")
    visit.asked.clear()
    answer = await visit.get(path)
    assert answer.status in (400, 404, 414)
    assert visit.asked == []


@pytest.mark.parametrize(
    ("answered", "status", "text"),
    [
        (b"", 502, "ended"),
        (b"hello", 502, "ended"),
        (b"HTTP/1.1 200 OK\n", 502, "where OK &lt;mime&gt; &lt;bytes&gt; or ERR &lt;reason&gt; is expected"),
        (b"OK text/html\n", 502, "does not keep to the protocol"),
        (b"OK text/html -5\n", 502, "does not keep to the protocol"),
        (b"OK text/html " + b"9" * 900 + b"\n", 502, "up to 50 MB"),
        (b"OK text/html 52428801\n", 502, "A visit shows files up to 50 MB, and this one is larger."),
        (b"x" * 5000, 502, "longer than 1024 bytes"),
        (b"\x00\xff\x1b[31m\n", 502, "does not keep to the protocol"),
        (b"ERR not found\n", 404, "The site of this peer has no /nothing.html."),
        (b"ERR bad request\n", 404, "The peer knows no address like this."),
        (b"ERR forbidden\n", 403, "no peer gives files beyond 50 MB"),
        (b"ERR site disabled\n", 404, "has switched its site off"),
        (b"ERR unavailable\n", 503, "cannot be read now"),
        (b"ERR <script>alert(1)</script>\n", 502, "&lt;script&gt;alert(1)&lt;/script&gt;"),
        (b"ERR " + b"{path.__class__}" * 50 + b"\n", 502, "{path.__class__}"),
    ],
)
async def test_an_answer_that_is_none_becomes_a_page(visit: Visit, answered: bytes, status: int, text: str) -> None:
    await visit.answers(answered)
    answer = await visit.get("/nothing.html")
    assert (answer.status, answer.headers["content-type"]) == (status, "text/html; charset=utf-8")
    assert text in answer.body.decode()
    assert "Traceback" not in answer.body.decode()


@pytest.mark.parametrize("behaviour", [silent, drips, ends])
@pytest.mark.parametrize("begun", [b"", b"OK text/ht"])
async def test_a_header_that_does_not_come_is_not_waited_for(
    visit: Visit, monkeypatch: pytest.MonkeyPatch, behaviour: Handler, begun: bytes
) -> None:
    monkeypatch.setattr(client, "REQUEST_SECONDS", 0.5)
    await visit.answers(*filter(None, [begun]), then=behaviour)
    answer = await visit.get("/x")
    assert answer.status == 502
    assert "does not answer in time" in answer.body.decode() or "ended the exchange" in answer.body.decode()


@pytest.mark.parametrize("behaviour", [silent, drips, ends])
async def test_a_file_that_does_not_end_is_cut_and_its_reader_sees_that(
    visit: Visit, monkeypatch: pytest.MonkeyPatch, behaviour: Handler
) -> None:
    monkeypatch.setattr(client, "EXCHANGE_SECONDS", 0.5)
    await visit.answers(b"OK text/html 1000\nhello", then=behaviour)
    answer = await visit.get("/x")
    assert (answer.status, answer.headers["content-length"]) == (200, "1000")
    assert answer.body.startswith(b"hello")
    assert len(answer.body) < 1000


async def test_what_comes_beyond_the_size_is_not_shown(visit: Visit) -> None:
    await visit.answers(b"OK text/html 5\nhello and more")
    answer = await visit.get("/x")
    assert (answer.headers["content-length"], answer.body) == ("5", b"hello")


async def test_a_look_at_the_header_takes_none_of_the_file(visit: Visit) -> None:
    sent, ended = 0, asyncio.Event()

    async def endless(stream: Stream) -> None:
        nonlocal sent
        try:
            while sent < 40 * MEGABYTE:
                await stream.write(bytes(65536))
                sent += 65536
        finally:
            ended.set()

    await visit.answers(b"OK video/mp4 %d\n" % (40 * MEGABYTE), then=endless)
    answer = await visit.get("/film.mp4", "HEAD")
    assert (answer.status, answer.headers["content-length"], answer.headers["content-type"]) == (200, str(40 * MEGABYTE), "video/mp4")
    assert answer.body == b""
    await asyncio.wait_for(ended.wait(), 10)
    assert sent < 5 * MEGABYTE


async def test_a_browser_that_goes_ends_the_file_at_its_peer(visit: Visit) -> None:
    ended = asyncio.Event()

    async def endless(stream: Stream) -> None:
        try:
            for _ in range(700):
                await stream.write(bytes(65536))
        finally:
            ended.set()

    await visit.answers(b"OK video/mp4 %d\n" % (49 * MEGABYTE), then=endless)
    reader, writer = await asyncio.open_connection("127.0.0.1", visit.served.port)
    writer.write(f"GET /film.mp4 HTTP/1.1\r\nHost: {visit.origin}\r\n\r\n".encode())
    assert await reader.readexactly(100_000)
    writer.transport.abort()
    await asyncio.wait_for(ended.wait(), 10)


@pytest.mark.parametrize(
    ("asked", "status", "body"),
    [("bytes=1-2", 206, b"el"), ("bytes=-2", 206, b"lo"), ("bytes=0-99", 206, b"hello"), ("bytes=9-", 416, b""), ("", 200, b"hello")],
)
async def test_a_part_of_a_file_is_sent_and_nothing_is_taken_for_unchanged(visit: Visit, asked: str, status: int, body: bytes) -> None:
    await visit.answers(b"OK text/html 5\nhello")
    answer = await visit.served.ask("/x", host=visit.origin, range=asked, if_none_match='"abc"')
    assert (answer.status, answer.headers["accept-ranges"], answer.body) == (status, "bytes", body)
    assert answer.headers["content-length"] == str(len(body))
    assert answer.headers["cache-control"] == "no-cache"
    assert "etag" not in answer.headers


async def test_a_folder_without_its_last_stroke_is_found(visit: Visit) -> None:
    async def answer(stream: Stream) -> None:
        request = await stream.read()
        visit.asked.append(request)
        there = request in (b"GET /quiz/index.html\n", b"GET /v1.0/index.html\n")
        await stream.finish(b"OK text/html 2\nhi" if there else b"ERR not found\n")

    await visit.other.serve(site.PROTOCOL, answer)
    found = await visit.get("/quiz?x=1")
    assert (found.status, found.headers["location"]) == (308, "/quiz/?x=1")
    found = await visit.get("//quiz")
    assert (found.status, found.headers["location"]) == (308, "/quiz/")
    assert (await visit.get("/v1.0")).headers["location"] == "/v1.0/"
    assert (await visit.get("/nothing")).status == 404
    visit.asked.clear()
    assert (await visit.get("/quiz.html")).status == 404
    assert visit.asked == [b"GET /quiz.html\n"]


@pytest.mark.parametrize(
    ("answered", "status", "error"),
    [
        (b'{"ok":true,"data":[1]}\n', 200, None),
        (b'{"ok":false,"error":"no such game"}\n', 500, {"code": "script_error", "message": "no such game"}),
        (b'{"ok":false,"error":"x","code":"ok"}\n', 400, {"code": "bad_request", "message": "x"}),
        (b'{"ok":false,"error":"x","code":"made up","line":[]}\n', 500, {"code": "script_error", "message": "x"}),
        (b"nonsense\n", 503, None),
        (b"", 503, None),
        (b'{"ok":true,"data":' + b"[" * 100_000 + b"\n", 503, None),
        (b"x" * (5 * MEGABYTE) + b"\n", 503, None),
    ],
    ids=["a result", "others' failure", "a failure that is ok", "a made up failure", "nonsense", "nothing", "depth", "size"],
)
async def test_a_function_over_there_may_answer_as_it_likes(
    visit: Visit, answered: bytes, status: int, error: dict[str, str] | None
) -> None:
    async def answer(stream: Stream) -> None:
        visit.asked.append(await stream.read())
        await stream.finish(answered)

    await visit.other.serve(data.PROTOCOL, answer)
    body = json.dumps({"function": "f", "params": {"a": 1}}).encode()
    found = await visit.served.ask("/api/data/lua/call", host=visit.origin, method="POST", body=body)
    assert found.status == status
    assert visit.asked[-1] == b'{"op":"lua-call","function":"f","params":{"a": 1}}\n'
    if status == 200:
        assert found.json == [1]
    else:
        assert error is None or found.json == error
        assert found.json["message"]
        assert "Traceback" not in found.json["message"]


@pytest.mark.parametrize(
    ("method", "path", "wanted"),
    [("GET", "lua/call", "POST"), ("DELETE", "query", "POST"), ("HEAD", "lua/list", "GET"), ("POST", "tables", "GET")],
)
async def test_a_page_asks_as_it_would_at_its_own_peer(visit: Visit, method: str, path: str, wanted: str) -> None:
    for host in (visit.origin, visit.served.site):
        refused = await visit.served.ask(f"/api/data/{path}", host=host, method=method)
        assert (refused.status, refused.headers["allow"]) == (405, wanted)
        assert method == "HEAD" or refused.json == {"code": "bad_request", "message": f"{path} is asked for with {wanted}"}


async def test_another_peers_path_on_this_origin_is_refused(visit: Visit) -> None:
    own = visit.served.peer.identity.peer_id
    assert (await visit.get(f"/p/{own}/")).status in (403, 404)
    assert (await visit.get(f"/api/p/{own}/data/lua/list")).status in (403, 404)
    await visit.answers(b"OK text/html 2\nhi")
    assert (await visit.get(f"/p/{visit.other.peer_id}/")).body == b"hi"
