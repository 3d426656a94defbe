"""The rendezvous server over HTTP, as network.md describes it.

POST /publish   an announcement → 204; 400 when it is invalid, 413 too long, 429 too often, 503 when no more peers have room
GET  /events    server-sent events: every peer that is here, then announcements as they come, the newest of each peer; 503 when full.
                ?peers=ID,ID,…: of these peers alone, at most ASKED_FOR_MAX
GET  /healthz   "ok"
GET  /          who is here, for people
GET  /relay     the addresses of the relay beside it, for the name by which the client reached this server; 404 without a relay
GET  /ws        404: peers fall back to /events
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import time
from collections.abc import AsyncIterator, Callable, Iterator
from http import HTTPStatus
from typing import TYPE_CHECKING, Final

import msgspec
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from goop2.net.address import peer_id
from goop2.net.faults import AddressError
from goop2.protocols.errors import RemoteProtocolError
from goop2.protocols.presence import PRESENCE_MAX_BYTES, read, write
from goop2.protocols.source_network import network_of
from goop2.rendezvous import page
from goop2.rendezvous.announcement_log import EVERYBODY, AnnouncementReader, Announcements
from goop2.rendezvous.limits import (
    ASKED_FOR_MAX,
    FLUSH_SECONDS,
    FULL_RETRY_SECONDS,
    KEEP_ALIVE_SECONDS,
    PHASES,
    READERS_MAX,
    READERS_PER_ADDRESS_MAX,
    READERS_PER_SECOND,
    TAKEN_AT_ONCE,
)
from goop2.rendezvous.registry import AnnouncementRateError, Registry, RegistryFullError
from goop2.web.http.listeners import is_loopback

if TYPE_CHECKING:
    from goop2.rendezvous.relay_server import RelayServer

_PORT: Final = re.compile(r"^(?:\[([^\]]*)\]|([^:]*))(?::[^:]*)?$")
"""Some proxies name the client's port too, `192.0.2.7:51234` or `[2001:db8::7]:51234`: it is no part of where somebody comes from."""
_EVENTS_HEADERS: Final = {"cache-control": "no-store", "x-content-type-options": "nosniff", "x-accel-buffering": "no"}


class Rendezvous:
    """The state of the server, and its application."""

    def __init__(self, clock: Callable[[], float] = time.monotonic, relay: RelayServer | None = None) -> None:
        self.announcements = Announcements()
        self.registry = Registry(clock, self.announcements.drop)
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
            self.registry.admit(source)
            handed_on = self.registry.post(source, read(await _body(request)))
        except RegistryFullError:
            return _full("no more peers have room here")
        except AnnouncementRateError:
            return PlainTextResponse("too often: at most 60 a minute\n", 429, {"retry-after": "1"})
        except _BodyTooLongError:
            return PlainTextResponse(f"a presence has at most {PRESENCE_MAX_BYTES} bytes\n", 413, {"connection": "close"})
        except (RemoteProtocolError, AddressError) as fault:
            return PlainTextResponse(f"{fault}\n", 400)
        if handed_on is not None:
            key = handed_on.peer_id if handed_on.type != "punch" else f"{handed_on.peer_id} {handed_on.target}"
            self.announcements.publish(key, write(handed_on))
        return Response(status_code=204)

    async def _listen(self, request: Request) -> Response:
        if request.method == "HEAD":  # whose answer ends with its headers: a stream would wait for a reader for ever
            return Response(headers=_EVENTS_HEADERS, media_type="text/event-stream")
        source = _source(request)
        if self.announcements.readers >= READERS_MAX or self.announcements.readers_of(source) >= READERS_PER_ADDRESS_MAX:
            return _full("too many are listening")
        try:
            peers = _asked_for(request.query_params.get("peers", ""))
        except AddressError as fault:
            return PlainTextResponse(f"{fault}\n", 400)
        last_id = request.headers.get("last-event-id", "")
        reader = self.announcements.read(source, last_id, peers)
        return _Heard(reader, self._stream(reader, not last_id))

    async def _relay(self, request: Request) -> Response:
        if self._relay_beside is None:
            return PlainTextResponse("there is no relay here\n", 404)
        said = self._relay_beside.said_to(request.url.hostname or "")
        return Response(msgspec.json.encode(said), 200, {"cache-control": "no-store"}, "application/json")

    async def _page(self, _request: Request) -> Response:
        return Response(page.render(self.registry.peers()), 200, page.HEADERS, "text/html")

    async def _stream(self, reader: AnnouncementReader, everybody: bool) -> AsyncIterator[bytes]:
        """Yield events; a reader that has missed some gets the list of who is here again."""
        yield b"retry: 1000\n\n"
        while not reader.ended:
            if everybody or reader.missed:
                everybody = False
                reader.catch_up()
                place = self.announcements.last
                for some in _batched(self.registry.present(reader.peers)):
                    yield b"".join([self.announcements.frame(place, each) for each in some])
            elif events := reader.take_events():
                yield events
                await asyncio.sleep(self._until_next_flush(reader.phase))
            else:
                yield b": still here\n\n"
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(reader.news.wait(), KEEP_ALIVE_SECONDS)

    def _until_next_flush(self, phase: int) -> float:
        """Return how long a reader waits that was just written to. Readers of one phase are woken at one moment, and then take the same."""
        period = max(FLUSH_SECONDS, self.announcements.readers / READERS_PER_SECOND)
        return period - (time.monotonic() - phase * period / PHASES) % period


class _Heard(StreamingResponse):
    """Sends events to a reader, and frees its place however that ends: a client may leave before the first event is sent."""

    def __init__(self, reader: AnnouncementReader, events: AsyncIterator[bytes]) -> None:
        super().__init__(events, 200, _EVENTS_HEADERS, "text/event-stream")
        self._reader = reader

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the stream of announcements (ASGI)."""
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._reader.close()


class _BodyTooLongError(Exception):
    """The body is longer than an announcement may be."""


def _source(request: Request) -> str:
    """Return the network a request comes from; a proxy on this machine, such as one for TLS, is believed about it."""
    host = request.client.host if request.client else ""
    lines = request.headers.getlist("x-forwarded-for") or [""]  # some proxies add a line of their own behind what a client sent
    forwarded = _PORT.sub(r"\1\2", lines[-1].rpartition(",")[2].strip())
    return network_of(forwarded if forwarded and is_loopback(host) else host)


async def _body(request: Request) -> bytes:
    if int(request.headers.get("content-length", "0")) > PRESENCE_MAX_BYTES:  # before a client that asks is told to go on
        raise _BodyTooLongError
    body = bytearray()
    with contextlib.suppress(ClientDisconnect):
        async for piece in request.stream():
            body += piece
            if len(body) > PRESENCE_MAX_BYTES:
                raise _BodyTooLongError
    return bytes(body)


def _asked_for(text: str) -> frozenset[str]:
    """Return the peers in `?peers=`. Raises `AddressError`."""
    names = [name for name in text.split(",") if name]
    if len(names) > ASKED_FOR_MAX:
        raise AddressError(f"{len(names)} peers are asked for; the most is {ASKED_FOR_MAX}")
    for name in names:
        peer_id(name)
    return frozenset(names) if names else EVERYBODY


def _batched(peers: list[bytes]) -> Iterator[list[bytes]]:
    return (peers[at : at + TAKEN_AT_ONCE] for at in range(0, len(peers), TAKEN_AT_ONCE))


def _full(why: str) -> Response:
    return PlainTextResponse(f"{why}\n", HTTPStatus.SERVICE_UNAVAILABLE, {"retry-after": str(FULL_RETRY_SECONDS)})


async def _healthy(_request: Request) -> Response:
    return PlainTextResponse("ok\n")


def _fixed(content: str, mime: str) -> Callable[[Request], Response]:
    return lambda _request: Response(content, 200, page.HEADERS, mime)
