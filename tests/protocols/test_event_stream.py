"""Server-sent events."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.protocols.nearly import nearly

from goop2.protocols.errors import RemoteProtocolError
from goop2.protocols.event_stream import EVENT_MAX_BYTES, ServerSentEventReader

STREAM = b': hello\r\n\r\nretry: 1000\n\nid: a-1\ndata: {"a":1}\n\nevent: message\ndata:two\ndata: lines\n\nid: a-2\ndata: 3\n\ndata: cut'


@pytest.mark.parametrize("step", [1, 2, 7, len(STREAM)])
def test_events_are_read_however_they_are_cut(step: int) -> None:
    reader = ServerSentEventReader()
    read = [data for at in range(0, len(STREAM), step) for data in reader.receive(STREAM[at : at + step])]
    assert read == [b'{"a":1}', b"two\nlines", b"3"]
    assert reader.last_id == "a-2"


def test_a_byte_order_mark_before_the_first_line_is_no_part_of_it() -> None:
    assert list(ServerSentEventReader().receive(b"\xef\xbb\xbfdata: 1\n\n\xef\xbb\xbfdata: 2\n\ndata: 3\n\n")) == [b"1", b"3"]


@pytest.mark.parametrize("endless", [b"data: " + b"x" * EVENT_MAX_BYTES, b"data: xxxxxxxxxx\n" * EVENT_MAX_BYTES])
def test_an_event_without_end_is_a_fault(endless: bytes) -> None:
    with pytest.raises(RemoteProtocolError, match="an event is longer than 65536 bytes"):
        list(ServerSentEventReader().receive(endless))


def test_an_id_that_would_break_a_header_is_not_kept() -> None:
    reader = ServerSentEventReader()
    list(reader.receive(b"id: a\rx: y\ndata: 1\n\nid: \xff\ndata: 2\n\n"))
    assert reader.last_id == ""


@given(
    nearly([STREAM]).map(lambda stream: [stream[:20], stream[20:]])
    | st.lists(st.binary(max_size=40) | st.sampled_from([b"data: x\n", b"\n", b"id: 1\n", b":\n", b"\r\n"]), max_size=20)
)
def test_any_bytes_are_events_or_a_fault(pieces: list[bytes]) -> None:
    """Invariant: any bytes give events and an id that is a header's value, or RemoteFault; what is held is bounded."""
    reader = ServerSentEventReader()
    with contextlib.suppress(RemoteProtocolError):
        for piece in pieces:
            list(reader.receive(piece))
            assert reader.last_id.isascii()
            assert reader.last_id.isprintable()
