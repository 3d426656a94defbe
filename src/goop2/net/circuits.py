"""Connections through a relay: a stream to it that carries another connection. The surface the host builds on; the branch `relay` fills it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from goop2.net.connection import Connection
from goop2.net.faults import UnreachableError

if TYPE_CHECKING:
    from goop2.net.host import Host


class Circuits:
    """The circuits of one host, through relays."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self.asked: set[str] = set()
        """Who is being asked for a place."""

    @property
    def relays(self) -> frozenset[str]:
        """Return the ids of the relays that are used now."""
        return frozenset(self.asked)

    async def attach(self) -> None:
        """Take the circuits relays bring: `host.serve(STOP, …, seconds=None)`."""

    async def reserve(self, relay: str) -> int:
        """Have a place at a connected relay; until when, by its clock. Raises one of `dialling.FAULTS`."""
        raise UnreachableError(f"{relay} gives no place")

    def leave(self, relay: str) -> None:
        """Take no more circuits from this relay."""

    async def dial(self, peer: str, transport: str) -> Connection:
        """Return a connection to a peer through the relay of an address (`…/p2p/<relay>/p2p-circuit`), made by `host.upgrade`. Raises one
        of `dialling.FAULTS`, `OtherPeerError` among them."""
        raise UnreachableError(f"{peer} is not reached through a relay at {transport}")
