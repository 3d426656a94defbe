"""The relay beside a rendezvous server: a host with a new id at every start, and what `GET /relay` says about it."""

from __future__ import annotations

import contextlib
import ipaddress
import math
import re
import socket
from collections.abc import AsyncIterator
from typing import Final

import msgspec

from goop2.config import Address
from goop2.folder.identity import ephemeral
from goop2.net.dial_back import open_dial_back
from goop2.net.faults import PortInUseError
from goop2.net.host import Host, open_host
from goop2.net.limits import MEGABYTE_BYTES, HostLimits
from goop2.net.listener import EVERY_ADDRESS, WILDCARDS
from goop2.net.relay import CLEANUP_SECONDS, Relay, open_relay
from goop2.peers.discovery.discovery import real_addresses
from goop2.rendezvous.said_relay import ListedRelay, SaidRelay
from goop2.web.http.listeners import ListenerError

RELAY_LIMITS: Final = HostLimits(
    connections=512,
    connections_per_address=32,
    streams_per_minute_and_peer=600,
    bytes_per_minute_and_peer=128 * MEGABYTE_BYTES,
    buffered_bytes=256 * MEGABYTE_BYTES,
)
"""Of the host: places are connections that stay, and 64 circuits may hold two windows each."""
_NAME: Final = re.compile(r"[a-z0-9.-]{1,253}", re.ASCII)


class RelayServer:
    """A relay that is running beside a rendezvous server."""

    def __init__(self, host: Host, relay: Relay) -> None:
        self._host = host
        self.relay = relay

    @property
    def free(self) -> int:
        """Return how many more peers can have a place now."""
        return max(0, self.relay.reservations.limits.places - len(self.relay.reservations))

    def listed(self, name: str = "") -> ListedRelay:
        """Return what `/relays` and other servers are told; without a name the addresses of this machine alone."""
        return ListedRelay(**msgspec.structs.asdict(self.said_to(name)), free=self.free)

    def said_to(self, name: str) -> SaidRelay:
        """Return the answer for a client that reaches this server by `name`: if the relay listens everywhere, that name leads to it too."""
        limits = self.relay.reservations.limits
        listening = (address.split("/") for address in self._host.addresses)
        by_name = (_way(name, family, ip, self._host.port) for _, family, ip, *_ in listening)
        addresses = dict.fromkeys([*(f"{way}/p2p/{self._host.peer_id}" for way in by_name if way), *addresses_of(self._host)])
        return SaidRelay(
            peer_id=self._host.peer_id,
            addrs=tuple(addresses),
            cleanup_delay_sec=math.ceil(CLEANUP_SECONDS),
            refresh_interval_sec=int(limits.place_seconds) // 3,
            reservation_sec=int(limits.place_seconds),
            circuit_sec=int(limits.circuit_seconds),
            circuit_bytes=limits.circuit_bytes,
        )


@contextlib.asynccontextmanager
async def open_relay_server(address: Address) -> AsyncIterator[RelayServer]:
    """Be a relay on an IP address until the block is left; `::` is every address, as of a server. Raises `ListenerError`."""
    async with contextlib.AsyncExitStack() as stack:
        try:
            listen_on = EVERY_ADDRESS if address.host == WILDCARDS[socket.AF_INET6] else address.host
            host = await stack.enter_async_context(open_host(ephemeral(), address.port, RELAY_LIMITS, listen_on))
        except PortInUseError:
            raise ListenerError(
                f"no relay can be opened on {address} (the port is taken or not allowed): choose another with --relay"
            ) from None
        # Who has a place here is told whether it needs one.
        await open_dial_back(host)
        host.announce(lambda: real_addresses(host))
        relay = await stack.enter_async_context(open_relay(host, lambda: addresses_of(host)))
        yield RelayServer(host, relay)


def addresses_of(host: Host) -> list[str]:
    """Return where it can be dialled, as far as this machine knows."""
    return list(real_addresses(host))


def _way(name: str, family: str, listens_on: str, port: int) -> str:
    """Return the multiaddr of a name or an IP address for a host that listens on every address of a family, `ip4` or `ip6`.

    "" where the name does not lead there: it listens on one address, or the name is an address of the other family.
    """
    if listens_on not in WILDCARDS.values():
        return ""
    with contextlib.suppress(ValueError):
        ip = ipaddress.ip_address(name)
        return f"/{family}/{ip}/tcp/{port}" if family == f"ip{ip.version}" else ""
    return f"/dns{family[-1]}/{name.lower()}/tcp/{port}" if _NAME.fullmatch(name.lower()) else ""
