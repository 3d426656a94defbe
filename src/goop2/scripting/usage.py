"""What each caller has used of the workers lately: worker-seconds that fade. No I/O.

A caller is charged for the time its calls held a worker, not for how often it asks. Three standings follow from it:

    new     never charged, as far as is remembered
    light   charged less than LIGHT_WORKER_SECONDS: its recent calls were short
    heavy   charged more

The queue lets light and new callers go before heavy ones, and heavy ones in the order of what they have used (fair_queue.py); the pool
keeps some workers for the light and the new (pool.py). It must not know what a caller is, nor what a worker does.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from enum import Enum, auto

from goop2.scripting.limits import ACCOUNT_HALF_LIFE_SECONDS, ACCOUNTS_MAX, LIGHT_WORKER_SECONDS


class Standing(Enum):
    """How much a caller has used lately."""

    NEW = auto()
    LIGHT = auto()
    HEAVY = auto()


class Accounts:
    """Worker-seconds by account, each halved every ACCOUNT_HALF_LIFE_SECONDS. `clock` gives seconds and never goes back."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._charged: OrderedDict[str, tuple[float, float]] = OrderedDict()
        """Account → what was charged, and when that was so; the one charged last at the end."""

    def __len__(self) -> int:
        """Return how many accounts are remembered."""
        return len(self._charged)

    def charge(self, account: str, seconds: float) -> None:
        """Add the time a call of `account` held a worker."""
        self._charged[account] = (self.charged(account) + max(0.0, seconds), self._clock())
        self._charged.move_to_end(account)
        if len(self._charged) > ACCOUNTS_MAX:
            self._forget_one()

    def charged(self, account: str) -> float:
        """Return what of the charges to `account` has not faded yet, in worker-seconds."""
        entry = self._charged.get(account)
        if entry is None:
            return 0.0
        seconds, then = entry
        return float(seconds * 0.5 ** ((self._clock() - then) / ACCOUNT_HALF_LIFE_SECONDS))

    def standing(self, account: str) -> Standing:
        """Return the standing of `account`."""
        if self.charged(account) >= LIGHT_WORKER_SECONDS:
            return Standing.HEAVY
        return Standing.LIGHT if account in self._charged else Standing.NEW

    def queue_charge(self, account: str) -> float:
        """Return what counts in the queue: nothing for light and new accounts, so that these take turns."""
        if account not in self._charged:  # the owner, at every call
            return 0.0
        charged = self.charged(account)
        return charged if charged >= LIGHT_WORKER_SECONDS else 0.0

    def _forget_one(self) -> None:
        """Forget a light account before a heavy one, the one that was charged longest ago first."""
        oldest = next(iter(self._charged))
        for account, (seconds, _) in self._charged.items():
            if seconds < LIGHT_WORKER_SECONDS:
                oldest = account
                break
        del self._charged[oldest]
