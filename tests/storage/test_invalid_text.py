"""One TEXT that is not UTF-8 shuts no table: the rest is read, and table, row and column are named."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from goop2.storage import messages
from goop2.storage.database import Database, open_database
from goop2.storage.errors import StorageError
from goop2.storage.guard import EXEC, QUERY, SCALAR
from goop2.storage.owner_reader import Reading
from goop2.storage.policies import Visitor
from goop2.storage.table_access import TableAccess
from goop2.storage.typed_tables import TypedTables

BAD = "Jos\ufffd"
NAMES = [{"name": "name", "type": "text"}]
SAID = (
    "table guests, row 2, column name: the text is not UTF-8; U+FFFD stands for what cannot be read, and CAST(name AS BLOB) gives its bytes"
)


@pytest.fixture
def guests(database: Database) -> Database:
    TypedTables(database).create("guests", NAMES, {"access": {"read": "owner"}})
    for text in (b"Ann", b"Jos\xe9", "Zoë".encode()):
        database.rows("INSERT INTO guests (_owner, name) VALUES ('bob', CAST(? AS TEXT))", (text,))
    return database


def test_a_script_has_its_bytes(guests: Database) -> None:
    texts = [b"Ann", b"Jos\xe9", "Zoë".encode()]
    assert guests.query(QUERY, "SELECT name FROM guests ORDER BY _id").values == texts
    assert guests.query(QUERY, "SELECT name FROM guests WHERE _id > ? -- all\n;", (0,)).values == texts
    unclosed = (" /* all", ";/* all", " /* all *", " /*/", "/* -- all", " -- /* all", " /* ' */ -- /*")
    for end in (";", ";;", "; ; ", "; -- all", ";\n/* all; */ ;", " -- all", *unclosed):
        assert guests.query(QUERY, f"SELECT name FROM guests ORDER BY _id{end}").values == texts, end
    assert guests.query(QUERY, "SELECT name || '; -- x' FROM guests WHERE _id = 2").values == [b"Jos\xe9; -- x"]
    assert guests.query(QUERY, "WITH g AS (SELECT * FROM guests) SELECT name FROM g ORDER BY _id DESC LIMIT 2").values == texts[:0:-1]
    found = guests.query(QUERY, "SELECT _id, name AS name, x'ff' AS raw, 1.5 AS real, NULL AS gone FROM guests WHERE _id = 2")
    assert (found.names, found.values) == (("_id", "name", "raw", "real", "gone"), [2, b"Jos\xe9", b"\xff", 1.5, None])
    assert guests.first_value(SCALAR, "SELECT name FROM guests WHERE _id = 2") == b"Jos\xe9"
    assert texts[1] in TypedTables(guests).list("guests").values
    assert len(TypedTables(guests).get("guests", 2)) == 1
    with pytest.raises(StorageError, match="more than 2 rows"):
        guests.query(QUERY, "SELECT name FROM guests", rows_max=2)


def test_a_statement_that_writes_is_not_run_twice(guests: Database) -> None:
    assert guests.change(EXEC, "UPDATE guests SET _owner_email = _owner_email || 'x' RETURNING name") == 3
    assert guests.rows("SELECT DISTINCT _owner_email FROM guests") == [("x",)]


@pytest.fixture
def said() -> dict[str, None]:
    """What the owner was told, in order."""
    return {}


@pytest.fixture
def told(path: Path, guests: Database, said: dict[str, None]) -> Iterator[Database]:
    """The database of `guests`, on a connection that tells."""
    assert guests.last_id == 3
    database = open_database(path, on_invalid_text=said.setdefault)
    yield database
    database.close()


def test_a_page_has_what_can_be_read_and_the_owner_is_told(told: Database, said: dict[str, None]) -> None:
    access, bob = TableAccess(told), Visitor("bob")
    assert access.perform("pluck", bob, {"table": "guests", "column": "name"}) == ["Ann", BAD, "Zoë"]
    assert list(said) == [SAID]
    rows = access.perform("query", bob, {"table": "guests", "where": "name > ?", "args": ["A"]}, condition="_id > 1")
    assert isinstance(rows, list)
    assert [row["name"] for row in rows] == [BAD, "Zoë"]
    assert access.perform("count", bob, {"table": "guests"}) == {"count": 3}


def test_the_owner_reads_and_exports_it(told: Database, said: dict[str, None]) -> None:
    reading = Reading(told, said)
    with reading.query(reading.everything("guests")) as (names, rows):
        assert [row[list(names).index("name")] for row in rows] == ["Ann", BAD, "Zoë"]
    assert reading.unreadable == [SAID]
    with reading.query("SELECT name || '!' AS loud FROM guests ORDER BY _id") as (_, rows):
        assert list(rows) == [("Ann!",), (f"{BAD}!",), ("Zoë!",)]
    assert reading.unreadable[1:] == ["row 2 of the answer, column loud: the text is not UTF-8; U+FFFD stands for what cannot be read"]


def test_a_message_of_old_bytes_does_not_shut_its_conversation(database: Database) -> None:
    messages.create_schema(database)
    for text in (b"hello", b"Jos\xe9"):
        database.rows("INSERT INTO _chat_messages (peer_id, from_id, content, ts) VALUES ('p', 'p', CAST(? AS TEXT), 1)", (text,))
    assert [message.content for message in messages.page(database, "p", None, 10)] == ["hello", BAD]


def test_columns_of_one_name_are_all_there(database: Database) -> None:
    """As ever the last has the name, so that no script reads another column than before."""
    found = database.query(QUERY, "SELECT 1 AS x, 2 AS y, 3 AS x, 4 AS 'x:1', 5 AS x")
    assert dict(zip(found.names, found.values, strict=True)) == {"x:2": 1, "y": 2, "x:3": 3, "x:1": 4, "x": 5}
    assert database.records(QUERY, "SELECT 1 AS x, 2 AS x") == [{"x:1": 1, "x": 2}]
    joined = database.query(QUERY, "SELECT a.*, b.* FROM _tables AS a, _tables AS b")
    assert len(set(joined.names)) == len(joined.names)
