"""Changes of tables by hand keep the database and its registries in step, whatever was there before."""

from __future__ import annotations

import pytest

from goop2.storage.database import Database
from goop2.storage.errors import AccessError, StorageError
from goop2.storage.limits import COLUMNS_MAX
from goop2.storage.policies import Visitor
from goop2.storage.table_access import TableAccess
from goop2.storage.typed_tables import Owner, TypedTables

OWNER = Visitor("owner-id", owner=True)
COLUMNS = [{"name": "code", "type": "text", "key": True}, {"name": "points", "type": "integer"}]


@pytest.fixture
def access(database: Database) -> TableAccess:
    TypedTables(database).create("scores", COLUMNS)
    return TableAccess(database)


def registered(database: Database) -> tuple[object, object]:
    return database.rows("SELECT name, schema FROM _tables"), database.rows("SELECT table_name, schema_json FROM _orm_schemas")


def test_a_renamed_table_leaves_its_name_free_and_both_keep_their_key(access: TableAccess, database: Database) -> None:
    access.perform("rename-table", OWNER, {"old_name": "scores", "new_name": "old_scores"})
    typed = TypedTables(database)
    typed.create("scores", COLUMNS)
    for table in ("scores", "old_scores"):
        typed.insert(table, {"code": "x"}, Owner("owner-id"))
        with pytest.raises(StorageError, match="UNIQUE"):
            typed.insert(table, {"code": "x"}, Owner("owner-id"))


def test_a_table_another_peer_renamed_is_not_in_the_way(access: TableAccess, database: Database) -> None:
    database.rows("ALTER TABLE scores RENAME TO moved")
    database.rows("UPDATE _orm_schemas SET table_name = 'moved'")
    TypedTables(database).create("scores", COLUMNS)


def test_a_new_table_of_an_old_name_is_read_after_a_rename(access: TableAccess) -> None:
    assert access.perform("query", OWNER, {"table": "scores"}) == []
    access.perform("rename-table", OWNER, {"old_name": "scores", "new_name": "old_scores"})
    plain = [{"name": "code", "type": "text"}, {"name": "points", "type": "integer"}]
    access.perform("create-table", OWNER, {"name": "scores", "column_defs": plain})
    access.perform("insert", OWNER, {"table": "scores", "data": {"points": 7}})
    assert access.perform("pluck", OWNER, {"table": "scores", "column": "points"}) == [7]


@pytest.mark.parametrize(
    ("operation", "request_"),
    [
        ("delete-table", {"table": "Scores"}),
        ("rename-table", {"old_name": "SCORES", "new_name": "x"}),
        ("drop-column", {"table": "scores", "column": "Points"}),
        ("drop-column", {"table": "scores", "column": "_OWNER"}),
        ("drop-column", {"table": "scores", "column": "_owner"}),
        ("drop-column", {"table": "scores", "column": "code"}),
        ("delete-table", {"table": "_meta"}),
        ("delete-table", {"table": "a_view"}),
    ],
)
def test_what_would_part_table_and_registry_is_refused(
    access: TableAccess, database: Database, operation: str, request_: dict[str, object]
) -> None:
    database.rows("CREATE VIEW a_view AS SELECT points FROM scores")
    before = database.rows("SELECT * FROM sqlite_schema"), registered(database)
    with pytest.raises(AccessError, match=r"there is no table|has no column|is part of the table's key"):
        access.perform(operation, OWNER, request_)
    assert (database.rows("SELECT * FROM sqlite_schema"), registered(database)) == before


def test_duplicates_under_a_key_of_another_peer_are_read_and_left(access: TableAccess, database: Database) -> None:
    database.rows("DROP INDEX _py_key_scores")
    for _ in range(2):
        TypedTables(database).insert("scores", {"code": "x"}, Owner("owner-id"))
    TypedTables(database).create("scores", COLUMNS)
    assert access.perform("count", OWNER, {"table": "scores"}) == {"count": 2}
    with pytest.raises(AccessError, match="several rows"):
        access.perform("upsert", OWNER, {"table": "scores", "key_col": "code", "data": {"code": "x"}})


def test_a_table_has_an_end_in_columns_however_they_come(access: TableAccess) -> None:
    plain = [{"name": f"c{number}", "type": "text"} for number in range(COLUMNS_MAX)]
    access.perform("create-table", OWNER, {"name": "wide", "column_defs": plain})
    with pytest.raises(AccessError, match="wide has 100 columns or more already"):
        access.perform("add-column", OWNER, {"table": "wide", "column": {"name": "further", "type": "text"}})
