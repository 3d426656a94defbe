"""The values that the state of groups returns: messages to send, a group as it is, and what has changed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final, Literal, NamedTuple

from goop2.protocols.topics import GroupErrorPayload
from goop2.storage.template_group import VIEWER

FULL: Final = "full"
NOT_FOUND: Final = "not_found"
REMOVED: Final = "removed"

_MOMENT: Final = "%Y-%m-%d %H:%M:%S"

Kind = Literal["hosted", "joined", "members", "meta", "msg", "state", "away", "refused", "ended"]
"""What can happen in a group."""


class Outgoing(NamedTuple):
    """A message to send to a peer."""

    peer: str
    topic: str
    payload: bytes
    """JSON."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupInfo:
    """A group as it is now. Names are untrusted text when another peer hosts it."""

    id: str
    host: str
    """Peer id; the own one for a group hosted here."""
    name: str = ""
    kind: str = ""
    """The app type: `template`, `listen`, or whatever its pages know."""
    max_members: int = 0
    """0: as many as there may be."""
    volatile: bool = False
    members: tuple[str, ...] = ()
    """Peer ids in the order they joined; of those that are here."""
    away: tuple[str, ...] = ()
    """Of a group hosted here: members that are not here now, and have not left."""
    joined: bool = True
    """False while the host has not answered."""
    context: str = ""
    """What the group is for, such as the name of a template."""
    roles: Mapping[str, str] = field(default_factory=dict)
    """Member → its role, as the host says; of a group hosted here, members that are away too."""
    default_role: str = VIEWER
    """Of a group hosted here: what a new member gets."""
    role_names: tuple[str, ...] = ()
    """Of a group hosted here: the roles there may be; () for any."""
    since: str = ""
    """When it was made here, or first joined: `YYYY-MM-DD HH:MM:SS` in UTC; "" when that is not known."""


@dataclass(frozen=True, slots=True)
class GroupChange:
    """A change in a group, as its subscribers get it."""

    what: Kind
    group: GroupInfo
    sender: str = ""
    """Of a msg or state: the peer that handed it to us, a member at the host, and at a member the host. Of the end of another peer's group:
    the host, when it has said so, and "" when it has vanished or we have left.
    """
    payload: bytes = b"null"
    """Of a msg or state: JSON."""
    refused: GroupErrorPayload = field(default_factory=GroupErrorPayload)
    """Why we are not let in, or why it is over as far as the host says: its text."""


def moment(milliseconds: int) -> str:
    """Return a moment, milliseconds since 1970, as data.db has it."""
    return datetime.fromtimestamp(milliseconds / 1000, UTC).strftime(_MOMENT)
