"""Noise's messages: whole in whatever pieces they come, and nothing that the other side did not encrypt."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.protocols.nearly import nearly

from goop2.net import frames
from goop2.net.limits import READ_MAX_BYTES
from goop2.net.muxer import FRAME_MAX_BYTES
from goop2.net.noise import Cipher
from goop2.net.packets import PLAIN_MAX_BYTES, Packets
from goop2.protocols.errors import RemoteProtocolError


def two_ends(early: bytes = b"") -> tuple[Packets, Packets]:
    """Who began a handshake and who answered it, after it."""
    one, other = b"1" * 32, b"2" * 32
    return Packets(Cipher(one), Cipher(other)), Packets(Cipher(other), Cipher(one), early)


@given(st.lists(st.binary(min_size=1, max_size=300), max_size=8), st.lists(st.integers(1, 400)))
def test_what_is_sent_comes_in_whatever_pieces_it_travels(contents: list[bytes], cuts: list[int]) -> None:
    sender, receiver = two_ends()
    wire = b"".join(map(sender.send, contents))
    came = []
    for size in [*cuts, len(wire)]:
        came += receiver.receive(wire[:size])
        wire = wire[size:]
    assert came == contents


def test_what_is_longer_than_a_message_goes_in_several() -> None:
    dialler, dialled = two_ends()
    content = bytes(range(256)) * 1000
    came = dialled.receive(dialler.send(content))
    assert [len(piece) for piece in came[:-1]] == [PLAIN_MAX_BYTES] * 3
    assert b"".join(came) == content


def test_what_came_behind_the_handshake_is_first() -> None:
    sender, _receiver = two_ends()
    early = sender.send(b"early") + sender.send(b"cut")[:7]
    assert two_ends(early)[1].receive(b"") == [b"early"]


@pytest.mark.parametrize("message", [b"\x00\x00", b"\x00\x03abc", b"\x00\x14" + bytes(20)])
def test_what_the_other_side_did_not_encrypt_is_refused(message: bytes) -> None:
    with pytest.raises(RemoteProtocolError):
        two_ends()[1].receive(message)


def test_a_message_that_comes_twice_is_refused() -> None:
    dialler, dialled = two_ends()
    message = dialler.send(b"pay")
    assert dialled.receive(message) == [b"pay"]
    with pytest.raises(RemoteProtocolError):
        dialled.receive(message)


def test_an_empty_message_costs_the_connection_as_it_costs_us_and_counts_for_nothing() -> None:
    dialler, dialled = two_ends()
    with pytest.raises(RemoteProtocolError, match="nothing in it"):
        dialled.receive(dialler.send(b""))


def test_a_piece_of_a_file_fills_one_message() -> None:
    """A few bytes more would be a frame, a message and a packet of their own."""
    assert READ_MAX_BYTES == FRAME_MAX_BYTES
    frame = frames.write(frames.DATA, 0, 1, data=bytes(READ_MAX_BYTES))
    assert len(two_ends()[0].send(frame)) == 2 + 65535


SAID = [b"one", b"two" * 30, b"three"]
WIRE = b"".join(map(two_ends()[0].send, SAID))


@given(nearly([WIRE, WIRE[:40], WIRE[25:]]) | st.binary(max_size=100))
def test_whatever_comes_nothing_is_taken_but_what_was_said_and_in_its_order(wire: bytes) -> None:
    """Invariant: bytes that were changed, cut out or doubled end the connection, or are waited for; what came before them is right."""
    came: list[bytes] = []
    receiver = two_ends()[1]
    with contextlib.suppress(RemoteProtocolError):
        for byte in wire:
            came += receiver.receive(bytes([byte]))
    assert came == SAID[: len(came)]
