"""What of a database cannot be read or copied is said in a sentence with a remedy; the rest is tested by `goop2 data`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import apsw
import pytest

from goop2.storage import owner_reader as module
from goop2.storage.database import Database
from goop2.storage.errors import DatabaseError, DatabaseOpenError, StorageError
from goop2.storage.owner_reader import open_reading


def test_a_backup_onto_a_full_disk_says_so_and_leaves_nothing(
    database: Database, path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_source: object, name: str, _progress: object) -> None:
        Path(name).write_text("half")
        raise apsw.FullError  # SQLite's own text is "not an error" here

    database.rows("CREATE TABLE t (x)")
    monkeypatch.setattr(module, "copy_database", full)
    (tmp_path / "copies").mkdir()
    target = tmp_path / "copies/copy.db"
    with open_reading(path.parent) as reading, pytest.raises(StorageError, match=r"copy\.db was not written: the disk is full"):
        reading.back_up(target, lambda _done, _all: None)
    assert list((tmp_path / "copies").iterdir()) == []


def test_what_lies_where_nothing_can_be_written_is_read_all_the_same(
    database: Database, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    connected = module._connected

    def on_a_read_only_medium(name: str, on_invalid_text: Callable[[str], None]) -> Database:
        if "immutable" not in name:  # there SQLite cannot make its index beside the file
            raise DatabaseOpenError("it should be a file that may be read and written")
        return connected(name, on_invalid_text)

    monkeypatch.setattr(module, "_connected", on_a_read_only_medium)
    database.rows("CREATE TABLE t (x)")
    with pytest.raises(DatabaseError, match="should be a file that may be read and written"), open_reading(path.parent):
        pass  # what is in the log alone would be missing
    database.close()
    with open_reading(path.parent) as reading:
        assert [each.name for each in reading.tables()] == ["t"]


def test_what_is_no_file_is_not_waited_for(tmp_path: Path) -> None:
    (tmp_path / "data.db").mkdir()
    with pytest.raises(DatabaseError, match=r"data\.db is no file"), open_reading(tmp_path):
        pass
