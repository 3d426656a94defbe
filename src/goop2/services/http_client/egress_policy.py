"""The egress policy: host and port → the addresses that may be connected to.

    a host the owner allows on this port → wherever it is
    anything else → its address, or all addresses of its name, looked up once; each must be public

Every connection passes here (connector.py), and so does every hop. The looked-up addresses are the ones connected to, so a name cannot give
another answer the next time.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Callable, Iterable, Sequence

import structlog

from goop2.scripting.invocation import Caller
from goop2.services.http_client.addresses import IPAddress, carried_address, mapped_address, why_not_public, why_ours
from goop2.services.http_client.errors import BlockedError, OutboundError, shown
from goop2.services.http_client.resolver import Lookup, Lookups, SocketAddress
from goop2.services.http_client.url import canonical_host

log = structlog.get_logger(__name__)

Route = Callable[[IPAddress], IPAddress | None]
"""route(address) → the address this machine would speak from to it; None when there is no way."""

_ANY_PORT = 9
"""Nothing is sent to it: a datagram socket only picks its own address when it is connected."""


def system_route(address: IPAddress) -> IPAddress | None:
    """Return the address from which the system would send; no packet is sent."""
    family = socket.AF_INET if address.version == 4 else socket.AF_INET6
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.connect((str(address), _ANY_PORT))
            return ipaddress.ip_address(probe.getsockname()[0].partition("%")[0])
    except OSError:
        return None


class Gate:
    """`allow`: (host, port) pairs of the owner, from `lua.http_allow`."""

    def __init__(self, allow: Iterable[tuple[str, int]], lookup: Lookup, route: Route) -> None:
        self._allow = frozenset(_canonical(allow))
        self._lookups = Lookups(lookup)
        self._route = route

    def allows(self, host: str, port: int) -> bool:
        """Return whether the owner named exactly this host and port."""
        return (host, port) in self._allow

    async def addresses(self, host: str, port: int, caller: Caller, *, allowed: bool) -> Sequence[SocketAddress]:
        """Return where to connect for canonical `host`; if `allowed`, wherever it is. Raises `OutboundError`."""
        literal = _literal(host)
        found = [(host, port)] if literal else await self._lookups.addresses(host, port, caller)
        if not found:
            raise OutboundError(f"there is no host {host}")
        if not allowed:
            for address, _ in found:
                self._refuse_unless_public(address)
        return found

    def _refuse_unless_public(self, text: str) -> None:
        address = _literal(text)
        if address is None:
            raise BlockedError(f"{shown(text)} is no address")
        why = why_not_public(address)
        if not why:
            reached = mapped_address(address)
            source = self._route(reached)
            why = why_ours(reached, source) if source is not None else ""
        if why:
            raise BlockedError(f"{carried_address(address) or address} is {why}")


def _literal(host: str) -> IPAddress | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


def _canonical(allow: Iterable[tuple[str, int]]) -> Iterable[tuple[str, int]]:
    for host, port in allow:
        try:
            yield canonical_host(f"[{host}]" if ":" in host else host), port
        except BlockedError as error:
            log.warning("lua.http_allow names what no request can", host=host, port=port, why=str(error))
