"""The reservations and circuits of a relay. Pure: the clock is passed in, and nothing is sent.

Everything is bounded: reservations by number, address and time; circuits by number, by peer at either end, by address, and by rate. Ids
cost nothing and addresses do, so no address can take everything. The relay calls `drop` for a peer whose connection has ended.
"""

from __future__ import annotations

import contextlib
from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from goop2.net import admission
from goop2.net.admission import ConcurrencyLimit, TokenBucket
from goop2.net.limits import MEGABYTE_BYTES
from goop2.protocols import circuit
from goop2.protocols.circuit import RelayRefusedError


@dataclass(frozen=True, slots=True)
class RelayLimits:
    """The limits on what peers may take of a relay."""

    places: int = 256
    """Each is a connection that stays."""
    places_per_address: int = 32
    """Peers behind one router."""
    place_seconds: float = 3600.0
    circuits: int = 64
    """Each may hold two windows of a megabyte for whoever reads slowly."""
    circuits_per_peer: int = 8
    """At either end: a peer and its friends."""
    circuits_per_pair: int = 2
    """Both may dial at the same moment, or one before the other has noticed the end of the last."""
    circuits_per_address: int = 24
    """Asked for by peers behind one router."""
    circuit_seconds: float = 2 * 3600.0
    """An evening's chat comes again after it; a circuit nobody ended does not stay for ever."""
    circuit_bytes: int = 256 * MEGABYTE_BYTES
    """Both ways together: a few of the largest files."""
    asked_per_minute_and_peer: int = 60
    """Places and circuits."""


class RelayReservations:
    """The reservations and circuits of a relay."""

    def __init__(self, limits: RelayLimits, clock: Callable[[], float]) -> None:
        self.limits = limits
        self._clock = clock
        self._until: OrderedDict[str, tuple[float, str]] = OrderedDict()
        """Peer → when its place ends, and its address; the next to end first."""
        self._asked = TokenBucket(limits.asked_per_minute_and_peer, clock)
        self._sources = ConcurrencyLimit("circuits", limits.circuits, limits.circuits_per_peer)
        self._targets = ConcurrencyLimit("circuits", limits.circuits, limits.circuits_per_peer)
        self._pairs = ConcurrencyLimit("circuits", limits.circuits, limits.circuits_per_pair)
        self._addresses = ConcurrencyLimit("circuits", limits.circuits, limits.circuits_per_address)

    def __len__(self) -> int:
        self._expire()
        return len(self._until)

    @property
    def circuits(self) -> int:
        """Return how many circuits are open."""
        return len(self._sources)

    def peers(self) -> tuple[str, ...]:
        """Return the ids of the peers that have a reservation."""
        self._expire()
        return tuple(self._until)

    def reserve(self, peer: str, address: str) -> float:
        """Make a reservation or extend it; return its seconds. Raises `RelayRefusedError`."""
        self._count(peer)
        self._expire()
        others = [each for other, (_, each) in self._until.items() if other != peer]
        if len(others) >= self.limits.places or others.count(address) >= self.limits.places_per_address:
            raise RelayRefusedError(circuit.REFUSED)
        self._until[peer] = (self._clock() + self.limits.place_seconds, address)
        self._until.move_to_end(peer)
        return self.limits.place_seconds

    def drop(self, peer: str) -> None:
        """Remove the reservation of a peer that has gone."""
        self._until.pop(peer, None)

    @contextlib.contextmanager
    def circuit(self, source: str, target: str, address: str) -> Iterator[None]:
        """Count one circuit while the block runs. Raises `RelayRefusedError`."""
        self._count(source)
        self._expire()
        if target not in self._until:
            raise RelayRefusedError(circuit.NO_RESERVATION)
        with contextlib.ExitStack() as stack:
            try:
                stack.enter_context(self._sources.one(source))
                stack.enter_context(self._targets.one(target))
                stack.enter_context(self._pairs.one(f"{source} {target}"))
                stack.enter_context(self._addresses.one(address))
            except admission.AdmissionError:
                raise RelayRefusedError(circuit.LIMIT) from None
            yield

    def _count(self, peer: str) -> None:
        if not self._asked.take(peer):
            raise RelayRefusedError(circuit.LIMIT)

    def _expire(self) -> None:
        now = self._clock()
        while self._until and next(iter(self._until.values()))[0] <= now:
            self._until.popitem(last=False)
