"""The values that the state of groups returns: messages to send, a group as it is, and what has changed."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final, Literal, NamedTuple

from goop2.protocols.topics import GroupErrorPayload

TEMPLATE: Final = "template"
"""The app type whose members the policy `group` means."""
FULL: Final = "full"
NOT_FOUND: Final = "not_found"
REMOVED: Final = "removed"

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


@dataclass(frozen=True, slots=True)
class GroupChange:
    """A change in a group, as its subscribers get it."""

    what: Kind
    group: GroupInfo
    sender: str = ""
    """Of a msg or state: the peer that handed it to us, a member at the host, and at a member the host."""
    payload: bytes = b"null"
    """Of a msg or state: JSON."""
    refused: GroupErrorPayload = field(default_factory=GroupErrorPayload)
    """Why we are not let in, or why it is over as far as the host says: its text."""
