"""Noise XX against published vectors, and what no other side can make of a handshake.

The vectors are those of cacophony (the file that snow tests with) and of flynn/noise, which go-libp2p uses.
"""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from goop2.net.noise import Cipher, Handshake, key_pair
from goop2.protocols.errors import RemoteProtocolError


@dataclass(frozen=True)
class Vector:
    """Keys and messages of one handshake and of what follows it, in hex."""

    initiator_static: str
    initiator_ephemeral: str
    responder_static: str
    responder_ephemeral: str
    messages: tuple[tuple[str, str], ...]
    """Payload and message, by turns; the initiator's first."""
    prologue: str = ""
    handshake_hash: str = ""


CACOPHONY = Vector(
    initiator_static="e61ef9919cde45dd5f82166404bd08e38bceb5dfdfded0a34c8df7ed542214d1",
    initiator_ephemeral="893e28b9dc6ca8d611ab664754b8ceb7bac5117349a4439a6b0569da977c464a",
    responder_static="4a3acbfdb163dec651dfa3194dece676d437029c62a408b4c5ea9114246e4893",
    responder_ephemeral="bbdb4cdbd309f1a1f2e1456967fe288cadd6f712d65dc7b7793d5e63da6b375b",
    prologue="4a6f686e2047616c74",
    handshake_hash="c8e5f64e846193be2a834104c2a009868d6c9f3bd3c186299888b488b2f1f58e",
    messages=(
        (
            "4c756477696720766f6e204d69736573",
            "ca35def5ae56cec33dc2036731ab14896bc4c75dbb07a61f879f8e3afa4c79444c756477696720766f6e204d69736573",
        ),
        (
            "4d757272617920526f746862617264",
            "95ebc60d2b1fa672c1f46a8aa265ef51bfe38e7ccb39ec5be34069f14480884381cbad1f276e038c48378ffce2b65285e08d6b68aaa3629a5a8639392490e5b9bd5269c2f1e4f488ed8831161f19b7815528f8982ffe09be9b5c412f8a0db50f8814c7194e83f23dbd8d162c9326ad",
        ),
        (
            "462e20412e20486179656b",
            "c7195ffacac1307ff99046f219750fc47693e23c3cb08b89c2af808b444850a80ae475b9df0f169ae80a89be0865b57f58c9fea0d4ec82a286427402f113e4b6ae769a1d95941d49b25030",
        ),
        ("4361726c204d656e676572", "96763ed773f8e47bb3712f0e29b3060ffc956ffc146cee53d5e1df"),
        ("4a65616e2d426170746973746520536179", "3e40f15f6f3a46ae446b253bf8b1d9ffb6ed9b174d272328ff91a7e2e5c79c07f5"),
        ("457567656e2042f6686d20766f6e2042617765726b", "eb3f3515110702e047a6c9da4478b6ead94873c11c0f2d710ddb3f09fce024b3a58502ae3f"),
    ),
)
FLYNN = Vector(
    initiator_static="000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f",
    initiator_ephemeral="202122232425262728292a2b2c2d2e2f303132333435363738393a3b3c3d3e3f",
    responder_static="0102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f20",
    responder_ephemeral="4142434445464748494a4b4c4d4e4f505152535455565758595a5b5c5d5e5f60",
    messages=(
        ("", "358072d6365880d1aeea329adf9121383851ed21a28e3b75e965d0d2cd166254"),
        (
            "",
            "64b101b1d0be5a8704bd078f9895001fc03e8e9f9522f188dd128d9846d484663414af878d3e46a2f58911a816d6e8346d4ea17a6f2a0bb4ef4ed56c133cff4560a34e36ea82109f26cf2e5a5caf992b608d55c747f615e5a3425a7a19eefb8f",
        ),
        (
            "",
            "87f864c11ba449f46a0a4f4e2eacbb7b0457784f4fca1937f572c93603e9c4d97e5ea11b16f3968710b23a3be3202dc1b5e1ce3c963347491e74f5c0768a9b42",
        ),
        # There the initiator speaks first after the handshake; here turns go on, and each direction has its own cipher.
        ("7375626d6172696e6579656c6c6f77", "2445aa438ebd649281c636cc7269ca82f1d9023d72520943aeabf909cdf521"),
        ("79656c6c6f777375626d6172696e65", "a52ef02ba60e12696d1d6b9ef4245c88fca757b6134ad6e76b56e310a6adf6"),
    ),
)


def two_ends(vector: Vector = CACOPHONY) -> tuple[Handshake, Handshake]:
    """Who begins and who answers, with the vector's keys."""
    initiator = Handshake(
        is_initiator=True,
        static=key_pair(bytes.fromhex(vector.initiator_static)),
        ephemeral=key_pair(bytes.fromhex(vector.initiator_ephemeral)),
        prologue=bytes.fromhex(vector.prologue),
    )
    responder = Handshake(
        is_initiator=False,
        static=key_pair(bytes.fromhex(vector.responder_static)),
        ephemeral=key_pair(bytes.fromhex(vector.responder_ephemeral)),
        prologue=bytes.fromhex(vector.prologue),
    )
    return initiator, responder


def done() -> tuple[Handshake, Handshake]:
    """Both, after a handshake."""
    initiator, responder = two_ends()
    responder.read(initiator.write())
    initiator.read(responder.write())
    responder.read(initiator.write())
    return initiator, responder


@pytest.mark.parametrize("vector", [CACOPHONY, FLYNN], ids=["cacophony", "flynn"])
def test_every_message_of_the_published_vectors_is_written_and_read(vector: Vector) -> None:
    turns = two_ends(vector)
    for number, (payload, message) in enumerate(vector.messages[:3]):
        writer, reader = turns[number % 2], turns[1 - number % 2]
        assert writer.write(bytes.fromhex(payload)).hex() == message
        assert reader.read(bytes.fromhex(message)).hex() == payload
    if vector.handshake_hash:
        assert [end.handshake_hash.hex() for end in turns] == [vector.handshake_hash] * 2
    ciphers = [end.split() for end in turns]
    for number, (payload, message) in enumerate(vector.messages[3:], 3):
        sends, receives = ciphers[number % 2][0], ciphers[1 - number % 2][1]
        assert sends.encrypt(bytes.fromhex(payload)).hex() == message
        assert receives.decrypt(bytes.fromhex(message)).hex() == payload


def test_each_side_learns_the_others_static_key() -> None:
    initiator, responder = done()
    assert initiator.remote_static == key_pair(bytes.fromhex(CACOPHONY.responder_static)).public
    assert responder.remote_static == key_pair(bytes.fromhex(CACOPHONY.initiator_static)).public


def test_keys_are_new_for_every_handshake() -> None:
    static = key_pair()
    first, second = (Handshake(is_initiator=True, static=static).write() for _ in range(2))
    assert first != second
    assert len(first) == 32


@pytest.mark.parametrize("number", [1, 2])
@pytest.mark.parametrize("at", [0, 40, 70, -1])
def test_a_changed_bit_of_an_encrypted_message_is_refused(number: int, at: int) -> None:
    turns = two_ends()
    for each in range(number + 1):
        writer, reader = turns[each % 2], turns[1 - each % 2]
        message = bytearray(writer.write(b"payload"))
        if each == number:
            message[at] ^= 1
            with pytest.raises(RemoteProtocolError, match="cannot be decrypted"):
                reader.read(bytes(message))
        else:
            reader.read(bytes(message))


def test_another_prologue_is_refused() -> None:
    initiator = Handshake(is_initiator=True, static=key_pair(), prologue=b"one")
    responder = Handshake(is_initiator=False, static=key_pair(), prologue=b"another")
    responder.read(initiator.write())
    with pytest.raises(RemoteProtocolError):
        initiator.read(responder.write())


@pytest.mark.parametrize(
    "low_order", [bytes(32), b"\x01" + bytes(31), bytes.fromhex("ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f")]
)
def test_a_key_by_which_anybody_would_know_the_secret_is_refused(low_order: bytes) -> None:
    _initiator, responder = two_ends()
    responder.read(low_order)
    with pytest.raises(RemoteProtocolError, match="not one that can be used"):
        responder.write()


def test_a_handshake_that_is_replayed_is_refused() -> None:
    """The responder's new ephemeral key makes the third message of an older handshake worthless."""
    initiator, responder = two_ends()
    first = initiator.write()
    responder.read(first)
    initiator.read(responder.write())
    third = initiator.write()
    again = Handshake(is_initiator=False, static=key_pair(bytes.fromhex(CACOPHONY.responder_static)))
    again.read(first)
    again.write()
    with pytest.raises(RemoteProtocolError, match="cannot be decrypted"):
        again.read(third)


@given(st.binary(max_size=200))
def test_any_bytes_in_the_place_of_a_message_are_read_or_refused(message: bytes) -> None:
    initiator, responder = two_ends()
    for reader, before in ((responder, ()), (initiator, (initiator,))):
        for each in before:
            each.write()
        try:
            reader.read(message)
        except RemoteProtocolError:
            continue


def test_messages_in_another_order_are_refused() -> None:
    initiator, responder = done()
    sends, receives = initiator.split()[0], responder.split()[1]
    first, second = sends.encrypt(b"first"), sends.encrypt(b"second")
    with pytest.raises(RemoteProtocolError):
        receives.decrypt(second)
    assert first != second


def test_a_cipher_that_is_used_up_ends_its_connection() -> None:
    cipher = Cipher(bytes(32))
    cipher._nonce = (1 << 64) - 1
    with pytest.raises(RemoteProtocolError, match="used up"):
        cipher.encrypt(b"x")
