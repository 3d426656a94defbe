"""Chat: the owner's direct messages, with this peer and with others.

    GET  /chat             {id, conversations: [{peer, label, avatar, here, messages, last}],
                            commands: [{name, description}]}; avatar: the hash of its picture, "" when it has none
    POST /chat/messages    {peer, before?} → [{id, from, content, timestamp, state}], oldest first
    POST /chat/send        {peer, content} → {state}; to the own peer it is said here, and a command is answered
    POST /chat/forget      {peer}, or {strangers: true} for all the owner has never written to → {messages}, how many are deleted

Every new message is also published as the event `message`: {peer, id, from, content, timestamp, state}.
"""

from __future__ import annotations

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute

from goop2.services.peer import Peer
from goop2.storage.messages import StoredMessage
from goop2.web.console.controls.replies import BadRequestError, reply, route, sent
from goop2.web.console.events import message_shown
from goop2.web.remote.network import RemoteNetwork


class MessagesRequest(msgspec.Struct):
    """The request for messages with `peer`, of those before the one with the id `before`."""

    peer: str
    before: int | None = None


class SendRequest(msgspec.Struct):
    """The request to send a direct message to a peer."""

    peer: str
    content: str


class ForgetRequest(msgspec.Struct):
    """The request to delete the conversation with `peer`; `strangers`: every one in which the owner has written nothing."""

    peer: str = ""
    strangers: bool = False


def routes(peer: Peer, remote: RemoteNetwork) -> list[BaseRoute]:
    """Return the routes of the chat page's controls."""
    own_id = peer.identity.peer_id

    async def overview(_request: Request) -> Response:
        conversations = [_conversation(peer, remote, other, number, last) for other, number, last in await peer.chat.conversations()]
        commands = [{"name": name, "description": description} for name, description in peer.catalog.commands()]
        return reply({"id": own_id, "conversations": conversations, "commands": commands})

    async def messages(request: Request) -> Response:
        conversation = await sent(request, MessagesRequest)
        page = await peer.chat.messages(conversation.peer, conversation.before)
        peer.chat.shown(page)
        return reply([message_shown(message) for message in page])

    async def send(request: Request) -> Response:
        message = await sent(request, SendRequest)
        if message.peer == own_id:
            await peer.chat.say(peer.owner, message.content)
            return reply({"state": ""})
        return reply({"state": (await peer.chat.send(message.peer, message.content)).state})

    async def forget(request: Request) -> Response:
        conversation = await sent(request, ForgetRequest)
        # An empty `peer` would name the conversation of nobody, and delete nothing without a word.
        if not conversation.peer and not conversation.strangers:
            raise BadRequestError("name the peer whose conversation is to be deleted")
        number = await (peer.chat.forget_strangers() if conversation.strangers else peer.chat.forget(conversation.peer))
        return reply({"messages": number})

    return [
        route("/chat", overview),
        route("/chat/messages", messages, methods=["POST"]),
        route("/chat/send", send, methods=["POST"]),
        route("/chat/forget", forget, methods=["POST"]),
    ]


def _conversation(peer: Peer, remote: RemoteNetwork, other: str, number: int, last: StoredMessage) -> dict[str, object]:
    own = other == peer.identity.peer_id
    entry = remote.network.roster.get(other) if remote.network is not None else None
    label = peer.owner.label if own else remote.label(other)
    avatar = peer.avatars.own_hash if own else peer.avatars.hash_of(other)
    return {
        "peer": other,
        "label": label,
        "avatar": avatar,
        "here": entry is not None or own,
        "messages": number,
        "last": message_shown(last),
    }
