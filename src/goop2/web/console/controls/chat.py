"""Chat: the owner's direct messages, with this peer and with others.

    GET  /chat             {id, conversations: [{peer, label, here, messages, last}], commands: [{name, description}]}
    POST /chat/messages    {peer, before?} → [{id, from, content, timestamp, state}], oldest first
    POST /chat/send        {peer, content} → {state}; to the own peer it is said here, and a command is answered
    POST /chat/forget      {peer}, or {strangers: true} for all the owner has never written to → {messages}, how many are deleted

What is said is told as the event `message`: {peer, id, from, content, timestamp, state}.
"""

from __future__ import annotations

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute

from goop2.storage.messages import StoredMessage
from goop2.web.app import Parts
from goop2.web.console.controls.replies import BadRequestError, reply, route, sent
from goop2.web.console.events import MessageShown, message_shown


class Wanted(msgspec.Struct):
    """Messages with a peer, of those before the one with the id `before`."""

    peer: str
    before: int | None = None


class SendRequest(msgspec.Struct):
    """The request to send a direct message to a peer."""

    peer: str
    content: str


class Forgotten(msgspec.Struct):
    """Whose conversation is deleted; `strangers`: every one in which the owner has written nothing."""

    peer: str = ""
    strangers: bool = False


def routes(parts: Parts) -> list[BaseRoute]:
    """Return the routes of the chat page's controls."""

    async def overview(_request: Request) -> Response:
        found = await parts.chat.conversations()
        conversations = [_conversation(parts, peer, number, last) for peer, number, last in found]
        commands = [{"name": name, "description": description} for name, description in parts.catalog.commands()]
        return reply({"id": parts.peer_id, "conversations": conversations, "commands": commands})

    async def messages(request: Request) -> Response:
        wanted = await sent(request, Wanted)
        found = await parts.chat.messages(wanted.peer, wanted.before)
        parts.chat.shown(found)
        return reply([message_shown(message) for message in found])

    async def send(request: Request) -> Response:
        said = await sent(request, SendRequest)
        if said.peer == parts.peer_id:
            await parts.chat.say(parts.owner, said.content)
            return reply({"state": ""})
        return reply({"state": (await parts.chat.send(said.peer, said.content)).state})

    async def forget(request: Request) -> Response:
        forgotten = await sent(request, Forgotten)
        if not forgotten.peer and not forgotten.strangers:
            raise BadRequestError("name the peer whose conversation is to be deleted")
        number = await (parts.chat.forget_strangers() if forgotten.strangers else parts.chat.forget(forgotten.peer))
        return reply({"messages": number})

    return [
        route("/chat", overview),
        route("/chat/messages", messages, methods=["POST"]),
        route("/chat/send", send, methods=["POST"]),
        route("/chat/forget", forget, methods=["POST"]),
    ]


def _conversation(parts: Parts, peer: str, number: int, last: StoredMessage) -> dict[str, object]:
    known = parts.abroad.network.roster.get(peer) if parts.abroad.network is not None else None
    label = parts.owner.label if peer == parts.peer_id else parts.abroad.label(peer)
    shown: MessageShown = message_shown(last)
    return {"peer": peer, "label": label, "here": known is not None or peer == parts.peer_id, "messages": number, "last": shown}
