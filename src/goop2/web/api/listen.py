"""Listening together from pages: the session, its changes as events, its audio as a file with ranges, and for the owner its controls.

A page plays the file itself and is told where everybody is; it corrects itself by its rate (sdk/goop-listen.js). Whoever hears the events
is a listener. What nobody reads costs a socket's buffer, as any file does.
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
from goop2.services.listen.service import Listening
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
"""It came with a file, from whoever made that."""


class ControlRequest(msgspec.Struct, forbid_unknown_fields=True):
    """The request of the owner to change the session."""

    action: str
    name: str = ""
    path: str = ""
    seconds: float | None = None


class ListenApi:
    """The session of this peer, for pages."""

    def __init__(self, listening: Listening) -> None:
        self._listening = listening
        self._events = Events()
        self._compressed = Compressed(0)
        self._pictured: Track | None = None
        self._picture: Cover | None = None
        """In the track `_pictured`: whoever asks again and again has its file read once."""
        self._finding = asyncio.Lock()
        """Hours of MP3 take a second to be gone through: one at a time, whoever asks."""
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
        self._end = (
            listening.serves(lambda: self._events.names(LISTENERS)),
            listening.subscribe(lambda _: self._tell()),
            listening.counts.add(lambda _: self._tell()),
        )

    def stop(self) -> None:
        """End the event streams of listening."""
        for end in self._end:
            end()
        self._events.stop()

    def shown(self) -> dict[str, object] | None:
        """Return the session as pages see it."""
        state = self._listening.state()
        if state is None:
            return None
        return group(state, self._listening.listeners()) | {"cover": state.track is not None and state.track.has_cover}

    def _tell(self) -> None:
        self._events.publish(KIND, self.shown(), EVERYBODY)

    async def _state(self, _call: RequestContext, _body: bytes) -> bytes:
        return msgspec.json.encode(self.shown())

    async def _hear(self, call: RequestContext) -> None:
        """`?join=1`: whoever reads these is a listener meanwhile."""
        joins = bool(_query(call).get("join"))
        audiences = [EVERYBODY, *([LISTENERS] if joins else [])]
        hearing = asyncio.ensure_future(send_events(call, self._events, call.caller.tenant, audiences))
        try:
            if joins:
                await asyncio.sleep(0)  # by then it is a reader
                self._listening.recount()
            await hearing
        finally:
            hearing.cancel()
            if joins:
                self._listening.recount()

    async def _audio(self, call: RequestContext) -> None:
        """`?session=<id>`: the track's file. With `&from=<seconds>` an MP3 begins at that second's frame: browsers guess where that is."""
        opened = await self._opened(call)
        if opened is None:
            return
        track, file = opened
        with file:
            begin, _ = await self._begins(call, track, file)
            status = os.fstat(file.fileno())
            etag = f"{status.st_ino:x}-{status.st_size:x}-{status.st_mtime_ns:x}-{begin:x}"
            path = f"track.{track.format if track.format != 'opus' else 'ogg'}"
            content = SiteFile(path, cast(BinaryIO, _From(file, begin)), status)
            await send_document(call, Document(path, etag, status.st_size - begin, file=content), self._compressed)

    async def _where_it_begins(self, call: RequestContext) -> None:
        """For the same query as the audio's: `{"position": seconds}`, where in the track that begins."""
        opened = await self._opened(call)
        if opened is None:
            return
        track, file = opened
        with file:
            _, position = await self._begins(call, track, file)
        await send_json(call.send, b'{"position":%.4f}' % position, headers=call.headers)

    async def _opened(self, call: RequestContext) -> tuple[Track, BinaryIO] | None:
        """Return the track asked for and its file, to be closed; None when the call is answered already: there is none."""
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
        async with self._finding:
            return await asyncio.to_thread(lambda: sound(file, track).boundary(seconds))

    async def _cover(self, call: RequestContext) -> None:
        """`?session=<id>`: the picture in the track's file."""
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
        await send_document(call, Document(f"cover.{cover.kind}", etag, len(cover.content), cover.content), self._compressed)

    async def _files(self, call: RequestContext, _body: bytes) -> bytes:
        """What the owner can load: `{"files": [path]}`; null for others."""
        return msgspec.json.encode({"files": await asyncio.to_thread(self._listening.files) if call.caller.owner else None})

    async def _control(self, _call: RequestContext, request: ControlRequest) -> bytes:
        """`POST {action, name?, path?, seconds?}`, by the owner."""
        await control(self._listening, request)
        return msgspec.json.encode(self.shown())


_CONTROL: Final = JsonBody(ControlRequest)


def _refusal(call: RequestContext) -> Failure | None:
    return None if call.caller.owner else _ONLY_OWNER


async def control(listening: Listening, wanted: ControlRequest) -> None:
    """Do what the owner wants. Raises `ListenError`."""
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


class _From:
    """A file from an offset on, as if it began there."""

    def __init__(self, file: BinaryIO, begin: int) -> None:
        self._file = file
        self._begin = begin

    def seek(self, at: int) -> int:
        """To `at` behind the beginning."""
        return self._file.seek(self._begin + at) - self._begin

    def read(self, size: int) -> bytes:
        """Read up to `size` bytes from the current position."""
        return self._file.read(size)


async def _send_no_track(call: RequestContext, error: ListenError) -> None:
    unreadable = isinstance(error, AudioUnreadableError)
    code, seconds = (ErrorCode.UNAVAILABLE, UNREADABLE_RETRY_SECONDS) if unreadable else (ErrorCode.NOT_FOUND, None)
    await send_failure(call.send, Failure(code, str(error), retry_after_seconds=seconds), call.headers)


def _query(call: RequestContext) -> dict[str, str]:
    return dict(parse_qsl(call.scope["query_string"].decode("latin-1")))
