"""A folder's database when a peer starts: made, prepared, or refused with a sentence. Another peer's is in test_moved.py."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from goop2.storage.errors import DatabaseError
from goop2.storage.limits import BUSY_SECONDS
from goop2.storage.migrations import open_folder


def contents(folder: Path) -> dict[str, tuple[str, list[object]]]:
    """Table → how it is declared, and its rows; what begins with `_py_` is ours and left out."""
    with closing(sqlite3.connect(folder / "data.db")) as database:
        tables = database.execute("SELECT name, sql FROM sqlite_schema WHERE type = 'table'").fetchall()
        kept = [(name, sql) for name, sql in tables if not name.startswith(("_py_", "sqlite_"))]
        return {name: (sql, database.execute(f"SELECT * FROM {name}").fetchall()) for name, sql in kept}


def test_a_new_folder_gets_the_registries(tmp_path: Path) -> None:
    database, warnings = open_folder(tmp_path, tmp_path / "site/lua")
    database.close()
    assert warnings == []
    tables = contents(tmp_path)
    assert set(tables) == {"_tables", "_orm_schemas", "_meta"}
    assert "insert_policy TEXT DEFAULT 'owner'" in tables["_tables"][0]


def test_what_is_no_database_is_told_by_name_and_left_alone(tmp_path: Path) -> None:
    (tmp_path / "data.db").write_text("these are my notes, not a database at all")
    with pytest.raises(DatabaseError, match=r"data\.db cannot be opened as a database"):
        open_folder(tmp_path, tmp_path)
    assert (tmp_path / "data.db").read_text() == "these are my notes, not a database at all"


def test_what_is_damaged_is_told_with_a_remedy(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "data.db")) as database:
        database.execute("CREATE TABLE t (x)")
    content = (tmp_path / "data.db").read_bytes()
    (tmp_path / "data.db").write_bytes(content[:50])
    with pytest.raises(DatabaseError, match=r"data\.db cannot be opened as a database: the database file is damaged: restore a backup"):
        open_folder(tmp_path, tmp_path)


def test_a_registry_of_another_form_is_told_and_not_repaired(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "data.db")) as database:
        database.execute("CREATE VIEW _tables AS SELECT 1 AS name")
        database.commit()
    (tmp_path / "schemas").mkdir()
    (tmp_path / "schemas/a.json").write_text('{"name": "a", "columns": [{"name": "b", "type": "text"}]}')
    with pytest.raises(DatabaseError):
        open_folder(tmp_path, tmp_path)


@contextmanager
def held(path: Path) -> Iterator[None]:
    """Another program holds the write lock."""
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield


def test_a_database_that_another_program_writes_to_opens_when_nothing_is_missing(tmp_path: Path) -> None:
    open_folder(tmp_path, tmp_path)[0].close()
    started = time.monotonic()
    with held(tmp_path / "data.db"):
        open_folder(tmp_path, tmp_path)[0].close()
    assert time.monotonic() - started < BUSY_SECONDS / 2
