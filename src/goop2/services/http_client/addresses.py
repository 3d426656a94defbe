"""Decide which addresses are public: anybody on the internet may be there, and nothing near the owner in particular.

The registries of special addresses (IANA, RFC 6890 and its updates) are one table, whose first matching row says what an address is.
Python's `ipaddress` decides last, so that a registry newer than this table counts too. An address that carries another one is judged by the
inner address where a network really translates it (mapped IPv4, and NAT64, without which IPv6-only networks reach no IPv4 site). Obsolete
forms of such addresses are refused. Pure.
"""

from __future__ import annotations

import ipaddress
from ipaddress import IPv4Address, IPv6Address
from typing import Final

IPAddress = IPv4Address | IPv6Address

_SPECIAL: Final = tuple(
    (ipaddress.ip_network(network), what)
    for network, what in (
        ("0.0.0.0/32", "the unspecified address"),
        ("0.0.0.0/8", "a reserved address"),
        ("10.0.0.0/8", "a private address"),
        ("100.64.0.0/10", "a carrier-grade NAT address"),
        ("127.0.0.0/8", "a loopback address"),
        ("169.254.0.0/16", "a link-local address"),
        ("172.16.0.0/12", "a private address"),
        ("192.0.0.0/24", "a reserved address"),
        ("192.0.2.0/24", "a documentation address"),
        ("192.88.99.0/24", "a 6to4 address"),
        ("192.168.0.0/16", "a private address"),
        ("198.18.0.0/15", "a benchmarking address"),
        ("198.51.100.0/24", "a documentation address"),
        ("203.0.113.0/24", "a documentation address"),
        ("224.0.0.0/4", "a multicast address"),
        ("240.0.0.0/4", "a reserved address"),
        ("::/128", "the unspecified address"),
        ("::1/128", "a loopback address"),
        ("::/96", "an IPv4-compatible address"),
        ("64:ff9b:1::/48", "a local NAT64 address"),
        ("2001::/32", "a Teredo address"),
        ("2001::/23", "a reserved address"),
        ("2001:db8::/32", "a documentation address"),
        ("2002::/16", "a 6to4 address"),
        ("3fff::/20", "a documentation address"),
        ("fc00::/7", "a private address"),
        ("fe80::/10", "a link-local address"),
        ("fec0::/10", "a private address"),
        ("ff00::/8", "a multicast address"),
    )
)

_GLOBAL_UNICAST: Final = ipaddress.IPv6Network("2000::/3")
"""All that IPv6 gives to the internet; the other seven eighths are special or not given at all."""

_CARRIERS: Final = (ipaddress.IPv6Network("::ffff:0:0/96"), ipaddress.IPv6Network("64:ff9b::/96"))
"""IPv4-mapped addresses and NAT64: the last 32 bits are the IPv4 address that is reached."""

_ISATAP: Final = 0x0000_5EFE
_ISATAP_MASK: Final = 0xFDFF_FFFF
"""Bits 64–95 of an ISATAP address, the "universal" bit aside; an IPv4 address follows."""

SITE_PREFIX_BITS: Final = 64
"""An IPv6 network at home or in a data centre: neighbours share this many bits."""


def why_not_public(address: IPAddress) -> str:
    """Return the kind of a non-public `address`, as in "a private address"; "" when it is public."""
    carried = carried_address(address)
    if carried is not None:
        return why_not_public(carried)
    for network, what in _SPECIAL:
        if address in network:
            return what
    if isinstance(address, IPv6Address) and address not in _GLOBAL_UNICAST:
        return "a reserved address"
    if isinstance(address, IPv6Address) and int(address) >> 32 & _ISATAP_MASK == _ISATAP:
        return "an ISATAP address"
    return "" if address.is_global else "a reserved address"


def carried_address(address: IPAddress) -> IPv4Address | None:
    """Return the IPv4 address that a mapped or NAT64 address leads to; None for others."""
    if any(address in carrier for carrier in _CARRIERS):
        return IPv4Address(int(address) & 0xFFFF_FFFF)
    return None


def mapped_address(address: IPAddress) -> IPAddress:
    """Return the IPv4 address inside a mapped one, which the system really connects to; other addresses unchanged."""
    return (isinstance(address, IPv6Address) and address.ipv4_mapped) or address


def why_ours(address: IPAddress, source: IPAddress) -> str:
    """Return why `address` belongs to the owner's own network, if this machine would use `source` to reach it; "" when it does not.

    A public address can be the machine's own, where a firewall that keeps others out lets it in; and in
    IPv6 the other devices at home have public addresses.
    """
    if address == source:
        return "this machine's own address"
    if isinstance(address, IPv6Address) and isinstance(source, IPv6Address) and _site(address) == _site(source):
        return "an address in this machine's own network"
    return ""


def _site(address: IPv6Address) -> int:
    return int(address) >> (address.max_prefixlen - SITE_PREFIX_BITS)
