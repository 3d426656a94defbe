"""The mq protocol: a message and its acknowledgement."""

from __future__ import annotations

import contextlib
import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.protocols.nearly import nearly

from goop2.protocols import encrypted_payload, mq
from goop2.protocols.errors import LocalProtocolError, RemoteProtocolError
from goop2.protocols.mq import Ack, Message

CHAT = Message("8b4c", 7, "chat", msgspec.Raw(b'{"content":"hi"}'))
SENT = b'{"type":"msg","id":"8b4c","seq":7,"topic":"chat","payload":{"content":"hi"}}'

BROKEN = [
    (b"{}", "the message is invalid"),
    (b'{"type":"ack","id":"a","seq":1}', "the message is invalid"),
    (SENT.replace(b'"seq":7', b'"seq":"7"'), "the message is invalid"),
    (SENT.replace(b"hi", b"\xff"), "the message is invalid"),
    (SENT.replace(b"8b4c", b""), "id has 0 characters; allowed are 1 to 128"),
    (SENT.replace(b"8b4c", b"x" * 129), "id has 129 characters"),
    (SENT.replace(b"chat", b"x" * 257), "topic has 257 characters"),
    (b'{"type":"msg","payload":' + b"[" * 50_000, "the message is invalid"),
]


@pytest.mark.parametrize("size", [1, 10_000])
def test_a_message_is_read_byte_by_byte_and_whole(size: int) -> None:
    reader, sent = mq.message_reader(), SENT + b"\n"
    lines = [reader.receive(sent[at : at + size]) for at in range(0, len(sent), size)]
    assert lines[-1] is not None
    assert mq.message(lines[-1]) == CHAT


@pytest.mark.parametrize(("sent", "why"), BROKEN)
def test_what_is_no_message_is_the_other_sides_fault(sent: bytes, why: str) -> None:
    with pytest.raises(RemoteProtocolError) as fault:
        mq.message(sent)
    assert why in str(fault.value)


@pytest.mark.parametrize(
    ("sent", "id_"),
    [
        (b'{"type":"msg","id":"8b4c","seq":"7","topic":"chat"}', "8b4c"),
        (b'{"type":"msg","id":"8b4c","topic":7}', "8b4c"),
        (b'{"type":"msg","id":"8b4c","topic":""}', "8b4c"),
        (b'{"type":"msg","id":7}', ""),
        (b'{"type":"msg","id":"%s"}' % (b"x" * 1000), ""),
        (b"[]", ""),
        (b"hello", ""),
    ],
)
def test_what_is_no_message_is_named_by_its_id_where_it_has_one(sent: bytes, id_: str) -> None:
    with pytest.raises(mq.NotAMessageError) as fault:
        mq.message(sent)
    assert fault.value.id == id_


@pytest.mark.parametrize("number", [b"7", b"7.0"])
def test_a_number_may_be_written_with_a_fraction_of_nothing(number: bytes) -> None:
    assert mq.message(SENT.replace(b"7", number)) == CHAT


def test_a_message_without_a_number_is_number_0() -> None:
    assert mq.message(SENT.replace(b'"seq":7', b'"seq":null')).seq == mq.message(SENT.replace(b'"seq":7,', b"")).seq == 0


def test_keys_others_add_do_no_harm() -> None:
    assert mq.message(SENT[:-1] + b',"from":"somebody","ttl":5}') == CHAT


def test_messages_and_acknowledgements_as_they_are_sent() -> None:
    assert mq.send(CHAT) == SENT + b"\n"
    assert mq.send_ack(CHAT) == b'{"type":"ack","id":"8b4c","seq":7}\n'


def test_a_message_nobody_would_read_is_not_sent() -> None:
    with pytest.raises(LocalProtocolError, match="the most is 1048576"):
        mq.send(Message("a", 1, "chat", msgspec.Raw(b'"' + b"x" * mq.MESSAGE_MAX_BYTES + b'"')))


@pytest.mark.parametrize("number", [b',"seq":7', b',"seq":7.0', b',"seq":null', b""])
def test_an_acknowledgement_by_its_id_is_one(number: bytes) -> None:
    assert mq.ack(b'{"type":"ack","id":"8b4c"%s}' % number, CHAT) == Ack("8b4c", 7)


def test_an_acknowledgement_is_of_the_message_it_names() -> None:
    assert mq.ack(b'{"type":"ack","id":"8b4c","seq":7}', CHAT) == Ack("8b4c", 7)


@pytest.mark.parametrize("sent", [b"{}", b'{"type":"msg","id":"8b4c","seq":7}', b'{"type":"ack","id":"8b4c","seq":8}', b"\xff"])
def test_another_acknowledgement_is_none(sent: bytes) -> None:
    with pytest.raises(RemoteProtocolError, match="the acknowledgement is"):
        mq.ack(sent, CHAT)


@given(st.binary(max_size=100) | st.builds(lambda inner: SENT[:-1] + b"," + inner + b"}", st.binary(max_size=40)) | nearly([SENT]))
def test_any_line_is_a_message_or_a_fault(sent: bytes) -> None:
    """Invariant: any bytes give a message within its bounds whose payload is JSON text, or RemoteFault, and nothing else."""
    try:
        message = mq.message(sent)
    except RemoteProtocolError:
        return
    assert 0 < len(message.id) <= mq.ID_MAX_CHARS
    json.loads(bytes(message.payload))


@given(st.text(min_size=1, max_size=36), st.integers(-(2**63), 2**63 - 1), st.text(min_size=1, max_size=30), st.text())
def test_a_message_arrives_as_it_was_sent(id_: str, seq: int, topic: str, text: str) -> None:
    """Invariant: what `send` writes is one line, `message` reads the same from it, and its acknowledgement is accepted."""
    sent = Message(id_, seq, topic, msgspec.Raw(json.dumps(text).encode()))
    line = mq.message_reader().receive(mq.send(sent))
    assert line is not None
    assert mq.message(line) == sent
    assert mq.ack(mq.send_ack(sent)[:-1], sent) == Ack(id_, seq)


@given(st.binary(max_size=60) | nearly([b'{"type":"ack","id":"8b4c","seq":7}']))
def test_any_line_is_the_acknowledgement_of_this_message_or_a_fault(sent: bytes) -> None:
    """Invariant: nothing but what names the message and its number acknowledges it; all else is RemoteFault."""
    with contextlib.suppress(RemoteProtocolError):
        assert mq.ack(sent, CHAT) == Ack(CHAT.id, CHAT.seq)


REFUSED = b'{"type":"refused","refused":"8b4c","code":"rate_limited","error":"too many messages","retry_after":12}'


def test_a_refusal_names_the_message_by_no_key_that_existing_peers_take_for_an_acknowledgement() -> None:
    sent = mq.send_refusal(CHAT, mq.RATE_LIMITED, "too many messages", 11.2)
    assert sent == REFUSED + b"\n"
    assert "id" not in json.loads(sent)
    assert "id" not in json.loads(mq.send_refusal(CHAT, mq.FORBIDDEN, "sealed", cannot_decrypt=True))


def test_a_refusal_is_read_with_its_reason_and_its_time() -> None:
    with pytest.raises(mq.MessageRefusedError, match="too many messages") as refusal:
        mq.ack(REFUSED, CHAT)
    assert (refusal.value.code, refusal.value.retry_after_seconds) == ("rate_limited", 12)


@pytest.mark.parametrize(
    ("sent", "code", "seconds", "text"),
    [
        (b'{"type":"refused","refused":"8b4c"}', "unavailable", None, "it says no reason"),
        (b'{"type":"refused","refused":"8b4c","code":"tired","retry_after":1e300}', "unavailable", 24 * 3600, "it says no reason"),
        (b'{"type":"refused","refused":"8b4c","code":"forbidden","retry_after":-1,"error":"\\u001b[2Jno"}', "forbidden", None, "[2Jno"),
    ],
)
def test_what_a_refusal_leaves_out_or_exaggerates_does_no_harm(sent: bytes, code: str, seconds: float | None, text: str) -> None:
    with pytest.raises(mq.MessageRefusedError) as refusal:
        mq.ack(sent, CHAT)
    assert (refusal.value.code, refusal.value.retry_after_seconds, str(refusal.value)) == (code, seconds, text)


@pytest.mark.parametrize(
    "sent", [b'{"type":"refused","id":"8b4c","seq":7}', mq.send_refusal(CHAT, mq.FORBIDDEN, "it does not open", cannot_decrypt=True)[:-1]]
)
def test_a_payload_that_does_not_open_is_told_apart_in_the_old_form_and_the_new(sent: bytes) -> None:
    with pytest.raises(encrypted_payload.EncryptionRefusedError):
        mq.ack(sent, CHAT)


def test_a_refusal_of_another_message_is_none() -> None:
    with pytest.raises(RemoteProtocolError, match="the refusal is of message"):
        mq.ack(REFUSED.replace(b"8b4c", b"other"), CHAT)
