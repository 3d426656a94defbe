"""A backup brought back: checked first, and what it replaces is kept with everything that was written to it."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from goop2.storage.errors import StorageError
from goop2.storage.migrations import open_folder
from goop2.storage.restore import restore


def quiet(_done: int, _all: int) -> None:
    pass


def made(folder: Path, *notes: str) -> Path:
    """A peer's database with these notes."""
    folder.mkdir(exist_ok=True)
    open_folder(folder, folder / "lua")[0].close()
    with closing(sqlite3.connect(folder / "data.db")) as database, database:
        database.execute("CREATE TABLE IF NOT EXISTS notes (text)")
        database.executemany("INSERT INTO notes VALUES (?)", [(note,) for note in notes])
    return folder / "data.db"


def notes(path: Path) -> list[str]:
    with closing(sqlite3.connect(path)) as database:
        return [text for (text,) in database.execute("SELECT text FROM notes")]


@pytest.fixture
def backup(tmp_path: Path) -> Path:
    path = made(tmp_path / "old", "old")
    return path.rename(tmp_path / "backup.db")


def test_the_backup_takes_the_place_and_what_was_there_is_kept(tmp_path: Path, backup: Path) -> None:
    made(tmp_path / "p", "new")
    restored = restore(tmp_path / "p", backup, quiet)
    assert restored.tables == 1
    assert notes(tmp_path / "p/data.db") == ["old"]
    assert restored.kept is not None
    assert notes(restored.kept) == ["new"]
    assert notes(backup) == ["old"]
    assert {path.name for path in (tmp_path / "p").iterdir()} == {"data.db", restored.kept.name}


def test_what_stands_in_the_log_only_is_kept_and_is_not_applied_to_the_backup(tmp_path: Path, backup: Path) -> None:
    path = made(tmp_path / "p", "new")
    with closing(sqlite3.connect(path, isolation_level=None)) as held:  # as after kill -9: the log is there, not in the database
        held.execute("PRAGMA wal_autocheckpoint = 0")
        held.execute("INSERT INTO notes VALUES ('newest')")
        log = Path(f"{path}-wal").read_bytes()
        content = path.read_bytes()
    path.write_bytes(content)
    Path(f"{path}-wal").write_bytes(log)
    restored = restore(tmp_path / "p", backup, quiet)
    assert notes(path) == ["old"]
    assert restored.kept is not None
    assert notes(restored.kept) == ["new", "newest"]


def test_a_damaged_database_is_replaced_and_kept_as_it_is(tmp_path: Path, backup: Path) -> None:
    path = made(tmp_path / "p", "new")
    path.write_bytes(b"damaged" * 1000)
    restored = restore(tmp_path / "p", backup, quiet)
    assert notes(path) == ["old"]
    assert restored.kept is not None
    assert restored.kept.read_bytes() == b"damaged" * 1000


def test_without_a_database_there_is_nothing_to_keep(tmp_path: Path, backup: Path) -> None:
    (tmp_path / "p").mkdir()
    assert restore(tmp_path / "p", backup, quiet).kept is None
    assert notes(tmp_path / "p/data.db") == ["old"]
    assert (tmp_path / "p/data.db").stat().st_mode & 0o777 == 0o600


def test_two_restores_within_a_second_keep_both(tmp_path: Path, backup: Path) -> None:
    made(tmp_path / "p", "new")
    kept = {restore(tmp_path / "p", backup, quiet).kept for _ in range(3)}
    assert len(kept) == 3


def test_the_mode_of_the_database_stays_as_its_owner_has_it(tmp_path: Path, backup: Path) -> None:
    made(tmp_path / "p", "new").chmod(0o660)
    restore(tmp_path / "p", backup, quiet)
    assert (tmp_path / "p/data.db").stat().st_mode & 0o777 == 0o660


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "not a peer's: it has no table _tables"),
        (b"these are notes" * 100, "is not a database|cannot be opened|was not restored"),
        (None, "damaged"),
    ],
)
def test_what_is_no_backup_changes_nothing(tmp_path: Path, backup: Path, content: bytes | None, why: str) -> None:
    made(tmp_path / "p", "new")
    if content is None:  # a page in the middle is gone
        whole = bytearray(backup.read_bytes())
        whole[4096:8192] = b"\xff" * 4096
        content = bytes(whole)
    backup.write_bytes(content)
    with pytest.raises(StorageError, match=why):
        restore(tmp_path / "p", backup, quiet)
    assert notes(tmp_path / "p/data.db") == ["new"]
    assert [path.name for path in (tmp_path / "p").iterdir()] == ["data.db"]


def test_the_peers_own_database_is_no_backup_of_itself(tmp_path: Path) -> None:
    path = made(tmp_path / "p", "new")
    with pytest.raises(StorageError, match="own database"):
        restore(tmp_path / "p", path, quiet)
    assert notes(path) == ["new"]
