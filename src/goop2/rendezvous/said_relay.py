"""What is said of a relay: the answer to `GET /relay`, and a line of `GET /relays`. It must not open or dial anything."""

from __future__ import annotations

import math

import msgspec

from goop2.net.address import parse
from goop2.net.faults import AddressError
from goop2.net.limits import DIAL_SECONDS, RETRY_FIRST_SECONDS
from goop2.protocols.presence import ADDRESSES_MAX, TEXT_MAX_CHARS
from goop2.rendezvous.limits import RELAY_BYTES_MAX, RELAY_PLACES_MAX, RELAY_SECONDS_MAX


class SaidRelay(msgspec.Struct, frozen=True, kw_only=True):
    """The answer to `GET /relay`. Existing peers read the seconds as integers, and treat a relay with 5.0 as missing. They read all of them
    but the last three, which are ours.
    """

    peer_id: str
    addrs: tuple[str, ...]
    cleanup_delay_sec: int
    """How soon the place of a peer that is gone is free."""
    poll_deadline_sec: int = 30
    """How long a peer may look for its circuit address before it asks for another place."""
    connect_timeout_sec: int = math.ceil(DIAL_SECONDS)
    refresh_interval_sec: int
    """How often a peer looks after its place: two chances before it ends."""
    recovery_grace_sec: int = math.ceil(RETRY_FIRST_SECONDS)
    """How long a peer waits, when the relay is gone, before it comes again."""
    reservation_sec: int
    circuit_sec: int
    circuit_bytes: int


class ListedRelay(SaidRelay, frozen=True, kw_only=True):
    """A relay beside one of the servers on a bus. Where it is dialled, its id is proved; the rest is its server's word."""

    free: int
    """Places that are free."""

    @property
    def is_possible(self) -> bool:
        """Return whether each address leads to this relay, and each number is one that peers can use."""
        seconds = (
            self.cleanup_delay_sec,
            self.poll_deadline_sec,
            self.connect_timeout_sec,
            self.refresh_interval_sec,
            self.recovery_grace_sec,
            self.reservation_sec,
            self.circuit_sec,
        )
        return (
            all(0 < each <= RELAY_SECONDS_MAX for each in seconds)
            and 0 <= self.free <= RELAY_PLACES_MAX
            and 0 < self.circuit_bytes <= RELAY_BYTES_MAX
            and 0 < len(self.addrs) <= ADDRESSES_MAX
            and all(self._leads_here(each) for each in self.addrs)
        )

    def _leads_here(self, address: str) -> bool:
        if len(address) > TEXT_MAX_CHARS:
            return False
        try:
            found = parse(address)
        except AddressError:
            return False
        return found.peer == self.peer_id and not found.is_circuit
