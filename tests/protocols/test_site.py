"""The site protocol: requests, answers, and who is to blame."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.protocols.nearly import nearly

from goop2.protocols import site
from goop2.protocols.errors import LocalProtocolError, RemoteProtocolError
from goop2.protocols.site import BodyChunk, End, Event, FileHeader, FileRefusal

ANSWERS: list[tuple[bytes, list[Event]]] = [
    (b"OK text/css 3\nabc", [FileHeader("text/css", 3), BodyChunk(b"abc"), End()]),
    (b"OK text/html; charset=utf-8 2\nhi", [FileHeader("text/html; charset=utf-8", 2), BodyChunk(b"hi"), End()]),
    (b"OK image/png 0\n", [FileHeader("image/png", 0), End()]),
    (b"OK text/plain 3\na\nbtoo much", [FileHeader("text/plain", 3), BodyChunk(b"a\nb"), End()]),
    (b"OK text/plain 1\r\nx", [FileHeader("text/plain", 1), BodyChunk(b"x"), End()]),
    (b"ERR not found\n", [FileRefusal("not found")]),
    (b"ERR site disabled\nand more", [FileRefusal("site disabled")]),
    (b"ERR\n", [FileRefusal("")]),
]

FAULTS = [
    (b"HTTP/1.1 200 OK\n", "the header is 'HTTP/1.1 200 OK' where"),
    (b"OK text/html\n", "the header is 'OK text/html' where"),
    (b"OK  7\n", "the header is 'OK  7' where"),
    (b"OK text/html -1\n", "where OK <mime> <bytes>"),
    (b"OK text/html 1e3\n", "where OK <mime> <bytes>"),
    ("OK text/html ٣\n".encode(), "where OK <mime> <bytes>"),
    (b"OK text/html 52428801\n", "the file is 52428801 bytes; the most is 52428800"),
    (b"OK text/html " + b"9" * 900 + b"\n", "the file is 99999999999999999999 bytes"),
    (b"OK " + b"x" * 2000, "the header is longer than 1024 bytes"),
]


def read(sent: bytes, size: int) -> list[Event]:
    """The events of an answer that comes in pieces, pieces of the body put together."""
    reader = site.AnswerReader()
    events: list[Event] = []
    for at in range(0, len(sent), size):
        for event in reader.receive(sent[at : at + size]):
            if isinstance(event, BodyChunk) and isinstance(events[-1], BodyChunk):
                events[-1] = BodyChunk(events[-1].data + event.data)
            else:
                events.append(event)
    reader.end()
    return events


@pytest.mark.parametrize(("sent", "events"), ANSWERS)
@pytest.mark.parametrize("size", [1, 7, 10_000])
def test_an_answer_is_read_byte_by_byte_and_whole(sent: bytes, events: list[Event], size: int) -> None:
    assert read(sent, size) == events


@pytest.mark.parametrize(("sent", "why"), FAULTS)
@pytest.mark.parametrize("size", [1, 10_000])
def test_a_broken_answer_is_the_other_sides_fault(sent: bytes, why: str, size: int) -> None:
    with pytest.raises(RemoteProtocolError) as fault:
        read(sent, size)
    assert why in str(fault.value)


@pytest.mark.parametrize(
    ("sent", "why"),
    [
        (b"", "the header ended after 0 bytes"),
        (b"OK text", "the header ended after 7 bytes"),
        (b"OK a/b 5\nabc", "the file ended 2 bytes early"),
    ],
)
def test_a_peer_killed_midway_does_not_look_like_one_that_is_done(sent: bytes, why: str) -> None:
    with pytest.raises(RemoteProtocolError, match=why):
        read(sent, 100)


@pytest.mark.parametrize(
    ("line", "path"),
    [
        (b"GET /", "/index.html"),
        (b"GET /style.css", "/style.css"),
        (b"GET /a b.txt", "/a b.txt"),
        (b"GET /a%20b.txt", "/a%20b.txt"),
        ("GET /æøå".encode(), "/æøå"),
        (b"GET /style.css\r", "/style.css"),
        (b"GET ../style.css", None),
        (b"GET /a\0b", None),
        (b"GET /\xff", None),
        (b"POST /", None),
        (b"GET", None),
        (b"", None),
    ],
)
def test_a_request_names_a_path_or_is_bad(line: bytes, path: str | None) -> None:
    assert site.requested(line) == path


def test_we_ask_only_for_what_can_be_asked() -> None:
    assert site.request("/style.css") == b"GET /style.css\n"
    for path in ("style.css", "/a\nGET /b", "/" + "x" * 4096):
        with pytest.raises(LocalProtocolError):
            site.request(path)


def test_we_announce_no_file_that_nobody_would_read() -> None:
    assert site.header("text/html; charset=utf-8", 12) == b"OK text/html; charset=utf-8 12\n"
    with pytest.raises(LocalProtocolError, match="peers read at most 52428800"):
        site.header("video/mp4", site.BODY_MAX_BYTES + 1)


@given(
    st.binary(max_size=80) | st.builds(lambda rest: b"OK a/b 4\n" + rest, st.binary(max_size=8)) | nearly([sent for sent, _ in ANSWERS]),
    st.integers(1, 9),
)
def test_any_bytes_make_events_or_a_fault(sent: bytes, size: int) -> None:
    """Invariant: any bytes, however cut, give the same events or the same fault; a body is never longer than announced."""
    assert outcome(sent, size) == outcome(sent, 10_000)


def outcome(sent: bytes, size: int) -> list[Event] | str:
    try:
        events = read(sent, size)
    except RemoteProtocolError as fault:
        return str(fault)
    sizes = [event.size for event in events if isinstance(event, FileHeader)]
    assert sum(len(event.data) for event in events if isinstance(event, BodyChunk)) == sum(sizes)
    return events


@given(st.text(max_size=200))
def test_a_path_that_can_be_asked_is_understood(path: str) -> None:
    """Invariant: whatever path we send, our own reader names the same, or calls it bad; it never names another."""
    try:
        sent = site.request(path)
    except (LocalProtocolError, UnicodeEncodeError):
        return
    line = site.request_reader().receive(sent)
    assert line is not None
    assert site.requested(line) in (path, None, path.rstrip("\r"), site.INDEX)


@given(st.binary(max_size=60) | nearly([b"GET /", b"GET /a b.html", "GET /\u00e6.html\r".encode()]))
def test_any_line_asks_for_a_path_or_is_a_bad_request(line: bytes) -> None:
    """Invariant: any line names a path from the root without a NUL, or nothing; nothing is raised."""
    path = site.requested(line)
    assert path is None or (path.startswith("/") and "\0" not in path)
