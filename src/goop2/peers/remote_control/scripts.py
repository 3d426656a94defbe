"""The peer's own scripts, for commands: run by the running peer, with its last good versions, its limits and its run history."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import TYPE_CHECKING

import msgspec

from goop2.control_socket import Answer, ControlError, Operation, Request
from goop2.scripting.command_text import command_of
from goop2.scripting.engine import Failure
from goop2.scripting.invocation import Caller, ErrorCode
from goop2.services.schedules.operations import perform
from goop2.services.schedules.service import NoSuchScheduleError, ScheduleBusyError

if TYPE_CHECKING:
    from goop2.services.peer import Peer
    from goop2.storage.run_record import Run


class _FailureFields(msgspec.Struct, kw_only=True):
    code: str
    message: str
    script: str | None = None
    line: int | None = None
    detail: dict[str, str] | None = None
    retry_after: float | None = None


class ScriptRemote:
    """The operations, by an open peer."""

    def __init__(self, peer: Peer) -> None:
        self._peer = peer
        self.operations: Mapping[str, Operation] = {"lua-call": self.call, "lua-chat": self.chat, "schedule": self.schedule}

    async def call(self, request: Request) -> Answer:
        """`function, params` (JSON text in base64, since it may be anything), `as` → `result` (JSON text) or `failure`, and its log."""
        runs: list[Run] = []
        function = str(request.get("function"))
        try:
            params = base64.b64decode(str(request.get("params")), validate=True)
        except ValueError:
            raise ControlError("bad_request", "params are the bytes of JSON text in base64") from None
        outcome = await self._peer.engine.call(self._caller(request), function, params, runs.append)
        answer: Answer = {"log": _log(runs), "known_as": self._known_as(function)}
        if isinstance(outcome, Failure):
            return {**answer, "failure": failure_fields(outcome)}
        return {**answer, "result": outcome.json.decode()}

    async def chat(self, request: Request) -> Answer:
        """`message, as` → `reply`, `failure` when it reports one, and what its run logged."""
        runs: list[Run] = []
        message = str(request.get("message"))
        reply = await self._peer.engine.command(self._caller(request), message, runs.append)
        answer: Answer = {"reply": reply.text, "log": _log(runs), "known_as": self._known_as(_name_in(message))}
        return answer if reply.failure is None else {**answer, "failure": failure_fields(reply.failure)}

    async def schedule(self, request: Request) -> Answer:
        """`operation` (list, run, pause, resume), `name` → `schedules`, and of a run its `run`, `status`, `message` and log."""
        try:
            return await perform(self._peer.schedules, str(request.get("operation")), str(request.get("name") or ""))
        except (NoSuchScheduleError, ScheduleBusyError) as error:
            raise ControlError(error.code if isinstance(error, ScheduleBusyError) else "bad_request", str(error)) from None

    def _caller(self, request: Request) -> Caller:
        stranger = request.get("as")
        return self._peer.owner if stranger is None else Caller(str(stranger), str(stranger))

    def _known_as(self, name: str) -> list[str]:
        """Return what there is of this name, `command` or `function`, so that who mistook one for the other can be told."""
        catalog = self._peer.catalog
        found = {"command": catalog.command(name), "function": catalog.function(name)}
        return [kind for kind, script in found.items() if script is not None]


def failure_fields(failure: Failure) -> dict[str, object]:
    """Return a failure as JSON holds it, without what is not known of it."""
    fields = {
        "code": str(failure.code),
        "message": failure.message,
        "script": failure.script,
        "line": failure.line,
        "detail": failure.detail,
        "retry_after": failure.retry_after_seconds,
    }
    return {name: value for name, value in fields.items() if value is not None}


def failure_from(fields: object) -> Failure:
    """Return the failure that `failure_fields` has made JSON of."""
    known = msgspec.convert(fields, _FailureFields)
    return Failure(ErrorCode(known.code), known.message, known.script, known.line, known.retry_after, known.detail)


def _name_in(message: str) -> str:
    return next(iter((command_of(message) or "").split()), "")


def _log(runs: list[Run]) -> list[list[str]]:
    """Return the log lines of the runs: script, level, text."""
    return [[run.script, level, text] for run in runs for level, text in run.log]
