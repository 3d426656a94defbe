"""Who may hold how many workers: the owner, strangers by what they have used, and the workers kept for short calls.

docs/architecture.md, "Who gets a worker", has the rules. It counts and decides. It must not know workers; it starts and ends none.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Final, Generic, Protocol, TypeVar

from goop2.scripting.fair_queue import FairQueue
from goop2.scripting.limits import NEWCOMER_SECONDS, OWNER_WORKERS, InvocationLimits
from goop2.scripting.usage import Accounts, Standing

OWNER_TENANT: Final = "\0owner"
"""The owner in the queue and in the counts: all of the owner's calls are one tenant, and no stranger's id begins like this."""


class Waiting(Hashable, Protocol):
    """A call in the queue, of which nothing matters here but when it came."""

    accepted: float
    """When it came, on the clock of the accounts."""


W = TypeVar("W", bound=Waiting)


class Fairness(Generic[W]):
    """The workers each tenant holds, and whether its next call may start."""

    def __init__(self, limits: InvocationLimits, *, warm_workers: int, queue_max: int, clock: Callable[[], float]) -> None:
        self._max_workers = limits.workers
        self._share = limits.workers_per_caller
        self._reserved = limits.workers_reserved
        self._warm = warm_workers
        self._clock = clock
        self._accounts = Accounts(clock)
        self.queue: FairQueue[W] = FairQueue(queue_max, self._accounts.queue_charge)
        """The calls that wait, in fair order."""
        self._held: dict[str, int] = {OWNER_TENANT: 0}
        """Tenant → workers it holds."""
        self.strangers = 0
        """Workers held by anybody but the owner."""

    def take(self, tenant: str) -> None:
        """Count a worker that begins a call of the tenant."""
        self._held[tenant] = self._held.get(tenant, 0) + 1
        if tenant != OWNER_TENANT:
            self.strangers += 1

    def release(self, tenant: str, seconds: float) -> None:
        """Count it no more, and charge a stranger for the seconds it was held."""
        self._held[tenant] -= 1
        if tenant == OWNER_TENANT:
            return
        self.strangers -= 1
        self._accounts.charge(tenant, seconds)
        if not self._held[tenant]:
            del self._held[tenant]

    def charge(self, tenant: str, seconds: float) -> None:
        """Charge a stranger for the time that another machine worked for it."""
        if tenant != OWNER_TENANT:
            self._accounts.charge(tenant, seconds)

    @property
    def owner_holds_none(self) -> bool:
        """Return whether no call of the owner is under way."""
        return not self._held[OWNER_TENANT]

    def waits_for_reserved_worker(self, tenant: str) -> bool:
        """Return whether a tenant nobody knows may have one of the kept workers after NEWCOMER_SECONDS."""
        return self._reserved > 0 and self._accounts.standing(tenant) is Standing.NEW

    def may_start(self, tenant: str, usable: int) -> bool:
        """Return whether a call may have one of the `usable` idle workers now: short calls find one whenever loops end and begin again."""
        if not usable or tenant == OWNER_TENANT:
            return usable > 0
        if not self.may_run(tenant):
            return False
        if not self._reserved:
            return True
        standing = self._accounts.standing(tenant)
        if standing is Standing.HEAVY:
            return usable > min(self._reserved, self._warm)
        return standing is Standing.LIGHT or usable > 1 or self._asks_once(tenant)

    def may_run(self, tenant: str) -> bool:
        """Return whether a tenant may hold one more worker.

        The owner always; others up to their share, never on the last worker, and on the kept ones by their standing.
        """
        if tenant == OWNER_TENANT or self._max_workers == 1:
            return True
        held = self._held.get(tenant, 0)
        free = self._max_workers - OWNER_WORKERS - self.strangers
        if held >= self._share or free <= 0:
            return False
        standing = self._accounts.standing(tenant)
        if free > self._reserved:
            # Whoever has never had an answer has one call under way while others have any: it may be the first of many loops.
            return standing is not Standing.NEW or held in (0, self.strangers)
        if held:
            return False
        return standing is Standing.LIGHT or (standing is Standing.NEW and free > self._reserved // 2 and self._asks_once(tenant))

    def _asks_once(self, tenant: str) -> bool:
        """Return whether a tenant nobody knows has asked for one thing, and has had the time to ask for more."""
        waiting = self.queue.oldest(tenant)
        return waiting is not None and self.queue.waiting(tenant) == 1 and self._clock() - waiting.accepted >= NEWCOMER_SECONDS
