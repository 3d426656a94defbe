"""The message of identify 1.0 (libp2p's specs/identify): what a peer says of itself to whoever is connected. No I/O.

    1 public key   2 listen addresses   3 protocols   4 our address as it sees it   5 "ipfs/0.1.0"   6 its program

A message proves only what the connection has proved: its key is checked to be the connection's.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from goop2.protocols import multiaddr, peer_ids
from goop2.protocols.errors import RemoteProtocolError
from goop2.protocols.protobuf import CONTENT, content, parse

IDENTIFY: Final = "/ipfs/id/1.0.0"
PUSH: Final = "/ipfs/id/push/1.0.0"
PROTOCOL_VERSION: Final = "ipfs/0.1.0"
MESSAGE_MAX_BYTES: Final = 8 * 1024
"""What go-libp2p takes at a time, signed records included."""
PROTOCOLS_MAX: Final = 256
ADDRESSES_MAX: Final = 32
"""Kept of what another peer tells."""
NAME_MAX_CHARS: Final = 256
_FIELDS: Final = {1: CONTENT, 2: CONTENT, 3: CONTENT, 4: CONTENT, 5: CONTENT, 6: CONTENT}


@dataclass(frozen=True, slots=True)
class Identified:
    """What a peer said about itself."""

    agent: str = ""
    protocols: frozenset[str] = frozenset()
    listens_at: tuple[str, ...] = ()
    """Its addresses, as far as they are of protocols known here."""
    observed: str = ""
    """Where it sees us: `/ip4/192.0.2.7/tcp/4001`; "" when it does not say, or not in a way known here."""


def write(public_key: bytes, said: Identified) -> bytes:
    """Return the identify message of a peer with this Ed25519 key."""
    message = content(1, peer_ids.key_message(public_key))
    message += b"".join(content(2, multiaddr.to_bytes(address)) for address in said.listens_at)
    message += b"".join(content(3, protocol.encode()) for protocol in sorted(said.protocols))
    if said.observed:
        message += content(4, multiaddr.to_bytes(said.observed))
    return message + content(5, PROTOCOL_VERSION.encode()) + content(6, said.agent.encode())


def read(message: bytes, peer: str) -> Identified:
    """Return the content of an identify message of this peer. Raises `RemoteProtocolError`."""
    fields = parse("an identify message", message, _FIELDS, most=PROTOCOLS_MAX + 4 * ADDRESSES_MAX)
    key = fields.content(1)
    if key and peer_ids.peer_of(peer_ids.read_key_message(key)) != peer:
        raise RemoteProtocolError("an identify message with the key of another peer")
    names = [name.decode("utf-8", "replace") for name in fields.contents(3)[:PROTOCOLS_MAX]]
    addresses = [address for data in fields.contents(2) if (address := multiaddr.read_host(data))]
    return Identified(
        agent=fields.text(6)[:NAME_MAX_CHARS],
        protocols=frozenset(name for name in names if len(name) <= NAME_MAX_CHARS),
        listens_at=tuple(dict.fromkeys(addresses))[:ADDRESSES_MAX],
        observed=multiaddr.read_host(fields.content(4)),
    )
