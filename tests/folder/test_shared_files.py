"""The folders of shared files: what is in them, what may be put there, and what is never read."""

from __future__ import annotations

import os
from io import BytesIO
from pathlib import Path

import pytest
from tests.go_files import hash_of

from goop2.folder import shared_files as module
from goop2.folder.shared_files import SHARED, GroupFolder, SharedFileError, SharedFileNotFoundError

GROUP = "0123456789abcdef"
QUOTA = 1_000_000


@pytest.fixture
def shared(tmp_path: Path) -> GroupFolder:
    return GroupFolder(tmp_path, SHARED)


def test_a_file_is_added_listed_opened_replaced_and_removed(shared: GroupFolder) -> None:
    assert (shared.listing(GROUP), shared.is_empty(GROUP)) == ([], True)
    assert shared.add(GROUP, "b.txt", BytesIO(b"hello"), QUOTA) == 5
    shared.add(GROUP, "a.txt", BytesIO(b""), QUOTA)
    listed = [(file.name, file.size, file.hash) for file in shared.listing(GROUP)]
    assert listed == [("a.txt", 0, hash_of(b"")), ("b.txt", 5, hash_of(b"hello"))]
    shared.add(GROUP, "b.txt", BytesIO(b"world!"), 6)
    with shared.opened(GROUP, "b.txt") as file:
        assert (file.content.read(), file.size) == (b"world!", 6)
    assert shared.listing(GROUP)[1].hash == hash_of(b"world!"), "the remembered hash is of the file as it was"
    shared.remove(GROUP, "b.txt")
    with pytest.raises(SharedFileNotFoundError):
        shared.remove(GROUP, "b.txt")


def test_nothing_is_left_of_what_is_refused(shared: GroupFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shared.add(GROUP, "a.txt", BytesIO(b"hello"), QUOTA)
    with pytest.raises(SharedFileError, match=r"storage\.shared_mb"):
        shared.add(GROUP, "b.txt", BytesIO(b"world!"), 10)
    monkeypatch.setattr(module, "FILES_MAX", 1)
    with pytest.raises(SharedFileError, match="1 files here, the most"):
        shared.add(GROUP, "b.txt", BytesIO(b""), QUOTA)
    shared.add(GROUP, "a.txt", BytesIO(b"again"), QUOTA)
    assert [path.name for path in (tmp_path / SHARED / GROUP).iterdir()] == ["a.txt"]


@pytest.mark.parametrize("name", ["../x", ".x", "a/b", "", "x\n"])
def test_an_unsafe_name_is_neither_read_nor_written(shared: GroupFolder, name: str) -> None:
    with pytest.raises(SharedFileError):
        shared.add(GROUP, name, BytesIO(b"x"), QUOTA)
    with pytest.raises(SharedFileNotFoundError):
        shared.open(GROUP, name)


@pytest.mark.parametrize("group", ["", "..", "a/b", ".hidden", "x" * 200])
def test_an_id_that_could_be_a_path_has_no_folder(shared: GroupFolder, group: str) -> None:
    for work in (shared.listing, shared.made, shared.path):
        with pytest.raises(SharedFileError, match="can be no folder"):
            work(group)


def test_only_regular_files_under_one_name_are_shared(shared: GroupFolder, tmp_path: Path) -> None:
    place = shared.made(GROUP)
    (tmp_path / "goop.json").write_text("{}")
    (tmp_path / "elsewhere").mkdir()
    (place / "link.txt").symlink_to(tmp_path / "goop.json")
    (place / "hard.txt").hardlink_to(tmp_path / "goop.json")
    (place / "folder.txt").mkdir()
    os.mkfifo(place / "pipe.txt")
    (place / ".part").write_text("x")
    assert shared.listing(GROUP) == []
    for name in ("link.txt", "hard.txt", "folder.txt", "pipe.txt", ".part"):
        with pytest.raises(SharedFileError):
            shared.open(GROUP, name)
    other = GroupFolder(tmp_path, "received")
    (tmp_path / "received").symlink_to(tmp_path / "elsewhere")
    with pytest.raises((SharedFileError, OSError)):
        other.add(GROUP, "x.txt", BytesIO(b"x"), QUOTA)
    assert not list((tmp_path / "elsewhere").rglob("*.txt"))
