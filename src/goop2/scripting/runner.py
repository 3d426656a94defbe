"""What runs the jobs of the queue: worker processes of this machine (pool.py), or machines elsewhere.

The queue knows callers, fairness and deadlines; a runner knows places. A runner takes jobs whenever it has a place, and reports one outcome
for each by `CallQueue.finish`, or puts the job back when it was provably never begun.
"""

from __future__ import annotations

from typing import Protocol

from goop2.scripting.job import Job


class Runner(Protocol):
    """Somewhere jobs are run: the workers of this machine, or other machines. `CallQueue` calls it, on the loop's thread."""

    def take(self, job: Job) -> bool:
        """Take a job that has just come, if there is a place for it now; return whether it was taken."""

    def pull(self) -> None:
        """Take waiting jobs, in fair order, as long as there is a place for the next one."""

    def tick(self, now: float) -> None:
        """Look after what is under way; called many times a second while there are jobs. `now` is `time.monotonic()`."""

    def abandon(self, job: Job) -> None:
        """Stop the work on a job of this runner, if it is one: its time is over, or nobody waits for it any more."""
