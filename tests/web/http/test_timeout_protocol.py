"""Slow, stalled and oversized clients. Time is handed to `sweep`; nothing here waits for it."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import uvicorn
from uvicorn.protocols.http import httptools_impl

from goop2.web.http import timeout_protocol
from goop2.web.http.timeout_protocol import OpenListenerProtocol, TimeoutProtocol, sweep
from goop2.web.limits import BODY_SECONDS, COOKIES_MAX_BYTES, HEAD_MAX_BYTES, HEAD_SECONDS, REFUSED_SECONDS, STALLED_SECONDS

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


HEADERS: list[tuple[bytes, bytes]] = []
"""Of the last request."""


async def app(scope: Any, receive: Any, send: Any) -> None:
    """Reads the body, then answers with as much as the path says."""
    while (await receive()).get("more_body"):
        pass
    HEADERS[:] = scope["headers"]
    size = int(scope["path"][1:] or "2")
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % size)]})
    for start in range(0, size, 65536):
        piece = b"x" * min(65536, size - start)
        await send({"type": "http.response.body", "body": piece, "more_body": start + len(piece) < size})


class Running:
    """The protocol on a socket, without the server around it."""

    def __init__(self, port: int, state: Any) -> None:
        self.port = port
        self.state = state
        self._writers: list[asyncio.StreamWriter] = []

    async def connect(self, *sent: bytes) -> Streams:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        for piece in sent:
            writer.write(piece)
        self._writers.append(writer)
        await asyncio.sleep(0.05)  # until the server has read it
        return reader, writer

    async def close(self) -> None:
        """End every connection, from both sides."""
        for connection in list(self.state.connections):
            connection.transport.abort()
        for writer in self._writers:
            writer.close()
        with contextlib.suppress(ConnectionError):
            await asyncio.gather(*(writer.wait_closed() for writer in self._writers))

    def sweep_after(self, seconds: float) -> int:
        """Sweep as if so much time had passed; gives how many connections are left."""
        sweep(self.state.connections, time.monotonic() + seconds)
        return sum(1 for each in self.state.connections if not each.transport.is_closing())


@asynccontextmanager
async def running(kind: type[TimeoutProtocol] = TimeoutProtocol) -> AsyncIterator[Running]:
    config = uvicorn.Config(app, http=kind, ws="none", lifespan="off", log_config=None, log_level="critical")
    state = uvicorn.server.ServerState()
    config.load()
    server = await asyncio.get_running_loop().create_server(lambda: kind(config=config, server_state=state, app_state={}), "127.0.0.1", 0)
    here = Running(server.sockets[0].getsockname()[1], state)
    try:
        yield here
    finally:
        await here.close()
        server.close()


HEAD = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n"


@pytest.mark.parametrize(
    "sent", [b"", b"GET / HT", HEAD, HEAD + b"X-Slow: "], ids=["nothing", "half a line", "half the headers", "half a header"]
)
async def test_headers_have_an_end_in_time(sent: bytes) -> None:
    async with running() as here:
        await here.connect(sent)
        assert here.sweep_after(HEAD_SECONDS - 1) == 1
        assert here.sweep_after(HEAD_SECONDS + 1) == 0


async def test_a_trickle_is_not_patience() -> None:
    async with running() as here:
        _, writer = await here.connect(HEAD)
        writer.write(b"X-Slow: still here\r\n")
        await asyncio.sleep(0.05)  # until the server has read it
        assert here.sweep_after(HEAD_SECONDS + 1) == 0


async def test_a_body_has_an_end_in_time() -> None:
    async with running() as here:
        await here.connect(HEAD + b"\r\nab")
        assert here.sweep_after(BODY_SECONDS - 1) == 1
        assert here.sweep_after(BODY_SECONDS + 1) == 0


async def test_whoever_sent_all_of_it_may_wait_for_the_answer() -> None:
    async with running() as here:
        reader, _ = await here.connect(HEAD + b"\r\nabcd")
        assert (await reader.readuntil(b"xx")).startswith(b"HTTP/1.1 200")
        assert here.sweep_after(BODY_SECONDS + 1) == 1


async def test_a_second_request_on_a_kept_connection_has_the_same_end() -> None:
    async with running() as here:
        reader, writer = await here.connect(HEAD + b"\r\nabcd")
        await reader.readuntil(b"xx")
        writer.write(b"GET / HT")
        await asyncio.sleep(0.05)  # until the server has read it
        assert here.sweep_after(HEAD_SECONDS + 1) == 0


async def test_blank_lines_keep_no_connection() -> None:
    async with running() as here:
        reader, writer = await here.connect(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        await reader.readuntil(b"xx")
        writer.write(b"\r\n")
        await asyncio.sleep(0.05)  # until the server has read it
        assert here.sweep_after(HEAD_SECONDS - 1) == 1
        assert here.sweep_after(HEAD_SECONDS + 1) == 0


@pytest.mark.parametrize("length", [b"Content-Length: 36\r\n", b"Transfer-Encoding: chunked\r\n"])
async def test_a_body_behind_a_wish_for_another_protocol_is_no_request(length: bytes) -> None:
    async with running() as here:
        head = b"POST / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n" + length + b"\r\n"
        reader, writer = await here.connect(head)
        writer.write(b"GET /7 HTTP/1.1\r\nHost: x\r\n\r\n")
        answer = await reader.read()
        assert answer.startswith(b"HTTP/1.1 400 ")
        assert b"Upgrade" in answer
        assert answer.count(b"HTTP/1.1 ") == 2  # the status line, and the sentence


async def test_a_wish_for_another_protocol_is_passed_over_and_ends_the_connection() -> None:
    async with running() as here:
        reader, writer = await here.connect(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n")
        writer.write(b"GET /7 HTTP/1.1\r\nHost: x\r\n\r\n")
        answer = await reader.read()
        assert answer.startswith(b"HTTP/1.1 200 ")
        assert answer.count(b"HTTP/1.1 ") == 1


async def test_headers_have_an_end_in_size() -> None:
    async with running() as here:
        reader, writer = await here.connect(b"GET / HTTP/1.1\r\nHost: x\r\n")
        writer.write(b"".join(b"X-%d: %s\r\n" % (number, b"y" * 1000) for number in range(HEAD_MAX_BYTES // 1000 + 2)))
        async with asyncio.timeout(5):
            assert (await reader.readline()).startswith(b"HTTP/1.1 400")


async def test_one_header_without_end_is_ended() -> None:
    async with running() as here:
        reader, writer = await here.connect(b"GET / HTTP/1.1\r\nX: ")
        writer.write(b"y" * (2 * HEAD_MAX_BYTES))
        async with asyncio.timeout(5):
            assert (await reader.readline()).startswith(b"HTTP/1.1 400")


@pytest.mark.parametrize("pieces", [1, 40, 300])
async def test_cookies_of_other_ports_of_this_machine_do_not_count(pieces: int) -> None:
    """Where every site is at `localhost`, a visited one can set 60 cookies of 3.9 kB, for a year."""
    cookies = b"; ".join(b"c%d=%s" % (number, b"x" * 3900) for number in range(60))
    request = b"GET / HTTP/1.1\r\nHost: x\r\nCookie: %s; goop2_visitor=a\r\nX: y\r\n\r\n" % cookies
    async with running() as here:
        reader, writer = await here.connect()
        size = len(request) // pieces + 1
        for start in range(0, len(request), size):
            writer.write(request[start : start + size])
            await writer.drain()
            await asyncio.sleep(0)
        async with asyncio.timeout(5):
            assert await reader.readline() == b"HTTP/1.1 200 OK\r\n"
    assert (b"cookie", b" goop2_visitor=a") in HEADERS


@pytest.mark.parametrize("head", [b"Cookie: ", b"X: ", b"X-Cookie: "], ids=["cookies", "another header", "another name"])
async def test_a_header_without_end_is_ended_also_among_cookies(head: bytes) -> None:
    async with running() as here:
        reader, writer = await here.connect(b"GET / HTTP/1.1\r\nCookie: a=b\r\n" + head)
        writer.write(b"y" * (2 * HEAD_MAX_BYTES + (COOKIES_MAX_BYTES if head == b"Cookie: " else 0)))
        async with asyncio.timeout(5):
            assert await reader.readline() == b"HTTP/1.1 400 Bad Request\r\n"


async def test_headers_that_come_in_one_piece_are_measured_too() -> None:
    async with running() as here:
        many = b"".join(b"X-%d: y\r\n" % number for number in range(HEAD_MAX_BYTES // 5))
        for request in (b"GET / HTTP/1.1\r\nX: %s\r\n\r\n" % (b"y" * HEAD_MAX_BYTES), b"GET / HTTP/1.1\r\n%s\r\n" % many):
            reader, _ = await here.connect(request)
            async with asyncio.timeout(5):
                answered = await reader.read(-1)
            assert answered.startswith(b"HTTP/1.1 400")
            assert answered.endswith(b"The request's headers are too large.")


async def test_a_large_body_is_not_taken_for_headers() -> None:
    async with running() as here:
        body = b"x" * (4 * HEAD_MAX_BYTES)
        reader, _ = await here.connect(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(body), body)
        assert (await reader.readuntil(b"xx")).startswith(b"HTTP/1.1 200")


async def test_a_reader_that_takes_nothing_is_let_go_and_a_slow_one_is_not() -> None:
    async with running() as here:
        with socket.create_connection(("127.0.0.1", here.port)) as sock:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
            sock.sendall(b"GET /50000000 HTTP/1.1\r\nHost: x\r\n\r\n")
            await asyncio.sleep(0.1)  # until the buffers are full
            assert here.sweep_after(STALLED_SECONDS - 5) == 1
            await asyncio.to_thread(take, sock, 8 << 20)
            await asyncio.sleep(0.1)  # until the buffers are full again
            assert here.sweep_after(STALLED_SECONDS - 1) == 1, "it took something meanwhile"
            assert here.sweep_after(2 * STALLED_SECONDS) == 0


def take(sock: socket.socket, size: int) -> None:
    while size > 0:
        size -= len(sock.recv(1 << 20))


WHOLE = b"GET /50000000 HTTP/1.1\r\nHost: x\r\n\r\n"
"""Answered with so much that it is under way for as long as nobody reads it."""


def left(here: Running, *streams: Streams) -> list[bool]:
    """Which of these connections the server still has."""
    ports = {each.client[1] for each in here.state.connections if not each.transport.is_closing()}
    return [writer.get_extra_info("sockname")[1] in ports for _, writer in streams]


async def test_half_a_request_gives_way_when_places_run_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timeout_protocol, "CONNECTIONS_MAX", 3)
    async with running() as here:
        silent, half, answered = await here.connect(), await here.connect(HEAD), await here.connect(WHOLE)
        first, second = await here.connect(WHOLE), await here.connect(WHOLE)
        assert left(here, silent, half, answered, first, second) == [False, False, True, True, True]


async def test_a_kept_connection_without_a_request_gives_way_after_those(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timeout_protocol, "CONNECTIONS_MAX", 2)
    async with running() as here:
        kept = await here.connect(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        half = await here.connect(HEAD + b"\r\nab")
        first = await here.connect(WHOLE)
        assert left(here, kept, half, first) == [True, False, True]
        second = await here.connect(WHOLE)
        assert left(here, kept, first, second) == [False, True, True]


async def test_whoever_finds_no_place_is_told_so_and_when_to_come_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timeout_protocol, "CONNECTIONS_MAX", 2)
    async with running() as here:
        answered = [await here.connect(WHOLE), await here.connect(WHOLE)]
        refused, _ = await here.connect(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        async with asyncio.timeout(5):
            answer = await refused.read()
        assert answer.startswith(b"HTTP/1.1 503 Service Unavailable\r\n")
        assert b"\r\nretry-after: 2\r\n" in answer
        silent = await here.connect()
        assert left(here, *answered, silent) == [True, True, True]
        assert here.sweep_after(REFUSED_SECONDS + 1) == 2
    assert (timeout_protocol._PLACES[here.state].total, timeout_protocol._PLACES[here.state].refusing) == (0, 0)


async def test_a_refusal_is_held_so_that_asking_again_at_once_costs_little(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timeout_protocol, "CONNECTIONS_MAX", 1)
    monkeypatch.setattr(timeout_protocol, "FULL_HOLD_SECONDS", 0.5)
    async with running() as here:
        await here.connect(WHOLE)
        began = time.monotonic()
        refused, _ = await here.connect(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        async with asyncio.timeout(5):
            assert (await refused.read()).count(b"HTTP/1.1") == 1
        assert time.monotonic() - began >= 0.5


async def test_one_stranger_does_not_take_all_the_places(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(OpenListenerProtocol, "connections_per_address", 2)
    async with running(OpenListenerProtocol) as here:
        for _ in range(4):
            await here.connect()
        assert here.sweep_after(0) == 2


async def test_all_addresses_of_one_ipv6_network_are_one_stranger(monkeypatch: pytest.MonkeyPatch) -> None:
    """One /64 took every place of an opened listener (security/one_ipv6_network.py)."""
    monkeypatch.setattr(OpenListenerProtocol, "connections_per_address", 3)
    addresses = [f"2001:db8::{number:x}" for number in range(10)] + ["2001:db8:0:1::1", "::ffff:192.0.2.1", "192.0.2.1"]
    coming = iter(addresses)
    monkeypatch.setattr(httptools_impl, "get_remote_addr", lambda _transport: (next(coming), 1))
    async with running(OpenListenerProtocol) as here:
        for _ in addresses:
            await here.connect(HEAD)
        places = timeout_protocol._PLACES[here.state]
        assert (places.total, places.of("2001:db8::/64"), places.of("2001:db8:0:1::/64"), places.of("192.0.2.1")) == (6, 3, 1, 2)
