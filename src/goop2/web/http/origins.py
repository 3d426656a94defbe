"""Which origin a request means, and whether whoever sends it may ask there at all: pure, one table, no I/O.

    loopback door   127.0.0.1 localhost [::1]            → the console
                    <own id in base36>.localhost         → the own site, its caller is the owner
                    <name>.<own id in base36>.localhost  → the own site, as the test visitor <name>
                    <other id in base36>.localhost       → a visited peer's site
    site's door     localhost                            → the one site it was opened for (site_ports.py)
    open door       an address or name of this machine   → the own site, its caller is a visitor

Anything else in `Host` is 421: whoever rebinds a name of theirs to this machine meets that. A page of
another origin that reaches for one of these is 403, told by `Origin` and by `Sec-Fetch-Site`; only
following a link is free, since a page cannot read where its reader went.

Ports count: a peer's door is one port, and what another program serves on its own is foreign.
It must not know cookies, tokens or paths.
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
"""A host name has 253 characters, and an origin a scheme and a port more. What is longer is none of ours."""
CONSOLE_HOSTS: Final = frozenset({"127.0.0.1", "localhost", "[::1]"})
SITE_HOST: Final = "localhost"
"""Of a site at a port of its own. Not the console's 127.0.0.1: to browsers two ports of one host are one site."""
_AUTHORITY = re.compile(r"(?P<host>[a-z0-9._-]+|\[[0-9a-f:.]+\])(?::(?P<port>[0-9]{1,5}))?")
_TEST_VISITOR = re.compile(r"[a-z0-9]{1,16}")
READERS_DOING: Final = frozenset({"same-origin", "none"})
"""Sec-Fetch-Site of what a reader does on a page of the same origin, or without any page."""
NOT_FROM_ANOTHER_PAGE: Final = READERS_DOING | {""}
"""Sec-Fetch-Site of a page of the same origin, of a reader's own doing, and of programs that are no browsers.
`same-site` is not among them: it is another port, or another name, of the same machine."""


class Realm(Enum):
    """Whose pages an origin holds, and who is behind them."""

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
    """Whose site; of the console, whose console."""
    address: str
    """As browsers write it in `Origin`: `http://127.0.0.1:8780`."""
    visitor: str = ""
    """Name of the test visitor."""


@dataclass(frozen=True, slots=True)
class OriginRefusal:
    """Why a request goes no further."""

    status: HTTPStatus
    message: str


@dataclass(frozen=True, slots=True)
class Listener:
    """A port on which a peer listens."""

    peer_id: str
    port: int
    opened: bool = False
    """Beyond loopback, by the owner's setting: strangers come in here, and the console is not behind it."""
    names: frozenset[str] = frozenset()
    """Names and addresses of this machine by which the door is known besides; lower case, IPv6 in brackets."""
    site: Realm | None = None
    """Of a door that is one site's origin and nothing else: whose pages it holds; `peer_id` is whose site."""
    visitor: str = ""
    """Of such a door: the name of the test visitor."""


class OriginHeaders(NamedTuple):
    """What of a request the decision rests on; "" for a header that is not there."""

    host: str
    origin: str = ""
    site: str = ""
    """Sec-Fetch-Site"""
    mode: str = ""
    """Sec-Fetch-Mode"""
    destination: str = ""
    """Sec-Fetch-Dest"""
    page: bool = False
    """It asks for something to look at, with GET, not for data."""
    local_address: str = ""
    """The address of this machine the connection came to, an IPv6 one in brackets."""


def decide(door: Listener, asking: OriginHeaders) -> Origin | OriginRefusal:
    """Return the origin `asking` means at `door`, or why it is refused."""
    if len(asking.host) > HEADER_MAX_CHARS or len(asking.origin) > HEADER_MAX_CHARS:
        return _NOT_OURS
    return _decide(door, asking)


@lru_cache(maxsize=1024)
def _decide(door: Listener, asking: OriginHeaders) -> Origin | OriginRefusal:
    origin = _origin(door, asking.host.lower(), asking.local_address)
    if origin is None:
        return _NOT_OURS
    if asking.origin and asking.origin.lower() != origin.address:
        return _FOREIGN_PAGE
    if asking.site not in NOT_FROM_ANOTHER_PAGE and not _follows_a_link(asking):
        return _FOREIGN_PAGE
    return origin


_NOT_OURS = OriginRefusal(HTTPStatus.MISDIRECTED_REQUEST, "this address is not one of this peer; use the one printed when it started")
_FOREIGN_PAGE = OriginRefusal(HTTPStatus.FORBIDDEN, "a page of another origin may not ask here")


def _follows_a_link(asking: OriginHeaders) -> bool:
    """In a tab of its own: not in a frame, where the page around it could trick its reader."""
    return asking.page and not asking.origin and asking.mode == "navigate" and asking.destination == "document"


def _origin(door: Listener, authority: str, local_address: str) -> Origin | None:
    match = _AUTHORITY.fullmatch(authority)
    if match is None or int(match["port"] or HTTP_PORT) != door.port:
        return None
    host = match["host"]
    address = origin_address(host, door.port)
    if door.site is not None:
        return Origin(door.site, door.peer_id, address, door.visitor) if host == SITE_HOST else None
    if door.opened:
        known = host == local_address or host in door.names
        return Origin(Realm.OPEN_SITE, door.peer_id, address) if known else None
    if host in CONSOLE_HOSTS or host in door.names:
        return Origin(Realm.CONSOLE, door.peer_id, address)
    return _site(door, host, address)


def _site(door: Listener, host: str, address: str) -> Origin | None:
    *visitor, label, top = host.rsplit(".", 2) if host.count(".") else ("", "")
    peer_id = peer_of_label(label) if top == "localhost" else None
    if peer_id is None:
        return None
    if visitor:
        known = peer_id == door.peer_id and is_visitor_name(visitor[0])
        return Origin(Realm.TEST_VISITOR, peer_id, address, visitor[0]) if known else None
    return Origin(Realm.OWN_SITE if peer_id == door.peer_id else Realm.VISITED_SITE, peer_id, address)


def is_visitor_name(name: str) -> bool:
    """Return whether a test visitor may be called like this."""
    return _TEST_VISITOR.fullmatch(name) is not None


def origin_address(host: str, port: int) -> str:
    """As browsers write it: without the port where it is the protocol's own."""
    return f"http://{host}" if port == HTTP_PORT else f"http://{host}:{port}"
