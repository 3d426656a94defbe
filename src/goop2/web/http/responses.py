"""Send JSON and errors with their statuses, and the headers that every answer of a realm carries.

The hot path uses these without a framework. It must not know what is answered.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from http import HTTPStatus
from typing import Any, Final

import msgspec
from starlette.types import Receive, Scope, Send

from goop2.scripting.engine import Failure
from goop2.scripting.invocation import ErrorCode
from goop2.web.http.origins import Realm

Headers = list[tuple[bytes, bytes]]

STATUSES: Final = {
    ErrorCode.BAD_REQUEST: HTTPStatus.BAD_REQUEST,
    ErrorCode.FORBIDDEN: HTTPStatus.FORBIDDEN,
    ErrorCode.NOT_FOUND: HTTPStatus.NOT_FOUND,
    ErrorCode.RATE_LIMITED: HTTPStatus.TOO_MANY_REQUESTS,
    ErrorCode.SCRIPT_ERROR: HTTPStatus.INTERNAL_SERVER_ERROR,
    ErrorCode.TIMEOUT: HTTPStatus.GATEWAY_TIMEOUT,
    ErrorCode.MEMORY: HTTPStatus.INSUFFICIENT_STORAGE,
    ErrorCode.UNAVAILABLE: HTTPStatus.SERVICE_UNAVAILABLE,
}
"""Error class → status (behaviour.md, "Data functions")."""

_CONSOLE_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_SITE_POLICY: Final = (
    "default-src 'self'; script-src 'self' 'unsafe-inline'; style-src 'self' 'unsafe-inline' https:; img-src 'self' data: blob: https:; "
    "media-src 'self' data: blob: https:; font-src 'self' data: https:; connect-src 'self'; worker-src 'self' blob:; object-src 'none'; "
    "base-uri 'self'; form-action 'self'; frame-ancestors 'self'"
)
"""A site's pages may be a stranger's code. Scripts, and what they connect to, come from the viewer's own peer alone. Pictures, media, fonts
and styles may come from any host with a certificate, which routers and printers on the viewer's network do not have
(docs/architecture.md). Inline scripts are allowed: sites are written like that, and one author wrote everything in an origin anyway."""


def _page_headers(policy: str, framing: str, referrer: str) -> Headers:
    return [
        (b"content-security-policy", policy.encode()),
        (b"x-frame-options", framing.encode()),
        (b"referrer-policy", referrer.encode()),
        (b"x-content-type-options", b"nosniff"),
        # A page that opened this one, or was opened by it, holds no reference to it; another origin cannot load what is here.
        (b"cross-origin-opener-policy", b"same-origin"),
        (b"cross-origin-resource-policy", b"same-origin"),
        # A process of its own, also beside test visitors, which share a parent domain.
        (b"origin-agent-cluster", b"?1"),
    ]


_OF_SITES: Final = _page_headers(_SITE_POLICY, "SAMEORIGIN", "same-origin")
_WANT_TRUST: Final = frozenset({b"cross-origin-opener-policy", b"origin-agent-cluster"})
"""Headers that browsers ignore, with a warning on every page, when an origin has neither TLS nor loopback."""
PAGE_HEADERS: Final = dict.fromkeys(Realm, _OF_SITES) | {
    Realm.CONSOLE: _page_headers(_CONSOLE_POLICY, "DENY", "no-referrer"),
    Realm.OPEN_SITE: [(name, value) for name, value in _OF_SITES if name not in _WANT_TRUST],
}
"""Realm → headers of all its pages and files."""

_INTERSTITIAL_POLICY: Final = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
INTERSTITIAL_HEADERS: Final = _page_headers(_INTERSTITIAL_POLICY, "DENY", "no-referrer")
"""Headers of the page that asks before another peer's site is shown: no scripts, in no frame."""

DATA_HEADERS: Final[Headers] = [
    (b"content-type", b"application/json"),
    (b"cache-control", b"no-store"),
    (b"x-content-type-options", b"nosniff"),
    (b"cross-origin-resource-policy", b"same-origin"),
]
"""Headers of JSON. It is no page, so it has no policies of pages."""

NO_HEADERS: Final[Headers] = []
CLOSE: Final = (b"connection", b"close")
"""Of an answer after which the connection ends, so that a body nobody has read costs nothing."""


class _ErrorBody(msgspec.Struct, omit_defaults=True):
    code: str
    message: str
    script: str | None = None
    line: int | None = None
    detail: dict[str, str] | None = None


async def send_json(send: Send, body: bytes, status: int = HTTPStatus.OK, headers: Iterable[tuple[bytes, bytes]] = NO_HEADERS) -> None:
    """Send JSON text as the body of an answer."""
    all_headers = [*DATA_HEADERS, (b"content-length", b"%d" % len(body)), *headers]
    await send({"type": "http.response.start", "status": status, "headers": all_headers})
    await send({"type": "http.response.body", "body": body})


async def send_failure(send: Send, failure: Failure, headers: Iterable[tuple[bytes, bytes]] = NO_HEADERS) -> None:
    """Send a failure with the status of its class: `{code, message, script?, line?, detail?}`."""
    more = list(headers)
    if failure.retry_after_seconds is not None:
        # Whole seconds, never 0: a client would ask again at once.
        more.append((b"retry-after", b"%d" % max(1, math.ceil(failure.retry_after_seconds))))
    body = msgspec.json.encode(_ErrorBody(failure.code.value, failure.message, failure.script, failure.line, failure.detail))
    await send_json(send, body, STATUSES[failure.code], more)


async def send_refusal(send: Send, status: HTTPStatus, message: str, headers: Iterable[tuple[bytes, bytes]] = NO_HEADERS) -> None:
    """Send a refusal with a status that has no error class, and close the connection, so that an unread body costs nothing."""
    body = msgspec.json.encode(_ErrorBody(_code_of(status), message))
    await send_json(send, body, status, [CLOSE, *headers])


def _code_of(status: HTTPStatus) -> str:
    """Return the error class with this status; `bad_request` when there is none."""
    return next((code.value for code, its_status in STATUSES.items() if its_status == status), ErrorCode.BAD_REQUEST.value)


class Carrying:
    """ASGI middleware that adds headers to all answers of an application."""

    def __init__(self, app: Any, headers: Headers) -> None:
        self._app = app
        self._headers = headers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer with the added headers (ASGI)."""

        async def carrying(message: Any) -> None:
            if message["type"] == "http.response.start":
                message = {**message, "headers": [*message.get("headers", ()), *self._headers]}
            await send(message)

        await self._app(scope, receive, carrying)
