"""Chat rooms for pages, `/api/chat/rooms/…` (existing-sites.md, section 3), and their events.

the own site, opened by the owner    every room, and making and closing its own
a visited site's pages               rooms hosted by that site's peer: join, leave, write and read there
visitors of the own site             nothing: members are peers
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, TypeVar
from urllib.parse import parse_qs

import msgspec

from goop2.protocols import rooms as protocol
from goop2.protocols.rooms import TEXT_MAX_CHARS, RoomMember, RoomMessage
from goop2.scripting.engine import Failure
from goop2.scripting.invocation import ErrorCode
from goop2.services.rooms.service import RoomEvent, RoomService
from goop2.services.rooms.state import Room
from goop2.web.http.event_log import Events
from goop2.web.http.handlers import JsonBody, Work, as_sent, endpoint, posted_json
from goop2.web.http.origins import Realm
from goop2.web.http.request_context import Handler, RequestContext
from goop2.web.limits import ENVELOPE_MAX_BYTES
from goop2.web.remote.sites import audience

T = TypeVar("T")

KIND: Final = "chatroom"
_BODY_MAX_BYTES: Final = 6 * TEXT_MAX_CHARS + ENVELOPE_MAX_BYTES
"""A character is at most six bytes of JSON."""
_OTHER_HOST: Final = Failure(ErrorCode.FORBIDDEN, "a page is in rooms of the peer whose site it is, and of nobody else")


class _CreateRoom(msgspec.Struct):
    name: str
    description: str = ""
    context: str = ""
    max_members: int = 0


class _JoinRoom(msgspec.Struct):
    host_peer_id: str
    group_id: str


class _OneRoom(msgspec.Struct):
    group_id: str
    text: str = ""


class RoomView(msgspec.Struct, frozen=True, kw_only=True):
    """A room as pages see it. Names and description are its host's text."""

    id: str
    name: str
    description: str
    host: str
    members: list[RoomMember]


class RoomStateView(msgspec.Struct, frozen=True):
    """A room and what was said there, oldest first."""

    room: RoomView
    messages: list[RoomMessage]


class RoomEventView(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """An event of a room for pages."""

    group: str
    host: str
    action: str
    message: RoomMessage | None = None
    messages: list[RoomMessage] = []
    members: list[RoomMember] = []


_CREATE: Final = JsonBody(_CreateRoom, '{"name": name}')
_JOIN: Final = JsonBody(_JoinRoom, '{"host_peer_id": peer, "group_id": group}')
_ROOM: Final = JsonBody(_OneRoom, '{"group_id": group}')
_SAY: Final = JsonBody(_OneRoom, '{"group_id": group, "text": text}')


class RoomApi:
    """Endpoints and events of the chat rooms of this peer."""

    def __init__(self, rooms: RoomService, own_id: str, events: Events, owners_pages: str) -> None:
        self._rooms = rooms
        self._own_id = own_id
        self._events = events
        self._owners_pages = owners_pages
        of_members: dict[str, Handler] = {
            "chat/rooms": _endpoint(self._list, as_sent, method="GET"),
            "chat/rooms/join": _endpoint(self._join, _JOIN),
            "chat/rooms/leave": _endpoint(self._leave, _ROOM),
            "chat/rooms/send": _endpoint(self._send, _SAY),
            "chat/rooms/state": _endpoint(self._state, as_sent, method="GET"),
        }
        self.api: dict[str, Handler] = {
            **of_members,
            "chat/rooms/create": _endpoint(self._create, _CREATE),
            "chat/rooms/close": _endpoint(self._close, _ROOM),
        }
        """Path after `/api/` on the own site's origins → what answers."""
        self.api_of_visits = of_members
        """The same on the origin of another peer's site."""
        self._unsubscribe = rooms.subscribe(self._publish)

    def unsubscribe(self) -> None:
        """Unsubscribe from what happens in rooms."""
        self._unsubscribe()

    def shown(self, room: Room) -> RoomView:
        """Return a room as pages see it."""
        group = room.group
        return RoomView(id=group.id, name=group.name, description=room.description, host=group.host, members=self._rooms.members(room))

    # Also called by pages of visited sites.

    async def _list(self, call: RequestContext, _body: bytes) -> bytes:
        host = _only_host(call)
        return msgspec.json.encode([self.shown(room) for room in self._rooms.rooms() if host in ("", room.group.host)])

    async def _join(self, call: RequestContext, request: _JoinRoom) -> bytes | Failure:
        if _only_host(call) not in ("", request.host_peer_id):
            return _OTHER_HOST
        await self._rooms.join(request.host_peer_id, request.group_id)
        return _status("joined")

    async def _leave(self, call: RequestContext, request: _OneRoom) -> bytes:
        await self._rooms.leave(request.group_id, _only_host(call))
        return _status("left")

    async def _send(self, call: RequestContext, request: _OneRoom) -> bytes:
        message = self._rooms.send(request.group_id, request.text, host=_only_host(call))
        return msgspec.json.encode({"status": "sent", "id": message.id})

    async def _state(self, call: RequestContext, _body: bytes) -> bytes:
        group = parse_qs(call.scope["query_string"].decode("latin-1")).get("group_id", [""])[0]
        room = self._rooms.room(group, _only_host(call))
        return msgspec.json.encode(RoomStateView(self.shown(room), list(room.messages)))

    # For the owner alone: web/api/endpoints.py keeps everybody else out.

    async def _create(self, _call: RequestContext, request: _CreateRoom) -> bytes:
        room = await self._rooms.create(request.name, request.description, request.max_members, request.context)
        return msgspec.json.encode(self.shown(room))

    async def _close(self, _call: RequestContext, request: _OneRoom) -> bytes:
        await self._rooms.end(request.group_id)
        return _status("closed")

    # Events.

    def _publish(self, event: RoomEvent) -> None:
        room = event.room
        view = RoomEventView(
            group=room.group.id,
            host=room.group.host,
            action=event.what,
            message=event.message,
            messages=list(room.messages) if event.what == protocol.HISTORY else [],
            members=self._rooms.members(room) if event.what == protocol.MEMBERS else [],
        )
        self._events.publish(KIND, view, self._owners_pages)
        if room.group.host != self._own_id:
            self._events.publish(KIND, view, audience(room.group.host))


def _endpoint(work: Work[T], decode: Callable[[bytes], T], method: str = "POST") -> Handler:
    return endpoint(work, decode, read=posted_json(_BODY_MAX_BYTES), method=method, check=_refusal)


def _refusal(call: RequestContext) -> Failure | None:
    """Return why the caller gets nothing of rooms, or None."""
    if call.origin.realm in (Realm.VISITED_SITE, Realm.OWN_SITE):
        return None
    return Failure(ErrorCode.FORBIDDEN, "rooms are for peers: a visitor is in none")


def _only_host(call: RequestContext) -> str:
    """Return the one host whose rooms this page may touch; "" for the owner's own pages: any."""
    return call.origin.peer_id if call.origin.realm is Realm.VISITED_SITE else ""


def _status(status: str) -> bytes:
    return msgspec.json.encode({"status": status})
