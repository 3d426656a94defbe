"""What the peer does for scripts: each host call is checked against its declaration, done, and answered.

What a worker sends is not trusted: the VM applies the declaration first, and it is applied here again. It must not know what an operation
means.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from typing import Final, Protocol

import structlog

from goop2.sandbox.answers import raised, with_failure_form
from goop2.sandbox.framing import WorkerProtocolError
from goop2.sandbox.messages import HostCall, HostCallAnswer, OperationRule
from goop2.scripting.api import FUNCTIONS, PRIVATE, ExecutionSite
from goop2.scripting.api.declaration import operations
from goop2.scripting.api.rules import forgotten, peer_calls
from goop2.scripting.api.testing import TESTING
from goop2.scripting.invocation import Invocation, PeerOperation
from goop2.scripting.job import Job

log = structlog.get_logger(__name__)

PEER_CALLS: Final = peer_calls((*FUNCTIONS, *PRIVATE, *TESTING))
"""What a worker may ask of the peer, and how."""


class Asking(Protocol):
    """Whoever asks for an operation of the peer: a worker here, or a call that runs on another machine."""

    def send(self, message: HostCallAnswer) -> None:
        """Take the answer to the operation, once for each that was begun."""

    def end_for_breach(self, breach: WorkerProtocolError) -> None:
        """End what asked for something that no script can make an honest worker ask."""


class HostOperations(Protocol):
    """Whoever answers the host calls of workers."""

    def begin(self, worker: Asking, job: Job | None, message: HostCall) -> None:
        """Start an operation; the answer is sent later. Raises `WorkerProtocolError`."""


class PeerOperations:
    """The operations the peer lends to its scripts."""

    def __init__(self, lent: Mapping[str, PeerOperation], rules: tuple[OperationRule, ...]) -> None:
        """`lent`: name → operation; parts of the peer may still add theirs, since it is looked at with each call.

        `rules`: what workers are told.
        """
        self.lent = lent
        self._declared = frozenset(rule.name for rule in rules if rule.in_peer)

    def forgotten(self) -> list[str]:
        """Return a sentence for each operation that workers may ask for and nobody lent, and for each lent and not declared."""
        declared = [function for function in operations((*FUNCTIONS, *PRIVATE, *TESTING)) if function.name in self._declared]
        return forgotten(declared, {ExecutionSite.PEER: self.lent})

    def begin(self, worker: Asking, job: Job | None, message: HostCall) -> None:
        """Start an operation for a worker; the answer is sent to it later, everything else continues meanwhile.

        Raises `WorkerProtocolError` for a call that no script can make an honest worker send.
        """
        operation = self.lent.get(message.operation)
        declared = PEER_CALLS.get(message.operation)
        if job is None or job.call is not None or operation is None or declared is None or not isinstance(job.work, Invocation):
            raise WorkerProtocolError("a host call out of place")
        if declared.functions_only and job.work.script.kind == "command":
            raise WorkerProtocolError(f"a command asked for goop.{message.operation}, which is for data functions only")
        if breach := declared.breach(message.arguments):
            raise WorkerProtocolError(f"goop.{message.operation} {breach}")
        job.asked = message, time.monotonic()
        job.call = asyncio.get_running_loop().create_task(_answer(worker, operation, job, message))


async def _answer(worker: Asking, operation: PeerOperation, job: Job, message: HostCall) -> None:
    assert isinstance(job.work, Invocation)
    try:
        answer = await operation(job.work, *message.arguments)
    except WorkerProtocolError as breach:
        job.call = None  # it is this task, which is to end by itself
        worker.end_for_breach(breach)
        return
    except Exception:
        log.exception("host operation failed", operation=message.operation)
        answer = raised(f"goop.{message.operation} failed in the peer")
    job.call = None
    shape, *values = with_failure_form(answer, PEER_CALLS[message.operation].failure)
    job.note_answer(tuple(values), time.monotonic())
    worker.send(HostCallAnswer(shape, tuple(values)))
