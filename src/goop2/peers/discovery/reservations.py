"""Keep a reservation at the relay of a rendezvous server, through which peers that cannot dial this one reach it.

The server says where its relay is, and is not trusted: the relay is dialled, which proves its id, and must give the reservation itself. Its
clock may be wrong: the life of a reservation is believed between RENEW_MIN_SECONDS and RENEW_MAX_SECONDS.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
from collections import deque
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
REFRESH_SECONDS: Final = 10.0
"""Between two reservations that a relay asks for."""
LOG_MAX: Final = 20
LOG_LINE_MAX_CHARS: Final = 200
"""Of what is told a relay about itself."""
TOLD_MAX: Final = 4
"""Addresses through one relay that are told others."""

_log: structlog.typing.FilteringBoundLogger = structlog.get_logger("goop2.net")


class RelayReservation:
    """Keeps one reservation; `changed` is called when the addresses through the relay change."""

    def __init__(self, server: Server, host: Host, changed: Callable[[], object]) -> None:
        self.addresses: tuple[str, ...] = ()
        """Where this peer is reached through the relay, to tell others: `…/p2p/<relay>/p2p-circuit/p2p/<our id>`."""
        self.relay = ""
        """The id of the relay that has given a reservation; "" before that."""
        self.log: deque[str] = deque(maxlen=LOG_MAX)
        """What happened with this relay, in a line each."""
        self._server = server
        self._host = host
        self._changed = changed
        self._wanted = asyncio.Event()
        """Set when the relay has asked for a new reservation."""
        self._refreshed_at = -REFRESH_SECONDS

    def refresh(self) -> bool:
        """Make a new reservation soon, because the relay asks for it; return whether that is done, or was just now."""
        now = time.monotonic()
        if now - self._refreshed_at >= REFRESH_SECONDS:
            self._refreshed_at = now
            self._note("the relay asks for a new reservation")
            self._wanted.set()
        return True

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
                self._note(f"no reservation: {str(error) or type(error).__name__}")
                wait = min(wait * 2, RETRY_MAX_SECONDS)
                await self._wait(wait * random.uniform(0.5, 1))
                continue
            wait = RETRY_FIRST_SECONDS
            await self._while_there(relay, lasts)

    async def _reserve(self, relay: Sequence[PeerAddress]) -> float:
        peer = relay[0].peer
        until = await self._host.reserve(peer, relay)
        # Only now: a server may name any peer as its relay, and this one has proved its id and given a place.
        self.relay = peer
        # One on this machine is no way for others, unless there is no other.
        ways = [each for each in relay if not each.transport.startswith(LOOPBACK)] or list(relay)
        through = tuple(f"{each.transport}/p2p/{peer}{CIRCUIT}/p2p/{self._host.peer_id}" for each in ways[:TOLD_MAX])
        self._tell(through)
        self._note("a reservation is made")
        return renew_after(until - time.time())

    async def _while_there(self, relay: Sequence[PeerAddress], seconds: float) -> None:
        """Wait until the reservation is to be renewed, or the relay is gone."""
        if not relay:
            self._tell(())
        end = asyncio.get_running_loop().time() + seconds
        while (left := end - asyncio.get_running_loop().time()) > 0:
            if await self._wait(min(LOOK_SECONDS, left) if relay else left):
                return
            if relay and not self._host.is_connected(relay[0].peer):
                # A circuit of this relay would come from a place that we no longer have.
                self._host.leave(relay[0].peer)
                self._tell(())
                self._note("the relay is gone")
                return

    async def _wait(self, seconds: float) -> bool:
        """Wait so long, or until a new reservation is wanted; return whether it is."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._wanted.wait()
        wanted = self._wanted.is_set()
        self._wanted.clear()
        return wanted

    def _note(self, what: str) -> None:
        self.log.append(f"{time.strftime('%Y-%m-%d %H:%M:%S', time.gmtime())} {what[:LOG_LINE_MAX_CHARS]}")

    def _tell(self, addresses: tuple[str, ...]) -> None:
        if addresses != self.addresses:
            self.addresses = addresses
            self._changed()


def renew_after(lasts_seconds: float) -> float:
    """Return after how many seconds to renew a reservation of this length: half of it, within bounds."""
    return min(max(lasts_seconds / 2, RENEW_MIN_SECONDS), RENEW_MAX_SECONDS)
