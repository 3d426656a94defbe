"""JSON that pages send: half a character in it."""

from __future__ import annotations

import asyncio
import json
import time

import pytest
from starlette.types import Message
from tests.web.served import Served

from goop2.web.http.bodies import read_json

HALVES = {
    rb'"\ud83d"': rb'"\ufffd"',
    rb'"\uDE00x"': rb'"\ufffdx"',
    rb'"\ud83d\ude00"': rb'"\ud83d\ude00"',
    rb'"\ud83d\ud83d\ude00"': rb'"\ufffd\ud83d\ude00"',
    rb'"\ude00\ud83d"': rb'"\ufffd\ufffd"',
    rb'"\ud83d\n"': rb'"\ufffd\n"',
    rb'"\\ud83d"': rb'"\\ud83d"',
    rb'"\\\ud83d"': rb'"\\\ufffd"',
    rb'"\\\\ud83d \u0041"': rb'"\\\\ud83d \u0041"',
    rb'"\ud7ff\ue000\ud8"': rb'"\ud7ff\ue000\ud8"',
    b'"ud83d"': b'"ud83d"',
}


@pytest.mark.parametrize("sent", HALVES)
async def test_half_a_character_alone_is_replaced_and_nothing_else(sent: bytes) -> None:
    async def receive() -> Message:
        return {"type": "http.request", "body": sent}

    assert _meant(await read_json({"headers": []}, receive, 1000)) == _meant(HALVES[sent])


async def test_what_has_no_half_is_passed_on_to_the_letter() -> None:
    async def receive() -> Message:
        return {"type": "http.request", "body": rb'{"a": 1E5, "b": "\ud83d\ude00"}'}

    assert await read_json({"headers": []}, receive, 1000) == rb'{"a": 1E5, "b": "\ud83d\ude00"}'


def _meant(text: bytes) -> object:
    """The value, or the text itself where that is no JSON."""
    try:
        return json.loads(text)
    except ValueError:
        return text


TOO_LARGE = [
    *("data/lua/call", "data/query", "chat/send", "chat/messages", "group/send"),
    *("site/upload?path=a", "site/remove", "listen/control"),
]


async def _send(writer: asyncio.StreamWriter, size: int) -> None:
    for _ in range(size >> 20):
        writer.write(b" " * (1 << 20))
        await writer.drain()


async def _asked(up: Served, path: str, head: str, body: bytes = b"", host: str = "") -> tuple[bytes, float]:
    """All that is answered to a request whose body is never finished, and how long that took."""
    began = time.monotonic()
    reader, writer = await asyncio.open_connection("127.0.0.1", up.port)
    token = f"Authorization: Bearer {up.web.token.text}\r\n"
    writer.write(f"POST {path} HTTP/1.1\r\nHost: {host or up.site}\r\n{token}{head}\r\n\r\n".encode() + body)
    async with asyncio.timeout(10):
        answer = await reader.readuntil(b"\r\n\r\n")
    writer.close()
    return answer, time.monotonic() - began


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("announced", ["Content-Length: 3000000000", "Content-Length: 60000000\r\nExpect: 100-continue"])
@pytest.mark.parametrize("path", TOO_LARGE)
async def test_a_body_announced_too_large_is_refused_before_it_is_sent(up: Served, path: str, announced: str) -> None:
    answer, seconds = await _asked(up, f"/api/{path}", announced, b"" if "Expect" in announced else b"{}")
    assert answer.startswith(b"HTTP/1.1 413 ")
    assert b"connection: close" in answer
    assert seconds < 5


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("path", ["/api/console/settings", "/api/console/lua/call"])
async def test_the_console_refuses_it_too(up: Served, path: str) -> None:
    answer, _ = await _asked(up, path, "Content-Length: 3000000000", host=up.console)
    assert answer.split()[1] in (b"413", b"404", b"405")
    assert b"100 Continue" not in answer


@pytest.mark.asyncio(loop_scope="module")
async def test_a_body_in_chunks_is_refused_once_it_is_too_large(up: Served) -> None:
    chunk = b"%x\r\n%s\r\n" % (1 << 20, b" " * (1 << 20))
    answer, _ = await _asked(up, "/api/data/lua/call", "Transfer-Encoding: chunked", chunk * 2)
    assert answer.startswith(b"HTTP/1.1 400 ")


@pytest.mark.asyncio(loop_scope="module")
async def test_what_is_sent_behind_a_refusal_has_an_end(up: Served) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", up.port)
    writer.write(f"POST /api/data/lua/call HTTP/1.1\r\nHost: {up.site}\r\nTransfer-Encoding: chunked\r\n\r\n".encode())
    writer.write(b"%x\r\n%s" % (1 << 30, b" " * (2 << 20)))
    assert (await reader.readline()).startswith(b"HTTP/1.1 400")
    with pytest.raises(ConnectionError):
        await _send(writer, 200 << 20)
    writer.close()


@pytest.mark.asyncio(loop_scope="module")
async def test_a_connection_goes_on_behind_a_refused_body(up: Served) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", up.port)
    writer.write(f"POST /api/data/lua/call HTTP/1.1\r\nHost: {up.site}\r\nContent-Length: 3000000\r\n\r\n".encode() + b" " * 3_000_000)
    writer.write(f"GET /healthz HTTP/1.1\r\nHost: {up.site}\r\nConnection: close\r\n\r\n".encode())
    async with asyncio.timeout(10):
        answers = await reader.read(-1)
    assert answers.count(b"HTTP/1.1 400") == answers.count(b"HTTP/1.1 200") == 1
    writer.close()


@pytest.mark.asyncio(loop_scope="module")
async def test_a_client_that_asks_first_is_told_to_go_on(up: Served) -> None:
    body = b'{"function": "hello"}'
    answer, _ = await _asked(up, "/api/data/lua/call", f"Content-Length: {len(body)}\r\nExpect: 100-continue")
    assert answer.startswith(b"HTTP/1.1 100 Continue")
