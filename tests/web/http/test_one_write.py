"""An answer of known length goes out in one piece; every other one as uvicorn sends it."""

from __future__ import annotations

import asyncio
import logging
from typing import Any, cast

import pytest
from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

from goop2.web.http.one_write import OneWrite

START = "http.response.start"
BODY = "http.response.body"


class Transport:
    """Notes what is written, a write an entry."""

    def __init__(self) -> None:
        self.writes: list[bytes] = []
        self.closed = False

    def write(self, data: bytes) -> None:
        self.writes.append(bytes(data))

    def writelines(self, pieces: list[bytes]) -> None:
        self.writes.append(b"".join(pieces))

    def close(self) -> None:
        self.closed = True

    def is_closing(self) -> bool:
        return self.closed


class Flow:
    """Is never full."""

    write_paused = False

    def resume_reading(self) -> None:
        pass


async def answer(*messages: dict[str, Any], method: str = "GET", keep_alive: bool = True) -> tuple[Transport, list[str]]:
    """What is written for an answer of these messages, and how often uvicorn heard that it is complete."""
    transport, ended = Transport(), list[str]()
    cycle = RequestResponseCycle(
        scope=cast(Any, {"method": method, "path": "/"}),
        transport=cast(Any, transport),
        flow=cast(Any, Flow()),
        logger=logging.getLogger("none"),
        access_logger=logging.getLogger("none"),
        access_log=False,
        default_headers=[(b"date", b"now")],
        message_event=asyncio.Event(),
        expect_100_continue=False,
        keep_alive=keep_alive,
        on_response=lambda: ended.append("over"),
    )

    async def app(_scope: Any, _receive: Any, send: Any) -> None:
        for message in messages:
            await send(message)

    await cycle.run_asgi(cast(Any, OneWrite(cycle, app)))
    return transport, ended


def start(*headers: tuple[bytes, bytes], status: int = 200) -> dict[str, Any]:
    return {"type": START, "status": status, "headers": list(headers)}


def body(data: bytes, *, more: bool = False) -> dict[str, Any]:
    return {"type": BODY, "body": data, "more_body": more}


async def test_a_whole_answer_is_one_write() -> None:
    transport, ended = await answer(start((b"content-length", b"2"), (b"X-Kind", b"a")), body(b"ok"))
    assert transport.writes == [b"HTTP/1.1 200 OK\r\ndate: now\r\ncontent-length: 2\r\nx-kind: a\r\n\r\nok"]
    assert ended == ["over"]
    assert not transport.closed


async def test_an_empty_body_too() -> None:
    transport, ended = await answer(start((b"content-length", b"0")), body(b""))
    assert transport.writes == [b"HTTP/1.1 200 OK\r\ndate: now\r\ncontent-length: 0\r\n\r\n"]
    assert ended == ["over"]


async def test_the_head_of_a_stream_is_not_held() -> None:
    """A page waits for it to know that its event stream is open."""
    transport, _ = await answer(start((b"content-type", b"text/event-stream")))
    assert len(transport.writes) == 1
    assert transport.writes[0].startswith(b"HTTP/1.1 200 OK")


async def test_pieces_go_out_as_they_come() -> None:
    transport, ended = await answer(start((b"content-length", b"4")), body(b"ab", more=True), body(b"cd"))
    assert b"".join(transport.writes).endswith(b"\r\n\r\nabcd")
    assert ended == ["over"]


async def test_the_answer_to_head_has_no_body() -> None:
    transport, ended = await answer(start((b"content-length", b"4")), body(b"abcd"), method="HEAD")
    assert b"".join(transport.writes) == b"HTTP/1.1 200 OK\r\ndate: now\r\ncontent-length: 4\r\n\r\n"
    assert ended == ["over"]


@pytest.mark.parametrize("keep_alive", [True, False])
async def test_close_is_said_once_and_done(keep_alive: bool) -> None:
    headers = [(b"content-length", b"2")] + ([(b"connection", b"close")] if keep_alive else [])
    transport, _ = await answer(start(*headers), body(b"ok"), keep_alive=keep_alive)
    assert transport.writes[0].count(b"connection: close\r\n") == 1
    assert transport.closed


@pytest.mark.parametrize("header", [(b"x-a", b"b\r\nset-cookie: c=d"), (b"x-a:", b"b")])
async def test_a_header_that_would_be_two_is_not_sent(header: tuple[bytes, bytes]) -> None:
    transport, _ = await answer(start((b"content-length", b"2"), header), body(b"ok"))
    assert b"".join(transport.writes).startswith(b"HTTP/1.1 500 ")
    assert b"set-cookie" not in b"".join(transport.writes)


async def test_a_body_of_another_length_ends_the_connection() -> None:
    transport, _ = await answer(start((b"content-length", b"3")), body(b"ok"))
    assert transport.closed


async def test_an_answer_that_fails_before_its_body_is_a_500() -> None:
    async def app(_scope: Any, _receive: Any, send: Any) -> None:
        await send(start((b"content-length", b"2")))
        raise ValueError("no body")

    transport = Transport()
    cycle = RequestResponseCycle(
        cast(Any, {"method": "GET", "path": "/"}), cast(Any, transport), cast(Any, Flow()), logging.getLogger("none"),
        logging.getLogger("none"), False, [], asyncio.Event(), False, True, lambda: None,
    )  # fmt: skip
    await cycle.run_asgi(cast(Any, OneWrite(cycle, app)))
    assert transport.writes[0].startswith(b"HTTP/1.1 500 ")
