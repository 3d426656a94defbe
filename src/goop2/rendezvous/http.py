"""The rendezvous server over HTTP, as network.md describes it.

POST /publish   an announcement → 204; 400 when it is invalid, 413 too long, 429 too often, 503 when no more peers have room
GET  /events    server-sent events: every peer that is here, then announcements as they come, the newest of each peer; 503 when full.
                ?peers=ID,ID,…: of these peers alone, at most ASKED_FOR_MAX
GET  /healthz   "ok"
GET  /          who is here, for people
GET  /relay     the addresses of the relay beside it, for the name by which the client reached this server; where there is none, or it
                has no free place, those of a relay beside another server on the bus (bus.py); 404 without a relay
GET  /relays    all of them as a list: {"relays": […]}, each as /relay says it, with its free places; its own first
GET  /ws        the same announcements over WebSocket, a text message each; what a client sends is published like a /publish, a page of
                another origin is refused
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable, Iterator
from http import HTTPStatus
from typing import TYPE_CHECKING, Final, TypeVar

import msgspec
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, HTTPConnection, Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route, WebSocketRoute
from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocket, WebSocketDisconnect

from goop2.net.address import peer_id
from goop2.net.faults import AddressError
from goop2.protocols.errors import RemoteProtocolError
from goop2.protocols.presence import PRESENCE_MAX_BYTES, Presence, read, write
from goop2.protocols.source_network import network_of
from goop2.rendezvous import page
from goop2.rendezvous.announcement_log import EVERYBODY, AnnouncementReader, Announcements
from goop2.rendezvous.limits import (
    ANNOUNCEMENTS_KEPT,
    ASKED_FOR_MAX,
    BUS_PEERS_MAX,
    DROPPED_PER_SOCKET_MAX,
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

if TYPE_CHECKING:
    from goop2.cluster.keys import ClusterKey
    from goop2.rendezvous.bus import RendezvousBus
    from goop2.rendezvous.relay_server import RelayServer

T = TypeVar("T")
GOING_AWAY: Final = 1001
POLICY_VIOLATION: Final = 1008
"""Why a WebSocket is closed (RFC 6455, 7.4.1): this server stops, or what came was dropped too often."""
_EVENTS_HEADERS: Final = {"cache-control": "no-store", "x-content-type-options": "nosniff", "x-accel-buffering": "no"}


class Rendezvous:
    """The state of the server, and its application."""

    def __init__(
        self, clock: Callable[[], float] = time.monotonic, relay: RelayServer | None = None, bus_key: ClusterKey | None = None
    ) -> None:
        self.announcements = Announcements(ANNOUNCEMENTS_KEPT if bus_key is None else ANNOUNCEMENTS_KEPT + BUS_PEERS_MAX)
        self.registry = Registry(clock, self.announcements.drop)
        self.bus = None if bus_key is None else self._joined_by(bus_key, clock)
        self._relay_beside = relay
        self.app = Starlette(
            routes=[
                Route("/publish", self._publish, methods=["POST"]),
                Route("/events", self._listen),
                WebSocketRoute("/ws", self._talk),
                Route("/relay", self._relay),
                Route("/relays", self._relays),
                Route("/healthz", _healthy),
                Route("/", self._page),
                Route("/page.css", _fixed(page.STYLE, "text/css")),
                Route("/page.js", _fixed(page.SCRIPT, "text/javascript")),
            ]
        )

    def _joined_by(self, key: ClusterKey, clock: Callable[[], float]) -> RendezvousBus:
        # Here, because a server without a bus should not load what it needs.
        from goop2.rendezvous.bus import RendezvousBus

        return RendezvousBus(
            key, self.registry, self._hand_on, lambda: None if self._relay_beside is None else self._relay_beside.listed(), clock
        )

    async def _publish(self, request: Request) -> Response:
        source = _source(request)
        try:
            self.registry.admit(source)
            self._post(source, await _body(request))
        except RegistryFullError:
            return _full("no more peers have room here")
        except AnnouncementRateError:
            return PlainTextResponse("too often: at most 60 a minute\n", 429, {"retry-after": "1"})
        except _BodyTooLongError:
            return PlainTextResponse(f"a presence has at most {PRESENCE_MAX_BYTES} bytes\n", 413, {"connection": "close"})
        except (RemoteProtocolError, AddressError) as fault:
            return PlainTextResponse(f"{fault}\n", 400)
        return Response(status_code=204)

    def _post(self, source: str, json: bytes) -> None:
        """Take an announcement. Raises `RegistryFullError`, `RemoteProtocolError` and `AddressError`."""
        handed_on = self.registry.post(source, read(json))
        if handed_on is not None:
            said = self._hand_on(handed_on)
            if self.bus is not None:
                self.bus.say(said)

    def _hand_on(self, said: Presence) -> bytes:
        """Publish an announcement; return it as JSON."""
        json = write(said)
        self.announcements.publish(said.peer_id if said.type != "punch" else f"{said.peer_id} {said.target}", json)
        return json

    async def _listen(self, request: Request) -> Response:
        if request.method == "HEAD":  # whose answer ends with its headers: a stream would wait for a reader for ever
            return Response(headers=_EVENTS_HEADERS, media_type="text/event-stream")
        source = _source(request)
        if self._no_more_readers(source):
            return _full("too many are listening")
        try:
            peers = _asked_for(request.query_params.get("peers", ""))
        except AddressError as fault:
            return PlainTextResponse(f"{fault}\n", 400)
        last_id = request.headers.get("last-event-id", "")
        reader = self.announcements.read(source, last_id, peers)
        return _Heard(reader, self._stream(reader, not last_id))

    def _no_more_readers(self, source: str) -> bool:
        return self.announcements.readers >= READERS_MAX or self.announcements.readers_of(source) >= READERS_PER_ADDRESS_MAX

    async def _talk(self, socket: WebSocket) -> None:
        if not _is_own_page(socket):
            await socket.send_denial_response(PlainTextResponse("a page of another origin may not listen here\n", HTTPStatus.FORBIDDEN))
            return
        source = _source(socket)
        if self._no_more_readers(source):
            await socket.send_denial_response(_full("too many are listening"))
            return
        reader = self.announcements.read(source)
        try:
            await socket.accept()
            both = [asyncio.create_task(self._tell(socket, reader)), asyncio.create_task(self._take(socket, source))]
            try:
                await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for each in both:
                    each.cancel()
                await asyncio.gather(*both, return_exceptions=True)
            with contextlib.suppress(RuntimeError, OSError):  # the client closed it first
                await socket.close(GOING_AWAY if reader.ended else POLICY_VIOLATION)
        finally:
            reader.close()

    async def _tell(self, socket: WebSocket, reader: AnnouncementReader) -> None:
        def take() -> list[bytes]:
            return [each.json for each in reader.take()]

        nothing: list[bytes] = []
        async for some in self._batches(reader, take, lambda present: present, nothing, everybody=True):
            for said in some:
                await socket.send_text(said.decode())

    async def _take(self, socket: WebSocket, source: str) -> None:
        """Take the announcements that a client sends, until it has sent too many that are dropped."""
        dropped = 0
        with contextlib.suppress(WebSocketDisconnect):
            while dropped < DROPPED_PER_SOCKET_MAX:
                message = await socket.receive()
                if message["type"] != "websocket.receive":
                    return
                said = message.get("bytes") or (message.get("text") or "").encode()
                try:
                    self.registry.admit(source)
                    self._post(source, said)
                except (AnnouncementRateError, RegistryFullError, RemoteProtocolError, AddressError):
                    # It cannot be told: on this line clients expect announcements and nothing else.
                    dropped += 1

    async def _relay(self, request: Request) -> Response:
        own, others = self._relay_beside, [] if self.bus is None else self.bus.relays()
        elsewhere = next((each for each in others if each.free), None)
        if own is not None and (own.free or elsewhere is None):
            return _json(own.said_to(request.url.hostname or ""))
        if elsewhere is None:
            return PlainTextResponse("there is no relay here\n", 404)
        return _json(elsewhere)

    async def _relays(self, request: Request) -> Response:
        own = [] if self._relay_beside is None else [self._relay_beside.listed(request.url.hostname or "")]
        return _json({"relays": [*own, *([] if self.bus is None else self.bus.relays())]})

    async def _page(self, _request: Request) -> Response:
        relays = [] if self.bus is None else self.bus.relays()
        servers = 0 if self.bus is None or not self.bus.joined else len(self.bus.servers)
        own = [] if self._relay_beside is None else [self._relay_beside.listed()]
        return Response(page.render(self.registry.peers(), [*own, *relays], servers), 200, page.HEADERS, "text/html")

    async def _stream(self, reader: AnnouncementReader, everybody: bool) -> AsyncIterator[bytes]:
        """Yield announcements as events."""
        yield b"retry: 1000\n\n"

        def present(some: list[bytes]) -> bytes:
            return b"".join([self.announcements.frame(reader.place, each) for each in some])

        async for events in self._batches(reader, reader.take_events, present, b"", everybody=everybody):
            yield events or b": still here\n\n"

    async def _batches(
        self, reader: AnnouncementReader, take: Callable[[], T], present: Callable[[list[bytes]], T], nothing: T, *, everybody: bool
    ) -> AsyncIterator[T]:
        """Yield what `take` returns of a reader's news, `nothing` when it is long quiet.

        A reader that has missed some gets the list of who is here again, by `present`, as it does first when `everybody` is true.
        """
        while not reader.ended:
            if everybody or reader.missed:
                everybody = False
                reader.catch_up()
                for some in _batched(self.registry.present(reader.peers)):
                    yield present(some)
            elif taken := take():
                yield taken
                await asyncio.sleep(self._until_next_flush(reader.phase))
            else:
                yield nothing
            if not reader.news.is_set():  # as a rule it is, in a crowd; a wait costs a task and a timer
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(KEEP_ALIVE_SECONDS):
                        await reader.news.wait()

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


def _source(connection: HTTPConnection) -> str:
    """Return the network a request comes from; where a proxy is believed, the one it names (web/http/timeout_protocol.py)."""
    return network_of(connection.client.host if connection.client else "")


def _is_own_page(socket: WebSocket) -> bool:
    """Return whether no page asks, or one of this server: browsers let every page open a WebSocket anywhere, and name it in `Origin`."""
    origin = socket.headers.get("origin", "")
    return not origin or origin.partition("://")[2].lower() == socket.headers.get("host", "").lower()


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


def _json(value: object) -> Response:
    return Response(msgspec.json.encode(value), 200, {"cache-control": "no-store"}, "application/json")


def _full(why: str) -> Response:
    return PlainTextResponse(f"{why}\n", HTTPStatus.SERVICE_UNAVAILABLE, {"retry-after": str(FULL_RETRY_SECONDS)})


async def _healthy(_request: Request) -> Response:
    return PlainTextResponse("ok\n")


def _fixed(content: str, mime: str) -> Callable[[Request], Response]:
    return lambda _request: Response(content, 200, page.HEADERS, mime)
