"""The pool of workers: lease, kill, replace. It is the near runner of the queue of calls (call_queue.py), which stands in front of it.

The engine calls `run` for an invocation, `compile` for a source (or many), and `start`/`stop`. It must not know files, rate limits or
protocols. Whatever happens to a worker, the invocation on it gets one outcome, and a new worker follows. A worker alive is in the supply,
and is idle (`_idle`), or has a job (`_running`), or is being started. From its first call on it serves one side: the owner, or strangers.
"""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import Coroutine, Mapping, Sequence
from typing import Any, ClassVar

import structlog

from goop2.sandbox.framing import WorkerProtocolError
from goop2.sandbox.messages import UNKNOWN_VERSION, Compile, Compiled, DataAnswer, Done, HostCall, Invoke, Lend, Log, Setup
from goop2.scripting.call_queue import CallQueue
from goop2.scripting.catalog import CompileUnavailableError
from goop2.scripting.fairness import OWNER_TENANT, Fairness
from goop2.scripting.fork_server import WorkerStartError
from goop2.scripting.idle_check import lock_holders
from goop2.scripting.idle_workers import IdleWorkers
from goop2.scripting.invocation import ErrorCode, Invocation, Outcome, PeerOperation
from goop2.scripting.job import Batch, Job, Lease, described, other_side_of, side_of, verdict
from goop2.scripting.limits import (
    COMPILE_SECONDS,
    COMPUTING_AFTER_SECONDS,
    COMPUTING_WORKERS_PER_CORE,
    EXIT_REPORT_SECONDS,
    GROW_AFTER_SECONDS,
    IDLE_CHECK_SECONDS,
    IDLE_OWN_MAX_BYTES,
    IDLE_WORKER_SECONDS,
    NEWCOMER_SECONDS,
    REASON_MAX_CHARS,
    RESPAWN_SECONDS,
    START_SECONDS,
    WAITING_MAX,
    WARM_WORKERS,
    WORKER_LIFE_SECONDS,
    InvocationLimits,
    cores,
)
from goop2.scripting.outcomes import ENDED_BY, NO_WORKER, WORKER_LOST, outcome_of, too_late
from goop2.scripting.peer_operations import HostOperations, PeerOperations
from goop2.scripting.runs import RunLog
from goop2.scripting.worker import Side, WorkerProcess
from goop2.scripting.worker_supply import WorkerSupply

log = structlog.get_logger(__name__)


class PoolError(Exception):
    """No script can run: the worker processes do not start."""

    owner_code: ClassVar = "unavailable"


class Pool:
    """Worker processes of one peer."""

    def __init__(
        self,
        setup: Setup,
        limits: InvocationLimits,
        lent: Mapping[str, PeerOperation],
        *,
        fairness_kind: type[Fairness[Job]] = Fairness,
        operations: HostOperations | None = None,
    ) -> None:
        """`lent`: what the peer does for scripts; parts of the peer may still add theirs, it is looked at with each call.

        `fairness_kind`: who may hold how many workers. `operations`: who answers host calls instead, where that is another machine.
        """
        self._warm = min(WARM_WORKERS, limits.workers)
        self._computing = COMPUTING_WORKERS_PER_CORE * cores()
        self._operations = PeerOperations(lent, setup.operations)
        self._answering: HostOperations = operations or self._operations
        self._supply = WorkerSupply(
            setup,
            self,
            workers_max=limits.workers,
            on_exit=self._worker_exited,
            on_spawn=self._look_for_need,
            on_none=self._fail_waiting,
        )
        fairness = fairness_kind(limits, warm_workers=self._warm, queue_max=WAITING_MAX, clock=time.monotonic)
        self._fairness: Fairness[Job] = fairness
        self._queue = fairness.queue
        self.calls = CallQueue(fairness, self, self._look_for_places)
        """What waits and what is under way; other runners join it there."""
        self._submit, self._finish = self.calls.submit, self.calls.finish
        self._calls_per_worker = limits.calls_per_worker
        self._own_max_bytes = setup.memory_bytes + IDLE_OWN_MAX_BYTES
        self._idle = IdleWorkers()
        self._running: dict[WorkerProcess, Job] = {}
        self._lost: dict[int, Job] = {}
        """Worker that is gone → its job, until we hear how it ended."""
        self._ended: dict[int, int] = {}
        """Worker that we have heard of so → how it ended, until its socket says it too."""
        self._growing: asyncio.TimerHandle | None = None
        self._shrinking: asyncio.TimerHandle | None = None
        self._checking: asyncio.TimerHandle | None = None
        self._leaving: set[WorkerProcess] = set()
        """Workers that are being replaced: another comes as soon as they are gone."""
        self._first_ready: asyncio.Future[WorkerProcess] | None = None
        self.protocol_violations = 0
        """Workers ended because they sent what no message is, or one out of place."""
        self.gaps: Mapping[str, str] = {}
        """What the layers of a worker do not cover on this machine: name → sentence, once started."""

    # ── the interface ────────────────────────────────────────────────────────────────────────

    async def start(self) -> dict[str, str]:
        """Start the fork server and one worker. Gives the worker's confinement: layer → "" or why not; or `PoolError`."""
        self.calls.loop = asyncio.get_running_loop()
        self._first_ready = self.calls.loop.create_future()
        try:
            self._supply.fork_server.start()
        except WorkerStartError as error:
            raise PoolError(f"no worker process can be started: {error}") from None
        self._supply.fill(1)
        try:
            async with asyncio.timeout(START_SECONDS):
                first = await self._first_ready
        except TimeoutError:
            raise PoolError(f"no worker process was ready within {START_SECONDS:.0f} s; goop2 doctor says what is missing") from None
        self.gaps = first.gaps
        return first.layers

    def run(self, invocation: Invocation) -> Coroutine[Any, Any, Outcome]:
        """Run an invocation on a worker, or wait for one; always return one outcome by the deadline."""
        tenant = OWNER_TENANT if invocation.caller.owner else invocation.caller.account
        return self._submit(tenant, invocation, time.monotonic(), invocation.deadline)

    async def compile(self, name: str, source: bytes) -> str:
        """Return "" when `source` compiles, else the compiler's message. Raises `CompileUnavailableError` when no worker could say."""
        now = time.monotonic()
        outcome = await self._submit(OWNER_TENANT, Compile(name, source), now, now + COMPILE_SECONDS)
        if outcome.code is ErrorCode.OK:
            return outcome.payload.decode("utf-8", "replace")
        if outcome.code is ErrorCode.TIMEOUT:
            return f"{name}:1: compiling takes longer than {COMPILE_SECONDS} s"
        raise CompileUnavailableError(outcome.payload.decode())

    async def compile_many(self, sources: Sequence[tuple[str, bytes]]) -> list[str] | None:
        """Return what `compile` does, for each source in turn; None when worker or time ended before the last, whichever was to blame."""
        now = time.monotonic()
        batch = Batch(tuple(Compile(name, source) for name, source in sources))
        outcome = await self._submit(OWNER_TENANT, batch, now, now + COMPILE_SECONDS)
        return batch.messages if outcome.code is ErrorCode.OK else None

    def lend(self, tenant: str, lease: Lease, deadline: float) -> Coroutine[Any, Any, Outcome]:
        """Lend a worker until it is given back; return how that ended, by the deadline."""
        return self._submit(tenant, lease, time.monotonic(), deadline)

    def check_operations(self) -> None:
        """Raise `PoolError` unless the operations that workers may ask the peer for are exactly those it can do."""
        if sentences := self._operations.forgotten():
            raise PoolError("; ".join(sentences))

    async def renew(self, setup: Setup, limits: InvocationLimits) -> None:
        """Run later calls with other settings; calls under way end as they began. Raises `PoolError`, and nothing is changed then."""
        try:
            is_other = self._supply.renew(setup)
        except WorkerStartError as error:
            raise PoolError(f"no worker process can be started: {error}") from None
        self._calls_per_worker = limits.calls_per_worker
        self._own_max_bytes = setup.memory_bytes + IDLE_OWN_MAX_BYTES
        for worker in list(self._idle) if is_other else ():
            self._replace(worker)

    async def stop(self) -> None:
        """End every worker and every waiting call. Idempotent."""
        for timer in (self._growing, self._shrinking, self._checking):
            if timer is not None:
                timer.cancel()
        self.calls.stop()
        await self._supply.stop()

    @property
    def worker_pids(self) -> tuple[int, ...]:
        """Return the process ids of the workers alive, for `doctor`, metrics and tests."""
        return tuple(worker.pid for worker in self._supply.alive)

    @property
    def operations(self) -> PeerOperations:
        """Return what the peer does for scripts."""
        return self._operations

    @property
    def waiting(self) -> int:
        """Return how many calls wait for a worker."""
        return len(self._queue)

    @property
    def fork_server_pid(self) -> int | None:
        """Return the process id of the fork server while it runs."""
        return self._supply.fork_server.pid

    # ── jobs ─────────────────────────────────────────────────────────────────────────────────

    def take(self, job: Job) -> bool:
        """Give a job that has just come to an idle worker, if its caller may have one; return whether it did (`Runner.take`)."""
        tenant = job.tenant
        worker = self._idle.take(tenant) if self._idle and (tenant == OWNER_TENANT or self._may_start(tenant)) else None
        if worker is None:
            return False
        self._assign(worker, job)
        return True

    def tick(self, now: float) -> None:
        """Start what may start by now, and watch calls that compute (`Runner.tick`)."""
        self.pull()  # a newcomer may have waited long enough in the queue
        for worker, job in self._running.items():
            if now - job.started >= COMPUTING_AFTER_SECONDS and job.tenant != OWNER_TENANT:  # the owner comes before all others
                worker.lower_if_computing()
        if self._fairness.strangers and self._free_soon(now) < self._warm and not self._supply.is_spawning and self._supply.has_room:
            self._supply.spawn()  # ready before the next short call comes, which should not wait for what loops

    def _free_soon(self, now: float) -> int:
        """Return how many strangers' workers are idle, or busy for so short a time that they are likely to be free in a moment."""
        return sum(worker.side is not Side.OWNER for worker in self._supply.alive) - sum(
            now - job.started >= GROW_AFTER_SECONDS for job in self._running.values() if job.tenant != OWNER_TENANT
        )

    def _look_for_places(self, job: Job) -> None:
        """Make room for a job that waits, or see to it that somebody looks again."""
        if self._idle and not self._idle.usable(job.tenant):
            self._make_room(job.tenant)
        wanted = self._idle or (job.tenant == OWNER_TENANT and self._fairness.owner_holds_none)
        if wanted and not self._supply.is_spawning and self._supply.has_room:
            self._supply.spawn()  # the owner has no worker at all, or the idle ones are for short calls: one comes now
        # Nothing else happens when the newcomer's time has come, so nobody would look at the queue then.
        if self._idle and self._fairness.waits_for_reserved_worker(job.tenant):
            asyncio.get_running_loop().call_later(NEWCOMER_SECONDS, self.pull)
        if self._growing is None:
            self._grow_later()

    def _may_start(self, tenant: str) -> bool:
        return self._fairness.may_start(tenant, self._idle.usable(tenant))

    def _make_room(self, tenant: str) -> None:
        """Replace an idle worker of the other side, where all places are taken and this caller may run."""
        if self._supply.has_room or self._leaving or not self._fairness.may_run(tenant):
            return
        other = other_side_of(tenant)
        for worker in self._idle:
            if worker.side is other:
                self._replace(worker)
                return

    def _replace(self, worker: WorkerProcess) -> None:
        """End an idle worker, or one that has just answered, and start another when it is gone."""
        if worker in self._idle:
            self._idle.remove(worker)  # it must not be given a job in its last moment
        self._leaving.add(worker)
        worker.kill()

    def _assign(self, worker: WorkerProcess, job: Job) -> None:
        self._running[worker] = job
        self._fairness.take(job.tenant)
        job.started = time.monotonic()
        worker.sample = None
        worker.allow_cpu(job.deadline)
        work = job.work
        if not isinstance(work, Invocation):
            if isinstance(work, Lease):
                self._lend(worker, job, work)
                return
            # Compiling leaves nothing behind, so it fixes no side; a strangers' worker is not asked.
            worker.send_all(work.sources if isinstance(work, Batch) else (work,))
            return
        if worker.side is None:
            self._fix_side(worker, job)
        worker.calls += 1
        script = work.script
        # A worker keeps what it compiled: sending a source of 1 MB with each call would cost more than the call.
        source = None if worker.knows(script.version) else script.source
        worker.send(
            Invoke(
                script.invoked_as,
                script.name,
                script.version,
                source,
                work.argument,
                work.caller.id,
                work.caller.label or work.caller.id,
                work.deadline - job.started,
                work.caller.email,
                work.clock,
            )
        )

    def _fix_side(self, worker: WorkerProcess, job: Job) -> None:
        worker.side = side_of(job.tenant)
        self._supply.fill(self._warm)

    def _lend(self, worker: WorkerProcess, job: Job, lease: Lease) -> None:
        """Give a worker to a call that runs elsewhere, for its operations on the database."""
        if worker.side is None:
            self._fix_side(worker, job)
        worker.calls += 1
        script, caller, left = lease.invocation.script, lease.invocation.caller, job.deadline - job.started
        worker.send(Lend(Invoke(script.invoked_as, script.name, b"", None, b"", caller.id, caller.label, left, caller.email)))
        lease.on_worker(worker)

    def abandon(self, job: Job) -> None:
        """End the worker that runs `job`: nothing inside a VM can be trusted to stop (`Runner.abandon`)."""
        for worker, running in self._running.items():
            if running is job:
                worker.kill()
                return

    def _release(self, worker: WorkerProcess) -> Job | None:
        job = self._running.pop(worker, None)
        if job is not None:
            self._fairness.release(job.tenant, time.monotonic() - job.started)
        return job

    def pull(self) -> None:
        """Give idle workers the waiting jobs, in fair order (`Runner.pull`)."""
        while self._idle and not self.calls.stopped and len(self._queue):
            job = self._queue.take(self._may_start)
            worker = None if job is None else self._idle.take(job.tenant)
            if job is None or worker is None:
                return
            self._assign(worker, job)

    # ── what workers tell (worker.WorkerEvents) ──────────────────────────────────────────────

    def worker_ready(self, worker: WorkerProcess) -> None:
        """Add a worker that has started to the idle ones."""
        if self._first_ready is not None and not self._first_ready.done():
            self._first_ready.set_result(worker)
        if worker.outdated:
            self._replace(worker)
            return
        self._idle.append(worker)
        self.pull()

    def worker_done(self, worker: WorkerProcess, message: Done | Compiled) -> None:
        """Give the worker's job its outcome, and start the next one."""
        job = self._running.get(worker)
        work = None if job is None else job.work
        outcome: Outcome | None
        if job is not None and isinstance(work, Invocation) and isinstance(message, Done):
            if message.code == UNKNOWN_VERSION:
                self._send_again(worker, job)
                return
            outcome = outcome_of(message, work, job.started - job.accepted)
            if time.monotonic() >= job.deadline:
                outcome = too_late(outcome)  # an SQL statement that the deadline ended is no answer a script may go on with
            spent = message.spent
        elif job is not None and isinstance(work, Compile | Batch) and isinstance(message, Compiled):
            outcome, spent = verdict(work, message.message), False
            if outcome is None:
                return
        elif job is not None and isinstance(work, Lease) and isinstance(message, Done):
            outcome, spent = outcome_of(message, work.invocation, 0.0), message.spent
        else:
            raise WorkerProtocolError("an outcome nobody waits for")
        self._release(worker)
        if spent or worker.outdated or worker.calls >= self._calls_per_worker or not worker.raise_again():
            self._replace(worker)  # after so many calls, or when it holds too much memory, or is too slow, for the next honest script
        else:
            self._idle.append(worker)
            if self._checking is None:
                self._checking = asyncio.get_running_loop().call_later(IDLE_CHECK_SECONDS, self._check_idle)
        self._finish(job, outcome)
        self.pull()

    def _send_again(self, worker: WorkerProcess, job: Job) -> None:
        assert isinstance(job.work, Invocation)
        worker.forget(job.work.script.version)
        self._release(worker)
        self._assign(worker, job)

    def worker_log(self, worker: WorkerProcess, message: Log) -> None:
        """Add a log line to the run of the worker's invocation."""
        job = self._running.get(worker)
        if job is None or not isinstance(job.work, Invocation):
            raise WorkerProtocolError("a log line without a run")
        if job.work.log is None:
            job.work.log = RunLog()
        job.work.log.append(message.level, message.text)

    def worker_call(self, worker: WorkerProcess, message: HostCall) -> None:
        """Start the operation of the peer that the worker's script asks for."""
        self._answering.begin(worker, self._running.get(worker), message)

    def worker_data(self, worker: WorkerProcess, message: DataAnswer) -> None:
        """Hand on what a lent worker answered."""
        job = self._running.get(worker)
        if job is None or not isinstance(job.work, Lease):
            raise WorkerProtocolError("an answer of the database that nobody asked for")
        job.work.on_answer(message)

    def worker_broke_protocol(self, worker: WorkerProcess, reason: str) -> None:
        """Tell the owner what was running on it: native code may have taken the worker over."""
        self.protocol_violations += 1
        running = described(self._running.get(worker))
        log.error("a worker broke the protocol and was ended", reason=reason[:REASON_MAX_CHARS], pid=worker.pid, **running)

    def worker_lost(self, worker: WorkerProcess) -> None:
        """Fail its job alone, and replace it."""
        self._supply.lose(worker)
        if worker in self._idle:
            self._idle.remove(worker)
        job = self._release(worker)
        if job is not None:
            self._finish_lost(worker.pid, job)
        self._ended.pop(worker.pid, None)
        if self.calls.stopped:
            return
        # A worker that was ready and died is replaced at once; one that died before waits, so that births and deaths are no busy loop.
        leaving = worker in self._leaving
        self._leaving.discard(worker)
        if self._supply.count < self._warm or (leaving and self._supply.has_room):
            self._supply.spawn(0.0 if worker.ready else RESPAWN_SECONDS)
        self.pull()  # its caller may hold a worker again
        if len(self._queue):
            self._grow_later()

    def _finish_lost(self, pid: int, job: Job) -> None:
        """Finish the job of a worker that is gone, once its exit status is known; without a fork server it never comes, so not for ever."""
        if pid in self._ended:
            self._finish(job, ENDED_BY.get(self._ended[pid], WORKER_LOST))
            return
        self._lost[pid] = job
        asyncio.get_running_loop().call_later(EXIT_REPORT_SECONDS, self._worker_exited, pid, 0)

    def _worker_exited(self, pid: int, status: int) -> None:
        job = self._lost.pop(pid, None)
        if job is not None:
            self._finish(job, ENDED_BY.get(status, WORKER_LOST))
        elif any(worker.pid == pid for worker in self._supply.alive):
            self._ended[pid] = status
        if not self.calls.stopped and status not in (0, -signal.SIGKILL, -signal.SIGALRM):
            log.warning("worker ended unexpectedly", pid=pid, status=status)

    # ── how many ─────────────────────────────────────────────────────────────────────────────

    def _grow(self) -> None:
        """Start one more worker when the queue stands still, or when there are processors for one; look again while anybody waits."""
        self._growing = None
        job = self._queue.peek(self._fairness.may_run)
        if job is None:
            return
        if not self._supply.has_room:
            if not self._idle.usable(job.tenant):
                self._make_room(job.tenant)
                self._grow_later()
            return
        if len(self._supply.alive) < self._computing or time.monotonic() - job.accepted >= GROW_AFTER_SECONDS:
            self._supply.spawn()
        self._grow_later()

    def _grow_later(self) -> None:
        if self._growing is None:
            self._growing = asyncio.get_running_loop().call_later(GROW_AFTER_SECONDS, self._grow)

    def _shrink(self) -> None:
        """End one worker beyond the warm ones after a while without need."""
        self._shrinking = None
        if self.calls.stopped or len(self._supply.alive) <= self._warm:
            return
        # While strangers hold workers, one that is idle may be the only one a short call can start on.
        spare = not self._fairness.strangers or self._free_soon(time.monotonic()) > self._warm
        if self._idle and not len(self._queue) and spare:
            self._idle.pop(0).kill()  # out of the idle first: it must not be given a job in its last moment
        self._shrinking = asyncio.get_running_loop().call_later(IDLE_WORKER_SECONDS, self._shrink)

    def _check_idle(self) -> None:
        """End idle workers that compute, grow, hold a lock or are too large, and replace those that are old; again while there are any."""
        self._checking = None
        used = [worker for worker in self._idle if worker.calls]
        holders = lock_holders({worker.pid for worker in used})
        for worker in used:
            fault = "it holds a lock of the database" if worker.pid in holders else worker.idle_fault(self._own_max_bytes)
            if fault:
                log.error("an idle worker was ended", reason=fault, pid=worker.pid)
            if fault or time.monotonic() - worker.born >= WORKER_LIFE_SECONDS:
                self._replace(worker)
        if used or self._running:
            self._checking = asyncio.get_running_loop().call_later(IDLE_CHECK_SECONDS, self._check_idle)

    def _look_for_need(self) -> None:
        """Look after a while whether the worker that was started is still needed."""
        if self._shrinking is None and self._supply.count > self._warm:
            self._shrinking = asyncio.get_running_loop().call_later(IDLE_WORKER_SECONDS, self._shrink)

    def _fail_waiting(self) -> None:
        """Fail the waiting calls that no living worker may serve, because no worker can be started."""
        sides = {worker.side for worker in self._supply.alive}
        self.calls.fail_waiting(NO_WORKER, lambda job: sides.isdisjoint((None, side_of(job.tenant))))
