"""Triggers and views that came with a folder: none is run with the peer's rights, and the owner is told."""

from __future__ import annotations

from pathlib import Path

import pytest

from goop2.storage import groups, key_value, messages
from goop2.storage.database import FILE, Database, open_database
from goop2.storage.errors import DatabaseError, StorageError
from goop2.storage.guard import EXEC, QUERY
from goop2.storage.key_value import Store
from goop2.storage.migrations import open_folder
from goop2.storage.policies import Visitor
from goop2.storage.registry_schema import create_schema
from goop2.storage.table_access import TableAccess
from goop2.storage.typed_tables import Owner, TypedTables

POSTS = [{"name": "body", "type": "text"}]
STORE = Store("function", "evil")
TO_ALL = "INSERT INTO posts (_owner, body) SELECT 'x', content FROM _chat_messages"


def folder_with(folder: Path, *statements: str) -> Path:
    """A folder as it comes from somebody: laid out, with a table anybody reads and with `statements` run."""
    database = open_database(folder / FILE, guarded=False)
    create_schema(database)
    messages.create_schema(database)
    groups.create_schema(database)
    TypedTables(database).create("posts", POSTS, {"access": {"insert": "open"}})
    for statement in statements:
        database.rows(statement)
    database.close()
    return folder


def trigger(table: str, action: str = TO_ALL, when: str = "AFTER INSERT", name: str = "evil") -> str:
    return f"CREATE TRIGGER {table}_{name} {when} ON {table} BEGIN {action}; END"


def posts(database: Database) -> int:
    return int(str(database.scalar("SELECT count(*) FROM posts")))


def test_a_trigger_on_messages_does_not_fire_when_one_is_kept(tmp_path: Path) -> None:
    folder_with(
        tmp_path,
        trigger("_chat_messages"),
        trigger("_py_chat"),
        trigger("_chat_messages", "SELECT RAISE(ABORT, 'no')", "BEFORE DELETE", "stop"),
    )
    database = open_database(tmp_path / FILE, guarded=False)  # as services/chat/message_store.py does
    messages.add(database, "them", "them", "s3cret", 1)
    database.changed("DELETE FROM _chat_messages")
    assert posts(database) == 0
    database.close()


def test_a_trigger_on_keys_does_nothing_in_the_process_that_runs_scripts(tmp_path: Path) -> None:
    folder_with(tmp_path, trigger("_py_kv"))
    database = open_database(tmp_path / FILE)  # as a worker does
    with pytest.raises(StorageError, match=r'the trigger _py_kv_evil stands on a table of the peer.s own .* DROP TRIGGER "_py_kv_evil"'):
        key_value.put(database, STORE, "k", "1")
    assert posts(database) == 0
    database.close()


@pytest.mark.parametrize("action", [TO_ALL, "UPDATE posts SET body = (SELECT content FROM _chat_messages)", "DELETE FROM posts"])
def test_a_trigger_on_a_registry_does_nothing_when_a_script_makes_a_table(tmp_path: Path, action: str) -> None:
    folder_with(tmp_path, trigger("_orm_schemas", action), "INSERT INTO posts (_owner, body) VALUES ('x', 'old')")
    database = open_database(tmp_path / FILE)
    with pytest.raises(StorageError, match="is not run"):
        TypedTables(database).create("more", POSTS)
    assert database.rows("SELECT body FROM posts") == [("old",)]
    assert TypedTables(database).lookup("more") is None
    database.close()


@pytest.mark.parametrize(
    "action",
    [
        "INSERT INTO _py_kv VALUES ('function', 'evil', 'k', '1')",
        "UPDATE posts SET body = (SELECT content FROM _chat_messages)",
        "UPDATE posts SET body = (SELECT content FROM leak)",
        "DELETE FROM _chat_messages",
        "INSERT INTO _tables (name, schema) VALUES ('x', '')",
    ],
)
def test_a_trigger_on_a_table_of_the_site_has_no_more_rights_than_its_scripts(tmp_path: Path, action: str) -> None:
    folder_with(tmp_path, "CREATE VIEW leak AS SELECT content FROM _chat_messages", trigger("posts", action))
    database = open_database(tmp_path / FILE, watchful=True)
    messages.add(database, "them", "them", "s3cret", 1)
    for visitor in (Visitor("bob"), Visitor("boss", owner=True)):
        with pytest.raises(StorageError):
            TableAccess(database).perform("insert", visitor, {"table": "posts", "data": {"body": "x"}})
    with pytest.raises(StorageError):
        database.change(EXEC, "INSERT INTO posts (_owner) VALUES ('x')")
    with pytest.raises(StorageError):
        TypedTables(database).insert("posts", {"body": "x"}, Owner("x"))
    assert posts(database) == 0
    assert database.scalar("SELECT count(*) FROM _chat_messages") == 1
    database.close()


def test_a_trigger_of_the_site_among_its_own_tables_is_run(tmp_path: Path) -> None:
    folder_with(
        tmp_path, "CREATE TABLE log (what TEXT, id INTEGER)", trigger("posts", "INSERT INTO log VALUES (NEW.body, last_insert_rowid())")
    )
    database = open_database(tmp_path / FILE, watchful=True)
    TableAccess(database).perform("insert", Visitor("bob"), {"table": "posts", "data": {"body": "x"}})
    assert database.rows("SELECT * FROM log") == [("x", 1)]
    database.close()


@pytest.mark.parametrize("name", ["_py_kv", "_PY_KV", "_chat_messages", "_orm_schemas", "_tables", "_py_groups", "_py_new"])
@pytest.mark.parametrize("made", ["CREATE VIEW {} AS SELECT content AS value FROM posts", "CREATE VIRTUAL TABLE {} USING fts5(value)"])
def test_nothing_starts_on_a_view_in_the_place_of_a_table_the_peer_keeps(tmp_path: Path, name: str, made: str) -> None:
    folder_with(tmp_path, f"DROP TABLE IF EXISTS {name}", made.format(name))
    with pytest.raises(DatabaseError, match=f"named {name}, where the peer keeps a table .*DROP") as refused:
        open_folder(tmp_path, tmp_path)
    database = open_database(tmp_path / FILE, guarded=False)
    database.rows(str(refused.value).split("'")[1])
    database.close()
    open_folder(tmp_path, tmp_path)[0].close()


def test_a_start_says_which_triggers_and_views_it_does_not_run(tmp_path: Path) -> None:
    other = "CREATE TABLE _other (x)", "CREATE VIEW _seen AS SELECT 1", trigger("_other"), "CREATE VIEW shown AS SELECT body FROM posts"
    folder_with(tmp_path, *other, trigger("_chat_messages"), trigger("posts", "SELECT 1"))
    database, warnings = open_folder(tmp_path, tmp_path)
    assert warnings == [
        "data.db has a trigger _chat_messages_evil on the private table _chat_messages; the peer has not made it and does not run it; "
        "sqlite3 data.db 'DROP TRIGGER \"_chat_messages_evil\"' removes it",
        "data.db has a trigger _other_evil on the private table _other; the peer has not made it and does not run it; "
        "sqlite3 data.db 'DROP TRIGGER \"_other_evil\"' removes it",
        "data.db has a view _seen; the peer has not made it and does not run it; sqlite3 data.db 'DROP VIEW \"_seen\"' removes it",
    ]
    database.close()


def test_what_a_folder_declares_cannot_use_the_peers_own_functions(tmp_path: Path) -> None:
    """PRAGMA trusted_schema: a function that is not declared harmless stands in no view, trigger, default, check or index."""
    folder_with(tmp_path)
    database = open_database(tmp_path / FILE, watchful=True)
    access = TableAccess(database)
    database.rows("CREATE VIEW who AS SELECT _py_caller() AS id")
    with pytest.raises(StorageError, match="unsafe use of _py_caller"):
        database.query(QUERY, "SELECT * FROM who")
    for made in (
        "CREATE TABLE t (x DEFAULT (_py_caller()), y)",
        "CREATE TABLE t (x CHECK (_py_caller() > ''), y)",
        "CREATE TABLE t (y, x AS (_py_caller()))",
    ):
        database.rows("DROP TABLE IF EXISTS t")
        with pytest.raises(StorageError, match="unsafe use of _py_caller"):
            _make_and_use(database, made)
    assert access is not None
    database.close()


def _make_and_use(database: Database, made: str) -> None:
    database.rows(made)
    database.change(EXEC, "INSERT INTO t (y) VALUES (1)")
    database.query(QUERY, "SELECT * FROM t")
