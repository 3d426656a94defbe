"""last_insert_rowid(), changes() and total_changes() tell of the run they are asked in, and of no other on the same connection."""

from __future__ import annotations

import pytest

from goop2.storage.database import Database
from goop2.storage.errors import AccessError
from goop2.storage.guard import EXEC, QUERY
from goop2.storage.policies import Visitor
from goop2.storage.table_access import TableAccess
from goop2.storage.typed_tables import Owner, TypedTables

ASKED = "SELECT last_insert_rowid(), changes(), total_changes()"


@pytest.fixture
def posts(database: Database) -> Database:
    TypedTables(database).create("posts", [{"name": "body", "type": "text"}], {"access": {"insert": "open"}})
    database.begin_anew()
    return database


def test_a_run_is_told_of_its_own_changes_alone(posts: Database) -> None:
    for number in range(3):
        TypedTables(posts).insert("posts", {"body": str(number)}, Owner("x"))
    assert posts.query(QUERY, ASKED).values == [3, 1, 3]
    posts.change(EXEC, "UPDATE posts SET body = 'x'")
    assert posts.query(QUERY, ASKED).values == [3, 3, 6]
    posts.begin_anew()
    assert posts.query(QUERY, ASKED).values == [0, 0, 0]
    posts.change(EXEC, "INSERT INTO posts (_owner, body) SELECT 'x', last_insert_rowid() || ',' || changes() || ',' || total_changes()")
    assert posts.rows("SELECT body FROM posts ORDER BY _id DESC LIMIT 1") == [("0,0,0",)]
    assert posts.query(QUERY, ASKED).values == [4, 1, 1]
    posts.change(EXEC, "DELETE FROM posts WHERE body = 'nosuch'")
    assert posts.query(QUERY, ASKED).values == [4, 0, 1]


def test_a_trigger_of_the_site_is_told_what_sqlite_tells_it(posts: Database) -> None:
    posts.rows("CREATE TABLE log (last, changed)")
    posts.rows(
        "CREATE TRIGGER logged AFTER INSERT ON posts BEGIN INSERT INTO log VALUES (last_insert_rowid(), 0);"
        " UPDATE log SET changed = changes(); END"
    )
    posts.change(EXEC, "INSERT INTO posts (_owner, body) VALUES ('x', 'y')")
    assert posts.rows("SELECT * FROM log") == [(1, 1)]


def test_a_stranger_is_told_nothing_of_who_came_before(posts: Database) -> None:
    access = TableAccess(posts)
    for number in range(3):
        access.perform("insert", Visitor("alice"), {"table": "posts", "data": {"body": str(number)}})
    for told in ("last_insert_rowid()", "changes()", "total_changes()"):
        assert access.perform("count", Visitor("bob"), {"table": "posts", "where": f"{told} = 0"}) == {"count": 3}
    with pytest.raises(AccessError):
        access.perform("count", Visitor("bob"), {"table": "posts", "where": "sqlite_log(1, 'x')"})


@pytest.mark.parametrize("asked", ["_py_key() = 'secret'", "_py_key() IS NULL", "_py_caller() = 'bob'", "iif(_PY_KEY() > 'a', 1, 0)"])
def test_a_stranger_is_told_nothing_of_the_key_another_asked_for(posts: Database, asked: str) -> None:
    TypedTables(posts).create("codes", [{"name": "code", "type": "text", "key": True}], {"access": {"read": "owner", "insert": "open"}})
    access = TableAccess(posts)
    access.perform("insert", Visitor("alice"), {"table": "codes", "data": {"code": "secret"}})
    access.perform("insert", Visitor("bob"), {"table": "posts", "data": {"body": "mine"}})
    for table in ("posts", "codes"):  # one whose rows all may read, and one that has a view with a key of its own
        query = {"table": "codes", "where": "code = ?", "args": ["secret"]}
        assert len(access.perform("query", Visitor("alice"), query)) == 1  # type: ignore[arg-type]
        with pytest.raises(AccessError):
            access.perform("exists", Visitor("bob"), {"table": table, "where": asked})
