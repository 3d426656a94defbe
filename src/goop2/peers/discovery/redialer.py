"""Keep connections to wanted peers: dial those that were found, and those that were lost (reconnect.py says when).

A dial proves who is there. This module must not know how a peer was found: the ways to find peers call `found` with addresses.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Iterable, Sequence
from typing import Final

import structlog

from goop2.config.ticks import seconds_to_tick
from goop2.net.address import PeerAddress
from goop2.net.faults import NetworkError, UnreachableError, WrongPeerError
from goop2.net.host import Host
from goop2.peers.discovery.peers_file import RememberedPeers
from goop2.peers.discovery.reconnect import RedialSchedule
from goop2.peers.discovery.roster import Roster
from goop2.peers.discovery.troubles import Troubles

LOOK_SECONDS: Final = 1.0
"""How soon a lost connection, a silent peer or a new one is noticed."""

_log: structlog.typing.FilteringBoundLogger = structlog.get_logger("goop2.net")


class Redialer:
    """Dials for one host, and tells its roster about connections."""

    def __init__(self, host: Host, roster: Roster, remembered: RememberedPeers, troubles: Troubles) -> None:
        self._host = host
        self._roster = roster
        self._remembered = remembered
        self._troubles = troubles
        self._schedule = RedialSchedule(time.monotonic, random.random)
        self._connected: frozenset[str] = frozenset()
        self._dials: set[asyncio.Task[None]] = set()
        self._woken = asyncio.Event()
        """Set when there may be somebody to look after, after a time without anybody."""
        self._ends = (host.watch(self._wake), roster.subscribe(self._wake))

    async def connect(self, address: PeerAddress) -> None:
        """Connect to a peer the owner typed in, and remember it, reachable or not; but not if another peer answers there.

        Raises `UnreachableError`, of which `WrongPeerError` is one.
        """
        self._remembered.add(address)
        self._schedule.known(address.peer)
        self._wake()
        try:
            await self._host.connect(address.peer, [address])
        except WrongPeerError:
            # A mistyped address must not be dialled at every start.
            self._remembered.forget(address.peer, address.transport)
            self._host.forgets(address)
            if not self._host.is_known(address.peer):
                self._schedule.forget(address.peer)
            raise
        except UnreachableError as fault:
            raise UnreachableError(f"{fault}; the address is kept and tried again") from None
        self._schedule.reached(address.peer)

    def typed_in(self) -> list[PeerAddress]:
        """Return the addresses the owner typed in, the last first. Raises `PeersFileError`."""
        return self._remembered.addresses()

    def forget(self, peer: str) -> bool:
        """Forget the addresses of a peer that the owner typed in, and dial them no more; return whether there were any."""
        addresses = [address for address in self._remembered.addresses() if address.peer == peer]
        for address in addresses:
            self._host.forgets(address)
        if addresses and not self._host.is_known(peer):
            self._schedule.forget(peer)
        return self._remembered.forget(peer)

    def found(self, addresses: Iterable[PeerAddress]) -> None:
        """Note that peers are said to be at these addresses, and dial them soon."""
        others = [address for address in addresses if address.peer != self._host.peer_id]
        self._host.knows(others)
        for address in others:
            self._schedule.told_of(address.peer)
            self._wake()

    def found_near_by(self, addresses: Sequence[PeerAddress]) -> None:
        """Note that peers have just announced these addresses on the local network, and dial them at once."""
        self.found(addresses)
        for address in addresses:
            self._schedule.at_once(address.peer)

    def seek_remembered(self) -> None:
        """Dial the peers the owner typed in before this start. A file that cannot be read is a note for the owner."""
        try:
            addresses = self._remembered.addresses()
        except NetworkError as fault:
            self._troubles.note(str(fault))
            return
        self._host.knows(reversed(addresses))
        for address in addresses:
            self._schedule.known(address.peer)
            self._wake()

    async def run(self) -> None:
        """Dial who is due and notice which connections came and went, until cancelled; nothing while there is nobody."""
        while True:
            self._woken.clear()
            self._roster.expire()
            self._notice_connections()
            for peer in self._schedule.due(self._connected):
                dial = asyncio.create_task(self._dial(peer))
                self._dials.add(dial)
                dial.add_done_callback(self._dials.discard)
            if not (self._schedule or self._connected or self._roster):
                await self._woken.wait()
            await asyncio.sleep(seconds_to_tick(LOOK_SECONDS))

    async def close(self) -> None:
        """Cancel the dials under way, and wait until they have ended."""
        for end in self._ends:
            end()
        dials = tuple(self._dials)
        for dial in dials:
            dial.cancel()
        await asyncio.gather(*dials, return_exceptions=True)

    def _wake(self, _news: object = None) -> None:
        self._woken.set()

    def _notice_connections(self) -> None:
        # A relay is a connection, but not a peer to show or to dial again.
        now = frozenset(connected.peer for connected in self._host.peers()) - self._host.relays
        for peer in now - self._connected:
            self._roster.connected(peer)
        for peer in self._connected - now:
            self._schedule.lost(peer)
        self._connected = now

    async def _dial(self, peer: str) -> None:
        try:
            await self._host.connect(peer)
        except Exception as error:  # whatever it was, the next try must not find this one still under way
            self._schedule.failed(peer)
            if not isinstance(error, NetworkError):
                _log.debug("a peer was not dialled", peer=peer, why=str(error) or type(error).__name__)
        else:
            self._schedule.reached(peer)
