"""What counts as one place to come from: the network of an address. Ids cost nothing and are made up at will; addresses are not.

The one function for it. Whoever bounds strangers by address (connections, rates, places, bytes) asks here.
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
    """Return an IPv4 address as it is, and the /64 network of an IPv6 one; IPv4 inside IPv6 is IPv4, what is no address stays as it is."""
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
    """Return whether an origin is a network; else it is a relay, `/p2p-circuit/<its id>`, whose users have no address of their own."""
    return bool(origin) and not origin.startswith("/")
