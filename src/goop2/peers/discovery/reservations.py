"""Keep a reservation at the relay of a rendezvous server, through which peers that cannot dial this one reach it.

The server says where its relay is, and is not trusted: the relay is dialled, which proves its id, and must give the reservation itself. Its
clock may be wrong: the life of a reservation is believed between RENEW_MIN_SECONDS and RENEW_MAX_SECONDS.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable, Sequence
from typing import Final

import structlog

from goop2.net.address import CIRCUIT, PeerAddress
from goop2.net.faults import NetworkError
from goop2.net.host import Host
from goop2.net.limits import RETRY_FIRST_SECONDS, RETRY_MAX_SECONDS
from goop2.peers.discovery.rendezvous_client import AWAY, Server

RENEW_MIN_SECONDS: Final = 30.0
RENEW_MAX_SECONDS: Final = 1800.0
NO_RELAY_SECONDS: Final = 300.0
"""Until a server without a relay is asked again."""
LOOK_SECONDS: Final = 1.0
"""How soon a lost relay is noticed."""
LOOPBACK: Final = ("/ip4/127.", "/ip6/::1/")
TOLD_MAX: Final = 4
"""Addresses through one relay that are told others."""

_log: structlog.typing.FilteringBoundLogger = structlog.get_logger("goop2.net")


class RelayReservation:
    """Keeps one reservation; `changed` is called when the addresses through the relay change."""

    def __init__(self, server: Server, host: Host, changed: Callable[[], object]) -> None:
        self.addresses: tuple[str, ...] = ()
        """Where this peer is reached through the relay, to tell others: `…/p2p/<relay>/p2p-circuit/p2p/<our id>`."""
        self._server = server
        self._host = host
        self._changed = changed

    async def keep(self) -> None:
        """Keep a reservation until cancelled."""
        wait = RETRY_FIRST_SECONDS
        while True:
            try:
                relay = await self._server.relay()
                lasts = await self._reserve(relay) if relay else NO_RELAY_SECONDS
            except (*AWAY, NetworkError) as error:
                self._tell(())
                _log.info("no reservation at a relay", server=self._server.url, why=str(error) or type(error).__name__)
                wait = min(wait * 2, RETRY_MAX_SECONDS)
                await asyncio.sleep(wait * random.uniform(0.5, 1))
                continue
            wait = RETRY_FIRST_SECONDS
            await self._while_there(relay, lasts)

    async def _reserve(self, relay: Sequence[PeerAddress]) -> float:
        peer = relay[0].peer
        until = await self._host.reserve(peer, relay)
        # One on this machine is no way for others, unless there is no other.
        ways = [each for each in relay if not each.transport.startswith(LOOPBACK)] or list(relay)
        through = tuple(f"{each.transport}/p2p/{peer}{CIRCUIT}/p2p/{self._host.peer_id}" for each in ways[:TOLD_MAX])
        self._tell(through)
        return renew_after(until - time.time())

    async def _while_there(self, relay: Sequence[PeerAddress], seconds: float) -> None:
        """Wait until the reservation is to be renewed, or the relay is gone."""
        if not relay:
            self._tell(())
        end = asyncio.get_running_loop().time() + seconds
        while (left := end - asyncio.get_running_loop().time()) > 0:
            await asyncio.sleep(min(LOOK_SECONDS, left) if relay else left)
            if relay and not self._host.is_connected(relay[0].peer):
                # A circuit of this relay would come from a place that we no longer have.
                self._host.leave(relay[0].peer)
                self._tell(())
                return

    def _tell(self, addresses: tuple[str, ...]) -> None:
        if addresses != self.addresses:
            self.addresses = addresses
            self._changed()


def renew_after(lasts_seconds: float) -> float:
    """Return after how many seconds to renew a reservation of this length: half of it, within bounds."""
    return min(max(lasts_seconds / 2, RENEW_MIN_SECONDS), RENEW_MAX_SECONDS)
