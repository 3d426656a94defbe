"""Parse the text of an address into a target: scheme, host, port, path. It is the only parser of addresses here.

A host has one spelling afterwards: a name in lower-case ASCII, or an address as `ipaddress` writes it. A text that two parsers could read
differently is refused: numbers that some resolvers take for addresses (`0x7f.1`, `127.1`, `2130706433`), zone ids, a second @, control
characters. No I/O. It must not know which hosts are public; the egress policy does.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote, unquote, urljoin

import idna

from goop2.services.http_client.errors import BlockedError, OutboundError, shown
from goop2.services.http_client.limits import URL_MAX_BYTES

DEFAULT_PORTS: Final = {"http": 80, "https": 443}
HIGHEST_PORT: Final = 65535
NAME_MAX_CHARS: Final = 253

_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_PARTS = re.compile(r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*)://(?P<authority>[^/?#]*)(?P<path>[^#]*)", re.DOTALL)
_AUTHORITY = re.compile(r"(?:(?P<credentials>[A-Za-z0-9._~!$&'()*+,;=:%-]*)@)?(?P<host>\[[^\[\]@]*\]|[^\[\]@:]*)(?::(?P<port>[0-9]{0,5}))?")
_NAME = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?<!-)(?:\.(?!-)[a-z0-9_-]{1,63}(?<!-))*")
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")
_KEPT_IN_PATH = "%/:?[]@!$&'()*+,;=~"
"""What has a meaning in a path or query, and what is escaped already; the rest is percent-encoded."""


@dataclass(frozen=True, slots=True)
class Target:
    """The scheme, host, port and path of a request."""

    scheme: str
    """`http` or `https`."""
    host: str
    """Canonical; an IPv6 address without brackets."""
    port: int
    path: str
    """Path and query, ASCII, with its leading slash."""
    credentials: str = ""
    """`user:password` as the address had them."""

    @property
    def origin(self) -> tuple[str, str, int]:
        """Return the origin of the request; headers for one origin must not reach another."""
        return self.scheme, self.host, self.port

    @property
    def authority(self) -> str:
        """Return the Host header: the host, and the port unless it is the scheme's own."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == DEFAULT_PORTS[self.scheme] else f"{host}:{self.port}"

    def __str__(self) -> str:
        return f"{self.scheme}://{self.authority}{self.path}"


def read_url(url: str) -> Target:
    """Return the target of `url`. Undecodable bytes come as surrogates (`surrogateescape`). Raises `OutboundError`."""
    if len(url) > URL_MAX_BYTES:
        raise OutboundError(f"the address has {len(url)} bytes; the most is {URL_MAX_BYTES}")
    # Before anything is split: a line break inside a part could become a header.
    _refuse_controls(url)
    parts = _PARTS.match(url)
    if parts is None or parts["scheme"].lower() not in DEFAULT_PORTS:
        raise BlockedError(f"{shown(url)} is no http or https address")
    authority = _AUTHORITY.fullmatch(parts["authority"])
    if authority is None:
        raise BlockedError(f"{shown(parts['authority'])} is no host name, with or without a port")
    scheme = parts["scheme"].lower()
    return Target(
        scheme,
        canonical_host(authority["host"]),
        _port(authority["port"], scheme),
        _path(parts["path"]),
        unquote(authority["credentials"] or ""),
    )


def read_redirect(base: Target, location: str) -> Target:
    """Return the target of a Location header of an answer from `base`; credentials in it are not used. Raises `OutboundError`."""
    _refuse_controls(location)  # urljoin would take some of them out
    try:
        joined = urljoin(str(base), location)
    except ValueError:
        raise BlockedError(f"the redirect to {shown(location)} is no address") from None
    target = read_url(joined)
    return Target(target.scheme, target.host, target.port, target.path)


def canonical_host(host: str) -> str:
    """Return the canonical spelling of a name or an address, without brackets and a final dot. Raises `BlockedError`."""
    if host.startswith("["):
        return _ipv6(host[1:-1])
    name = _ascii(host).lower().removesuffix(".")
    if _NUMBER.fullmatch(name.rpartition(".")[2]):
        return _ipv4(name)
    if len(name) > NAME_MAX_CHARS or not _NAME.fullmatch(name):
        raise BlockedError(f"{shown(host) or 'an empty text'} is no host name")
    return name


def _refuse_controls(text: str) -> None:
    if _CONTROL.search(text):
        raise BlockedError("the address holds a control character, such as a tab or the end of a line")


def _ascii(host: str) -> str:
    """Return a host in ASCII: look-alikes of letters, digits and dots become those, other alphabets become `xn--…`."""
    if host.isascii():
        return host
    try:
        return idna.encode(host, uts46=True).decode()
    except UnicodeError:
        raise BlockedError(f"{shown(host)} is no host name") from None


def _ipv4(text: str) -> str:
    try:
        return str(ipaddress.IPv4Address(text))
    except ValueError:
        raise BlockedError(f"{shown(text)} is no plain spelling of an address, such as 192.0.2.1") from None


def _ipv6(text: str) -> str:
    try:
        if "%" not in text:  # a zone: it names an interface of this machine
            return str(ipaddress.IPv6Address(text))
    except ValueError:
        pass
    raise BlockedError(f"[{shown(text)}] is no plain spelling of an IPv6 address")


def _port(text: str | None, scheme: str) -> int:
    port = int(text) if text else DEFAULT_PORTS[scheme]
    if 1 <= port <= HIGHEST_PORT:
        return port
    raise BlockedError(f"port {port} is not between 1 and {HIGHEST_PORT}")


def _path(text: str) -> str:
    path = text if text.startswith("/") else f"/{text}"
    return quote(path, safe=_KEPT_IN_PATH, errors="surrogateescape")
