"""Outcomes: those that need no worker, and what a worker reports of a run.

The worker may have been taken over, so its report is checked as far as that is cheap: what is copied into answers to others must not end a
line there, and has a limited size. Its reader finds out whether it is JSON.
"""

from __future__ import annotations

import signal

import msgspec

from goop2.sandbox.framing import WorkerProtocolError
from goop2.sandbox.messages import Done
from goop2.scripting.invocation import ErrorCode, Invocation, Outcome
from goop2.scripting.limits import ERROR_MAX_BYTES, RESULT_MAX_BYTES

TIMED_OUT = Outcome(ErrorCode.TIMEOUT, b"script timed out")
QUEUE_FULL = Outcome(ErrorCode.UNAVAILABLE, b"too many calls are waiting; try again later")
WORKER_LOST = Outcome(ErrorCode.UNAVAILABLE, b"the worker of this call ended; the call may have been carried out")
CRASHED = b"the worker process of this call crashed: most often that is endless recursion through string.gsub, table.sort or coroutines"
ENDED_BY = {
    -signal.SIGALRM: Outcome(ErrorCode.SCRIPT_ERROR, b"goop.db held the database longer than a second; what it wrote was undone"),
    -signal.SIGSEGV: Outcome(ErrorCode.SCRIPT_ERROR, CRASHED),
}
"""Status of a worker's process → what its call is told, where that is known to be the script's doing. Any other end, such as being
killed from outside, a broken protocol or a machine short of memory, is WORKER_LOST. The alarm is sandbox/data_calls.py's, and LuaJIT
does not count how deep C functions call each other, so that there the stack's end is met."""
NO_WORKER = Outcome(ErrorCode.UNAVAILABLE, b"no worker process can be started now; try again later")
STOPPED = Outcome(ErrorCode.UNAVAILABLE, b"the peer is stopping")


def too_late(outcome: Outcome) -> Outcome:
    """Return the outcome of a run that ended after its deadline: a time-out, with the record of what it did."""
    return msgspec.structs.replace(outcome, code=TIMED_OUT.code, payload=TIMED_OUT.payload, error_code="", traceback="")


_CODES = {code.value: code for code in ErrorCode}
_OK = ErrorCode.OK  # looked up in the class it costs as much as a call


def outcome_of(message: Done, work: Invocation, waited_seconds: float) -> Outcome:
    """Return the outcome of `work` as its worker reports it. Raises `WorkerProtocolError` for an impossible one."""
    code = _CODES.get(message.code)
    if code is None:
        raise WorkerProtocolError(f"unknown error class {message.code!r}")
    if code is not _OK:
        if len(message.payload) > ERROR_MAX_BYTES:
            raise WorkerProtocolError(f"an error message of {len(message.payload)} bytes")
    elif work.script.kind != "command":
        _check_result(message.payload)
    return Outcome(
        code,
        message.payload,
        message.memory_bytes,
        waited_seconds,
        message.calls,
        message.file_fault,
        message.error_code,
        message.traceback,
    )


def _check_result(result: bytes) -> None:
    if not result or len(result) > RESULT_MAX_BYTES:
        raise WorkerProtocolError(f"a result of {len(result)} bytes")
    # It is copied into answers to others, where a line break could begin a forged part.
    if b"\n" in result:
        raise WorkerProtocolError("a result of several lines")
    # Nearly all are ASCII, which is UTF-8; only the others are looked at.
    if not result.isascii():
        try:
            result.decode()
        except UnicodeDecodeError:
            raise WorkerProtocolError("a result that is not UTF-8") from None
