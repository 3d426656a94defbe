"""The ASGI application behind one door: headers → origin → who calls → what answers.

The path every request takes, most of all `POST /api/data/lua/call`: dictionary look-ups, no framework.
What an origin serves stands in one table a kind of origin.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from typing import Final

import msgspec
from starlette.types import ASGIApp, Receive, Scope, Send

from goop2.config import Settings
from goop2.folder.site_files import SiteFiles
from goop2.scripting.catalog import Catalog
from goop2.scripting.engine import Engine, Failure
from goop2.scripting.invocation import Caller, ErrorCode
from goop2.scripting.pool import Pool
from goop2.scripting.runs import Runs
from goop2.services.chat.service import ChatService as Messages
from goop2.services.groups.service import GroupService
from goop2.services.listen.service import Listening
from goop2.services.schema_files import SchemaFiles
from goop2.services.storage_health import StorageHealth
from goop2.services.tables import Tables
from goop2.storage.run_history import RunHistory
from goop2.web.api import broadcasts
from goop2.web.api.chat import ChatApi, site_audience
from goop2.web.api.data import DataApi
from goop2.web.api.endpoints import REFUSALS, EndpointAccess, access_of, checked
from goop2.web.api.groups import GroupApi
from goop2.web.api.listen import ListenApi
from goop2.web.api.peers import Peers
from goop2.web.api.site import SiteApi
from goop2.web.console.metering import RunMeter
from goop2.web.http.admission import Entrance, send_not_yours
from goop2.web.http.assets import Assets
from goop2.web.http.event_log import Events
from goop2.web.http.event_stream import send_events
from goop2.web.http.files import SitePages, send_page
from goop2.web.http.handlers import answered, as_sent, endpoint, no_body
from goop2.web.http.origins import READERS_DOING, Listener, Origin, OriginHeaders, OriginRefusal, Realm, decide, is_visitor_name
from goop2.web.http.passes import CONSOLE, OWN, PARAMETER, Passes, visit_of
from goop2.web.http.request_context import Handler, RequestContext
from goop2.web.http.responses import NO_HEADERS, PAGE_HEADERS, Carrying, Headers, send_failure, send_json, send_refusal
from goop2.web.http.site_ports import Ports, TooManySitesError, needs_port
from goop2.web.http.visitors import named_visitor, visitor
from goop2.web.remote.listen import RemoteListen
from goop2.web.remote.network import RemoteNetwork
from goop2.web.remote.sites import RemoteSites, audience

HEALTHY: Final = b'{"status":"ok"}'
UNHEALTHY: Final = b'{"status":"unavailable","problem":"the database"}'
AS_VISITOR: Final = "/as/"
NOBODY: Final = Caller("")
"""Who asks the console's own pages; whoever asks its controls shows the token."""
_DECIDING: Final = {
    b"host": "host",
    b"origin": "origin",
    b"sec-fetch-site": "site",
    b"sec-fetch-mode": "mode",
    b"sec-fetch-dest": "destination",
}
_READING: Final = frozenset({"GET", "HEAD"})


@dataclass(frozen=True)
class Parts:
    """What of a peer the web shows."""

    peer_id: str
    owner: Caller
    email: str
    engine: Engine
    chat: Messages
    tables: Tables
    grouping: GroupService
    listening: Listening
    catalog: Catalog
    runs: Runs
    history: RunHistory
    files: SiteFiles
    folder: Path
    settings: Settings
    """What the peer started with; goop.json may say otherwise by now."""
    warnings: tuple[str, ...]
    schemas: SchemaFiles
    health: StorageHealth
    pool: Pool
    confinement: Mapping[str, str]
    """Layer of confinement → "" when in force, else why not."""
    started: float = field(default_factory=time.monotonic)
    """On the monotonic clock, seconds."""
    abroad: RemoteNetwork = field(default_factory=RemoteNetwork)
    live: bool = False
    """Pages the owner has open reload themselves."""


class _Identity(msgspec.Struct, frozen=True):
    id: str
    label: str
    email: str


class Web:
    """What all doors of one peer share."""

    def __init__(self, parts: Parts) -> None:
        self.parts = parts
        self.events = Events()
        """For the pages of sites."""
        self.console_events = Events()
        """Apart from these: a busy peer's runs must not push a visitor's messages out."""
        self.meter = RunMeter()
        self.requests: Counter[Realm] = Counter()
        """Requests answered, by whose pages they were for."""
        self.data = DataApi(parts.engine, parts.catalog, parts.tables)
        self.chat = ChatApi(parts.chat, self.events, parts.abroad)
        broadcasts.tell(parts.abroad, self.events, site_audience(parts.owner))
        self.listen = ListenApi(parts.listening)
        self.groups = GroupApi(parts.grouping, self.events, site_audience(parts.owner))
        self.listen_abroad = RemoteListen(parts.listening.following, parts.abroad)
        self.visits = RemoteSites(parts.abroad, parts.chat, self.events)
        self.site_api = SiteApi(parts.files)
        self.entrance = Entrance(Passes(parts.folder, parts.peer_id), parts.abroad.label)
        self.site = SitePages(parts.files)
        self.sdk = Assets("sdk")
        peers = Peers(parts.abroad, parts.grouping, self.events, site_audience(parts.owner))
        self.api: dict[str, Handler] = {
            **self.data.api,
            **self.chat.api,
            **self.site_api.api,
            **self.listen.api,
            **self.groups.api,
            **peers.api,
            "identity": endpoint(self._identity, as_sent, read=no_body),
            "events": self._page_events,
        }
        """Path after `/api/` on the own site's origins → what answers."""
        self.api_of_visits: dict[str, Handler] = {
            **self.visits.api,
            **self.listen_abroad.api,
            **self.groups.api_of_visits,
            **peers.api_of_visits,
            "identity": endpoint(self._identity, as_sent, read=no_body),
            "events": self._visit_events,
        }
        """The same on the origin of another peer's site."""
        checked(self.api, self.api_of_visits)

    def stop(self) -> None:
        """End what would go on for ever: the streams."""
        self.chat.end()
        self.visits.end()
        self.listen.stop()
        self.listen_abroad.stop()
        self.groups.end()
        self.events.stop()
        self.console_events.stop()

    def reload_pages(self) -> None:
        """Let the pages the owner has open load themselves anew."""
        self.events.publish("reload", {}, site_audience(self.parts.owner))

    async def _page_events(self, call: RequestContext) -> None:
        await send_events(call, self.events, call.caller.tenant, [site_audience(call.caller)])

    async def _visit_events(self, call: RequestContext) -> None:
        await send_events(call, self.events, call.origin.peer_id, [audience(call.origin.peer_id)])

    def _email_shown(self, call: RequestContext) -> str:
        """Return the viewer's e-mail address, where it may be told."""
        if call.origin.realm is Realm.VISITED_SITE:  # to a stranger's page only what the owner shares with its peer
            return self.parts.settings.profile.email_for(call.origin.peer_id)
        return self.parts.email if call.caller.owner else ""

    async def _identity(self, call: RequestContext, _body: bytes) -> bytes:
        return msgspec.json.encode(_Identity(call.caller.id, call.caller.label or call.caller.id, self._email_shown(call)))


class ListenerApp:
    """The application behind `door`."""

    def __init__(self, web: Web, door: Listener, console: ASGIApp, ports: Ports) -> None:
        self._web = web
        self._ports = ports
        self._door = door
        self._console = Carrying(console, PAGE_HEADERS[Realm.CONSOLE])

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, and turn every error into an answer (ASGI)."""
        await answered(self._answer, scope, receive, send)

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        path: str = scope["path"]
        is_api = path.startswith("/api/")
        asking, cookies = _asking(scope, not is_api)
        origin = decide(self._door, asking)
        if isinstance(origin, OriginRefusal):
            await send_refusal(send, origin.status, origin.message)
            return
        self._web.requests[origin.realm] += 1
        if path == "/healthz":
            await self._healthz(send)
        elif origin.realm is Realm.CONSOLE:
            await self._on_console(origin, scope, receive, send, cookies)
        else:
            call = await self._web.entrance.admit(RequestContext(origin, NOBODY, scope, receive, send, NO_HEADERS), cookies, is_api)
            if call is not None:
                caller, headers = self._caller(call.origin, scope, cookies)
                await self._on_site(call._replace(caller=caller, headers=headers), path, is_api)

    async def _healthz(self, send: Send) -> None:
        """Whether the peer does what it is for. Anybody may ask, so a problem is named and not told."""
        if self._web.parts.health.problem:
            await send_json(send, UNHEALTHY, HTTPStatus.SERVICE_UNAVAILABLE)
        else:
            await send_json(send, HEALTHY)

    def _caller(self, origin: Origin, scope: Scope, cookies: bytes) -> tuple[Caller, Headers]:
        """Return who calls at a site's origin, and what the answer must carry for it (behaviour.md, "Who is calling")."""
        if origin.realm in (Realm.OWN_SITE, Realm.VISITED_SITE):  # to another peer the owner is this peer, by its proved id
            return self._web.parts.owner, NO_HEADERS
        if origin.realm is Realm.TEST_VISITOR:
            return named_visitor(origin.visitor), NO_HEADERS
        caller, set_cookie = visitor(cookies, scope["client"][0] if scope["client"] else "")
        return caller, [(b"set-cookie", set_cookie)] if set_cookie else NO_HEADERS

    async def _on_site(self, call: RequestContext, path: str, is_api: bool) -> None:
        if is_api:
            await self._on_api(call, path.removeprefix("/api/"))
            return
        call = call._replace(headers=[*call.headers, *PAGE_HEADERS[call.origin.realm]])
        if path.startswith("/sdk/"):
            await self._web.sdk.answer(call, path.removeprefix("/sdk/"))
            return
        shown = _without_peer(path, "/p/", call.origin.peer_id)
        if shown is None and _leads_on(call):
            await self._to_site(call._replace(headers=PAGE_HEADERS[call.origin.realm]), path, owner=True)
            return
        if shown is None:
            await send_page(call, HTTPStatus.FORBIDDEN, "Another peer's page", "It has an address of its own, and is not shown here.")
            return
        if call.origin.realm is Realm.VISITED_SITE:
            await self._web.visits.answer(call, shown)
        else:
            await self._web.site.answer(call, shown, live=self._web.parts.live and call.caller.owner)

    async def _on_api(self, call: RequestContext, path: str) -> None:
        inner = _without_peer(path, "p/", call.origin.peer_id)
        if inner is None:
            failure = Failure(ErrorCode.FORBIDDEN, "a page asks its own peer only")
            await send_failure(call.send, failure, call.headers)
            return
        api = self._web.api_of_visits if call.origin.realm is Realm.VISITED_SITE else self._web.api
        answer = api.get(inner)
        if access_of(call, inner) is EndpointAccess.NONE and inner in self._web.api:
            await send_failure(call.send, Failure(ErrorCode.FORBIDDEN, REFUSALS[call.origin.realm]), call.headers)
            return
        if answer is None:
            await send_failure(call.send, Failure(ErrorCode.NOT_FOUND, "nothing answers at this address"), call.headers)
            return
        await answer(call)

    async def _on_console(self, origin: Origin, scope: Scope, receive: Receive, send: Send, cookies: bytes) -> None:
        path: str = scope["path"]
        if path.startswith(("/p/", AS_VISITOR)):
            call = RequestContext(origin, NOBODY, scope, receive, send, PAGE_HEADERS[Realm.CONSOLE])
            await self._to_site(call, path, self._web.entrance.is_owner(scope, cookies, CONSOLE))
            return
        await self._console(scope, receive, send)

    async def _to_site(self, call: RequestContext, path: str, owner: bool) -> None:
        """`/p/<X>/…` on the console's origin leads to X's own, `/as/<name>/` to the own site as that test visitor.

        Where the `owner` follows a link of ours, the address carries a code, so that nobody is asked there.
        """
        named = path.split("/")[2]
        as_visitor = path.startswith(AS_VISITOR)
        try:
            if as_visitor and not is_visitor_name(named):
                raise ValueError(named)
            peer_id, visitor = (self._door.peer_id, named) if as_visitor else (named, "")
            if not owner and (visitor or peer_id != self._web.parts.peer_id) and needs_port(call.header(b"user-agent")):
                await send_not_yours(call, is_api=False)  # ports are few, and kept for ever
                return
            site = await self._ports.address(peer_id, visitor, call.header(b"user-agent"))
        except ValueError:
            text = "A peer's id begins with 12D3Koo and has 52 characters, a visitor's name has up to 16 letters and digits."
            await send_page(call, HTTPStatus.NOT_FOUND, "There is nobody like that", text)
            return
        except (TooManySitesError, OSError) as error:
            await send_page(call, HTTPStatus.SERVICE_UNAVAILABLE, "No port for this site", f"{error}.")
            return
        query = call.scope["query_string"]
        place = OWN if peer_id == self._web.parts.peer_id else visit_of(peer_id)
        if owner and not as_visitor and self._web.entrance.wants_code(call, place):
            query += (b"&" if query else b"") + f"{PARAMETER}={self._web.entrance.passes.code(place)}".encode()
        rest = b"/" if as_visitor else call.scope["raw_path"] + (b"?" + query if query else b"")
        text = "It has an origin of its own, so that it can reach nothing of yours."
        await send_page(call, HTTPStatus.TEMPORARY_REDIRECT, "To the peer's site", text, [(b"location", site.encode() + rest)])


def _leads_on(call: RequestContext) -> bool:
    """Return whether it is a link that the owner follows from the own site to another peer's."""
    own = call.origin.realm is Realm.OWN_SITE and call.caller.owner
    return own and call.header(b"sec-fetch-mode") == "navigate" and call.header(b"sec-fetch-site") in READERS_DOING


def _asking(scope: Scope, shows_pages: bool) -> tuple[OriginHeaders, bytes]:
    """Return what the decision rests on, and the cookies. A header sent twice is no header of a browser, and fits nothing."""
    found: dict[str, str] = {"host": ""}
    cookies = b""
    for name, value in scope["headers"]:
        field = _DECIDING.get(name)
        if field is not None:
            text = value.decode("latin-1")
            found[field] = f"{found[field]},{text}" if found.get(field) else text
        elif name == b"cookie":
            cookies = cookies + b";" + value if cookies else value
    page = shows_pages and scope["method"] in _READING
    return OriginHeaders(**found, page=page, local_address=_bracketed(scope["server"][0])), cookies


def _bracketed(address: str) -> str:
    """As it stands in `Host`; where one socket serves both, IPv4 comes as `::ffff:10.0.0.7`."""
    address = address.removeprefix("::ffff:")
    return f"[{address}]" if ":" in address else address


def _without_peer(path: str, prefix: str, peer_id: str) -> str | None:
    """`path` without `/p/<X>` where that is the site's own peer; None where it is another."""
    if not path.startswith(prefix):
        return path
    named, _, rest = path.removeprefix(prefix).partition("/")
    return rest if named == peer_id else None
