"""Caches: ids of messages that were seen, and messages that neighbours can ask for. Both are bounded; the clock is passed in."""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

GOSSIP_WINDOWS: Final = 3
"""Heartbeats in which a message is offered to neighbours outside the mesh (the specification's mcache_gossip)."""
KEPT_WINDOWS: Final = 5
"""Heartbeats in which it can be asked for (mcache_len)."""
ANSWERS_PER_NEIGHBOUR: Final = 3
"""How often a neighbour is sent the same message for the asking."""


class SeenCache:
    """Ids of messages, each for so many seconds and at most so many."""

    def __init__(self, seconds: float, most: int, clock: Callable[[], float]) -> None:
        self._seconds = seconds
        self._most = most
        self._clock = clock
        self._until: OrderedDict[bytes, float] = OrderedDict()

    def __len__(self) -> int:
        return len(self._until)

    def __contains__(self, name: bytes) -> bool:
        until = self._until.get(name)
        return until is not None and until > self._clock()

    def add(self, name: bytes) -> None:
        """Remember a message; one that is already remembered keeps its time."""
        now = self._clock()
        self._until.setdefault(name, now + self._seconds)
        self.evict(now)

    def evict(self, now: float | None = None) -> None:
        """Drop ids that are too old, then the oldest beyond the bound."""
        now = self._clock() if now is None else now
        while self._until:
            name, until = next(iter(self._until.items()))
            if until > now and len(self._until) <= self._most:
                return
            del self._until[name]


@dataclass(slots=True)
class _CachedMessage:
    id: bytes
    content: bytes
    asked: dict[str, int] = field(default_factory=dict)
    """Neighbour → how often it asked; as many neighbours as there may be connections."""


class MessageCache:
    """The messages of the last heartbeats, bounded in bytes."""

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._bytes = 0
        self._kept: OrderedDict[bytes, _CachedMessage] = OrderedDict()
        """By name, the oldest first."""
        self._windows: deque[list[bytes]] = deque([[]])
        """Names by heartbeat, the current one last."""

    def __len__(self) -> int:
        return len(self._kept)

    def add(self, name: bytes, id_: bytes, content: bytes) -> None:
        """Store a message; the oldest ones make room for it."""
        if name in self._kept:
            return
        self._kept[name] = _CachedMessage(id_, content)
        self._windows[-1].append(name)
        self._bytes += len(content)
        while self._bytes > self._max_bytes:
            self._drop(next(iter(self._kept)))

    def ask(self, name: bytes, neighbour: str) -> bytes | None:
        """Return a message that a neighbour asks for; None if it is not stored, or was asked for too often."""
        kept = self._kept.get(name)
        if kept is None or kept.asked.get(neighbour, 0) >= ANSWERS_PER_NEIGHBOUR:
            return None
        kept.asked[neighbour] = kept.asked.get(neighbour, 0) + 1
        return kept.content

    def offered(self) -> list[bytes]:
        """Return the ids of messages that are new enough to be offered."""
        recent = list(self._windows)[-GOSSIP_WINDOWS:]
        return [self._kept[name].id for window in recent for name in window if name in self._kept]

    def shift(self) -> None:
        """Begin a new heartbeat; messages older than KEPT_WINDOWS are dropped."""
        self._windows.append([])
        while len(self._windows) > KEPT_WINDOWS:
            for name in self._windows.popleft():
                self._drop(name)

    def _drop(self, name: bytes) -> None:
        kept = self._kept.pop(name, None)
        if kept is not None:
            self._bytes -= len(kept.content)
