"""The rate limiter: a sliding minute per caller and script, and one for everybody.

Only accepted calls are remembered, each for one minute and as numbers: some 50 bytes a call, and 150 for each caller and script. At most
RATE_KEYS_MAX of these are distinguished; in a larger crowd further ones share counts, so that memory is bounded whoever and however many
ask. It must not know who the owner is: callers without a limit are not checked here.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from goop2.scripting.limits import RATE_KEYS_MAX, RATE_WINDOW_SECONDS


class RateLimiter:
    """Counts accepted calls (behaviour.md, "Rate"). `clock` gives seconds and never goes back."""

    def __init__(self, per_caller: int, global_: int, clock: Callable[[], float]) -> None:
        self._per_caller = per_caller
        self._global = global_
        self._clock = clock
        self._times: deque[float] = deque()
        """When each call still counted leaves the window, oldest first."""
        self._keys: deque[int | None] = deque()
        """Two for each of them: who called which script, and from where; None without an address."""
        self._ends: dict[int, float | list[float]] = {}
        """The times by who calls and script: one, or several, oldest first; no key without a counted call."""

    def use(self, per_caller: int, global_: int) -> None:
        """Use other limits from the next call on."""
        self._per_caller, self._global = per_caller, global_

    def __len__(self) -> int:
        """Return how many calls are remembered now."""
        return len(self._times)

    def check(self, caller: str, script: str, override: int | None, address: str = "") -> float | None:
        """Return None if the call may run, and count it; else the seconds until it would be allowed.

        `script` names the script with its kind. `override` is the script's `@rate_limit`: it takes the
        place of the limit per caller, and 0 exempts the call from both limits. With an `address` the
        limit per caller holds for it too, so that a new id is no new allowance.
        """
        if override == 0:
            return None
        now = self._clock()
        self._forget(now)
        key = self._key(caller, script)
        origin = self._key(f"from {address}", script) if address else None  # no id has a blank
        wait = self._wait(key, origin, self._per_caller if override is None else override, now)
        if wait is None:
            self._count(key, origin, now)
        return wait

    def limit_met(self, script: str, override: int | None) -> str:
        """Return the limit that refuses calls of a script now, in words: `30 a minute for score`."""
        if len(self._times) >= self._global:
            return f"{self._global} a minute for all scripts"
        return f"{self._per_caller if override is None else override} a minute for {script}"

    def _key(self, caller: str, script: str) -> int:
        """Return the number both are counted under. Python's hash of strings has 64 bits and a secret, so nobody can aim at another's."""
        key = hash((caller, script))
        # Beyond RATE_KEYS_MAX keys new ones share counters: a crowd costs no more memory, and its members limit each other.
        return key if len(self._ends) < RATE_KEYS_MAX or key in self._ends else key % RATE_KEYS_MAX

    def _wait(self, key: int, origin: int | None, limit: int, now: float) -> float | None:
        """Return the seconds until all limits have room; None if they have."""
        free_at = now
        for each in (key, origin):
            ends = None if each is None else self._ends.get(each)
            if ends is None:
                continue
            # Most callers have one counted call: a float alone takes less memory than a list with one.
            if isinstance(ends, float):
                if limit <= 1:
                    free_at = max(free_at, ends)
            # Room comes when the call that is `limit` places from the end leaves the window.
            elif len(ends) >= limit:
                free_at = max(free_at, ends[-limit])
        if len(self._times) >= self._global:
            free_at = max(free_at, self._times[-self._global])
        return free_at - now if free_at > now else None

    def _count(self, key: int, origin: int | None, now: float) -> None:
        end = now + RATE_WINDOW_SECONDS
        self._times.append(end)
        self._keys.append(key)
        self._keys.append(origin)
        for each in (key, origin):
            if each is None:
                continue
            ends = self._ends.get(each)
            if ends is None:
                self._ends[each] = end
            elif isinstance(ends, float):
                self._ends[each] = [ends, end]
            else:
                ends.append(end)

    def _forget(self, now: float) -> None:
        """Drop calls that have left the window; every call is dropped once, so a check costs O(1) on average."""
        while self._times and self._times[0] <= now:
            self._times.popleft()
            for each in (self._keys.popleft(), self._keys.popleft()):
                if each is not None:
                    self._forget_one(each)

    def _forget_one(self, key: int) -> None:
        ends = self._ends[key]
        if isinstance(ends, float) or len(ends) == 1:
            del self._ends[key]
        else:
            del ends[0]
