"""The queue of calls: who runs next when no worker is free. No I/O, no clock.

Fairness is between callers, not invocations: a caller's own invocations keep their order, and callers take turns. A caller with a hundred
calls waits behind its own, not before others. Fairness is also by use: `charged` says what a caller has used lately, and whoever has used
less goes first (usage.py returns 0 for all whose recent calls were short, so that these take turns).

    turns   → A → B → C        take(): A may run, so A1 goes and A steps behind C;
    A: A1 A2 A3                had A been at its share, it would have kept its place in front
    B: B1                      and B1 had gone.
    C: C1 C2

Invariants: a caller is in `turns` exactly when something of its waits; an item waits once. It must not know what an item is, nor why a
caller may not run now.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Final, Generic, TypeVar

Item = TypeVar("Item", bound=Hashable)

CLEARLY_FEWER: Final = 2
"""Items fewer than another's: then it is still fewer, or as many, when one place has been exchanged."""


class FairQueue(Generic[Item]):
    """At most `capacity` waiting items, fair by caller. Items are distinguished by hash and equality."""

    def __init__(self, capacity: int, charged: Callable[[str], float] = lambda _caller: 0.0) -> None:
        self._capacity = capacity
        self._charged = charged
        self._turns: OrderedDict[str, OrderedDict[Item, None]] = OrderedDict()
        """Caller → its waiting items, oldest first; callers in the order of their turns."""
        self._callers: dict[Item, str] = {}
        self._firsts: set[str] = set()
        """Callers offered as first among equals, who lose no place to others: the owner."""

    def __len__(self) -> int:
        return len(self._callers)

    def __contains__(self, item: Item) -> bool:
        return item in self._callers

    @property
    def callers(self) -> int:
        """Return how many callers have something waiting."""
        return len(self._turns)

    def waiting(self, caller: str) -> int:
        """Return how many items of `caller` wait."""
        return len(self._turns.get(caller, ()))

    def oldest(self, caller: str) -> Item | None:
        """Return the item of `caller` that waits longest, None when none does."""
        return next(iter(self._turns.get(caller, ())), None)

    def offer(self, caller: str, item: Item, *, first_among_equals: bool = False) -> Item | None:
        """Queue `item`; return the item that has no place for it: None, another's that gave up its place, or `item` itself.

        In a full queue the caller with the most waiting gives up its newest place to one who has
        clearly fewer: fewer even after the exchange. Else the caller charged most gives up its newest
        to one who is charged nothing. `first_among_equals` (the owner) gives up none, and takes the
        newest of whoever else has the most, however many it has itself: others never stop its calls.
        Raises ValueError when `item` waits already.
        """
        if item in self._callers:
            raise ValueError(f"{item!r} waits already")
        if first_among_equals:
            self._firsts.add(caller)
        evicted = None
        if len(self._callers) >= self._capacity:
            evicted = self._make_room(caller)
            if evicted is None:
                return item
        items = self._turns.get(caller)
        if items is None:
            items = self._turns[caller] = OrderedDict()
        items[item] = None
        self._callers[item] = caller
        return evicted

    def take(self, may_run: Callable[[str], bool]) -> Item | None:
        """Return the next item, in fair order, of a caller who may run now; None when there is none.

        Callers who may not keep their place in front, so the cost is one `may_run` for each of them.
        """
        caller = self._next(may_run)
        if caller is None:
            return None
        items = self._turns[caller]
        item, _ = items.popitem(last=False)
        del self._callers[item]
        if items:
            self._turns.move_to_end(caller)
        else:
            del self._turns[caller]
        return item

    def peek(self, may_run: Callable[[str], bool]) -> Item | None:
        """Return the item that `take` would give, or None."""
        caller = self._next(may_run)
        return None if caller is None else next(iter(self._turns[caller]))

    def _next(self, may_run: Callable[[str], bool]) -> str | None:
        """Return the caller charged least of those who may run; the first in turn of several."""
        if len(self._turns) == 1:  # the owner alone, say: nothing to compare
            (alone,) = self._turns
            return alone if may_run(alone) else None
        best, least = None, math.inf
        for caller in self._turns:
            charge = self._charged(caller)
            if charge < least and may_run(caller):
                best, least = caller, charge
                if not charge:
                    break
        return best

    def remove(self, item: Item) -> bool:
        """Remove `item`, wherever it is in the queue; return False if it does not wait (any more)."""
        caller = self._callers.pop(item, None)
        if caller is None:
            return False
        items = self._turns[caller]
        del items[item]
        if not items:
            del self._turns[caller]
        return True

    def _make_room(self, newcomer: str) -> Item | None:
        """Remove the newest item of the caller that gives way to `newcomer`; None if nobody does."""
        giving = self._who_gives_way(newcomer)
        if giving is None:
            return None
        item = next(reversed(self._turns[giving]))
        self.remove(item)
        return item

    def _who_gives_way(self, newcomer: str) -> str | None:
        """Return the caller with the most, when `newcomer` has clearly fewer; else the one charged most, to a newcomer charged nothing."""
        others = [caller for caller in self._turns if caller not in self._firsts]
        most = max(others, key=self.waiting, default=None)
        if most is None or newcomer in self._firsts or self.waiting(most) - self.waiting(newcomer) >= CLEARLY_FEWER:
            return most
        if newcomer in self._turns or self._charged(newcomer):
            return None
        most = max(others, key=self._charged)
        return most if self._charged(most) else None
