"""Tables that are dropped and put back: rows, keys, numbers and rights as they were."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from goop2.storage import template_tables
from goop2.storage.database import Database, open_database
from goop2.storage.errors import StorageError
from goop2.storage.registry_schema import create_schema, make_table
from goop2.storage.schema_declarations import declared_in
from goop2.storage.schema_sql import tables_of
from goop2.storage.template_tables import ClassicTables
from goop2.storage.typed_tables import Owner, TypedTables

POSTS = {
    "name": "posts",
    "columns": [{"name": "slug", "type": "text", "key": True, "required": True}, {"name": "n", "type": "integer"}],
    "access": {"read": "open", "insert": "group", "update": "local", "delete": "local"},
}


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    opened = open_database(tmp_path / "data.db", guarded=False)
    create_schema(opened)
    with opened.atomic():
        make_table(opened, declared_in(POSTS).table)
    yield opened
    opened.close()


def everything(database: Database) -> list[object]:
    tables = ("SELECT * FROM posts", "SELECT * FROM _tables", "SELECT * FROM _orm_schemas", "SELECT * FROM sqlite_sequence")
    schema = "SELECT type, name, sql FROM sqlite_schema WHERE tbl_name = 'posts' ORDER BY name"
    return [database.rows(sql) for sql in (*tables, "SELECT typeof(n), hex(n) FROM posts", schema)]


def test_a_table_comes_back_as_it_was(database: Database, tmp_path: Path) -> None:
    typed = TypedTables(database)
    for number in range(3):
        typed.insert("posts", {"slug": f"s{number}", "n": number}, Owner("me"))
    typed.delete("posts", 3)  # its number is never given again
    database.rows("UPDATE posts SET n = CAST(x'ff61' AS TEXT) WHERE _id = 1")  # of another program: no UTF-8
    database.rows("UPDATE posts SET n = x'ff' WHERE _id = 2")
    before = everything(database)
    copy = tmp_path / "copy.db"
    with database.atomic():
        template_tables.save(database, ["posts"], copy)
        template_tables.drop(database, ["posts"])
    assert template_tables.plain_tables(database) == []
    assert typed.lookup("posts") is None
    assert template_tables.saved_tables(copy) == {"posts": 2}
    template_tables.attach(database, copy)
    with database.atomic():
        assert template_tables.restore(database) == ["posts"]
    assert everything(database) == before
    assert TypedTables(database).insert("posts", {"slug": "next"}, Owner("me")) == 4


def test_tables_of_schema_sql_come_with_rows_indexes_and_policy(database: Database) -> None:
    sql = b"CREATE TABLE notes (a TEXT DEFAULT 'x', b INTEGER); CREATE INDEX i ON notes (b); INSERT INTO notes VALUES ('1', 2)"
    with tables_of(sql) as (made, _), database.atomic():
        template_tables.make(database, [], ClassicTables(made, {"notes": "nobody knows"}))
    assert database.rows("SELECT a, b FROM notes") == [("1", 2)]
    assert database.rows("SELECT insert_policy FROM _tables WHERE name = 'notes'") == [("local",)]
    assert database.rows("SELECT name FROM sqlite_schema WHERE tbl_name = 'notes' ORDER BY 1") == [("i",), ("notes",)]


def test_what_stands_in_the_way_is_found_whatever_its_capitals(database: Database) -> None:
    assert template_tables.in_the_way(database, ["POSTS", "other"]) == ["posts"]
    database.rows("CREATE VIEW other AS SELECT 1")
    with pytest.raises(StorageError, match="a view or a table of SQLite's modules called other"):
        template_tables.in_the_way(database, ["other"])


def test_tables_of_the_template_are_those_that_are_named_and_there(database: Database) -> None:
    template_tables.set_meta(database, {template_tables.TABLES_KEY: "Posts, gone,_meta,"})
    assert template_tables.template_tables(database) == ["posts"]
