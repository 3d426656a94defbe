"""Protocol Buffers by hand: the part of the wire format that libp2p's messages use, with bounds. No I/O.

    varint             7 bits a byte, least significant first; at most 64 bits in 10 bytes
    field              number << 3 | kind; kind 0 a varint, 1 eight bytes, 2 a size and that many bytes, 5 four bytes
    message            fields in any order; unwanted ones are skipped and not stored, groups (kinds 3 and 4) are refused
    delimited message  its size as a varint, and itself

The caller names the wanted fields: `parse("a relay message", data, {1: NUMBER, 2: CONTENT})`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final, NoReturn

from goop2.protocols.errors import RemoteProtocolError

NUMBER: Final = 0
"""The kind of integers, enums and bools."""
CONTENT: Final = 2
"""The kind of bytes, texts and messages inside a message."""
_FIXED_BYTES: Final = {1: 8, 5: 4}
"""Kinds of a fixed size, which are skipped: no message of libp2p's that we read has one."""
_KIND_BITS: Final = 3
_MORE: Final = 0x80
_VARINT_MAX_BYTES: Final = 10
_VARINT_MAX: Final = (1 << 64) - 1
FIELDS_MAX: Final = 1024
"""Wanted values in a message, unless its reader says otherwise; each becomes an object."""


def varint(value: int) -> bytes:
    """Return a number from 0 to 2**64 - 1 as a varint. Raises `ValueError` for another."""
    if 0 <= value < _MORE:
        return bytes((value,))
    if not 0 <= value <= _VARINT_MAX:
        raise ValueError(f"{value} does not fit a varint")
    encoded = bytearray()
    while value >= _MORE:
        encoded.append(value & 0x7F | _MORE)
        value >>= 7
    encoded.append(value)
    return bytes(encoded)


def read_varint(data: bytes, at: int = 0) -> tuple[int, int]:
    """Return the varint at a place and the place behind it. Raises `RemoteProtocolError` when it does not end, or exceeds 64 bits."""
    value = 0
    for shift, byte in enumerate(data[at : at + _VARINT_MAX_BYTES]):
        value |= (byte & 0x7F) << 7 * shift
        if byte < _MORE:
            if value > _VARINT_MAX:
                raise RemoteProtocolError("a varint has more than 64 bits")
            return value, at + shift + 1
    if len(data) - at >= _VARINT_MAX_BYTES:
        raise RemoteProtocolError("a varint has more than 64 bits")
    raise RemoteProtocolError("a varint does not end")


def number(field: int, value: int) -> bytes:
    """Return a field that is an integer, an enum or a bool."""
    return varint(field << _KIND_BITS | NUMBER) + varint(value)


def content(field: int, value: bytes) -> bytes:
    """Return a field that is bytes, a text in UTF-8 or a message."""
    return varint(field << _KIND_BITS | CONTENT) + varint(len(value)) + value


def delimited(message: bytes) -> bytes:
    """Return a message behind its size."""
    return varint(len(message)) + message


class Fields:
    """The wanted fields of a message. If a single field comes several times, the last one counts, as Protocol Buffers have it."""

    __slots__ = ("_values",)

    def __init__(self, values: dict[int, list[int | bytes]]) -> None:
        self._values = values

    def __contains__(self, field: int) -> bool:
        return field in self._values

    def number(self, field: int, default: int = 0) -> int:
        """Return an integer field; 0 when it is missing."""
        values = self._values.get(field)
        return int(values[-1]) if values else default

    def content(self, field: int, default: bytes = b"") -> bytes:
        """Return a field of bytes; empty when it is missing."""
        values = self._values.get(field)
        return bytes(values[-1]) if values else default

    def text(self, field: int, default: str = "") -> str:
        """Return a text; what is not UTF-8 in it is replaced."""
        values = self._values.get(field)
        return bytes(values[-1]).decode("utf-8", "replace") if values else default

    def contents(self, field: int) -> list[bytes]:
        """Return every value of a repeated field in order."""
        return [bytes(value) for value in self._values.get(field, ())]

    def numbers(self, field: int) -> list[int]:
        """Return every value of a repeated field of integers in order; packed ones are not read."""
        return [int(value) for value in self._values.get(field, ())]


def parse(what: str, message: bytes, wanted: Mapping[int, int], most: int = FIELDS_MAX) -> Fields:
    """Return the wanted fields of a message: `wanted` has the kind of each, NUMBER or CONTENT, by its number.

    Raises `RemoteProtocolError`, which names the message by `what`, for bytes that are no message, for a wanted field of another kind, and
    for more than `most` wanted values.
    """
    values: dict[int, list[int | bytes]] = {}
    try:
        for field, kind, value in _fields(message):
            expected = wanted.get(field)
            if expected is None:
                continue
            if kind != expected:
                raise RemoteProtocolError(f"field {field} has kind {kind}, expected is {expected}")
            most -= 1
            if most < 0:
                raise RemoteProtocolError("too many fields")
            values.setdefault(field, []).append(value)
    except RemoteProtocolError as error:
        raise RemoteProtocolError(f"{what} cannot be read: {error}") from None
    return Fields(values)


def _fields(message: bytes) -> Iterator[tuple[int, int, int | bytes]]:
    at, end = 0, len(message)
    while at < end:
        key, at = read_varint(message, at)
        field, kind = key >> _KIND_BITS, key & 7
        if not field:
            raise RemoteProtocolError("field 0 does not exist")
        if kind == NUMBER:
            value, at = read_varint(message, at)
            yield field, kind, value
            continue
        if kind == CONTENT:
            size, at = read_varint(message, at)
        elif kind in _FIXED_BYTES:
            size = _FIXED_BYTES[kind]
        else:
            raise RemoteProtocolError(f"kind {kind} does not exist")
        if size > end - at:
            raise RemoteProtocolError(f"field {field} says {size} bytes and {end - at} are left")
        yield field, kind, message[at : at + size]
        at += size


class DelimitedReader:
    """Reads delimited messages from bytes that come in any pieces. `what` names one in errors, `max_bytes` bounds each."""

    def __init__(self, what: str, max_bytes: int) -> None:
        self._what = what
        self._max_bytes = max_bytes
        self._buffer = bytearray()
        self._size = -1
        """Of the message under way, -1 while it is not known."""

    def __len__(self) -> int:
        """Return how many bytes wait for the rest of their message."""
        return len(self._buffer)

    def feed(self, data: bytes) -> None:
        """Take bytes that came off the wire."""
        self._buffer += data

    def next_message(self) -> bytes | None:
        """Return and remove the next whole message; None when none is whole yet. Raises `RemoteProtocolError` when it is too long."""
        if self._size < 0 and not self._read_size():
            return None
        if len(self._buffer) < self._size:
            return None
        message = bytes(self._buffer[: self._size])
        del self._buffer[: self._size]
        self._size = -1
        return message

    def receive(self, data: bytes) -> list[bytes]:
        """Take bytes and return the messages that are now whole. Raises `RemoteProtocolError` when one is too long."""
        self.feed(data)
        messages = []
        while (message := self.next_message()) is not None:
            messages.append(message)
        return messages

    def rest(self) -> bytes:
        """Return the bytes after the last message; they are handed over once."""
        rest = bytes(self._buffer)
        self._buffer.clear()
        return rest

    def end(self) -> NoReturn:
        """Note that no more comes: always raises `RemoteProtocolError`."""
        raise RemoteProtocolError(f"{self._what} ended after {len(self._buffer)} bytes")

    def _read_size(self) -> bool:
        # One byte more than the largest size needs: refused, whether that ends there or goes on, so that pieces make no difference.
        longest = len(varint(self._max_bytes)) + 1
        head = bytes(self._buffer[:longest])
        ended = any(byte < _MORE for byte in head)
        if len(head) == longest and all(byte >= _MORE for byte in head[:-1]) and not (ended and read_varint(head)[0] > self._max_bytes):
            raise RemoteProtocolError(f"{self._what} has no size")
        if not ended:
            return False
        size, at = read_varint(head)
        if size > self._max_bytes:
            raise RemoteProtocolError(f"{self._what} has {size} bytes; the most is {self._max_bytes}")
        del self._buffer[:at]
        self._size = size
        return True
