"""The queue of calls, apart from whatever runs them: one job a call, one outcome a job, by its deadline.

A job is in `_jobs` until its outcome. Meanwhile it waits in the fair queue or is with one runner, never both. The near runner (the pool of
worker processes) is asked first; a far one takes from what waits. Ten thousand jobs a second pass here: hence one clock
that ticks while there are jobs, instead of a timer each. It must not know workers or machines.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from goop2.sandbox.messages import Compile
from goop2.scripting.fairness import OWNER_TENANT, Fairness
from goop2.scripting.invocation import Invocation, Outcome
from goop2.scripting.job import Batch, Job, Lease, timed_out
from goop2.scripting.limits import TICK_SECONDS
from goop2.scripting.outcomes import QUEUE_FULL, STOPPED
from goop2.scripting.runner import Runner


class CallQueue:
    """The jobs of one peer: those that wait and those that a runner has, each until its one outcome."""

    def __init__(self, fairness: Fairness[Job], near: Runner, on_waiting: Callable[[Job], None]) -> None:
        """`near`: the runner that is asked first. `on_waiting`: a job has to wait, and `near` may want more places."""
        self.fairness = fairness
        self.waiting = fairness.queue
        self.far: Runner | None = None
        """A runner that takes what the near one has no place for; None without a cluster."""
        self._near = near
        self._take = near.take
        self._on_waiting = on_waiting
        self._jobs: set[Job] = set()
        self._ticking: asyncio.TimerHandle | None = None
        self.loop: asyncio.AbstractEventLoop | None = None
        """The one the pool runs in: asking which one runs takes a system call, on the path of every call."""
        self.stopped = False

    def join(self, far: Runner, *, first: bool) -> None:
        """Have a second runner take jobs too: what waits, or with `first` whatever it has a place for."""
        self.far = far
        if first:
            near = self._near.take
            self._take = lambda job: far.take(job) or near(job)

    def leave(self) -> None:
        """Have no second runner any more."""
        self.far = None
        self._take = self._near.take

    async def submit(self, tenant: str, work: Invocation | Compile | Batch | Lease, now: float, deadline: float) -> Outcome:
        """Run a job, or have it wait; return its one outcome by the deadline."""
        if self.stopped:
            return STOPPED
        loop = self.loop or asyncio.get_running_loop()
        job = Job(tenant, work, loop.create_future(), now, deadline)
        self._jobs.add(job)
        # One clock for all jobs: a timer of its own for each would cost more than starting a short call.
        if self._ticking is None:
            self._ticking = loop.call_later(TICK_SECONDS, self._tick)
        if not self._take(job):
            self._enqueue(job)
        try:
            return await job.outcome
        # Whoever waited has gone: its work must not go on using a worker.
        except asyncio.CancelledError:
            self._expire(job)
            raise

    def finish(self, job: Job, outcome: Outcome) -> None:
        """Give a job its outcome; the first one counts."""
        self._jobs.discard(job)
        if job.call is not None:
            job.call.cancel()
        if not job.outcome.done():
            job.outcome.set_result(outcome)

    def put_back(self, job: Job) -> None:
        """Have a job wait again that a runner took and provably never began."""
        if job in self._jobs and not self.stopped:
            job.started = 0.0
            self._enqueue(job)
            self._near.pull()

    def fail_waiting(self, outcome: Outcome, concerned: Callable[[Job], bool]) -> None:
        """Finish those waiting jobs that `concerned` names."""
        for job in list(self._jobs):
            if concerned(job) and self.waiting.remove(job):
                self.finish(job, outcome)

    def stop(self) -> None:
        """Finish every job; none is taken from now on. Idempotent."""
        self.stopped = True
        if self._ticking is not None:
            self._ticking.cancel()
        for job in list(self._jobs):
            self.waiting.remove(job)
            self.finish(job, STOPPED)

    def _enqueue(self, job: Job) -> None:
        turned_away = self.waiting.offer(job.tenant, job, first_among_equals=job.tenant == OWNER_TENANT)
        # In a full queue this may be the job itself, or the newest of whoever has the most waiting.
        if turned_away is not None:
            self.finish(turned_away, QUEUE_FULL)
        if self.far is not None:
            self.far.pull()
        self._on_waiting(job)

    def _tick(self) -> None:
        """End jobs that are past their deadline; look again while there are jobs."""
        self._ticking = None
        now = time.monotonic()
        for job in [job for job in self._jobs if job.deadline <= now]:
            self._expire(job)
        if self._jobs:
            self._ticking = asyncio.get_running_loop().call_later(TICK_SECONDS, self._tick)
        self._near.tick(now)
        if self.far is not None:
            self.far.tick(now)

    def _expire(self, job: Job) -> None:
        """Stop the work at its deadline, not only the wait for it."""
        if not self.waiting.remove(job):  # not waiting any more, so it runs
            self._near.abandon(job)
            if self.far is not None:
                self.far.abandon(job)
        self.finish(job, timed_out(job, time.monotonic()))
