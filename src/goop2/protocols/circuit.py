"""The messages of circuit relay v2 (libp2p's specs/relay/circuit-v2): each a protobuf behind its size, one request and one answer a stream.

    hop    a peer → its relay       RESERVE          → STATUS with a reservation: until when
           a caller → a relay       CONNECT to whom  → STATUS; when it is OK, what follows goes to that peer and back
    stop   a relay → a peer         CONNECT by whom  → STATUS; the same

A relay's word about who is calling proves nothing: Noise runs from end to end through the circuit, and proves it. No I/O.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, NoReturn

from goop2.protocols import multiaddr, protobuf
from goop2.protocols.errors import RemoteProtocolError

HOP: Final = "/libp2p/circuit/relay/0.2.0/hop"
STOP: Final = "/libp2p/circuit/relay/0.2.0/stop"
MESSAGE_MAX_BYTES: Final = 4096
"""What other implementations take."""
ID_MAX_BYTES: Final = 64
_WHAT: Final = "a relay message"
_FIELDS_MAX: Final = 64
_RESERVE: Final = 0
_CONNECT: Final = 1
_HOP_STATUS: Final = 2
"""Types of messages on a HOP stream; on a STOP stream CONNECT is 0 and STATUS 1."""
_STOP_CONNECT: Final = 0
_STOP_STATUS: Final = 1
_TYPE: Final = 1
_PEER: Final = 2
_RESERVATION: Final = 3
_HOP_LIMIT: Final = 4
_HOP_CODE: Final = 5
_STOP_LIMIT: Final = 3
_STOP_CODE: Final = 4
_HOP_FIELDS: Final = {
    _TYPE: protobuf.NUMBER,
    _PEER: protobuf.CONTENT,
    _RESERVATION: protobuf.CONTENT,
    _HOP_CODE: protobuf.NUMBER,
}
_STOP_FIELDS: Final = {_TYPE: protobuf.NUMBER, _PEER: protobuf.CONTENT, _STOP_CODE: protobuf.NUMBER}
"""Numbers of the fields of both messages (specs/relay/circuit-v2, its .proto)."""

OK: Final = 100
REFUSED: Final = 200
LIMIT: Final = 201
PERMISSION_DENIED: Final = 202
FAILED: Final = 203
NO_RESERVATION: Final = 204
MALFORMED: Final = 400
_WORDS: Final = {
    REFUSED: "it has no place left",
    LIMIT: "a limit is reached",
    PERMISSION_DENIED: "it does not let us",
    FAILED: "the peer cannot be reached through it",
    NO_RESERVATION: "the peer has no place there",
}


class RelayRefusedError(RemoteProtocolError):
    """The other side says no; `status` is its number."""

    def __init__(self, status: int) -> None:
        super().__init__(_WORDS.get(status, f"status {status}"))
        self.status = status


@dataclass(frozen=True, slots=True)
class Reserve:
    """The request of a peer for a reservation."""


@dataclass(frozen=True, slots=True)
class Connect:
    """A peer wants a circuit to, or a relay brings one from, the peer of this id."""

    peer: bytes


class MessageReader:
    """Collects one message; what comes after it is kept."""

    def __init__(self) -> None:
        self._reader = protobuf.DelimitedReader(_WHAT, MESSAGE_MAX_BYTES)
        self._came_bytes = 0

    def receive(self, data: bytes) -> bytes | None:
        """Return the message once it is whole, else None. Raises `RemoteProtocolError` when it is too long."""
        self._came_bytes += len(data)
        self._reader.feed(data)
        return self._reader.next_message()

    def rest(self) -> bytes:
        """Return what came after the message."""
        return self._reader.rest()

    def end(self) -> NoReturn:
        """Raise `RemoteProtocolError`: the other side sends no more."""
        raise RemoteProtocolError(f"{_WHAT} ended after {self._came_bytes} bytes")


def reserve() -> bytes:
    """Return the request to a relay for a reservation."""
    return _framed(protobuf.number(_TYPE, _RESERVE))


def connect(peer: bytes) -> bytes:
    """Return the request to a relay for a circuit to `peer`."""
    return _framed(protobuf.number(_TYPE, _CONNECT), _written_peer(peer))


def reserved(message: bytes) -> int:
    """Until when there is a place, in seconds since 1970 by the relay's clock. Raises `RemoteProtocolError`, `RelayRefusedError` among
    them."""
    fields = _hop_status(message)
    if _RESERVATION not in fields:
        raise RemoteProtocolError("the relay gives a place without a reservation")
    return _parsed(fields.content(_RESERVATION), {1: protobuf.NUMBER}).number(1)


def connected(message: bytes) -> None:
    """Check that the answer gives a circuit. Raises `RemoteProtocolError`, `RelayRefusedError` among them."""
    _hop_status(message)


def hop_asked(message: bytes) -> Reserve | Connect:
    """Return what a relay is asked for. Raises `RemoteProtocolError`."""
    fields = _parsed(message, _HOP_FIELDS)
    if fields.number(_TYPE) == _RESERVE:
        return Reserve()
    if fields.number(_TYPE) == _CONNECT:
        return _peer(fields)
    raise RemoteProtocolError("a relay is asked for nothing it knows")


def give_place(expire: int, addresses: list[str]) -> bytes:
    """Return a relay's yes to RESERVE. `addresses` are its own, `/ip4/…/p2p/<its id>`."""
    written = b"".join(protobuf.content(2, multiaddr.to_bytes(address)) for address in addresses)
    reservation = protobuf.number(1, expire) + written
    return _hop_answer(OK, protobuf.content(_RESERVATION, reservation))


def give_circuit(seconds: int, data_bytes: int) -> bytes:
    """Return a relay's yes to CONNECT, with the circuit's bounds."""
    return _hop_answer(OK, protobuf.content(_HOP_LIMIT, _limit(seconds, data_bytes)))


def hop_refusal(status: int) -> bytes:
    """Return a relay's refusal with this status."""
    return _hop_answer(status)


def bring(peer: bytes, seconds: int, data_bytes: int) -> bytes:
    """Return the message by which a relay brings a circuit from `peer`."""
    limit = protobuf.content(_STOP_LIMIT, _limit(seconds, data_bytes))
    return _framed(protobuf.number(_TYPE, _STOP_CONNECT), _written_peer(peer), limit)


def brought(message: bytes) -> Connect:
    """Return who is said to call. Raises `RemoteProtocolError`."""
    fields = _parsed(message, _STOP_FIELDS)
    if fields.number(_TYPE) != _STOP_CONNECT:
        raise RemoteProtocolError("a relay brings no circuit")
    return _peer(fields)


def take(status: int = OK) -> bytes:
    """Return the answer to a circuit that is brought."""
    return _framed(protobuf.number(_TYPE, _STOP_STATUS), protobuf.number(_STOP_CODE, status))


def taken(message: bytes) -> None:
    """Check that the peer takes the circuit. Raises `RemoteProtocolError`, `RelayRefusedError` among them."""
    fields = _parsed(message, _STOP_FIELDS)
    if fields.number(_TYPE) != _STOP_STATUS:
        raise RemoteProtocolError("the answer to a circuit is invalid")
    if fields.number(_STOP_CODE) != OK:
        raise RelayRefusedError(fields.number(_STOP_CODE))


def _hop_status(message: bytes) -> protobuf.Fields:
    fields = _parsed(message, _HOP_FIELDS)
    if fields.number(_TYPE) != _HOP_STATUS:
        raise RemoteProtocolError("the relay's answer is invalid")
    if fields.number(_HOP_CODE) != OK:
        raise RelayRefusedError(fields.number(_HOP_CODE))
    return fields


def _peer(fields: protobuf.Fields) -> Connect:
    id_ = _parsed(fields.content(_PEER), {1: protobuf.CONTENT}).content(1)
    if not 0 < len(id_) <= ID_MAX_BYTES:
        raise RemoteProtocolError(f"a peer's id has {len(id_)} bytes; allowed are 1 to {ID_MAX_BYTES}")
    return Connect(id_)


def _parsed(message: bytes, wanted: Mapping[int, int]) -> protobuf.Fields:
    return protobuf.parse(_WHAT, message, wanted, _FIELDS_MAX)


def _hop_answer(status: int, *fields: bytes) -> bytes:
    # Fields in the order of their numbers, as other implementations write them.
    return _framed(protobuf.number(_TYPE, _HOP_STATUS), *fields, protobuf.number(_HOP_CODE, status))


def _written_peer(peer: bytes) -> bytes:
    return protobuf.content(_PEER, protobuf.content(1, peer))


def _limit(seconds: int, data_bytes: int) -> bytes:
    return protobuf.number(1, seconds) + protobuf.number(2, data_bytes)


def _framed(*fields: bytes) -> bytes:
    return protobuf.delimited(b"".join(fields))
