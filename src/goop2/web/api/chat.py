"""Chat from a page: with the peer whose site it is, and with nobody else, since a page may be a stranger's code.

services/chat stores messages and has commands answered; here these are requests and events. A page gets the events of its own caller.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

import msgspec

from goop2.scripting.engine import Failure
from goop2.scripting.invocation import Caller, ErrorCode
from goop2.services.chat.service import ChatReply, check
from goop2.services.chat.service import ChatService as Messages
from goop2.storage.messages import StoredMessage
from goop2.web.http.event_log import Events
from goop2.web.http.handlers import JsonBody, any_json, endpoint
from goop2.web.http.request_context import Handler, RequestContext
from goop2.web.remote.network import RemoteNetwork

CHAT: Final = "chat"
SENT: Final = b'{"status":"sent"}'
_MILLISECONDS: Final = 1000


class MessageEvent(msgspec.Struct, frozen=True, rename={"sender": "from"}):
    """A chat message, as `Goop.chat.subscribe` hands it to pages."""

    sender: str
    content: str
    type: str
    """`chat`, or `broadcast`: sent to everybody and not stored."""
    timestamp: int
    """Milliseconds since 1970."""
    id: int
    """To ask for what was before it; 0 of a broadcast."""


class ChatRequest(msgspec.Struct):
    """A message to send; `peer` is the receiver, the page's own peer when it is left out."""

    content: str
    peer: str = ""


class ConversationRequest(msgspec.Struct):
    """The request for messages with `peer`, of those before the one with the id `before`."""

    peer: str = ""
    before: int | None = None


SEND: Final = JsonBody(ChatRequest)
CONVERSATION: Final = JsonBody(ConversationRequest)


def refusal_to_send(call: RequestContext, request: ChatRequest) -> Failure | None:
    """Return why a page may not write to the peer it names, or None."""
    if request.peer in ("", call.origin.peer_id):
        return None
    return Failure(ErrorCode.FORBIDDEN, "a page chats with the peer whose site it is, and nobody else")


def refusal_to_read(call: RequestContext, request: ConversationRequest) -> Failure | None:
    """Return why a page may not see the conversation it asks for, or None."""
    if request.peer in ("", call.origin.peer_id):
        return None
    return Failure(ErrorCode.FORBIDDEN, "a page sees what was said with the peer whose site it is, and nothing else")


def site_audience(caller: Caller) -> str:
    """Return the audience of the events for this caller's pages."""
    return f"site:{caller.id}"


class ChatApi:
    """Endpoints and events of the chat between callers and one peer."""

    def __init__(self, messages: Messages, events: Events, remote: RemoteNetwork) -> None:
        self._messages = messages
        self._events = events
        self._remote = remote
        self.api: dict[str, Handler] = {
            "chat/send": endpoint(self.send, SEND, read=any_json()),
            "chat/messages": endpoint(self.messages, CONVERSATION, read=any_json()),
            "chat/broadcast": endpoint(self.broadcast, SEND, read=any_json()),
        }
        """Path after `/api/` → handler."""
        self.unsubscribe: Callable[[], None] = messages.subscribe(self._publish)

    async def send(self, call: RequestContext, request: ChatRequest) -> bytes | Failure:
        """`POST {peer?, content}`: store a message. The reply to a command is stored too, and comes as an event."""
        if (refusal := refusal_to_send(call, request)) is not None:
            return refusal
        # Scripts may answer with an error text: that is a reply too, and comes as an event.
        reply = await self._messages.say(call.caller, request.content)
        if reply.failure is not None and not reply.text:
            return reply.failure
        return SENT

    async def messages(self, call: RequestContext, request: ConversationRequest) -> bytes | Failure:
        """`POST {peer?, before?}`: return what the caller and the peer have written, oldest first; `before` is the id of a message."""
        if (refusal := refusal_to_read(call, request)) is not None:
            return refusal
        return msgspec.json.encode([shown(message) for message in await self._messages.messages(call.caller.id, request.before)])

    async def broadcast(self, call: RequestContext, request: ChatRequest) -> bytes | Failure:
        """`POST {content}`: send a message of the owner to every peer that is here. It is not stored."""
        if not call.caller.owner:
            return Failure(ErrorCode.FORBIDDEN, "only the owner can send broadcasts")
        check(request.content)
        if self._remote.network is None:
            return Failure(ErrorCode.UNAVAILABLE, "this peer is not on the network yet")
        reached = await self._remote.network.broadcast(request.content, int(time.time() * _MILLISECONDS))
        return msgspec.json.encode({"status": "sent", "peers": reached})

    def _publish(self, change: ChatReply) -> None:
        """Publish a reply to the pages of the caller it is for."""
        # What the caller wrote is known to the page that sent it.
        if change.reply:
            self._events.publish(CHAT, shown(change.message), f"site:{change.message.peer}")


def shown(message: StoredMessage) -> MessageEvent:
    """Return a message as pages see it."""
    return MessageEvent(message.sender, message.content, CHAT, message.timestamp, message.id)
