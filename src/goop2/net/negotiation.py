"""Multistream-select: agree on the protocol of a stream, on both sides, in as few round trips as possible.

    client, first time     sends the header and the first protocol together, and waits for the answer
    client, known server   sends these and its first data together, and waits for nothing (go-libp2p does so too)
    server                 sends the answer together with its first data, unless the other side is silent before that

It is used on streams, and before them on a new connection.
"""

from __future__ import annotations

from collections.abc import Container, Sequence
from typing import Final, Protocol

from goop2.protocols.errors import RemoteProtocolError

MULTISTREAM: Final = "/multistream/1.0.0"
NOT_SPOKEN: Final = "na"
NAME_MAX_BYTES: Final = 1024
TRIES_MAX: Final = 16
"""Protocols one stream may ask for."""


class Duplex(Protocol):
    """What a protocol is agreed on over: a stream, or a new connection."""

    @property
    def waiting(self) -> bytes | bytearray:
        """Return the bytes that have come and are not read yet; do not change them."""

    async def read(self, size: int) -> bytes:
        """Return the next bytes, at least one and at most so many; raises when no more come."""

    async def write(self, data: bytes) -> None:
        """Send all of `data`, and return when it is queued."""


def message(text: str) -> bytes:
    """Return a message as bytes: its length, its text, a newline."""
    content = text.encode() + b"\n"
    low, high = len(content) & 0x7F, len(content) >> 7
    return (bytes((low | 0x80, high)) if high else bytes((low,))) + content


def proposal(protocol: str) -> bytes:
    """Return the first bytes of a stream whose protocol is taken for granted."""
    return message(MULTISTREAM) + message(protocol)


async def choose(stream: Duplex, protocols: Sequence[str]) -> str | None:
    """Return the first of these that the other side supports, None when it supports none. Raises `RemoteProtocolError`."""
    await stream.write(proposal(protocols[0]))
    await confirm(stream, message(MULTISTREAM))
    for protocol, following in zip(protocols, (*protocols[1:], None), strict=True):
        answer = await _read(stream)
        if answer == protocol:
            return protocol
        if answer != NOT_SPOKEN:
            raise RemoteProtocolError(f"the answer to {protocol} is {answer[:100]!r}")
        if following is not None:
            await stream.write(message(following))
    return None


async def confirm(stream: Duplex, expected: bytes) -> None:
    """Read the bytes that must come now. Raises `RemoteProtocolError` for others."""
    got = b""
    while len(got) < len(expected):
        got += await stream.read(len(expected) - len(got))
        if not expected.startswith(got):
            raise RemoteProtocolError(f"instead of {expected!r} came {got!r}")


async def accept(stream: Duplex, spoken: Container[str]) -> tuple[str, bytes]:
    """Return which of the protocols in `spoken` the other side wants, and the bytes still to be answered. Raises `RemoteProtocolError`."""
    await confirm(stream, message(MULTISTREAM))
    answer = message(MULTISTREAM)
    for _ in range(TRIES_MAX):
        if not stream.waiting:
            await stream.write(answer)
            answer = b""
        wanted = await _read(stream)
        if wanted in spoken:
            answer += message(wanted)
            if not stream.waiting:
                await stream.write(answer)
                answer = b""
            return wanted, answer
        answer += message(NOT_SPOKEN)
    raise RemoteProtocolError(f"{TRIES_MAX} protocols asked for, and none of them is spoken here")


async def _read(stream: Duplex) -> str:
    size = (await stream.read(1))[0]
    if size & 0x80:
        size = (size & 0x7F) | (await stream.read(1))[0] << 7
    if not 0 < size <= NAME_MAX_BYTES:
        raise RemoteProtocolError(f"a protocol's name of {size} bytes; the longest there may be has {NAME_MAX_BYTES}")
    content = b""
    while len(content) < size:
        content += await stream.read(size - len(content))
    if not content.endswith(b"\n"):
        raise RemoteProtocolError("a protocol's name without its newline")
    return content[:-1].decode("utf-8", "replace")
