"""Which protocol a stream speaks: multistream-select, both sides, in as few steps as it allows.

    asking, a new acquaintance   the greeting and the first protocol in one piece, and the answer waited for
    asking, one that spoke it    the same, and what is to be said in the same piece: nothing is waited for (go-libp2p does so too)
    asked                        the answer goes with what is said first, unless the other side says nothing before it

It is spoken on streams, and on a new connection before them.
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
        """Return what has come and is not read yet; not to be changed."""

    async def read(self, size: int) -> bytes:
        """Return the next bytes, at most so many and at least one; raises when no more come."""

    async def write(self, data: bytes) -> None:
        """Hand over all of `data`."""


def message(text: str) -> bytes:
    """As it is sent: its length, itself, a newline."""
    content = text.encode() + b"\n"
    low, high = len(content) & 0x7F, len(content) >> 7
    return (bytes((low | 0x80, high)) if high else bytes((low,))) + content


def proposal(protocol: str) -> bytes:
    """Return what is said before anything in this protocol."""
    return message(MULTISTREAM) + message(protocol)


async def choose(stream: Duplex, protocols: Sequence[str]) -> str | None:
    """The first of these the other side speaks, None when it speaks none. Raises `RemoteProtocolError`."""
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
    """Read what must come now. Raises `RemoteProtocolError` when it does not."""
    got = b""
    while len(got) < len(expected):
        got += await stream.read(len(expected) - len(got))
        if not expected.startswith(got):
            raise RemoteProtocolError(f"instead of {expected!r} came {got!r}")


async def accept(stream: Duplex, spoken: Container[str]) -> tuple[str, bytes]:
    """Return what the other side wants to speak of what is `spoken`, and what is still to be answered. Raises `RemoteProtocolError`."""
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
