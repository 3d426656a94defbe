"""goop.chat in the peer: rooms that scripts open, end and speak in. Whom a script lets do so is for the script to say."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from functools import wraps

from goop2.net.faults import NetworkError
from goop2.protocols.rooms import RoomMember, RoomMessage
from goop2.sandbox.answers import Answer, err, json, ok
from goop2.sandbox.messages import Scalar
from goop2.scripting.invocation import Invocation, PeerOperation
from goop2.services.rooms.service import RoomService
from goop2.services.rooms.state import Room
from goop2.storage.errors import StorageError
from goop2.storage.values import shown, whole_number


def _saying(work: Callable[..., Awaitable[Answer]]) -> PeerOperation:
    """Return an operation that answers its failures."""

    @wraps(work)
    async def operation(invocation: Invocation, *arguments: Scalar) -> Answer:
        try:
            return await work(invocation, *(_text(one) if isinstance(one, bytes) else one for one in arguments))
        except (NetworkError, StorageError) as error:
            return err(str(error))

    return operation


class RoomOperations:
    """The operations of goop.chat over the rooms of one peer."""

    def __init__(self, rooms: RoomService) -> None:
        self._rooms = rooms

    @property
    def by_name(self) -> Mapping[str, PeerOperation]:
        """Name in the goop table → operation."""
        return {
            "chat.create": _saying(self.create),
            "chat.close": _saying(self.close),
            "chat.send": _saying(self.send),
            "chat.state": _saying(self.state),
            "chat.rooms": self.rooms,
        }

    async def create(self, _invocation: Invocation, name: str, description: str, most: Scalar, context: str) -> Answer:
        """Do goop.chat.create(name [, description [, max [, context]]])."""
        number = whole_number(most)
        if number is None:
            return err(f"max is a whole number from 0, not {shown(most)}")
        room = await self._rooms.create(name, description, number, context)
        return json({"id": room.group.id, "name": room.group.name, "description": room.description})

    async def close(self, _invocation: Invocation, room: str) -> Answer:
        """Do goop.chat.close(id): end a room that is hosted here, with what was said in it."""
        await self._rooms.end(room)
        return ok()

    async def send(self, invocation: Invocation, room: str, text: str) -> Answer:
        """Do goop.chat.send(id, text)."""
        self._rooms.send(room, text, invocation.caller.id, invocation.caller.label)
        return ok()

    async def state(self, _invocation: Invocation, room: str) -> Answer:
        """Do goop.chat.state(id): `{id, name, description, members, messages}`, the oldest message first."""
        found = self._rooms.room(room)
        return json({**self._shown(found), "messages": list[RoomMessage](found.messages)})

    async def rooms(self, _invocation: Invocation) -> Answer:
        """Do goop.chat.rooms(): the rooms hosted here or joined, without their messages."""
        return json([self._shown(room) for room in self._rooms.rooms()])

    def _shown(self, room: Room) -> dict[str, str | list[RoomMember]]:
        return {"id": room.group.id, "name": room.group.name, "description": room.description, "members": self._rooms.members(room)}


def _text(value: bytes) -> str:
    return value.decode("utf-8", "replace")
