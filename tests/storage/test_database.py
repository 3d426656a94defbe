"""One connection: what it refuses to give, and how long it waits and works."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from goop2.storage import database as module
from goop2.storage.database import Database, open_database
from goop2.storage.errors import BusyError, StatementTimeout, StorageError
from goop2.storage.guard import EXEC, QUERY, SCRIPT_WRITES
from goop2.storage.limits import ROWS_MAX, ROWS_MAX_BYTES

NUMBERS = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT {}) SELECT i FROM n"
LARGE = f"SELECT zeroblob({ROWS_MAX_BYTES // 2}) AS a UNION ALL SELECT zeroblob({ROWS_MAX_BYTES // 2 + 1})"


def test_rows_beyond_the_most_are_an_error_not_a_cut(database: Database) -> None:
    assert len(database.query(QUERY, NUMBERS.format(ROWS_MAX))) == ROWS_MAX
    with pytest.raises(StorageError, match=f"more than {ROWS_MAX} rows"):
        database.query(QUERY, NUMBERS.format(ROWS_MAX + 1))


def test_bytes_beyond_the_most_are_an_error(database: Database) -> None:
    with pytest.raises(StorageError, match="bytes of rows"):
        database.query(QUERY, LARGE)
    with pytest.raises(StorageError, match="bytes; ask for fewer"):
        database.records(QUERY, LARGE)


ENDLESS = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT max(i) FROM n"


@pytest.fixture
def locked(database: Database, path: Path) -> Iterator[Database]:
    """Another connection holds the lock."""
    database.rows("CREATE TABLE t (x)")
    other = open_database(path)
    other.begin()
    yield other
    other.rollback()
    other.close()


@pytest.mark.usefixtures("locked")
def test_nobody_waits_for_the_lock_past_their_deadline(database: Database) -> None:
    database.deadline = time.monotonic() + 0.05
    with pytest.raises(BusyError, match="the database is busy"):
        database.change(EXEC, "INSERT INTO t VALUES (1)")


@pytest.mark.usefixtures("locked")
def test_nobody_waits_for_the_lock_for_ever(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BUSY_SECONDS", 0.05)
    with pytest.raises(BusyError):
        database.change(EXEC, "INSERT INTO t VALUES (1)")


def test_a_statement_ends_at_the_deadline(database: Database) -> None:
    database.deadline = time.monotonic() + 0.05
    with pytest.raises(StatementTimeout):
        database.query(QUERY, ENDLESS)


def test_a_writing_statement_has_time_of_its_own_which_begins_when_the_lock_is_its(
    locked: Database, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(module.STATEMENT_SECONDS, SCRIPT_WRITES, 0.2)
    waited = threading.Timer(0.5, locked.rollback)
    waited.start()
    numbers = NUMBERS.format(20_000)
    assert database.change(EXEC, f"INSERT INTO t {numbers}") == 20_000
    waited.join()
    with pytest.raises(StatementTimeout):
        database.change(EXEC, f"INSERT INTO t {ENDLESS}")
