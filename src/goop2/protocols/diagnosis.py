r"""`/goop/diag/1.0.0` and `/goop/relay-refresh/1.0.0`: what a peer tells of its ways, and a rendezvous' request to look after its circuit.

On open, the peer writes one JSON object and closes. What is told to whom is for peers/diagnosis.py. No I/O.
"""

from __future__ import annotations

from typing import Final

import msgspec

DIAGNOSIS: Final = "/goop/diag/1.0.0"
RELAY_REFRESH: Final = "/goop/relay-refresh/1.0.0"


class RelayState(msgspec.Struct, frozen=True):
    """How a peer stands with relays."""

    has_circuit: bool
    """Whether it can be reached through one now."""
    log: tuple[str, ...] = ()
    """What happened with the relay that asks, the last one last; for that relay alone."""


class DiagnosisAnswer(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a peer tells of itself."""

    peer_id: str
    addresses: tuple[str, ...]
    relay: RelayState
    connections: int | None = None
    """How many peers are connected; for a relay of this peer alone."""


class RefreshAnswer(msgspec.Struct, frozen=True, omit_defaults=True):
    """The answer to a relay's request."""

    ok: bool
    """Whether whoever asks is a relay of this peer."""
    has_circuit: bool
    recovering: bool = False


def line(answer: DiagnosisAnswer | RefreshAnswer) -> bytes:
    """Return all that a peer writes."""
    return msgspec.json.encode(answer) + b"\n"
