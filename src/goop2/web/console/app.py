"""The console's origin: its own pages, and the owner's controls behind the token.

Every path under /api/console/ wants the token; nothing outside it gives anything away.
"""

from __future__ import annotations

from http import HTTPStatus

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.types import ASGIApp, Receive, Scope, Send

from goop2.folder.site_files import INDEX
from goop2.web.app import NOBODY, Parts, Web
from goop2.web.console.controls import chat, data, groups, home, listen, network, runs, scripts, settings
from goop2.web.console.controls.replies import refusal
from goop2.web.console.events import CONSOLE
from goop2.web.console.metrics import Metrics
from goop2.web.http.admission import Entrance, user_of
from goop2.web.http.assets import Assets
from goop2.web.http.console_token import Token
from goop2.web.http.event_log import Events
from goop2.web.http.event_stream import send_events
from goop2.web.http.origins import Listener, Origin, Realm
from goop2.web.http.passes import CONSOLE as CONSOLE_PASS
from goop2.web.http.request_context import RequestContext
from goop2.web.http.responses import NO_HEADERS, Carrying, send_refusal


class _Guarded:
    """Lets through whoever shows the token."""

    def __init__(self, app: ASGIApp, token: Token, entrance: Entrance) -> None:
        self._app = app
        self._token = token
        self._entrance = entrance

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request that shows the token, and refuse others (ASGI)."""
        shown = [value for name, value in scope["headers"] if name == b"authorization"]
        if len(shown) == 1 and self._token.is_shown(shown[0]):
            await self._remembering(scope)(scope, receive, send)
            return
        message = "the console's token is missing or of an earlier start; open the address printed when the peer started"
        await send_refusal(send, HTTPStatus.FORBIDDEN, message)

    def _remembering(self, scope: Scope) -> ASGIApp:
        """Return the application, which gives a browser that is the owner's by its token alone a pass: its links do not carry the token."""
        cookies = b";".join(value for name, value in scope["headers"] if name == b"cookie")
        if self._entrance.is_owner(scope, cookies, CONSOLE_PASS):
            return self._app
        return Carrying(self._app, [(b"set-cookie", self._entrance.passes.cookie(CONSOLE_PASS, user_of(scope)))])


def console_app(parts: Parts, door: Listener, opened: str, token: Token, web: Web) -> ASGIApp:
    """The console of one peer, behind its loopback door.

    `opened` is the site's address from beyond loopback, "" when it is not opened.
    """
    controls: list[BaseRoute] = [
        Route("/events", _Stream(web.console_events, parts.peer_id)),
        *home.routes(parts, door, opened, web.entrance),
        *chat.routes(parts),
        *network.routes(parts),
        *runs.routes(parts, web.meter),
        *data.routes(parts),
        *listen.routes(parts, web.listen.shown),
        *groups.routes(parts),
        *scripts.routes(parts),
        *settings.routes(parts),
    ]
    guarded = Starlette(routes=controls, exception_handlers={HTTPStatus.NOT_FOUND: _not_there})
    routes: list[BaseRoute] = [
        Mount("/api/console", app=_Guarded(guarded, token, web.entrance)),
        Route("/metrics", Metrics(parts, web.meter, web.requests, token)),
        Mount("/", app=_Pages(door)),
    ]
    return Starlette(routes=routes)


async def _not_there(_request: Request, _error: Exception) -> Response:
    return refusal(HTTPStatus.NOT_FOUND, "not_found", "the console has no such control")


class _Pages:
    """The console's own files; nothing in them is about this peer."""

    def __init__(self, door: Listener) -> None:
        self._assets = Assets("console/static")
        self._origin = Origin(Realm.CONSOLE, door.peer_id, "")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send a file of the console (ASGI)."""
        call = RequestContext(self._origin, NOBODY, scope, receive, send, NO_HEADERS)
        await self._assets.answer(call, scope["path"].removeprefix("/") or INDEX)


class _Stream:
    """What happens, as it happens."""

    def __init__(self, events: Events, peer_id: str) -> None:
        self._events = events
        self._origin = Origin(Realm.CONSOLE, peer_id, "")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the console's events as they come (ASGI)."""
        call = RequestContext(self._origin, NOBODY, scope, receive, send, NO_HEADERS)
        await send_events(call, self._events, CONSOLE, [CONSOLE])
