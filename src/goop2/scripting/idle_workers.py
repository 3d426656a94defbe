"""The workers of a pool that are ready and have no job, and which of them a caller gets.

It must not know the queue, nor how many workers a caller may hold: the pool asks it, and starts and ends workers.
"""

from __future__ import annotations

from goop2.scripting.job import other_side_of, side_of
from goop2.scripting.worker import WorkerProcess


class IdleWorkers(list[WorkerProcess]):
    """Ready workers without a job, the one used last at the end; a list, since every call adds and takes one."""

    def usable(self, tenant: str) -> int:
        """Return how many of them may serve this caller."""
        other, usable = other_side_of(tenant), 0
        for worker in self:  # at every call, so no generator
            if worker.side is not other:
                usable += 1
        return usable

    def take(self, tenant: str) -> WorkerProcess | None:
        """Remove and return a worker for this caller, one of its own side first; None when no one may serve it."""
        side = side_of(tenant)
        if self and self[-1].side is side:  # as nearly always
            return self.pop()
        # The worker used last comes first; one that served nobody yet comes last, since the first call fixes its side.
        unused = None
        for place in range(len(self) - 1, -1, -1):
            worker = self[place]
            if worker.side is side:
                return self.pop(place)
            if worker.side is None and unused is None:
                unused = place
        return None if unused is None else self.pop(unused)
