"""Whether a database is sound, found out on a connection of its own."""

from __future__ import annotations

from pathlib import Path

import pytest

from goop2.storage.database import open_database
from goop2.storage.soundness import Check
from goop2.storage.sqlite_errors import DAMAGED


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A database with a table of many pages, all of it in the file."""
    file = tmp_path / "data.db"
    database = open_database(file)
    database.rows("CREATE TABLE t (x TEXT NOT NULL CHECK (length(x) > 0))")
    database.rows("CREATE INDEX i ON t (x)")
    database.rows("WITH n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 5000) INSERT INTO t SELECT printf('%0100d', i) FROM n")
    database.rows("PRAGMA wal_checkpoint(TRUNCATE)")
    database.close()
    return file


def test_a_sound_one_is_sound(file: Path) -> None:
    assert Check(file).run() == ""


def test_pages_of_nonsense_are_damage(file: Path) -> None:
    with file.open("r+b") as out:
        out.seek(20 * 4096)
        out.write(b"\xff" * 4096)
    assert Check(file).run() == DAMAGED


def test_a_header_of_nonsense_is_not_called_sound(file: Path) -> None:
    with file.open("r+b") as out:
        out.write(b"\xff" * 100)
    assert Check(file).run() != ""


def test_rows_that_meet_no_constraint_are_no_damage(file: Path) -> None:
    database = open_database(file)
    database.rows("PRAGMA ignore_check_constraints = ON")
    database.rows("INSERT INTO t VALUES ('')")
    database.close()
    assert Check(file).run() == ""


def test_one_that_is_stopped_says_nothing(file: Path) -> None:
    check = Check(file)
    check.stop()
    assert check.run() is None
