r"""`/goop/mq/1.0.0`: one message, acknowledged on the same stream.

    {"type":"msg","id":"<uuid4>","seq":7,"topic":"chat","payload":{…}}\n   →   {"type":"ack","id":"<the same>","seq":7}\n
       or   {"type":"refused","refused":"<the id>","code":"rate_limited","error":"<a sentence>","retry_after":12}\n

A message that is not taken is answered by a refusal, never with a key `id`: existing peers take every line with their id for the
acknowledgement. A payload may be encrypted (encrypted_payload.py); whoever cannot decrypt it says so in a refusal with `"sealed":true`, so
that the sender need not guess; versions before 0.2 wrote that one as {"type":"refused","id":…,"seq":7}.
What the topics carry is in topics.py. Who sent a message is never in it: that is the peer at the other end of the connection.
"""

from __future__ import annotations

import math
from typing import Final, cast

import msgspec

from goop2.protocols import encrypted_payload, tolerant_json
from goop2.protocols.errors import RemoteProtocolError
from goop2.protocols.line import LineReader, line
from goop2.protocols.untrusted_json import InvalidJsonError

PROTOCOL: Final = "/goop/mq/1.0.0"
MESSAGE_MAX_BYTES: Final = 1024 * 1024
"""A direct message is a few lines, a group's state may be a table; more belongs into a file or a data function."""
ENCRYPTED_MESSAGE_MAX_BYTES: Final = encrypted_payload.size_of(MESSAGE_MAX_BYTES) + 1024
"""A message whose payload is a box, around what may be sent without."""
ACK_MAX_BYTES: Final = 4096
"""An acknowledgement, or a refusal with its sentence."""
ERROR_MAX_CHARS: Final = 300
"""The sentence of a refusal: a page and a terminal show it in a line or two."""
RETRY_AFTER_MAX_SECONDS: Final = 24 * 3600.0
"""A peer that says more is believed for a day."""
ID_MAX_CHARS: Final = 128
"""A uuid4 has 36; others may count otherwise. Repeats are found by it, so it is kept."""
TOPIC_MAX_CHARS: Final = 256
RATE_LIMITED, UNAVAILABLE, FORBIDDEN = "rate_limited", "unavailable", "forbidden"
REFUSAL_CODES: Final = frozenset((RATE_LIMITED, UNAVAILABLE, FORBIDDEN))
"""Why a message is not taken (network.md): its sender writes too often, we cannot keep it now, it is none that is taken."""


class Message(msgspec.Struct, frozen=True):
    """A message; `payload` is JSON text, see topics.py."""

    id: str
    seq: int = 0
    topic: str = ""
    payload: msgspec.Raw = msgspec.Raw(b"null")


class Ack(msgspec.Struct, frozen=True):
    """An acknowledgement: the receiver has the message with this id, and this number if it names one."""

    id: str
    seq: int | None = None


class NotAMessageError(RemoteProtocolError):
    """A line is no message; `id` is the one it still names, "" when it names none."""

    def __init__(self, reason: str, id_: str = "") -> None:
        super().__init__(reason)
        self.id = id_


class MessageRefusedError(Exception):
    """The other side does not accept the message; the text is its own sentence."""

    def __init__(self, code: str, error: str, retry_after_seconds: float | None = None) -> None:
        super().__init__(error)
        self.code = code
        self.retry_after_seconds = retry_after_seconds


class _SentMessage(Message, frozen=True, tag_field="type", tag="msg"):
    pass


class _SentAck(Ack, frozen=True, tag_field="type", tag="ack"):
    pass


class _SentRefusal(msgspec.Struct, frozen=True, omit_defaults=True, tag_field="type", tag="refused"):
    refused: str = ""
    code: str = ""
    error: str = ""
    retry_after: int | float | None = None
    sealed: bool = False
    id: str = ""
    """As versions before 0.2 named the message; never written."""


_Answer = _SentAck | _SentRefusal


def message_reader() -> LineReader:
    """Return a reader for a message; then `message`."""
    return LineReader("the message", ENCRYPTED_MESSAGE_MAX_BYTES)


def message(content: bytes) -> Message:
    """Return the message in a line. Raises `NotAMessageError`."""
    try:
        sent = tolerant_json.decode(content, _SentMessage)
    except InvalidJsonError as error:
        raise NotAMessageError(f"the message is invalid: {error}", _id_in(content)) from None
    for name, text, most in (("id", sent.id, ID_MAX_CHARS), ("topic", sent.topic, TOPIC_MAX_CHARS)):
        if not 0 < len(text) <= most:
            why = f"the message's {name} has {len(text)} characters; allowed are 1 to {most}"
            raise NotAMessageError(why, sent.id if len(sent.id) <= ID_MAX_CHARS else "")
    return Message(sent.id, sent.seq, sent.topic, msgspec.Raw(bytes(sent.payload)))


def _id_in(content: bytes) -> str:
    """Return the id in a line that is no valid message, so that its sender knows which one is refused."""
    try:
        id_ = tolerant_json.decode(content, dict[str, object]).get("id")
    except InvalidJsonError:
        return ""
    return id_ if isinstance(id_, str) and len(id_) <= ID_MAX_CHARS else ""


def send(sent: Message, box: encrypted_payload.PayloadBox | None = None) -> bytes:
    """Return a message as bytes, encrypted when there is a box. Raises `LocalProtocolError` when it is too long."""
    plain = line("the message", msgspec.json.encode(_SentMessage(sent.id, sent.seq, sent.topic, sent.payload)), MESSAGE_MAX_BYTES)
    if box is None:
        return plain
    payload = msgspec.Raw(encrypted_payload.payload(box, bytes(sent.payload)))
    return line("the message", msgspec.json.encode(_SentMessage(sent.id, sent.seq, sent.topic, payload)), ENCRYPTED_MESSAGE_MAX_BYTES)


def ack_reader() -> LineReader:
    """Return a reader for an acknowledgement; then `ack`."""
    return LineReader("the acknowledgement", ACK_MAX_BYTES)


def ack(content: bytes, of: Message) -> Ack:
    """Return the acknowledgement in a line.

    Raises `RemoteProtocolError`, also when it is of another message, `MessageRefusedError`, and `EncryptionRefusedError`.
    """
    try:
        sent: _Answer = tolerant_json.decode(content, cast("type[_SentAck]", _Answer))
    except InvalidJsonError as error:
        raise RemoteProtocolError(f"the acknowledgement is invalid: {error}") from None
    if isinstance(sent, _SentRefusal):
        raise _refusal(sent, of)
    if sent.id != of.id or sent.seq not in (None, of.seq):
        raise RemoteProtocolError(f"the acknowledgement is of message {sent.id[:ID_MAX_CHARS]!r} ({sent.seq}), not of {of.id!r} ({of.seq})")
    return Ack(sent.id, of.seq)


def _refusal(sent: _SentRefusal, of: Message) -> Exception:
    """Return the error that a refusal means for the sender of the message."""
    if (sent.refused or sent.id) != of.id:
        return RemoteProtocolError(f"the refusal is of message {(sent.refused or sent.id)[:ID_MAX_CHARS]!r}, not of {of.id!r}")
    # Versions before 0.2 sent a refusal with `id` for this reason only.
    if sent.sealed or sent.id:
        return encrypted_payload.EncryptionRefusedError("the payload cannot be decrypted there")
    wait = sent.retry_after
    seconds = min(float(wait), RETRY_AFTER_MAX_SECONDS) if wait is not None and wait >= 0 else None
    # A code of another implementation means nothing here; `unavailable` is the one that promises nothing.
    code = sent.code if sent.code in REFUSAL_CODES else UNAVAILABLE
    # The sentence is the other side's text, and is shown on a terminal.
    error = "".join(character for character in sent.error[:ERROR_MAX_CHARS] if character.isprintable())
    return MessageRefusedError(code, error or "it says no reason", seconds)


def send_refusal(of: Message, code: str, error: str, retry_after_seconds: float | None = None, *, cannot_decrypt: bool = False) -> bytes:
    """Return the line that is sent in place of an acknowledgement. `cannot_decrypt`: the payload is encrypted with an unknown key."""
    wait = None if retry_after_seconds is None else math.ceil(retry_after_seconds)
    return msgspec.json.encode(_SentRefusal(of.id, code, error[:ERROR_MAX_CHARS], wait, cannot_decrypt)) + b"\n"


def send_ack(of: Message) -> bytes:
    """Return the acknowledgement of a message."""
    return msgspec.json.encode(_SentAck(of.id, of.seq)) + b"\n"
