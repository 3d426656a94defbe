"""Columns that SQLite computes, in tables another program made, are seen everywhere rows are, and set nowhere."""

from __future__ import annotations

import pytest

from goop2.storage.database import Database
from goop2.storage.errors import AccessError
from goop2.storage.owner_reader import Reading
from goop2.storage.policies import Visitor
from goop2.storage.table_access import TableAccess

BOB, OWNER = Visitor("bob"), Visitor("boss", owner=True)
COLUMNS = ["_id", "_owner", "_owner_email", "_updated_at", "body", "size", "loud"]


@pytest.fixture
def access(database: Database) -> TableAccess:
    database.rows(
        "CREATE TABLE old (_id INTEGER PRIMARY KEY, _owner TEXT, _owner_email TEXT, _updated_at TEXT, body TEXT, "
        "size INTEGER AS (length(body)) STORED, loud TEXT AS (upper(body)))"
    )
    database.rows("INSERT INTO _tables (name, schema, insert_policy) VALUES ('old', '', 'open')")
    database.rows("INSERT INTO old (_owner, body) VALUES ('boss', 'abc')")
    return TableAccess(database)


def test_they_are_among_the_columns_and_in_the_rows(access: TableAccess) -> None:
    answer = access.perform("describe", BOB, {"table": "old"})
    assert isinstance(answer, dict)
    described = answer["columns"]
    assert [column["name"] for column in described] == COLUMNS
    assert [column["name"] for column in described if column.get("computed")] == ["size", "loud"]
    for condition in ("", "size = 3"):
        found = access.perform("query", BOB, {"table": "old"}, condition=condition)
        assert isinstance(found, list)
        row = found[0]
        assert len(found) == 1
        assert list(row) == COLUMNS
        assert (row["size"], row["loud"]) == (3, "ABC")
    assert access.perform("pluck", BOB, {"table": "old", "column": "loud", "where": "size > 2"}) == ["ABC"]
    assert access.perform("aggregate", BOB, {"table": "old", "expr": "sum(size)"}) == [{"value": 3}]


def test_they_cannot_be_set(access: TableAccess) -> None:
    for operation in ("insert", "update", "update-where", "upsert"):
        request = {"table": "old", "id": 1, "where": "1", "key_col": "size", "data": {"size": 5}}
        with pytest.raises(AccessError, match="size is computed of other columns: it cannot be set"):
            access.perform(operation, OWNER, request)
    access.perform("update", OWNER, {"table": "old", "id": 1, "data": {"body": "abcd"}})
    assert access.perform("pluck", BOB, {"table": "old", "column": "size"}) == [4]


def test_the_owner_reads_and_exports_them(access: TableAccess, database: Database) -> None:
    reading = Reading(database, {})
    described = reading.describe("old")
    assert [column["name"] for column in described] == COLUMNS
    assert [column["name"] for column in described if column.get("computed")] == ["size", "loud"]
    with reading.query(reading.everything("old")) as (names, rows):
        assert list(names) == COLUMNS
        assert [row[-2:] for row in rows] == [(3, "ABC")]
    assert access is not None
