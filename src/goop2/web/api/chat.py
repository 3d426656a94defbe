"""Chat from a page: with the peer whose site it is, and nobody else (a page may be a stranger's code).

What is kept, and who answers, is the chat part's; here it becomes requests and events. A page hears what the peer says to its caller.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from typing import Final

import msgspec

from goop2.protocols.untrusted_json import Decoder, InvalidJsonError
from goop2.scripting.engine import Failure
from goop2.scripting.invocation import Caller, ErrorCode
from goop2.services.chat.service import ChatError, ChatRefusedError, ChatReply, check
from goop2.services.chat.service import ChatService as Messages
from goop2.storage.errors import StorageError
from goop2.storage.messages import StoredMessage as Kept
from goop2.web.http.bodies import read_json
from goop2.web.http.event_log import Events
from goop2.web.http.request_context import RequestContext
from goop2.web.http.responses import send_failure, send_json
from goop2.web.limits import BODY_MAX_BYTES
from goop2.web.remote.network import RemoteNetwork

CHAT: Final = "chat"
_MILLISECONDS: Final = 1000


class MessageEvent(msgspec.Struct, frozen=True, rename={"sender": "from"}):
    """A chat message, as `Goop.chat.subscribe` hands it to pages."""

    sender: str
    content: str
    type: str
    """`chat`, or `broadcast`: to everybody, and kept by nobody."""
    timestamp: int
    """Milliseconds since 1970."""
    id: int
    """To ask for what was before it; 0 of a broadcast."""


class Send(msgspec.Struct):
    """Something to say; `peer` is whom to, the page's own when it is left out."""

    content: str
    peer: str = ""


class ConversationRequest(msgspec.Struct):
    """Messages with `peer`, of those before the one with the id `before`."""

    peer: str = ""
    before: int | None = None


_send = Decoder(Send)
_which = Decoder(ConversationRequest)


def site_audience(caller: Caller) -> str:
    """Whom events are for that go to this caller's pages."""
    return f"site:{caller.id}"


class ChatApi:
    """Chat between callers and one peer."""

    def __init__(self, messages: Messages, events: Events, abroad: RemoteNetwork) -> None:
        self._messages = messages
        self._events = events
        self._abroad = abroad
        self.api = {
            "chat/send": self._answering(self.send),
            "chat/messages": self._answering(self.messages),
            "chat/broadcast": self._answering(self.broadcast),
        }
        self.end: Callable[[], None] = messages.subscribe(self._tell)
        """Ends the events."""

    async def send(self, call: RequestContext, body: bytes) -> bytes | Failure:
        """`POST {peer?, content}`: kept; a command's reply comes as an event, and is kept too."""
        asked = _send.decode(body)
        if self._is_another(call, asked.peer):
            return Failure(ErrorCode.FORBIDDEN, "a page chats with the peer whose site it is, and nobody else")
        reply = await self._messages.say(call.caller, asked.content)
        if reply.failure is not None and not reply.text:
            return reply.failure
        return b'{"status":"sent"}'

    async def messages(self, call: RequestContext, body: bytes) -> bytes | Failure:
        """`POST {peer?, before?}`: what the caller and the peer have said, oldest first; `before`: the id of a message."""
        asked = _which.decode(body)
        if self._is_another(call, asked.peer):
            return Failure(ErrorCode.FORBIDDEN, "a page sees what was said with the peer whose site it is, and nothing else")
        return msgspec.json.encode([shown(kept) for kept in await self._messages.messages(call.caller.id, asked.before)])

    async def broadcast(self, call: RequestContext, body: bytes) -> bytes | Failure:
        """`POST {content}`: to every peer that is here, by the owner; nobody keeps it."""
        asked = _send.decode(body)
        if not call.caller.owner:
            return Failure(ErrorCode.FORBIDDEN, "only the owner speaks to everybody")
        check(asked.content)
        if self._abroad.network is None:
            return Failure(ErrorCode.UNAVAILABLE, "this peer is not on the network yet")
        reached = await self._abroad.network.broadcast(asked.content, int(time.time() * _MILLISECONDS))
        return msgspec.json.encode({"status": "sent", "peers": reached})

    def _is_another(self, call: RequestContext, peer: str) -> bool:
        return peer not in ("", call.origin.peer_id)

    def _answering(
        self, work: Callable[[RequestContext, bytes], Awaitable[bytes | Failure]]
    ) -> Callable[[RequestContext], Awaitable[None]]:
        """`work` with the body read, and every refusal sent."""

        async def answer(call: RequestContext) -> None:
            try:
                result = await work(call, await read_json(call.scope, call.receive, BODY_MAX_BYTES))
            except ChatRefusedError as refusal:
                result = Failure(ErrorCode(refusal.code), str(refusal), retry_after_seconds=refusal.retry_after_seconds)
            except (InvalidJsonError, ChatError) as error:
                result = Failure(ErrorCode.BAD_REQUEST, str(error))
            except StorageError as error:
                result = Failure(ErrorCode.UNAVAILABLE, str(error))
            if isinstance(result, Failure):
                await send_failure(call.send, result, call.headers)
            else:
                await send_json(call.send, result, headers=call.headers)

        return answer

    def _tell(self, said: ChatReply) -> None:
        """To the pages of the caller it was said to."""
        if said.reply:
            self._events.publish(CHAT, shown(said.message), f"site:{said.message.peer}")


def shown(kept: Kept) -> MessageEvent:
    """Return a message as pages see it."""
    return MessageEvent(kept.sender, kept.content, CHAT, kept.timestamp, kept.id)
