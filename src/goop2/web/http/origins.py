"""Decide which origin a request is for, and whether its sender may use that origin: one pure function, without I/O.

    loopback listener   127.0.0.1 localhost [::1]            → the console
                        <own id in base36>.localhost         → the own site, its caller is the owner
                        <name>.<own id in base36>.localhost  → the own site, as the test visitor <name>
                        <other id in base36>.localhost       → a visited peer's site
    site's listener     localhost                            → the one site it was opened for (site_ports.py)
    opened listener     an address or name of this machine   → the own site, its caller is a visitor
                        through a proxy that is believed     → the same, whatever name the proxy passes on

Anything else in `Host` is 421, which stops DNS rebinding: a stranger's name that resolves to this machine is not one of these. A request
from a page of another origin is 403, by `Origin` and `Sec-Fetch-Site`; only following a link is allowed, since a page cannot read where its
reader went.

The port is part of an origin: what another program serves on another port of this machine is foreign. It must not know cookies, tokens or
paths.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum, auto
from functools import lru_cache
from http import HTTPStatus
from typing import Final, NamedTuple

from goop2.web.http.peer_host import peer_of_label

HTTP_PORT: Final = 80
HEADER_MAX_CHARS: Final = 320
"""A host name has at most 253 characters, and an origin a scheme and a port more. A longer header is refused unread."""
CONSOLE_HOSTS: Final = frozenset({"127.0.0.1", "localhost", "[::1]"})
SITE_HOST: Final = "localhost"
"""Host of a site at a port of its own. Not the console's 127.0.0.1: to browsers two ports of one host are the same site."""
_AUTHORITY = re.compile(r"(?P<host>[a-z0-9._-]+|\[[0-9a-f:.]+\])(?::(?P<port>[0-9]{1,5}))?")
_TEST_VISITOR = re.compile(r"[a-z0-9]{1,16}")
READERS_DOING: Final = frozenset({"same-origin", "none"})
"""Sec-Fetch-Site when the reader acts on a page of the same origin, or without any page (bookmark, address bar)."""
NOT_FROM_ANOTHER_PAGE: Final = READERS_DOING | {""}
"""READERS_DOING, and "" of programs that are no browsers. Not `same-site`: that is another port, or another name, of the same machine."""


class Realm(Enum):
    """Whose pages an origin holds, and who wrote them."""

    CONSOLE = auto()
    OWN_SITE = auto()
    """The caller is the owner."""
    TEST_VISITOR = auto()
    """The own site as somebody else sees it; the caller is the test visitor the origin names."""
    OPEN_SITE = auto()
    """The own site from beyond loopback; the caller is whoever the cookie says."""
    VISITED_SITE = auto()
    """Another peer's site: a stranger's code. The caller there is this peer."""


@dataclass(frozen=True, slots=True)
class Origin:
    """An origin that this peer serves."""

    realm: Realm
    peer_id: str
    """The peer whose site or console it is."""
    address: str
    """As browsers send it in `Origin`: `http://127.0.0.1:8780`."""
    visitor: str = ""
    """Name of the test visitor."""


@dataclass(frozen=True, slots=True)
class OriginRefusal:
    """The status and message of a refused request."""

    status: HTTPStatus
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Listener:
    """A port on which a peer listens."""

    peer_id: str
    port: int
    opened: bool = False
    """Not on loopback, by the owner's setting: strangers can connect, so the console is not served here."""
    names: frozenset[str] = frozenset()
    """Further names and addresses of this machine that are accepted in `Host`; lower case, IPv6 in brackets."""
    site: Realm | None = None
    """For a listener of a single site: its realm; `peer_id` is whose site it is. None: the host name decides."""
    visitor: str = ""
    """Name of the test visitor of such a listener."""


class OriginHeaders(NamedTuple):
    """The parts of a request that decide about the origin; "" for a header that is missing."""

    host: str
    origin: str = ""
    site: str = ""
    """Sec-Fetch-Site"""
    mode: str = ""
    """Sec-Fetch-Mode"""
    destination: str = ""
    """Sec-Fetch-Dest"""
    page: bool = False
    """The request is a GET for something to look at, not for data."""
    local_address: str = ""
    """The address of this machine the connection came to, an IPv6 one in brackets."""
    proxied: bool = False
    """A proxy that is believed (proxies.py) passes it on: it decides which names lead here, and may speak TLS to the reader."""


def decide(listener: Listener, asking: OriginHeaders) -> Origin | OriginRefusal:
    """Return the origin that a request is for at `listener`, or why it is refused."""
    # Before the cache: long headers of strangers must not fill it.
    if len(asking.host) > HEADER_MAX_CHARS or len(asking.origin) > HEADER_MAX_CHARS:
        return _NOT_OURS
    return _decide(listener, asking)


# A page asks hundreds of times with the same headers, and this is on the path of every request. Bounded, since strangers choose headers.
@lru_cache(maxsize=1024)
def _decide(listener: Listener, asking: OriginHeaders) -> Origin | OriginRefusal:
    if asking.proxied and listener.opened:
        origin = _proxied_origin(listener, asking)
    else:
        origin = _origin(listener, asking.host.lower(), asking.local_address)
    if origin is None:
        return _NOT_OURS
    # Browsers send `Origin` with everything but plain GET; `Sec-Fetch-Site` covers that.
    if asking.origin and asking.origin.lower() != origin.address:
        return _FOREIGN_PAGE
    if asking.site not in NOT_FROM_ANOTHER_PAGE and not _follows_a_link(asking):
        return _FOREIGN_PAGE
    return origin


_NOT_OURS = OriginRefusal(HTTPStatus.MISDIRECTED_REQUEST, "this address is not one of this peer; use the one printed when it started")
_FOREIGN_PAGE = OriginRefusal(HTTPStatus.FORBIDDEN, "a page of another origin may not ask here")


def _follows_a_link(asking: OriginHeaders) -> bool:
    """Return whether the reader follows a link into a tab, not into a frame, where the page around it could trick them."""
    return asking.page and not asking.origin and asking.mode == "navigate" and asking.destination == "document"


def _origin(listener: Listener, authority: str, local_address: str) -> Origin | None:
    match = _AUTHORITY.fullmatch(authority)
    if match is None or int(match["port"] or HTTP_PORT) != listener.port:
        return None
    host = match["host"]
    address = origin_address(host, listener.port)
    if listener.site is not None:
        return Origin(listener.site, listener.peer_id, address, listener.visitor) if host == SITE_HOST else None
    if listener.opened:
        is_ours = host == local_address or host in listener.names
        return Origin(Realm.OPEN_SITE, listener.peer_id, address) if is_ours else None
    if host in CONSOLE_HOSTS or host in listener.names:
        return Origin(Realm.CONSOLE, listener.peer_id, address)
    return _site(listener, host, address)


def _proxied_origin(listener: Listener, asking: OriginHeaders) -> Origin | None:
    host = asking.host.lower()
    if _AUTHORITY.fullmatch(host) is None:
        return None
    # The reader's page may be under https, which ends at the proxy.
    scheme = "https" if asking.origin.lower().startswith("https://") else "http"
    return Origin(Realm.OPEN_SITE, listener.peer_id, f"{scheme}://{host}")


def _site(listener: Listener, host: str, address: str) -> Origin | None:
    *visitor, label, top = host.rsplit(".", 2) if host.count(".") else ("", "")
    peer_id = peer_of_label(label) if top == "localhost" else None
    if peer_id is None:
        return None
    if visitor:
        is_ours = peer_id == listener.peer_id and is_visitor_name(visitor[0])
        return Origin(Realm.TEST_VISITOR, peer_id, address, visitor[0]) if is_ours else None
    return Origin(Realm.OWN_SITE if peer_id == listener.peer_id else Realm.VISITED_SITE, peer_id, address)


def is_visitor_name(name: str) -> bool:
    """Return whether `name` can be the name of a test visitor."""
    return _TEST_VISITOR.fullmatch(name) is not None


def origin_address(host: str, port: int) -> str:
    """Return an origin as browsers send it: without the port when it is 80."""
    return f"http://{host}" if port == HTTP_PORT else f"http://{host}:{port}"
