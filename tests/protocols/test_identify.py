"""The identify message: what is said comes back, and what a stranger says is bounded."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.protocols.nearly import nearly

from goop2.protocols import identify, peer_ids
from goop2.protocols.errors import RemoteProtocolError
from goop2.protocols.identify import ADDRESSES_MAX, NAME_MAX_CHARS, PROTOCOLS_MAX, Identified
from goop2.protocols.protobuf import content, number

KEY = bytes(range(32))
PEER = peer_ids.peer_of(KEY)


def test_what_is_said_is_read() -> None:
    said = Identified("goop2/0.1.0", frozenset({"/a", "/b"}), ("/ip4/192.0.2.7/tcp/4001",), "/ip4/198.51.100.1/tcp/9")
    assert identify.read(identify.write(KEY, said), PEER) == said


def test_nothing_need_be_said() -> None:
    assert identify.read(b"", PEER) == Identified()


def test_what_is_unknown_is_read_past_and_addresses_of_other_transports_are_left_out() -> None:
    quic = bytes.fromhex("04c0000207910200aacd03")
    message = content(2, quic) + content(4, quic) + content(8, b"a signed record") + number(77, 1) + content(3, b"/a")
    assert identify.read(message, PEER) == Identified(protocols=frozenset({"/a"}))


@pytest.mark.parametrize(
    ("message", "why"),
    [
        (content(1, peer_ids.key_message(bytes(32))), "with the key of another peer"),
        (content(1, b"\x08\x00\x12\x01x"), "of type RSA"),
        (number(3, 1), "field 3 has kind 0"),
        (b"\x1a\xff\xff\xff\xff\x0f", "says 4294967295 bytes"),
        (content(3, b"/x") * (PROTOCOLS_MAX + 4 * ADDRESSES_MAX + 1), "too many fields"),
    ],
)
def test_a_message_that_lies_or_is_none_is_refused(message: bytes, why: str) -> None:
    with pytest.raises(RemoteProtocolError, match=why):
        identify.read(message, PEER)


def test_what_a_stranger_says_is_bounded() -> None:
    message = b"".join(content(3, b"/%d" % each) for each in range(PROTOCOLS_MAX + 20)) + content(3, b"x" * (NAME_MAX_CHARS + 1))
    message += b"".join(content(2, bytes((4, 10, 0, 0, each, 6, 0, 1))) for each in range(ADDRESSES_MAX + 20)) + content(6, b"a" * 1000)
    said = identify.read(message, PEER)
    assert (len(said.protocols), len(said.listens_at), len(said.agent)) == (PROTOCOLS_MAX, ADDRESSES_MAX, NAME_MAX_CHARS)


WRITTEN = identify.write(KEY, Identified("goop2/0.1.0", frozenset({"/a", "/b"}), ("/ip4/192.0.2.7/tcp/4001",), "/ip4/198.51.100.1/tcp/9"))


@given(st.binary(max_size=200) | nearly([WRITTEN, content(2, b"\x04") + number(77, 1) + WRITTEN]))
def test_any_bytes_are_a_message_within_its_bounds_or_refused(message: bytes) -> None:
    try:
        said = identify.read(message, PEER)
    except RemoteProtocolError:
        return
    assert len(said.protocols) <= PROTOCOLS_MAX
    assert len(said.listens_at) <= ADDRESSES_MAX
    assert max(map(len, (said.agent, *said.protocols)), default=0) <= NAME_MAX_CHARS
