"""What was said in one chat room, and who is there: events in, messages to send out. No I/O, no clock.

    at the host     msg of a member → kept, shown, and handed to all others but its sender;  of anybody else → nothing
    at a member     msg of the host → shown, whoever it names;  msg of another member → shown where it names itself
                    history, members of the host → kept

A message comes on many ways where members of another program hand on what they hear: it is known by its sender and id, and shown and handed
on once. Only the host hands on, so what a member says in another's name is dropped: the host brings it, if it is true.
"""

from __future__ import annotations

from collections import Counter, OrderedDict, deque
from dataclasses import dataclass, field
from typing import Final

import msgspec

from goop2.protocols import rooms
from goop2.protocols.rooms import HISTORY_MAX, RoomMember, RoomMessage, RoomPayload
from goop2.protocols.topics import MOMENT_MAX_MS
from goop2.services.groups.limits import ID_MAX_CHARS, LISTED_NAME_MAX_CHARS, NAME_MAX_CHARS
from goop2.services.groups.records import GroupInfo, Outgoing
from goop2.services.rooms.errors import RoomFloodError
from goop2.services.rooms.limits import DESCRIPTION_MAX_CHARS, HISTORY_MAX_BYTES, PER_MEMBER_A_MINUTE, SEEN_MAX

_MINUTE_MS: Final = 60_000


@dataclass(slots=True, kw_only=True)
class Room:
    """A room hosted here or joined."""

    group: GroupInfo
    description: str = ""
    messages: deque[RoomMessage] = field(default_factory=lambda: deque(maxlen=HISTORY_MAX))
    """The last ones, oldest first."""
    names: dict[str, str] = field(default_factory=dict)
    """Member → what the host says it is called."""
    _seen: OrderedDict[tuple[str, str], None] = field(init=False, default_factory=OrderedDict)
    _spent: Counter[str] = field(init=False, default_factory=Counter)
    _minute: int = field(init=False, default=0)

    def take(self, sender: str, own_id: str, payload: RoomPayload, now_ms: int) -> tuple[RoomMessage | None, list[Outgoing]]:
        """Take what a peer said; return the message that is new, if one is, and what to send. Raises `RoomFloodError`."""
        by_host, hosted_here = sender == self.group.host, self.group.host == own_id
        if not by_host and sender not in self.group.members:
            return None, []
        if payload.action == rooms.MESSAGE and payload.message is not None:
            self._charge(sender, now_ms)
            claimed = payload.message.sender
            if not by_host and claimed not in ("", sender):
                return None, []
            told = _bounded(payload.message, sender if not by_host else claimed or sender, now_ms)
            if not self.add(told):
                return None, []
            return told, self.handed_on(told, without=sender) if hosted_here else []
        if by_host and payload.action == rooms.HISTORY:
            for message in payload.messages:
                self.add(_bounded(message, message.sender, now_ms))
        elif by_host and payload.action == rooms.MEMBERS:
            self.names = {one.peer_id: one.name[:NAME_MAX_CHARS] for one in payload.members if len(one.peer_id) <= ID_MAX_CHARS}
            self.description = payload.description[:DESCRIPTION_MAX_CHARS] or self.description
        return None, []

    def add(self, message: RoomMessage) -> bool:
        """Keep a message; return False for one that was here before."""
        place = message.sender, message.id
        if place in self._seen:
            return False
        self._seen[place] = None
        if len(self._seen) > SEEN_MAX:
            self._seen.popitem(last=False)
        self.messages.append(message)
        return True

    def handed_on(self, message: RoomMessage, without: str = "") -> list[Outgoing]:
        """Return what the host sends to all members but one, itself left out."""
        payload = msgspec.json.encode(RoomPayload(action=rooms.MESSAGE, message=message))
        return [self._to(peer, rooms.MESSAGE, payload) for peer in self.group.members if peer not in (without, self.group.host)]

    def sent(self, message: RoomMessage) -> list[Outgoing]:
        """Return what a member sends: the message to its host, which hands it on."""
        return [self._to(self.group.host, rooms.MESSAGE, msgspec.json.encode(RoomPayload(action=rooms.MESSAGE, message=message)))]

    def history(self, peer: str) -> list[Outgoing]:
        """Return what the host sends to a peer that joined: the last messages, as many as fit, when there are any."""
        newest: list[RoomMessage] = []
        size = 0
        for message in reversed(self.messages):
            size += len(msgspec.json.encode(message))
            if size > HISTORY_MAX_BYTES:
                break
            newest.append(message)
        if not newest:
            return []
        return [self._to(peer, rooms.HISTORY, msgspec.json.encode(RoomPayload(action=rooms.HISTORY, messages=newest[::-1])))]

    def listed(self, members: list[RoomMember]) -> list[Outgoing]:
        """Return what the host sends to all when somebody came or went."""
        named = [RoomMember(one.peer_id, one.name[:LISTED_NAME_MAX_CHARS]) for one in members]
        payload = msgspec.json.encode(RoomPayload(action=rooms.MEMBERS, members=named, description=self.description))
        return [self._to(peer, rooms.MEMBERS, payload) for peer in self.group.members if peer != self.group.host]

    def _to(self, peer: str, action: str, payload: bytes) -> Outgoing:
        return Outgoing(peer, rooms.topic(self.group.id, action), payload)

    def _charge(self, sender: str, now_ms: int) -> None:
        minute = now_ms // _MINUTE_MS
        if minute != self._minute:
            self._minute, self._spent = minute, Counter()
        self._spent[sender] += 1
        # The host speaks for everybody.
        most = PER_MEMBER_A_MINUTE * (max(1, len(self.group.members)) if sender == self.group.host else 1)
        if self._spent[sender] > most:
            wait = (_MINUTE_MS - now_ms % _MINUTE_MS) / 1000
            raise RoomFloodError(f"more than {most} messages in the room {self.group.name!r} within a minute: wait", wait)


def _bounded(message: RoomMessage, sender: str, now_ms: int) -> RoomMessage:
    """Return another peer's message as it is kept: with a name and a moment that a page can show."""
    at = message.timestamp if 0 < message.timestamp <= MOMENT_MAX_MS else now_ms
    return msgspec.structs.replace(message, sender=sender[:ID_MAX_CHARS], from_name=message.from_name[:NAME_MAX_CHARS], timestamp=at)
