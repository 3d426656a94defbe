"""Rows that are hidden from a caller: no term the caller writes is computed for one, whatever it costs and however it fails."""

from __future__ import annotations

from types import SimpleNamespace
from typing import cast

import apsw
import pytest

from goop2.storage import row_visibility
from goop2.storage.database import Database
from goop2.storage.errors import AccessError
from goop2.storage.policies import Visitor
from goop2.storage.table_access import TableAccess
from goop2.storage.target_table import TargetTable
from goop2.storage.typed_tables import Owner, TypedTables

EVE = Visitor("eve")
CODE = [{"name": "code", "type": "text", "key": True}, {"name": "published", "type": "integer"}]
OWN = {"read": "owner", "insert": "open", "update": "owner", "delete": "owner"}
MANY = 5000
STEPS_A_HIDDEN_ROW = 10


@pytest.fixture
def access(database: Database) -> TableAccess:
    """invites: rows are their creators'; posts: open, and whoever shows a part of them does so by a filter."""
    typed = TypedTables(database)
    typed.create("invites", CODE, {"access": OWN})
    typed.create("posts", CODE)
    for table in ("invites", "posts"):
        for number in range(3):
            typed.insert(table, {"code": f"mine{number}", "published": 1}, Owner("eve"))
        typed.insert(table, {"code": "hunter2", "published": 0}, Owner("boss"))
    return TableAccess(database)


def told(access: TableAccess, operation: str, condition: str = "", /, **request: object) -> object:
    try:
        return access.perform(operation, EVE, request, condition=condition)
    except AccessError as error:
        return str(error)


@pytest.mark.parametrize(("table", "condition"), [("invites", ""), ("posts", "published = 1"), ("invites", "published = 1")])
@pytest.mark.parametrize(
    "where",
    [
        "code > '' AND iif(code = 'hunter2', json('{'||code), 0)",
        "code < 'm' AND json('{' || code)",
        "iif(code = 'hunter2', abs(-9223372036854775807 - 1), 0)",
        "EXISTS (SELECT 1 FROM (VALUES ('hunter2')) WHERE iif(column1 = code, json('{' || code), 0))",
        "code IN (VALUES ('hunter2')) AND json('{' || code)",
        "published = 0 AND json('{' || code)",
    ],
)
def test_a_term_that_fails_fails_for_no_hidden_row(access: TableAccess, table: str, condition: str, where: str) -> None:
    assert told(access, "query", condition, table=table, where=where) == []
    assert told(access, "count", condition, table=table, where=where) == {"count": 0}
    assert told(access, "distinct", condition, table=table, column="code", where=where) == []
    assert told(access, "aggregate", condition, table=table, expr="max(code)", where=where) == [{"value": None}]
    assert told(access, "query-one", condition, table=table, order=f"iif({where}, 1, 0), _id") is not None


def test_the_sites_own_filter_is_not_computed_for_rows_of_others(access: TableAccess, database: Database) -> None:
    """A filter that fails on somebody's row would tell everybody that there is one."""
    condition = "json(iif(code = 'hunter2', '{', '1')) = '1'"
    assert told(access, "count", condition, table="invites") == {"count": 3}
    assert told(access, "update", condition, table="invites", id=4, data={"published": 2}) == "invites has no row 4 that you may change"
    assert told(access, "delete", condition, table="invites", id=4) == "invites has no row 4 that you may change"


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT * FROM {}",
        "SELECT count(*) FROM {}",
        "SELECT max(code) FROM {}",
        "SELECT * FROM {} WHERE code = 'x'",
        "SELECT * FROM {} ORDER BY code",
        "SELECT DISTINCT code FROM {} WHERE code > 'x'",
        "SELECT code, count(*) FROM {} WHERE code > 'x' GROUP BY code",
        "SELECT * FROM {} WHERE EXISTS (SELECT 1 FROM (VALUES ('x')) WHERE column1 = code)",
        "SELECT row_number() OVER (ORDER BY code) FROM {} WHERE code > 'x'",
    ],
)
def test_the_view_is_read_apart_whatever_stands_around_it(database: Database, access: TableAccess, statement: str) -> None:
    """Of SQLite's own plan: what is flattened has no line for the view."""
    told(access, "query", table="invites", where="1")
    view = str(database.scalar("SELECT name FROM sqlite_temp_schema"))
    for end in ("", " LIMIT 5"):
        plan = [str(row[3]) for row in database.rows(f"EXPLAIN QUERY PLAN {statement.format(view)}{end}")]
        assert {f"CO-ROUTINE {view}", f"MATERIALIZE {view}"} & set(plan), plan
        assert "SCAN main.invites" in plan, plan


def steps(database: Database, work: object) -> int:
    """SQLite's own steps while `work` is done."""
    counted = [0]

    def count(event: dict[str, dict[str, int]]) -> None:
        counted[0] += event["stmt_status"]["SQLITE_STMTSTATUS_VM_STEP"]

    database.connection.trace_v2(apsw.SQLITE_TRACE_PROFILE, count)
    try:
        work()  # type: ignore[operator]
    finally:
        database.connection.trace_v2(0, None)
    return counted[0]


def test_a_page_of_a_large_table_is_not_the_whole_of_it(database: Database) -> None:
    access = TableAccess(database)
    TypedTables(database).create("large", CODE, {"access": OWN})
    numbers = f"WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n LIMIT {MANY}) SELECT 'eve', x, 1 FROM n"
    database.rows(f"INSERT INTO large (_owner, code, published) {numbers}")
    TypedTables(database).create("shown", CODE)
    database.rows(f"INSERT INTO shown (_owner, code, published) {numbers}")
    for order in ("code", '"code" DESC'):
        assert len(told(access, "query", "published = 1", table="shown", limit=20, order=order)) == 20  # type: ignore[arg-type]
        assert steps(database, lambda o=order: told(access, "query", "published = 1", table="shown", limit=20, order=o)) < 2000
    for condition in ("", "published = 1"):
        for request in ({"limit": 20}, {"limit": 20, "order": "_id DESC"}, {"limit": 20, "order": '"_id" asc'}):
            assert len(told(access, "query", condition, table="large", **request)) == 20  # type: ignore[arg-type]
            assert steps(database, lambda r=request, c=condition: told(access, "query", c, table="large", **r)) < 2000
        for where in ("_id = ?", '"large"."code" = ?', "code = ?"):
            assert len(told(access, "query", condition, table="large", where=where, args=[MANY - 1])) == 1  # type: ignore[arg-type]
            assert steps(database, lambda w=where, c=condition: told(access, "query", c, table="large", where=w, args=["77"])) < 2000


def test_the_order_and_the_one_row_are_those_that_were_asked_for(access: TableAccess) -> None:
    def ids(**request: object) -> object:
        return told(access, "pluck", table="invites", column="_id", **request)

    assert ids() == ids(order="_id") == ids(order=" _id ASC ") == [1, 2, 3]
    assert ids(order="_id desc") == ids(order='"_id" DESC') == [3, 2, 1]
    assert ids(order="_id DESC, code") == [3, 2, 1]
    assert ids(where="code = ?", args=["mine1"]) == ids(where=' "invites" . "code" = ? ', args=["mine1"]) == [2]
    assert ids(where="_id = ?", args=["2"]) == ids(where="_id = ?", args=[2.0]) == [2]
    assert ids(where="_id = ?", args=[4]) == ids(where="_id = ?", args=[None]) == ids(where="code = ?", args=["hunter2"]) == []
    assert ids(where="published = ?", args=[1], order="_id DESC") == [3, 2, 1]
    assert "takes 1, not 0" in str(ids(where="_id = ?"))


def test_a_hidden_row_costs_the_same_whatever_stands_in_it(database: Database) -> None:
    slow = " + ".join(f"(SELECT count(*) FROM (VALUES {', '.join(['(1)'] * 20)}), (VALUES {', '.join(['(1)'] * 20)}))" for _ in range(3))
    where = f"code > '' AND iif(code > 'h', {slow}, 1)"
    access = TableAccess(database)
    TypedTables(database).create("invites", CODE, {"access": OWN})
    taken = []
    for letter in ("", "a", "z"):
        database.rows("DELETE FROM invites")
        if letter:
            numbers = "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n LIMIT 100)"
            database.rows(f"INSERT INTO invites (_owner, code) {numbers} SELECT 'boss', '{letter}' || x FROM n")
        taken.append(steps(database, lambda: told(access, "query", table="invites", where=where)))
    none, low, high = taken
    assert low == high
    assert low - none <= 100 * STEPS_A_HIDDEN_ROW


def test_a_table_that_is_numbered_otherwise_is_read_in_its_own_order(database: Database) -> None:
    database.rows("CREATE TABLE old (_id TEXT PRIMARY KEY, _owner TEXT, body TEXT) WITHOUT ROWID")
    database.rows("CREATE TABLE odd (_id INTEGER, _owner TEXT, n INTEGER PRIMARY KEY)")
    database.rows("CREATE TABLE late (_id INTEGER PRIMARY KEY DESC, _owner TEXT)")
    database.rows(
        "INSERT INTO _tables (name, schema, insert_policy) VALUES ('old', '', 'email'), ('odd', '', 'email'), ('late', '', 'email')"
    )
    assert not any(row_visibility.ways(database, name).numbering for name in ("old", "odd", "late"))
    assert row_visibility.ways(database, "old").keys == {"_id"}
    access = TableAccess(database)
    for row in ("b", "a", "c"):
        database.rows("INSERT INTO old VALUES (?, iif(?1 = 'c', 'boss', 'eve'), 'x')", (row,))
    reader = Visitor("eve")
    assert access.perform("pluck", reader, {"table": "old", "column": "_id", "order": "_id DESC"}) == ["b", "a"]
    assert access.perform("count", reader, {"table": "old", "where": "json(iif(_id = 'c', '{', '1'))"}) == {"count": 2}


def test_a_key_is_the_column_of_a_whole_index(database: Database) -> None:
    database.rows("CREATE TABLE t (_id INTEGER PRIMARY KEY, a TEXT UNIQUE, b TEXT, c TEXT, d TEXT, e TEXT, UNIQUE (b, c))")
    database.rows("CREATE UNIQUE INDEX part ON t (d) WHERE e > ''")
    database.rows("CREATE UNIQUE INDEX computed ON t (lower(e))")
    database.rows("CREATE INDEX plain ON t (d)")
    assert row_visibility.ways(database, "t") == row_visibility.Ways(
        frozenset({"_id"}), frozenset({"_id", "a"}), frozenset({"a", "b", "d"})
    )


@pytest.mark.parametrize(
    ("where", "key"),
    [
        ("_id = ?", "_id"),
        ('"_id" = ?', "_id"),
        ("invites._id = ?", "_id"),
        ('"invites"."_id" = ?', "_id"),
        ("other._id = ?", ""),
        ('"other"."_id" = ?', ""),
    ],
)
def test_only_a_key_of_the_table_itself_is_told_to_its_view(where: str, key: str) -> None:
    subject = cast(TargetTable, SimpleNamespace(name="invites"))
    ways = row_visibility.Ways(frozenset({"_id"}), frozenset({"_id"}))
    rows = row_visibility.with_request(row_visibility.VisibleRows(True, ""), ways, subject, where, "", (1,))
    assert rows.key == key
