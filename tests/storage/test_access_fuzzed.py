"""Requests from outside made of whatever words: what a stranger is given does not depend on what they may not read.

The oracle is a twin: the same database without the rows, tables and registries that are not theirs. Every answer, and
every error, is the same there.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from goop2.storage.data_operations import BY_NAME, TABLE_OPERATIONS
from goop2.storage.database import Database, open_database
from goop2.storage.errors import AccessError
from goop2.storage.policies import Visitor
from goop2.storage.registry_schema import create_schema
from goop2.storage.table_access import TableAccess
from goop2.storage.typed_tables import Owner, TypedTables

ALICE = Visitor("alice-id")
COLUMNS = [{"name": "body", "type": "text"}, {"name": "points", "type": "integer"}]
READING = sorted(
    TABLE_OPERATIONS - {name for name in TABLE_OPERATIONS if BY_NAME[name].owner_only} - {"insert", "update", "delete", "tables"}
)

_WORDS = (
    "notes",
    "main.notes",
    "posts",
    "diary",
    "_chat_messages",
    "leak",
    "body",
    "_owner",
    "_id",
    "rowid",
    "SELECT",
    "FROM",
    "WHERE",
    "UNION ALL",
    "WITH x AS",
    "x",
    "(",
    ")",
    ",",
    "*",
    "=",
    "OR",
    "AND",
    "NOT",
    "IN",
    "EXISTS",
    "1",
    "'owner-id'",
    "--",
    "/*",
    ";",
    "LIMIT",
    "-1",
    "ORDER BY",
    "GROUP BY",
    "CASE WHEN",
    "THEN",
    "END",
    "count(*)",
    "group_concat(body)",
    "json_each",
    "pragma_table_list",
    "AS",
    "JOIN",
    "ON",
    "NULL",
    "\n",
)
_SENTENCES = st.lists(st.sampled_from(_WORDS), max_size=14).map(" ".join)
_NAMES = st.sampled_from(("body", "points", "_owner", "_id", "rowid", "diary", "body, (SELECT 1)", '"', "*", ""))
_EXPRESSIONS = st.one_of(
    st.tuples(st.sampled_from(("count", "sum", "avg", "min", "max", "group_concat", "load_extension")), _NAMES).map(
        "{0[0]}({0[1]})".format
    ),
    _SENTENCES,
)
_REQUESTS = st.fixed_dictionaries(
    {"table": st.sampled_from(("notes", "posts", "diary", "_chat_messages", "leak", "gone"))},
    optional={
        "where": _SENTENCES,
        "order": _SENTENCES,
        "columns": st.lists(_NAMES, max_size=2),
        "fields": st.lists(_NAMES, max_size=2),
        "column": _NAMES,
        "expr": _EXPRESSIONS,
        "group_by": _NAMES,
        "limit": st.integers(0, 3),
        "offset": st.integers(0, 2),
    },
)


def _laid_out(path: Path) -> Database:
    database = open_database(path, watchful=True)
    create_schema(database)
    typed = TypedTables(database)
    typed.create("notes", COLUMNS, {"access": {"read": "owner"}})
    typed.create("posts", COLUMNS)
    typed.create("diary", COLUMNS, {"access": dict.fromkeys(("read", "insert", "update", "delete"), "local")})
    for owner in ("alice-id", "owner-id", "alice-id", "owner-id"):
        for table in ("notes", "posts", "diary"):
            typed.insert(table, {"body": f"{table} of {owner}", "points": len(owner)}, Owner(owner))
    database.rows("UPDATE posts SET _created_at = 'then', _updated_at = 'then'")
    database.rows("UPDATE notes SET _created_at = 'then', _updated_at = 'then'")
    database.rows("CREATE TABLE _chat_messages (id INTEGER PRIMARY KEY, content TEXT)")
    database.rows("INSERT INTO _chat_messages (content) VALUES ('s3cret')")
    database.rows("CREATE VIEW leak AS SELECT content FROM _chat_messages")
    return database


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    database = _laid_out(tmp_path_factory.mktemp("whole") / "data.db")
    yield database
    database.close()


@pytest.fixture(scope="module")
def twin(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    """What alice may read, and nothing else."""
    database = _laid_out(tmp_path_factory.mktemp("twin") / "data.db")
    database.rows("DELETE FROM notes WHERE _owner <> 'alice-id'")
    for statement in ("DROP VIEW leak", "DROP TABLE _chat_messages", "DROP TABLE diary", "DROP TABLE _py_kv"):
        database.rows(statement)
    for registry, column in (("_tables", "name"), ("_orm_schemas", "table_name")):
        database.rows(f"DELETE FROM {registry} WHERE {column} = 'diary'")
    yield database
    database.close()


def told(access: TableAccess, operation: str, request: dict[str, object]) -> object:
    try:
        return access.perform(operation, ALICE, request)
    except AccessError as error:
        return error.code, str(error)


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(operation=st.sampled_from(READING), request_=_REQUESTS)
@example(operation="query", request_={"table": "posts", "where": "EXISTS (SELECT 1 FROM diary)"})
@example(operation="query", request_={"table": "posts", "where": "(SELECT nosuch FROM _chat_messages)"})
@example(operation="count", request_={"table": "posts", "where": "1; SELECT 1 FROM diary"})
@example(operation="aggregate", request_={"table": "notes", "expr": "count(*)"})
@example(operation="aggregate", request_={"table": "notes", "expr": "max(body)", "group_by": "_owner", "order": "1 DESC"})
@example(operation="distinct", request_={"table": "notes", "column": "_owner", "order": "(SELECT count(*) FROM main.notes)"})
def test_what_a_stranger_may_not_read_changes_no_answer(
    whole: Database, twin: Database, operation: str, request_: dict[str, object]
) -> None:
    answer = told(TableAccess(whole), operation, request_)
    assert answer == told(TableAccess(twin), operation, request_)
    assert "s3cret" not in json.dumps(answer)
    assert whole.scalar("SELECT count(*) FROM notes") == 4
