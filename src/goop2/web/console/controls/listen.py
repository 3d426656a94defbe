"""Listening: the session the owner hosts, or hears from another peer; its files, and who listens.

GET  /listen           {session, who: [{id, label}]}; session as pages see it, null without one
GET  /listen/files     {files: [path]}: what can be loaded
POST /listen/control   {action, name?, path?, seconds?}, as on pages → the same as GET /listen

What changes is told as the event `listen`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute

from goop2.services.listen.operations import followed
from goop2.web.api.listen import ControlRequest, control
from goop2.web.app import Parts
from goop2.web.console.controls.replies import reply, route, sent


def routes(parts: Parts, shown: Callable[[], dict[str, object] | None]) -> list[BaseRoute]:
    """Path → handler. `shown` gives the hosted session."""

    def now() -> Response:
        session = shown() or followed(parts.listening.following)
        return reply({"session": session, "who": [{"id": each, "label": _label(parts, each)} for each in parts.listening.who()]})

    async def overview(_request: Request) -> Response:
        return now()

    async def files(_request: Request) -> Response:
        return reply({"files": await asyncio.to_thread(parts.listening.files)})

    async def act(request: Request) -> Response:
        await control(parts.listening, await sent(request, ControlRequest))
        return now()

    return [route("/listen", overview), route("/listen/files", files), route("/listen/control", act, methods=["POST"])]


def _label(parts: Parts, who: str) -> str:
    return parts.owner.label if who == parts.peer_id else parts.abroad.label(who)
