"""The messages between machines: each comes back as it was sent, and what is none is refused."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from goop2.cluster import messages
from goop2.cluster.messages import Asked, Beat, Call, Cancel, Ended, Farewell, HostAnswer, Logged, NodeSetup, Refused

TO_NODE = [
    Call(7, "function", "score", b"v", None, b"{}", "id", "Label", "a@b", True, 4.5),
    Cancel(7),
    HostAnswer(7, 1, b"vv", (None, b"x", 1.5, True)),
    NodeSetup(b"o", b"d", "luajit21", "us", "Us", 1, False, "UTC0"),
    Refused("why"),
    Farewell(),
]
OF_CALL = [Ended("ok", b"1", 5, 0.1), Logged("info", "line"), Asked(1, "db.query", (b"SELECT 1", None))]


@pytest.mark.parametrize("message", TO_NODE)
def test_messages_to_nodes_come_back(message: messages.ToNode) -> None:
    assert messages.to_node.decode(messages.encode(message)) == message


@pytest.mark.parametrize("message", OF_CALL)
def test_messages_of_calls_come_back(message: messages.OfCall) -> None:
    assert messages.of_call.decode(messages.encode(message)) == message


@given(st.binary(max_size=200))
def test_what_is_none_is_refused_and_never_anything_else(content: bytes) -> None:
    for decoder in (messages.of_call, messages.beat, messages.to_node):
        try:
            decoder.decode(content)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            continue


@pytest.mark.parametrize(
    "beat",
    [
        [6, 1, "v", [], b"12345678", 257, "h"],
        [6, 1, "v", [], b"12345678", -1, "h"],
        [6, 1, "v", [], b"1234567", 1, "h"],
        [6, 1, "v" * 65, [], b"12345678", 1, "h"],
        [6, 1, "v", ["x"] * 9, b"12345678", 1, "h"],
        [6, 1, "v", [], b"12345678", 1, "h" * 65],
        [6, 1, "v", [], b"12345678", 1, "h", b"d" * 33],
        [7, 1, "v", [], b"12345678", 1, "h"],
    ],
)
def test_a_beat_beyond_its_bounds_is_refused(beat: list[object]) -> None:
    assert messages.beat.decode(messages.encode([6, 1, "v", [], b"12345678", 256, "h"])) == Beat(1, "v", (), b"12345678", 256, "h")
    with pytest.raises(msgspec.ValidationError):
        messages.beat.decode(messages.encode(beat))


@pytest.mark.parametrize(
    ("subject", "found"),
    [
        ("goop2-cluster.owner.UA.beat", ("UA", "beat", None)),
        ("goop2-cluster.owner.UA.call.17", ("UA", "call", 17)),
        ("goop2-cluster.owner.UA.call.x", ("", "", None)),
        ("goop2-cluster.owner.UA.call.٣", ("", "", None)),
        ("goop2-cluster.owner.UA.else.17", ("", "", None)),
        ("goop2-cluster.owner.UA.call.1.2", ("", "", None)),
    ],
)
def test_subjects_are_taken_apart(subject: str, found: tuple[str, str, int | None]) -> None:
    assert messages.places(subject) == found
    assert messages.places(messages.call_subject("UA", 17)) == ("UA", "call", 17)
