"""The archive of a folder's files: what is put in comes out, and SQLite's own tool reads it."""

from __future__ import annotations

import contextlib
import io
import sqlite3
import stat
from pathlib import Path

import pytest

from goop2.storage.backup_archive import BackupArchive, open_archive
from goop2.storage.errors import StorageError


def put(archive: BackupArchive, name: str, content: bytes, size: int | None = None) -> None:
    with archive.changing():
        archive.put(name, io.BytesIO(content), size=len(content) if size is None else size, mode=0o644, changed_at=1, stamp="1")


def test_a_file_comes_out_as_it_went_in(tmp_path: Path) -> None:
    large = bytes(range(256)) * 10_000
    with open_archive(tmp_path / "a.db") as archive:
        put(archive, "site/a", large)
        put(archive, "site/empty", b"")
        assert [(each.name, each.size) for each in archive.files()] == [("site/a", len(large)), ("site/empty", 0)]
        assert b"".join(archive.read("site/a")) == large
        assert list(archive.read("site/empty")) == []


def test_a_file_that_is_put_again_replaces_the_older_one(tmp_path: Path) -> None:
    with open_archive(tmp_path / "a.db") as archive:
        put(archive, "a", b"old")
        put(archive, "a", b"new and longer")
        assert b"".join(archive.read("a")) == b"new and longer"
        with archive.changing():
            archive.remove("a")
        assert (archive.files(), archive.stamps()) == ([], {})


def test_a_change_that_fails_changes_nothing(tmp_path: Path) -> None:
    with open_archive(tmp_path / "a.db") as archive:
        put(archive, "a", b"1")
        with contextlib.suppress(OSError), archive.changing():
            archive.remove("a")
            raise OSError("the disk is full")
        assert len(archive.files()) == 1


def test_a_file_that_became_shorter_while_it_was_read_is_stored_all_the_same(tmp_path: Path) -> None:
    with open_archive(tmp_path / "a.db") as archive:
        put(archive, "a", b"12", size=4)
        assert b"".join(archive.read("a")) == b"12\0\0"


def test_notes_are_kept_and_replaced(tmp_path: Path) -> None:
    with open_archive(tmp_path / "a.db") as archive:
        archive.put_notes({"writer": "a", "host": "b"})
        archive.put_notes({"writer": "c"})
    with open_archive(tmp_path / "a.db", read_only=True) as archive:
        assert archive.notes() == {"writer": "c", "host": "b"}


def test_the_file_is_for_its_user_alone(tmp_path: Path) -> None:
    with open_archive(tmp_path / "a.db") as archive:
        put(archive, "a", b"1")
        assert [stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()] == [0o600] * 3


def test_it_has_the_form_of_sqlites_archives(tmp_path: Path) -> None:
    with open_archive(tmp_path / "a.db") as archive:
        put(archive, "site/a", b"text")
    with contextlib.closing(sqlite3.connect(tmp_path / "a.db")) as connection:
        rows = connection.execute("SELECT name, mode, mtime, sz, data FROM sqlar").fetchall()
    assert rows == [("site/a", 0o644, 1, 4, b"text")]  # sz is the length of data: stored as it is


def test_a_file_that_is_no_archive_is_refused_in_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "a.db").write_bytes(b"no database" * 1000)
    with pytest.raises(StorageError, match="archive of the backup"), open_archive(tmp_path / "a.db", read_only=True) as archive:
        archive.files()


def test_a_link_in_its_place_is_not_written_through(tmp_path: Path) -> None:
    other = sqlite3.connect(tmp_path / "other.db")
    other.execute("CREATE TABLE a (b)")
    (tmp_path / "a.db").symlink_to(tmp_path / "other.db")
    with pytest.raises(StorageError, match="it is a link; move it away"), open_archive(tmp_path / "a.db"):
        pass
    assert other.execute("SELECT name FROM sqlite_schema").fetchall() == [("a",)]
    other.close()


def test_an_archive_with_a_trigger_that_came_with_a_folder_is_refused(tmp_path: Path) -> None:
    with open_archive(tmp_path / "a.db"):
        pass
    with contextlib.closing(sqlite3.connect(tmp_path / "a.db")) as connection:
        connection.execute("CREATE TRIGGER t AFTER INSERT ON sqlar BEGIN DELETE FROM goop2_note; END")
    with pytest.raises(StorageError, match="another program"), open_archive(tmp_path / "a.db"):
        pass
