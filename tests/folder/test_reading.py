"""A piece of a file comes without a thread when the system has it in memory, and from a thread when it has not."""

from __future__ import annotations

import io
import os
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO, cast

import pytest

from goop2.folder import threads
from goop2.folder.reading import read_piece

CONTENT = bytes(range(256)) * 8


@pytest.fixture
def in_threads(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How much was read in threads."""
    read: list[int] = []
    run = threads.SITE.run

    async def counted(work: Callable[[int], bytes], most: int) -> bytes:
        read.append(most)
        return await run(work, most)

    monkeypatch.setattr(threads.SITE, "run", counted)
    return read


def opened(folder: Path) -> BinaryIO:
    (folder / "file").write_bytes(CONTENT)
    return cast("BinaryIO", (folder / "file").open("rb", buffering=0))


@pytest.mark.skipif(not hasattr(os, "RWF_NOWAIT"), reason="Linux alone can say what is in memory")
async def test_what_was_just_written_comes_piece_by_piece_without_a_thread(tmp_path: Path, in_threads: list[int]) -> None:
    with opened(tmp_path) as file:
        file.seek(48)
        pieces = [await read_piece(file, 1000) for _ in range(4)]
    assert pieces == [CONTENT[48:1048], CONTENT[1048:2048], b"", b""]
    assert in_threads == []


@pytest.mark.parametrize("why", [BlockingIOError(11, "would wait"), OSError(95, "not supported here")])
async def test_what_is_on_the_disk_alone_is_read_in_a_thread(
    tmp_path: Path, in_threads: list[int], monkeypatch: pytest.MonkeyPatch, why: OSError
) -> None:
    def refuse(*_arguments: object) -> int:
        raise why

    monkeypatch.setattr(os, "preadv", refuse)
    with opened(tmp_path) as file:
        assert [await read_piece(file, 1500) for _ in range(3)] == [CONTENT[:1500], CONTENT[1500:], b""]
    assert in_threads == [1500] * 3


async def test_what_is_no_file_of_the_system_is_read_in_a_thread(in_threads: list[int]) -> None:
    assert await read_piece(io.BytesIO(b"content"), 4) == b"cont"
    assert in_threads == [4]


async def test_what_cannot_be_read_is_said(tmp_path: Path) -> None:
    with (tmp_path / "file").open("wb", buffering=0) as file, pytest.raises(OSError, match=r"not open for reading|Bad file descriptor"):
        await read_piece(cast("BinaryIO", file), 4)
