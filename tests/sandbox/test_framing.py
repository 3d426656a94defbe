"""Frames between peer and worker.

Invariant: however a stream is cut into pieces, the reader gives the same messages; of anything else
it raises `WorkerProtocolError` and nothing but that, and it never holds more than one frame.
"""

from __future__ import annotations

import struct

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from goop2.sandbox.framing import FRAME_MAX_BYTES, MessageFrameReader, WorkerProtocolError, frame, from_worker, to_worker
from goop2.sandbox.messages import Compile, Done, FromWorker, HostCall, HostCallAnswer, Invoke, Log, Ready, ToWorker

SENT: list[FromWorker] = [
    Ready({"seccomp": "", "landlock": "why not"}),
    Log("info", "é"),
    HostCall("commands", (None, True, 5, 1.5, b"\xff")),
    Done("ok", b"x" * 70_000, 123),
]
ASKED: list[ToWorker] = [
    Invoke("command", "hello", b"v" * 16, None, b"args", "them", "Them", 12.5),
    Compile("hello", b"\xff"),
    HostCallAnswer(b"jj", (b"[]", None)),
]


def test_messages_come_out_as_they_went_in() -> None:
    assert from_worker().feed(b"".join(frame(message) for message in SENT)) == SENT
    assert to_worker().feed(b"".join(frame(message) for message in ASKED)) == ASKED


def test_byte_by_byte_is_the_same() -> None:
    reader = from_worker()
    stream = b"".join(frame(message) for message in SENT[:3])
    assert [message for byte in stream for message in reader.feed(bytes([byte]))] == SENT[:3]


@given(cuts=st.lists(st.integers(0, 70_300), max_size=8))
def test_wherever_the_stream_is_cut_it_is_the_same(cuts: list[int]) -> None:
    stream = b"".join(frame(message) for message in SENT)
    reader = from_worker()
    got: list[FromWorker] = []
    start = 0
    for end in [*sorted(cuts), len(stream)]:
        got += reader.feed(stream[start:end])
        start = max(start, end)
    assert got == SENT


def test_a_frame_too_large_is_refused_when_its_length_is_known() -> None:
    with pytest.raises(WorkerProtocolError, match=f"a frame of {FRAME_MAX_BYTES + 1} bytes, the most is {FRAME_MAX_BYTES}"):
        from_worker().feed(struct.pack("<I", FRAME_MAX_BYTES + 1))


def test_the_largest_frame_is_read() -> None:
    empty = len(frame(Done("ok", b"", 0))) - 4
    fits = Done("ok", b"x" * (FRAME_MAX_BYTES - empty - 3), 0)
    assert len(frame(fits)) - 4 == FRAME_MAX_BYTES
    assert from_worker().feed(frame(fits)) == [fits]


@given(garbage=st.binary(max_size=200))
def test_garbage_raises_a_violation_or_waits_for_more(garbage: bytes) -> None:
    _feed_anything(from_worker(), garbage)
    _feed_anything(to_worker(), garbage)


@pytest.mark.slow
@given(body=st.binary(max_size=100) | st.builds(msgspec.msgpack.encode, st.recursive(st.none() | st.integers(-5, 5) | st.text(), st.lists)))
def test_a_frame_of_garbage_raises_a_violation_or_is_a_message(body: bytes) -> None:
    _feed_anything(from_worker(), struct.pack("<I", len(body)) + body)
    _feed_anything(to_worker(), struct.pack("<I", len(body)) + body)


def _feed_anything(reader: MessageFrameReader[FromWorker] | MessageFrameReader[ToWorker], data: bytes) -> None:
    try:
        for message in reader.feed(data):
            assert isinstance(message, msgspec.Struct)
    except WorkerProtocolError:
        pass


@pytest.mark.parametrize(
    "body",
    [
        b"",
        msgspec.msgpack.encode([99]),
        msgspec.msgpack.encode([6, "shout", "text"]),
        msgspec.msgpack.encode([6, "info", 5]),
        msgspec.msgpack.encode([4, "x" * 33, b"", 0]),
        msgspec.msgpack.encode([4, "ok", b"", 0, [["x", 0.0, 0.0]] * 1001]),
        msgspec.msgpack.encode([7, "x" * 4097, []]),
        b"\x93\x06\xa4info\xa1\xff",
        b"\x91" * 5000,
    ],
)
def test_what_is_no_message_is_a_violation(body: bytes) -> None:
    with pytest.raises(WorkerProtocolError):
        from_worker().feed(struct.pack("<I", len(body)) + body)


def test_one_direction_takes_no_message_of_the_other() -> None:
    with pytest.raises(WorkerProtocolError):
        from_worker().feed(frame(ASKED[0]))
    with pytest.raises(WorkerProtocolError):
        to_worker().feed(frame(SENT[0]))


@pytest.mark.parametrize("body", [b"\x91" * 100_000, b"\x92\x07" * 50_000, b"\x81" * 100_000], ids=["lists", "in a message", "maps"])
def test_a_frame_nested_without_end_is_no_message(body: bytes) -> None:
    with pytest.raises(WorkerProtocolError):
        from_worker().feed(struct.pack("<I", len(body)) + body)
