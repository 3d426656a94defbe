"""The owner's own SQL: bounded answers of what reads, a plan, and writing as scripts may."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from goop2.storage import owner_sql
from goop2.storage.database import Database
from goop2.storage.desk_limits import RESULT_ROWS_MAX
from goop2.storage.errors import StatementTimeoutError, StorageError
from goop2.storage.owner_reader import open_database_to_read
from goop2.storage.typed_tables import Owner, TypedTables

COUNTING = "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n WHERE x < {}) SELECT x FROM n"


@pytest.fixture
def reading(path: Path, database: Database) -> Iterator[Database]:
    TypedTables(database).create("posts", [{"name": "title", "type": "text"}])
    TypedTables(database).insert("posts", {"title": "One"}, Owner("me"))
    opened = open_database_to_read(path, lambda _: None)
    yield opened
    opened.close()


def test_an_answer_has_columns_that_may_be_called_alike_and_rows(reading: Database) -> None:
    found = owner_sql.read(reading, "SELECT 1 AS x, 'a' AS x, NULL, x'00ff' FROM posts")
    assert (found.columns, found.rows, found.more) == (("x", "x", "NULL", "x'00ff'"), [[1, "a", None, {"bytes": 2}]], False)
    assert owner_sql.read(reading, "SELECT title FROM posts WHERE 0").columns == ("title",)


def test_a_large_answer_is_cut_and_says_so(reading: Database) -> None:
    found = owner_sql.read(reading, COUNTING.format(5000))
    assert (len(found.rows), found.more) == (RESULT_ROWS_MAX, True)
    wide = owner_sql.read(reading, f"SELECT printf('%.*c', 1000000, 'x') FROM ({COUNTING.format(4000)})")
    assert wide.more
    assert wide.rows[0][0] == {"text": "x" * 2000, "size": 1_000_000}


def test_a_statement_without_end_ends_at_its_time(reading: Database) -> None:
    reading.bound(time.monotonic() + 0.1)
    with pytest.raises(StatementTimeoutError):
        owner_sql.read(reading, f"SELECT count(*) FROM ({COUNTING.format(10**12)})")


@pytest.mark.parametrize(
    "sql",
    [
        "DELETE FROM posts",
        "CREATE TABLE x (y)",
        "DROP TABLE posts",
        "PRAGMA journal_mode = delete",
        "ATTACH 'x' AS y",
        "SELECT 1; SELECT 2",
        "",
    ],
)
def test_what_does_not_only_read_is_refused(reading: Database, sql: str) -> None:
    with pytest.raises(StorageError):
        owner_sql.read(reading, sql)
    assert owner_sql.read(reading, "SELECT title FROM posts").rows == [["One"]]


def test_writing_changes_rows_and_nothing_else(database: Database, reading: Database) -> None:
    assert owner_sql.write(database, "UPDATE posts SET title = 'Two'").changed == 1
    for sql in ("DROP TABLE posts", "UPDATE _tables SET name = 'x'", "SELECT 1", "CREATE INDEX i ON posts (title)"):
        with pytest.raises(StorageError):
            owner_sql.write(database, sql)
    assert owner_sql.read(reading, "SELECT title FROM posts").rows == [["Two"]]


def test_a_plan_tells_what_is_scanned(reading: Database) -> None:
    plan = owner_sql.explain(reading, "SELECT * FROM posts a JOIN posts b ON a._id = b._id WHERE a.title = 'x'")
    assert [step.text for step in plan] == ["SCAN a", "SEARCH b USING INTEGER PRIMARY KEY (rowid=?)"]
    assert {step.depth for step in plan} == {0}
    with pytest.raises(StorageError):
        owner_sql.explain(reading, "DELETE FROM posts")
