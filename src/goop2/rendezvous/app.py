"""The rendezvous server over HTTP, as network.md describes it.

POST /publish   a presence → 204; 400 when it is none, 413 too long, 429 too often
GET  /events    server-sent events: everybody who is here, then every sign as it comes
GET  /healthz   "ok"
GET  /          who is here, for people
GET  /relay     where the relay beside it is, when there is one, as whoever asks reaches this server; else 404
GET  /ws        404: peers fall back to /events
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable
from typing import TYPE_CHECKING, Final

import msgspec
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from goop2.p2p.faults import NotAnAddress
from goop2.p2p.protocols.faults import RemoteFault
from goop2.p2p.protocols.presence import PRESENCE_MAX_BYTES, read, write
from goop2.rendezvous import page
from goop2.rendezvous.board import Board, TooOften
from goop2.rendezvous.limits import (
    EVENTS_KEPT,
    EVENTS_KEPT_BYTES,
    FLUSH_SECONDS,
    KEEP_ALIVE_SECONDS,
    READERS_MAX,
    READERS_PER_ADDRESS_MAX,
)
from goop2.source_network import network_of
from goop2.web.events import GAP, Events, Reader

if TYPE_CHECKING:
    from goop2.rendezvous.beside import RelayBeside

EVERYBODY: Final = "everybody"
_EVENTS_HEADERS: Final = {"cache-control": "no-store", "x-content-type-options": "nosniff", "x-accel-buffering": "no"}


class Rendezvous:
    """The server's state and its application."""

    def __init__(self, clock: Callable[[], float] = time.monotonic, relay: RelayBeside | None = None) -> None:
        self.board = Board(clock)
        self.events = Events(EVENTS_KEPT, EVENTS_KEPT_BYTES)
        self._relay_beside = relay
        self.app = Starlette(
            routes=[
                Route("/publish", self._publish, methods=["POST"]),
                Route("/events", self._listen),
                Route("/relay", self._relay),
                Route("/healthz", _healthy),
                Route("/", self._page),
                Route("/page.css", _fixed(page.STYLE, "text/css")),
                Route("/page.js", _fixed(page.SCRIPT, "text/javascript")),
            ]
        )

    async def _publish(self, request: Request) -> Response:
        source = _source(request)
        try:
            self.board.admit(source)
            handed_on = self.board.post(source, read(await _body(request)))
        except TooOften:
            return PlainTextResponse("too often: at most 60 a minute\n", 429, {"retry-after": "1"})
        except _TooLong:
            return PlainTextResponse(f"a presence has at most {PRESENCE_MAX_BYTES} bytes\n", 413, {"connection": "close"})
        except (RemoteFault, NotAnAddress) as fault:
            return PlainTextResponse(f"{fault}\n", 400)
        if handed_on is not None:
            self.events.publish("", msgspec.Raw(write(handed_on)), EVERYBODY)
        return Response(status_code=204)

    async def _listen(self, request: Request) -> Response:
        if request.method == "HEAD":  # whose answer ends with its headers: a stream would wait for a reader for ever
            return Response(headers=_EVENTS_HEADERS, media_type="text/event-stream")
        source = _source(request)
        if (
            self.events.readers(lambda _: True) >= READERS_MAX
            or self.events.readers(lambda name: name == source) >= READERS_PER_ADDRESS_MAX
        ):
            return PlainTextResponse("too many are listening\n", 503, {"retry-after": "10"})
        last_id = request.headers.get("last-event-id", "")
        reader = self.events.read(source, frozenset({EVERYBODY}), last_id)
        return StreamingResponse(self._stream(reader, not last_id), 200, _EVENTS_HEADERS, "text/event-stream")

    async def _relay(self, request: Request) -> Response:
        if self._relay_beside is None:
            return PlainTextResponse("there is no relay here\n", 404)
        said = self._relay_beside.said_to(request.url.hostname or "")
        return Response(msgspec.json.encode(said), 200, {"cache-control": "no-store"}, "application/json")

    async def _page(self, _request: Request) -> Response:
        return Response(page.render(self.board.peers()), 200, page.HEADERS, "text/html")

    async def _stream(self, reader: Reader, everybody: bool) -> AsyncIterator[bytes]:
        """Whoever is slow is overtaken by the ring's end and hears again who is here: no reader costs memory."""
        try:
            yield b"retry: 1000\n\n"
            while not reader.ended:
                taken = reader.take()
                if everybody or any(event.kind == GAP for event in taken):
                    everybody = False
                    for each in self.board.peers():
                        yield _event(self.events, write(each))
                elif taken:
                    yield b"".join(b"id: %s-%d\n" % (self.events.start.encode(), each.number) + _data(each.data) for each in taken)
                    await asyncio.sleep(FLUSH_SECONDS)
                else:
                    yield b": still here\n\n"
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(reader.news.wait(), KEEP_ALIVE_SECONDS)
        finally:
            reader.close()


class _TooLong(Exception):
    """The body is longer than a presence may be."""


def _source(request: Request) -> str:
    """What counts as one address: who has one of IPv6 has eighteen quintillion."""
    return network_of(request.client.host) if request.client else ""


async def _body(request: Request) -> bytes:
    body = bytearray()
    with contextlib.suppress(ClientDisconnect):
        async for piece in request.stream():
            body += piece
            if len(body) > PRESENCE_MAX_BYTES:
                raise _TooLong
    return bytes(body)


def _data(json: bytes) -> bytes:
    # JSON has no line breaks, so one data line is enough.
    return b"data: %s\n\n" % json


def _event(events: Events, json: bytes) -> bytes:
    """Of the state now: whoever has it need hear nothing before."""
    return b"id: %s-%d\n" % (events.start.encode(), events.last) + _data(json)


async def _healthy(_request: Request) -> Response:
    return PlainTextResponse("ok\n")


def _fixed(content: str, mime: str) -> Callable[[Request], Response]:
    return lambda _request: Response(content, 200, page.HEADERS, mime)
