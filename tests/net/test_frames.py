"""Yamux frames out of bytes in any pieces."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from goop2.net import frames
from goop2.net.frames import MuxerFrame, MuxerFrameReader
from goop2.protocols.errors import RemoteProtocolError

LONGEST = 100


def test_frames_come_whole_and_in_order() -> None:
    sent = frames.write(frames.WINDOW, frames.SYN, 1) + frames.write(frames.DATA, 0, 1, data=b"hello")
    sent += frames.write(frames.PING, frames.ACK, 0, 7)
    assert MuxerFrameReader(LONGEST).receive(sent) == [
        MuxerFrame(frames.WINDOW, frames.SYN, 1, 0),
        MuxerFrame(frames.DATA, 0, 1, 5, b"hello"),
        MuxerFrame(frames.PING, frames.ACK, 0, 7),
    ]


def test_the_bytes_are_those_of_the_format() -> None:
    assert frames.write(frames.DATA, frames.FIN, 0x01020304, data=b"ab") == bytes.fromhex("00 00 0004 01020304 00000002") + b"ab"
    assert frames.write(frames.WINDOW, frames.RST, 5, 9) == bytes.fromhex("00 01 0008 00000005 00000009")


def test_a_long_frame_is_several_short_ones_that_begin_and_end_as_it_does() -> None:
    reader = MuxerFrameReader(LONGEST)
    sent = frames.write(frames.DATA, frames.SYN | frames.FIN, 3, data=b"abcdef")
    assert reader.receive(sent[:14]) == [MuxerFrame(frames.DATA, frames.SYN, 3, 2, b"ab")]
    assert reader.receive(sent[14:16]) == [MuxerFrame(frames.DATA, 0, 3, 2, b"cd")]
    assert reader.receive(sent[16:]) == [MuxerFrame(frames.DATA, frames.FIN, 3, 2, b"ef")]


def test_a_frame_without_data_ends_its_stream_too() -> None:
    assert MuxerFrameReader(LONGEST).receive(frames.write(frames.DATA, frames.FIN, 3)) == [MuxerFrame(frames.DATA, frames.FIN, 3, 0)]


def test_a_frame_that_announces_too_much_is_refused_at_its_header() -> None:
    header = frames.write(frames.DATA, 0, 1, data=bytes(LONGEST + 1))[: frames.HEADER_BYTES]
    with pytest.raises(RemoteProtocolError, match="a frame of 101 bytes; the longest there may be has 100"):
        MuxerFrameReader(LONGEST).receive(header)


@pytest.mark.parametrize("header", ["01 00 0000 00000001 00000000", "00 04 0000 00000001 00000000"])
def test_what_is_no_frame_is_refused(header: str) -> None:
    with pytest.raises(RemoteProtocolError, match="there is no frame of version"):
        MuxerFrameReader(LONGEST).receive(bytes.fromhex(header))


_a_frame = st.builds(
    lambda kind, flags, stream, value, data: frames.write(kind, flags, stream, value, data if kind == frames.DATA else b""),
    st.integers(0, 3),
    st.integers(0, 15),
    st.integers(0, 3),
    st.integers(0, 2**32 - 1),
    st.binary(max_size=20),
)


@given(st.lists(_a_frame, max_size=5).map(b"".join) | st.binary(max_size=60), st.lists(st.integers(0, 120), max_size=8))
def test_pieces_make_no_difference(content: bytes, cuts: list[int]) -> None:
    """Invariant: however the bytes are cut, each stream gets the same bytes, beginning and end, or the same fault comes out."""
    assert outcome([content]) == outcome([content[a:b] for a, b in zip([0, *sorted(cuts)], [*sorted(cuts), len(content)], strict=True)])


def outcome(pieces: list[bytes]) -> list[MuxerFrame] | str:
    reader = MuxerFrameReader(LONGEST)
    found: list[MuxerFrame] = []
    try:
        for piece in pieces:
            for frame in reader.receive(piece):
                last = found[-1] if found else None
                goes_on = last and last.data and frame.data and last.stream == frame.stream and not frame.flags & (frames.SYN | frames.ACK)
                if last and goes_on and not last.flags & (frames.FIN | frames.RST):
                    found[-1] = MuxerFrame(
                        frame.kind, last.flags | frame.flags, frame.stream, last.value + frame.value, last.data + frame.data
                    )
                else:
                    found.append(frame)
    except RemoteProtocolError as fault:
        return str(fault)
    return found
