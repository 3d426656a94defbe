"""The console's origin: its own pages, and the owner's controls behind the token.

Every path under /api/console/ wants the token; nothing outside it gives anything away.
"""

from __future__ import annotations

from http import HTTPStatus

import msgspec
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.types import ASGIApp, Receive, Scope, Send

from goop2.site_files import INDEX
from goop2.web.answers import DATA_HEADERS, NO_HEADERS, send_refusal
from goop2.web.app import NOBODY, Parts
from goop2.web.assets import Assets
from goop2.web.calls import Call
from goop2.web.events import Events
from goop2.web.happenings import CONSOLE
from goop2.web.origins import Door, Origin, Realm, origin_address
from goop2.web.peer_host import host_label
from goop2.web.streams import send_events
from goop2.web.tokens import Token

RUNS_SHOWN = 20


class _Guarded:
    """Lets through whoever shows the token."""

    def __init__(self, app: ASGIApp, token: Token) -> None:
        self._app = app
        self._token = token

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        shown = [value for name, value in scope["headers"] if name == b"authorization"]
        if len(shown) == 1 and self._token.is_shown(shown[0]):
            await self._app(scope, receive, send)
            return
        message = "the console's token is missing or of an earlier start; open the address printed when the peer started"
        await send_refusal(send, HTTPStatus.FORBIDDEN, message)


def console_app(parts: Parts, door: Door, token: Token, events: Events) -> ASGIApp:
    """The console of one peer, behind its loopback door. `events` is what it hears, for CONSOLE."""
    controls = _Controls(parts, door, events)
    routes: list[BaseRoute] = [
        Mount("/api/console", app=_Guarded(Starlette(routes=controls.routes()), token)),
        Mount("/", app=_Pages(door)),
    ]
    return Starlette(routes=routes)


class _Pages:
    """The console's own files; nothing in them is about this peer."""

    def __init__(self, door: Door) -> None:
        self._assets = Assets("console")
        self._origin = Origin(Realm.CONSOLE, door.peer_id, "")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        call = Call(self._origin, NOBODY, scope, receive, send, NO_HEADERS)
        await self._assets.answer(call, scope["path"].removeprefix("/") or INDEX)


class _Stream:
    """What happens, as it happens."""

    def __init__(self, events: Events, peer_id: str) -> None:
        self._events = events
        self._origin = Origin(Realm.CONSOLE, peer_id, "")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        call = Call(self._origin, NOBODY, scope, receive, send, NO_HEADERS)
        await send_events(call, self._events, CONSOLE, [CONSOLE])


class _Controls:
    """What the owner sees and does."""

    def __init__(self, parts: Parts, door: Door, events: Events) -> None:
        self._parts = parts
        self._events = events
        self._site = origin_address(f"{host_label(parts.peer_id)}.localhost", door.port)

    def routes(self) -> list[BaseRoute]:
        """Path after /api/console → handler."""
        return [Route("/home", self._home), Route("/events", _Stream(self._events, self._parts.peer_id))]

    async def _home(self, _request: Request) -> Response:
        parts = self._parts
        return _json(
            {
                "id": parts.peer_id,
                "label": parts.owner.label,
                "site": f"{self._site}/",
                "scripts": parts.catalog.listing(),
                "warnings": parts.catalog.warnings,
                "runs": parts.runs.recent(RUNS_SHOWN),
            }
        )


def _json(value: object) -> Response:
    headers = {name.decode(): text.decode() for name, text in DATA_HEADERS}
    return Response(msgspec.json.encode(value), headers=headers)
