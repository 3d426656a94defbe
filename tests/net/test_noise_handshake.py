"""Who proves what in a handshake: signatures, keys of other types, sizes, extensions."""

from __future__ import annotations

import contextlib
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from nacl.signing import SigningKey
from tests.net.hosts import new_identity
from tests.protocols.nearly import nearly

from goop2.net.noise import Handshake, key_pair
from goop2.net.noise_handshake import (
    MESSAGE_MAX_BYTES,
    SIGNED_PREFIX,
    HandshakeKeys,
    OtherPeerError,
    SecureHandshake,
    SimultaneousOpenError,
)
from goop2.protocols import peer_ids
from goop2.protocols.errors import RemoteProtocolError
from goop2.protocols.protobuf import content, number


def framed(message: bytes) -> bytes:
    return len(message).to_bytes(2) + message


def shake(initiator: SecureHandshake, responder: SecureHandshake) -> None:
    """Carries the messages to and fro, to the end."""
    to_initiator = responder.receive(initiator.begin())
    responder.receive(initiator.receive(to_initiator))


def test_both_sides_learn_who_the_other_is_and_can_talk() -> None:
    one, other = HandshakeKeys(new_identity()), HandshakeKeys(new_identity())
    initiator, responder = SecureHandshake(one, is_initiator=True, expected=other.peer), SecureHandshake(other, is_initiator=False)
    shake(initiator, responder)
    assert (initiator.peer, responder.peer) == (other.peer, one.peer)
    assert initiator.is_done
    assert responder.is_done
    sends, receives = initiator.packets(), responder.packets()
    assert receives.receive(sends.send(b"hello")) == [b"hello"]


@given(st.integers(1, 50))
def test_messages_come_in_any_pieces_and_what_follows_them_is_kept(piece: int) -> None:
    initiator = SecureHandshake(HandshakeKeys(new_identity()), is_initiator=True)
    responder = SecureHandshake(HandshakeKeys(new_identity()), is_initiator=False)
    answer = responder.receive(initiator.begin())
    last = b"".join(initiator.receive(answer[at : at + piece]) for at in range(0, len(answer), piece))
    sends = initiator.packets()
    wire = last + sends.send(b"first words")
    for at in range(0, len(wire), piece):
        responder.receive(wire[at : at + piece])
    assert responder.packets().receive(b"") == [b"first words"]


def test_another_peer_than_the_one_dialled_is_named_and_learns_nothing_of_us() -> None:
    wanted, there = new_identity().peer_id, HandshakeKeys(new_identity())
    initiator = SecureHandshake(HandshakeKeys(new_identity()), is_initiator=True, expected=wanted)
    responder = SecureHandshake(there, is_initiator=False)
    answer = responder.receive(initiator.begin())
    with pytest.raises(OtherPeerError, match=there.peer) as refused:
        initiator.receive(answer)
    assert refused.value.other == there.peer
    assert not responder.peer


def test_a_copy_of_our_own_key_is_refused_by_both_sides() -> None:
    keys = HandshakeKeys(new_identity())
    initiator, responder = SecureHandshake(keys, is_initiator=True), SecureHandshake(keys, is_initiator=False)
    with pytest.raises(RemoteProtocolError, match="own key"):
        shake(initiator, responder)


def test_our_own_messages_sent_back_to_us_are_refused() -> None:
    initiator = SecureHandshake(HandshakeKeys(new_identity()), is_initiator=True)
    with pytest.raises(SimultaneousOpenError, match="both sides dialled"):
        initiator.receive(initiator.begin())


Payload = Callable[[SigningKey, bytes], bytes]
"""Of an identity's key and a static key."""


def good(signing: SigningKey, static: bytes) -> bytes:
    key = peer_ids.key_message(bytes(signing.verify_key))
    return content(1, key) + content(2, signing.sign(SIGNED_PREFIX + static).signature)


def answer_with(payload: Payload, initiator: SecureHandshake) -> bytes:
    """The second message, by somebody who does as he likes."""
    responder = Handshake(is_initiator=False, static=(static := key_pair()))
    responder.read(initiator.begin()[2:])
    return framed(responder.write(payload(SigningKey(b"s" * 32), static.public)))


def of_type(kind: int) -> Payload:
    return lambda signing, static: content(1, number(1, kind) + content(2, bytes(32))) + content(2, bytes(64))


@pytest.mark.parametrize(
    ("payload", "why"),
    [
        (lambda signing, static: b"", "it has no key"),
        (lambda signing, static: b"\xff" * 20, "the payload of a handshake cannot be read"),
        (of_type(0), "of type RSA; only Ed25519 keys are taken"),
        (of_type(2), "of type secp256k1; only Ed25519"),
        (of_type(3), "of type ECDSA; only Ed25519"),
        (of_type(77), "of type 77; only Ed25519"),
        (lambda signing, static: content(1, number(1, 1) + content(2, bytes(31))), "has 31 bytes"),
        (lambda signing, static: good(signing, static)[: -64 - 2], "signature"),
        (lambda signing, static: good(signing, static)[:-1] + b"\0", "signature"),
        (lambda signing, static: good(signing, bytes(32)), "signature in a handshake is not of its key"),
        (lambda signing, static: content(1, b"") + good(signing, static)[38:], "it has no key"),
        (
            lambda signing, static: content(1, peer_ids.key_message(bytes(SigningKey.generate().verify_key))) + good(signing, static)[38:],
            "signature in a handshake is not of its key",
        ),
        (lambda signing, static: good(signing, static) * 3, "too many fields"),
    ],
)
def test_a_payload_that_proves_nothing_is_refused_in_a_sentence(payload: Payload, why: str) -> None:
    initiator = SecureHandshake(HandshakeKeys(new_identity()), is_initiator=True)
    with pytest.raises(RemoteProtocolError, match=why):
        initiator.receive(answer_with(payload, initiator))
    assert not initiator.peer


def test_extensions_and_unknown_fields_are_read_past() -> None:
    def with_more(signing: SigningKey, static: bytes) -> bytes:
        extensions = content(1, b"certhash") + content(2, b"/yamux/1.0.0") + content(2, b"/mplex/6.7.0")
        return good(signing, static) + content(3, b"data") + content(4, extensions) + number(99, 7)

    initiator = SecureHandshake(HandshakeKeys(new_identity()), is_initiator=True)
    assert initiator.receive(answer_with(with_more, initiator))
    assert initiator.peer == peer_ids.peer_of(bytes(SigningKey(b"s" * 32).verify_key))


@pytest.mark.parametrize("is_initiator", [True, False])
def test_a_message_larger_than_the_bound_is_refused_by_its_size(is_initiator: bool) -> None:
    handshake = SecureHandshake(HandshakeKeys(new_identity()), is_initiator=is_initiator)
    handshake.begin()
    assert MESSAGE_MAX_BYTES == 8192
    with pytest.raises(RemoteProtocolError, match="has 8193 bytes; the most is 8192"):
        handshake.receive((MESSAGE_MAX_BYTES + 1).to_bytes(2))


@given(st.binary(max_size=300), st.booleans())
def test_any_bytes_are_part_of_a_handshake_or_refused(data: bytes, is_initiator: bool) -> None:
    handshake = SecureHandshake(_KEYS, is_initiator=is_initiator)
    handshake.begin()
    try:
        handshake.receive(data)
    except RemoteProtocolError:
        assert not handshake.peer


_KEYS = HandshakeKeys(new_identity())


@given(st.integers(1, 3), st.data())
def test_a_message_that_is_nearly_right_proves_nobody(step: int, data: st.DataObject) -> None:
    """Invariant: whichever message is changed on its way, its reader refuses it or waits for more, unless the whole right one is there."""
    initiator = SecureHandshake(_KEYS, is_initiator=True)
    responder = SecureHandshake(HandshakeKeys(new_identity()), is_initiator=False)
    message, reader, other = initiator.begin(), responder, initiator
    for _ in range(step - 1):
        message = reader.receive(message)
        reader, other = other, reader
    changed = data.draw(nearly([message]))
    with contextlib.suppress(RemoteProtocolError):
        reader.receive(changed)
    if not changed.startswith(message):
        assert not reader.is_done
        assert not reader.peer
