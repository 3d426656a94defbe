"""The rate limiter: a sliding minute per caller and script, and one for everybody.

Only accepted calls are remembered, and each for one minute, so memory is bounded by the global
limit, whoever and however many ask. It must not know who the owner is: whoever is not limited is
not asked about.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from goop2.scripting.limits import RATE_WINDOW_SECONDS

_Key = tuple[str, str]


class RateLimiter:
    """Counts accepted calls (behaviour.md, "Rate"). `clock` gives seconds and never goes back."""

    def __init__(self, per_caller: int, global_: int, clock: Callable[[], float]) -> None:
        self._per_caller = per_caller
        self._global = global_
        self._clock = clock
        self._accepted: deque[tuple[float, tuple[_Key, ...]]] = deque()
        """When each call still counted leaves the window, oldest first."""
        self._ends: dict[_Key, deque[float]] = {}
        """The same by who calls and script; no key without a counted call."""

    def __len__(self) -> int:
        """Calls remembered now."""
        return len(self._accepted)

    def check(self, caller: str, script: str, override: int | None, address: str = "") -> float | None:
        """None when the call may run, and is counted; else the seconds until it would be allowed.

        `script` names the script with its kind. `override` is the script's `@rate_limit`: it takes the
        place of the limit per caller, and 0 exempts the call from both limits. With an `address` the
        limit per caller holds for it too, so that a new id is no new allowance.
        """
        if override == 0:
            return None
        now = self._clock()
        self._forget(now)
        keys = ((caller, script), (f"from {address}", script)) if address else ((caller, script),)  # no id has a blank
        wait = self._wait(keys, self._per_caller if override is None else override, now)
        if wait is None:
            self._count(keys, now)
        return wait

    def _wait(self, keys: tuple[_Key, ...], limit: int, now: float) -> float | None:
        """Seconds until all limits have room; None when they have."""
        free_at = now
        for key in keys:
            ends = self._ends.get(key)
            if ends is not None and len(ends) >= limit:
                free_at = max(free_at, ends[-limit])
        if len(self._accepted) >= self._global:
            free_at = max(free_at, self._accepted[-self._global][0])
        return free_at - now if free_at > now else None

    def _count(self, keys: tuple[_Key, ...], now: float) -> None:
        end = now + RATE_WINDOW_SECONDS
        self._accepted.append((end, keys))
        for key in keys:
            self._ends.setdefault(key, deque()).append(end)

    def _forget(self, now: float) -> None:
        """Drop what has left the window; every call is dropped once, so a check costs O(1) on average."""
        while self._accepted and self._accepted[0][0] <= now:
            for key in self._accepted.popleft()[1]:
                ends = self._ends[key]
                ends.popleft()
                if not ends:
                    del self._ends[key]
