"""Rooms: chat rooms that this peer hosts or is in, and what is said there.

    GET  /rooms            {up, id, rooms: [{room, host, label, name, description, members: [{id, name}]}]}
    POST /rooms/messages   {room, host} → [{id, from, from_name, text, timestamp}], oldest first
    POST /rooms/do         {action, room?, host?, name?, description?, text?} → as GET; action is one of `_ACTIONS`

Names, descriptions and texts are other people's. What happens is also published as the event `room`: {room, host, what, message?}.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute

from goop2.services.peer import Peer
from goop2.services.rooms.service import RoomService
from goop2.services.rooms.state import Room
from goop2.web.console.controls.replies import action_of, reply, route, sent
from goop2.web.remote.network import RemoteNetwork

MEMBERS_SHOWN: Final = 50
"""Of a room: it may have a thousand, and the page shows them in a line."""


class RoomAction(msgspec.Struct, kw_only=True):
    """What to do with a room; each action takes of the other keys what it needs."""

    action: str
    room: str = ""
    host: str = ""
    name: str = ""
    description: str = ""
    text: str = ""


class RoomMessagesRequest(msgspec.Struct):
    """The request for what was said in a room."""

    room: str
    host: str


@dataclass(frozen=True, slots=True)
class _Rooms:
    """What the actions and the overview work with."""

    own_id: str
    service: RoomService
    remote: RemoteNetwork


def routes(peer: Peer, remote: RemoteNetwork) -> list[BaseRoute]:
    """Return the routes of the rooms page's controls."""
    rooms = _Rooms(peer.identity.peer_id, peer.rooms, remote)

    async def overview(_request: Request) -> Response:
        return reply(_overview(rooms))

    async def messages(request: Request) -> Response:
        wanted = await sent(request, RoomMessagesRequest)
        return reply(list(rooms.service.room(wanted.room, wanted.host).messages))

    async def act(request: Request) -> Response:
        wanted = await sent(request, RoomAction)
        await action_of(_ACTIONS, wanted.action, "rooms")(rooms, wanted)
        return reply(_overview(rooms))

    return [
        route("/rooms", overview),
        route("/rooms/messages", messages, methods=["POST"]),
        route("/rooms/do", act, methods=["POST"]),
    ]


async def _create(rooms: _Rooms, wanted: RoomAction) -> None:
    await rooms.service.create(wanted.name, wanted.description)


async def _close(rooms: _Rooms, wanted: RoomAction) -> None:
    await rooms.service.end(wanted.room)


async def _join(rooms: _Rooms, wanted: RoomAction) -> None:
    await rooms.service.join(wanted.host, wanted.room)


async def _leave(rooms: _Rooms, wanted: RoomAction) -> None:
    await rooms.service.leave(wanted.room, wanted.host)


async def _send(rooms: _Rooms, wanted: RoomAction) -> None:
    rooms.service.send(wanted.room, wanted.text, host=wanted.host)


_ACTIONS: Final[dict[str, Callable[[_Rooms, RoomAction], Awaitable[None]]]] = {
    "create": _create,
    "close": _close,
    "join": _join,
    "leave": _leave,
    "send": _send,
}


def _overview(rooms: _Rooms) -> dict[str, object]:
    return {
        "up": rooms.remote.network is not None,
        "id": rooms.own_id,
        "rooms": [_shown(rooms, room) for room in rooms.service.rooms()],
    }


def _shown(rooms: _Rooms, room: Room) -> dict[str, object]:
    group = room.group
    about = {"room": group.id, "host": group.host, "label": rooms.remote.label(group.host)}
    members = [{"id": one.peer_id, "name": one.name} for one in rooms.service.members(room)[:MEMBERS_SHOWN]]
    return {**about, "name": group.name, "description": room.description, "members": members}
