"""Callers from outside: each sentence of HOSTILE is refused or harmless, whatever part of a request it stands in."""

from __future__ import annotations

import json

import pytest
from tests.storage.hostile_sql import HOSTILE

from goop2.storage.database import Database
from goop2.storage.errors import AccessError
from goop2.storage.policies import WANTS_EMAIL, Visitor
from goop2.storage.table_access import TableAccess
from goop2.storage.typed_tables import Owner, TypedTables

OWNER = Visitor("owner-id", owner=True)
ALICE = Visitor("alice-id", email="alice@example.org", member=True)
BOB = Visitor("bob-id")
SECRET = "s3cret"

TEXT = [{"name": "body", "type": "text"}]
NOTES = {"read": "owner", "insert": "open", "update": "owner", "delete": "owner"}
POLICIES = ("open", "group", "email", "owner", "local")


@pytest.fixture
def access(database: Database) -> TableAccess:
    """notes: rows are their creators'; diary: local; posts: anyone reads; _chat_messages: the peer's own."""
    typed = TypedTables(database)
    typed.create("notes", TEXT, {"access": NOTES})
    typed.create("posts", [*TEXT, {"name": "points", "type": "integer"}], {"access": {"insert": "open", "update": "owner"}})
    typed.create("diary", TEXT, {"access": dict.fromkeys(("read", "insert", "update", "delete"), "local")})
    database.rows("CREATE TABLE _chat_messages (id INTEGER PRIMARY KEY, content TEXT)")
    database.rows("INSERT INTO _chat_messages (content) VALUES (?)", (SECRET,))
    database.rows("CREATE VIEW leak AS SELECT content FROM _chat_messages")
    database.rows("CREATE TABLE unregistered (_id INTEGER PRIMARY KEY, body TEXT)")
    typed.insert("notes", {"body": "of alice"}, Owner("alice-id"))
    typed.insert("notes", {"body": f"of the owner {SECRET}"}, Owner("owner-id"))
    typed.insert("diary", {"body": SECRET}, Owner("owner-id"))
    for points in (1, 2, 3):
        typed.insert("posts", {"body": f"post {points}", "points": points}, Owner("owner-id"))
    database.rows("INSERT INTO _py_kv VALUES ('command', 'weather', 'api_key', ?)", (SECRET,))
    return TableAccess(database)


def everything(database: Database) -> list[object]:
    tables = ("notes", "posts", "diary", "unregistered", "_chat_messages", "_py_kv", "_tables", "_orm_schemas")
    return [database.rows(f"SELECT * FROM {table}") for table in tables]


def ask(access: TableAccess, visitor: Visitor, operation: str, **request: object) -> object:
    """The answer, or the message of the refusal."""
    try:
        return access.perform(operation, visitor, request)
    except AccessError as error:
        return str(error)


def test_the_table_of_attacks_is_long() -> None:
    assert len(set(HOSTILE)) >= 80


@pytest.mark.parametrize("key", ["where", "order"])
@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_sql_shows_nothing_of_others_and_changes_nothing(access: TableAccess, database: Database, key: str, text: str) -> None:
    database.bound(float("inf"))
    before = everything(database)
    for operation in ("query", "count", "exists", "distinct"):
        answer = ask(access, BOB, operation, table="notes", column="body", **{key: text})
        rows = answer if isinstance(answer, list) else []
        assert rows == [] or operation == "distinct", answer
        assert answer in ([], {"count": 0}, {"exists": False}, None) or isinstance(answer, str), answer
        assert SECRET not in json.dumps(answer)
    answer = ask(access, ALICE, "query", table="notes", **{key: text})
    assert isinstance(answer, str) or [row["_owner"] for row in answer] in ([], ["alice-id"])  # type: ignore[attr-defined]
    assert SECRET not in json.dumps(answer)
    assert everything(database) == before


@pytest.mark.parametrize("name", [*HOSTILE, "*", "rowid", "body AS x", 'body" FROM diary --', "diary.body", "_chat_messages", 5, ["body"]])
def test_a_column_is_the_name_of_one_or_refused(access: TableAccess, name: object) -> None:
    for request in ({"columns": [name]}, {"column": name}):
        for operation in ("query", "pluck", "distinct"):
            answer = ask(access, BOB, operation, table="posts", **request)
            assert SECRET not in json.dumps(answer)
    assert isinstance(ask(access, BOB, "pluck", table="posts", column=name), str)
    assert isinstance(ask(access, BOB, "insert", table="posts", data={str(name): "x"}), str)


@pytest.mark.parametrize(
    "name",
    [
        *HOSTILE,
        "diary",
        "DIARY",
        "_chat_messages",
        "_tables",
        "_py_kv",
        "sqlite_schema",
        "sqlite_master",
        "leak",
        "SQLITE_SEQUENCE",
        "unregistered",
        'notes"; --',
        "notes n",
        "main.notes",
        "notes, diary",
        "pragma_table_info",
        "json_each",
        " notes",
        "Notes",
        None,
        5,
        ["notes"],
    ],
)
def test_a_table_that_is_not_for_strangers_is_not_there(access: TableAccess, name: object) -> None:
    # Without a table, orm-schema is asked for those of all (network.md, "Data answers at its newest state").
    schema = ("orm-schema",) if name else ()
    for operation in ("query", "count", "describe", *schema, "insert", "update", "delete"):
        with pytest.raises(AccessError, match="there is no table") as refused:
            access.perform(operation, BOB, {"table": name, "data": {"body": "x"}, "id": 1})
        assert refused.value.code == "not_found"


@pytest.mark.parametrize("text", ["sum(points)", "count(*)", "max( points )"])
def test_an_aggregate_is_of_a_column(access: TableAccess, text: str) -> None:
    assert ask(access, BOB, "aggregate", table="posts", expr=text) == [{"value": {"s": 6, "c": 3, "m": 3}[text[0]]}]


@pytest.mark.parametrize(
    "text",
    [
        "sum(points",
        "total(points)",
        "group_concat(body)",
        "sum(points), (SELECT 1 FROM diary)",
        "load_extension(x)",
        "sum((SELECT 1))",
        "sum(",
        "x",
        None,
    ],
)
def test_any_other_aggregate_is_refused(access: TableAccess, text: object) -> None:
    assert isinstance(ask(access, BOB, "aggregate", table="posts", expr=text), str)


def test_an_aggregate_by_a_column_of_its_own_name_is_refused_not_half_answered(access: TableAccess, database: Database) -> None:
    access.perform("add-column", OWNER, {"table": "posts", "column": {"name": "value", "type": "integer"}})
    told = ask(access, BOB, "aggregate", table="posts", expr="sum(points)", group_by="value")
    assert told == "group_by cannot be value: the answer has the sum under that name"
    assert ask(access, BOB, "aggregate", table="posts", expr="sum(value)") == [{"value": None}]


def test_a_whole_number_is_one_however_json_writes_it(access: TableAccess, database: Database) -> None:
    """Other languages write 5.0 for 5, and read 5 alone as a whole number."""
    access.perform("add-column", OWNER, {"table": "posts", "column": {"name": "weight", "type": "real"}})
    access.perform("update-where", OWNER, {"table": "posts", "where": "1", "data": {"points": 5.0, "weight": 5.0}})
    assert database.scalar("SELECT typeof(points) || typeof(weight) FROM posts") == "integerreal"
    found = ask(access, BOB, "query", table="posts", columns=["points", "weight"], limit=1)
    assert json.dumps(found) == '[{"points": 5, "weight": 5}]'
    for wrong in (5.5, 1e300, 2.0**54):
        assert "takes a whole number" in str(ask(access, OWNER, "update-where", table="posts", where="1", data={"points": wrong}))


def test_strangers_are_told_of_open_tables_alone(access: TableAccess) -> None:
    assert [table["name"] for table in ask(access, BOB, "tables")] == ["notes", "posts"]  # type: ignore[attr-defined]
    assert [table["name"] for table in ask(access, OWNER, "tables")] == ["diary", "notes", "posts", "unregistered"]  # type: ignore[attr-defined]


def test_a_cte_with_the_name_of_the_view_would_pass_so_the_name_is_random(access: TableAccess, database: Database) -> None:
    ask(access, BOB, "query", table="notes")
    name = str(database.scalar("SELECT name FROM sqlite_temp_schema"))
    forged = f"(WITH {name} AS (SELECT body FROM main.notes) SELECT count(*) FROM {name}) > 1"
    assert ask(access, ALICE, "query", table="notes", where=forged), "the reason why the name must stay secret"
    other = TableAccess.__new__(TableAccess)
    TableAccess.__init__(other, database)
    ask(other, BOB, "query", table="notes")
    names = [row[0] for row in database.rows("SELECT name FROM sqlite_temp_schema")]
    assert len(set(names)) == 2
    assert all(len(str(each)) > 32 for each in names)
    assert name not in str(ask(access, BOB, "query", table="notes", where="nosuch = 1"))


@pytest.mark.parametrize(
    ("visitor", "policy", "read", "inserted", "changed"),
    [
        (BOB, "open", "all", True, "all"),
        (BOB, "group", "refused", False, "refused"),
        (BOB, "email", "refused", False, "refused"),
        (BOB, "owner", "own", False, "own"),
        (ALICE, "group", "all", True, "all"),
        (ALICE, "email", "all", True, "all"),
        (ALICE, "owner", "own", False, "own"),
        (OWNER, "owner", "all", True, "all"),
        (OWNER, "local", "all", True, "all"),
    ],
)
def test_each_policy_opens_what_it_says(database: Database, visitor: Visitor, policy: str, read: str, inserted: bool, changed: str) -> None:
    typed, access = TypedTables(database), TableAccess(database)
    typed.create("things", TEXT, {"access": dict.fromkeys(("read", "insert", "update", "delete"), policy)})
    own = typed.insert("things", {"body": "own"}, Owner(visitor.id))
    other = typed.insert("things", {"body": "other"}, Owner("somebody"))
    expected = {"all": ["own", "other"], "own": ["own"]}.get(read)
    refused = WANTS_EMAIL if policy == "email" else "you may not read things"
    assert ask(access, visitor, "pluck", table="things", column="body", order="_id") == (expected or refused)
    assert isinstance(ask(access, visitor, "insert", table="things", data={"body": "new"}), dict) == inserted
    for operation in ("update", "delete"):
        assert isinstance(ask(access, visitor, operation, table="things", id=own, data={"body": "x"}), dict) == (changed != "refused")
        assert isinstance(ask(access, visitor, operation, table="things", id=other, data={"body": "x"}), dict) == (changed == "all")


@pytest.mark.parametrize(
    ("policy", "reads", "inserts"),
    [
        ("owner", True, False),
        ("open", True, True),
        ("public", True, True),
        ("group", True, False),
        ("email", False, False),
        ("odd", None, None),
    ],
)
def test_a_classic_table_has_the_policies_of_its_insert_policy(
    database: Database, policy: str, reads: bool | None, inserts: bool | None
) -> None:
    access = TableAccess(database)
    ask(access, OWNER, "create-table", name="old", column_defs=[{"name": "body", "type": "TEXT", "not_null": True}])
    database.rows("UPDATE _tables SET insert_policy = ? WHERE name = 'old'", (policy,))
    assert ask(access, OWNER, "insert", table="old", data={"body": "of the owner"}) == {"status": "inserted", "id": 1}
    seen = ask(access, BOB, "query", table="old")
    if reads is None:
        assert seen == 'there is no table "old"'
        return
    assert (isinstance(seen, list) and len(seen) == 1) is reads
    assert isinstance(ask(access, BOB, "insert", table="old", data={"body": "x"}), dict) is inserts
    assert ask(access, BOB, "update", table="old", id=1, data={"body": "x"}) == "old has no row 1 that you may change"


def test_a_key_that_is_taken_removes_no_row_of_others_whatever_its_table_does_then(database: Database) -> None:
    database.rows("CREATE TABLE votes (_id INTEGER PRIMARY KEY, _owner TEXT, _owner_email TEXT, _updated_at, k UNIQUE ON CONFLICT REPLACE)")
    database.rows("INSERT INTO _tables (name, schema, insert_policy) VALUES ('votes', '', 'open')")
    access = TableAccess(database)
    for visitor, key in (("alice", "x"), ("bob", "y")):
        ask(access, Visitor(visitor), "insert", table="votes", data={"k": key})
    changes: tuple[tuple[str, dict[str, object]], ...] = (("insert", {}), ("update", {"id": 2}))
    for operation, request in changes:
        refusal = ask(access, Visitor("bob"), operation, table="votes", data={"k": "x"}, **request)
        assert refusal == "UNIQUE constraint failed: votes.k"
    assert database.rows("SELECT _owner, k FROM votes ORDER BY _id") == [("alice", "x"), ("bob", "y")]
    ask(access, Visitor("me", owner=True), "insert", table="votes", data={"k": "x"})  # it is the owner's table
    assert database.rows("SELECT _owner FROM votes WHERE k = 'x'") == [("me",)]


def test_a_visitors_row_is_theirs_whatever_it_says(access: TableAccess) -> None:
    assert "set by the peer" in str(ask(access, BOB, "insert", table="notes", data={"body": "x", "_owner": "owner-id"}))
    ask(access, BOB, "insert", table="notes", data={"body": "mine"})
    assert [row["_owner"] for row in ask(access, BOB, "query", table="notes")] == ["bob-id"]  # type: ignore[attr-defined]


def test_a_table_whose_declaration_is_damaged_is_the_owners_and_in_nobodys_way(access: TableAccess, database: Database) -> None:
    database.rows("UPDATE _orm_schemas SET schema_json = '{' WHERE table_name = 'posts'")
    assert [table["name"] for table in ask(access, BOB, "tables")] == ["notes"]  # type: ignore[attr-defined]
    assert ask(access, BOB, "query", table="posts") == 'there is no table "posts"'
    assert [table["name"] for table in ask(access, OWNER, "tables")] == ["diary", "notes", "posts", "unregistered"]  # type: ignore[attr-defined]
    assert ask(access, OWNER, "count", table="posts") == {"count": 3}
    damaged = '_orm_schemas, table "posts": schema_json is not JSON'
    for operation in ("insert", "update", "update-where", "upsert", "orm-schema"):
        assert ask(access, OWNER, operation, table="posts", id=1, where="1", key_col="body", data={"body": "x"}) == damaged
    assert ask(access, OWNER, "delete", table="posts", id=1) == {"status": "deleted"}


def test_a_virtual_table_is_not_there(access: TableAccess, database: Database) -> None:
    database.rows("CREATE VIRTUAL TABLE search USING fts5(content, content='_chat_messages', content_rowid='id')")
    database.rows("INSERT INTO _tables (name, schema, insert_policy) VALUES ('search', '', 'open')")
    database.rows("INSERT INTO search (search) VALUES ('rebuild')")
    database.rows("SELECT * FROM search")
    for visitor in (BOB, OWNER):
        assert ask(access, visitor, "query", table="search", columns=["content"]) == 'there is no table "search"'
        assert "search" not in json.dumps(ask(access, visitor, "tables"))


def test_structure_is_the_owners_alone(access: TableAccess, database: Database) -> None:
    before = database.rows("SELECT * FROM sqlite_schema")
    for operation in ("create-table", "add-column", "drop-column", "rename-table", "delete-table"):
        with pytest.raises(AccessError) as refused:
            access.perform(operation, ALICE, {"table": "posts", "name": "x", "column": "body", "new_name": "y"})
        assert refused.value.code == "forbidden"
    assert database.rows("SELECT * FROM sqlite_schema") == before


def test_the_owner_changes_structure_and_the_registries_follow(access: TableAccess, database: Database) -> None:
    assert ask(access, OWNER, "add-column", table="posts", column={"name": "tag", "type": "TEXT"}) == {"status": "added"}
    assert ask(access, OWNER, "rename-table", old_name="posts", new_name="articles") == {"status": "renamed"}
    assert ask(access, OWNER, "insert", table="articles", data={"tag": "news"}) == {"status": "inserted", "id": 4}
    assert ask(access, OWNER, "drop-column", table="articles", column="tag") == {"status": "dropped"}
    assert [column.name for column in TypedTables(database).table("articles").columns] == ["body", "points"]
    assert ask(access, OWNER, "delete-table", table="articles") == {"status": "deleted"}
    assert ask(access, BOB, "query", table="articles") == 'there is no table "articles"'


def test_a_default_cannot_reach_another_table(access: TableAccess, database: Database) -> None:
    stolen = "(SELECT content FROM _chat_messages)"
    assert ask(access, OWNER, "add-column", table="posts", column={"name": "x", "type": "text", "default": stolen}) == {"status": "added"}
    ask(access, BOB, "insert", table="posts", data={"body": "b"})
    assert ask(access, BOB, "pluck", table="posts", column="x", where="body = 'b'") == [stolen]


def test_a_trigger_that_came_with_the_folder_cannot_carry_rows_out(access: TableAccess, database: Database) -> None:
    database.rows("CREATE TRIGGER steal AFTER INSERT ON posts BEGIN UPDATE posts SET body = (SELECT content FROM _chat_messages); END")
    assert "may not read the table _chat_messages" in str(ask(access, OWNER, "insert", table="posts", data={"body": "b"}))
    assert ask(access, BOB, "insert", table="posts", data={"body": "b"}) == "a trigger of the table does what is refused to it"
    assert ask(access, BOB, "count", table="posts") == {"count": 3}


def test_a_filter_of_the_site_holds_whatever_the_caller_adds(access: TableAccess) -> None:
    rows = access.perform("pluck", BOB, {"table": "posts", "column": "points", "where": "1) OR (1"}, condition="points < 3")
    assert rows == [1, 2]
    assert access.perform("count", BOB, {"table": "posts"}, condition="_id > 2") == {"count": 1}
    with pytest.raises(AccessError, match="no such table"):
        access.perform("count", BOB, {"table": "posts", "where": "(SELECT count(*) FROM main.posts) = 3"}, condition="_id > 2")
    stolen = "SELECT _id, _owner, '', '', '', content, 7 FROM leak, (SELECT '' AS _owner, 1 AS _id)"
    with pytest.raises(AccessError, match="and nothing else"):
        access.perform("query", BOB, {"table": "posts"}, condition=f"1) UNION {stolen} WHERE (1")


@pytest.mark.parametrize("visitor", [ALICE, OWNER])
def test_a_filter_of_the_site_holds_for_writing_before_and_after(access: TableAccess, database: Database, visitor: Visitor) -> None:
    only = "points < 3"
    mine = access.perform("insert", visitor, {"table": "posts", "data": {"body": "mine", "points": 1}}, condition=only)
    assert mine == {"status": "inserted", "id": 4}
    with pytest.raises(AccessError, match="not for this resource"):
        access.perform("insert", visitor, {"table": "posts", "data": {"body": "mine", "points": 7}}, condition=only)
    with pytest.raises(AccessError, match="not for this resource"):
        access.perform("update", visitor, {"table": "posts", "id": 4, "data": {"points": 7}}, condition=only)
    for operation in ("update", "delete"):
        with pytest.raises(AccessError, match="has no row"):
            access.perform(operation, visitor, {"table": "posts", "id": 3, "data": {"body": "x"}}, condition=only)
    assert database.rows("SELECT body, points FROM posts WHERE _id > 2") == [("post 3", 3), ("mine", 1)]


ALL_ROWS = ("update-where", "delete-where", "upsert")


@pytest.mark.parametrize("operation", ALL_ROWS)
@pytest.mark.parametrize("visitor", [ALICE, BOB])
def test_changes_of_many_rows_are_the_owners_alone(access: TableAccess, database: Database, operation: str, visitor: Visitor) -> None:
    before = everything(database)
    request = {"table": "notes", "where": "1", "data": {"body": "x"}, "key_col": "body"}
    with pytest.raises(AccessError, match="is for the owner") as refused:
        access.perform(operation, visitor, request)
    assert refused.value.code == "forbidden"
    assert everything(database) == before


def test_the_owner_changes_rows_by_where(access: TableAccess, database: Database) -> None:
    changed = ask(access, OWNER, "update-where", table="posts", where="points > ?", args=[1], data={"body": "late"})
    assert changed == {"affected": 2}
    assert ask(access, OWNER, "delete-where", table="posts", where="body = ? -- all of them", args=["late"]) == {"affected": 2}
    assert database.rows("SELECT points FROM posts") == [(1,)]
    assert "where is missing" in str(ask(access, OWNER, "delete-where", table="posts"))
    assert "takes a whole number" in str(ask(access, OWNER, "update-where", table="posts", where="1", data={"points": "many"}))
    assert "may not read the table _chat_messages" in str(
        ask(access, OWNER, "update-where", table="posts", where="(SELECT 1 FROM _chat_messages)", data={"points": 1})
    )


def test_upsert_changes_the_row_or_adds_it(access: TableAccess, database: Database) -> None:
    assert ask(access, OWNER, "upsert", table="posts", key_col="body", data={"body": "post 2", "points": 20}) == {
        "status": "ok",
        "id": 2,
    }
    assert ask(access, OWNER, "upsert", table="posts", key_col="body", data={"body": "new", "points": 9}) == {"status": "ok", "id": 4}
    assert database.rows("SELECT points FROM posts ORDER BY _id") == [(1,), (20,), (3,), (9,)]
    assert "data has no points" in str(ask(access, OWNER, "upsert", table="posts", key_col="points", data={"body": "x"}))
    database.rows("UPDATE posts SET points = 5")
    assert "several rows" in str(ask(access, OWNER, "upsert", table="posts", key_col="points", data={"points": 5}))


def test_a_visitors_role_says_which_rows_are_theirs(access: TableAccess) -> None:
    nobody, own = {"role": "", "permissions": None}, {"read": "all", "insert": "all", "update": "own", "delete": "own"}
    assert ask(access, BOB, "role", table="notes") == {**nobody, **own, "read": "own"}
    assert ask(access, ALICE, "role", table="posts") == {**nobody, **own}
    everything = dict.fromkeys(("read", "insert", "update", "delete"), "all")
    assert ask(access, OWNER, "role", table="diary") == {
        "role": "owner",
        "permissions": None,
        **everything,
        "policies": dict.fromkeys(everything, "local"),
    }
    assert ask(access, BOB, "role", table="diary") == 'there is no table "diary"'


def test_a_query_without_end_is_ended(database: Database) -> None:
    typed, access = TypedTables(database), TableAccess(database)
    typed.create("many", [{"name": "n", "type": "integer"}])
    numbers = "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n LIMIT 3000) SELECT 'o', x FROM n"
    database.rows(f"INSERT INTO many (_owner, n) {numbers}")
    heavy = " AND ".join(f"instr(hex(randomblob(20000)), 'x{number}') = 0" for number in range(40))
    assert ask(access, BOB, "count", table="many", where=heavy) == "the statement took longer than its time"


def test_more_rows_than_may_be_given_are_an_error_not_a_cut(database: Database) -> None:
    typed, access = TypedTables(database), TableAccess(database)
    typed.create("many", [{"name": "n", "type": "integer"}])
    numbers = "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n LIMIT 1001) SELECT 'o', x FROM n"
    database.rows(f"INSERT INTO many (_owner, n) {numbers}")
    assert "more than 1000 rows" in str(ask(access, BOB, "query", table="many"))
    assert len(ask(access, BOB, "query", table="many", limit=1000)) == 1000  # type: ignore[arg-type]


def test_a_number_that_json_cannot_hold_is_told_not_changed(access: TableAccess, database: Database) -> None:
    database.rows("UPDATE posts SET points = 1e308")
    told = "a query of posts: value is not a finite number"
    assert ask(access, BOB, "aggregate", table="posts", expr="sum(points)") == told
    assert ask(access, BOB, "aggregate", table="posts", expr="max(points)") == [{"value": 1e308}]


def test_newer_peers_name_columns_fields(access: TableAccess) -> None:
    assert ask(access, BOB, "query-one", table="posts", fields=["points"], order="points DESC") == {"points": 3}
    assert ask(access, BOB, "pluck", table="posts", fields=["points"]) == [1, 2, 3]
    assert ask(access, BOB, "distinct", table="posts", fields=["points"]) == [1, 2, 3]
    assert "has no column" in str(ask(access, BOB, "query", table="posts", fields=["body, (SELECT 1)"]))
    assert "has no column" in str(ask(access, BOB, "pluck", table="posts", fields=["points", "body"]))


def test_bytes_are_base64_on_their_way_in_and_out(database: Database) -> None:
    TypedTables(database).create("files", [{"name": "raw", "type": "blob"}], {"access": {"insert": "open"}})
    access = TableAccess(database)
    ask(access, BOB, "insert", table="files", data={"raw": "AP8="})
    ask(access, BOB, "update", table="files", id=1, data={"raw": "/w=="})
    assert ask(access, BOB, "pluck", table="files", column="raw") == ["/w=="]
    assert ask(access, OWNER, "upsert", table="files", key_col="raw", data={"raw": "/w=="}) == {"status": "ok", "id": 1}
    assert database.rows("SELECT typeof(raw), hex(raw) FROM files") == [("blob", "FF")]
    assert ask(access, BOB, "insert", table="files", data={"raw": "ä"}) == 'files.raw takes bytes in base64, not "ä"'
    assert "takes bytes in base64" in str(ask(access, BOB, "insert", table="files", data={"raw": "AP 8="}))
    assert ask(access, BOB, "insert", table="files", data={"raw": 5}) == "files.raw takes a string, not 5"


@pytest.mark.parametrize(
    "text", ["EXISTS (SELECT 1 FROM {})", "(SELECT body FROM {})", "(SELECT nosuch FROM {})", "_id IN {}", "1; SELECT 1 FROM {}"]
)
@pytest.mark.parametrize("key", ["where", "order"])
def test_no_error_tells_a_table_that_is_hidden_from_one_that_is_not(access: TableAccess, key: str, text: str) -> None:
    for hidden in ("diary", "_chat_messages", "leak", "unregistered", "main.diary", "DIARY"):
        missing = hidden.replace("a", "x").replace("A", "X")
        told = str(ask(access, BOB, "query", table="posts", **{key: text.format(hidden)}))
        assert told == str(ask(access, BOB, "query", table="posts", **{key: text.format(missing)})).replace(missing, hidden)


def test_a_query_reads_its_table_once_even_where_all_of_it_is_open(access: TableAccess) -> None:
    """Else a stranger could join it with itself, again and again."""
    assert ask(access, BOB, "count", table="posts") == {"count": 3}
    assert isinstance(ask(access, BOB, "query", table="posts", where="(SELECT sum(a.points) FROM main.posts a, main.posts b) > 0"), str)


def test_the_owner_is_told_what_it_was(access: TableAccess) -> None:
    assert "may not read the table diary" in str(ask(access, OWNER, "query", table="posts", where="(SELECT 1 FROM diary)"))
    assert ask(access, BOB, "query", table="posts", where="titel = 1") == "no such column: titel"
    assert ask(access, BOB, "query", table="posts", where="points ==== 1") == 'near "==": syntax error'
