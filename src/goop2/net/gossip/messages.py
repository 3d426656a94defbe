"""A signed message, to and from bytes (libp2p's pubsub, StrictSign). No I/O.

    Message     1 author's id  2 data  3 number, 8 bytes  4 topic  5 signature  6 key

The signature covers "libp2p-pubsub:" and fields 1 to 4 in their order. The author's id holds its Ed25519 key, so field 6 is not needed. We
do not write it, and where it is present it must agree. An author whose id does not hold its key (RSA) is refused without a check.

A message is forwarded in the form written here, whatever order or unknown fields it came with, so unsigned parts go no further.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import nacl.bindings
from nacl.exceptions import BadSignatureError
from nacl.signing import SigningKey

from goop2.protocols import peer_ids
from goop2.protocols.errors import RemoteProtocolError
from goop2.protocols.peer_ids import ID_BYTES, PUBLIC_KEY_BYTES
from goop2.protocols.protobuf import CONTENT, content, parse

_FROM, _DATA, _SEQNO, _TOPIC, _SIGNATURE, _KEY = 1, 2, 3, 4, 5, 6
_FIELDS: Final = dict.fromkeys((_FROM, _DATA, _SEQNO, _TOPIC, _SIGNATURE, _KEY), CONTENT)
_PREFIX: Final = b"libp2p-pubsub:"
_MULTIHASH_BYTES: Final = 2
"""How an id begins; what follows is the key's protobuf."""
SEQNO_BYTES: Final = 8
SIGNATURE_BYTES: Final = 64
_NAME_BYTES: Final = ID_BYTES - _MULTIHASH_BYTES + SEQNO_BYTES
_NAME_HEAD: Final = peer_ids.key_message(b"")


@dataclass(frozen=True, slots=True)
class GossipMessage:
    """A message whose author's id holds its key; the signature is not checked yet."""

    author: bytes
    """The binary form of its id."""
    data: bytes
    seqno: bytes
    topic: str
    signature: bytes
    signed: bytes
    """Fields 1 to 4 as they are signed."""

    @property
    def name(self) -> bytes:
        """Return the key by which the message is remembered (`name_of_id`)."""
        return self.author[_MULTIHASH_BYTES:] + self.seqno

    @property
    def id(self) -> bytes:
        """Return the id of the message on the wire."""
        return self.author + self.seqno

    @property
    def author_id(self) -> str:
        """Return the author's id as text."""
        return peer_ids.from_bytes(self.author)

    def is_authentic(self) -> bool:
        """Return whether the author signed it. This check is expensive: a tenth of a millisecond."""
        try:
            nacl.bindings.crypto_sign_open(self.signature + _PREFIX + self.signed, self.author[-PUBLIC_KEY_BYTES:])
        except (BadSignatureError, ValueError):
            return False
        return True

    def write(self) -> bytes:
        """Return the message as bytes."""
        return self.signed + content(_SIGNATURE, self.signature)


def read_message(data: bytes) -> GossipMessage | None:
    """Return a message; None if its author is unknown or it cannot have a valid signature. Raises `RemoteProtocolError`."""
    fields = parse("a message", data, _FIELDS)
    author, seqno, signature = fields.content(_FROM), fields.content(_SEQNO), fields.content(_SIGNATURE)
    if not peer_ids.holds_key(author) or len(seqno) != SEQNO_BYTES or len(signature) != SIGNATURE_BYTES:
        return None
    if _KEY in fields and fields.content(_KEY) != author[_MULTIHASH_BYTES:]:
        return None
    try:
        topic = fields.content(_TOPIC).decode()
    except UnicodeDecodeError:
        raise RemoteProtocolError("the topic of a message is not UTF-8") from None
    # Data that is empty and data that is not there are signed differently.
    payload = fields.content(_DATA) if _DATA in fields else None
    return GossipMessage(author, payload or b"", seqno, topic, signature, _signed(author, payload, seqno, topic))


def sign(seed: bytes, data: bytes, number: int, topic: str) -> GossipMessage:
    """Return a message of the author, signed with this secret."""
    key = SigningKey(seed)
    author = peer_ids.to_bytes(peer_ids.peer_of(bytes(key.verify_key)))
    seqno = number.to_bytes(SEQNO_BYTES, "big")
    signed = _signed(author, data, seqno, topic)
    return GossipMessage(author, data, seqno, topic, key.sign(_PREFIX + signed).signature, signed)


def name_of_id(id_: bytes) -> bytes:
    """Return the key by which a message of this id is remembered: js-libp2p leaves out the first two bytes of the others' ids."""
    return id_[_MULTIHASH_BYTES:] if len(id_) == _NAME_BYTES + _MULTIHASH_BYTES else id_


def can_be_id(id_: bytes) -> bool:
    """Return whether a message that is accepted here can have this id."""
    name = name_of_id(id_)
    return len(name) == _NAME_BYTES and name.startswith(_NAME_HEAD)


def _signed(author: bytes, data: bytes | None, seqno: bytes, topic: str) -> bytes:
    payload = b"" if data is None else content(_DATA, data)
    return content(_FROM, author) + payload + content(_SEQNO, seqno) + content(_TOPIC, topic.encode())
