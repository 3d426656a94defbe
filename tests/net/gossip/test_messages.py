"""A signed message: what other implementations sign is taken, what is forged is not, and what nobody signed is not handed on."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from nacl.signing import SigningKey
from tests.net.gossip.authors import TOPIC, Author
from tests.protocols.nearly import nearly

from goop2.net.gossip.messages import SIGNATURE_BYTES, GossipMessage, can_be_id, name_of_id, read_message, sign
from goop2.protocols.errors import RemoteProtocolError
from goop2.protocols.protobuf import content, number

SEED = bytes(range(32))
KEY = bytes.fromhex("08011220") + bytes(SigningKey(SEED).verify_key)
AUTHOR = bytes.fromhex("0024") + KEY
FIELDS = content(1, AUTHOR) + content(2, b"hello") + content(3, bytes(7) + b"\x05") + content(4, TOPIC.encode())
"""As go-libp2p and js-libp2p write them."""
SIGNATURE = SigningKey(SEED).sign(b"libp2p-pubsub:" + FIELDS).signature


def test_a_message_is_written_and_signed_as_go_and_js_do() -> None:
    assert sign(SEED, b"hello", 5, TOPIC).write() == FIELDS + content(5, SIGNATURE)


def test_a_message_is_read_as_it_was_written() -> None:
    message = sign(SEED, b"hello", 5, TOPIC)
    assert read_message(message.write()) == message
    assert message.is_authentic()
    assert (message.author, message.data, message.topic) == (AUTHOR, b"hello", TOPIC)
    assert message.author_id.startswith("12D3Koo")


def test_the_key_of_the_author_may_be_there_too_and_is_not_handed_on() -> None:
    message = read_message(FIELDS + content(5, SIGNATURE) + content(6, KEY))
    assert message is not None
    assert message.is_authentic()
    assert message.write() == FIELDS + content(5, SIGNATURE)


def test_a_key_that_is_not_the_authors_makes_it_nobodys() -> None:
    assert read_message(FIELDS + content(5, SIGNATURE) + content(6, Author().id[2:])) is None


def test_data_that_is_empty_and_data_that_is_missing_are_signed_as_they_are() -> None:
    """go-libp2p leaves out what is nil."""
    for data in (b"", content(2, b"")):
        fields = content(1, AUTHOR) + data + content(3, bytes(8)) + content(4, TOPIC.encode())
        message = read_message(fields + content(5, SigningKey(SEED).sign(b"libp2p-pubsub:" + fields).signature))
        assert message is not None
        assert message.is_authentic()
        assert message.data == b""


def test_what_nobody_signed_is_not_handed_on() -> None:
    message = read_message(content(9, b"unsigned" * 50) + content(5, SIGNATURE) + FIELDS + number(12, 7))
    assert message is not None
    assert message.is_authentic()
    assert message.write() == FIELDS + content(5, SIGNATURE)


@pytest.mark.parametrize(
    "forged",
    [
        FIELDS.replace(b"hello", b"hullo") + content(5, SIGNATURE),
        FIELDS.replace(TOPIC.encode(), b"best.topic") + content(5, SIGNATURE),
        FIELDS.replace(bytes(7) + b"\x05", bytes(7) + b"\x06") + content(5, SIGNATURE),
        FIELDS.replace(KEY, Author().id[2:]) + content(5, SIGNATURE),
        FIELDS + content(5, b"x" * SIGNATURE_BYTES),
        FIELDS + content(5, SigningKey(SEED).sign(FIELDS).signature),
        FIELDS.replace(KEY[4:], bytes(32)) + content(5, bytes(64)),
    ],
    ids=["data", "topic", "number", "author", "signature", "no prefix", "key of small order"],
)
def test_a_message_that_was_changed_is_not_authentic(forged: bytes) -> None:
    message = read_message(forged)
    assert message is not None
    assert not message.is_authentic()


@pytest.mark.parametrize(
    "author", [b"", b"\x12\x20" + bytes(32), AUTHOR[:-1], AUTHOR + b"x", b"\x00\x25" + KEY, bytes.fromhex("002408021220") + bytes(34)]
)
def test_a_message_whose_author_does_not_hold_its_key_is_nobodys(author: bytes) -> None:
    assert read_message(content(1, author) + FIELDS[len(content(1, AUTHOR)) :] + content(5, SIGNATURE)) is None


@pytest.mark.parametrize("signature", [b"", b"x" * 63, b"x" * 65])
def test_a_message_that_can_have_no_valid_signature_costs_no_check(signature: bytes) -> None:
    assert read_message(FIELDS + content(5, signature)) is None
    assert read_message(FIELDS) is None


def test_a_number_that_has_not_eight_bytes_makes_it_nobodys() -> None:
    assert read_message(FIELDS.replace(content(3, bytes(7) + b"\x05"), content(3, b"\x05")) + content(5, SIGNATURE)) is None


def test_ids_of_go_and_of_js_name_the_same_message() -> None:
    message = sign(SEED, b"hello", 5, TOPIC)
    assert message.id == AUTHOR + bytes(7) + b"\x05"
    assert name_of_id(message.id) == name_of_id(message.id[2:]) == message.name
    assert can_be_id(message.id)
    assert can_be_id(message.id[2:])
    assert not any(map(can_be_id, (b"", b"x" * 46, message.id[:-1], message.id + b"x")))


@given(st.binary(max_size=200) | nearly([FIELDS + content(5, SIGNATURE), FIELDS + content(5, SIGNATURE) + content(6, KEY)]))
def test_whatever_comes_is_a_message_or_none_or_breaks_the_protocol(data: bytes) -> None:
    try:
        message = read_message(data)
    except RemoteProtocolError:
        return
    if message is not None and message.is_authentic():
        assert isinstance(message, GossipMessage)
        assert message.write() == FIELDS + content(5, SIGNATURE)
