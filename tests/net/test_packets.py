"""Noise's messages: whole in whatever pieces they come, and nothing that the other side did not encrypt."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from noise.connection import Keypair, NoiseConnection
from noise.exceptions import NoiseInvalidMessage

from goop2.net.packets import PLAIN_MAX_BYTES, Packets

PATTERN = b"Noise_XX_25519_ChaChaPoly_SHA256"


def two_ends() -> tuple[NoiseConnection, NoiseConnection]:
    """Who began a handshake and who answered it, after it."""
    dialler, dialled = NoiseConnection.from_name(PATTERN), NoiseConnection.from_name(PATTERN)
    dialler.set_as_initiator()
    dialled.set_as_responder()
    for number, end in enumerate((dialler, dialled)):
        end.set_keypair_from_private_bytes(Keypair.STATIC, bytes([number + 1] * 32))
        end.start_handshake()
    for sender, receiver in ((dialler, dialled), (dialled, dialler), (dialler, dialled)):
        receiver.read_message(sender.write_message())
    return dialler, dialled


@given(st.lists(st.binary(min_size=1, max_size=300), max_size=8), st.lists(st.integers(1, 400)))
def test_what_is_sent_comes_in_whatever_pieces_it_travels(contents: list[bytes], cuts: list[int]) -> None:
    dialler, dialled = two_ends()
    sender = Packets(dialler)
    wire = b"".join(map(sender.send, contents))
    receiver, came = Packets(dialled), []
    for size in [*cuts, len(wire)]:
        came += receiver.receive(wire[:size])
        wire = wire[size:]
    assert came == contents


def test_what_is_longer_than_a_message_goes_in_several() -> None:
    dialler, dialled = two_ends()
    content = bytes(range(256)) * 1000
    came = Packets(dialled).receive(Packets(dialler).send(content))
    assert [len(piece) for piece in came[:-1]] == [PLAIN_MAX_BYTES] * 3
    assert b"".join(came) == content


def test_what_came_behind_the_handshake_is_first() -> None:
    dialler, dialled = two_ends()
    sender = Packets(dialler)
    early = sender.send(b"early") + sender.send(b"cut")[:7]
    assert Packets(dialled, early).receive(b"") == [b"early"]


@pytest.mark.parametrize("message", [b"\x00\x00", b"\x00\x03abc", b"\x00\x14" + bytes(20)])
def test_what_the_other_side_did_not_encrypt_is_refused(message: bytes) -> None:
    with pytest.raises((NoiseInvalidMessage, ValueError)):
        Packets(two_ends()[1]).receive(message)


def test_a_message_that_comes_twice_is_refused() -> None:
    dialler, dialled = two_ends()
    message = Packets(dialler).send(b"pay")
    receiver = Packets(dialled)
    assert receiver.receive(message) == [b"pay"]
    with pytest.raises(NoiseInvalidMessage):
        receiver.receive(message)


def test_an_empty_message_costs_the_connection_as_it_costs_us_and_counts_for_nothing() -> None:
    dialler, dialled = two_ends()
    with pytest.raises(ValueError, match="nothing in it"):
        Packets(dialled).receive(Packets(dialler).send(b""))
