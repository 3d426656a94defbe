"""The messages between neighbours (GossipSub v1.1), to and from bytes, as far as they concern one topic. No I/O.

    RPC         1 subscriptions*  2 publish* (messages.py)  3 control         behind its size on the stream
    SubOpts     1 subscribe  2 topic
    Control     1 ihave*  2 iwant*  3 graft*  4 prune*
    IHave       1 topic  2 message ids*
    IWant       1 message ids*
    Graft       1 topic
    Prune       1 topic  3 back-off in seconds                (field 2, peers to connect to, is ignored: presence finds peers)

Each part of a message or control must have a minimum size, so an RPC cannot make more objects than its bytes justify.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from goop2.protocols.protobuf import CONTENT, NUMBER, content, delimited, number, parse

SUBSCRIPTIONS: Final = 1
PUBLISH: Final = 2
CONTROL: Final = 3
_IHAVE, _IWANT, _GRAFT, _PRUNE = 1, 2, 3, 4
_PARTS_FREE: Final = 64
"""Parts an RPC or a control may always have."""
_BYTES_PER_PART: Final = 16
"""Beyond those, what each has on average at least: a subscription has its topic, a message a signature."""
_BYTES_PER_CONTROL_PART: Final = 8
"""The same of a control: a GRAFT has its topic, an id an author and a number."""


@dataclass(frozen=True, slots=True)
class Rpc:
    """An RPC whose messages and control are not parsed yet."""

    subscriptions: tuple[tuple[str, bool], ...] = ()
    """Topic, and whether the neighbour begins or ends to listen to it."""
    messages: tuple[bytes, ...] = ()
    control: bytes = b""


@dataclass(frozen=True, slots=True)
class Control:
    """A neighbour's requests and notices about one topic, besides messages."""

    ihave: tuple[bytes, ...] = ()
    """Ids of messages it can send."""
    iwant: tuple[bytes, ...] = ()
    """Ids of messages it asks for."""
    graft: bool = False
    """It takes us into its mesh."""
    prune: int | None = None
    """It puts us out of its mesh, or does not let us in, for so many seconds; 0 when it does not say."""


def read_rpc(data: bytes) -> Rpc:
    """Return an RPC. Raises `RemoteProtocolError`."""
    most = _PARTS_FREE + len(data) // _BYTES_PER_PART
    fields = parse("an RPC", data, {SUBSCRIPTIONS: CONTENT, PUBLISH: CONTENT, CONTROL: CONTENT}, most)
    subscriptions = tuple(_read_subscription(each) for each in fields.contents(SUBSCRIPTIONS))
    # A control that comes in pieces is one, as Protocol Buffers have it.
    return Rpc(subscriptions, tuple(fields.contents(PUBLISH)), b"".join(fields.contents(CONTROL)))


def _read_subscription(data: bytes) -> tuple[str, bool]:
    fields = parse("a subscription", data, {1: NUMBER, 2: CONTENT})
    return fields.text(2), bool(fields.number(1))


def read_control(data: bytes, topic: str) -> Control:
    """Return the control for a topic. Raises `RemoteProtocolError`."""
    fields = parse("a control", data, {_IHAVE: CONTENT, _IWANT: CONTENT, _GRAFT: CONTENT, _PRUNE: CONTENT}, _most(data))
    ihave: list[bytes] = []
    for each in fields.contents(_IHAVE):
        offer = parse("an IHAVE", each, {1: CONTENT, 2: CONTENT}, _most(each))
        if offer.text(1) == topic:
            ihave += offer.contents(2)
    iwant = [id_ for each in fields.contents(_IWANT) for id_ in parse("an IWANT", each, {1: CONTENT}, _most(each)).contents(1)]
    grafts = [parse("a GRAFT", each, {1: CONTENT}).text(1) for each in fields.contents(_GRAFT)]
    prunes = [parse("a PRUNE", each, {1: CONTENT, 3: NUMBER}) for each in fields.contents(_PRUNE)]
    seconds = [prune.number(3) for prune in prunes if prune.text(1) == topic]
    return Control(tuple(ihave), tuple(iwant), topic in grafts, max(seconds, default=None))


def _most(data: bytes) -> int:
    return _PARTS_FREE + len(data) // _BYTES_PER_CONTROL_PART


def write_subscription(topic: str, listens: bool = True) -> bytes:
    """Return the RPC that begins or ends listening, as it stands on the stream."""
    return delimited(content(SUBSCRIPTIONS, number(1, int(listens)) + content(2, topic.encode())))


def write_messages(messages: Iterable[bytes]) -> bytes:
    """Return the RPC with these messages, as it stands on the stream."""
    return delimited(b"".join(content(PUBLISH, message) for message in messages))


def write_control(control: Control, topic: str) -> bytes:
    """Return the RPC with this control, as it stands on the stream."""
    named = content(1, topic.encode())
    parts: list[bytes] = []
    if control.ihave:
        parts.append(content(_IHAVE, named + b"".join(content(2, id_) for id_ in control.ihave)))
    if control.iwant:
        parts.append(content(_IWANT, b"".join(content(1, id_) for id_ in control.iwant)))
    if control.graft:
        parts.append(content(_GRAFT, named))
    if control.prune is not None:
        parts.append(content(_PRUNE, named + number(3, control.prune)))
    return delimited(content(CONTROL, b"".join(parts)))
