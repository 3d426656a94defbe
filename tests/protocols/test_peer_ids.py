"""Peer ids, base58 and keys, against values other implementations publish."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from goop2.protocols import base58, peer_ids
from goop2.protocols.errors import RemoteProtocolError
from goop2.protocols.protobuf import content, number

PEER = "12D3KooWDpJ7As7BWAwRMfu1VU2WCqNjvq387JEYKDBj4kx6nXTN"


@pytest.mark.parametrize(
    ("text", "data"),
    [
        ("", ""),
        ("1", "00"),
        ("2g", "61"),
        ("a3gV", "626262"),
        ("1NS17iag9jJgTHD1VXjvLCEnZuQ3rJDE9L", "00eb15231dfceb60925886b67d065299925915aeb172c06647"),
    ],
)
def test_base58_is_bitcoins(text: str, data: str) -> None:
    assert base58.encode(bytes.fromhex(data)) == text
    assert base58.decode(text) == bytes.fromhex(data)


@given(st.binary(max_size=60))
def test_base58_goes_there_and_back(data: bytes) -> None:
    assert base58.decode(base58.encode(data)) == data


@pytest.mark.parametrize("text", ["0", "O", "I", "l", "ä", " 1", "1" * 129])
def test_what_is_no_base58_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="base58"):
        base58.decode(text)


def test_an_id_holds_its_key() -> None:
    key = peer_ids.public_key_of(PEER)
    assert peer_ids.peer_of(key) == PEER
    assert peer_ids.to_bytes(PEER) == b"\x00\x24" + peer_ids.key_message(key)
    assert peer_ids.from_bytes(peer_ids.to_bytes(PEER)) == PEER
    assert peer_ids.read_key_message(peer_ids.key_message(key)) == key


def test_the_key_of_the_specification_is_read() -> None:
    """specs/peer-ids has this Ed25519 public key among its test vectors."""
    message = bytes.fromhex("080112201ed1e8fae2c4a144b8be8fd4b47bf3d3b34b871c3cacf6010f0e42d474fce27e")
    assert peer_ids.read_key_message(message) == message[4:]


@pytest.mark.parametrize("text", ["", "12D3Koo", "QmcgpsyWgH8Y8ajJz1Cu72KnS5uo2Aa2LpzU7kinSupNKC", PEER[:-1], PEER + "x"])
def test_the_id_of_another_key_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="id of an Ed25519 key"):
        peer_ids.to_bytes(text)


@pytest.mark.parametrize(
    "data", [b"", b"\x00\x24", b"\x12\x20" + bytes(32), b"\x00\x24\x08\x02\x12\x20" + bytes(32), bytes(38), bytes(1000)]
)
def test_bytes_that_are_no_id_are_refused(data: bytes) -> None:
    with pytest.raises(RemoteProtocolError, match="is not the id of an Ed25519 key"):
        peer_ids.from_bytes(data)


@pytest.mark.parametrize(
    ("message", "why"),
    [
        (b"", "it has no key"),
        (number(1, 0) + content(2, b"rsa"), "of type RSA; only Ed25519 keys are taken"),
        (number(1, 1) + content(2, bytes(33)), "has 33 bytes"),
        (b"\xff", "cannot be read"),
    ],
)
def test_a_key_that_is_not_ed25519_is_refused_in_a_sentence(message: bytes, why: str) -> None:
    with pytest.raises(RemoteProtocolError, match=why):
        peer_ids.read_key_message(message)
