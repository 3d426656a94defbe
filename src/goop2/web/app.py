"""The ASGI application behind one listener: headers → origin → caller → handler.

Every request comes through here, most of all `POST /api/data/lua/call`, so it is dictionary look-ups without a framework.
Each kind of origin has one table of handlers.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable
from functools import partial
from http import HTTPStatus
from typing import Final

import msgspec
from starlette.types import ASGIApp, Receive, Scope, Send

from goop2.scripting.engine import Failure
from goop2.scripting.invocation import Caller, ErrorCode
from goop2.services.peer import Peer
from goop2.web.api import broadcasts
from goop2.web.api.avatars import OF_PEERS, AvatarApi
from goop2.web.api.chat import ChatApi, site_audience
from goop2.web.api.data import DataApi
from goop2.web.api.endpoints import REFUSALS, EndpointAccess, access_of, checked
from goop2.web.api.goop2_groups import Goop2GroupApi
from goop2.web.api.groups import GroupApi
from goop2.web.api.listen import ListenApi
from goop2.web.api.mq import MessageApi
from goop2.web.api.peers import Peers
from goop2.web.api.rooms import RoomApi
from goop2.web.api.site import SiteApi
from goop2.web.api.template import TemplateApi
from goop2.web.console.metering import RunMeter
from goop2.web.http.admission import SiteAdmission, send_not_yours
from goop2.web.http.assets import Assets
from goop2.web.http.event_log import Events
from goop2.web.http.event_stream import send_events
from goop2.web.http.files import SitePages, send_page
from goop2.web.http.handlers import answered, as_sent, endpoint, no_body
from goop2.web.http.origins import READERS_DOING, Listener, Origin, OriginHeaders, OriginRefusal, Realm, decide, is_visitor_name
from goop2.web.http.passes import CONSOLE, OWN, PARAMETER, Passes, visit_of
from goop2.web.http.peer_host import peer_path
from goop2.web.http.plain_errors import plain_errors, wants_plain_errors
from goop2.web.http.request_context import Handler, RequestContext
from goop2.web.http.responses import NO_HEADERS, PAGE_HEADERS, Carrying, Headers, send_failure, send_json, send_refusal
from goop2.web.http.site_ports import SitePorts, TooManySitesError, needs_port
from goop2.web.http.visitors import named_visitor, visitor
from goop2.web.remote.listen import RemoteListen
from goop2.web.remote.network import RemoteNetwork
from goop2.web.remote.sites import RemoteSites, audience

HEALTHY: Final = b'{"status":"ok"}'
UNHEALTHY: Final = b'{"status":"unavailable","problem":"the database"}'
AS_VISITOR: Final = "/as/"
NOBODY: Final = Caller("")
"""The caller of the console's own files. Its controls check the token instead."""
_DECIDING: Final = {
    b"host": "host",
    b"origin": "origin",
    b"sec-fetch-site": "site",
    b"sec-fetch-mode": "mode",
    b"sec-fetch-dest": "destination",
}
_READING: Final = frozenset({"GET", "HEAD"})


class _Identity(msgspec.Struct, frozen=True):
    id: str
    label: str
    email: str


class _Self(msgspec.Struct, frozen=True):
    id: str
    label: str
    email: str
    avatar_hash: str = ""
    """Of the own picture, for the owner on the own site; "" without one."""


class Web:
    """What all listeners of one peer share.

    :param peer: what is shown. Its settings are those it started with; goop.json may say otherwise by now.
    :param remote: the network, once the peer is on it.
    :param live: pages the owner has open reload themselves when a file of the site is saved.
    :param restart: ends the peer and starts it again; None where nobody would start it.
    """

    def __init__(self, peer: Peer, remote: RemoteNetwork, *, live: bool = False, restart: Callable[[], None] | None = None) -> None:
        self.peer = peer
        self.remote = remote
        self.live = live
        self._following_saves = asyncio.Event()
        if live:
            self._following_saves.set()
        self.restart = restart
        self.started = time.monotonic()
        """On the monotonic clock, seconds."""
        self.events = Events()
        """For the pages of sites."""
        self.console_events = Events()
        """For the console. A log of its own: a busy peer's runs must not push a visitor's messages out."""
        self.meter = RunMeter()
        self.requests: Counter[Realm] = Counter()
        """Requests answered, by whose pages they were for."""
        owners_pages = site_audience(peer.owner)
        self.data = DataApi(peer.engine, peer.catalog, peer.tables)
        self.chat = ChatApi(peer.chat, self.events, remote)
        broadcasts.publish_broadcasts(remote, self.events, owners_pages)
        self.listen = ListenApi(peer.listening)
        self.groups = GroupApi(peer.grouping, self.events, owners_pages, remote.label)
        self.goop2_groups = goop2_groups = Goop2GroupApi(peer.grouping, remote, self.events, owners_pages)
        self.rooms = RoomApi(peer.rooms, peer.identity.peer_id, self.events, owners_pages)
        self.remote_listen = RemoteListen(peer.listening.following, remote)
        self.remote_sites = RemoteSites(remote, peer.chat, self.events)
        self.site_api = SiteApi(peer.files)
        self._messages = MessageApi(remote)
        self._avatars = AvatarApi(peer.avatars, peer.grouping)
        self.admission = SiteAdmission(Passes(peer.folder, peer.identity.peer_id), remote.label)
        self.site = SitePages(peer.files)
        self.sdk = Assets("sdk")
        peers = Peers(remote, peer.grouping, self.events, owners_pages)
        self.api: dict[str, Handler] = {
            **self.data.api,
            **self.chat.api,
            **self.site_api.api,
            **self.listen.api,
            **self.groups.api,
            **goop2_groups.api,
            **self.rooms.api,
            **peers.api,
            **self._avatars.api,
            **self._messages.api,
            **TemplateApi(peer.tables).api,
            "identity": endpoint(self._identity, as_sent, read=no_body),
            "self": endpoint(self._self, as_sent, read=no_body),
            "events": self._page_events,
        }
        """Path after `/api/` on the own site's origins, or OF_PEERS → what answers."""
        self.api_of_visits: dict[str, Handler] = {
            **self.remote_sites.api,
            **self.remote_listen.api,
            **self.groups.api_of_visits,
            **goop2_groups.api_of_visits,
            **self.rooms.api_of_visits,
            **peers.api_of_visits,
            **self._avatars.api,
            **self._messages.api,
            "identity": endpoint(self._identity, as_sent, read=no_body),
            "self": endpoint(self._self, as_sent, read=no_body),
            "events": self._visit_events,
        }
        """The same on the origin of another peer's site."""
        # At the start, not at the first request: an endpoint without a rule is a mistake of ours.
        checked(self.api, self.api_of_visits)

    def stop(self) -> None:
        """End the event streams, which would go on for ever, and every subscription."""
        self.chat.unsubscribe()
        self.remote_sites.unsubscribe()
        self.listen.stop()
        self.remote_listen.stop()
        self.groups.unsubscribe()
        self.goop2_groups.unsubscribe()
        self.rooms.unsubscribe()
        self.events.stop()
        self._messages.stop()
        self.console_events.stop()

    def follow_saves(self, live: bool) -> None:
        """Have the pages the owner opens from now on reload when a file of the site is saved, or not."""
        self.live = live
        if live:
            self._following_saves.set()

    async def saves_are_followed(self) -> None:
        """Wait until pages are to reload when a file is saved."""
        await self._following_saves.wait()

    def reload_pages(self) -> None:
        """Make the pages the owner has open reload themselves."""
        self.events.publish("reload", {}, site_audience(self.peer.owner))

    async def _page_events(self, call: RequestContext) -> None:
        await send_events(call, self.events, call.caller.tenant, [site_audience(call.caller)])

    async def _visit_events(self, call: RequestContext) -> None:
        await send_events(call, self.events, call.origin.peer_id, [audience(call.origin.peer_id)])

    async def _self(self, call: RequestContext, _body: bytes) -> bytes:
        """Return who the viewer is, as pages of Goop2 ask: the e-mail address for the owner on the own site alone."""
        own = call.origin.realm is Realm.OWN_SITE and call.caller.owner
        email = self.peer.settings.profile.email if own else ""
        avatar_hash = await self._avatars.hash_of_own() if own else ""
        return msgspec.json.encode(_Self(call.caller.id, call.caller.label or call.caller.id, email, avatar_hash))

    def _email_shown(self, call: RequestContext) -> str:
        """Return the viewer's e-mail address; "" where the page may not know it."""
        # A stranger's page gets only what the owner shares with its peer.
        if call.origin.realm is Realm.VISITED_SITE:
            return self.peer.settings.profile.email_for(call.origin.peer_id)
        return self.peer.settings.profile.email if call.caller.owner else ""

    async def _identity(self, call: RequestContext, _body: bytes) -> bytes:
        return msgspec.json.encode(_Identity(call.caller.id, call.caller.label or call.caller.id, self._email_shown(call)))


class ListenerApp:
    """The ASGI application behind one listener.

    :param web: what all listeners of the peer share.
    :param listener: decides which origins are served here.
    :param console: the application of the console's origin.
    :param ports: where browsers without `*.localhost` are sent.
    """

    def __init__(self, web: Web, listener: Listener, console: ASGIApp, ports: SitePorts) -> None:
        self._web = web
        self._ports = ports
        self._listener = listener
        self._console = Carrying(console, PAGE_HEADERS[Realm.CONSOLE])

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, and turn every error into an answer (ASGI)."""
        # The origin is decided before anything else is looked at: a refused request must not reach a handler.
        asking, cookies, accept = _asking(scope, not scope["path"].startswith("/api/"))
        origin = decide(self._listener, asking)
        of_site = isinstance(origin, Origin) and origin.realm is not Realm.CONSOLE
        if of_site and wants_plain_errors(asking.mode, accept):
            send = plain_errors(send)
        await answered(partial(self._answer, origin, cookies), scope, receive, send)

    async def _answer(self, origin: Origin | OriginRefusal, cookies: bytes, scope: Scope, receive: Receive, send: Send) -> None:
        path: str = scope["path"]
        is_api = path.startswith("/api/")
        if isinstance(origin, OriginRefusal):
            await send_refusal(send, origin.status, origin.message)
            return
        fenced = self._web.peer.fenced
        if fenced is not None and (why := fenced()):
            await send_refusal(send, HTTPStatus.SERVICE_UNAVAILABLE, why)
            return
        # Refusals by a handler count, those by `decide` do not: they are for no origin of this peer.
        self._web.requests[origin.realm] += 1
        if path == "/healthz":
            await self._healthz(send)
        elif origin.realm is Realm.CONSOLE:
            # No admission: the console checks its own token.
            await self._on_console(origin, scope, receive, send, cookies)
        else:
            call = await self._web.admission.admit(
                RequestContext(origin=origin, caller=NOBODY, scope=scope, receive=receive, send=send, headers=NO_HEADERS), cookies, is_api
            )
            if call is not None:
                caller, headers = self._caller(call.origin, scope, cookies)
                await self._on_site(call._replace(caller=caller, headers=headers), path, is_api)

    async def _healthz(self, send: Send) -> None:
        """Send whether the peer works. Anybody may ask, so the answer names the problem without details."""
        if self._web.peer.health.problem:
            await send_json(send, UNHEALTHY, HTTPStatus.SERVICE_UNAVAILABLE)
        else:
            await send_json(send, HEALTHY)

    def _caller(self, origin: Origin, scope: Scope, cookies: bytes) -> tuple[Caller, Headers]:
        """Return the caller at a site's origin, and headers for the answer (behaviour.md, "Who is calling")."""
        # To another peer the owner is this peer, by the id that its connection proves.
        if origin.realm in (Realm.OWN_SITE, Realm.VISITED_SITE):
            return self._web.peer.owner, NO_HEADERS
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
        if path == "/" and call.method in _READING:
            await _to_front_page(call)
            return
        # `/p/<own id>/…` is the same as `/…`: pages that name their peer work at both.
        shown = _without_peer(path, "/p/", call.origin.peer_id)
        if shown is None and _leads_on(call):
            await self._to_site(call._replace(headers=PAGE_HEADERS[call.origin.realm]), path, owner=True)
            return
        if shown is None:
            await send_page(call, HTTPStatus.FORBIDDEN, "Another peer's page", "It has an address of its own, and is not shown here.")
            return
        if call.origin.realm is Realm.VISITED_SITE:
            await self._web.remote_sites.answer(call, shown)
        else:
            await self._web.site.answer(call, shown, live=self._web.live and call.caller.owner)

    async def _on_api(self, call: RequestContext, path: str) -> None:
        inner = _without_peer(path, "p/", call.origin.peer_id)
        if inner is None:
            failure = Failure(ErrorCode.FORBIDDEN, "a page asks its own peer only")
            await send_failure(call.send, failure, call.headers)
            return
        api = self._web.api_of_visits if call.origin.realm is Realm.VISITED_SITE else self._web.api
        name = OF_PEERS if inner.startswith(OF_PEERS) else inner
        answer = api.get(name)
        # First the access: an endpoint of the own site is 403 on a visited site's origin, which has no handler for it, and not 404.
        if access_of(call, inner) is EndpointAccess.NONE and name in self._web.api:
            await send_failure(call.send, Failure(ErrorCode.FORBIDDEN, REFUSALS[call.origin.realm]), call.headers)
            return
        if answer is None:
            await send_failure(call.send, Failure(ErrorCode.NOT_FOUND, "nothing answers at this address"), call.headers)
            return
        await answer(call)

    async def _on_console(self, origin: Origin, scope: Scope, receive: Receive, send: Send, cookies: bytes) -> None:
        path: str = scope["path"]
        if path.startswith(("/p/", AS_VISITOR)):
            call = RequestContext(
                origin=origin, caller=NOBODY, scope=scope, receive=receive, send=send, headers=PAGE_HEADERS[Realm.CONSOLE]
            )
            await self._to_site(call, path, self._web.admission.is_owner(scope, cookies, CONSOLE))
            return
        await self._console(scope, receive, send)

    async def _to_site(self, call: RequestContext, path: str, owner: bool) -> None:
        """Redirect `/p/<peer id>/…` to that peer's origin, and `/as/<name>/` to the own site as that test visitor.

        When the `owner` follows a link of ours, the address carries a one-time code, so that nobody is asked there.
        """
        named = path.split("/")[2]
        as_visitor = path.startswith(AS_VISITOR)
        try:
            if as_visitor and not is_visitor_name(named):
                raise ValueError(named)
            peer_id, visitor = (self._listener.peer_id, named) if as_visitor else (named, "")
            if not owner and (visitor or peer_id != self._web.peer.identity.peer_id) and needs_port(call.header(b"user-agent")):
                # Ports are few and saved for ever: only the owner may use one up.
                await send_not_yours(call, is_api=False)
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
        place = OWN if peer_id == self._web.peer.identity.peer_id else visit_of(peer_id)
        if owner and not as_visitor and self._web.admission.wants_code(call, place):
            query += (b"&" if query else b"") + f"{PARAMETER}={self._web.admission.passes.code(place)}".encode()
        path_there = peer_path(peer_id).encode() if as_visitor else call.scope["raw_path"]
        rest = path_there + (b"?" + query if query else b"")
        text = "It has an origin of its own, so that it can reach nothing of yours."
        await send_page(call, HTTPStatus.TEMPORARY_REDIRECT, "To the peer's site", text, [(b"location", site.encode() + rest)])


async def _to_front_page(call: RequestContext) -> None:
    """Redirect `/` to `/p/<peer id>/`: pages read from their address whose site they are, and know no owner without it."""
    query = call.scope["query_string"]
    location = peer_path(call.origin.peer_id).encode() + (b"?" + query if query else b"")
    text = "The site has its peer's id in the address."
    await send_page(call, HTTPStatus.FOUND, "One moment", text, [(b"location", location)])


def _leads_on(call: RequestContext) -> bool:
    """Return whether it is a link that the owner follows from the own site to another peer's."""
    own = call.origin.realm is Realm.OWN_SITE and call.caller.owner
    return own and call.header(b"sec-fetch-mode") == "navigate" and call.header(b"sec-fetch-site") in READERS_DOING


def _asking(scope: Scope, shows_pages: bool) -> tuple[OriginHeaders, bytes, str]:
    """Return the headers that decide about the origin, the cookies, and `Accept`."""
    # No browser sends one of these headers twice. Joined by a comma the values match nothing, so the request is refused.
    headers: dict[str, str] = {"host": ""}
    cookies = accept = b""
    for name, value in scope["headers"]:
        field = _DECIDING.get(name)
        if field is not None:
            text = value.decode("latin-1")
            headers[field] = f"{headers[field]},{text}" if headers.get(field) else text
        elif name == b"cookie":
            cookies = cookies + b";" + value if cookies else value
        elif name == b"accept":
            accept = accept + b"," + value if accept else value
    page = shows_pages and scope["method"] in _READING
    address, proxied = _bracketed(scope["server"][0]), scope.get("state", {}).get("proxied", False)
    return OriginHeaders(**headers, page=page, local_address=address, proxied=proxied), cookies, accept.decode("latin-1")


def _bracketed(address: str) -> str:
    """Return an address as it stands in `Host`."""
    # Where one socket serves IPv4 and IPv6, an IPv4 address comes as `::ffff:10.0.0.7`.
    address = address.removeprefix("::ffff:")
    return f"[{address}]" if ":" in address else address


def _without_peer(path: str, prefix: str, peer_id: str) -> str | None:
    """Return `path` without `/p/<peer id>` when that is the site's own peer; None when it is another."""
    if not path.startswith(prefix):
        return path
    named, _, rest = path.removeprefix(prefix).partition("/")
    return rest if named == peer_id else None
