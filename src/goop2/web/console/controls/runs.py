"""Runs & logs: the runs kept, filtered; one of them with its lines and host calls; log lines; what the plots show.

    GET /runs?script=&kind=&status=&caller=&text=&after=  newest first, short; status `failed` is every one but `ok`,
                                                          `after` is the id of the last one known
    GET /runs/<id>                                        one, whole; 404 when it is no longer kept
    GET /lines?…the same…                                 log lines, the newest run's first
    GET /minutes                                          the last hour, minute by minute

All from the ring of runs (scripting/runs.py) and the meter; nothing here is on the path of a run.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from http import HTTPStatus
from itertools import islice
from typing import Final

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute

from goop2.scripting.limits import RUNS_KEPT
from goop2.storage.run_record import OK, Level, Run
from goop2.web.app import Parts
from goop2.web.console.controls.replies import BadRequestError, refusal, reply, route
from goop2.web.console.events import short_run
from goop2.web.console.metering import RunMeter

FAILED: Final = "failed"
"""A status to ask for that stands for every one but `ok`."""
LINES_MAX: Final = 5000
"""Log lines in one answer; a run has at most 200."""


class Line(msgspec.Struct, frozen=True):
    """A log line and the run it belongs to."""

    run: int
    at: float
    """When its run began, seconds since 1970."""
    level: Level
    script: str
    text: str


def routes(parts: Parts, meter: RunMeter) -> list[BaseRoute]:
    """Return the routes of the runs page's controls."""

    async def listed(request: Request) -> Response:
        return reply([short_run(run) for run in _wanted(parts, request)])

    async def one(request: Request) -> Response:
        number = int(request.path_params["id"])
        run = next((run for run in parts.runs.recent(RUNS_KEPT) if run.id == number), None)
        if run is None:
            return refusal(HTTPStatus.NOT_FOUND, "not_found", f"run {number} is not kept any more")
        return reply(run)

    async def lines(request: Request) -> Response:
        found = (line for run in _wanted(parts, request) for line in _lines(run))
        return reply(list(islice(found, LINES_MAX)))

    async def minutes(_request: Request) -> Response:
        return reply(meter.minutes(time.time()))

    return [route("/runs", listed), route("/runs/{id:int}", one), route("/lines", lines), route("/minutes", minutes)]


def _wanted(parts: Parts, request: Request) -> Iterator[Run]:
    asked = {name: request.query_params.get(name) or None for name in ("script", "kind", "status", "caller")}
    failed = asked["status"] == FAILED
    if failed:
        asked["status"] = None
    text = request.query_params.get("text", "").casefold()
    after = _whole(request, "after")
    for run in parts.runs.recent(RUNS_KEPT, **asked):
        if run.id > after and not (failed and run.status == OK) and (not text or _says(run, text)):
            yield run


def _says(run: Run, text: str) -> bool:
    """Return whether `text`, case-folded, stands somewhere in the run: its names, its error, its lines."""
    if any(text in part.casefold() for part in (run.script, run.caller, run.message)):
        return True
    return any(text in line.casefold() for _, line in run.log)


def _lines(run: Run) -> Iterator[Line]:
    """The last one first, as the runs are."""
    for level, text in reversed(run.log):
        yield Line(run.id, run.started, level, run.script, text)


def _whole(request: Request, name: str) -> int:
    text = request.query_params.get(name, "") or "0"
    if not text.isdecimal() or len(text) > 12:
        raise BadRequestError(f"{name} is {text[:40]!r}; allowed is a whole number")
    return int(text)
