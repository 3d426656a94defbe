"""Listening on the pages of a visited site: this peer hears that site's session over the network, and hands sound and changes on to them.

A page there may be a stranger's code: it makes this peer a listener of its own peer's session, and of no other's. Being one is bound to the
events it reads, asked for with `?join=1`; the last page gone, the session is left. At any time one session, hosted or heard.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Final
from urllib.parse import parse_qsl

import msgspec

from goop2.net.faults import NetworkError
from goop2.scripting.engine import Failure
from goop2.scripting.invocation import ErrorCode
from goop2.services.listen.follower import Followed, Following
from goop2.services.listen.operations import followed
from goop2.services.listen.session import ListenError
from goop2.web.api.listen import KIND
from goop2.web.http.event_log import Events
from goop2.web.http.event_stream import disconnected, send_events
from goop2.web.http.request_context import Handler, RequestContext
from goop2.web.http.responses import send_failure, send_json
from goop2.web.remote.network import NetworkView, RemoteNetwork, SoundStream

LOOK_SECONDS: Final = 5.0
"""Between two looks after the pages of a peer: what is open there while we are not in it, and whether anybody still listens."""
SOUNDS_MAX: Final = 4
"""Streams at a time: tabs that hear the same. Every one is a stream of the host's too, and it gives a peer no more."""
REFUSED: Final = "refused"
"""Kind of the event that says why we are not in the session."""
_TYPES: Final = {"mp3": b"audio/mpeg", "opus": b"audio/ogg", "m4a": b"audio/mp4"}
"""Where it is not `audio/<format>`."""
_NOT_UP: Final = "this peer is not on the network yet; try again in a moment"


@dataclass(slots=True)
class _Attention:
    """What looks after the pages of one peer's site, while they hear events."""

    session: str = ""
    """The one a page has named; "" for whichever is open."""
    told: bytes = b"null"
    """What there is while we are not in it, as it was told last."""
    wake: asyncio.Event = field(default_factory=asyncio.Event)
    task: asyncio.Task[None] | None = None


class RemoteListen:
    """Sessions of other peers, for the pages of their sites."""

    def __init__(self, following: Following, abroad: RemoteNetwork) -> None:
        self._following = following
        self._abroad = abroad
        self._events = Events()
        self._attentions: dict[str, _Attention] = {}
        self._host = ""
        """Of the session we are in, or were in last."""
        self._began: dict[str, Callable[[], float]] = {}
        """Key a page chose for its sound → the second of the track it begins at."""
        self._sounds = 0
        self.api: dict[str, Handler] = {
            "listen/state": self._state,
            "listen/events": self._hear,
            "listen/audio": self._audio,
            "listen/began": self._where_it_began,
            "listen/files": self._no_files,
            "listen/control": _not_ours,
        }
        """Path after `/api/` on a visited site's origin → what answers."""
        self._end = following.subscribe(self._tell)

    def stop(self) -> None:
        """End the event streams of sessions elsewhere."""
        self._end()
        self._events.stop()
        for attention in self._attentions.values():
            attention.wake.set()

    # What pages ask.

    async def _state(self, call: RequestContext) -> None:
        """The session we are in, else the one that is open over there as far as can be told, else null."""
        shown = self._in_it(call.origin.peer_id)
        if shown is None:
            shown = b"null"
            with contextlib.suppress(NetworkError):
                shown = await self._open_there(call.origin.peer_id)
        await send_json(call.send, shown, headers=call.headers)

    async def _hear(self, call: RequestContext) -> None:
        """`?join=1` makes this peer a listener while it is read; `&session=<id>` of that session, else of the one that is open."""
        peer = call.origin.peer_id
        asked = _query(call)
        audiences = [_pages(peer), *([_listeners(peer)] if asked.get("join") else [])]
        hearing = asyncio.create_task(send_events(call, self._events, peer, audiences))
        await asyncio.sleep(0)  # by then it is a reader
        self._attend(peer, asked.get("session"))
        await hearing

    async def _no_files(self, call: RequestContext) -> None:
        """There is nothing for us to load: its host does that."""
        await send_json(call.send, b'{"files":null}', headers=call.headers)

    async def _where_it_began(self, call: RequestContext) -> None:
        """`?key=<of the sound>`: `{"position": seconds}` of the track."""
        began = self._began.get(_query(call).get("key", ""))
        if began is None:
            await send_failure(call.send, Failure(ErrorCode.NOT_FOUND, "no such sound is under way"), call.headers)
        else:
            await send_json(call.send, b'{"position":%.3f}' % began(), headers=call.headers)

    async def _audio(self, call: RequestContext) -> None:
        """`?key=<chosen by the page>`: the sound from where the host is, for as long as it plays on."""
        failure = self._silent(call.origin.peer_id)
        if failure is None:
            self._sounds += 1
            try:
                failure = await self._sound(call)
            finally:
                self._sounds -= 1
        if failure is not None:
            await send_failure(call.send, failure, call.headers)

    # Being a listener.

    def _attend(self, peer: str, session: str | None) -> None:
        attention = self._attentions.setdefault(peer, _Attention())
        attention.session = attention.session if session is None else session
        attention.wake.set()
        if attention.task is None:
            attention.task = asyncio.create_task(self._look_after(peer, attention))

    async def _look_after(self, peer: str, attention: _Attention) -> None:
        try:
            while self._events.heard(_pages(peer)) and not self._events.stopped:
                attention.wake.clear()
                with contextlib.suppress(NetworkError):
                    await self._look(peer, attention)
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(LOOK_SECONDS):
                        await attention.wake.wait()
            self._leave(peer)
        finally:
            del self._attentions[peer]

    async def _look(self, peer: str, attention: _Attention) -> None:
        wanted = self._events.heard(_listeners(peer))
        if self._in_it(peer) is not None:
            if not wanted:
                self._leave(peer)
            return
        offered = await self._open_there(peer)
        if offered != attention.told:
            attention.told = offered
            self._events.publish(KIND, None, _pages(peer))
        if wanted and (session := attention.session or _id_of(offered)):
            try:
                await self._network().followed.join(peer, session)
            except ListenError as error:
                self._events.publish(REFUSED, {"message": str(error)}, _listeners(peer))

    def _leave(self, peer: str) -> None:
        network = self._abroad.network
        if network is not None and self._in_it(peer) is not None:
            network.followed.leave()

    def _tell(self, now: Followed | None) -> None:
        host, self._host = self._host, now.host if now is not None else ""
        self._events.publish(KIND, None, _pages(self._host or host))
        if now is None and host in self._attentions:
            self._attentions[host].wake.set()

    def _in_it(self, peer: str) -> bytes | None:
        now = self._following.followed
        return msgspec.json.encode(followed(self._following)) if now is not None and now.joined and now.host == peer else None

    async def _open_there(self, peer: str) -> bytes:
        return msgspec.json.encode(await self._network().followed.session_of(peer))

    def _network(self) -> NetworkView:
        if self._abroad.network is None:
            raise NetworkError(_NOT_UP)
        return self._abroad.network

    # Its sound.

    def _silent(self, peer: str) -> Failure | None:
        if self._in_it(peer) is None:
            return Failure(ErrorCode.UNAVAILABLE, "this peer is not in the session: Goop.listen.join() first")
        if self._sounds >= SOUNDS_MAX:
            return Failure(ErrorCode.UNAVAILABLE, f"{SOUNDS_MAX} pages hear the session already; close one", retry_after_seconds=5.0)
        return None

    async def _sound(self, call: RequestContext) -> Failure | None:
        """Send it; why not, when nothing is sent yet."""
        key = _query(call).get("key", "")
        try:
            async with self._network().followed.sound() as sound:
                self._began[key] = sound.beginning
                await _send_sound(call, sound)
        except (ListenError, NetworkError) as fault:
            return Failure(ErrorCode.UNAVAILABLE, str(fault))
        finally:
            self._began.pop(key, None)
        return None


async def _not_ours(call: RequestContext) -> None:
    await send_failure(call.send, Failure(ErrorCode.FORBIDDEN, "only the host controls the session"), call.headers)


async def _send_sound(call: RequestContext, sound: SoundStream) -> None:
    """Until it ends, or nobody reads it any more."""
    type_ = _TYPES.get(sound.format, b"audio/" + sound.format.encode())
    headers = [
        (b"content-type", type_),
        (b"cache-control", b"no-store"),
        (b"x-content-type-options", b"nosniff"),
        (b"accept-ranges", b"none"),
    ]
    await call.send({"type": "http.response.start", "status": HTTPStatus.OK, "headers": [*headers, *call.headers]})
    sending = asyncio.create_task(_send_pieces(call, sound))
    gone = asyncio.create_task(disconnected(call.receive))
    try:
        await asyncio.wait((sending, gone), return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in (sending, gone):
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task


async def _send_pieces(call: RequestContext, sound: SoundStream) -> None:
    with contextlib.suppress(NetworkError):  # then it ends early, and the player asks anew
        async for piece in sound.pieces:
            await call.send({"type": "http.response.body", "body": piece, "more_body": True})
    await call.send({"type": "http.response.body", "body": b""})


def _pages(peer: str) -> str:
    """Return the audience of all pages of a peer's site."""
    return f"pages:{peer}"


def _listeners(peer: str) -> str:
    """Return the audience of those that want to hear its session."""
    return f"listeners:{peer}"


def _query(call: RequestContext) -> dict[str, str]:
    return dict(parse_qsl(call.scope["query_string"].decode("latin-1")))


def _id_of(offered: bytes) -> str:
    found = msgspec.json.decode(offered)
    return str(found["id"]) if found else ""
