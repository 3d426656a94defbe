"""One connection: what it refuses to give, and how long it waits and works."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import apsw
import pytest

from goop2.storage import database as module
from goop2.storage.database import Database, open_database
from goop2.storage.errors import BusyError, StatementTimeoutError, StorageError
from goop2.storage.guard import EXEC, ONE_TABLE, QUERY, SCRIPT_WRITES, Role
from goop2.storage.limits import JOURNAL_MAX_BYTES, ROWS_MAX, ROWS_MAX_BYTES

NUMBERS = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT {}) SELECT i FROM n"
LARGE = f"SELECT zeroblob({ROWS_MAX_BYTES // 2}) AS a UNION ALL SELECT zeroblob({ROWS_MAX_BYTES // 2 + 1})"


def test_rows_beyond_the_most_are_an_error_not_a_cut(database: Database) -> None:
    assert len(database.query(QUERY, NUMBERS.format(ROWS_MAX))) == ROWS_MAX
    with pytest.raises(StorageError, match=f"goop.db.query: more than {ROWS_MAX} rows; add a LIMIT"):
        database.query(QUERY, NUMBERS.format(ROWS_MAX + 1))
    database.rows("CREATE TABLE t (x)")
    database.changed(f"INSERT INTO t {NUMBERS.format(ROWS_MAX + 1)}")
    with pytest.raises(StorageError, match=f"goop.schema.list: t gives more than {ROWS_MAX} rows; give limit and offset"):
        database.query(Role(ONE_TABLE, "goop.schema.list", "t"), "SELECT x FROM t")


def test_a_statement_whose_inspection_is_forgotten_is_inspected_anew(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("goop2.storage.statement.INSPECTED_MAX", 1)
    database.rows("CREATE TABLE t (x)")
    for _ in range(3):
        assert database.change(EXEC, "INSERT INTO t VALUES (1)") == 1
        assert database.change(EXEC, "DELETE FROM t WHERE x = 1") == 1


def test_bytes_beyond_the_most_are_an_error(database: Database) -> None:
    with pytest.raises(StorageError, match="bytes of rows"):
        database.query(QUERY, LARGE)
    with pytest.raises(StorageError, match="bytes; give limit and offset"):
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
def test_nobody_waits_for_the_lock_past_their_deadline(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BUSY_SECONDS", 60.0)
    begun = time.monotonic()
    database.bound(begun + 0.05)
    with pytest.raises(BusyError, match="the database is busy"):
        database.change(EXEC, "INSERT INTO t VALUES (1)")
    assert time.monotonic() - begun < 30


@pytest.mark.usefixtures("locked")
def test_nobody_waits_for_the_lock_for_ever(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BUSY_SECONDS", 0.05)
    database.bound(time.monotonic() + 60)
    begun = time.monotonic()
    with pytest.raises(BusyError):
        database.change(EXEC, "INSERT INTO t VALUES (1)")
    assert time.monotonic() - begun < 30


def test_a_statement_ends_at_the_deadline(database: Database) -> None:
    database.bound(time.monotonic() + 0.05)
    with pytest.raises(StatementTimeoutError):
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
    with pytest.raises(StatementTimeoutError):
        database.change(EXEC, f"INSERT INTO t {ENDLESS}")


LIMITED = {
    "length": ("SELECT length(zeroblob(2097153))", "larger than the database takes"),
    "text": (f"SELECT 1 -- {'x' * 100_000}", "larger than the database takes"),
    "columns": (f"SELECT {', '.join(['1'] * 2001)}", "too many columns"),
    "depth": (f"SELECT 1{' + 1' * 200}", "Expression tree is too large"),
    "compound": (" UNION ".join(["SELECT 1 UNION SELECT 2"] * 26), "too many terms in compound SELECT"),
    "steps": (f"SELECT 1 IN ({'0,' * 49_000}0)", "more memory than it may have"),
    "arguments": (f"SELECT max({', '.join(['1'] * 101)})", "too many arguments"),
    "pattern": (f"SELECT 'a' LIKE '{'%a' * 501}'", "pattern too complex"),
    "triggers": ("INSERT INTO t0 VALUES (1)", "triggers nested too deep"),
}
"""Limit → a statement just beyond it, and what is said."""


@pytest.mark.parametrize("limit", LIMITED)
def test_a_statement_beyond_a_limit_is_refused(database: Database, limit: str) -> None:
    for number in range(13):
        database.rows(f"CREATE TABLE t{number} (x)")
    for number in range(12):
        database.rows(f"CREATE TRIGGER on{number} AFTER INSERT ON t{number} BEGIN INSERT INTO t{number + 1} VALUES (1); END")
    sql, message = LIMITED[limit]
    with pytest.raises(StorageError, match=message):
        database.change(EXEC, sql) if sql.startswith("INSERT") else database.query(QUERY, sql)


BEYOND = {
    "columns": f"CREATE TABLE odd ({', '.join(f'c{number}' for number in range(1900))})",
    "text": f"CREATE TABLE odd (x DEFAULT '{'x' * 200_000}')",
    "depth": f"CREATE TABLE odd (x CHECK ({' OR '.join(['x'] * 300)}))",
    "compound": f"CREATE VIEW odd AS {' UNION ALL '.join(['SELECT 1'] * 100)}",
    "arguments": f"CREATE TABLE odd (x CHECK (max({', '.join(['x'] * 120)}) > 0))",
}
"""Limit → what another peer, or an owner's own tool, may have made beyond it."""


@pytest.mark.parametrize("limit", BEYOND)
def test_what_was_made_under_wider_limits_is_read_again_after_a_change_of_tables(database: Database, path: Path, limit: str) -> None:
    """SQLite reads all tables anew when one has changed, under the limits of whoever asks first."""
    database.rows("CREATE TABLE t (x)")
    other = apsw.Connection(str(path))
    other.execute(BEYOND[limit])
    other.execute("CREATE TABLE further (x)")
    other.close()
    assert database.change(EXEC, "INSERT INTO t VALUES (1)") == 1
    assert len(database.query(QUERY, "SELECT * FROM odd LIMIT 1")) == (1 if limit == "compound" else 0)
    sql, message = LIMITED["text"]
    with pytest.raises(StorageError, match=message):
        database.query(QUERY, sql)


def test_a_full_disk_is_nobodys_fault_who_asks(database: Database) -> None:
    database.rows("CREATE TABLE t (x)")
    pages = int(database.scalar("PRAGMA page_count") or 0)
    database.rows(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(StorageError, match="the disk is full") as caught:
        database.change(EXEC, "INSERT INTO t VALUES (zeroblob(1000000))")
    assert caught.value.code == "unavailable"
    assert database.query(QUERY, "SELECT * FROM t").values == []


def test_damage_is_nobodys_fault_who_asks(database: Database, path: Path) -> None:
    database.rows("CREATE TABLE t (x)")
    database.close()
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2] + b"\xff" * (len(content) // 2))
    damaged = open_database(path)
    with pytest.raises(StorageError, match="damaged") as caught:
        damaged.query(QUERY, "SELECT * FROM t")
    damaged.close()
    assert caught.value.code == "unavailable"


def test_statements_of_ours_cannot_attach_either(database: Database) -> None:
    with pytest.raises(StorageError, match="too many attached databases"):
        database.rows("ATTACH ':memory:' AS other")


def test_what_stands_in_a_schema_is_not_trusted_and_what_sqlite_keeps_for_itself_not_written(database: Database) -> None:
    database.rows("CREATE VIRTUAL TABLE search USING fts5(text)")
    for statement in ("INSERT INTO search_data VALUES (1, x'00')", "DELETE FROM search_config", "DELETE FROM sqlite_schema"):
        with pytest.raises(StorageError, match="may not be modified"):
            database.change(EXEC, statement)
    database.connection.create_scalar_function("reach_out", lambda *_: "reached")
    database.rows("CREATE VIEW trap AS SELECT reach_out() AS x")
    with pytest.raises(StorageError, match="unsafe use of reach_out"):
        database.query(QUERY, "SELECT * FROM trap")
    with pytest.raises(StorageError, match="not authorized"):
        database.rows("SELECT load_extension('x')")


def test_the_log_is_written_ahead_synced_at_checkpoints_and_bounded(database: Database) -> None:
    found = [database.scalar(f"PRAGMA {name}") for name in ("journal_mode", "synchronous", "temp_store", "journal_size_limit")]
    assert found == ["wal", 1, 2, JOURNAL_MAX_BYTES]


def test_a_transaction_has_the_lock_from_its_beginning(database: Database, path: Path) -> None:
    other = open_database(path)
    other.bound(0.0)
    with database.atomic(), pytest.raises(BusyError):
        other.begin()
    database.begin()
    with pytest.raises(BusyError):
        other.begin()
    database.rollback()
    other.close()


def test_a_commit_that_fails_leaves_no_transaction_open(database: Database) -> None:
    database.rows("CREATE TABLE parent (x PRIMARY KEY)")
    database.rows("CREATE TABLE child (x REFERENCES parent DEFERRABLE INITIALLY DEFERRED)")
    database.rows("PRAGMA foreign_keys = 1")
    database.begin()
    database.rows("INSERT INTO child VALUES (1)")
    with pytest.raises(StorageError, match="FOREIGN KEY"):
        database.commit()
    assert not database.in_transaction
    assert database.rows("SELECT * FROM child") == []
