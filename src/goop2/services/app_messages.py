"""Messages between pages, under topics of their own (`realtime:…`, `chat.room:…`); this peer passes them on and stores none."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from goop2.protocols import topics

NARROW: Final = ("realtime:", "chat.room:")
"""What the topics begin with that a page of another peer's site may hear and send."""
_OURS: Final = frozenset((topics.CHAT, topics.BROADCAST, topics.ACK, topics.IDENTITY, topics.IDENTITY_RESPONSE, topics.INVITE))


@dataclass(frozen=True, slots=True)
class AppMessage:
    """A message of another peer's page, or its word that it has shown one of ours."""

    sender: str
    id: str
    """Of the message; of `topics.ACK` that of ours."""
    topic: str
    payload: bytes
    """JSON text."""


def is_of_this_program(topic: str) -> bool:
    """Return whether a topic is the program's own, under which no page may send: the other side would take it for the peer's word."""
    return topic in _OURS or topic.startswith(f"{topics.GROUP_PREFIX}:")
