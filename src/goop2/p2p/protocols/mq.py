r"""`/goop/mq/1.0.0`: one message, acknowledged on the same stream.

    {"type":"msg","id":"<uuid4>","seq":7,"topic":"chat","payload":{…}}\n   →   {"type":"ack","id":"<the same>","seq":7}\n
    {"type":"msg", … "payload":{"enc":"<box>"}}\n                           →   the same, or, ours, {"type":"refused","id":…,"seq":7}\n

A payload may be sealed (sealed.py); who cannot open it says so in place of the acknowledgement, so that the sender need not guess.
What the topics carry is in topics.py. Who sent a message is never in it: that is the peer at the other end of the connection.
"""

from __future__ import annotations

from typing import Final, cast

import msgspec

from goop2.p2p.protocols import leniency, sealed
from goop2.p2p.protocols.faults import RemoteFault
from goop2.p2p.protocols.line import LineReader, line
from goop2.untrusted_json import InvalidJsonError

PROTOCOL: Final = "/goop/mq/1.0.0"
MESSAGE_MAX_BYTES: Final = 1024 * 1024
"""A direct message is a few lines, a group's state may be a table; more belongs into a file or a data function."""
SEALED_MESSAGE_MAX_BYTES: Final = sealed.size_of(MESSAGE_MAX_BYTES) + 1024
"""A message whose payload is a box, around what may be sent without."""
ACK_MAX_BYTES: Final = 1024
ID_MAX_CHARS: Final = 128
"""A uuid4 has 36; others may count otherwise. Repeats are found by it, so it is kept."""
TOPIC_MAX_CHARS: Final = 256


class Message(msgspec.Struct, frozen=True):
    """A message; `payload` is JSON text, see topics.py."""

    id: str
    seq: int = 0
    topic: str = ""
    payload: msgspec.Raw = msgspec.Raw(b"null")


class Ack(msgspec.Struct, frozen=True):
    """The receiver has the message with this id, and number if it says one."""

    id: str
    seq: int | None = None


class _SentMessage(Message, frozen=True, tag_field="type", tag="msg"):
    pass


class _SentAck(Ack, frozen=True, tag_field="type", tag="ack"):
    pass


class _SentRefusal(Ack, frozen=True, tag_field="type", tag="refused"):
    pass


_Answer = _SentAck | _SentRefusal


def message_reader() -> LineReader:
    """For a message; then `message`."""
    return LineReader("the message", SEALED_MESSAGE_MAX_BYTES)


def message(content: bytes) -> Message:
    """The message in a line. Raises `RemoteFault`."""
    try:
        sent = leniency.decode(content, _SentMessage)
    except InvalidJsonError as error:
        raise RemoteFault(f"the message is none: {error}") from None
    for name, text, most in (("id", sent.id, ID_MAX_CHARS), ("topic", sent.topic, TOPIC_MAX_CHARS)):
        if not 0 < len(text) <= most:
            raise RemoteFault(f"the message's {name} has {len(text)} characters; allowed are 1 to {most}")
    return Message(sent.id, sent.seq, sent.topic, msgspec.Raw(bytes(sent.payload)))


def send(sent: Message, box: sealed.Box | None = None) -> bytes:
    """A message as it is sent, its payload sealed when there is a box. Raises `LocalFault` when it is too long."""
    plain = line("the message", msgspec.json.encode(_SentMessage(sent.id, sent.seq, sent.topic, sent.payload)), MESSAGE_MAX_BYTES)
    if box is None:
        return plain
    payload = msgspec.Raw(sealed.payload(box, bytes(sent.payload)))
    return line("the message", msgspec.json.encode(_SentMessage(sent.id, sent.seq, sent.topic, payload)), SEALED_MESSAGE_MAX_BYTES)


def ack_reader() -> LineReader:
    """For an acknowledgement; then `ack`."""
    return LineReader("the acknowledgement", ACK_MAX_BYTES)


def ack(content: bytes, of: Message) -> Ack:
    """The acknowledgement in a line. Raises `RemoteFault`, also when it is of another message, and `sealed.Refused`."""
    try:
        sent: _Answer = leniency.decode(content, cast("type[_SentAck]", _Answer))
    except InvalidJsonError as error:
        raise RemoteFault(f"the acknowledgement is none: {error}") from None
    if sent.id != of.id or sent.seq not in (None, of.seq):
        raise RemoteFault(f"the acknowledgement is of message {sent.id[:ID_MAX_CHARS]!r} ({sent.seq}), not of {of.id!r} ({of.seq})")
    if isinstance(sent, _SentRefusal):
        raise sealed.Refused("the payload cannot be opened there")
    return Ack(sent.id, of.seq)


def send_refusal(of: Message) -> bytes:
    """In place of the acknowledgement: the payload is sealed and does not open here."""
    return msgspec.json.encode(_SentRefusal(of.id, of.seq)) + b"\n"


def send_ack(of: Message) -> bytes:
    """The acknowledgement of a message."""
    return msgspec.json.encode(_SentAck(of.id, of.seq)) + b"\n"
