"""Listening: the session the owner hosts, or hears from another peer; its files, and who listens.

GET  /listen           {session, who: [{id, label}]}; session as pages see it, null without one
GET  /listen/files     {files: [path]}: what can be loaded
POST /listen/control   {action, name?, path?, seconds?}, as on pages → the same as GET /listen

Every change is also published as the event `listen`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute

from goop2.services.listen.operations import followed
from goop2.services.peer import Peer
from goop2.web.api.listen import ControlRequest, control
from goop2.web.console.controls.replies import reply, route, sent
from goop2.web.remote.network import RemoteNetwork


def routes(peer: Peer, remote: RemoteNetwork, hosted: Callable[[], dict[str, object] | None]) -> list[BaseRoute]:
    """Return the routes of the listen page's controls. `hosted` returns the session hosted here, None when there is none."""

    def label(listener: str) -> str:
        return peer.owner.label if listener == peer.identity.peer_id else remote.label(listener)

    def state() -> Response:
        session = hosted() or followed(peer.listening.following)
        return reply({"session": session, "who": [{"id": each, "label": label(each)} for each in peer.listening.who()]})

    async def overview(_request: Request) -> Response:
        return state()

    async def files(_request: Request) -> Response:
        return reply({"files": await asyncio.to_thread(peer.listening.files)})

    async def act(request: Request) -> Response:
        await control(peer.listening, await sent(request, ControlRequest))
        return state()

    return [route("/listen", overview), route("/listen/files", files), route("/listen/control", act, methods=["POST"])]
