"""Listening on pages of a visited site: this peer joins that site's session over the network, and passes sound and events on to the pages.

A page there may be a stranger's code: it can make this peer a listener of its own peer's session, and of no other. The peer listens while a
page reads events with `?join=1`, and leaves the session when the last such page is gone. There is one session at a time, hosted or joined.
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
"""Between two checks for the pages of a peer: which session is open there, and whether a page still listens."""
SOUNDS_MAX: Final = 4
"""Sound streams at a time, one per tab. Each is a stream of the host too, which gives one peer no more."""
REFUSED: Final = "refused"
"""Kind of the event that says why the session could not be joined."""
_TYPES: Final = {"mp3": b"audio/mpeg", "opus": b"audio/ogg", "m4a": b"audio/mp4"}
"""Format → content type, where it is not `audio/<format>`."""
_NOT_UP: Final = "this peer is not on the network yet; try again in a moment"


@dataclass(slots=True)
class _SiteWatch:
    """The state of the task that watches the session of one peer while pages of its site read events."""

    session: str = ""
    """Id of the session a page has named; "" for whichever is open."""
    offered: bytes = b"null"
    """The session open there, as pages know it: JSON."""
    wake: asyncio.Event = field(default_factory=asyncio.Event)
    task: asyncio.Task[None] | None = None


class RemoteListen:
    """Endpoints and events of other peers' sessions, for the pages of their sites."""

    def __init__(self, following: Following, remote: RemoteNetwork) -> None:
        self._following = following
        self._remote = remote
        self._events = Events()
        self._watches: dict[str, _SiteWatch] = {}
        self._host = ""
        """Host of the session this peer is in, or was in last."""
        self._began: dict[str, Callable[[], float]] = {}
        """Key that a page chose for its sound → the second of the track at which it begins."""
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
        self._unsubscribe = following.subscribe(self._publish)

    def stop(self) -> None:
        """End the event streams of sessions elsewhere."""
        self._unsubscribe()
        self._events.stop()
        for watch in self._watches.values():
            watch.wake.set()

    # Endpoints.

    async def _state(self, call: RequestContext) -> None:
        """Send the session this peer is in, else the one open at the visited peer, else null."""
        shown = self._in_it(call.origin.peer_id)
        if shown is None:
            shown = b"null"
            with contextlib.suppress(NetworkError):
                shown = await self._open_there(call.origin.peer_id)
        await send_json(call.send, shown, headers=call.headers)

    async def _hear(self, call: RequestContext) -> None:
        """Send the events of the session. With `?join=1` this peer listens meanwhile, to `&session=<id>` or to the one that is open."""
        peer = call.origin.peer_id
        query = _query(call)
        audiences = [_pages(peer), *([_listeners(peer)] if query.get("join") else [])]
        hearing = asyncio.create_task(send_events(call, self._events, peer, audiences))
        # Let the task subscribe, so that it is counted.
        await asyncio.sleep(0)
        self._start_watch(peer, query.get("session"))
        await hearing

    async def _no_files(self, call: RequestContext) -> None:
        """Send that there are no files to load: only the host loads them."""
        await send_json(call.send, b'{"files":null}', headers=call.headers)

    async def _where_it_began(self, call: RequestContext) -> None:
        """Send at which second of the track the sound of `?key=…` begins: `{"position": seconds}`."""
        began = self._began.get(_query(call).get("key", ""))
        if began is None:
            await send_failure(call.send, Failure(ErrorCode.NOT_FOUND, "no such sound is under way"), call.headers)
        else:
            await send_json(call.send, b'{"position":%.3f}' % began(), headers=call.headers)

    async def _audio(self, call: RequestContext) -> None:
        """Send the sound from the host's position on, while it plays. `?key=…` is chosen by the page, to ask for the position."""
        failure = self._refusal_of_sound(call.origin.peer_id)
        if failure is None:
            self._sounds += 1
            try:
                failure = await self._sound(call)
            finally:
                self._sounds -= 1
        if failure is not None:
            await send_failure(call.send, failure, call.headers)

    # Joining and leaving. One task per visited peer decides, so that two pages cannot join and leave against each other.

    def _start_watch(self, peer: str, session: str | None) -> None:
        watch = self._watches.setdefault(peer, _SiteWatch())
        watch.session = watch.session if session is None else session
        watch.wake.set()
        if watch.task is None:
            watch.task = asyncio.create_task(self._watch(peer, watch))

    async def _watch(self, peer: str, watch: _SiteWatch) -> None:
        try:
            while self._events.has_reader(_pages(peer)) and not self._events.stopped:
                watch.wake.clear()
                with contextlib.suppress(NetworkError):
                    await self._look(peer, watch)
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(LOOK_SECONDS):
                        await watch.wake.wait()
            # The last page is gone.
            self._leave(peer)
        finally:
            del self._watches[peer]

    async def _look(self, peer: str, watch: _SiteWatch) -> None:
        wanted = self._events.has_reader(_listeners(peer))
        if self._in_it(peer) is not None:
            if not wanted:
                self._leave(peer)
            return
        offered = await self._open_there(peer)
        # Pages are notified of changes alone: they ask for the state themselves.
        if offered != watch.offered:
            watch.offered = offered
            self._events.publish(KIND, None, _pages(peer))
        session = watch.session or _id_of(offered)
        # A session that its host has closed is over for pages too, whatever they have named.
        if wanted and session and not self._network().followed.is_over(peer, session):
            try:
                await self._network().followed.join(peer, session)
            except ListenError as error:
                self._events.publish(REFUSED, {"message": str(error)}, _listeners(peer))

    def _leave(self, peer: str) -> None:
        network = self._remote.network
        if network is not None and self._in_it(peer) is not None:
            network.followed.leave()

    def _publish(self, now: Followed | None) -> None:
        # The pages of the host that was left are notified too.
        host, self._host = self._host, now.host if now is not None else ""
        self._events.publish(KIND, None, _pages(self._host or host))
        if now is None and host in self._watches:
            self._watches[host].wake.set()

    def _in_it(self, peer: str) -> bytes | None:
        now = self._following.followed
        return msgspec.json.encode(followed(self._following)) if now is not None and now.joined and now.host == peer else None

    async def _open_there(self, peer: str) -> bytes:
        return msgspec.json.encode(await self._network().followed.session_of(peer))

    def _network(self) -> NetworkView:
        if self._remote.network is None:
            raise NetworkError(_NOT_UP)
        return self._remote.network

    # Sound.

    def _refusal_of_sound(self, peer: str) -> Failure | None:
        if self._in_it(peer) is None:
            return Failure(ErrorCode.UNAVAILABLE, "this peer is not in the session: Goop.listen.join() first")
        if self._sounds >= SOUNDS_MAX:
            return Failure(ErrorCode.UNAVAILABLE, f"{SOUNDS_MAX} pages hear the session already; close one", retry_after_seconds=5.0)
        return None

    async def _sound(self, call: RequestContext) -> Failure | None:
        """Send the sound; return why not, when nothing was sent."""
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
    """Send a sound stream until it ends or the client is gone."""
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
    # After an error the stream ends early, and the player asks again.
    with contextlib.suppress(NetworkError):
        async for piece in sound.pieces:
            await call.send({"type": "http.response.body", "body": piece, "more_body": True})
    await call.send({"type": "http.response.body", "body": b""})


def _pages(peer: str) -> str:
    """Return the audience of all pages of a peer's site."""
    return f"pages:{peer}"


def _listeners(peer: str) -> str:
    """Return the audience of the pages that listen to a peer's session."""
    return f"listeners:{peer}"


def _query(call: RequestContext) -> dict[str, str]:
    return dict(parse_qsl(call.scope["query_string"].decode("latin-1")))


def _id_of(offered: bytes) -> str:
    session = msgspec.json.decode(offered)
    return str(session["id"]) if session else ""
