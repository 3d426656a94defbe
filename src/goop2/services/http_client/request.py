"""A request as values: its parts, the headers a script may add, and the request that a redirect makes of it. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Final, Literal

import goop2
from goop2.services.http_client.errors import BlockedError, OutboundError, shown
from goop2.services.http_client.limits import REQUEST_HEADERS_MAX, REQUEST_HEADERS_MAX_BYTES
from goop2.services.http_client.url import Target, read_redirect

USER_AGENT: Final = f"goop2-python/{goop2.__version__}"

OURS: Final = frozenset(
    {
        "host",
        "connection",
        "keep-alive",
        "proxy-connection",
        "proxy-authorization",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
        "expect",
        "content-length",
        "accept-encoding",
        "user-agent",
    }
)
"""Headers that say where a request goes, how it is framed and who sends it; no script sets them."""

HARMLESS: Final = frozenset(("accept", "accept-language", "content-type"))
"""What another origin may be told. Any other header could be a key for the first one."""

REDIRECTS: Final = frozenset((301, 302, 303, 307, 308))
BECOME_GET: Final = frozenset((301, 302, 303))
"""Statuses after which every browser follows a POST with a GET."""

_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_VALUE = re.compile(r"[\t\x20-\x7e\x80-\U0010ffff]*")

Headers = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class HttpRequest:
    """One request, before or after some hops."""

    method: Literal["GET", "POST"]
    target: Target
    headers: Headers = ()
    """The script's, checked."""
    body: bytes = b""

    def wire_headers(self) -> list[tuple[bytes, bytes]]:
        """Return all headers, as they are sent."""
        # "Connection: close": a connection serves one hop (client.py).
        ours = [("Host", self.target.authority), ("User-Agent", USER_AGENT), ("Accept-Encoding", "gzip"), ("Connection", "close")]
        if self.method == "POST":
            ours.append(("Content-Length", str(len(self.body))))
        return [(name.encode("ascii"), value.encode("utf-8")) for name, value in (*ours, *self.headers)]


@dataclass(frozen=True, slots=True)
class Response:
    """The answer of a server; `headers` by lower-case name, several of one name joined by ", "."""

    status: int
    headers: Mapping[str, str]
    body: bytes


def checked_headers(pairs: Iterable[tuple[str, str]]) -> Headers:
    """Return `pairs` if a script may send them. Raises `OutboundError`."""
    headers = tuple((name, value.strip(" \t")) for name, value in pairs)
    if len(headers) > REQUEST_HEADERS_MAX or sum(len(name) + len(value) for name, value in headers) > REQUEST_HEADERS_MAX_BYTES:
        raise OutboundError(f"a request takes at most {REQUEST_HEADERS_MAX} headers with {REQUEST_HEADERS_MAX_BYTES} characters in all")
    for name, value in headers:
        if not _NAME.fullmatch(name):
            raise BlockedError(f"{shown(name) or 'an empty text'} is no name of a header")
        if name.lower() in OURS:
            raise BlockedError(f"the header {name} is set by the peer")
        if not _VALUE.fullmatch(value):
            raise BlockedError(f"the value of the header {name} holds a control character, such as the end of a line")
    return headers


def received_headers(raw: Iterable[tuple[bytes, bytes]]) -> dict[str, str]:
    """Return the headers of an answer by lower-case name."""
    headers: dict[str, str] = {}
    for name, value in raw:
        key, text = name.decode("ascii").lower(), value.decode("utf-8", "replace")
        headers[key] = f"{headers[key]}, {text}" if key in headers else text
    return headers


def redirected(request: HttpRequest, status: int, headers: Mapping[str, str]) -> HttpRequest | None:
    """Return the next hop of a redirect; None for the last answer. Raises `OutboundError`.

    Another origin is told nothing that could be a credential; a body never follows from https to http.
    """
    if status not in REDIRECTS or "location" not in headers:
        return None
    target = read_redirect(request.target, headers["location"])
    hop = replace(request, target=target)
    if status in BECOME_GET and request.method == "POST":
        hop = replace(hop, method="GET", body=b"", headers=_without(hop.headers, "content-type"))
    # A header may be a key for the first origin; a redirect must not give it to another.
    if target.origin != request.target.origin:
        hop = replace(hop, headers=tuple(header for header in hop.headers if header[0].lower() in HARMLESS))
    # Only a redirect with a body is refused: without one nothing of the script's travels on.
    if hop.body and request.target.scheme == "https" and target.scheme == "http":
        raise BlockedError("a redirect from https to http would send the body unencrypted")
    return hop


def _without(headers: Headers, name: str) -> Headers:
    return tuple(header for header in headers if header[0].lower() != name)
