"""A command or a call, from name to outcome: the whole policy on one page.

    is Lua on → find the script → may this caller now (rate) → run it on the pool → say how it went

Everyone who lets scripts be called (chat, web, network, command line) comes through here, and only here. It knows who calls but not from
where; it must not know a protocol.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from typing import Final

import msgspec

from goop2.sandbox.messages import GROUP_CLOSE, SCHEDULE
from goop2.scripting.catalog import BrokenScript, Catalog, Script
from goop2.scripting.command_text import command_of
from goop2.scripting.invocation import Caller, ErrorCode, Invocation, Outcome
from goop2.scripting.limits import BUSY_RETRY_SECONDS, PARAMS_MAX_BYTES, REPLY_MAX_BYTES, InvocationLimits
from goop2.scripting.outcomes import QUEUE_FULL
from goop2.scripting.pool import Pool
from goop2.scripting.printable import printable
from goop2.scripting.rate_limit import RateLimiter
from goop2.scripting.runs import Runs
from goop2.storage.run_record import KEPT_VALUE_MAX_BYTES, Run

Recorded = Callable[[Run], None]
"""Is handed the record of a run that began."""
TRUNCATED: Final = "... (truncated)"
DISABLED: Final = "Lua is disabled in goop.json (lua.enabled)"
MAYBE_DONE: Final = "this call may have been carried out"
RATE_LIMITED_REPLY: Final = "Rate limit exceeded. Try again later."
RATE_LIMIT_MET: Final = "rate limit exceeded"
"""Begins what the owner reads of a call that was turned away for it; the limit follows."""
NAME_SHOWN_CHARS: Final = 64
"""How much of a name a stranger made up is said back."""
_MILLISECONDS = 1000.0
_OK = ErrorCode.OK  # looked up in the class it costs as much as a call
_PLACE = re.compile(r"[A-Za-z0-9_-]+:(\d+): ")


class Failure(msgspec.Struct, frozen=True, gc=False):
    """The reason why a call gave no result, for the caller (behaviour.md, "Data functions")."""

    code: ErrorCode
    message: str
    script: str | None = None
    line: int | None = None
    retry_after_seconds: float | None = None
    detail: dict[str, str] | None = None
    """`{"code": …}` of the table the script raised."""


class Success(msgspec.Struct, frozen=True, gc=False):
    """The result of a data function, as JSON text."""

    json: bytes


class Reply(msgspec.Struct, frozen=True):
    """The answer of a chat command; `text` is "" when nothing is to be sent."""

    text: str
    failure: Failure | None = None


class Engine:
    """Runs the scripts of one peer for whoever calls."""

    def __init__(
        self,
        *,
        catalog: Catalog,
        pool: Pool,
        limits: InvocationLimits,
        runs: Runs,
        unusable: Callable[[], str] = lambda: "",
        judge_file_fault: Callable[[str], str] = lambda why: why,
        fenced: Callable[[], str] | None = None,
    ) -> None:
        """`unusable`: why no script may run, "" when they may. `judge_file_fault`: given the error of the database file that a run met,
        says why the run cannot be held against its script, or "". `fenced`: why this peer may answer nobody now, or "" (a lost lease)."""
        self._unusable = unusable
        self._fenced = fenced
        self._judge_file_fault = judge_file_fault
        self._catalog = catalog
        self._pool = pool
        self._limits = limits
        self._runs = runs
        self._rate = RateLimiter(limits.rate_per_caller, limits.rate_global, time.monotonic)
        self.clock: float | None = None
        """What the time is for scripts, in seconds since 1970; None for the real one. For tests."""

    @property
    def enabled(self) -> bool:
        """Return whether scripts run at all (lua.enabled)."""
        return self._limits.enabled

    def use(self, limits: InvocationLimits) -> None:
        """Use other limits from the next call on. Calls of the last minute still count."""
        self._limits = limits
        self._rate.use(limits.rate_per_caller, limits.rate_global)

    async def command(self, caller: Caller, message: str, recorded: Recorded | None = None) -> Reply:
        """Answer a direct message that begins with `!` (behaviour.md, "Chat commands"). `recorded` is handed the record of the run."""
        name, arguments = _split(message)
        if not name:
            return Reply("")
        if not self._limits.enabled:
            return Reply("", Failure(ErrorCode.UNAVAILABLE, DISABLED))
        script = self._catalog.command(name)
        if script is None:
            failure = _unknown(name)
            self._refused(caller, "command", failure, arguments.encode("utf-8", "replace"), printable(name, NAME_SHOWN_CHARS))
            return Reply(failure.message, failure)
        argument = arguments.encode("utf-8", "replace")
        if len(argument) > PARAMS_MAX_BYTES:
            failure = Failure(ErrorCode.BAD_REQUEST, f"the message is {len(argument)} bytes; the most is {PARAMS_MAX_BYTES}", script.name)
            self._refused(caller, "command", failure, argument)
            return Reply(_failure_text(failure), failure)
        answer = await self._run(script, caller, argument, recorded)
        if isinstance(answer, bytes):
            return Reply(reply_text(answer))
        if isinstance(script, Script) and script.of_function and answer.code is ErrorCode.NOT_FOUND:
            self._catalog.lacks_handle(script)
            answer = _unknown(name)
            return Reply(answer.message, answer)
        return Reply(_failure_text(answer), answer)

    async def call(self, caller: Caller, function: str, params: bytes = b"{}", recorded: Recorded | None = None) -> Success | Failure:
        """Call a data function; `params` is JSON text (behaviour.md, "Data functions"). `recorded` is handed the record of the run."""
        if not self._limits.enabled:
            return Failure(ErrorCode.UNAVAILABLE, DISABLED)
        shown = printable(function, NAME_SHOWN_CHARS)
        if len(params) > PARAMS_MAX_BYTES:
            failure = Failure(ErrorCode.BAD_REQUEST, f"params are {len(params)} bytes of JSON; the most is {PARAMS_MAX_BYTES}")
            return self._refused(caller, "function", failure, params, shown)
        script = self._catalog.function(function)
        if script is None:
            return self._refused(caller, "function", Failure(ErrorCode.NOT_FOUND, f"unknown function: {shown}"), params, shown)
        answer = await self._run(script, caller, params, recorded)
        return Success(answer) if isinstance(answer, bytes) else answer

    async def group_closed(self, owner: Caller, group: str) -> None:
        """Tell every data function that has an `on_group_close` that a group has ended, one after the other, as the owner."""
        if self._limits.enabled:
            for script in self._catalog.listeners(GROUP_CLOSE):
                await self._run(script, owner, group.encode(), None)

    async def scheduled(self, owner: Caller, script: Script, event: bytes, recorded: Recorded) -> None:
        """Call the `run` of a data function (`Catalog.listeners`) as the owner; `event` is JSON text."""
        if self._limits.enabled:
            await self._run(script, owner, event, recorded)

    async def tested(self, owner: Caller, script: Script, argument: bytes, recorded: Recorded) -> bytes | Failure:
        """Run a file of tests (sandbox/testing.lua): return their names, or what came of the one whose place `argument` says."""
        return await self._run(script, owner, argument, recorded)

    def forget_calls(self) -> None:
        """Begin to count calls anew, for tests: each has the limits of a fresh minute."""
        self._rate = RateLimiter(self._limits.rate_per_caller, self._limits.rate_global, time.monotonic)

    async def _run(self, script: Script | BrokenScript, caller: Caller, argument: bytes, recorded: Recorded | None) -> bytes | Failure:
        if isinstance(script, BrokenScript):
            broken = Failure(ErrorCode.SCRIPT_ERROR, script.fault.located(script.name), script.name, script.fault.line)
            return self._refused(caller, script.kind, broken, argument)
        # Before anything that costs: a refused call must not reach the pool. The owner is never limited.
        if not caller.owner and (refused := self._refuse_rate(script, caller)):
            limit = self._rate.limit_met(script.name, script.annotations.rate_limit)
            return self._refused(caller, script.kind, refused, argument, told=f"{RATE_LIMIT_MET}: {limit}")
        if why := self._unusable():
            return self._refused(caller, script.kind, Failure(ErrorCode.UNAVAILABLE, why, script.name), argument)
        # The deadline counts from here, so waiting for a worker uses it up too; the wall clock is only shown.
        begun, accepted = time.time(), time.monotonic()
        invocation = Invocation(script, argument, caller, accepted + self._limits.timeout_seconds, clock=self.clock)
        outcome = await self._pool.run(invocation)
        # What ended after the lease may be known to no other machine: nobody is told that it was done.
        if self._fenced is not None and (why := self._fenced()):
            outcome = msgspec.structs.replace(outcome, code=ErrorCode.UNAVAILABLE, payload=f"{why}; {MAYBE_DONE}".encode(), file_fault="")
        # A full disk or a damaged file makes scripts fail that are right: the owner is told of the file, not of the script.
        if outcome.file_fault and (why := self._judge_file_fault(outcome.file_fault)):
            outcome = _not_the_scripts(outcome, why)
        failure = None if outcome.code is _OK else _failure(script.name, outcome)
        run = self._record(invocation, outcome, failure, begun, time.monotonic() - accepted)
        if recorded is not None:
            recorded(run)
        return outcome.payload if failure is None else failure

    def _refuse_rate(self, script: Script, caller: Caller) -> Failure | None:
        wait = self._rate.check(caller.id, script.file, script.annotations.rate_limit, caller.address)
        if wait is None:
            return None
        return Failure(ErrorCode.RATE_LIMITED, "rate limit exceeded; try again later", script.name, retry_after_seconds=wait)

    def _record(self, invocation: Invocation, outcome: Outcome, failure: Failure | None, begun: float, seconds: float) -> Run:
        script, caller, log, argument, answer = invocation.script, invocation.caller, invocation.log, b"", b""
        given, answered = invocation.argument, outcome.payload
        if self._runs.keeps_arguments:
            argument = given if len(given) <= KEPT_VALUE_MAX_BYTES else given[:KEPT_VALUE_MAX_BYTES]
            if failure is None:
                answer = answered if len(answered) <= KEPT_VALUE_MAX_BYTES else answered[:KEPT_VALUE_MAX_BYTES]
        refused = outcome is QUEUE_FULL
        run = Run(
            self._runs.new_id(),
            SCHEDULE if script.event == SCHEDULE else script.kind,
            script.name,
            caller.id,
            outcome.code,
            failure.message if failure else "",
            failure.line if failure else None,
            begun,
            seconds * _MILLISECONDS,
            outcome.waited_seconds * _MILLISECONDS,
            outcome.memory_bytes,
            outcome.calls,
            log.lines if log else (),
            log.truncated if log else False,
            caller.kind,
            caller.label,
            script.version,
            argument,
            len(given),
            answer,
            len(answered) if failure is None else 0,
            outcome.traceback,
            1,
            refused,
        )
        if refused:
            self._runs.refuse(run)
        else:
            self._runs.add(run)
        return run

    def _refused(self, caller: Caller, kind: str, failure: Failure, argument: bytes, script: str = "", told: str = "") -> Failure:
        """Record a call that was turned away before it ran; `told` is what the owner reads of it. Return `failure`."""
        self._runs.refuse(
            Run(
                self._runs.new_id(),
                kind,
                failure.script or script,
                caller.id,
                failure.code,
                told or failure.message,
                failure.line,
                time.time(),
                0.0,
                0.0,
                0,
                caller_kind=caller.kind,
                caller_label=caller.label,
                argument=argument[:KEPT_VALUE_MAX_BYTES] if self._runs.keeps_arguments else b"",
                argument_bytes=len(argument),
                refused=True,
            )
        )
        return failure


def _not_the_scripts(outcome: Outcome, why: str) -> Outcome:
    """Return `outcome` without blaming the script: its run failed after the database file gave an error."""
    if outcome.code is not ErrorCode.SCRIPT_ERROR:
        return outcome
    return msgspec.structs.replace(outcome, code=ErrorCode.UNAVAILABLE, payload=why.encode())


def _unknown(name: str) -> Failure:
    return Failure(ErrorCode.NOT_FOUND, f"Unknown command: {printable(name, NAME_SHOWN_CHARS)}")


def _split(message: str) -> tuple[str, str]:
    """Return name (up to the first blank, in lower case) and trimmed rest of a command: `!Hello  Alice ` → ("hello", "Alice")."""
    body = command_of(message)
    if not body:
        return "", ""
    parts = body.split(None, 1)
    return parts[0].lower(), parts[1] if len(parts) > 1 else ""


def reply_text(payload: bytes) -> str:
    """Return a reply as it is sent: valid UTF-8, at most REPLY_MAX_BYTES and the mark of a cut."""
    if len(payload) <= REPLY_MAX_BYTES and payload.isascii():
        return payload.decode()
    text = payload.decode("utf-8", "replace")
    encoded = text.encode()
    if len(encoded) <= REPLY_MAX_BYTES:
        return text
    return encoded[:REPLY_MAX_BYTES].decode("utf-8", "ignore") + TRUNCATED


def _failure(script: str, outcome: Outcome) -> Failure:
    """Return the outcome as its caller may see it: script and line, never a path."""
    message = outcome.payload.decode("utf-8", "replace")
    if outcome.code is not ErrorCode.SCRIPT_ERROR:
        return Failure(outcome.code, message, script, retry_after_seconds=BUSY_RETRY_SECONDS if outcome is QUEUE_FULL else None)
    detail = {"code": outcome.error_code} if outcome.error_code else None
    place = _PLACE.match(message)
    # An error raised without a place, as error(text, 0) does, still names the script.
    if place is None:
        return Failure(outcome.code, message if message.startswith(f"{script} ") else f"{script}: {message}", script, detail=detail)
    line = int(place[1]) if message.startswith(f"{script}:") else None
    return Failure(outcome.code, message, script, line, detail=detail)


def _failure_text(failure: Failure) -> str:
    if failure.code is ErrorCode.RATE_LIMITED:
        return RATE_LIMITED_REPLY
    return f"Script error: {failure.message}"
