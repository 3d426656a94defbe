"""The jobs of the pool: an invocation, or sources to compile, from acceptance to one outcome.

Nothing here does anything. Ten thousand jobs a second pass through the pool: hence structs, not dataclasses.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import msgspec

from goop2.sandbox.call_details import detail_of
from goop2.sandbox.host_calls import CALLS_RECORDED_MAX
from goop2.sandbox.messages import Compile, DataAnswer, HostCall, Scalar
from goop2.scripting.fairness import OWNER_TENANT
from goop2.scripting.invocation import ErrorCode, Invocation, Outcome
from goop2.scripting.outcomes import TIMED_OUT
from goop2.scripting.worker import Side, WorkerProcess
from goop2.storage.run_record import HostCallRecord


class Batch(msgspec.Struct, eq=False):
    """Sources that one worker compiles one after the other."""

    sources: tuple[Compile, ...]
    messages: list[str] = []
    """Verdicts of the compiler, one a source, as they come."""

    @property
    def script(self) -> str:
        """Return the name of the script that is being compiled."""
        return self.sources[min(len(self.messages), len(self.sources) - 1)].script


class Lease(msgspec.Struct, eq=False):
    """A worker wanted for the operations on the database of a call that runs on another machine."""

    invocation: Invocation
    on_worker: Callable[[WorkerProcess], None]
    """Is told which worker it is, once."""
    on_answer: Callable[[DataAnswer], None]

    @property
    def script(self) -> str:
        """Return the name of the script that asks."""
        return self.invocation.script.name


class Job(msgspec.Struct, eq=False):
    """One piece of work for a worker. Times are `time.monotonic()`."""

    tenant: str
    """Whom the queue and the worker counts take the caller for."""
    work: Invocation | Compile | Batch | Lease
    outcome: asyncio.Future[Outcome]
    accepted: float
    deadline: float
    started: float = 0.0
    """When a worker took it."""
    call: asyncio.Task[None] | None = None
    """The operation of the peer under way for it."""
    asked: tuple[HostCall, float] | None = None
    """What that operation was asked by, and when."""
    host_calls: tuple[HostCallRecord, ...] = ()
    """What the peer has done for it, for the record of a run whose worker is ended before it can say so."""

    def note_answer(self, values: tuple[Scalar, ...], now: float) -> None:
        """Record that the operation under way is over."""
        if self.asked is None:
            return
        message, begun = self.asked
        self.asked = None
        if len(self.host_calls) < CALLS_RECORDED_MAX:
            detail = detail_of(message.operation, message.arguments, values)
            started, duration = 1000.0 * (begun - self.started), 1000.0 * (now - begun)
            self.host_calls += (HostCallRecord(message.operation, started, duration, detail),)


def timed_out(job: Job, now: float) -> Outcome:
    """Return the outcome of a job whose time is over, with what the peer did for it, the operation under way included."""
    job.note_answer((), now)
    waited = job.started - job.accepted if job.started else now - job.accepted
    return msgspec.structs.replace(TIMED_OUT, calls=job.host_calls, waited_seconds=waited)


def described(job: Job | None) -> dict[str, str]:
    """Return script and caller of a job for the log; "" for missing ones."""
    work = job.work if job is not None else None
    if isinstance(work, Invocation):
        return {"script": work.script.name, "caller": work.caller.id}
    return {"script": work.script if work is not None else "", "caller": ""}


def verdict(work: Compile | Batch, message: str) -> Outcome | None:
    """Return the outcome of a compilation whose compiler said `message`; None while more of a batch is to come."""
    if isinstance(work, Compile):
        return Outcome(ErrorCode.OK, message.encode())
    work.messages.append(message)
    return Outcome(ErrorCode.OK, b"") if len(work.messages) >= len(work.sources) else None


_OWNERS, _STRANGERS = Side.OWNER, Side.STRANGERS  # looked up in the class they cost as much as a call


def side_of(tenant: str) -> Side:
    """Return which workers serve this tenant."""
    return _OWNERS if tenant == OWNER_TENANT else _STRANGERS


def other_side_of(tenant: str) -> Side:
    """Return which workers never serve this tenant."""
    return _STRANGERS if tenant == OWNER_TENANT else _OWNERS
