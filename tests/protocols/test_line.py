"""A line out of bytes in any pieces."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from goop2.protocols.errors import LocalProtocolError, RemoteProtocolError
from goop2.protocols.line import LineReader, line


def test_a_line_comes_whole_and_what_follows_is_kept() -> None:
    reader = LineReader("the line", 10)
    assert reader.receive(b"hel") is None
    assert reader.receive(b"lo\nrest") == b"hello"
    assert (reader.rest(), reader.rest()) == (b"rest", b"")


@pytest.mark.parametrize("content", [b"01234567890", b"01234567890\n", b"01234567890" * 1000])
def test_a_line_that_is_too_long_is_refused_with_or_without_its_end(content: bytes) -> None:
    with pytest.raises(RemoteProtocolError, match="the line is longer than 10 bytes"):
        LineReader("the line", 10).receive(content)


def test_a_line_as_long_as_allowed_is_read() -> None:
    assert LineReader("the line", 10).receive(b"0123456789\n") == b"0123456789"


def test_an_end_before_the_newline_is_the_other_sides_fault() -> None:
    reader = LineReader("the line", 10)
    reader.receive(b"abc")
    with pytest.raises(RemoteProtocolError, match="the line ended after 3 bytes, before its newline"):
        reader.end()


@pytest.mark.parametrize(("content", "why"), [(b"a\nb", "must not contain a line break"), (b"01234567890", "is 11 bytes; the most is 10")])
def test_we_do_not_send_what_is_no_line(content: bytes, why: str) -> None:
    with pytest.raises(LocalProtocolError, match=why):
        line("the line", content, 10)


@given(st.binary(max_size=60), st.lists(st.integers(0, 60), max_size=8))
def test_pieces_make_no_difference(content: bytes, cuts: list[int]) -> None:
    """Invariant: however the bytes are cut, the same line, the same rest, or the same fault comes out."""
    assert outcome([content]) == outcome([content[a:b] for a, b in zip([0, *sorted(cuts)], [*sorted(cuts), 60], strict=True)])


def outcome(pieces: list[bytes]) -> tuple[bytes | None, bytes] | str:
    reader = LineReader("the line", 20)
    try:
        for number, piece in enumerate(pieces):
            found = reader.receive(piece)
            if found is not None:
                return found, reader.rest() + b"".join(pieces[number + 1 :])
    except RemoteProtocolError as fault:
        return str(fault)
    return None, b""
