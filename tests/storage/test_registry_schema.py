"""The registries: made once, in the network's own form, and what counts as a table of the site."""

from __future__ import annotations

from goop2.storage.database import Database
from goop2.storage.registry_schema import create_schema, table_there, user_tables
from goop2.storage.typed_tables import TypedTables


def test_laying_out_again_changes_nothing(database: Database) -> None:
    database.rows("INSERT INTO _tables (name, schema) VALUES ('a', 'b')")
    before = database.rows("SELECT * FROM sqlite_schema"), database.rows("SELECT * FROM _tables")
    create_schema(database)
    assert (database.rows("SELECT * FROM sqlite_schema"), database.rows("SELECT * FROM _tables")) == before


def test_a_typed_table_stands_in_both_registries(database: Database) -> None:
    TypedTables(database).create("posts", [{"name": "title", "type": "text"}], {"access": {"insert": "group"}})
    ((name, ddl, policy),) = database.rows("SELECT name, schema, insert_policy FROM _tables")
    assert (name, policy) == ("posts", "group")
    assert ddl == database.scalar("SELECT sql FROM sqlite_schema WHERE name = 'posts'")
    assert database.rows("SELECT table_name FROM _orm_schemas") == [("posts",)]


def test_the_sites_tables_are_those_that_are_nobody_elses(database: Database) -> None:
    for name in ("beta", "Alpha"):
        database.rows(f"CREATE TABLE {name} (x INTEGER PRIMARY KEY AUTOINCREMENT)")
    database.rows("CREATE TABLE _ours (x)")
    database.rows("CREATE VIEW shown AS SELECT 1")
    assert user_tables(database) == ["Alpha", "beta"]
    assert table_there(database, "ALPHA") == "Alpha"
    assert table_there(database, "shown") == "shown"
    assert table_there(database, "gamma") is None
