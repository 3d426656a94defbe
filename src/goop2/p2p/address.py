"""Addresses of peers, as people type them and as the network tells them: `/ip4/192.0.2.7/tcp/4001/p2p/12D3Koo…`. Opens nothing."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from libp2p.peer.id import ID
from multiaddr import Multiaddr

from goop2.p2p.faults import NotAnAddress

EXAMPLE = "/ip4/192.0.2.7/tcp/4001/p2p/12D3Koo…"
CIRCUIT = "/p2p-circuit"
ADDRESS_MAX_CHARS = 512
_PEERS_REMEMBERED = 1024
_TRANSPORTS = [[host, "tcp"] for host in ("ip4", "ip6", "dns4", "dns6", "dns")]
_CIRCUITS = [[*transport, "p2p", "p2p-circuit"] for transport in _TRANSPORTS]


@dataclass(frozen=True, slots=True)
class PeerAddress:
    """A peer and one way to it."""

    peer: str
    transport: str
    """Without the peer: `/ip4/192.0.2.7/tcp/4001`, or through a relay `/ip4/192.0.2.9/tcp/4001/p2p/12D3Koo…/p2p-circuit`."""

    @property
    def is_circuit(self) -> bool:
        """Whether it leads through a relay."""
        return self.transport.endswith(CIRCUIT)


def parse(text: str) -> PeerAddress:
    """Raises `NotAnAddress`."""
    if len(text) > ADDRESS_MAX_CHARS:
        raise _no_address(text)
    transport, _, peer = text.strip().rpartition("/p2p/")
    try:
        names = [protocol.name for protocol in Multiaddr(transport).protocols()]
        found = str(peer_id(peer))
    except Exception:  # the library raises whatever its parsers raise; any of it means the same
        raise _no_address(text) from None
    if names not in (_CIRCUITS if transport.endswith(CIRCUIT) else _TRANSPORTS):
        raise _no_address(text)
    return PeerAddress(found, transport)


@lru_cache(_PEERS_REMEMBERED)
def peer_id(text: str) -> ID:
    """A peer's id in libp2p's form. Raises `NotAnAddress`."""
    try:
        found = ID.from_string(text)
        # An id that does not hold its key cannot be told from a typing mistake, and no peer of the network has one.
        if found.extract_public_key() is None:
            raise ValueError
    except Exception:
        raise NotAnAddress(f"{text[:80]!r} is not a peer's id, such as 12D3Koo…") from None
    return found


def _no_address(text: str) -> NotAnAddress:
    return NotAnAddress(f"{text[:80]!r} is not the address of a peer; one looks like {EXAMPLE}")
