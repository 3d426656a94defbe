"""Chat from a page: with the peer whose site it is, and nobody else (a page may be a stranger's code).

What is kept, and who answers, is the chat part's; here it becomes requests and events. A page hears what the peer says to its caller.
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
from goop2.storage.messages import StoredMessage as Kept
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


SEND: Final = JsonBody(Send)
CONVERSATION: Final = JsonBody(ConversationRequest)


def refusal_to_send(call: RequestContext, request: Send) -> Failure | None:
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
    """Whom events are for that go to this caller's pages."""
    return f"site:{caller.id}"


class ChatApi:
    """Chat between callers and one peer."""

    def __init__(self, messages: Messages, events: Events, abroad: RemoteNetwork) -> None:
        self._messages = messages
        self._events = events
        self._abroad = abroad
        self.api: dict[str, Handler] = {
            "chat/send": endpoint(self.send, SEND, read=any_json()),
            "chat/messages": endpoint(self.messages, CONVERSATION, read=any_json()),
            "chat/broadcast": endpoint(self.broadcast, SEND, read=any_json()),
        }
        """Path after `/api/` → handler."""
        self.end: Callable[[], None] = messages.subscribe(self._tell)
        """Ends the events."""

    async def send(self, call: RequestContext, request: Send) -> bytes | Failure:
        """`POST {peer?, content}`: kept; a command's reply comes as an event, and is kept too."""
        if (refusal := refusal_to_send(call, request)) is not None:
            return refusal
        reply = await self._messages.say(call.caller, request.content)
        if reply.failure is not None and not reply.text:
            return reply.failure
        return SENT

    async def messages(self, call: RequestContext, request: ConversationRequest) -> bytes | Failure:
        """`POST {peer?, before?}`: what the caller and the peer have said, oldest first; `before`: the id of a message."""
        if (refusal := refusal_to_read(call, request)) is not None:
            return refusal
        return msgspec.json.encode([shown(kept) for kept in await self._messages.messages(call.caller.id, request.before)])

    async def broadcast(self, call: RequestContext, request: Send) -> bytes | Failure:
        """`POST {content}`: to every peer that is here, by the owner; nobody keeps it."""
        if not call.caller.owner:
            return Failure(ErrorCode.FORBIDDEN, "only the owner speaks to everybody")
        check(request.content)
        if self._abroad.network is None:
            return Failure(ErrorCode.UNAVAILABLE, "this peer is not on the network yet")
        reached = await self._abroad.network.broadcast(request.content, int(time.time() * _MILLISECONDS))
        return msgspec.json.encode({"status": "sent", "peers": reached})

    def _tell(self, said: ChatReply) -> None:
        """To the pages of the caller it was said to."""
        if said.reply:
            self._events.publish(CHAT, shown(said.message), f"site:{said.message.peer}")


def shown(kept: Kept) -> MessageEvent:
    """Return a message as pages see it."""
    return MessageEvent(kept.sender, kept.content, CHAT, kept.timestamp, kept.id)
