"""goop.schema's eleven functions over a real database, called as the worker calls them."""

from __future__ import annotations

import json

import pytest

from goop2.storage.database import Database
from goop2.storage.errors import DeclarationError, StorageError
from goop2.storage.typed_tables import Owner, TypedTables
from goop2.storage.values import TYPES

ALICE = Owner("alice", "alice@example.org")
SCORES = [{"name": "player", "type": "text", "required": True}, {"name": "points", "type": "integer", "default": 0}]
GOOD = {
    "text": "x\0y 🙂",
    "integer": -(2**53),
    "real": 1e308,
    "blob": b"\xff\x00",
    "guid": "3f2504e0-4f89-41d3-9a0c-0305e82c3301",
    "datetime": "2026-01-31 23:59:59",
    "date": "2026-01-31",
    "time": "23:59",
    "enum": "red",
}
BAD: dict[str, list[object]] = {
    "text": [5, 1.5, True, b"\xff"],
    "integer": [1.5, "5", True, 2**63, b"\xff", "9223372036854775808", "1000000000000000", str(2**53)],
    "real": ["1", True, float("nan"), float("inf"), 2**53 + 1, 10**400],
    "blob": [5],
    "guid": ["x", 5, "3f2504e04f8941d39a0c0305e82c3301"],
    "datetime": ["soon", 5, "2026-13-01", "20260131", "2026-W05-6", "2026-01-31x23:59", "2026-01-31 23:59\n", "٢٠٢٦-01-31"],
    "date": ["2026-02-30", "2026", "20260131", "2026-01-31 00:00"],
    "time": ["25:00", 5, "23", "235959", "T23:59"],
    "enum": ["green", 5],
}


@pytest.fixture
def typed(database: Database) -> TypedTables:
    typed = TypedTables(database)
    typed.create("scores", SCORES)
    return typed


def column(kind: str, **more: object) -> dict[str, object]:
    return {"name": "c", "type": kind, **({"values": ["red", {"key": "blue", "label": "Blue"}]} if kind == "enum" else {}), **more}


def rows(typed: TypedTables, table: str, **options: object) -> list[tuple[object, ...]]:
    found = typed.find(table, options)
    width = len(found.names)
    return [tuple(found.values[start : start + width]) for start in range(0, len(found.values), width or 1)]


def test_a_row_is_its_creators_and_has_the_systems_columns(typed: TypedTables) -> None:
    assert typed.insert("scores", {"player": "Alice"}, ALICE) == 1
    found = typed.get("scores", 1)
    row = dict(zip(found.names, found.values, strict=True))
    assert row | {"_created_at": 0, "_updated_at": 0} == {
        "_id": 1,
        "_owner": b"alice",
        "_owner_email": b"alice@example.org",
        "_created_at": 0,
        "_updated_at": 0,
        "player": b"Alice",
        "points": 0,
    }


@pytest.mark.parametrize("kind", TYPES)
def test_a_good_value_comes_back_as_it_went_in(typed: TypedTables, kind: str) -> None:
    typed.create("t", [column(kind)])
    typed.insert("t", {"c": GOOD[kind]}, ALICE)
    value = GOOD[kind]
    assert rows(typed, "t", fields=["c"]) == [(value.encode() if isinstance(value, str) else value,)]


@pytest.mark.parametrize(("kind", "value"), [(kind, value) for kind, values in BAD.items() for value in values])
def test_a_value_of_the_wrong_type_is_refused_naming_table_and_column(typed: TypedTables, kind: str, value: object) -> None:
    typed.create("t", [column(kind)])
    with pytest.raises(StorageError, match=r"^t\.c takes "):
        typed.insert("t", {"c": value}, ALICE)
    assert rows(typed, "t") == []


@pytest.mark.parametrize("value", [2**53 + 1, -(2**53) - 1, 2**63 - 1, -(2**63)])
def test_an_integer_beyond_2_to_the_53_goes_in_and_out_as_digits(typed: TypedTables, value: int) -> None:
    row = typed.insert("scores", {"player": "x", "points": str(value)}, ALICE)
    assert rows(typed, "scores", where="_id = ? AND typeof(points) = 'integer'", args=[row], fields=["points"]) == [(str(value).encode(),)]


def test_64_kb_of_text_come_back(typed: TypedTables) -> None:
    typed.insert("scores", {"player": "ä" * 32768}, ALICE)
    assert rows(typed, "scores", fields=["player"]) == [(("ä" * 32768).encode(),)]


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({}, "scores.player is required"),
        ({"player": None}, "scores.player is required"),
        ({"player": "x", "colour": 1}, 'scores has no column "colour"'),
        ({"player": "x", "_id": 1}, "scores._id is set by the peer"),
        ({"player": "x", "_owner": "y"}, "scores._owner is set by the peer"),
    ],
)
def test_what_cannot_be_inserted_does_not_validate(typed: TypedTables, row: dict[str, object], message: str) -> None:
    for attempt in (lambda: typed.insert("scores", row, ALICE), lambda: typed.validate("scores", row)):
        with pytest.raises(StorageError) as refused:
            attempt()
        assert message in str(refused.value)


def test_an_update_is_partial(typed: TypedTables) -> None:
    typed.insert("scores", {"player": "Alice", "points": 1}, ALICE)
    assert typed.update("scores", 1, {"points": 200})
    assert rows(typed, "scores", fields=["player", "points"]) == [(b"Alice", 200)]
    with pytest.raises(StorageError, match=r"scores\.player is required"):
        typed.update("scores", 1, {"player": None})
    assert not typed.update("scores", 2, {"points": 1})


def test_find_takes_where_args_order_limit_offset_and_fields(typed: TypedTables) -> None:
    for points in range(5):
        typed.insert("scores", {"player": f"p{points}", "points": points}, ALICE)
    assert rows(typed, "scores", where="points > ?", args=[1], order="_id DESC", limit=2, offset=1, fields=["player"]) == [
        (b"p3",),
        (b"p2",),
    ]
    assert rows(typed, "scores", where="1 -- all of them", limit=1, fields=["_id"]) == [(1,)]


@pytest.mark.parametrize(
    "options",
    [
        {"where": "1) UNION SELECT * FROM _py_kv --"},
        {"where": "(SELECT 1 FROM other)"},
        {"order": "(SELECT c FROM other)"},
        {"fields": ["1"]},
        {"fields": ["player FROM other --"]},
        {"limit": -1},
        {"limit": "one"},
        {"offset": 1.5},
        {"args": {"a": 1}},
        {"nosuch": 1},
        {"where": 5},
    ],
)
def test_find_reaches_no_other_table(typed: TypedTables, options: dict[str, object]) -> None:
    typed.create("other", [column("text")])
    with pytest.raises(StorageError):
        typed.find("scores", options)


def test_the_same_declaration_again_is_fine_and_new_optional_columns_are_added(typed: TypedTables) -> None:
    typed.insert("scores", {"player": "x"}, ALICE)
    typed.create("scores", SCORES)
    typed.create("scores", [*SCORES, {"name": "level", "type": "integer", "default": 3}])
    assert rows(typed, "scores", fields=["level"]) == [(3,)]
    assert [column.name for column in typed.table("scores").columns] == ["player", "points", "level"]


@pytest.mark.parametrize(
    "columns",
    [
        [{"name": "player", "type": "integer", "required": True}, SCORES[1]],
        [SCORES[0]],
        [*SCORES, {"name": "level", "type": "integer", "required": True}],
        [*SCORES, {"name": "Player", "type": "text"}],
        [{"name": "_id", "type": "integer"}],
        [{"name": "a b", "type": "text"}],
        [{"name": "x", "type": "number"}],
        [{"name": "x", "type": "enum"}],
        [{"name": "x", "type": "text", "default": 5}],
        [{"name": "x", "type": "text", "default": "a\0b"}],
        [{"name": "x", "type": "text", "auto": True}],
        [{"name": "x", "type": "text", "requird": True}],
        [],
        "x",
    ],
)
def test_any_other_declaration_is_an_error_and_changes_nothing(typed: TypedTables, database: Database, columns: object) -> None:
    before = database.rows("SELECT sql FROM sqlite_schema"), database.rows("SELECT * FROM _orm_schemas")
    with pytest.raises(StorageError):
        typed.create("scores", columns)
    assert (database.rows("SELECT sql FROM sqlite_schema"), database.rows("SELECT * FROM _orm_schemas")) == before


def test_the_layout_is_the_networks(typed: TypedTables, database: Database) -> None:
    assert database.scalar("SELECT sql FROM sqlite_schema WHERE name = 'scores'") == (
        "CREATE TABLE \"scores\" (_id INTEGER PRIMARY KEY AUTOINCREMENT, _owner TEXT NOT NULL, _owner_email TEXT DEFAULT '', "
        "_created_at DATETIME DEFAULT CURRENT_TIMESTAMP, _updated_at DATETIME DEFAULT CURRENT_TIMESTAMP, "
        '"player" TEXT NOT NULL, "points" INTEGER DEFAULT 0)'
    )
    assert json.loads(str(database.scalar("SELECT schema_json FROM _orm_schemas WHERE table_name = 'scores'"))) == {
        "name": "scores",
        "columns": [{"name": "player", "type": "text", "required": True}, {"name": "points", "type": "integer", "default": 0}],
        "access": {"read": "open", "insert": "owner", "update": "owner", "delete": "owner"},
        "system_key": True,
    }
    assert database.rows("SELECT name, insert_policy FROM _tables") == [("scores", "owner")]


def test_auto_columns_make_their_own_values(typed: TypedTables) -> None:
    autos = [{"name": kind, "type": kind, "auto": True} for kind in ("guid", "datetime", "date", "time")]
    typed.create("t", [*autos, {"name": "number", "type": "integer", "auto": True}])
    typed.insert("t", {"number": 41}, ALICE)
    typed.insert("t", {}, ALICE)
    guid, moment, number = rows(typed, "t", fields=["guid", "datetime", "number"])[1]
    assert (len(str(guid)), len(str(moment)), number) == (len(str(b"x" * 36)), len(str(b"x" * 19)), 42)


def test_numbering_ends_at_the_last_integer(typed: TypedTables) -> None:
    typed.create("t", [{"name": "number", "type": "integer", "auto": True}])
    typed.insert("t", {"number": str(2**63 - 1)}, ALICE)
    with pytest.raises(StorageError, match="integer overflow"):
        typed.insert("t", {}, ALICE)
    assert len(rows(typed, "t")) == 1


@pytest.mark.parametrize(
    ("kind", "value"), [*GOOD.items(), ("text", ""), ("text", 'it\'s "1"'), ("real", 1e20), ("integer", str(-(2**63)))]
)
def test_a_default_is_what_it_says(typed: TypedTables, database: Database, kind: str, value: object) -> None:
    plain = value.decode("latin-1") if isinstance(value, bytes) else value.replace("\0", "") if isinstance(value, str) else value
    typed.create("t", [column(kind, default=plain), {"name": "other", "type": "text"}])
    typed.insert("t", {"other": "x"}, ALICE)
    typed.insert("t", {"c": plain}, ALICE)
    (made,), (given,) = database.rows("SELECT typeof(c) || ' ' || quote(c) FROM t ORDER BY _id")
    assert made == given


def test_a_large_number_of_a_page_is_a_real(typed: TypedTables) -> None:
    typed.create("t", [column("real")])
    typed.insert("t", {"c": 10**20}, ALICE)  # as JavaScript writes 1e20
    assert rows(typed, "t", fields=["c"]) == [(1e20,)]


def test_a_key_names_one_row(typed: TypedTables) -> None:
    typed.create("t", [column("text", key=True)])
    typed.insert("t", {"c": "a"}, ALICE)
    with pytest.raises(StorageError, match="UNIQUE"):
        typed.insert("t", {"c": "a"}, ALICE)


def test_a_table_that_is_not_typed_is_none(typed: TypedTables, database: Database) -> None:
    database.rows("CREATE TABLE classic (_id INTEGER PRIMARY KEY)")
    assert typed.lookup("classic") is None
    with pytest.raises(StorageError, match="no typed table"):
        typed.find("classic")
    with pytest.raises(StorageError, match="a table classic is there already, not a typed one"):
        typed.create("classic", SCORES)
    with pytest.raises(StorageError, match="a table scores is there already, and names differ in more than capitals"):
        typed.create("Scores", SCORES)


ODD = (
    ("integer", {"default": "0"}),
    ("datetime", {"default": "now"}),
    ("enum", {"default": "gone", "values": [{"key": "red", "label": "Red"}]}),
    ("text", {"default": {"a": 1}, "label": "C"}),
)


@pytest.mark.parametrize(("kind", "more"), ODD)
def test_a_default_another_peer_registered_is_not_judged(
    typed: TypedTables, database: Database, kind: str, more: dict[str, object]
) -> None:
    schema = {"name": "of theirs", "columns": [{"name": "c", "type": kind, **more}], "access": {"read": "whoever"}}
    database.rows('CREATE TABLE "Of Theirs" (_id INTEGER PRIMARY KEY, _owner TEXT, _owner_email TEXT, _updated_at TEXT, c)')
    database.rows("INSERT INTO _orm_schemas (table_name, schema_json) VALUES ('of theirs', ?)", (json.dumps(schema),))
    assert typed.insert("of theirs", {}, ALICE) == 1
    assert typed.update("of theirs", 1, {"c": None})
    assert len(typed.list("of theirs")) == 1
    assert typed.table("of theirs").access["read"] == "local", "a policy nobody knows is closed"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"fields": "player"}, "fields is a list of columns"),
        ({"where": "points = ?", "args": [[1]]}, "args must be a list of texts and numbers"),
        ({"where": "points = ?", "args": {"points": 1}}, "args must be a list of texts and numbers"),
        ({"where": 5}, "where is a text"),
        ({"limit": True}, "limit is a whole number"),
        ({"offset": -1}, "offset is a whole number"),
    ],
)
def test_an_option_of_the_wrong_kind_is_told(typed: TypedTables, options: dict[str, object], message: str) -> None:
    with pytest.raises(StorageError, match=message):
        typed.find("scores", options)


def test_a_comment_in_order_ends_with_its_line(typed: TypedTables) -> None:
    for name in ("a", "b"):
        typed.insert("scores", {"player": name}, ALICE)
    assert rows(typed, "scores", order="_id DESC -- the newest", limit=1, fields=["player"]) == [(b"b",)]


@pytest.mark.parametrize("row_id", [True, 1.5, "x", "1.5", "", "9" * 19, "1e3", "１", 2**64, None])
def test_an_id_is_a_whole_number(typed: TypedTables, row_id: object) -> None:
    for attempt in (typed.get, typed.delete):
        with pytest.raises(StorageError, match="_id is a whole number"):
            attempt("scores", row_id)


def test_another_access_is_not_the_same_declaration(typed: TypedTables) -> None:
    with pytest.raises(StorageError, match="access is declared otherwise already"):
        typed.create("scores", SCORES, {"access": {"read": "owner"}})


ROLES = {"author": {"read": True, "insert": True}, "viewer": {"read": True}}


def test_roles_are_declared_with_the_table_and_do_not_change(typed: TypedTables) -> None:
    typed.create("cards", SCORES, {"access": {"insert": "group"}, "roles": ROLES})
    assert (typed.table("cards").rights or {})["author"] == {"read": True, "insert": True, "update": False, "delete": False}
    typed.create("cards", SCORES, {"roles": ROLES})
    typed.create("cards", SCORES)
    others: tuple[object, ...] = ({"author": {"read": True}}, {}, [])
    for other in others:
        with pytest.raises(StorageError, match="roles are declared otherwise already"):
            typed.create("cards", SCORES, {"roles": other})
    typed.create("plain", SCORES, {"roles": []})
    assert typed.table("plain").rights is None


@pytest.mark.parametrize(
    ("roles", "said"),
    [
        ("all", "roles should be an object of roles"),
        ({"author": True}, "roles should be an object of roles"),
        ({"author": {"raed": True}}, r"roles\.author\.raed should be one of read, insert, update, delete, true or false"),
        ({"author": {"read": "yes"}}, r"roles\.author\.read should be one of"),
    ],
)
def test_roles_that_are_none_make_no_table(typed: TypedTables, roles: object, said: str) -> None:
    with pytest.raises(StorageError, match=said):
        typed.create("cards", SCORES, {"roles": roles})
    assert typed.lookup("cards") is None


def test_columns_are_added_all_or_none(typed: TypedTables, database: Database) -> None:
    before = database.rows("SELECT sql FROM sqlite_schema")
    later = {"name": "seen", "type": "datetime", "default": "CURRENT_TIMESTAMP"}
    with pytest.raises(StorageError, match=r"scores\.seen: a column added later"):
        typed.create("scores", [*SCORES, {"name": "level", "type": "integer"}, later])
    assert database.rows("SELECT sql FROM sqlite_schema") == before


def test_a_declaration_of_another_name_is_damaged(typed: TypedTables, database: Database) -> None:
    database.rows("UPDATE _orm_schemas SET table_name = 'points'")
    with pytest.raises(DeclarationError, match='name is "scores"'):
        typed.table("points")


def test_an_id_and_a_limit_may_be_numeric_text(typed: TypedTables) -> None:
    typed.insert("scores", {"player": "x"}, ALICE)
    assert len(typed.get("scores", "1")) == 1
    assert typed.update("scores", "1", {"points": 2})
    assert len(typed.list("scores", "5")) == 1
    assert rows(typed, "scores", fields=["points"], limit="1", offset="0") == [(2,)]
    assert typed.delete("scores", "1")


def test_an_id_beyond_what_a_double_holds_is_taken_back_as_it_was_given(typed: TypedTables, database: Database) -> None:
    database.rows("INSERT INTO scores (_id, _owner, player) VALUES (9007199254740995, 'a', 'x')")
    (given,) = typed.get("scores", 9007199254740995).values[:1]
    assert given == b"9007199254740995"
    assert len(typed.get("scores", given.decode())) == 1


def test_more_rows_than_fit_is_an_error_that_names_the_table_and_the_remedy(typed: TypedTables, database: Database) -> None:
    database.rows(
        "INSERT INTO scores (_owner, player) "
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 1001) SELECT 'a', i FROM n"
    )
    for read in (typed.list, typed.find):
        with pytest.raises(StorageError, match="scores gives more than 1000 rows; give limit and offset"):
            read("scores")
    assert len(typed.list("scores", 1000)) == 1000


def test_rows_are_counted(typed: TypedTables) -> None:
    for points in (1, 2, 3):
        typed.insert("scores", {"player": "x", "points": points}, ALICE)
    assert typed.count("scores") == 3
    assert typed.count("scores", {"where": "points > ?", "args": [1]}) == 2
    with pytest.raises(StorageError, match="limit is not an option of count"):
        typed.count("scores", {"limit": 1})
    with pytest.raises(StorageError):
        typed.count("scores", {"where": "(SELECT count(*) FROM _py_kv)"})


def test_an_empty_table_is_seeded_once_and_bad_rows_are_passed_over(typed: TypedTables) -> None:
    seeds = [{"player": "a"}, {"points": 5}, {"player": "b", "nosuch": 1}, {"player": "c", "points": 2}, []]
    assert typed.seed("scores", seeds, ALICE) == 2
    assert typed.seed("scores", seeds, ALICE) == 0
    assert rows(typed, "scores", fields=["player", "points"]) == [(b"a", 0), (b"c", 2)]
    with pytest.raises(StorageError, match="seed takes a list of rows"):
        typed.seed("scores", {"player": "a"}, ALICE)
