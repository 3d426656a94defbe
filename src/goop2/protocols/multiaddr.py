"""Multiaddrs of the kinds that this peer can dial or announces: `/ip4/192.0.2.7/tcp/4001/p2p/12D3Koo…`, as text and as bytes.

As bytes each part is its protocol's number as a varint and its value; a text or an id has its size in front. Addresses over QUIC or a
WebSocket are refused; a reader of a list skips them.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from goop2.protocols import peer_ids
from goop2.protocols.errors import RemoteProtocolError
from goop2.protocols.protobuf import read_varint, varint

NAME_MAX_CHARS: Final = 253
"""The longest DNS name."""
TEXT_MAX_CHARS: Final = 1024
PARTS_MAX: Final = 8
"""A relay's address with two ids has six."""


class MultiaddrError(ValueError):
    """The text or bytes are no address of a known protocol; the message says why."""


@dataclass(frozen=True, slots=True)
class _Protocol:
    name: str
    code: int
    size: int
    """Of the value in bytes; VARIES when its size stands before it, 0 when there is none."""
    write: Callable[[str], bytes]
    read: Callable[[bytes], str]


_VARIES: Final = -1


def parse(text: str) -> tuple[tuple[str, str], ...]:
    """Return the parts of an address, each its protocol and its value ("" for none), in canonical spelling. Raises `MultiaddrError`."""
    if len(text) > TEXT_MAX_CHARS:
        raise MultiaddrError(f"an address of {len(text)} characters; the most is {TEXT_MAX_CHARS}")
    words = text.rstrip("/").split("/")
    if words[0] or len(words) < 2:
        raise MultiaddrError(f"{text[:80]!r} does not begin with a slash and a protocol")
    parts, at = [], 1
    while at < len(words):
        protocol = _BY_NAME.get(words[at])
        if protocol is None:
            raise MultiaddrError(f"the protocol {words[at][:80]!r} of an address is not known")
        value = ""
        if protocol.size:
            at += 1
            if at == len(words):
                raise MultiaddrError(f"{protocol.name} has no value in {text[:80]!r}")
            value = protocol.read(protocol.write(words[at]))
        parts.append((protocol.name, value))
        at += 1
    if len(parts) > PARTS_MAX:
        raise MultiaddrError(f"an address of {len(parts)} parts; the most is {PARTS_MAX}")
    return tuple(parts)


def join(parts: tuple[tuple[str, str], ...]) -> str:
    """Return the text of an address from its parts."""
    return "".join(f"/{name}/{value}" if value else f"/{name}" for name, value in parts)


def to_bytes(text: str) -> bytes:
    """Return an address as bytes. Raises `MultiaddrError`."""
    encoded = b""
    for name, value in parse(text):
        protocol = _BY_NAME[name]
        data = protocol.write(value) if protocol.size else b""
        encoded += varint(protocol.code) + (varint(len(data)) if protocol.size == _VARIES else b"") + data
    return encoded


def from_bytes(data: bytes) -> str:
    """Return the text of an address. Raises `MultiaddrError`."""
    try:
        return join(_parts(data))
    except RemoteProtocolError as error:
        raise MultiaddrError(str(error)) from None


def read_host(data: bytes) -> str:
    """Return the address of a host, without the peer's id that js-libp2p appends; "" when this peer cannot dial it.

    One that leads through a relay stays as it is.
    """
    try:
        parts = _parts(data)
    except (RemoteProtocolError, MultiaddrError):
        return ""
    is_host = ("p2p-circuit", "") not in parts
    return join(parts[:-1] if is_host and parts[-1][0] == "p2p" else parts)


def _parts(data: bytes) -> tuple[tuple[str, str], ...]:
    parts: list[tuple[str, str]] = []
    at = 0
    while at < len(data):
        code, at = read_varint(data, at)
        protocol = _BY_CODE.get(code)
        if protocol is None:
            raise MultiaddrError(f"the protocol {code} of an address is not known")
        size = protocol.size
        if size == _VARIES:
            size, at = read_varint(data, at)
        if size > len(data) - at:
            raise MultiaddrError(f"{protocol.name} says {size} bytes and {len(data) - at} are left")
        parts.append((protocol.name, protocol.read(data[at : at + size]) if size else ""))
        at += size
        if len(parts) > PARTS_MAX:
            raise MultiaddrError(f"an address of more than {PARTS_MAX} parts")
        if protocol.size and not parts[-1][1]:
            raise MultiaddrError(f"{protocol.name} has no value")
    if not parts:
        raise MultiaddrError("an address of no parts")
    return tuple(parts)


def _write_ip4(text: str) -> bytes:
    return _of_ip(lambda: ipaddress.IPv4Address(text).packed)


def _write_ip6(text: str) -> bytes:
    if "%" in text:
        raise MultiaddrError(f"{text[:80]!r} has a zone, which means nothing to other machines")
    return _of_ip(lambda: ipaddress.IPv6Address(text).packed)


def _of_ip(pack: Callable[[], bytes]) -> bytes:
    try:
        return pack()
    except ValueError as error:
        raise MultiaddrError(str(error)) from None


def _write_port(text: str) -> bytes:
    if not (text.isascii() and text.isdigit()) or len(text) > len("65535") or int(text) > 0xFFFF:
        raise MultiaddrError(f"{text[:80]!r} is not a port")
    return int(text).to_bytes(2)


def _write_name(text: str) -> bytes:
    return _checked_name(text).encode()


def _read_name(data: bytes) -> str:
    return _checked_name(data.decode("utf-8", "replace"))


def _checked_name(text: str) -> str:
    if not 0 < len(text) <= NAME_MAX_CHARS or "/" in text or not text.isprintable() or "�" in text or " " in text:
        raise MultiaddrError(f"{text[:80]!r} is not a name of DNS")
    return text


def _write_peer(text: str) -> bytes:
    try:
        return peer_ids.to_bytes(text)
    except ValueError as error:
        raise MultiaddrError(str(error)) from None


def _none(_value: object) -> bytes:
    return b""


def _no_text(_value: object) -> str:
    return ""


_PROTOCOLS: Final = (
    _Protocol("ip4", 4, 4, _write_ip4, lambda data: str(ipaddress.IPv4Address(data))),
    _Protocol("tcp", 6, 2, _write_port, lambda data: str(int.from_bytes(data))),
    _Protocol("ip6", 41, 16, _write_ip6, lambda data: str(ipaddress.IPv6Address(data))),
    _Protocol("dns", 53, _VARIES, _write_name, _read_name),
    _Protocol("dns4", 54, _VARIES, _write_name, _read_name),
    _Protocol("dns6", 55, _VARIES, _write_name, _read_name),
    _Protocol("p2p-circuit", 290, 0, _none, _no_text),
    _Protocol("p2p", 421, _VARIES, _write_peer, peer_ids.from_bytes),
)
_BY_NAME: Final = {protocol.name: protocol for protocol in _PROTOCOLS}
_BY_CODE: Final = {protocol.code: protocol for protocol in _PROTOCOLS}
