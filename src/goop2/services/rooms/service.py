"""The chat rooms of a peer while it runs. A room is a group of type `chat`: who is in it, comes in and goes is the group's affair.

Rooms that are made here, and what is said in any, do not outlive the process. Knows neither pages nor libp2p.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import structlog

from goop2.protocols import rooms
from goop2.protocols.rooms import TEXT_MAX_CHARS, RoomMember, RoomMessage, RoomPayload
from goop2.scripting.subscribers import Subscribers
from goop2.services.groups.records import GroupChange, GroupInfo
from goop2.services.groups.service import GroupService
from goop2.services.rooms.errors import InvalidRoomMessageError, UnknownRoomError
from goop2.services.rooms.limits import DESCRIPTION_MAX_CHARS, REPEATS_MAX
from goop2.services.rooms.state import Room

_SHOWN_CHARS: Final = 64
_SENDER_CHARS: Final = 8
"""Of the peer id, in a message's id."""


@dataclass(frozen=True, slots=True)
class RoomEvent:
    """Something happened in a room: `msg` with the message, `members`, or `closed`."""

    what: str
    room: Room
    message: RoomMessage | None = None


class RoomService:
    """The rooms that this peer hosts or is in."""

    def __init__(self, grouping: GroupService, now_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000) -> None:
        self._grouping = grouping
        self._groups = grouping.groups
        self._now_ms = now_ms
        self._rooms: dict[tuple[str, str], Room] = {}
        """By host and group."""
        self._last_id_ms = 0
        self._repeats: OrderedDict[str, None] = OrderedDict()
        """Ids of messages whose repeat was logged."""
        self._subscribers: Subscribers[RoomEvent] = Subscribers()
        self._log: structlog.typing.FilteringBoundLogger = structlog.get_logger("goop2.rooms")
        self._unsubscribe = self._groups.subscribe(self._group_changed)
        for group in (*self._groups.hosted(), *self._groups.joined()):
            self._room_of(group)

    def close(self) -> None:
        """Follow the groups no more; rooms are not kept, so what was said is gone."""
        self._unsubscribe()

    def subscribe(self, callback: Callable[[RoomEvent], None]) -> Callable[[], None]:
        """Call `callback` with what happens from now on; return the function that unsubscribes."""
        return self._subscribers.add(callback)

    def rooms(self) -> tuple[Room, ...]:
        """Return the rooms that this peer hosts or is in now."""
        return tuple(room for room in self._rooms.values() if room.group.joined)

    def room(self, group: str, host: str = "") -> Room:
        """Return a room; `host` tells which where two have one id. Raises `UnknownRoomError`."""
        for room in self._rooms.values():
            if room.group.id == group and host in ("", room.group.host):
                return room
        raise UnknownRoomError(f"room not found: {group[:_SHOWN_CHARS]}")

    def members(self, room: Room) -> list[RoomMember]:
        """Return who is in a room. Names are what the host, or the peer itself, says."""
        return [RoomMember(peer, room.names.get(peer) or self._groups.label(peer)) for peer in room.group.members]

    async def create(self, name: str, description: str = "", max_members: int = 0, context: str = "") -> Room:
        """Open a room here, with this peer in it. Raises `NetworkError` and `StorageError`."""
        if len(description) > DESCRIPTION_MAX_CHARS:
            raise InvalidRoomMessageError(f"a description has {len(description)} characters; the most is {DESCRIPTION_MAX_CHARS}")
        group = await self._grouping.create(name, rooms.APP_TYPE, max_members, volatile=True, take_part=True, context=context)
        room = self._room_of(group)
        assert room is not None, "a group of this type is a room"
        room.description = description
        return room

    async def end(self, group: str) -> None:
        """End a room hosted here. Raises `UnknownRoomError` and `StorageError`."""
        room = self.room(group, self._groups.own_id)
        await self._grouping.end(room.group.id)

    async def join(self, host: str, group: str) -> Room:
        """Ask the host of a room to be let in; return the room. Raises `NetworkError`."""
        if host == self._groups.own_id:
            own = self.room(group, host)
            await self._grouping.enter(group)
            return own
        joined = await self._grouping.join(host, group)
        # The type of a group is known only from its host's welcome, so only now.
        if (host, group) not in self._rooms:
            self._grouping.leave(host, group)
            raise UnknownRoomError(f"the group {joined.name!r} is no chat room: its type is {joined.kind!r}")
        return self._rooms[host, group]

    async def leave(self, group: str, host: str = "") -> None:
        """Leave a room; one that is hosted here goes on without this peer. Raises `NetworkError`."""
        room = self.room(group, host)
        if room.group.host == self._groups.own_id:
            await self._grouping.step_out(group)
        else:
            self._grouping.leave(room.group.host, group)

    def send(self, group: str, text: str, sender: str = "", name: str = "", host: str = "") -> RoomMessage:
        """Say something in a room; return the message.

        `sender`: who says it, this peer without one; another one only where the room is hosted here. Raises `NetworkError`.
        """
        if not len(text.strip()) > 0 or len(text) > TEXT_MAX_CHARS:
            raise InvalidRoomMessageError(f"a message has {len(text)} characters; allowed are 1 to {TEXT_MAX_CHARS}, not only blanks")
        own = self._groups.own_id
        room = self.room(group, own if sender not in ("", own) else host)
        sender = sender or own
        message = RoomMessage(self._new_id(sender), sender, name or self._groups.label(sender), text, self._now_ms())
        room.add(message)
        self._grouping.post(room.handed_on(message) if room.group.host == own else room.sent(message))
        self._subscribers.notify(RoomEvent(rooms.MESSAGE, room, message))
        return message

    def received(self, sender: str, group: str, payload: RoomPayload, wire_id: str = "") -> None:
        """Take what a peer says under a room's topic; the connection has proved `sender`. Raises `RoomFloodError`.

        `wire_id`: the id of the message that carried it; a repeat has another one.
        """
        # From its host, or from one of its members: the topic of a room does not say whose room it is.
        room = self._rooms.get((sender, group)) or next(
            (room for (_, id_), room in self._rooms.items() if id_ == group and sender in room.group.members), None
        )
        if room is None or not room.group.joined:
            return
        message, outgoing = room.take(sender, self._groups.own_id, payload, self._now_ms())
        self._grouping.post(outgoing)
        if message is not None:
            self._subscribers.notify(RoomEvent(rooms.MESSAGE, room, message))
        elif payload.message is not None and payload.action == rooms.MESSAGE:
            self._tell_repeat(sender, payload.message.id, wire_id)
        else:
            self._subscribers.notify(RoomEvent(payload.action, room))

    def _tell_repeat(self, sender: str, message_id: str, wire_id: str) -> None:
        """Log that a message is dropped, once: other programs hand messages on in a circle, and who gives two one id can find out."""
        if message_id in self._repeats:
            return
        self._repeats[message_id] = None
        if len(self._repeats) > REPEATS_MAX:
            self._repeats.popitem(last=False)
        self._log.info("a repeated message of a room is dropped", peer=sender, id=repr(message_id), carried_by=repr(wire_id))

    def _new_id(self, sender: str) -> str:
        # Two messages of one millisecond, or of a clock that was put back, must not have one id: repeats are dropped by it.
        self._last_id_ms = max(self._now_ms(), self._last_id_ms + 1)
        return f"{self._last_id_ms}-{sender[:_SENDER_CHARS]}"

    def _room_of(self, group: GroupInfo) -> Room | None:
        """Return the room of a group as it is now; None when it is none."""
        if group.kind != rooms.APP_TYPE:
            return None
        room = self._rooms.setdefault((group.host, group.id), Room(group=group))
        room.group = group
        return room

    def _group_changed(self, change: GroupChange) -> None:
        place = change.group.host, change.group.id
        before = self._rooms[place].group.members if place in self._rooms else ()
        if change.what in ("ended", "refused"):
            room = self._rooms.pop(place, None)
            if room is not None:
                self._subscribers.notify(RoomEvent("closed", room))
            return
        room = self._room_of(change.group)
        if room is None or change.what not in ("members", "joined", "away", "meta"):
            return
        if change.group.host == self._groups.own_id:
            # After the welcome, which the group sends when this returns.
            listed = room.listed(self.members(room))
            newcomers = [peer for peer in change.group.members if peer not in (*before, self._groups.own_id)]
            self._grouping.post_later([*(sent for peer in newcomers for sent in room.history(peer)), *listed])
        self._subscribers.notify(RoomEvent(rooms.MEMBERS, room))
