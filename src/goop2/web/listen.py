"""Listening together from pages: the session, its changes as events, its audio as a file with ranges, and for the owner its controls.

A page plays the file itself and is told where everybody is; it corrects itself by its rate (sdk/goop-listen.js). Whoever hears the events
is a listener. What nobody reads costs a socket's buffer, as any file does.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable, Mapping
from http import HTTPStatus
from typing import Final
from urllib.parse import parse_qs

import msgspec

from goop2.listen.listening import Listening, State
from goop2.listen.operations import group
from goop2.listen.session import ListenError
from goop2.scripting.engine import Failure
from goop2.scripting.invocation import ErrorCode
from goop2.site_files import SiteFile
from goop2.web.answers import send_failure, send_json
from goop2.web.bodies import NOT_JSON, BodyTooLarge, read_body
from goop2.web.calls import Answer, Call
from goop2.web.events import Events
from goop2.web.limits import ENVELOPE_MAX_BYTES
from goop2.web.pages import Compressed, Document, send_document
from goop2.web.streams import send_events

KIND: Final = "listen"
EVERYBODY: Final = "listen"


class Control(msgspec.Struct):
    """What the owner wants done."""

    action: str
    name: str = ""
    path: str = ""
    seconds: float = 0.0


class Listen:
    """The session of this peer, for pages."""

    def __init__(self, listening: Listening) -> None:
        self._listening = listening
        self._events = Events()
        self._compressed = Compressed(0)
        self.api: dict[str, Answer] = {
            "listen/state": self._state,
            "listen/events": self._hear,
            "listen/audio": self._audio,
            "listen/control": self._control,
        }
        self._end = (listening.counted(lambda: self._events.readers(lambda _: True)), listening.subscribe(self._tell))

    def stop(self) -> None:
        """End the streams."""
        for end in self._end:
            end()
        self._events.stop()

    def _shown(self, state: State | None) -> dict[str, object] | None:
        return None if state is None else group(state, self._listening.listeners())

    def _tell(self, state: State | None) -> None:
        self._events.publish(KIND, self._shown(state), EVERYBODY)

    async def _state(self, call: Call) -> None:
        await send_json(call.send, msgspec.json.encode(self._shown(self._listening.state())), headers=call.headers)

    async def _hear(self, call: Call) -> None:
        await send_events(call, self._events, call.caller.address or call.caller.id, [EVERYBODY])

    async def _audio(self, call: Call) -> None:
        """`?session=<id>&track=<name>`: the track's file."""
        session = parse_qs(call.scope["query_string"].decode("latin-1")).get("session", [""])[0]
        try:
            track, file = await asyncio.to_thread(self._listening.audio, session)
        except ListenError as error:
            await send_failure(call.send, Failure(ErrorCode.NOT_FOUND, str(error)), call.headers)
            return
        with file:
            status = os.fstat(file.fileno())
            etag = f"{status.st_ino:x}-{status.st_size:x}-{status.st_mtime_ns:x}"
            path = f"track.{track.format if track.format != 'opus' else 'ogg'}"
            await send_document(call, Document(path, etag, status.st_size, file=SiteFile(path, file, status)), self._compressed)

    async def _control(self, call: Call) -> None:
        """`POST {action, name?, path?, seconds?}`, by the owner."""
        result = await self._controlled(call)
        if isinstance(result, Failure):
            await send_failure(call.send, result, call.headers)
        else:
            await send_json(call.send, msgspec.json.encode(self._shown(self._listening.state())), HTTPStatus.OK, call.headers)

    async def _controlled(self, call: Call) -> Failure | None:
        if not call.caller.owner:
            return Failure(ErrorCode.FORBIDDEN, "only the owner controls the session")
        try:
            wanted = msgspec.json.decode(await read_body(call.receive, ENVELOPE_MAX_BYTES), type=Control)
            work = self._actions(wanted).get(wanted.action)
            if work is None:
                return Failure(ErrorCode.BAD_REQUEST, "action should be one of create, load, play, pause, seek, close")
            await work()
        except (ListenError, BodyTooLarge, *NOT_JSON) as error:
            return Failure(ErrorCode.BAD_REQUEST, str(error))
        return None

    def _actions(self, wanted: Control) -> Mapping[str, Callable[[], Awaitable[object]]]:
        listening = self._listening
        return {
            "create": lambda: listening.create(wanted.name),
            "load": lambda: listening.load(wanted.path),
            "play": listening.play,
            "pause": listening.pause,
            "seek": lambda: listening.seek(wanted.seconds),
            "close": listening.close,
        }
