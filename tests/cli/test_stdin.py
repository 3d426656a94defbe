"""Lines of stdin, however they come."""

from __future__ import annotations

import os

import pytest

from goop2.cli.stdin import lines

MARK = b"\xef\xbb\xbf"


async def read(*pieces: bytes) -> list[str]:
    reader, writer = os.pipe()
    found: list[str] = []
    try:
        os.write(writer, pieces[0])
        rest = list(pieces[1:])
        if not rest:
            os.close(writer)
            writer = -1
        async for line in lines(reader):
            found.append(line)
            if rest:
                os.write(writer, rest.pop(0))
            if not rest and writer >= 0:
                os.close(writer)
                writer = -1
        return found
    finally:
        os.close(reader)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (MARK + b"!hello\n!bye\n", ["!hello", "!bye"]),
        (b"!hello\n" + MARK + b"!bye", ["!hello", "\ufeff!bye"]),
        (MARK, []),
        (MARK[:2], ["\N{REPLACEMENT CHARACTER}"]),
        (b"\n\nx\r\n", ["", "", "x"]),
        (b"", []),
    ],
)
async def test_a_byte_order_mark_in_front_is_no_part_of_the_first_line(content: bytes, expected: list[str]) -> None:
    assert await read(content) == expected
