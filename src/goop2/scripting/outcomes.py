"""What a worker says its run came to, as an outcome.

The worker may have been taken over, so its word is looked at as far as that is cheap: what is copied into answers to others must
not end a line there, and has the size a result may have. Whether it is JSON its reader finds out.
"""

from __future__ import annotations

from goop2.sandbox.framing import WorkerProtocolError
from goop2.sandbox.messages import Done
from goop2.scripting.invocation import ErrorCode, Invocation, Outcome
from goop2.scripting.limits import ERROR_MAX_BYTES, RESULT_MAX_BYTES

_CODES = {code.value: code for code in ErrorCode}
_OK = ErrorCode.OK  # looked up in the class it costs as much as a call


def outcome_of(message: Done, work: Invocation, waited_seconds: float) -> Outcome:
    """Return the outcome of `work` as its worker tells it. Raises `WorkerProtocolError` for what no run comes to."""
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
    if b"\n" in result:
        raise WorkerProtocolError("a result of several lines")
    if not result.isascii():
        try:
            result.decode()
        except UnicodeDecodeError:
            raise WorkerProtocolError("a result that is not UTF-8") from None
