"""A small file that is made once: whole, private, and never overwritten."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from goop2.folder.whole_file import make_whole


def test_the_first_process_wins_and_nothing_is_left_beside_the_file(tmp_path: Path) -> None:
    file = tmp_path / "key"
    make_whole(file, b"first")
    make_whole(file, b"second")
    assert file.read_bytes() == b"first"
    assert [each.name for each in tmp_path.iterdir()] == ["key"]


def test_the_file_is_for_this_user_alone_whatever_the_umask_is(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        make_whole(tmp_path / "key", b"secret")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "key").stat().st_mode) == 0o600


def test_a_link_in_its_place_is_not_written_through(tmp_path: Path) -> None:
    target = tmp_path / "elsewhere"
    (tmp_path / "key").symlink_to(target)
    make_whole(tmp_path / "key", b"secret")
    assert not target.exists()


def test_a_write_that_fails_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError, match="No space left"):
        make_whole(tmp_path / "key", b"secret")
    assert list(tmp_path.iterdir()) == []
