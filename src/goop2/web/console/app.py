"""The console's origin: its own pages, and the owner's controls behind the token.

Every path under /api/console/ wants the token, but for the few by which a tab gets it (tabs.py); nothing outside it gives anything away.
"""

from __future__ import annotations

from http import HTTPStatus
from importlib import resources

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.types import ASGIApp, Receive, Scope, Send

from goop2.folder.site_files import INDEX
from goop2.web.app import NOBODY, Web
from goop2.web.console.controls import (
    avatars,
    chat,
    cluster,
    data,
    files,
    groups,
    home,
    listen,
    network,
    rooms,
    runs,
    schedules,
    scripts,
    secrets,
    settings,
    site,
)
from goop2.web.console.controls.replies import refusal
from goop2.web.console.documents import Documents
from goop2.web.console.events import CONSOLE
from goop2.web.console.metrics import Metrics
from goop2.web.console.places import place_routes
from goop2.web.console.tab_codes import TabCodes
from goop2.web.console.tabs import guarded_routes, open_routes
from goop2.web.http.admission import SiteAdmission, user_of
from goop2.web.http.assets import Assets
from goop2.web.http.console_token import Token
from goop2.web.http.event_log import Events
from goop2.web.http.event_stream import send_events
from goop2.web.http.languages import console_files
from goop2.web.http.origins import Listener, Origin, Realm
from goop2.web.http.passes import CONSOLE as CONSOLE_PASS
from goop2.web.http.request_context import RequestContext
from goop2.web.http.responses import NO_HEADERS, Carrying, send_refusal


class _Guarded:
    """ASGI middleware: only requests with the console's token reach the controls."""

    def __init__(self, app: ASGIApp, token: Token, admission: SiteAdmission) -> None:
        self._app = app
        self._token = token
        self._admission = admission

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request that shows the token, and refuse others (ASGI)."""
        # Exactly one header: a proxy that adds its own must not decide which of two counts.
        shown = [value for name, value in scope["headers"] if name == b"authorization"]
        if len(shown) == 1 and self._token.is_shown(shown[0]):
            await self._remembering(scope)(scope, receive, send)
            return
        message = "the console's token is missing or of an earlier start; open the address printed when the peer started"
        await send_refusal(send, HTTPStatus.FORBIDDEN, message)

    def _remembering(self, scope: Scope) -> ASGIApp:
        """Return the application; for a browser that has only the token to show, one whose answers set a pass cookie.

        Links on the console's pages do not carry the token, so they would lead such a browser to a page that refuses it.
        """
        cookies = b";".join(value for name, value in scope["headers"] if name == b"cookie")
        if self._admission.is_owner(scope, cookies, CONSOLE_PASS):
            return self._app
        return Carrying(self._app, [(b"set-cookie", self._admission.passes.cookie(CONSOLE_PASS, user_of(scope)))])


def console_app(web: Web, listener: Listener, opened: str, token: Token) -> ASGIApp:
    """Return the console's application.

    :param web: what the listeners of the peer share.
    :param listener: the loopback listener, behind which the console is.
    :param opened: the site's address from beyond loopback, "" when it is not opened.
    :param token: what a browser has to show.
    """
    peer, remote = web.peer, web.remote
    codes = TabCodes(peer.folder, peer.identity.peer_id)
    controls: list[BaseRoute] = [
        Route("/events", _Stream(web.console_events, peer.identity.peer_id)),
        *guarded_routes(codes),
        *place_routes(peer),
        *home.routes(web, listener, opened),
        *avatars.routes(peer),
        *chat.routes(peer, remote),
        *network.routes(peer, remote),
        *cluster.routes(peer),
        *runs.routes(peer, web.meter),
        *data.routes(peer),
        *listen.routes(peer, remote, web.listen.shown),
        *groups.routes(peer, remote),
        *files.routes(peer, remote),
        *rooms.routes(peer, remote),
        *scripts.routes(peer),
        *schedules.routes(peer),
        *site.routes(web),
        *secrets.routes(peer),
        *settings.routes(web),
    ]
    documents = Documents(web.admission, listener.peer_id)
    # Starlette's routing is slower than our tables, and good enough for one owner.
    guarded = Starlette(routes=controls, exception_handlers={HTTPStatus.NOT_FOUND: _not_there})
    routes: list[BaseRoute] = [
        *open_routes(codes, web.admission.passes, token),
        Mount("/api/console", app=_Guarded(guarded, token, web.admission)),
        Route("/metrics", Metrics(web, token)),
        Route("/docs", documents),
        Mount("/docs", app=documents),
        Mount("/", app=_Pages(listener)),
    ]
    return Starlette(routes=routes)


async def _not_there(_request: Request, _error: Exception) -> Response:
    return refusal(HTTPStatus.NOT_FOUND, "not_found", "the console has no such control")


class _Pages:
    """The console's own files. They need no token, since nothing in them is about this peer."""

    def __init__(self, listener: Listener) -> None:
        index = resources.files("goop2.web").joinpath("console/static", INDEX).read_bytes()
        self._assets = Assets("console/static", console_files(index))
        self._origin = Origin(Realm.CONSOLE, listener.peer_id, "")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send a file of the console (ASGI)."""
        call = RequestContext(origin=self._origin, caller=NOBODY, scope=scope, receive=receive, send=send, headers=NO_HEADERS)
        await self._assets.answer(call, scope["path"].removeprefix("/") or INDEX)


class _Stream:
    """The event stream of the console."""

    def __init__(self, events: Events, peer_id: str) -> None:
        self._events = events
        self._origin = Origin(Realm.CONSOLE, peer_id, "")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the console's events as they come (ASGI)."""
        call = RequestContext(origin=self._origin, caller=NOBODY, scope=scope, receive=receive, send=send, headers=NO_HEADERS)
        await send_events(call, self._events, CONSOLE, [CONSOLE])
