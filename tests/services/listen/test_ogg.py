"""Ogg pages, without sound in them."""

from __future__ import annotations

import io
import struct

import pytest

from goop2.services.listen.ogg import is_chained

BEGINS, GOES_ON = 2, 0


def page(flags: int, serial: int, content: bytes = b"x" * 10) -> bytes:
    return b"OggS\0" + bytes([flags]) + struct.pack("<qIII", 0, serial, 0, 0) + bytes([1, len(content)]) + content


@pytest.mark.parametrize(
    ("pages", "chained"),
    [
        ([(BEGINS, 1), (GOES_ON, 1)], False),
        ([(BEGINS, 1), (BEGINS, 2), (GOES_ON, 1), (GOES_ON, 2)], False),
        ([(BEGINS, 1), (GOES_ON, 1), (BEGINS, 2), (GOES_ON, 2)], True),
        ([(BEGINS, 1), (GOES_ON, 1), (BEGINS, 1), (GOES_ON, 1)], True),
        ([], False),
    ],
)
def test_what_begins_behind_sound_is_another_recording(pages: list[tuple[int, int]], chained: bool) -> None:
    assert is_chained(io.BytesIO(b"".join(page(*each) for each in pages))) is chained


def test_it_is_found_where_two_pieces_that_are_read_meet() -> None:
    for missing in range(1, 8):
        filled = page(BEGINS, 1) + bytes((1 << 20) - missing)
        assert is_chained(io.BytesIO(filled + page(BEGINS, 2)))
