"""Places for connections at one server: counted in total and per network, and which connection loses its place when they run out.

Connections with half a request lose first, then idle ones; among them those of the network that has most, the longest waiting first. A
request that is being answered is never ended for another one. It knows no sockets.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Protocol, TypeVar


class Holder(Protocol):
    """A connection that has a place."""

    network: str
    """Where it comes from, as `network_of` says."""
    waiting_since: float
    """When it began to send a request, or became idle; `time.monotonic()`."""

    @property
    def half_sent(self) -> bool:
        """Return whether its request is not complete, or has not begun."""

    @property
    def idle(self) -> bool:
        """Return whether it is kept alive without a request."""


T = TypeVar("T", bound=Holder)


class ConnectionSlots:
    """Counts the places that are taken."""

    def __init__(self) -> None:
        self.total = 0
        self.refusing = 0
        """Connections without a place that wait for their refusal."""
        self._networks: Counter[str] = Counter()

    def take(self, network: str) -> None:
        """Count one more connection of `network`."""
        self.total += 1
        self._networks[network] += 1

    def give_back(self, network: str) -> None:
        """Count one connection of `network` less."""
        self.total -= 1
        self._networks[network] -= 1
        # Zeros are removed: strangers choose their addresses, and the counter must not grow with them.
        if not self._networks[network]:
            del self._networks[network]

    def of(self, network: str) -> int:
        """Return how many places a network has."""
        return self._networks[network]


def victim(holders: Iterable[T]) -> T | None:
    """Return the connection that loses its place; None when every one of them is being answered."""
    everybody = list(holders)
    for those in ([each for each in everybody if each.half_sent], [each for each in everybody if each.idle]):
        if those:
            networks = Counter(each.network for each in those)
            return max(those, key=lambda each: (networks[each.network], -each.waiting_since))
    return None
