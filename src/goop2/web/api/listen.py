"""Listening together on pages: the session, its changes as events, its audio as a file with ranges, and the owner's controls.

A page plays the file itself; events say where the session is, and the page adjusts its playback rate (sdk/goop-listen.js). A page that
reads the events with `?join=1` counts as a listener.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable, Mapping
from typing import BinaryIO, Final, TypeVar, cast
from urllib.parse import parse_qsl

import msgspec

from goop2.folder.site_files import UNREADABLE_RETRY_SECONDS, SiteFile
from goop2.scripting.engine import Failure
from goop2.scripting.invocation import ErrorCode
from goop2.services.listen.boundaries import Boundary, sound
from goop2.services.listen.cover import Cover
from goop2.services.listen.operations import group
from goop2.services.listen.service import ListenService
from goop2.services.listen.session import AudioUnreadableError, ListenError, Track
from goop2.web.http.event_log import Events
from goop2.web.http.event_stream import send_events
from goop2.web.http.files import Compressed, Document, send_document
from goop2.web.http.handlers import JsonBody, any_json, as_sent, endpoint, no_body
from goop2.web.http.request_context import Handler, RequestContext
from goop2.web.http.responses import send_failure, send_json
from goop2.web.limits import ENVELOPE_MAX_BYTES

Given = TypeVar("Given")

KIND: Final = "listen"
EVERYBODY: Final = "listen"
LISTENERS: Final = "listeners"
"""The audience of pages that play."""
_ONLY_OWNER: Final = Failure(ErrorCode.FORBIDDEN, "only the owner controls the session")
_PICTURE_HEADERS: Final = [
    (b"content-security-policy", b"default-src 'none'"),
    (b"x-content-type-options", b"nosniff"),
    (b"cross-origin-resource-policy", b"same-origin"),
]
"""A picture comes out of an audio file, from whoever made that, so it may do nothing as a page."""


class ControlRequest(msgspec.Struct, forbid_unknown_fields=True):
    """The request of the owner to change the session."""

    action: str
    name: str = ""
    path: str = ""
    seconds: float | None = None


class ListenApi:
    """Endpoints and events of the listening session of this peer."""

    def __init__(self, listening: ListenService) -> None:
        self._listening = listening
        self._events = Events()
        self._compressed = Compressed(0)
        self._pictured: Track | None = None
        self._picture: Cover | None = None
        """The picture in the track `_pictured`, so that many requests read the file once."""
        self._finding = asyncio.Lock()
        """One search at a time: to go through hours of MP3 takes a second."""
        self.api: dict[str, Handler] = {
            "listen/state": endpoint(self._state, as_sent, read=no_body),
            "listen/events": self._hear,
            "listen/audio": self._audio,
            "listen/began": self._where_it_begins,
            "listen/cover": self._cover,
            "listen/files": endpoint(self._files, as_sent, read=no_body),
            "listen/control": endpoint(self._control, _CONTROL, read=any_json(ENVELOPE_MAX_BYTES), check=_refusal),
        }
        """Path after `/api/` → handler."""
        self._unsubscribe = (
            listening.serves(lambda: self._events.names(LISTENERS)),
            listening.subscribe(lambda _: self._publish()),
            listening.counts.add(lambda _: self._publish()),
        )

    def stop(self) -> None:
        """End the event streams of listening."""
        for unsubscribe in self._unsubscribe:
            unsubscribe()
        self._events.stop()

    def shown(self) -> dict[str, object] | None:
        """Return the session as pages see it."""
        state = self._listening.state()
        if state is None:
            return None
        return group(state, self._listening.listeners()) | {"cover": state.track is not None and state.track.has_cover}

    def _publish(self) -> None:
        self._events.publish(KIND, self.shown(), EVERYBODY)

    async def _state(self, _call: RequestContext, _body: bytes) -> bytes:
        return msgspec.json.encode(self.shown())

    async def _hear(self, call: RequestContext) -> None:
        """Send the events of the session. With `?join=1` the caller counts as a listener while it reads them."""
        joins = bool(_query(call).get("join"))
        audiences = [EVERYBODY, *([LISTENERS] if joins else [])]
        hearing = asyncio.ensure_future(send_events(call, self._events, call.caller.tenant, audiences))
        try:
            if joins:
                # Let the task subscribe, so that it is counted.
                await asyncio.sleep(0)
                self._listening.recount()
            await hearing
        finally:
            hearing.cancel()
            if joins:
                self._listening.recount()

    async def _audio(self, call: RequestContext) -> None:
        """Send the file of the track of `?session=<id>`.

        With `&from=<seconds>` an MP3 begins at the frame of that second: browsers only guess where it is.
        """
        opened = await self._opened(call)
        if opened is None:
            return
        track, file = opened
        with file:
            begin, _ = await self._begins(call, track, file)
            status = os.fstat(file.fileno())
            # A different beginning is a different representation.
            etag = f"{status.st_ino:x}-{status.st_size:x}-{status.st_mtime_ns:x}-{begin:x}"
            path = f"track.{track.format if track.format != 'opus' else 'ogg'}"
            content = SiteFile(path, cast(BinaryIO, _FileFrom(file, begin)), status)
            await send_document(call, Document(path=path, etag=etag, size=status.st_size - begin, file=content), self._compressed)

    async def _where_it_begins(self, call: RequestContext) -> None:
        """Answer the query of the audio with `{"position": seconds}`: where in the track that file begins."""
        opened = await self._opened(call)
        if opened is None:
            return
        track, file = opened
        with file:
            _, position = await self._begins(call, track, file)
        await send_json(call.send, b'{"position":%.4f}' % position, headers=call.headers)

    async def _opened(self, call: RequestContext) -> tuple[Track, BinaryIO] | None:
        """Return the track of the query and its file, to be closed; None after an error answer was sent."""
        try:
            track = self._listening.track(_query(call).get("session", ""))
            return track, await asyncio.to_thread(self._listening.open, track)
        except ListenError as error:
            await _send_no_track(call, error)
            return None

    async def _begins(self, call: RequestContext, track: Track, file: BinaryIO) -> Boundary:
        try:
            seconds = float(_query(call).get("from", ""))
        except ValueError:
            return 0, 0.0
        if track.format != "mp3" or not 0 <= seconds < track.duration:
            return 0, 0.0
        # In a thread, and one at a time: strangers choose the second.
        async with self._finding:
            return await asyncio.to_thread(lambda: sound(file, track).boundary(seconds))

    async def _cover(self, call: RequestContext) -> None:
        """Send the picture in the file of the track of `?session=<id>`."""
        try:
            track = self._listening.track(_query(call).get("session", ""))
            if track != self._pictured:
                self._picture, self._pictured = await asyncio.to_thread(self._listening.cover, track), track
        except ListenError as error:
            await _send_no_track(call, error)
            return
        cover = self._picture
        if cover is None:
            await send_failure(call.send, Failure(ErrorCode.NOT_FOUND, "the track has no picture"), call.headers)
            return
        etag = f"{track.stamp[0]:x}-{track.stamp[1]:x}"
        call = call._replace(headers=[*call.headers, *_PICTURE_HEADERS])
        await send_document(
            call, Document(path=f"cover.{cover.kind}", etag=etag, size=len(cover.content), content=cover.content), self._compressed
        )

    async def _files(self, call: RequestContext, _body: bytes) -> bytes:
        """Return the audio files that the owner can load, `{"files": [path]}`; null for others."""
        return msgspec.json.encode({"files": await asyncio.to_thread(self._listening.files) if call.caller.owner else None})

    async def _control(self, _call: RequestContext, request: ControlRequest) -> bytes:
        """`POST {action, name?, path?, seconds?}`: do an action of the owner, and return the session."""
        await control(self._listening, request)
        return msgspec.json.encode(self.shown())


_CONTROL: Final = JsonBody(ControlRequest)


def _refusal(call: RequestContext) -> Failure | None:
    return None if call.caller.owner else _ONLY_OWNER


async def control(listening: ListenService, wanted: ControlRequest) -> None:
    """Do an action of the owner. Raises `ListenError` when it does not fit the session."""
    actions: Mapping[str, Callable[[], Awaitable[object]]] = {
        "create": lambda: listening.create(wanted.name),
        "load": lambda: listening.load(_needed(wanted.path or None, 'load takes path, as in {"path": "music/song.mp3"}')),
        "play": listening.play,
        "pause": listening.pause,
        "seek": lambda: listening.seek(_needed(wanted.seconds, 'seek takes seconds, as in {"seconds": 30}')),
        "close": listening.close,
    }
    action = actions.get(wanted.action)
    if action is None:
        raise ListenError(f"action should be one of {', '.join(actions)}")
    await action()


def _needed(given: Given | None, refusal: str) -> Given:
    if given is None:
        raise ListenError(refusal)
    return given


class _FileFrom:
    """A file that seems to begin at an offset of another one."""

    def __init__(self, file: BinaryIO, begin: int) -> None:
        self._file = file
        self._begin = begin

    def seek(self, at: int) -> int:
        """Go to `at` bytes after the beginning; return the new position."""
        return self._file.seek(self._begin + at) - self._begin

    def read(self, size: int) -> bytes:
        """Read up to `size` bytes from the current position."""
        return self._file.read(size)


async def _send_no_track(call: RequestContext, error: ListenError) -> None:
    """Send why there is no track to play."""
    # The class says bad_request, which is right for a control. Here the session is part of the address, so it is a 404.
    unreadable = isinstance(error, AudioUnreadableError)
    code, seconds = (ErrorCode.UNAVAILABLE, UNREADABLE_RETRY_SECONDS) if unreadable else (ErrorCode.NOT_FOUND, None)
    await send_failure(call.send, Failure(code, str(error), retry_after_seconds=seconds), call.headers)


def _query(call: RequestContext) -> dict[str, str]:
    return dict(parse_qsl(call.scope["query_string"].decode("latin-1")))
