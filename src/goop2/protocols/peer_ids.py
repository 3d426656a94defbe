"""Ids of peers and the keys they hold (libp2p's specs/peer-ids): an Ed25519 key is short enough to stand in its id whole.

    key message   08 01 12 20, 32 bytes of public key     a protobuf: type Ed25519, the key
    id, bytes     00 24, the key message                  an identity multihash
    id, text      12D3Koo…                                the bytes in base58

Ids of other keys (RSA, ECDSA, secp256k1) are refused: they hold a hash, so that nothing could be checked against them.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final

from goop2.protocols import base58
from goop2.protocols.errors import RemoteProtocolError
from goop2.protocols.protobuf import CONTENT, NUMBER, parse

PUBLIC_KEY_BYTES: Final = 32
ID_BYTES: Final = 38
_ED25519: Final = 1
_KEY_HEAD: Final = b"\x08\x01\x12\x20"
_ID_HEAD: Final = b"\x00\x24" + _KEY_HEAD
_KEY_TYPES: Final = {0: "RSA", 2: "secp256k1", 3: "ECDSA"}
_REMEMBERED: Final = 4096


def key_message(public_key: bytes) -> bytes:
    """Return an Ed25519 public key as libp2p's protobuf."""
    return _KEY_HEAD + public_key


def read_key_message(message: bytes) -> bytes:
    """Return the Ed25519 public key in libp2p's protobuf. Raises `RemoteProtocolError`, also for other types of key."""
    fields = parse("a public key", message, {1: NUMBER, 2: CONTENT}, most=2)
    if 1 not in fields:
        raise RemoteProtocolError("it has no key")
    kind, key = fields.number(1), fields.content(2)
    if kind != _ED25519:
        raise RemoteProtocolError(f"its key is of type {_KEY_TYPES.get(kind, kind)}; only Ed25519 keys are taken")
    if len(key) != PUBLIC_KEY_BYTES:
        raise RemoteProtocolError(f"its Ed25519 key has {len(key)} bytes; one has {PUBLIC_KEY_BYTES}")
    return key


def peer_of(public_key: bytes) -> str:
    """Return the id of the peer that has this Ed25519 public key."""
    return base58.encode(_ID_HEAD + public_key)


def holds_key(data: bytes) -> bool:
    """Return whether these bytes are the id of an Ed25519 key, which it holds."""
    return len(data) == ID_BYTES and data.startswith(_ID_HEAD)


@lru_cache(_REMEMBERED)
def to_bytes(peer: str) -> bytes:
    """Return a peer's id as bytes. Raises `ValueError` for a text that is no id of an Ed25519 key."""
    data = base58.decode(peer)
    if not holds_key(data):
        raise ValueError(f"{peer[:80]!r} is not the id of an Ed25519 key")
    return data


@lru_cache(_REMEMBERED)
def from_bytes(data: bytes) -> str:
    """Return the peer's id of these bytes. Raises `RemoteProtocolError` when they are no id of an Ed25519 key."""
    if not holds_key(data):
        raise RemoteProtocolError(f"{data[:ID_BYTES].hex()} is not the id of an Ed25519 key")
    return base58.encode(data)


def public_key_of(peer: str) -> bytes:
    """Return the public key that an id holds. Raises `ValueError` for a text that is no id of an Ed25519 key."""
    return to_bytes(peer)[-PUBLIC_KEY_BYTES:]
