"""Servers that answer too much, too slowly, or nonsense."""

from __future__ import annotations

import asyncio
import gzip
import re

import httpcore
import pytest
from tests.services.http_client.stage import ANOTHER, PUBLIC, PUBLIC_6, Handler, Heard, Stage, answering, fetch, gzipped, post, sending
from tests.stopwatch import Stopwatch

from goop2.services.http_client.errors import OutboundError

MEGABYTE = 1024 * 1024
URL = "http://evil.example/"
OK = b"HTTP/1.1 200 OK\r\n"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"


def flooding(head: bytes, piece: bytes, pause: float = 0.0) -> Handler:
    """Sends `head`, then `piece` for as long as somebody takes it."""

    async def handle(_: Heard, writer: asyncio.StreamWriter) -> None:
        writer.write(head)
        while True:
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(pause)

    return handle


def silent() -> Handler:
    async def handle(_: Heard, __: asyncio.StreamWriter) -> None:
        await asyncio.sleep(60)  # until the client gives up

    return handle


TOO_MUCH = {
    "a length beyond the limit": (sending(OK + b"Content-Length: 1048577\r\n\r\n"), "response exceeds 1 MB"),
    "a length beyond all": (sending(OK + b"Content-Length: 99999999999999999999\r\n\r\n"), "response exceeds 1 MB|gave no whole"),
    "a body without a length and without end": (flooding(OK + b"\r\n", b"x" * 65536), "response exceeds 1 MB"),
    "chunks without end": (flooding(CHUNKED, b"10000\r\n" + b"x" * 65536 + b"\r\n"), "response exceeds 1 MB"),
    "a chunk without end": (flooding(CHUNKED + b"fffffffffff\r\n", b"x" * 65536), "response exceeds 1 MB"),
    "chunks of one byte without end": (flooding(CHUNKED, b"1\r\nx\r\n" * 1000), "more than 10000 pieces"),
    "chunk extensions without end": (flooding(CHUNKED, b"1;" + b"e" * 1000 + b"\r\nx\r\n"), "response exceeds 1 MB"),
    "one chunk extension without end": (flooding(CHUNKED + b"1;", b"e" * 65536), "gave no whole|response exceeds 1 MB"),
    "trailers without end": (flooding(CHUNKED + b"0\r\n", b"X-Trailer: " + b"t" * 1000 + b"\r\n"), "gave no whole|response exceeds 1 MB"),
    "one header without end": (flooding(OK + b"X-A: ", b"a" * 65536), "response headers exceed 64 KB"),
    "headers without end": (flooding(OK, b"X-A: a\r\n" * 1000), "response headers exceed 64 KB"),
    "a status line without end": (flooding(b"HTTP/1.1 200 ", b"O" * 65536), "response headers exceed 64 KB"),
    "interim answers without end": (flooding(b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 1000), "response headers exceed 64 KB"),
    "early hints without end": (flooding(b"", b"HTTP/1.1 103 Hints\r\nLink: a\r\n\r\n" * 1000), "response headers exceed 64 KB"),
    "empty lines without end": (flooding(b"", b"\r\n" * 1000), "gave no whole|response headers exceed 64 KB"),
    "a bomb of zeros": (gzipped(b"\0" * (32 * MEGABYTE)), "response exceeds 1 MB"),
    "one byte beyond the limit, compressed": (gzipped(b"x" * (MEGABYTE + 1)), "response exceeds 1 MB"),
    "one byte beyond the limit": (answering(b"x" * (MEGABYTE + 1)), "response exceeds 1 MB"),
    "a bomb of many members": (
        answering(gzip.compress(b"\0" * MEGABYTE) * 20, headers=["Content-Encoding: gzip"]),
        "response exceeds 1 MB",
    ),
    "a bomb in a bomb": (
        answering(gzip.compress(gzip.compress(b"\0" * MEGABYTE)), headers=["Content-Encoding: gzip, gzip"]),
        "encoded as gzip, gzip",
    ),
    "empty members without end": (
        flooding(OK + b"Content-Encoding: gzip\r\n\r\n", gzip.compress(b"") * 100),
        "more than 10000 pieces",
    ),
    "an encoding nobody asked for": (answering(headers=["Content-Encoding: br"]), "encoded as br, which was not asked for"),
}

NONSENSE = {
    "nothing": b"",
    "a greeting of mail": b"220 mail.example ESMTP\r\n",
    "a greeting of SSH": b"SSH-2.0-OpenSSH_9.6\r\n",
    "a database": b"J\x00\x00\x00\x0a8.0.36\x00",
    "HTTP of the first version": b"<html>hello</html>",
    "a status that is none": b"HTTP/1.1 abc\r\n\r\n",
    "a status of two digits": b"HTTP/1.1 20 OK\r\n\r\n",
    "a header without a colon": OK + b"nonsense\r\n\r\n",
    "a null byte in a header": OK + b"X-A: a\0b\r\n\r\n",
    "two lengths": OK + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\nxy",
    "a negative length": OK + b"Content-Length: -1\r\n\r\n",
    "a length that is none": OK + b"Content-Length: x\r\n\r\n",
    "an unknown framing": OK + b"Transfer-Encoding: gzip\r\n\r\n",
    "a chunk length that is none": CHUNKED + b"zz\r\nhello\r\n0\r\n\r\n",
    "a negative chunk": CHUNKED + b"-5\r\nhello\r\n0\r\n\r\n",
    "a body cut short": OK + b"Content-Length: 10\r\n\r\nhello",
    "chunks cut short": CHUNKED + b"5\r\nhello\r\n",
    "headers cut short": OK + b"X-A: a",
    "a protocol switched without being asked": b"HTTP/1.1 101 Switching\r\nUpgrade: x\r\n\r\nhello",
    "the preface of HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "gzip cut short": OK + b"Content-Encoding: gzip\r\n\r\n" + gzip.compress(b"hello")[:-3],
    "gzip that is none": OK + b"Content-Encoding: gzip\r\n\r\nhello",
}


@pytest.mark.parametrize(("handler", "why"), TOO_MUCH.values(), ids=TOO_MUCH)
async def test_too_much(stage: Stage, handler: Handler, why: str) -> None:
    house = await stage.house("evil.example", handler)
    watch = Stopwatch()
    with pytest.raises(OutboundError) as caught:
        await fetch(stage.client(), URL)
    assert re.search(why, str(caught.value)), caught.value
    assert watch.seconds < 4
    await asyncio.wait_for(house.gone.wait(), 2)


@pytest.mark.parametrize("data", NONSENSE.values(), ids=NONSENSE)
async def test_nonsense(stage: Stage, data: bytes) -> None:
    async def handle(heard: Heard, writer: asyncio.StreamWriter) -> None:
        await sending(data)(heard, writer)
        writer.close()

    await stage.house("evil.example", handle)
    with pytest.raises(OutboundError) as caught:
        await fetch(stage.client(), URL, 2)
    assert str(caught.value) in (
        "evil.example gave no whole HTTP answer",
        "evil.example broke the connection off",
        "response is cut short",
        "response is no valid gzip",
    )


SLOW = {
    "never answers": silent(),
    "drips a header": flooding(OK + b"X-A: ", b"a", 0.02),
    "drips interim answers": flooding(b"", b"HTTP/1.1 100 Continue\r\n\r\n", 0.02),
    "drips a body": flooding(OK + b"Content-Length: 1000\r\n\r\n", b"x", 0.02),
    "drips chunks": flooding(CHUNKED, b"1\r\nx\r\n", 0.02),
    "stops in the middle": flooding(OK + b"Content-Length: 10\r\n\r\nhello", b"", 0.02),
}


@pytest.mark.parametrize("handler", SLOW.values(), ids=SLOW)
async def test_a_server_that(stage: Stage, handler: Handler) -> None:
    house = await stage.house("evil.example", handler)
    watch = Stopwatch()
    with pytest.raises(OutboundError, match=r"^timed out after \d\.\d s$"):
        await fetch(stage.client(), URL, 0.2)
    assert watch.seconds < 1
    await asyncio.wait_for(house.gone.wait(), 2)


async def test_a_handshake_that_never_ends_is_left_and_closed(stage: Stage) -> None:
    closed = asyncio.Event()

    async def listen_only(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        closed.set()
        writer.close()

    await stage.raw_house("evil.example", listen_only, port=443)
    with pytest.raises(OutboundError, match="timed out"):
        await fetch(stage.client(), "https://evil.example/", 0.2)
    await asyncio.wait_for(closed.wait(), 2)


async def test_all_hops_together_have_the_time_of_one(stage: Stage) -> None:
    async def slowly_onward(heard: Heard, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(0.15)  # a share of the time all hops have
        await answering(b"", "302 Found", ["Location: /"])(heard, writer)

    await stage.house("evil.example", slowly_onward)
    watch = Stopwatch()
    with pytest.raises(OutboundError, match="timed out"):
        await fetch(stage.client(), URL, 0.3)
    assert watch.seconds < 1


async def test_a_server_that_takes_no_body_is_left(stage: Stage) -> None:
    closed = asyncio.Event()

    async def deaf(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(0.5)  # all that fits into buffers is taken by the system, and no more
        while await reader.read(MEGABYTE):
            pass
        closed.set()
        writer.close()

    await stage.raw_house("evil.example", deaf)
    with pytest.raises(OutboundError, match="timed out"):
        await fetch(stage.client(), post(URL, b"x" * 8 * MEGABYTE), 0.3)
    await asyncio.wait_for(closed.wait(), 3)


@pytest.mark.parametrize("times", [1, 2])
async def test_a_request_that_is_cancelled_closes_its_connection(stage: Stage, times: int) -> None:
    house = await stage.house("evil.example", flooding(OK + b"Content-Length: 1000\r\n\r\n", b"x", 0.02))
    request = asyncio.create_task(fetch(stage.client(), URL))
    await asyncio.wait_for(house.arrived.wait(), 2)
    for _ in range(times):
        request.cancel()
        await asyncio.sleep(0)
    await asyncio.wait_for(house.gone.wait(), 1)
    with pytest.raises(asyncio.CancelledError):
        await request


async def test_what_a_server_sends_after_its_answer_reaches_nobody_elses_request(stage: Stage) -> None:
    surplus = OK + b"Content-Length: 5\r\n\r\nhello" + OK + b"Content-Length: 6\r\n\r\npoison"
    house = await stage.house("evil.example", sending(surplus))
    client = stage.client()
    assert [(await fetch(client, URL)).body for _ in range(3)] == [b"hello"] * 3
    assert house.connections == 3


@pytest.fixture
async def refusing() -> int:
    """A port of loopback that nobody listens on."""
    server = await asyncio.start_server(lambda *_: None, "127.0.0.1", 0)
    port: int = server.sockets[0].getsockname()[1]
    server.close()
    await server.wait_closed()
    return port


async def test_nobody_there_is_said(stage: Stage, refusing: int) -> None:
    house = await stage.house("evil.example", answering())
    house.port = refusing
    with pytest.raises(OutboundError, match=r"^cannot connect to evil.example$"):
        await fetch(stage.client(), URL)


async def test_the_next_address_is_tried_when_one_does_not_answer(stage: Stage, refusing: int) -> None:
    (await stage.house("good.example", answering(), address=PUBLIC_6)).port = refusing
    await stage.house("good.example", answering(), address=PUBLIC)
    stage.names["good.example"] = [PUBLIC_6, PUBLIC]
    assert (await fetch(stage.client(), "http://good.example/")).body == b"hello"


async def test_an_address_that_is_silent_leaves_time_for_the_next(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    from goop2.services.http_client import connector

    monkeypatch.setattr(connector, "CONNECT_SECONDS", 0.05)
    real = stage.sockets.connect_tcp

    async def one_is_silent(host: str, port: int, timeout: float | None = None) -> httpcore.AsyncNetworkStream:  # noqa: ASYNC109
        if host == ANOTHER:
            await asyncio.sleep(timeout or 60)  # until the client gives up
            raise httpcore.ConnectTimeout
        return await real(host, port, timeout)

    monkeypatch.setattr(stage.sockets, "connect_tcp", one_is_silent)
    await stage.house("good.example", answering())
    stage.names["good.example"] = [ANOTHER, PUBLIC]
    assert (await fetch(stage.client(), "http://good.example/", 1)).body == b"hello"


async def test_an_honest_megabyte_arrives_whole(stage: Stage) -> None:
    await stage.house("good.example", answering(b"x" * MEGABYTE))
    assert len((await fetch(stage.client(), "http://good.example/")).body) == MEGABYTE


@pytest.mark.parametrize("status", ["200 OK", "404 Not Found", "500 Error", "304 Not Modified", "204 No Content", "302 Found", "299 Odd"])
async def test_any_status_is_an_answer(stage: Stage, status: str) -> None:
    empty = status[:3] in ("204", "304")
    await stage.house("good.example", answering(b"" if empty else b"body", status, length=not empty))
    response = await fetch(stage.client(), "http://good.example/")
    assert (response.status, response.body) == (int(status[:3]), b"" if empty else b"body")


async def test_headers_of_an_answer_have_one_spelling(stage: Stage) -> None:
    await stage.house("good.example", answering(headers=["X-Two: a", "x-two: b", "X-Odd: \xe9"]))
    headers = (await fetch(stage.client(), "http://good.example/")).headers
    assert (headers["x-two"], headers["content-length"]) == ("a, b", "5")
    assert headers["x-odd"].isprintable()
