"""The queue of calls between two runners, which are played: who is asked, who takes what waits, and that each job has one outcome."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from tests.scripting.workshop import OWNER, invocation_of, stranger

from goop2.scripting.call_queue import CallQueue
from goop2.scripting.fairness import OWNER_TENANT, Fairness
from goop2.scripting.invocation import Caller, ErrorCode, Outcome
from goop2.scripting.job import Job
from goop2.scripting.limits import WAITING_MAX, InvocationLimits
from goop2.scripting.outcomes import NO_WORKER

DONE = Outcome(ErrorCode.OK, b"1")


class Played:
    """A runner with so many places."""

    def __init__(self, places: int, calls: Callable[[], CallQueue]) -> None:
        self.places, self._calls = places, calls
        self.jobs: list[Job] = []
        self.abandoned: list[Job] = []

    def take(self, job: Job) -> bool:
        if len(self.jobs) >= self.places:
            return False
        self.jobs.append(job)
        return True

    def pull(self) -> None:
        while len(self.jobs) < self.places and (job := self._calls().waiting.take(lambda _tenant: True)) is not None:
            self.jobs.append(job)

    def tick(self, now: float) -> None:
        pass

    def abandon(self, job: Job) -> None:
        if job in self.jobs:
            self.jobs.remove(job)
            self.abandoned.append(job)


class Line:
    """A queue with a near and a far runner."""

    def __init__(self, near: int, far: int, *, first: bool = False) -> None:
        self.near, self.far = Played(near, lambda: self.calls), Played(far, lambda: self.calls)
        fairness: Fairness[Job] = Fairness(InvocationLimits(workers=8), warm_workers=2, queue_max=WAITING_MAX, clock=time.monotonic)
        self.calls = CallQueue(fairness, self.near, lambda _job: None)
        self.calls.join(self.far, first=first)

    async def call(self, caller: Caller = OWNER, seconds: float = 5.0) -> asyncio.Task[Outcome]:
        work = invocation_of("return 1", caller, seconds)
        tenant = OWNER_TENANT if caller.owner else caller.account
        task = asyncio.ensure_future(self.calls.submit(tenant, work, time.monotonic(), work.deadline))
        await asyncio.sleep(0)
        return task


async def test_the_near_runner_is_asked_first_and_the_far_one_takes_what_waits() -> None:
    line = Line(near=1, far=1)
    calls = [await line.call() for _ in range(3)]
    assert (len(line.near.jobs), len(line.far.jobs), len(line.calls.waiting)) == (1, 1, 1)
    for job in (*line.near.jobs, *line.far.jobs):
        line.calls.finish(job, DONE)
    assert [await call for call in calls[:2]] == [DONE, DONE]
    line.calls.stop()
    assert (await calls[2]).payload == b"the peer is stopping"


async def test_the_far_runner_is_asked_first_where_that_is_set() -> None:
    line = Line(near=1, far=1, first=True)
    calls = [await line.call() for _ in range(2)]
    assert (len(line.near.jobs), len(line.far.jobs)) == (1, 1)
    assert line.far.jobs[0].accepted <= line.near.jobs[0].accepted
    line.calls.leave()
    line.calls.stop()
    await asyncio.gather(*calls)


async def test_a_job_put_back_is_run_by_whoever_has_a_place() -> None:
    line = Line(near=1, far=1)
    calls = [await line.call() for _ in range(2)]
    (far,) = line.far.jobs
    line.far.places = 0
    line.far.jobs.clear()
    line.calls.finish(line.near.jobs.pop(), DONE)
    line.calls.put_back(far)
    assert line.near.jobs == [far]
    line.calls.finish(far, DONE)
    assert await asyncio.gather(*calls) == [DONE, DONE]


async def test_a_job_put_back_after_its_outcome_stays_away() -> None:
    line = Line(near=0, far=1)
    call = await line.call()
    (far,) = line.far.jobs
    line.calls.finish(far, DONE)
    line.calls.put_back(far)
    line.calls.finish(far, NO_WORKER)
    assert (await call, len(line.calls.waiting)) == (DONE, 0)


async def test_a_job_past_its_deadline_is_abandoned_where_it_runs() -> None:
    line = Line(near=0, far=1)
    call = await line.call(seconds=0.05)
    assert (await call).code is ErrorCode.TIMEOUT
    assert (len(line.far.abandoned), line.near.abandoned) == (1, [])


async def test_a_job_nobody_waits_for_is_abandoned() -> None:
    line = Line(near=0, far=1)
    call = await line.call(stranger(1))
    call.cancel()
    await asyncio.gather(call, return_exceptions=True)
    assert len(line.far.abandoned) == 1
