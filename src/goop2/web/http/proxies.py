"""Proxies that are believed about whom they speak for, and the address they name.

Only the last address in the last `X-Forwarded-For` is read: the proxy itself has written it, and everything before it came from the
client. It must not know who limits what.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable
from functools import lru_cache
from typing import Final

_PORT: Final = re.compile(r"^(?:\[([^\]]*)\]|([^:]*))(?::[0-9]*)?$")
"""Some proxies name the client's port too, `192.0.2.7:51234` or `[2001:db8::7]:51234`: it is no part of where somebody comes from."""
_ADDRESSES_REMEMBERED: Final = 1024


class Proxies:
    """The addresses that are believed; each an IPv4 or IPv6 address or a network of them (`ip_network`, config/types.py)."""

    def __init__(self, addresses: Iterable[str] = ()) -> None:
        self._networks = tuple(ipaddress.ip_network(each) for each in addresses)
        self._includes = lru_cache(_ADDRESSES_REMEMBERED)(self._looked_up)

    def __bool__(self) -> bool:
        """Return whether there is any."""
        return bool(self._networks)

    def __contains__(self, address: str) -> bool:
        """Return whether the other end of a connection is one of the proxies."""
        return bool(self._networks) and self._includes(address)

    def client_of(self, headers: Iterable[tuple[bytes, bytes]]) -> str:
        """Return the address that a proxy names, headers in lower case; "" when it names none, or something that is no address."""
        lines = [value for name, value in headers if name == b"x-forwarded-for"]
        # Some proxies add a line of their own behind what a client sent.
        last = lines[-1].decode("latin-1").rpartition(",")[2].strip() if lines else ""
        ip = _ip(_PORT.sub(r"\1\2", last))
        return str(ip) if ip is not None else ""

    def _looked_up(self, address: str) -> bool:
        ip = _ip(address)
        return ip is not None and any(ip in network for network in self._networks)


NO_PROXIES: Final = Proxies()


def _ip(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """Return an address; a listener for both families has IPv4 inside IPv6."""
    try:
        ip = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return None
    return (isinstance(ip, ipaddress.IPv6Address) and ip.ipv4_mapped) or ip
