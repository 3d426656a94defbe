"""One call on another machine, as its owner holds it: what the node tells of it, and what it asks the owner for.

Operations of the peer are checked and done as for a worker here. Operations on the database go to a worker of this machine that is lent for
the rest of the call, so that a transaction ends by its alarm even if the node vanishes. It must not know credit or loss.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

import msgspec

from goop2.cluster.messages import Asked, Cancel, Ended, HostAnswer, Logged, OfCall
from goop2.cluster.nodes import KnownNode
from goop2.cluster.placement import DATA_OPERATIONS
from goop2.sandbox.answers import raised
from goop2.sandbox.framing import WorkerProtocolError
from goop2.sandbox.messages import UNKNOWN_VERSION, DataAnswer, DataCall, Done, HostCall, HostCallAnswer, Return, Scalar
from goop2.scripting.invocation import ErrorCode, Invocation, Outcome
from goop2.scripting.job import Job, Lease
from goop2.scripting.outcomes import outcome_of, too_late
from goop2.scripting.runs import RunLog
from goop2.scripting.worker import WorkerProcess

if TYPE_CHECKING:
    from goop2.cluster.far_runner import FarRunner


class FarCall:
    """A job that a node has: it ends with one outcome, by the node's word or by that of its runner."""

    def __init__(self, runner: FarRunner, node: KnownNode, job: Job, work: Invocation, number: int) -> None:
        self.node, self.job, self.id = node, job, number
        self.heard_of = False
        """Whether the node has said anything of it: then it may have been begun."""
        self._runner = runner
        self._work = work
        self._resent = False
        self._asking: int | None = None
        """Number of the question under way."""
        self._lease: asyncio.Task[Outcome] | None = None
        self._worker: WorkerProcess | None = None
        self._first: DataCall | None = None
        """What is asked of the lent worker once there is one."""
        self._in_transaction = False
        self._busy = self._file_fault = b""
        self._ended: Outcome | None = None
        """How the call ended, until the lent worker has undone what was left open."""
        self._over = False

    def hear(self, message: OfCall) -> None:
        """Take what the node tells. Raises `WorkerProtocolError` for what no honest node sends."""
        self.heard_of = True
        match message:
            case Ended():
                self._end(message)
            case Asked():
                self._ask(message)
            case Logged():
                if self._work.log is None:
                    self._work.log = RunLog()
                self._work.log.append(message.level, message.text)

    def stop(self) -> None:
        """Let nothing more happen for it; a lent worker undoes what was left open. Idempotent."""
        self._over = True
        if self._worker is not None:
            self._worker.send(Return())
            self._worker = None
        elif self._lease is not None and self._first is not None:
            self._lease.cancel()

    # ── how it ends ──────────────────────────────────────────────────────────────────────────

    def _end(self, message: Ended) -> None:
        if message.code == UNKNOWN_VERSION:
            # Once: a node that forgets what it was just sent, or says so in the middle of a call, would have us send sources for ever.
            if self._resent or self._asking is not None:
                raise WorkerProtocolError("a version it was sent is not known to it")
            self._resent = True
            self._runner.send_call(self, with_source=True)
            return
        if self._ended is not None:
            raise WorkerProtocolError("two ends of one call")
        outcome = self._outcome(message)
        if self._worker is None:
            self._runner.finish(self, outcome)
            return
        # The outcome waits for the lent worker: a transaction that the script left open must be undone before the caller sees an answer.
        self._ended = outcome
        self._worker.send(Return())
        self._worker = None

    def _outcome(self, message: Ended) -> Outcome:
        now = time.monotonic()
        waited = max(0.0, now - self.job.accepted - message.work_seconds)
        fault = self._file_fault.decode("utf-8", "replace")
        done = Done(
            message.code,
            message.payload,
            message.memory_bytes,
            message.calls,
            fault,
            error_code=message.error_code,
            traceback=message.traceback,
        )
        outcome = outcome_of(done, self._work, waited)
        # The script passed on our own sentence that the database was busy: that is the peer's fault and not an error of the script.
        if self._busy and outcome.code is ErrorCode.SCRIPT_ERROR and self._busy in outcome.payload:
            outcome = msgspec.structs.replace(outcome, code=ErrorCode.UNAVAILABLE)
        return too_late(outcome) if now >= self.job.deadline else outcome

    # ── what it asks for ─────────────────────────────────────────────────────────────────────

    def _ask(self, message: Asked) -> None:
        if self._asking is not None or self._ended is not None:
            raise WorkerProtocolError("a question out of place")
        self._asking = message.number
        if message.operation in DATA_OPERATIONS:
            # Each question costs a way there and back, so the next call of this version runs here, beside its data.
            self._runner.placement.touches_data(self._work.script.version)
            self._ask_database(DataCall(message.operation.encode(), message.arguments))
        elif self._in_transaction:
            # As a worker here refuses it: an operation of the peer takes its time, and meanwhile nobody else could write.
            shape, *values = raised(f"goop.{message.operation} is not available inside goop.db.transaction")
            self._answer(shape, tuple(values))
        else:
            self._runner.operations.begin(self, self.job, HostCall(message.operation, message.arguments))

    def send(self, message: HostCallAnswer) -> None:
        """Take the answer of the peer's operation (`Asking.send`)."""
        self._answer(message.shape, message.values)

    def end_for_breach(self, breach: WorkerProtocolError) -> None:
        """End the call for what it asked (`Asking.end_for_breach`)."""
        self._runner.break_off(self, str(breach))

    def _answer(self, shape: bytes, values: tuple[Scalar, ...]) -> None:
        number, self._asking = self._asking, None
        if number is None or self._over:
            return
        if not self._runner.tell(self.node, HostAnswer(self.id, number, shape, values)):
            # The node waits for an answer to its number: without one the call would hang until its deadline.
            refusal, *why = raised("the answer is larger than what the cluster's server carries (max_payload)")
            self._runner.tell(self.node, HostAnswer(self.id, number, refusal, tuple(why)))

    # ── the lent worker ──────────────────────────────────────────────────────────────────────

    def _ask_database(self, call: DataCall) -> None:
        if self._worker is not None:
            self._worker.send(call)
            return
        if self._lease is not None:
            raise WorkerProtocolError("a question without a worker")
        self._first = call
        lease = Lease(self._work, self._take_worker, self._take_answer)
        self._lease = asyncio.get_running_loop().create_task(self._runner.lend(self.job, lease))
        self._lease.add_done_callback(self._lease_over)

    def _take_worker(self, worker: WorkerProcess) -> None:
        call, self._first = self._first, None
        # The call ended while it waited for this worker: the worker goes back at once.
        if self._over or call is None:
            worker.send(Return())
            return
        self._worker = worker
        worker.send(call)

    def _take_answer(self, answer: DataAnswer) -> None:
        self._in_transaction = answer.in_transaction
        self._busy = answer.busy
        self._file_fault = answer.file_fault.encode() or self._file_fault
        self._answer(answer.shape, answer.values)

    def _lease_over(self, lease: asyncio.Task[Outcome]) -> None:
        """End the call with its lease: in order, or because the lent worker was ended."""
        self._worker = None
        if lease.cancelled() or self._over:
            return
        outcome = lease.result()
        if outcome.code is ErrorCode.OK and self._ended is not None:
            self._runner.finish(self, self._ended)
            return
        # A copy: QUEUE_FULL itself would say that the call never began.
        self._runner.tell(self.node, Cancel(self.id))
        self._runner.finish(self, msgspec.structs.replace(outcome, calls=self.job.host_calls))
