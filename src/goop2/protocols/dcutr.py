"""The messages of DCUtR (libp2p's specs/relay/DCUtR.md): two peers connected through a relay agree on the moment to dial each other.

    B, who was called through the relay      A, who called
      CONNECT with addresses of B        →
                                         ←   CONNECT with addresses of A
      SYNC                               →
    B dials A half a round trip later, A dials B at once, and both connections are one

On that connection A is the client of Noise and Yamux, and B the server. Addresses come from a stranger. No I/O.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from goop2.protocols import multiaddr, protobuf
from goop2.protocols.errors import RemoteProtocolError

PROTOCOL: Final = "/libp2p/dcutr"
MESSAGE_MAX_BYTES: Final = 4096
"""What the specification says, and other implementations take."""
ADDRESSES_MAX: Final = 16
"""Read of a CONNECT, and written into one; whoever dials tries fewer."""
_FIELDS_MAX: Final = 1024
_WHAT: Final = "a message about a hole"
_TYPE: Final = 1
_ADDRESSES: Final = 2
_WANTED: Final = {_TYPE: protobuf.NUMBER, _ADDRESSES: protobuf.CONTENT}
_CONNECT: Final = 100
_SYNC: Final = 300


def reader() -> protobuf.DelimitedReader:
    """Return a reader of such messages."""
    return protobuf.DelimitedReader(_WHAT, MESSAGE_MAX_BYTES)


def connect(addresses: Sequence[str]) -> bytes:
    """Return a CONNECT with the addresses of the sender, `/ip4/192.0.2.7/tcp/4001`."""
    fields = b"".join(protobuf.content(_ADDRESSES, multiaddr.to_bytes(address)) for address in addresses[:ADDRESSES_MAX])
    return protobuf.delimited(protobuf.number(_TYPE, _CONNECT) + fields)


def sync() -> bytes:
    """Return a SYNC message, at which both sides dial: it has no addresses."""
    return protobuf.delimited(protobuf.number(_TYPE, _SYNC))


def read_connect(message: bytes) -> tuple[str, ...]:
    """Return the addresses of a CONNECT, of known kinds and each once. Raises `RemoteProtocolError`."""
    fields = _parsed(message, _CONNECT, "CONNECT")
    found: dict[str, None] = {}
    for encoded in fields.contents(_ADDRESSES):
        address = multiaddr.read_host(encoded)
        if address:
            found[address] = None
        if len(found) >= ADDRESSES_MAX:
            break
    return tuple(found)


def read_sync(message: bytes) -> None:
    """Parse a SYNC. Raises `RemoteProtocolError` for anything else."""
    _parsed(message, _SYNC, "SYNC")


def _parsed(message: bytes, type_: int, name: str) -> protobuf.Fields:
    fields = protobuf.parse(_WHAT, message, _WANTED, _FIELDS_MAX)
    if fields.number(_TYPE) != type_:
        raise RemoteProtocolError(f"{_WHAT} is of type {fields.number(_TYPE)}, expected is {name} ({type_})")
    return fields
