"""Decide which messages are read, checked and forwarded. Pure: the clock is passed in.

Cheap checks come before expensive ones, in this order: the size; the neighbour's rate; whether the message can be read, is of our topic and
by an author whose id holds its key; whether it was seen; the rate of all neighbours; the signature; the author's rate; and what the
application says. Only a message with a valid signature is remembered, so that a forged copy cannot hide the real one.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import structlog

from goop2.net.admission import TokenBucket
from goop2.net.gossip.caches import SeenCache
from goop2.net.gossip.messages import GossipMessage, read_message
from goop2.net.limits import (
    AUTHOR_MESSAGES_PER_MINUTE,
    GOSSIP_FLOOD_TOLD_SECONDS,
    GOSSIP_FORGERY_COSTS_MESSAGES,
    GOSSIP_MESSAGE_MAX_BYTES,
    GOSSIP_MESSAGES_PER_MINUTE,
    GOSSIP_SEEN_MAX,
    GOSSIP_SEEN_SECONDS,
    NEIGHBOUR_MESSAGES_PER_MINUTE,
)

_ENVELOPE_MAX_BYTES: Final = 512
"""Of a message, beside its data: author, number, topic, signature and key."""

_log: structlog.typing.FilteringBoundLogger = structlog.get_logger("goop2.net")

Heard = Callable[[str, bytes], bool]
"""heard(author, payload) → whether it is worth handing on. The author is proved by a signature."""


class Intake:
    """Checks the messages of all neighbours, within the rate limits."""

    def __init__(self, topic: str, author: bytes, heard: Heard, clock: Callable[[], float]) -> None:
        self.seen = SeenCache(GOSSIP_SEEN_SECONDS, GOSSIP_SEEN_MAX, clock)
        self._topic = topic
        self._author = author
        """We ourselves: our own words that come back are not ours to hear."""
        self._heard = heard
        self._by_neighbour = TokenBucket(NEIGHBOUR_MESSAGES_PER_MINUTE, clock)
        self._by_author = TokenBucket(AUTHOR_MESSAGES_PER_MINUTE, clock)
        self._by_all = TokenBucket(GOSSIP_MESSAGES_PER_MINUTE, clock)
        self._clock = clock
        self._told_at = -GOSSIP_FLOOD_TOLD_SECONDS

    def take(self, neighbour: str, data: bytes) -> GossipMessage | None:
        """Check a message of a neighbour; return it if it is to be forwarded. Raises `RemoteProtocolError` when it cannot be read."""
        if len(data) > GOSSIP_MESSAGE_MAX_BYTES + _ENVELOPE_MAX_BYTES:
            return None
        if not self._by_neighbour.take(neighbour):
            self.tell_of_flood(neighbour, f"more than {NEIGHBOUR_MESSAGES_PER_MINUTE} messages a minute")
            return None
        message = read_message(data)
        if message is None or message.topic != self._topic or len(message.data) > GOSSIP_MESSAGE_MAX_BYTES:
            return None
        if message.name in self.seen or message.author == self._author:
            return None
        return message if self._check(neighbour, message) else None

    def tell_of_flood(self, neighbour: str, why: str) -> None:
        """Log that a neighbour sends too much; one line a minute, however many neighbours do."""
        now = self._clock()
        if now - self._told_at >= GOSSIP_FLOOD_TOLD_SECONDS:
            self._told_at = now
            _log.warning("a neighbour floods gossip", peer=neighbour, why=why)

    def _check(self, neighbour: str, message: GossipMessage) -> bool:
        if not self._by_all.take(""):
            self.tell_of_flood(neighbour, f"more than {GOSSIP_MESSAGES_PER_MINUTE} messages a minute from all together")
            return False
        if not message.is_authentic():
            self._by_neighbour.take(neighbour, GOSSIP_FORGERY_COSTS_MESSAGES)
            return False
        self.seen.add(message.name)
        author = message.author_id
        if not self._by_author.take(author):
            self.tell_of_flood(neighbour, f"{author} says more than {AUTHOR_MESSAGES_PER_MINUTE} things a minute")
            return False
        try:
            return self._heard(author, message.data)
        except Exception as error:  # a mistake above us must not end a neighbour's stream
            _log.warning("a gossip message could not be handled", peer=author, why=repr(error))
            return False
