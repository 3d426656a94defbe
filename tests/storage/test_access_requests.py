"""The keys of a request from outside: what is not of their kind is refused with a sentence, for typed and classic tables alike."""

from __future__ import annotations

import pytest

from goop2.storage import table_access as module
from goop2.storage.database import Database
from goop2.storage.errors import AccessError
from goop2.storage.policies import Visitor
from goop2.storage.table_access import TableAccess
from goop2.storage.typed_tables import Owner, TypedTables

OWNER = Visitor("owner-id", owner=True)
BOB = Visitor("bob-id")


@pytest.fixture
def access(database: Database) -> TableAccess:
    """posts is typed, old is classic; anybody adds to both."""
    typed, access = TypedTables(database), TableAccess(database)
    typed.create("posts", [{"name": "body", "type": "text"}], {"access": {"insert": "open", "update": "owner"}})
    access.perform("create-table", OWNER, {"name": "old", "column_defs": [{"name": "body", "type": "TEXT"}]})
    database.rows("UPDATE _tables SET insert_policy = 'open' WHERE name = 'old'")
    for body in ("a", "b"):
        typed.insert("posts", {"body": body}, Owner("owner-id"))
    return access


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("where", 5, "where must be a text"),
        ("order", ["body"], "order must be a text"),
        ("args", "x", "args must be a list of plain values"),
        ("args", {"body": "a"}, "args must be a list of plain values"),
        ("args", [["a"]], "args must be a list of plain values"),
        ("limit", -1, "limit must be a whole number from 0"),
        ("limit", True, "limit must be a whole number from 0"),
        ("limit", "ten", "limit must be a whole number from 0"),
        ("offset", 2**64, "offset must be a whole number from 0"),
        ("columns", "body", "columns must be a list of names"),
    ],
)
def test_a_key_of_the_wrong_kind(access: TableAccess, key: str, value: object, message: str) -> None:
    with pytest.raises(AccessError, match=message):
        access.perform("query", BOB, {"table": "posts", "where": "body = ?" if key == "args" else None, key: value})


@pytest.mark.parametrize("table", ["posts", "old"])
@pytest.mark.parametrize(
    "data", [{"body": {"a": 1}}, {"body": ["a"]}, {"_owner": "x"}, {"_id": 7}, {"nosuch": 1}, {"BODY": "x"}, [], None, "body"]
)
def test_data_that_no_row_can_be_made_of(access: TableAccess, database: Database, table: str, data: object) -> None:
    with pytest.raises(AccessError, match=r"data must be|has no column|is set by the peer"):
        access.perform("insert", BOB, {"table": table, "data": data})
    assert database.scalar("SELECT count(*) FROM old") == 0


@pytest.mark.parametrize("row", [-1, "x", "-1", "1.5", " ", True, 1.5, None, 2**64])
def test_an_id_is_a_whole_number(access: TableAccess, row: object) -> None:
    for operation in ("update", "delete"):
        with pytest.raises(AccessError, match="id must be a whole number"):
            access.perform(operation, BOB, {"table": "posts", "id": row, "data": {"body": "x"}})


def test_a_whole_number_may_be_numeric_text(access: TableAccess) -> None:
    assert access.perform("pluck", BOB, {"table": "posts", "column": "body", "limit": "1", "offset": "1"}) == ["b"]
    assert access.perform("update", OWNER, {"table": "posts", "id": "1", "data": {"body": "x"}}) == {"status": "updated"}
    assert access.perform("delete", OWNER, {"table": "posts", "id": "1"}) == {"status": "deleted"}


def test_a_whole_number_may_be_written_as_a_real(access: TableAccess) -> None:
    assert access.perform("pluck", BOB, {"table": "posts", "column": "body", "limit": 1.0, "offset": 1.0}) == ["b"]
    assert access.perform("update", OWNER, {"table": "posts", "id": 1.0, "data": {"body": "x"}}) == {"status": "updated"}


def test_a_comment_ends_with_its_line(access: TableAccess) -> None:
    request = {"table": "posts", "column": "body", "where": "1 -- all", "order": "_id DESC -- the newest", "limit": 1}
    assert access.perform("pluck", BOB, request) == ["b"]


def test_an_index_is_no_table(access: TableAccess, database: Database) -> None:
    database.rows("CREATE INDEX by_body ON posts (body)")
    with pytest.raises(AccessError, match="there is no table"):
        access.perform("query", OWNER, {"table": "by_body"})


def test_views_are_kept_for_so_many_questions_and_no_more(access: TableAccess, database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "VIEWS_KEPT", 3)
    for number in range(10):
        access.perform("count", BOB, {"table": "posts"}, condition=f"_id > {number}")
    assert database.scalar("SELECT count(*) FROM sqlite_temp_schema") == 3
    assert access.perform("count", BOB, {"table": "posts"}, condition="_id > 1") == {"count": 1}
