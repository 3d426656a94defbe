"""Decide who may use a site's origin, before any handler runs.

    own site       the owner by connection (local_users.py) or by a pass (passes.py); everybody else on this machine is a visitor
    visited site   the owner alone, since this peer calls there in the owner's name; a reader whom another page led here is asked first,
                   before that peer is dialled or anything of its site is fetched

`Sec-Fetch-Site` is set by the browser, and no page can change it: `same-origin` and `none` mean that the reader acted.
"""

from __future__ import annotations

import html
import os
from collections.abc import Callable
from dataclasses import replace
from http import HTTPStatus
from typing import Final
from urllib.parse import quote, urlencode

from starlette.types import Scope

from goop2.scripting.engine import Failure
from goop2.scripting.invocation import ErrorCode
from goop2.web.http.files import send_html, send_page
from goop2.web.http.local_users import is_of
from goop2.web.http.origins import NOT_FROM_ANOTHER_PAGE, READERS_DOING, Realm
from goop2.web.http.passes import OWN, PARAMETER, Passes, visit_of
from goop2.web.http.request_context import RequestContext
from goop2.web.http.responses import INTERSTITIAL_HEADERS, PAGE_HEADERS, send_failure

_PARAMETER: Final = PARAMETER.encode() + b"="
_OWNERS: Final = (Realm.OWN_SITE, Realm.TEST_VISITOR)
_LABEL_SHOWN_CHARS: Final = 80
_READING: Final = ("GET", "HEAD")


def user_of(scope: Scope) -> int | None:
    """Return the local user at the other end of the connection, as the server looked it up; None when nobody can tell."""
    user: int | None = scope.get("state", {}).get("user")
    return user


class SiteAdmission:
    """Decides who is admitted, for all listeners of a peer.

    :param passes: one-time codes and pass cookies.
    :param label_of: peer id → what the peer calls itself, "" when that is not known.
    """

    def __init__(self, passes: Passes, label_of: Callable[[str], str]) -> None:
        self.passes = passes
        self._label_of = label_of
        self._own_user = os.geteuid()

    def is_owner(self, scope: Scope, cookies: bytes, place: str) -> bool:
        """Return whether a connection counts as the owner's at `place`."""
        user = user_of(scope)
        return is_of(user, self._own_user) or self.passes.held(cookies, place, user)

    def wants_code(self, call: RequestContext, place: str) -> bool:
        """Return whether a link on a page of ours needs a code, so that the owner is not asked at `place`."""
        return call.header(b"sec-fetch-site") in READERS_DOING and not (place == OWN and self.is_owner(call.scope, b"", OWN))

    async def admit(self, call: RequestContext, cookies: bytes, is_api: bool) -> RequestContext | None:
        """Return `call` when it may go on; None when it was answered here.

        Its realm becomes OPEN_SITE when the caller is another user of this machine, who counts as a visitor.
        """
        realm = call.origin.realm
        # Strangers connect here by design: they are visitors, and nothing is asked of them.
        if realm is Realm.OPEN_SITE:
            return call
        place = visit_of(call.origin.peer_id) if realm is Realm.VISITED_SITE else OWN
        if not is_api and call.method in _READING and _has_code(call.scope["query_string"]):
            await self._redeem(call, cookies, place)
            return None
        if realm is Realm.VISITED_SITE:
            return call if await self._goes_on(call, cookies, place, is_api) else None
        # Another user of this machine is not refused, but is a visitor like any other.
        if realm in _OWNERS and not self.is_owner(call.scope, cookies, OWN):
            return call._replace(origin=replace(call.origin, realm=Realm.OPEN_SITE))
        return call

    async def _goes_on(self, call: RequestContext, cookies: bytes, place: str, is_api: bool) -> bool:
        """Return whether a request may reach a visited site; False when it was answered."""
        if not self.is_owner(call.scope, cookies, place):
            await send_not_yours(call, is_api)
            return False
        led = not is_api and call.header(b"sec-fetch-site") not in NOT_FROM_ANOTHER_PAGE
        if led and not self.passes.held(cookies, place, user_of(call.scope)):
            await self._ask(call, place)
            return False
        return True

    async def _ask(self, call: RequestContext, place: str) -> None:
        """Send the page that names the peer and asks the reader to go on."""
        # The link on it carries a code. Nothing is fetched from the peer before it is clicked, so a page elsewhere cannot make this
        # peer dial another one.
        peer_id = call.origin.peer_id
        label = self._label_of(peer_id)[:_LABEL_SHOWN_CHARS]
        code = f"{PARAMETER}={self.passes.code(place)}"
        query = call.scope["query_string"].decode("latin-1")
        onward = f"{_path(call)}?{query + '&' if query else ''}{code}"
        name = f'<p class="name">{html.escape(label)}</p>' if label else ""
        body = _PAGE.format(name=name, peer_id=html.escape(peer_id), onward=html.escape(onward))
        await send_html(call, HTTPStatus.OK, body, INTERSTITIAL_HEADERS)

    async def _redeem(self, call: RequestContext, cookies: bytes, place: str) -> None:
        """Exchange the code in the address for a cookie, and redirect to the address without it, so that the code is in no bookmark."""
        pairs = call.scope["query_string"].split(b"&")
        codes = [pair[len(_PARAMETER) :].decode("latin-1") for pair in pairs if pair.startswith(_PARAMETER)]
        rest = b"&".join(pair for pair in pairs if not pair.startswith(_PARAMETER))
        headers = [(b"location", _path(call).encode() + (b"?" + rest if rest else b""))]
        user = user_of(call.scope)
        good = any(self.passes.redeem(code, place) for code in codes)
        # The owner's own connections need no cookie on the own site; one for a visit says that the reader chose to go there.
        if good and (place != OWN or not is_of(user, self._own_user)):
            headers.append((b"set-cookie", self.passes.cookie(place, user)))
        elif not good and not self.is_owner(call.scope, cookies, place):
            text = 'It was used already, or is older than ten minutes. "goop2 console DIR" prints another, and so does the console.'
            await send_page(_with_headers(call), HTTPStatus.FORBIDDEN, "This link is no longer good", text)
            return
        await send_page(_with_headers(call), HTTPStatus.FOUND, "One moment", "The page is at an address without the code.", headers)


def _has_code(query: bytes) -> bool:
    """Return whether a query has a code. The name inside a value, or at the end of a longer name, belongs to the site."""
    return _PARAMETER in query and any(pair.startswith(_PARAMETER) for pair in query.split(b"&"))


def with_code(address: str, code: str) -> str:
    """Return `address`, which has no query, with a code in it."""
    return f"{address}?{urlencode({PARAMETER: code})}"


def _path(call: RequestContext) -> str:
    """Return the path of a request for `Location`, with one / at the beginning: two would name another host."""
    return quote(f"/{call.scope['path'].lstrip('/')}")


def _with_headers(call: RequestContext) -> RequestContext:
    return call._replace(headers=[*call.headers, *PAGE_HEADERS[call.origin.realm]])


async def send_not_yours(call: RequestContext, is_api: bool) -> None:
    """Refuse another user of this machine what only the owner may use."""
    if is_api:
        failure = Failure(ErrorCode.FORBIDDEN, "this peer belongs to another user of this machine")
        await send_failure(call.send, failure, call.headers)
        return
    text = 'Sites of other peers are shown to its owner alone. The owner lets a browser in from the console, or with "goop2 console DIR".'
    await send_page(_with_headers(call), HTTPStatus.FORBIDDEN, "This peer belongs to another user of this machine", text)


_PAGE: Final = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>Go to another peer’s site?</title>
<style>
:root {{ color-scheme: light dark }}
body {{ font: 17px/1.6 system-ui, sans-serif; max-width: 34rem; margin: 12vh auto; padding: 0 1.5rem }}
html {{ background: Canvas; color: CanvasText }}
h1 {{ font-size: 1.5rem; line-height: 1.25 }}
.peer {{ border: 1px solid GrayText; border-radius: .5rem; padding: .75rem 1rem; margin: 1.25rem 0 }}
.peer p {{ margin: 0; overflow-wrap: anywhere }}
.name {{ font-weight: 600 }}
.id {{ font: 14px/1.5 ui-monospace, monospace }}
.go {{ display: inline-block; padding: .5rem 1.1rem; border: 1px solid LinkText; border-radius: .5rem }}
.go {{ color: LinkText; text-decoration: none; font-weight: 600 }}
.go:focus-visible {{ outline: 3px solid Highlight; outline-offset: 2px }}
</style></head>
<body><main><h1>Go to another peer’s site?</h1>
<p>A link from another page leads to the site of this peer:</p>
<div class="peer">{name}<p class="id">{peer_id}</p></div>
<p>Nothing has been fetched yet. If you go on, your peer connects to it, and the site learns your peer’s id and label.
If you do not know this peer, close this tab.</p>
<p><a class="go" href="{onward}" rel="noreferrer">Go on to this site</a></p></main></body></html>
"""
