"""What a statement may do, sentence by sentence, for each role a script has."""

from __future__ import annotations

import apsw
import msgspec
import pytest

from goop2.storage.database import Database
from goop2.storage.errors import StorageError
from goop2.storage.guard import EXEC, INTERNAL, ONE_TABLE, ONE_TABLE_WRITES, OURS, OWNER_READS, QUERY, VISITOR, Guard, Role
from goop2.storage.owner_reader import QUERY as OWNER

REFUSED_TO_ALL = {
    "PRAGMA user_version": "PRAGMA",
    "PRAGMA user_version = 5": "PRAGMA",
    "PRAGMA writable_schema = 1": "PRAGMA",
    "ATTACH ':memory:' AS m": "ATTACH",
    "DETACH main": "DETACH",
    "BEGIN": "transaction",
    "COMMIT": "transaction",
    "ROLLBACK": "transaction",
    "SAVEPOINT a": "savepoints",
    "CREATE TABLE x (a)": "tables or indexes",
    "CREATE TEMP TABLE x (a)": "tables or indexes",
    "CREATE VIEW v AS SELECT 1": "tables or indexes",
    "CREATE TEMP VIEW v AS SELECT 1": "tables or indexes",
    "CREATE TRIGGER t AFTER INSERT ON games BEGIN SELECT 1; END": "tables or indexes",
    "CREATE VIRTUAL TABLE f USING fts5(a)": "tables or indexes",
    "CREATE INDEX i ON games (turn)": "tables or indexes",
    "DROP TABLE games": "tables or indexes",
    "DROP TABLE IF EXISTS nothing": "",
    "DROP INDEX IF EXISTS nothing": "",
    "DROP VIEW IF EXISTS nothing": "",
    "DROP TRIGGER IF EXISTS nothing": "",
    "ALTER TABLE games ADD COLUMN x": "tables or indexes",
    "ANALYZE": "tables or indexes",
    "REINDEX games": "tables or indexes",
    "SELECT 1; SELECT 2": "one statement",
    "SELECT 1; -- a\n DELETE FROM games": "not",
    "": "no statement",
    " ; ": "no statement",
    "-- only a comment": "no statement",
    "SELECT 1\0": "NUL",
    "EXPLAIN SELECT 1": "EXPLAIN",
    "SELECT * FROM _chat_messages": "_chat_messages",
    "SELECT * FROM _py_kv": "_py_kv",
    "SELECT count(*) FROM _chat_messages": "_chat_messages",
    "SELECT 1 WHERE EXISTS (SELECT 1 FROM _chat_messages)": "_chat_messages",
    "SELECT 1 IN _chat_messages": "_chat_messages",
    "WITH x AS (SELECT * FROM _chat_messages) SELECT * FROM x": "_chat_messages",
    "WITH _chat_messages AS (SELECT * FROM main._chat_messages) SELECT * FROM _chat_messages": "_chat_messages",
    "SELECT * FROM leak": "_chat_messages",
    "SELECT * FROM sqlite_schema": "sqlite_master",
    "SELECT * FROM sqlite_sequence": "sqlite_sequence",
    "SELECT * FROM pragma_table_info('games')": "PRAGMA",
    "SELECT * FROM pragma_database_list": "PRAGMA",
    "SELECT load_extension('x')": "load_extension",
    "SELECT Load_Extension('x')": "load_extension",
    "SELECT fts3_tokenizer('simple')": "fts3_tokenizer",
    "SELECT sqlite_log(1, 'x')": "sqlite_log",
    "INSERT INTO _tables (name, schema) VALUES ('x', 'y')": "",
    "UPDATE _orm_schemas SET schema_json = ''": "",
    "DELETE FROM _tables": "",
    "DELETE FROM _orm_schemas": "",
    "DELETE FROM _meta": "",
    "INSERT INTO games (_owner, turn) SELECT 'x', content FROM _chat_messages": "",
    "INSERT INTO games (_owner) VALUES ('x') RETURNING (SELECT content FROM _chat_messages)": "",
    "UPDATE games SET turn = content FROM _chat_messages": "",
    "DELETE FROM games WHERE turn IN (SELECT content FROM _chat_messages)": "",
    "REPLACE INTO sqlite_sequence VALUES ('games', 1)": "",
    "INSERT INTO traps (_owner) VALUES ('x')": "",
    "VACUUM": "",
    "VACUUM INTO '/tmp/copy.db'": "",
}
"""Statement → what its refusal names; "" where the two roles refuse it for different reasons."""

TOO_MUCH = (
    "SELECT zeroblob(1000000000)",
    "SELECT randomblob(1000000000)",
    "SELECT printf('%.*c', 1000000000, 'x')",
    "SELECT replace(hex(zeroblob(500000)), '0', hex(zeroblob(100)))",
    "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n LIMIT 500000) SELECT group_concat(hex(x)) FROM n",
    "SELECT 1" + " + 1" * 500,
    "SELECT " + ", ".join(["1"] * 3000),
    " UNION ".join(["SELECT 1"] * 100),
    "SELECT 1 -- " + "x" * 200_000,
)


@pytest.fixture
def tables(database: Database) -> Database:
    for statement in (
        "CREATE TABLE games (_id INTEGER PRIMARY KEY, _owner TEXT, turn TEXT)",
        "CREATE INDEX games_turn ON games (turn)",
        "CREATE TABLE traps (_id INTEGER PRIMARY KEY, _owner TEXT)",
        "CREATE TABLE _chat_messages (content TEXT)",
        "CREATE VIEW leak AS SELECT content FROM _chat_messages",
        "CREATE TRIGGER trap AFTER INSERT ON traps BEGIN DELETE FROM _chat_messages; END",
        "INSERT INTO _chat_messages VALUES ('secret')",
        "INSERT INTO games (_owner, turn) VALUES ('x', 'X')",
    ):
        database.rows(statement)
    return database


@pytest.mark.parametrize("role", [QUERY, EXEC], ids=lambda role: role.name)
@pytest.mark.parametrize(("sql", "names"), REFUSED_TO_ALL.items())
def test_no_script_may(tables: Database, role: Role, sql: str, names: str) -> None:
    before = [tables.rows(f"SELECT * FROM {table}") for table in ("games", "_chat_messages", "_tables", "sqlite_schema")]
    with pytest.raises(StorageError) as refused:
        tables.query(role, sql) if role is QUERY else tables.change(role, sql)
    assert names in str(refused.value) or "INSERT, UPDATE" in str(refused.value) or "only reads" in str(refused.value)
    assert not tables.in_transaction
    assert [tables.rows(f"SELECT * FROM {table}") for table in ("games", "_chat_messages", "_tables", "sqlite_schema")] == before


@pytest.mark.parametrize("sql", TOO_MUCH)
def test_no_statement_may_take_more_than_there_is(tables: Database, sql: str) -> None:
    with pytest.raises(StorageError):
        tables.query(QUERY, sql)


@pytest.mark.parametrize(
    "sql",
    [
        "INSERT INTO games (_owner) VALUES ('x')",
        "INSERT INTO games (_owner) VALUES ('x') RETURNING _id",
        "WITH a AS (SELECT 1) UPDATE games SET turn = 'O'",
        "DELETE FROM games",
        "REPLACE INTO games VALUES (1, 'a', 'b')",
    ],
)
def test_a_query_cannot_write_whatever_its_first_word(tables: Database, sql: str) -> None:
    with pytest.raises(StorageError):
        tables.query(QUERY, sql)
    assert tables.rows("SELECT * FROM games") == [(1, "x", "X")]
    assert tables.change(EXEC, sql) == 1


def test_a_statement_that_writes_is_found_out_without_the_guard_too(tables: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Guard, "__call__", lambda *_: apsw.SQLITE_OK)
    for sql in ("DELETE FROM games", "WITH a AS (SELECT 1) UPDATE games SET turn = 'O' RETURNING turn", "CREATE TABLE x (y)"):
        with pytest.raises(StorageError, match=r"only reads; goop\.db\.exec writes"):
            tables.query(QUERY, sql)
    assert tables.rows("SELECT * FROM games") == [(1, "x", "X")]


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT * FROM games",
        "  SELECT 1 ; ",
        "SELECT 1 -- why not",
        "/* first */ SELECT 1; /* last */",
        "VALUES (1)",
        "SELECT count(*) FROM games",
        "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n LIMIT 5) SELECT x FROM n",
        "SELECT * FROM json_each('[1, 2]')",
        "SELECT * FROM _tables",
        "SELECT schema_json FROM _orm_schemas",
        "SELECT upper(turn) FROM games ORDER BY random()",
    ],
)
def test_a_query_may_read(tables: Database, sql: str) -> None:
    tables.query(QUERY, sql)


def test_exec_only_writes(tables: Database) -> None:
    with pytest.raises(StorageError, match=r"goop\.db\.query reads"):
        tables.change(EXEC, "SELECT 1")


def test_a_statement_of_ours_cannot_be_borrowed_from_the_cache(tables: Database) -> None:
    sql = "SELECT content FROM _chat_messages"
    assert tables.query(INTERNAL, sql).values == [b"secret"]
    with pytest.raises(StorageError, match="_chat_messages"):
        tables.query(QUERY, sql)


def test_one_table_is_one_table(tables: Database) -> None:
    role = Role(ONE_TABLE, "find", "games")
    assert tables.query(role, "SELECT turn FROM games").values == [b"X"]
    for sql in ("SELECT * FROM traps", "SELECT (SELECT count(*) FROM traps) FROM games", "SELECT * FROM _tables"):
        with pytest.raises(StorageError, match="may not read"):
            tables.query(role, sql)


def test_waiting_arguments_must_be_as_many_as_asked_for(tables: Database) -> None:
    with pytest.raises(StorageError, match="not as many"):
        tables.query(QUERY, "SELECT ?, ?", (1,))


ONE = Role(ONE_TABLE, "find", "games")
OUTSIDER = Role(VISITOR, "a visitor", "games", "no_such_view")
PAIRS = [
    (QUERY, ONE, "_tables"),
    (QUERY, OUTSIDER, "_tables"),
    (ONE, OUTSIDER, "games"),
    (INTERNAL, QUERY, "_meta"),
    (INTERNAL, ONE, "_meta"),
    (INTERNAL, OUTSIDER, "_meta"),
    (OWNER, QUERY, "_meta"),
    (OWNER, ONE, "_meta"),
    (OWNER, OUTSIDER, "_meta"),
]


@pytest.mark.parametrize(("before", "role", "table"), PAIRS, ids=lambda each: getattr(each, "name", each))
def test_a_statement_compiled_for_one_role_is_judged_again_for_another(tables: Database, before: Role, role: Role, table: str) -> None:
    sql = f"SELECT * FROM {table}"
    tables.query(before, sql)
    with pytest.raises(StorageError, match=f"may not read the table {table}"):
        tables.query(role, sql)


@pytest.mark.parametrize("role", [ONE, OUTSIDER], ids=lambda role: role.name)
def test_narrow_roles_have_no_recursive_queries(tables: Database, role: Role) -> None:
    with pytest.raises(StorageError, match="may not use a recursive query"):
        tables.query(role, "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 3) SELECT i FROM n")


THE_VIEW = Role(VISITOR, "a query", "notes", "v_secret")


def answer_of(role: Role, action: int, first: str | None, second: str | None, inside: str | None) -> int:
    guard = Guard()
    guard.role = role
    return guard(action, first, second, "main", inside)


@pytest.mark.parametrize("inside", [None, "a", "v", "v_secres", "z"])
def test_functions_of_the_view_are_for_the_view_alone(inside: str | None) -> None:
    assert answer_of(THE_VIEW, apsw.SQLITE_FUNCTION, None, "_py_caller", inside) == apsw.SQLITE_DENY
    assert answer_of(THE_VIEW, apsw.SQLITE_FUNCTION, None, "_py_caller", "v_secret") == apsw.SQLITE_OK


@pytest.mark.parametrize("table", ["diary", "zebra", "_py_kv"])
def test_the_view_reads_its_table_and_no_other(table: str) -> None:
    assert answer_of(THE_VIEW, apsw.SQLITE_READ, table, "body", "v_secret") == apsw.SQLITE_DENY
    assert answer_of(THE_VIEW, apsw.SQLITE_READ, "notes", "body", "v_secret") == apsw.SQLITE_OK


def test_how_many_rows_a_table_has_is_a_secret_unless_it_is_said_not_to_be() -> None:
    assert answer_of(THE_VIEW, apsw.SQLITE_READ, "notes", "", None) == apsw.SQLITE_DENY
    assert answer_of(msgspec.structs.replace(THE_VIEW, whole=True), apsw.SQLITE_READ, "notes", "", None) == apsw.SQLITE_OK


def test_statements_of_different_kinds_are_kept_apart_in_the_cache() -> None:
    flags = [kind.flags for kind in (ONE_TABLE, ONE_TABLE_WRITES, VISITOR, OWNER_READS, OURS)]
    assert len(set(flags)) == len(flags)
    assert 0 not in flags
