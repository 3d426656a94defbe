"""Chat rooms: groups of type `chat`, whose messages go under mq topics of their own (existing-sites.md, section 3).

    chat.room:<group id>:msg        {"action": "msg", "message": {"id", "from", "from_name", "text", "timestamp"}}
    chat.room:<group id>:history    {"action": "history", "messages": […]}                  by the host, to who joined
    chat.room:<group id>:members    {"action": "members", "members": [{"peer_id", "name"}], "description"?}   by the host

Ids a payload claims are data, not proof. `description` is ours: others leave it out and do not read it.
"""

from __future__ import annotations

from typing import Final

import msgspec

from goop2.protocols import tolerant_json
from goop2.protocols.errors import RemoteProtocolError
from goop2.protocols.topics import MEMBERS_MAX
from goop2.protocols.untrusted_json import InvalidJsonError

APP_TYPE: Final = "chat"
"""The type of the groups that are rooms."""
PREFIX: Final = "chat.room:"
MESSAGE, HISTORY, MEMBERS = "msg", "history", "members"
ACTIONS: Final = (MESSAGE, HISTORY, MEMBERS)
TEXT_MAX_CHARS: Final = 8000
"""A long message; a page shows it in a column."""
HISTORY_MAX: Final = 100
"""Messages that a room remembers."""
_ID_MAX_CHARS: Final = 128
_SHOWN_CHARS: Final = 80


class RoomMessage(msgspec.Struct, frozen=True, rename={"sender": "from"}):
    """A message in a room. Names and text are other people's."""

    id: str
    sender: str = ""
    """Peer id: the host's word, or proved where it came from its sender."""
    from_name: str = ""
    text: str = ""
    timestamp: int = 0
    """Milliseconds since 1970."""


class RoomMember(msgspec.Struct, frozen=True):
    """Somebody who is in a room; `name` is what the room's host calls that peer."""

    peer_id: str
    name: str = ""


class RoomPayload(msgspec.Struct, frozen=True, omit_defaults=True):
    """What comes under a topic of a room, by its action."""

    action: str = ""
    message: RoomMessage | None = None
    messages: list[RoomMessage] = []
    members: list[RoomMember] = []
    description: str = ""


def topic(group: str, action: str) -> str:
    """Return the topic of an action in a room."""
    return f"{PREFIX}{group}:{action}"


def read(topic_: str, payload: bytes) -> tuple[str, RoomPayload] | None:
    """Return the room's group and what was said there; None for a topic of another kind. Raises `RemoteProtocolError`."""
    group, _, action = topic_.removeprefix(PREFIX).rpartition(":")
    if not topic_.startswith(PREFIX) or not group or action not in ACTIONS:
        return None
    shown = topic_[:_SHOWN_CHARS]
    try:
        said = tolerant_json.decode(payload, RoomPayload)
    except InvalidJsonError as error:
        raise RemoteProtocolError(f"the payload of the {shown} message is none: {error}") from None
    if action == MESSAGE and said.message is None:
        raise RemoteProtocolError(f"the {shown} message has no message")
    if len(said.messages) > HISTORY_MAX or len(said.members) > MEMBERS_MAX:
        raise RemoteProtocolError(f"the {shown} message holds more than {HISTORY_MAX} messages or {MEMBERS_MAX} members")
    for one in (*said.messages, *filter(None, (said.message,))):
        if not 0 < len(one.id) <= _ID_MAX_CHARS:
            raise RemoteProtocolError(f"the {shown} message has an id of {len(one.id)} characters; allowed are 1 to {_ID_MAX_CHARS}")
        if len(one.text) > TEXT_MAX_CHARS:
            raise RemoteProtocolError(f"the {shown} message has a text of {len(one.text)} characters; the most is {TEXT_MAX_CHARS}")
    return group, msgspec.structs.replace(said, action=action)
