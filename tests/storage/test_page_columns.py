"""Tables as pages make them: SQL types and defaults in text, and typed tables where the columns say so."""

from __future__ import annotations

from typing import Any

import pytest

from goop2.storage.database import Database
from goop2.storage.errors import AccessError
from goop2.storage.policies import Visitor
from goop2.storage.table_access import TableAccess

OWNER, BOB = Visitor("owner-id", owner=True), Visitor("bob-id")


@pytest.fixture
def access(database: Database) -> TableAccess:
    return TableAccess(database)


def made(access: TableAccess, columns: object, key: str = "columns") -> Any:
    return access.perform("create-table", OWNER, {"name": "t", key: columns})


@pytest.mark.parametrize("key", ["columns", "column_defs"])
def test_a_table_of_plain_columns_is_classic(access: TableAccess, key: str) -> None:
    assert made(access, [{"name": "title", "type": "TEXT", "not_null": True}], key) == {
        "status": "created",
        "table": "t",
        "mode": "classic",
    }
    with pytest.raises(AccessError, match="NOT NULL"):
        access.perform("insert", OWNER, {"table": "t", "data": {}})


@pytest.mark.parametrize(
    ("type_", "default", "value"),
    [
        ("TEXT", "''", ""),
        ("TEXT", "'it''s'", "it's"),
        ("TEXT", "", None),
        ("TEXT", None, None),
        ("TEXT", "open", "open"),
        ("INTEGER", "1", 1),
        ("INTEGER", 7, 7),
        ("REAL", "-1.5", -1.5),
        ("BOOLEAN", "TRUE", 1),
        ("BOOLEAN", False, 0),
        ("VARCHAR(20)", "'hi'", "hi"),
        ("DECIMAL(10, 2)", "0", 0),
        ("double precision", "NULL", None),
        ("text", "'); DROP TABLE t; --'", "); DROP TABLE t; --"),
        ("text", "x); DROP TABLE t; --", "x); DROP TABLE t; --"),
    ],
)
def test_types_are_sql_words_and_defaults_sql_literals(access: TableAccess, type_: str, default: object, value: object) -> None:
    made(access, [{"name": "a", "type": type_, "default": default}, {"name": "b", "type": "TEXT"}])
    access.perform("insert", OWNER, {"table": "t", "data": {"b": "x"}})
    assert access.perform("pluck", OWNER, {"table": "t", "column": "a"}) == [value]


def test_the_time_now_is_a_default(access: TableAccess) -> None:
    made(access, [{"name": "at", "type": "DATETIME", "default": "CURRENT_TIMESTAMP"}, {"name": "b", "type": "TEXT"}])
    access.perform("insert", OWNER, {"table": "t", "data": {"b": "x"}})
    moments: Any = access.perform("pluck", OWNER, {"table": "t", "column": "at"})
    assert len(moments[0]) == len("2026-11-30 12:00:00")


@pytest.mark.parametrize("more", [{"key": True}, {"required": True}, {"auto": True}])
def test_a_column_with_key_required_or_auto_makes_a_typed_table(access: TableAccess, more: dict[str, object]) -> None:
    assert made(access, [{"name": "n", "type": "INTEGER", **more}, {"name": "s", "type": "VARCHAR(9)", "default": "'x'"}])["mode"] == "orm"
    described: Any = access.perform("describe", OWNER, {"table": "t"})
    assert [(column["name"], column["type"]) for column in described["schema"]["columns"]] == [("n", "integer"), ("s", "text")]
    assert described["schema"]["columns"][1]["default"] == "x"
    assert access.perform("orm-schema", OWNER, {}) == {"t": described["schema"]}


def test_values_make_an_enum_of_a_typed_table(access: TableAccess) -> None:
    made(access, [{"name": "state", "type": "enum", "values": [{"key": "new", "label": "New"}], "default": "'new'"}])
    with pytest.raises(AccessError, match="takes one of new"):
        access.perform("insert", OWNER, {"table": "t", "data": {"state": "old"}})


@pytest.mark.parametrize(
    ("column", "message"),
    [
        ({"name": "a", "type": "TEXT PRIMARY KEY"}, "allowed is an SQL type"),
        ({"name": "a", "type": "INTEGER AS (1)"}, "allowed is an SQL type"),
        ({"name": "a", "type": "TEXT); DROP TABLE x; --"}, "allowed is an SQL type"),
        ({"name": "a", "type": 7}, "allowed is an SQL type"),
        ({"name": "a b", "type": "TEXT"}, "allowed is a letter"),
        ({"name": "_owner", "type": "TEXT"}, "allowed is a letter"),
        ({"name": "a", "type": "TEXT", "default": {}}, "plain value"),
        ({"name": "a", "type": "TEXT", "unique": True}, "unique is not known"),
        ("a TEXT", "must be an object"),
    ],
)
def test_a_column_that_is_none_is_refused_by_name(access: TableAccess, column: object, message: str) -> None:
    with pytest.raises(AccessError, match=message):
        made(access, [column])
    assert access.perform("tables", OWNER, {}) == []


def test_the_owner_sets_who_may_add_rows(access: TableAccess) -> None:
    made(access, [{"name": "a", "type": "TEXT"}])
    assert access.perform("set-policy", OWNER, {"table": "t", "policy": "open"}) == {"status": "updated"}
    assert access.perform("insert", BOB, {"table": "t", "data": {"a": "x"}}) == {"status": "inserted", "id": 1}
    with pytest.raises(AccessError, match="for the owner"):
        access.perform("set-policy", BOB, {"table": "t", "policy": "open"})
    with pytest.raises(AccessError, match="allowed is owner, open"):
        access.perform("set-policy", OWNER, {"table": "t", "policy": "everybody"})


def test_aggregates_have_names_of_their_own(access: TableAccess) -> None:
    made(access, [{"name": "a", "type": "INTEGER"}, {"name": "b", "type": "TEXT"}])
    for a, b in ((1, "x"), (2, "x"), (5, "y")):
        access.perform("insert", OWNER, {"table": "t", "data": {"a": a, "b": b}})
    expression = "COUNT(*) AS n, SUM(a) as total"
    answer = access.perform("aggregate", BOB, {"table": "t", "expr": expression, "group_by": "b", "order": "b"})
    assert answer == [{"b": "x", "n": 2, "total": 3}, {"b": "y", "n": 1, "total": 5}]
    with_group = {"table": "t", "expr": f"b, {expression}", "group_by": "b", "order": "b"}
    assert access.perform("aggregate", BOB, with_group) == answer, "as pages of Goop2 write it"
    with pytest.raises(AccessError):
        access.perform("aggregate", BOB, {"table": "t", "expr": "b", "group_by": "b"})
    for wrong in (
        "a, count(*) AS n",
        "count(*), sum(a)",
        "sum(a) AS n, load_extension(a)",
        "sum(a) AS n; DROP TABLE t",
        "sum((SELECT 1)) AS n",
    ):
        with pytest.raises(AccessError):
            access.perform("aggregate", BOB, {"table": "t", "expr": wrong})
