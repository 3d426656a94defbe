"""Parse addresses of peers, as people type them and as the network sends them: `/ip4/192.0.2.7/tcp/4001/p2p/12D3Koo…`. No I/O."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from functools import lru_cache

from goop2.net.faults import AddressError
from goop2.protocols import base58, multiaddr, peer_ids

EXAMPLE = "/ip4/192.0.2.7/tcp/4001/p2p/12D3Koo…"
CIRCUIT = "/p2p-circuit"
ADDRESS_MAX_CHARS = 512
_PEERS_REMEMBERED = 1024
_BASE36_CHARS = 62
"""Of an Ed25519 id as a base36 CIDv1, its multibase letter included: one label of a host name."""
_CID_V1_LIBP2P_KEY = b"\x01\x72"
_TRANSPORTS = [[host, "tcp"] for host in ("ip4", "ip6", "dns4", "dns6", "dns")]
_CIRCUITS = [[*transport, "p2p", "p2p-circuit"] for transport in _TRANSPORTS]


@dataclass(frozen=True, slots=True)
class PeerAddress:
    """A peer's id and one address of it."""

    peer: str
    transport: str
    """Without the peer: `/ip4/192.0.2.7/tcp/4001`, or through a relay `/ip4/192.0.2.9/tcp/4001/p2p/12D3Koo…/p2p-circuit`."""

    @property
    def is_circuit(self) -> bool:
        """Return whether it leads through a relay."""
        return self.transport.endswith(CIRCUIT)


def parse(text: str) -> PeerAddress:
    """Return the address in a text; `/ipfs/` in place of `/p2p/` and a slash at the end are accepted. Raises `AddressError`."""
    if len(text) > ADDRESS_MAX_CHARS:
        raise _no_address(text)
    transport, _, peer = _in_one_spelling(text).rpartition("/p2p/")
    try:
        parts = multiaddr.parse(transport)
        found = typed_id(peer)
    except (ValueError, AddressError):
        raise _no_address(text) from None
    names = [name for name, _value in parts]
    if names not in (_CIRCUITS if names[-1] == "p2p-circuit" else _TRANSPORTS):
        raise _no_address(text)
    # In one spelling: addresses are remembered and compared as text.
    return PeerAddress(found, multiaddr.join(parts))


def named_peer(text: str) -> str:
    """Return the id of the peer that a text names, an id or a whole address. Raises `AddressError`."""
    try:
        return typed_id(text)
    except AddressError:
        return parse(text).peer


def typed_id(text: str) -> str:
    """Return the id in a text, as people copy it: base58, alone or after `/p2p/` or `/ipfs/`, or base36 as the address bar shows it.

    Raises `AddressError`. What comes over the network is in base58, and is read by `peer_id`.
    """
    bare = _in_one_spelling(text).removeprefix("/p2p/")
    if len(bare) == _BASE36_CHARS and bare[0] in "kK":
        with contextlib.suppress(ValueError):
            content = int(bare[1:], 36).to_bytes(_BASE36_CHARS).lstrip(b"\0")
            if content.startswith(_CID_V1_LIBP2P_KEY):
                return peer_id(base58.encode(content.removeprefix(_CID_V1_LIBP2P_KEY)))
    return peer_id(bare)


def _in_one_spelling(text: str) -> str:
    return text.strip().rstrip("/").replace("/ipfs/", "/p2p/")


@lru_cache(_PEERS_REMEMBERED)
def peer_id(text: str) -> str:
    """Return a peer's id when the text is one. Raises `AddressError`."""
    try:
        # An id that does not hold its key cannot be told from a typing mistake, and no peer of the network has one.
        return base58.encode(peer_ids.to_bytes(text))
    except ValueError:
        raise AddressError(f"{text[:80]!r} is not a peer's id, such as 12D3Koo…") from None


def _no_address(text: str) -> AddressError:
    return AddressError(f"{text[:80]!r} is not the address of a peer; one looks like {EXAMPLE}")
