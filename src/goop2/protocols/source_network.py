"""The network that an address belongs to, which is what limits count. Ids cost nothing and can be made up; addresses cannot.

It is the only such function: every limit on strangers by address (connections, rates, places, bytes) uses it.
"""

from __future__ import annotations

import ipaddress
from functools import lru_cache
from typing import Final

IPV6_NETWORK_BITS: Final = 64
"""One subscriber has at least so many addresses of IPv6; they count as one."""
_ADDRESSES_REMEMBERED: Final = 4096


@lru_cache(_ADDRESSES_REMEMBERED)
def network_of(address: str) -> str:
    """Return an IPv4 address unchanged, and the /64 network of an IPv6 one. IPv4 inside IPv6 counts as IPv4; other text stays unchanged."""
    try:
        ip = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(ip, ipaddress.IPv6Address):
        if ip.ipv4_mapped is None:
            return str(ipaddress.ip_network((ip.packed, IPV6_NETWORK_BITS), strict=False))
        ip = ip.ipv4_mapped
    return str(ip)


def is_network(origin: str) -> bool:
    """Return whether an origin is a network; otherwise it is a relay, `/p2p-circuit/<its id>`, whose users have no address of their own."""
    return bool(origin) and not origin.startswith("/")
