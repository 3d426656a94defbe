"""Chat from a page: with the peer whose site it is, and nobody else (a page may be a stranger's code).

Commands run and their replies come back as events. Keeping messages, and sending them to other peers, is the
chat part's, which is not there yet: `Chat.api` is where it plugs in.
"""

from __future__ import annotations

import time
from typing import Final

import msgspec

from goop2.scripting.engine import Engine, Failure
from goop2.scripting.invocation import Caller, ErrorCode
from goop2.web.answers import send_failure, send_json
from goop2.web.bodies import BodyTooLarge, read_body
from goop2.web.calls import Call
from goop2.web.events import Events
from goop2.web.limits import BODY_MAX_BYTES

COMMAND: Final = "!"
_MILLISECONDS: Final = 1000


class Message(msgspec.Struct, frozen=True, rename={"sender": "from"}):
    """A chat message, as `Goop.chat.subscribe` hands it to pages."""

    sender: str
    content: str
    type: str
    """`chat`."""
    timestamp: int
    """Milliseconds since 1970."""


class _Send(msgspec.Struct):
    content: str
    peer: str = ""


_send = msgspec.json.Decoder(_Send)


def site_audience(caller: Caller) -> str:
    """Whom events are for that go to this caller's pages."""
    return f"site:{caller.id}"


class Chat:
    """Chat between callers and one peer."""

    def __init__(self, engine: Engine, events: Events) -> None:
        self._engine = engine
        self._events = events
        self.api = {"chat/send": self.send, "chat/broadcast": _not_yet, "chat/messages": _not_yet}

    async def send(self, call: Call) -> None:
        """`POST {peer?, content}`: a command is run, its reply told to the caller's pages."""
        try:
            asked = _send.decode(await read_body(call.receive, BODY_MAX_BYTES))
        except BodyTooLarge as error:
            await send_failure(call.send, Failure(ErrorCode.BAD_REQUEST, str(error)), [(b"connection", b"close"), *call.headers])
            return
        except msgspec.DecodeError as error:
            await send_failure(call.send, Failure(ErrorCode.BAD_REQUEST, f'the body should be {{"content": text}}: {error}'), call.headers)
            return
        failure = await self._say(call, asked)
        if failure is not None:
            await send_failure(call.send, failure, call.headers)
        else:
            await send_json(call.send, b'{"status":"sent"}', headers=call.headers)

    async def _say(self, call: Call, asked: _Send) -> Failure | None:
        if asked.peer not in ("", call.origin.peer_id):
            return Failure(ErrorCode.FORBIDDEN, "a page chats with the peer whose site it is, and nobody else")
        if not asked.content.startswith(COMMAND):
            return Failure(ErrorCode.UNAVAILABLE, "this peer keeps no messages yet; commands, which begin with !, are answered")
        reply = await self._engine.command(call.caller, asked.content)
        if reply.text:
            message = Message(call.origin.peer_id, reply.text, "chat", int(time.time() * _MILLISECONDS))
            self._events.publish("chat", message, site_audience(call.caller))
        return reply.failure if reply.failure is not None and not reply.text else None


async def _not_yet(call: Call) -> None:
    await send_failure(call.send, Failure(ErrorCode.UNAVAILABLE, "this peer keeps no messages yet"), call.headers)
