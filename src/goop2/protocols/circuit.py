"""Circuit relay v2, the messages (libp2p's specs/relay/circuit-v2): each a protobuf behind its size, one question and one answer a stream.

    hop    a peer → its relay       RESERVE          → STATUS with a reservation: until when
           a caller → a relay       CONNECT to whom  → STATUS; when it is OK, what follows goes to that peer and back
    stop   a relay → a peer         CONNECT by whom  → STATUS; the same

Who a relay says is calling proves nothing: Noise runs from end to end through the circuit, and proves it. Opens nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, NoReturn, TypeVar

from google.protobuf.message import DecodeError
from libp2p.relay.circuit_v2.pb import circuit_pb2 as pb
from multiaddr import Multiaddr

from goop2.protocols.errors import RemoteProtocolError

T = TypeVar("T", pb.HopMessage, pb.StopMessage)

HOP: Final = "/libp2p/circuit/relay/0.2.0/hop"
STOP: Final = "/libp2p/circuit/relay/0.2.0/stop"
MESSAGE_MAX_BYTES: Final = 4096
"""What other implementations take."""
ID_MAX_BYTES: Final = 64
_SIZE_MAX_BYTES: Final = 3
_MORE: Final = 0x80

OK: Final = int(pb.OK)
REFUSED: Final = int(pb.RESERVATION_REFUSED)
LIMIT: Final = int(pb.RESOURCE_LIMIT_EXCEEDED)
PERMISSION_DENIED: Final = int(pb.PERMISSION_DENIED)
FAILED: Final = int(pb.CONNECTION_FAILED)
NO_RESERVATION: Final = int(pb.NO_RESERVATION)
MALFORMED: Final = int(pb.MALFORMED_MESSAGE)
UNEXPECTED: Final = int(pb.UNEXPECTED_MESSAGE)
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
        self._buffer = bytearray()

    def receive(self, data: bytes) -> bytes | None:
        """Return the message once it is whole, else None. Raises `RemoteProtocolError` when it is too long."""
        self._buffer += data
        size, at = 0, 0
        for at, byte in enumerate(self._buffer[:_SIZE_MAX_BYTES], 1):
            size |= (byte & ~_MORE) << 7 * (at - 1)
            if not byte & _MORE:
                break
        else:
            if at == _SIZE_MAX_BYTES:
                raise RemoteProtocolError("a relay message has no size")
            return None
        if size > MESSAGE_MAX_BYTES:
            raise RemoteProtocolError(f"a relay message is {size} bytes; the most is {MESSAGE_MAX_BYTES}")
        if len(self._buffer) < at + size:
            return None
        message = bytes(self._buffer[at : at + size])
        del self._buffer[: at + size]
        return message

    def rest(self) -> bytes:
        """Return what came after the message."""
        return bytes(self._buffer)

    def end(self) -> NoReturn:
        """Raise `RemoteProtocolError`: the other side sends no more."""
        raise RemoteProtocolError(f"a relay message ended after {len(self._buffer)} bytes")


def reserve() -> bytes:
    """Return the request to a relay for a reservation."""
    return _framed(pb.HopMessage(type=pb.HopMessage.RESERVE))


def connect(peer: bytes) -> bytes:
    """Return the request to a relay for a circuit to `peer`."""
    return _framed(pb.HopMessage(type=pb.HopMessage.CONNECT, peer=pb.PeerId(id=peer)))


def reserved(message: bytes) -> int:
    """Until when there is a place, in seconds since 1970 by the relay's clock. Raises `RemoteProtocolError`, `RelayRefusedError` among
    them."""
    said = _hop_status(message)
    if not said.HasField("reservation"):
        raise RemoteProtocolError("the relay gives a place without a reservation")
    return int(said.reservation.expire)


def connected(message: bytes) -> None:
    """Check that the answer gives a circuit. Raises `RemoteProtocolError`, `RelayRefusedError` among them."""
    _hop_status(message)


def hop_asked(message: bytes) -> Reserve | Connect:
    """Return what a relay is asked for. Raises `RemoteProtocolError`."""
    said = _parsed(pb.HopMessage(), message)
    if said.type == pb.HopMessage.RESERVE:
        return Reserve()
    if said.type == pb.HopMessage.CONNECT:
        return _peer(said.peer)
    raise RemoteProtocolError("a relay is asked for nothing it knows")


def give_place(expire: int, addresses: list[str]) -> bytes:
    """Return a relay's yes to RESERVE. `addresses` are its own, `/ip4/…/p2p/<its id>`."""
    reservation = pb.Reservation(expire=expire, addrs=[Multiaddr(address).to_bytes() for address in addresses])
    return _framed(pb.HopMessage(type=pb.HopMessage.STATUS, status=pb.OK, reservation=reservation))


def give_circuit(seconds: int, data_bytes: int) -> bytes:
    """Return a relay's yes to CONNECT, with the circuit's bounds."""
    return _framed(pb.HopMessage(type=pb.HopMessage.STATUS, status=pb.OK, limit=pb.Limit(duration=seconds, data=data_bytes)))


def hop_refusal(status: int) -> bytes:
    """Return a relay's refusal with this status."""
    return _framed(pb.HopMessage(type=pb.HopMessage.STATUS, status=status))  # type: ignore[arg-type]


def bring(peer: bytes, seconds: int, data_bytes: int) -> bytes:
    """Return the message by which a relay brings a circuit from `peer`."""
    limit = pb.Limit(duration=seconds, data=data_bytes)
    return _framed(pb.StopMessage(type=pb.StopMessage.CONNECT, peer=pb.PeerId(id=peer), limit=limit))


def brought(message: bytes) -> Connect:
    """Return who is said to call. Raises `RemoteProtocolError`."""
    said = _parsed(pb.StopMessage(), message)
    if said.type != pb.StopMessage.CONNECT:
        raise RemoteProtocolError("a relay brings no circuit")
    return _peer(said.peer)


def take(status: int = OK) -> bytes:
    """Return the answer to a circuit that is brought."""
    return _framed(pb.StopMessage(type=pb.StopMessage.STATUS, status=status))  # type: ignore[arg-type]


def taken(message: bytes) -> None:
    """Check that the peer takes the circuit. Raises `RemoteProtocolError`, `RelayRefusedError` among them."""
    said = _parsed(pb.StopMessage(), message)
    if said.type != pb.StopMessage.STATUS:
        raise RemoteProtocolError("the answer to a circuit is none")
    if said.status != OK:
        raise RelayRefusedError(said.status)


def _hop_status(message: bytes) -> pb.HopMessage:
    said = _parsed(pb.HopMessage(), message)
    if said.type != pb.HopMessage.STATUS:
        raise RemoteProtocolError("the relay's answer is none")
    if said.status != OK:
        raise RelayRefusedError(said.status)
    return said


def _peer(said: pb.PeerId) -> Connect:
    if not 0 < len(said.id) <= ID_MAX_BYTES:
        raise RemoteProtocolError(f"a peer's id has {len(said.id)} bytes; allowed are 1 to {ID_MAX_BYTES}")
    return Connect(said.id)


def _parsed(into: T, message: bytes) -> T:
    try:
        into.ParseFromString(message)
    except DecodeError as error:
        raise RemoteProtocolError(f"a relay message is none: {error}") from None
    return into


def _framed(message: pb.HopMessage | pb.StopMessage) -> bytes:
    content = message.SerializeToString()
    size, prefix = len(content), b""
    while size >= _MORE:
        prefix += bytes([size & 0x7F | _MORE])
        size >>= 7
    return prefix + bytes([size]) + content
