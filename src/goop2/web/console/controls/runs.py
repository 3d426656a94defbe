"""Runs & logs: the runs kept, filtered; one of them, whole, and again; log lines; what the plots show.

    GET  /runs?script=&kind=&status=&caller=&text=&level=&since=&after=&before=&limit=
                                 newest first, short, at most `limit`, and RUNS_AT_ONCE in any case; status `failed` is every failure,
                                 `refused` every call turned away; `since` in seconds since 1970; `after` and `before` are ids: what is
                                 newer or older than that run
    GET  /runs/<id>              one, whole; 404 when it is not kept
    POST /runs/<id>/again {caller}   runs its script with the same arguments, as `owner` or as `caller`, who called then; {run: its id}
    GET  /lines?…the same…       log lines, the newest run's first
    GET  /minutes                the last hour, minute by minute

All from the history (storage/run_history.py) and the meter; nothing here is on the path of a run.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from http import HTTPStatus
from itertools import islice
from typing import Final, Literal

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute

from goop2.sandbox.messages import SCHEDULE
from goop2.scripting.catalog import Script
from goop2.scripting.invocation import Caller
from goop2.scripting.printable import printable
from goop2.services.peer import Peer
from goop2.storage.run_record import LEVELS, HostCallRecord, Level, Run, RunFilter
from goop2.web.console.controls.replies import BadRequestError, refusal, reply, route, sent
from goop2.web.console.events import LABEL_MAX_CHARS, short_run
from goop2.web.console.metering import RunMeter

RUNS_AT_ONCE: Final = 1000
"""Runs in one answer; a page asks for older ones when somebody scrolls to them."""
LINES_MAX: Final = 5000
"""Log lines in one answer; a run has at most 200."""
NUMBER_MAX_DIGITS: Final = 15
_COMMAND: Final = "command"
_COMMAND_MARK: Final = "!"
_OWNER_NAMES: Final = frozenset({"you", "owner"})
"""What the console and the terminal call the owner."""
_VISITOR: Final = re.compile(r"visitor (\w{1,20})")
"""A visitor as lists show one: by the last digits of the id."""


class Line(msgspec.Struct, frozen=True):
    """A log line and the run it belongs to."""

    run: int
    at: float
    """When its run began, seconds since 1970."""
    level: Level
    script: str
    text: str


class RunShown(msgspec.Struct, frozen=True, kw_only=True):
    """A run as its page shows it, with all that was kept of it; `started` in seconds since 1970."""

    id: int
    kind: str
    script: str
    caller: str
    caller_kind: str
    caller_label: str
    status: str
    refused: bool
    count: int
    message: str
    line: int | None
    traceback: str
    started: float
    milliseconds: float
    waited_milliseconds: float
    memory_bytes: int
    argument: str
    argument_bytes: int
    answer: str
    answer_bytes: int
    version: str
    """Digest of the source it ran, as hexadecimal digits; "" for a call that found no script."""
    is_current: bool
    """Whether that is what would run now."""
    again: str
    """Why it cannot be run again with the same arguments; "" when it can."""
    calls: tuple[HostCallRecord, ...]
    log: tuple[tuple[Level, str], ...]
    truncated: bool


class RepeatRequest(msgspec.Struct):
    """The request to run a script with the arguments of an earlier run."""

    caller: Literal["owner", "caller"]


def routes(peer: Peer, meter: RunMeter) -> list[BaseRoute]:
    """Return the routes of the runs page's controls."""

    async def listed(request: Request) -> Response:
        most = min(_whole(request, "limit") or RUNS_AT_ONCE, RUNS_AT_ONCE)
        return reply([short_run(run) for run in await peer.history.find(_wanted(peer.identity.peer_id, request), most)])

    async def one(request: Request) -> Response:
        run = await peer.history.get(_id(request))
        return _gone(request) if run is None else reply(run_shown(peer, run))

    async def again(request: Request) -> Response:
        asked = await sent(request, RepeatRequest)
        run = await peer.history.get(_id(request))
        if run is None:
            return _gone(request)
        if why := _not_again(run):
            raise BadRequestError(why)
        return reply({"run": await _again(peer, run, _caller(peer, run, asked))})

    async def lines(request: Request) -> Response:
        wanted = _wanted(peer.identity.peer_id, request)
        found = await peer.history.find(wanted, RUNS_AT_ONCE, whole=True)
        return reply(list(islice((line for run in found for line in _lines(run, wanted.level)), LINES_MAX)))

    async def minutes(_request: Request) -> Response:
        return reply(meter.minutes(time.time()))

    return [
        route("/runs", listed),
        route("/runs/{id}", one),
        route("/runs/{id}/again", again, methods=["POST"]),
        route("/lines", lines),
        route("/minutes", minutes),
    ]


def _wanted(own_id: str, request: Request) -> RunFilter:
    """Return the filters of a request. Script and caller may be written as the lists show them: `!hello`, `you`, `visitor 003421`."""
    given = {name: request.query_params.get(name, "") for name in ("script", "kind", "status", "caller", "text", "level")}
    if given["level"] and given["level"] not in LEVELS:
        raise BadRequestError(f"level is {given['level'][:40]!r}; allowed is one of {', '.join(LEVELS)}")
    if given["script"].startswith(_COMMAND_MARK):
        given |= {"script": given["script"].removeprefix(_COMMAND_MARK), "kind": given["kind"] or _COMMAND}
    given["caller"] = own_id if given["caller"].lower() in _OWNER_NAMES else _VISITOR.sub(r"visitor-…\1", given["caller"])
    since, after, before = (_whole(request, name) for name in ("since", "after", "before"))
    return RunFilter(**given, since=since, after=after, before=before)


def _id(request: Request) -> int:
    """Return the run that the path names, 0 for a number that no run has."""
    text: str = request.path_params["id"]
    # Not the router's own `int`: it raises for a number of thousands of digits.
    return int(text) if text.isdecimal() and len(text) <= NUMBER_MAX_DIGITS else 0


def _gone(request: Request) -> Response:
    return refusal(HTTPStatus.NOT_FOUND, "not_found", f"run {request.path_params['id'][:40]} is not kept any more")


def run_shown(peer: Peer, run: Run) -> RunShown:
    """Return `run` as its page shows it."""
    fields = {name: getattr(run, name) for name in RunShown.__struct_fields__ if hasattr(run, name)}
    return RunShown(
        **fields
        | {
            "caller_label": printable(run.caller_label, LABEL_MAX_CHARS),
            "argument": run.argument.decode("utf-8", "replace"),
            "answer": run.answer.decode("utf-8", "replace"),
            "version": run.version.hex(),
            "is_current": _current(peer, run) == run.version,
            "again": _not_again(run),
        }
    )


def _current(peer: Peer, run: Run) -> bytes:
    """Return the digest of what would run now under the name of this run's script."""
    catalog = peer.catalog
    script = catalog.command(run.script) if run.kind == "command" else catalog.function(run.script)
    return script.version if isinstance(script, Script) else b""


def _not_again(run: Run) -> str:
    """Return why a run cannot be repeated, "" when it can."""
    if run.count > 1 and run.refused:
        return "this stands for several calls"
    if len(run.argument) == run.argument_bytes:
        return ""
    if not run.argument:
        return "its arguments are not kept (runs.keep_arguments)"
    return f"only the first {len(run.argument)} bytes of its arguments are kept, of {run.argument_bytes}"


def _caller(peer: Peer, run: Run, asked: RepeatRequest) -> Caller:
    """Return who calls now; the owner's own rights are given to nobody else, whatever id a run has."""
    if asked.caller == "owner" or run.caller_kind == "owner":
        return peer.owner
    return Caller(run.caller, run.caller_label)


async def _again(peer: Peer, run: Run, caller: Caller) -> int | None:
    """Call the script of this run; return the id of the new run, None when the call was turned away before it ran."""
    runs: list[Run] = []
    if run.kind == SCHEDULE:
        again = await peer.schedules.run_now(run.script)
        return again.id if again else None
    if run.kind == "command":
        await peer.engine.command(caller, f"!{run.script} {run.argument.decode('utf-8', 'replace')}", runs.append)
    else:
        await peer.engine.call(caller, run.script, run.argument, runs.append)
    return runs[0].id if runs else None


def _lines(run: Run, level: str) -> Iterator[Line]:
    """Yield its lines of this level or a worse one, the last one first, as the runs are."""
    least = LEVELS.index(level) if level in LEVELS else 0
    for each, text in reversed(run.log):
        if LEVELS.index(each) >= least:
            yield Line(run.id, run.started, each, run.script, text)


def _whole(request: Request, name: str) -> int:
    text = request.query_params.get(name, "") or "0"
    # Bounded before `int`: a number of a million digits takes seconds to read.
    if not text.isdecimal() or len(text) > NUMBER_MAX_DIGITS:
        raise BadRequestError(f"{name} is {text[:40]!r}; allowed is a whole number")
    return int(text)
