"""The messages of AutoNAT (libp2p's specs/autonat): a peer asks another whether it can be dialled, and is dialled back.

    version 2    dial-request    → DialRequest with addresses and a nonce    ← DialResponse: which address was dialled, and the result
                                 (← DialDataRequest: first send so many bytes, for an address of another host; we refuse)
                 dial-back       → DialBack with the nonce, on a connection to that address      ← DialBackResponse
    version 1    one stream      → DIAL with addresses      ← DIAL_RESPONSE: OK and an address, or why not

The nonce of version 2 proves that somebody came; with version 1 there is only the server's word. No I/O.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from goop2.protocols import multiaddr, protobuf
from goop2.protocols.errors import RemoteProtocolError

DIAL_REQUEST: Final = "/libp2p/autonat/2/dial-request"
DIAL_BACK: Final = "/libp2p/autonat/2/dial-back"
VERSION_1: Final = "/libp2p/autonat/1.0.0"
MESSAGE_MAX_BYTES: Final = 8192
"""What other implementations take of version 2; of version 1 it is half."""
ADDRESSES_MAX: Final = 16
"""Looked at in a request."""
_FIELDS_MAX: Final = 1024
_TEXT_MAX_CHARS: Final = 200
_WHAT: Final = "an AutoNAT message"
_FIXED64: Final = 1
"""A kind of field: eight bytes, the least first."""
_NONCE: Final = struct.Struct("<Q")

OK: Final = 200
INTERNAL_ERROR: Final = 0
REJECTED: Final = 100
"""Too many requests."""
REFUSED: Final = 101
"""None of the addresses is dialled."""
DIAL_ERROR: Final = 100
"""Nobody answers there."""
DIAL_BACK_ERROR: Final = 101
"""Somebody answers and does not take the nonce."""

V1_OK: Final = 0
V1_DIAL_ERROR: Final = 100
V1_DIAL_REFUSED: Final = 101
V1_BAD_REQUEST: Final = 200


@dataclass(frozen=True, slots=True)
class DialRequest:
    """Somebody wants to be dialled."""

    addresses: tuple[str, ...]
    """In its order of preference; "" in the place of one of a kind we do not know: answers name them by their place."""
    nonce: int


@dataclass(frozen=True, slots=True)
class DialResponse:
    """What came of a request to be dialled: whether the server took it (`status`), and how its dial ended (`dial_status`)."""

    status: int
    index: int
    """Of the address that was dialled."""
    dial_status: int


@dataclass(frozen=True, slots=True)
class DialDataRequest:
    """The server wants so many bytes before it dials an address of another host than the one it sees."""

    index: int
    size: int


def reader() -> protobuf.DelimitedReader:
    """Return a reader of such messages."""
    return protobuf.DelimitedReader(_WHAT, MESSAGE_MAX_BYTES)


def dial_request(addresses: Sequence[str], nonce: int) -> bytes:
    """Return the request to be dialled at the first of these the server takes."""
    content = b"".join(protobuf.content(1, multiaddr.to_bytes(address)) for address in addresses[:ADDRESSES_MAX]) + _fixed(2, nonce)
    return protobuf.delimited(protobuf.content(1, content))


def dial_response(status: int, index: int = 0, dial_status: int = 0) -> bytes:
    """Return a server's answer to a dial request."""
    content = protobuf.number(1, status) + protobuf.number(2, index) + protobuf.number(3, dial_status)
    return protobuf.delimited(protobuf.content(2, content))


def dial_back(nonce: int) -> bytes:
    """Return what a server says to whom it has dialled."""
    return protobuf.delimited(_fixed(1, nonce))


def dial_back_response() -> bytes:
    """Return the answer to a DIAL_BACK, with status OK: that it came is all the server wants to know."""
    return protobuf.delimited(protobuf.number(1, 0))


def read_dial_request(message: bytes) -> DialRequest:
    """Return what a server is asked for. Raises `RemoteProtocolError`."""
    outer = _parsed(message, {1: protobuf.CONTENT})
    if 1 not in outer:
        raise RemoteProtocolError(f"{_WHAT} is no request")
    fields = _parsed(outer.content(1), {1: protobuf.CONTENT, 2: _FIXED64})
    return DialRequest(tuple(multiaddr.read_host(each) for each in fields.contents(1)[:ADDRESSES_MAX]), _nonce(fields, 2))


def read_dial_response(message: bytes) -> DialResponse | DialDataRequest:
    """Return a server's answer. Raises `RemoteProtocolError`."""
    outer = _parsed(message, {2: protobuf.CONTENT, 3: protobuf.CONTENT})
    numbers = dict.fromkeys((1, 2, 3), protobuf.NUMBER)
    if 2 in outer:
        fields = _parsed(outer.content(2), numbers)
        return DialResponse(fields.number(1), fields.number(2), fields.number(3))
    if 3 in outer:
        fields = _parsed(outer.content(3), numbers)
        return DialDataRequest(fields.number(1), fields.number(2))
    raise RemoteProtocolError(f"{_WHAT} is no answer")


def read_dial_back(message: bytes) -> int:
    """Return the nonce somebody who dialled us says. Raises `RemoteProtocolError`."""
    return _nonce(_parsed(message, {1: _FIXED64}), 1)


def read_dial_back_response(message: bytes) -> None:
    """Take the answer to a nonce. Raises `RemoteProtocolError`."""
    if _parsed(message, {1: protobuf.NUMBER}).number(1):
        raise RemoteProtocolError("the nonce was not taken")


def v1_dial(peer: bytes, addresses: Sequence[str]) -> bytes:
    """Return the request of version 1 to be dialled; `peer` is the id of who asks."""
    content = protobuf.content(1, peer) + b"".join(
        protobuf.content(2, multiaddr.to_bytes(address)) for address in addresses[:ADDRESSES_MAX]
    )
    return protobuf.delimited(protobuf.number(1, 0) + protobuf.content(2, protobuf.content(1, content)))


def v1_response(status: int, text: str = "", address: str = "") -> bytes:
    """Return a server's answer of version 1."""
    content = protobuf.number(1, status)
    content += protobuf.content(2, text.encode()) if text else b""
    content += protobuf.content(3, multiaddr.to_bytes(address)) if address else b""
    return protobuf.delimited(protobuf.number(1, 1) + protobuf.content(3, content))


def read_v1_dial(message: bytes) -> tuple[bytes, tuple[str, ...]]:
    """Return who asks in a request of version 1, b"" when it does not say, and at which addresses. Raises `RemoteProtocolError`."""
    outer = _parsed(message, {1: protobuf.NUMBER, 2: protobuf.CONTENT})
    if outer.number(1) != 0 or 2 not in outer:
        raise RemoteProtocolError(f"{_WHAT} is no request")
    dial = _parsed(outer.content(2), {1: protobuf.CONTENT})
    if 1 not in dial:
        raise RemoteProtocolError(f"{_WHAT} names no peer")
    peer = _parsed(dial.content(1), {1: protobuf.CONTENT, 2: protobuf.CONTENT})
    addresses = [multiaddr.read_host(each) for each in peer.contents(2)[:ADDRESSES_MAX]]
    return peer.content(1), tuple(address for address in addresses if address)


def read_v1_response(message: bytes) -> tuple[int, str, str]:
    """Return status, text and address of an answer of version 1. Raises `RemoteProtocolError`."""
    outer = _parsed(message, {1: protobuf.NUMBER, 3: protobuf.CONTENT})
    if outer.number(1) != 1 or 3 not in outer:
        raise RemoteProtocolError(f"{_WHAT} is no answer")
    fields = _parsed(outer.content(3), {1: protobuf.NUMBER, 2: protobuf.CONTENT, 3: protobuf.CONTENT})
    return fields.number(1), fields.text(2)[:_TEXT_MAX_CHARS], multiaddr.read_host(fields.content(3))


def ip_and_port(address: str) -> tuple[str, str]:
    """Return `/ip4/<host>` and the port of an address; "" and "" of one with a name, through a relay, or that is none."""
    try:
        parts = multiaddr.parse(address)
    except multiaddr.MultiaddrError:
        return "", ""
    if [name for name, _ in parts] not in (["ip4", "tcp"], ["ip6", "tcp"]):
        return "", ""
    return f"/{parts[0][0]}/{parts[0][1]}", parts[1][1]


def _parsed(message: bytes, wanted: dict[int, int]) -> protobuf.Fields:
    return protobuf.parse(_WHAT, message, wanted, _FIELDS_MAX)


def _fixed(field: int, value: int) -> bytes:
    return protobuf.varint(field << 3 | _FIXED64) + _NONCE.pack(value)


def _nonce(fields: protobuf.Fields, field: int) -> int:
    if field not in fields:
        return 0  # as Protocol Buffers write a zero
    return int(_NONCE.unpack(fields.content(field))[0])
