"""The hand-written codec against the bytes of the format's own documentation, and against anything at all."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from goop2.protocols import protobuf
from goop2.protocols.errors import RemoteProtocolError
from goop2.protocols.protobuf import CONTENT, NUMBER, DelimitedReader, content, delimited, number, parse, read_varint, varint

WANTED = {1: NUMBER, 2: CONTENT}


@pytest.mark.parametrize(
    ("value", "encoded"),
    [(0, "00"), (1, "01"), (127, "7f"), (128, "8001"), (150, "9601"), (300, "ac02"), (2**64 - 1, "ffffffffffffffffff01")],
)
def test_a_varint_is_written_as_the_format_says(value: int, encoded: str) -> None:
    assert varint(value).hex() == encoded
    assert read_varint(bytes.fromhex(encoded)) == (value, len(encoded) // 2)


def test_fields_are_written_as_the_format_says() -> None:
    assert number(1, 150).hex() == "089601"
    assert content(2, b"testing").hex() == "120774657374696e67"


@pytest.mark.parametrize("value", [-1, 2**64])
def test_a_number_that_does_not_fit_is_our_own_mistake(value: int) -> None:
    with pytest.raises(ValueError, match="does not fit"):
        varint(value)


@pytest.mark.parametrize(
    ("data", "why"),
    [
        ("", "a varint does not end"),
        ("80", "a varint does not end"),
        ("ff" * 10, "more than 64 bits"),
        ("ffffffffffffffffff02", "more than 64 bits"),
    ],
)
def test_a_varint_that_is_none_is_refused(data: str, why: str) -> None:
    with pytest.raises(RemoteProtocolError, match=why):
        read_varint(bytes.fromhex(data))


def test_unknown_fields_are_skipped_whatever_their_kind() -> None:
    unknown = number(9, 7) + content(10, b"x" * 300) + b"\x59" + bytes(8) + b"\x5d" + bytes(4)
    fields = parse("a message", unknown + number(1, 5) + unknown + content(2, b"a") + unknown, WANTED)
    assert (fields.number(1), fields.content(2)) == (5, b"a")


def test_the_last_of_a_field_counts_and_all_can_be_had() -> None:
    fields = parse("a message", content(2, b"a") + number(1, 3) + content(2, "ä".encode()) + number(1, 4), WANTED)
    assert (fields.number(1), fields.numbers(1), fields.text(2), fields.contents(2)) == (4, [3, 4], "ä", [b"a", "ä".encode()])


def test_what_is_not_there_is_the_default() -> None:
    fields = parse("a message", b"", WANTED)
    assert (fields.number(1, 8), fields.content(2, b"d"), fields.text(2, "e"), fields.contents(2)) == (8, b"d", "e", [])
    assert 1 not in fields


@pytest.mark.parametrize(
    ("message", "why"),
    [
        ("00", "field 0"),
        ("0b", "kind 3"),
        ("0f", "kind 7"),
        ("12", "does not end"),
        ("1205aa", "says 5 bytes and 1 are left"),
        ("59aa", "says 8 bytes and 1 are left"),
        ("0a0161", "field 1 has kind 2"),
        ("1001", "field 2 has kind 0"),
    ],
)
def test_what_is_no_message_is_refused_in_a_sentence(message: str, why: str) -> None:
    with pytest.raises(RemoteProtocolError, match=f"a message cannot be read: .*{why}"):
        parse("a message", bytes.fromhex(message), WANTED)


def test_more_wanted_values_than_allowed_are_refused() -> None:
    message = number(1, 1) * 3
    assert parse("a message", message, WANTED, most=3).numbers(1) == [1, 1, 1]
    with pytest.raises(RemoteProtocolError, match="too many fields"):
        parse("a message", message, WANTED, most=2)
    with pytest.raises(RemoteProtocolError, match="too many fields"):
        parse("a message", number(1, 1) * (protobuf.FIELDS_MAX + 1), WANTED)


@given(st.binary(max_size=200))
def test_any_bytes_are_a_message_or_refused(data: bytes) -> None:
    try:
        parse("a message", data, WANTED)
    except RemoteProtocolError:
        return


@given(st.lists(st.binary(max_size=300)), st.integers(1, 50))
def test_delimited_messages_come_out_of_any_pieces(messages: list[bytes], piece: int) -> None:
    reader = DelimitedReader("a message", 300)
    data = b"".join(map(delimited, messages))
    got = [message for at in range(0, len(data), piece) for message in reader.receive(data[at : at + piece])]
    assert got == messages
    assert reader.rest() == b""


def test_what_follows_a_message_is_kept() -> None:
    reader = DelimitedReader("a message", 10)
    reader.feed(delimited(b"one") + b"rest")
    assert (reader.next_message(), reader.rest()) == (b"one", b"rest")


@pytest.mark.parametrize("data", [varint(11), b"\x80\x80", b"\xff" * 10])
def test_a_message_that_is_too_long_is_refused_before_it_comes(data: bytes) -> None:
    with pytest.raises(RemoteProtocolError):
        DelimitedReader("a message", 10).receive(data)


def test_the_end_before_a_message_is_whole_is_refused() -> None:
    reader = DelimitedReader("a message", 10)
    reader.receive(b"\x05ab")
    with pytest.raises(RemoteProtocolError, match="a message ended after 2 bytes"):
        reader.end()
