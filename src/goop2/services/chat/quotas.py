"""Budgets of saved messages: count bytes by who caused them, and decide whose oldest messages are removed. Pure: no database, no clock.

    a contact     a peer the owner has written to: bounded by itself and with all contacts, never by strangers
    a stranger    everybody else: bounded by itself, with all of one network (its origin), and with all strangers

When a bound is exceeded, messages are removed first from the sender, then from the largest sender of its network, then from the largest
sender of the largest network. So a flood removes its own messages, whatever ids it uses. The owner's own messages are in no budget.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable
from typing import Final

from goop2.services.chat.limits import CONTACTS_BYTES, ORIGIN_BYTES, SENDER_BYTES, STRANGERS_BYTES

CONTACT: Final = "contact"
"""Origin of whatever a peer sends that the owner has written to. No network is called so."""
STEP_BYTES: Final = 64 * 1024
"""Given up by one sender before it is asked again who is the largest now."""
_STALE_ENTRIES_PER_KEY: Final = 4
_STALE_ENTRIES_MIN: Final = 64


class LargestFirst:
    """Sizes by key, and the key of the largest: a heap whose outdated entries are dropped when they come up."""

    def __init__(self) -> None:
        self._sizes: dict[str, int] = {}
        self._heap: list[tuple[int, str]] = []
        self.total = 0

    def __len__(self) -> int:
        return len(self._sizes)

    def __getitem__(self, key: str) -> int:
        return self._sizes.get(key, 0)

    def add(self, key: str, size: int) -> None:
        """Add `size`, which may be negative; a key without bytes is forgotten."""
        self.total += size
        left = self._sizes.get(key, 0) + size
        if left <= 0:
            self._sizes.pop(key, None)
            return
        self._sizes[key] = left
        heapq.heappush(self._heap, (-left, key))
        # Each change adds an entry and outdates one; without this the heap would grow with every message.
        if len(self._heap) > _STALE_ENTRIES_PER_KEY * len(self._sizes) + _STALE_ENTRIES_MIN:
            self._heap = [(-size, key) for key, size in self._sizes.items()]
            heapq.heapify(self._heap)

    def largest(self) -> str | None:
        """Return the key with the most bytes; None when there is none."""
        # An entry whose size is no longer the key's current one is outdated.
        while self._heap and self._sizes.get(self._heap[0][1]) != -self._heap[0][0]:
            heapq.heappop(self._heap)
        return self._heap[0][1] if self._heap else None


class Budgets:
    """The bytes of all saved messages. `charges`: (sender, origin, bytes) of each."""

    def __init__(self, charges: Iterable[tuple[str, str, int]] = ()) -> None:
        self._contacts = LargestFirst()
        self._origins = LargestFirst()
        self._strangers: dict[str, LargestFirst] = {}
        """Origin → its senders."""
        for sender, origin, size in charges:
            self.add(sender, origin, size)

    def add(self, sender: str, origin: str, size: int) -> None:
        """Count `size` bytes of `sender`; negative when messages were removed."""
        if origin == CONTACT:
            self._contacts.add(sender, size)
            return
        self._origins.add(origin, size)
        senders = self._strangers.setdefault(origin, LargestFirst())
        senders.add(sender, size)
        if not len(senders):
            del self._strangers[origin]

    def over(self, sender: str, origin: str) -> tuple[str, str, int] | None:
        """Return whose oldest messages must be removed after a message of `sender`: (sender, origin, bytes); None when all fits."""
        senders = self._contacts if origin == CONTACT else self._strangers.get(origin, LargestFirst())
        if (excess := senders[sender] - SENDER_BYTES) > 0:
            return sender, origin, excess
        if origin == CONTACT:
            return _of_largest(senders, CONTACT, senders.total - CONTACTS_BYTES)
        return _of_largest(senders, origin, senders.total - ORIGIN_BYTES) or self.over_all()

    def over_all(self) -> tuple[str, str, int] | None:
        """Return the same if only the limit of all strangers is exceeded."""
        origin = self._origins.largest()
        return None if origin is None else _of_largest(self._strangers[origin], origin, self._origins.total - STRANGERS_BYTES)


def _of_largest(senders: LargestFirst, origin: str, excess: int) -> tuple[str, str, int] | None:
    sender = senders.largest() if excess > 0 else None
    return None if sender is None else (sender, origin, min(excess, STEP_BYTES))
