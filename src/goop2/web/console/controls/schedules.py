"""Schedules: the data functions that run by themselves.

GET  /schedules                {schedules: [ScheduleShown], now, zone}
POST /schedules/run    {name}  runs it now → {run: its id or null, status, message}
POST /schedules/pause  {name}  → the list
POST /schedules/resume {name}  → the list
"""

from __future__ import annotations

import time

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute

from goop2.services.peer import Peer
from goop2.services.schedules.operations import perform
from goop2.services.schedules.service import NoSuchScheduleError, ScheduleBusyError
from goop2.web.console.controls.replies import BadRequestError, reply, route, sent


class ScheduleSent(msgspec.Struct, frozen=True):
    """The schedule of a data function."""

    name: str


def routes(peer: Peer) -> list[BaseRoute]:
    """Return the routes of the schedules page's controls."""

    def listed() -> Response:
        return reply({"schedules": peer.schedules.listing(), "now": time.time(), "zone": time.strftime("%Z %z")})

    async def schedules(_request: Request) -> Response:
        return listed()

    async def run(request: Request) -> Response:
        answer = await _perform(peer, "run", (await sent(request, ScheduleSent)).name)
        return reply({key: answer[key] for key in ("run", "status", "message")})

    async def pause(request: Request) -> Response:
        await _perform(peer, "pause", (await sent(request, ScheduleSent)).name)
        return listed()

    async def resume(request: Request) -> Response:
        await _perform(peer, "resume", (await sent(request, ScheduleSent)).name)
        return listed()

    changes = {"run": run, "pause": pause, "resume": resume}
    return [route("/schedules", schedules), *(route(f"/schedules/{name}", change, methods=["POST"]) for name, change in changes.items())]


async def _perform(peer: Peer, operation: str, name: str) -> dict[str, object]:
    try:
        return await perform(peer.schedules, operation, name)
    except (NoSuchScheduleError, ScheduleBusyError) as error:
        raise BadRequestError(str(error)) from None
