"""How a peer is connected, as its owner's commands and pages get it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypedDict

if TYPE_CHECKING:
    from goop2.net.host import Connected

DIRECT: Final = "direct"
RELAYED: Final = "relayed"
MILLISECONDS: Final = 1000


class Way(TypedDict):
    """How a peer is connected now."""

    way: str
    """DIRECT or RELAYED; "" when it is not connected."""
    address: str
    """`ip:port` of its end of a direct connection; "" otherwise."""
    relay: str
    """The id of the relay it is connected through; "" otherwise."""
    latency_ms: float | None
    """How long the last ping took, there and back; None when none was answered."""


def way_of(connected: Connected | None) -> Way:
    """Return the way to a peer; None stands for one that is not connected."""
    if connected is None:
        return Way(way="", address="", relay="", latency_ms=None)
    latency = connected.latency_seconds
    return Way(
        way=RELAYED if connected.relay else DIRECT,
        address=connected.address,
        relay=connected.relay,
        latency_ms=None if latency is None else round(latency * MILLISECONDS, 2),
    )
