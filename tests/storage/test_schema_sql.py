"""schema.sql of a template: it makes tables and rows, and by its effect nothing else."""

from __future__ import annotations

import pytest

from goop2.storage.errors import SchemaFileError
from goop2.storage.schema_sql import TABLES_MAX, tables_of


def made(sql: str) -> list[str]:
    with tables_of(sql.encode()) as (_, names):
        return names


def refusal(sql: str) -> str:
    with pytest.raises(SchemaFileError) as told:
        made(sql)
    assert "\n" not in str(told.value)
    return str(told.value)


def test_it_makes_tables_indexes_and_rows() -> None:
    sql = """
    BEGIN; CREATE TABLE IF NOT EXISTS notes (_id INTEGER PRIMARY KEY AUTOINCREMENT, text TEXT CHECK (length(text) < 100));
    CREATE UNIQUE INDEX i ON notes (text); INSERT INTO notes (text) SELECT 'one' UNION SELECT 'two';
    DROP TABLE IF EXISTS gone; ALTER TABLE notes ADD COLUMN more TEXT DEFAULT 'x'; UPDATE notes SET more = 'y'; COMMIT;
    """
    with tables_of(sql.encode()) as (database, names):
        assert names == ["notes"]
        assert database.rows("SELECT text, more FROM notes ORDER BY text") == [("one", "y"), ("two", "y")]


@pytest.mark.parametrize(
    ("sql", "why"),
    [
        ("ATTACH '/tmp/other.db' AS other", "may not use ATTACH"),
        ("VACUUM INTO '/tmp/stolen.db'", "may not use ATTACH or VACUUM"),
        ("PRAGMA writable_schema = 1", "may not use PRAGMA"),
        ("CREATE TABLE t (a); CREATE TRIGGER x AFTER INSERT ON t BEGIN DELETE FROM t; END", "make a trigger"),
        ("CREATE VIEW v AS SELECT 1", "make a view"),
        ("CREATE VIRTUAL TABLE f USING fts5(a)", "make a virtual table"),
        ("CREATE TEMP TABLE t (a)", "sqlite_temp_master"),
        ("CREATE TABLE _meta (key, value)", "make or drop the table _meta"),
        ("INSERT INTO sqlite_master VALUES ('table', 'a', 'a', 2, 'CREATE TABLE a (b)')", "may not be modified"),
        ("SELECT load_extension('/tmp/x.so')", "load_extension"),
        ('CREATE TABLE "my table" (a)', "allowed is"),
        ("CREATE TABLE t (a); INSERT INTO t SELECT randomblob(999999999)", "larger than the database takes"),
        ("CREATE TABLE t (a", "incomplete input"),
        ("DELETE FROM posts", "no such table: posts"),
        (";".join(f"CREATE TABLE t{number} (a)" for number in range(TABLES_MAX + 1)), "the most is"),
    ],
)
def test_anything_else_is_refused(sql: str, why: str) -> None:
    assert why in refusal(sql)


def test_one_that_does_not_end_is_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("goop2.storage.schema_sql.SECONDS", 0.2)
    endless = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n)"
    assert "stopped" in refusal(f"CREATE TABLE t (a); {endless} INSERT INTO t SELECT i FROM n WHERE i < 0")
    monkeypatch.setattr("goop2.storage.schema_sql.SECONDS", 20)
    monkeypatch.setattr("goop2.storage.schema_sql.PAGES_MAX", 50)
    assert "more than they may hold" in refusal(f"CREATE TABLE t (a); {endless} INSERT INTO t SELECT i FROM n")


def test_what_is_no_text_is_said() -> None:
    with pytest.raises(SchemaFileError, match="not UTF-8"), tables_of(b"CREATE \xff"):
        pass
