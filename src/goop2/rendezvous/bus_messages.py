"""What rendezvous servers say to each other over NATS: a head, and announcements as they came, a line of JSON each.

    goop2-rendezvous.<key of who speaks>.all             to everybody
    goop2-rendezvous.<key of who speaks>.<another key>   to one
    {"start":"5f…","name":"north","asks":true}           the head
    {"type":"update","peerId":"12D3Koo…", …}             announcements, each as a peer has posted it (protocols/presence.py)

The NATS server lets each key speak in its own name alone, so the subject says who it is. It must not know what is done with a message.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

import msgspec

from goop2.protocols.presence import TEXT_MAX_CHARS, cut
from goop2.protocols.untrusted_json import InvalidJsonError, decode
from goop2.rendezvous.limits import BUS_LINES_MAX, BUS_MESSAGE_BYTES, BUS_MESSAGE_MAX_BYTES
from goop2.rendezvous.said_relay import ListedRelay

ROOT: Final = "goop2-rendezvous"
EVERYBODY: Final = "all"
KEY_CHARS: Final = 56
"""Of a public nkey."""


class BusHead(msgspec.Struct, omit_defaults=True):
    """What a message says of the server that sends it."""

    start: str
    """New at each start, so that a server knows what it has said itself, also where two have one key."""
    name: str = ""
    asks: bool = False
    """Whether it wants to hear who is with the others: it has just joined."""
    leaves: bool = False
    """Whether it ends, so that nobody misses it."""
    relay: ListedRelay | None = None


class BusMessageError(Exception):
    """What came is no message of a rendezvous server; the text says why."""


def subject(speaker: str, to: str = EVERYBODY) -> str:
    """Return where a server speaks, to all or to one."""
    return f"{ROOT}.{speaker}.{to}"


def heard_at(own: str) -> tuple[str, str]:
    """Return the two subjects at which a server listens."""
    return f"{ROOT}.*.{EVERYBODY}", f"{ROOT}.*.{own}"


def speaker_of(subject: str) -> str:
    """Return the key of who speaks at a subject. Raises `BusMessageError`."""
    parts = subject.split(".")
    if len(parts) != 3 or len(parts[1]) != KEY_CHARS:
        raise BusMessageError("its subject names no server")
    return parts[1]


def messages(head: BusHead, announcements: Iterable[bytes] = ()) -> Iterator[bytes]:
    """Yield the messages for these announcements, at least one; each has the head, and only the first asks."""
    lines, size = [msgspec.json.encode(head)], 0
    for each in announcements:
        if len(lines) > BUS_LINES_MAX or size + len(each) > BUS_MESSAGE_BYTES:
            yield b"\n".join(lines)
            lines, size = [msgspec.json.encode(msgspec.structs.replace(head, asks=False))], 0
        lines.append(each)
        size += len(each)
    yield b"\n".join(lines)


def opened(content: bytes) -> tuple[BusHead, list[bytes]]:
    """Return the head of a message and its announcements, these not read yet. Raises `BusMessageError`."""
    if len(content) > BUS_MESSAGE_MAX_BYTES:
        raise BusMessageError(f"it has {len(content)} bytes; the most is {BUS_MESSAGE_MAX_BYTES}")
    first, *lines = content.split(b"\n", BUS_LINES_MAX + 1)
    if len(lines) > BUS_LINES_MAX:
        raise BusMessageError(f"it has more than {BUS_LINES_MAX} announcements")
    try:
        head = decode(first, BusHead)
    except InvalidJsonError as error:
        raise BusMessageError(str(error)) from None
    if not 0 < len(head.start) <= TEXT_MAX_CHARS:
        raise BusMessageError("it does not say its start")
    head.name = cut(head.name)
    if head.relay is not None and not head.relay.is_possible:
        raise BusMessageError("its relay has addresses or numbers that cannot be")
    return head, lines
