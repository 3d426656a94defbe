"""Targets: SQL of scripts and of strangers under the guard, with an oracle that knows nothing of the guard.

The oracle is SQLite itself. A second connection without a guard holds the same tables; what it compiles a statement to (EXPLAIN) names the
tables that the statement opens, to read and to write, inside views, triggers and sub-selects. Everything the guarded connection ran must
open only what its author may open, must leave the private tables and the structure as they were, and must not answer with a secret.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any, Final

import apsw
import msgspec
from tests.storage.hostile_sql import HOSTILE
from tests.storage.worlds import in_memory

from goop2.protocols.untrusted_json import InvalidJsonError, decode
from goop2.storage import guard, schema_sql
from goop2.storage.columns import quoted
from goop2.storage.errors import AccessError, StorageError
from goop2.storage.guard import EXEC, QUERY, SCALAR, Role
from goop2.storage.orm_tables import OrmTables
from goop2.storage.owner_reader import Reading
from goop2.storage.owner_sql import read as read_as_owner
from goop2.storage.policies import Visitor
from goop2.storage.registry_schema import create_schema
from goop2.storage.table_access import TableAccess
from goop2.storage.table_browser import FILTERS, RowsWanted, TableBrowser
from goop2.storage.typed_tables import Owner, TypedTables
from proof.fuzz.target import Choices, target

SECRET: Final = "s3cret"
"""Stands in private tables alone."""
HIDDEN: Final = "h1dden"
"""Stands in a row of the site that strangers may not read, though every script may."""
SECONDS: Final = 0.5
"""For one statement: much less than SLOW_SECONDS of the targets, and less than a statement may take in a peer."""
_ACCOUNT: Final = "sqlite_sequence"
"""SQLite counts there itself when a row is added."""
_OPENS: Final = {"OpenRead": False, "ReopenIdx": False, "OpenWrite": True}
"""Instruction of SQLite's machine that opens a table or index, by the number of its first page in P2 → whether it is to write there."""
_EMPTIES: Final = ("Clear", "Destroy")
"""The same, by the number in P1."""
_PRIVATE_INDEX: Final = "_by_content"
_LAYOUT: Final = (
    "CREATE TABLE _chat_messages (id INTEGER PRIMARY KEY, content TEXT)",
    f"INSERT INTO _chat_messages (content) VALUES ('{SECRET} one'), ('{SECRET} two')",
    f"CREATE INDEX {_PRIVATE_INDEX} ON _chat_messages (content)",
    "CREATE VIEW leak AS SELECT content FROM _chat_messages",
    "CREATE VIEW shown AS SELECT body FROM notes",
    "CREATE TABLE loose (x, y)",
    "INSERT INTO loose VALUES (1, 'a'), (2, 'b')",
    "CREATE TRIGGER noted AFTER INSERT ON notes BEGIN INSERT INTO loose VALUES (new._id, 'noted'); END",
    "CREATE TRIGGER stolen AFTER UPDATE ON posts BEGIN INSERT INTO loose SELECT id, content FROM _chat_messages; END",
    "CREATE TRIGGER written AFTER DELETE ON posts BEGIN UPDATE _chat_messages SET content = old.body; END",
)
_COLUMNS: Final = [{"name": "body", "type": "text"}, {"name": "points", "type": "integer"}]
ME: Final = Owner("me")
ALICE: Final = Visitor("alice")


class GuardedWorld:
    """A guarded database, and the same one without a guard, for the oracle."""

    def __init__(self) -> None:
        self.database = in_memory()
        create_schema(self.database)
        typed = TypedTables(self.database)
        typed.create("notes", _COLUMNS, {"access": {"read": "owner"}})
        typed.create("posts", _COLUMNS)
        for owner in ("alice", "boss"):
            for table in ("notes", "posts"):
                body = f"{table} of {owner}" if owner == "alice" or table == "posts" else f"{HIDDEN} of {owner}"
                typed.insert(table, {"body": body, "points": len(owner)}, Owner(owner))
        for statement in _LAYOUT:
            self.database.rows(statement)
        self._bare = apsw.Connection(":memory:")
        with self._bare.backup("main", self.database.connection, "main") as backup:
            backup.step()
        roots = "SELECT rootpage, tbl_name FROM sqlite_schema WHERE rootpage UNION SELECT 1, 'sqlite_schema'"
        self._tables = {int(root): str(name) for root, name in self._bare.execute(roots)}
        self._run: list[tuple[Role, str]] = []
        self._private = self._private_content()
        self._there = sorted(os.listdir())  # noqa: PTH208 - names alone
        self._settings = self._pragmas()
        self.database.connection.trace_v2(apsw.SQLITE_TRACE_STMT, self._note)

    def _note(self, event: dict[str, Any]) -> None:
        role = self.database._guard.role
        sql = event.get("sql")
        if role.kind is not guard.OURS and isinstance(sql, str) and not sql.startswith("--"):
            self._run.append((role, sql))

    def run(self, work: Callable[[], object], text: str, *secrets: str) -> object:
        """Do `work` inside a transaction that is taken back; check what it did. `text` is what its author wrote."""
        self._run.clear()
        self.database.begin()
        try:
            with self.database.within(SECONDS):
                answer = work()
            assert self.database.in_transaction, "it ended the transaction"
        finally:
            try:
                self._check()
            finally:
                self.database.rollback()
        for secret in (SECRET, _PRIVATE_INDEX, *secrets):
            assert secret in text or secret not in _shown(answer), f"the answer holds {secret}"
        return answer

    def _check(self) -> None:
        for role, sql in self._run:
            read, written = self._opened(sql)
            too_much = (read - self._may_read(role)) | (written - self._may_write(role))
            assert not too_much, f"{role.name} opened {', '.join(sorted(too_much))}: {sql[:200]}"
        self.check_unchanged()

    def check_unchanged(self) -> None:
        """Raise `AssertionError` where anything but rows of the site is another."""
        self._run.clear()
        assert self._private_content() == self._private, "private tables, or the structure, are not as they were"
        assert self._pragmas() == self._settings, "a setting of the connection is another"
        assert sorted(os.listdir()) == self._there, "a file was made"  # noqa: PTH208 - names alone

    def _opened(self, sql: str) -> tuple[set[str], set[str]]:
        """Return the tables that a statement reads, and those that it writes. What does not compile here did not run there."""
        read: set[str] = set()
        written: set[str] = set()
        try:
            program = list(self._bare.execute(f"EXPLAIN {sql}", can_cache=False))
        except (apsw.Error, apsw.BindingsError):
            return read, written
        for _, code, p1, p2, p3, *_ in program:
            if code in _OPENS and p3 == 0:  # the database `main`; 1 holds what is temporary
                (written if _OPENS[code] else read).add(self._tables.get(p2, f"page {p2}"))
            elif code in _EMPTIES and (code == "Destroy" or p2 == 0):
                written.add(self._tables.get(p1, f"page {p1}"))
        return read - written, written

    def _may_read(self, role: Role) -> set[str]:
        if role.kind in (guard.ONE_TABLE, guard.VISITOR):
            return {role.table}
        counts = {_ACCOUNT} if role.kind.writes else set()
        return self._user_tables() | guard.READABLE_REGISTRIES | counts

    def _may_write(self, role: Role) -> set[str]:
        return self._user_tables() | {_ACCOUNT} if role.kind.writes else set()

    def _user_tables(self) -> set[str]:
        return {name for name in self._tables.values() if not name.startswith(("_", "sqlite_"))}

    def _private_content(self) -> object:
        names = [name for (name,) in self.database.rows("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name")]
        private = [str(name) for name in names if str(name).startswith("_")]
        # The views through which strangers read are temporary ones, made by us when the first of them asks.
        temporary = "SELECT type, name, sql FROM sqlite_temp_schema WHERE type <> 'view'"
        schema = self.database.rows(f"SELECT type, name, sql FROM sqlite_schema UNION ALL {temporary}")
        return schema, [self.database.rows(f"SELECT * FROM {quoted(name)}") for name in private]

    def _pragmas(self) -> object:
        names = ("database_list", "user_version", "application_id", "foreign_keys", "trusted_schema", "writable_schema")
        return [self.database.rows(f"PRAGMA {name}") for name in names]


def _shown(answer: object) -> str:
    if hasattr(answer, "values") and hasattr(answer, "names"):
        return repr(answer.values)
    return json.dumps(msgspec.to_builtins(answer), default=repr)


@cache
def _world() -> GuardedWorld:
    return GuardedWorld()


_TABLES: Final = ("notes", "posts", "loose", "_chat_messages", "leak", "shown", "_tables", "sqlite_schema", "sqlite_sequence", "main.notes")
_TABLES_MADE: Final = (
    "json_each('[1]')",
    "pragma_table_list",
    "pragma_table_info('_chat_messages')",
    "dbstat",
    "temp.x",
    "x",
    "(VALUES (1))",
)
_NAMES: Final = ("body", "points", "_id", "_owner", "content", "rowid", "*", "x", "sql", "name", "1", "notes.body", "new.body")
_EXPRESSIONS: Final = (
    "1",
    "'a'",
    "NULL",
    "?",
    "count(*)",
    "group_concat({name})",
    "({select})",
    "EXISTS ({select})",
    "{name} IN ({select})",
    "{name} IN {table}",
    "{expression} OR {expression}",
    "CASE WHEN {expression} THEN {expression} END",
    "row_number() OVER (ORDER BY {expression})",
    "json_group_array({name})",
    "load_extension('x')",
    "fts3_tokenizer('simple')",
    "writefile('x', 'y')",
    "_py_seen({name})",
    "{name}",
    "{name}",
)
_SELECTS: Final = (
    "SELECT {expression} FROM {table}",
    "SELECT {name} FROM {table} WHERE {expression}",
    "SELECT {expression}",
    "SELECT {name} FROM {table} AS a JOIN {table} AS b ON {expression}",
    "{select} UNION ALL {select}",
    "WITH x AS ({select}) SELECT {name} FROM x",
    "WITH RECURSIVE x(y) AS (VALUES (1) UNION ALL SELECT y + 1 FROM x WHERE y < 9) SELECT {expression} FROM x, {table}",
    "SELECT count(*) FROM {table}",
    "SELECT {name} FROM {table} GROUP BY {expression} HAVING {expression} ORDER BY {expression} LIMIT {expression}",
    "TABLE {table}",
    "VALUES ({expression}), ({expression})",
)
_CHANGES: Final = (
    "INSERT INTO {table} ({name}) VALUES ({expression})",
    "INSERT INTO {table} ({name}) {select}",
    "INSERT OR REPLACE INTO {table} DEFAULT VALUES RETURNING {expression}",
    "INSERT INTO {table} ({name}) VALUES ({expression}) ON CONFLICT DO UPDATE SET {name} = {expression}",
    "UPDATE {table} SET {name} = {expression} WHERE {expression}",
    "UPDATE {table} SET {name} = {expression} FROM {table} AS b WHERE {expression} RETURNING {name}",
    "DELETE FROM {table} WHERE {expression}",
    "DELETE FROM {table}",
    "REPLACE INTO {table} ({name}) {select}",
    "WITH x AS ({select}) DELETE FROM {table} WHERE {name} IN x",
)
_OTHERS: Final = (
    "CREATE TABLE t AS {select}",
    "CREATE TEMP TABLE t AS {select}",
    "CREATE TRIGGER t AFTER INSERT ON {table} BEGIN {change}; END",
    "CREATE VIEW t AS {select}",
    "CREATE VIRTUAL TABLE t USING fts5(x)",
    "DROP TABLE {table}",
    "ALTER TABLE {table} RENAME TO t",
    "PRAGMA {name}",
    "PRAGMA writable_schema = 1",
    "PRAGMA user_version = 7",
    "ATTACH 'made.db' AS a",
    "VACUUM INTO 'made.db'",
    "VACUUM",
    "EXPLAIN {select}",
    "BEGIN",
    "COMMIT",
    "ROLLBACK",
    "SAVEPOINT ours",
    "RELEASE ours",
    "ANALYZE",
    "REINDEX",
    "{select}; {change}",
    "/* {select} */ {change}",
)
_MOST_CHARS: Final = 1500


def statement(choices: Choices) -> str:
    """Return SQL that the bytes choose: the rest of them as it is, or by the grammar above."""
    if choices.number(7) == 0:
        return choices.rest().decode("utf-8", "surrogateescape")
    return _made("{statement}", choices, 0)


def _made(form: str, choices: Choices, depth: int) -> str:
    made = ""
    while "{" in form and len(made) < _MOST_CHARS:
        before, _, after = form.partition("{")
        what, _, form = after.partition("}")
        made += before + _part(what, choices, depth + 1)
    return made + form


def _part(what: str, choices: Choices, depth: int) -> str:
    shallow = depth > 5
    if what == "name":
        return choices.pick(_NAMES)
    if what == "table":
        table = choices.pick((*_TABLES, *_TABLES_MADE, ""))
        return table or ("loose" if shallow else f"({_part('select', choices, depth)})")
    if what == "expression":
        return _made(choices.pick(_EXPRESSIONS[:5] if shallow else _EXPRESSIONS), choices, depth)
    if what == "select":
        return _made(choices.pick(_SELECTS[:1] if shallow else _SELECTS), choices, depth)
    if what == "change":
        return _made(choices.pick(_CHANGES), choices, depth)
    return _made(choices.pick((*_SELECTS, *_CHANGES, *_OTHERS)), choices, depth)


_AS_WRITTEN: Final = b"\0"
_SQL_SEEDS: Final = (
    *(_AS_WRITTEN + b"SELECT " + each.encode() for each in HOSTILE),
    *(bytes([1, number, 3, 1, 4, 1, 5, 9, 2, 6]) for number in range(len(_SELECTS) + len(_CHANGES) + len(_OTHERS))),
    _AS_WRITTEN + b"UPDATE notes SET body = (SELECT body FROM notes AS b WHERE b._id = notes._id) RETURNING _id",
    _AS_WRITTEN + b"INSERT INTO notes (body) SELECT content FROM leak",
    _AS_WRITTEN + b"DELETE FROM posts",
)


@target(StorageError, seeds=_SQL_SEEDS)
def script_reads(data: bytes) -> None:
    """SQL of goop.db.query and goop.db.scalar, with the oracle"""
    sql = statement(Choices(data))
    world = _world()
    arguments = (1,) * sql.count("?") if sql.count("?") < 9 else ()
    with contextlib.suppress(StorageError):
        world.run(lambda: world.database.first_value(SCALAR, sql, arguments), sql)
    world.run(lambda: world.database.query(QUERY, sql, arguments), sql)


@target(StorageError, seeds=_SQL_SEEDS)
def script_writes(data: bytes) -> None:
    """SQL of goop.db.exec, with the oracle"""
    sql = statement(Choices(data))
    world = _world()
    world.run(lambda: world.database.change(EXEC, sql, (1,) * sql.count("?") if sql.count("?") < 9 else ()), sql)


_FIND, _AGGREGATE, _DISTINCT, _CHANGE, _DELETE = range(5)
_ORM_SEEDS: Final = tuple(bytes([number % 5, 0, 0]) + each.encode() for number, each in enumerate(HOSTILE))


@target(StorageError, seeds=(*_ORM_SEEDS, b"\3\0\0points + 1", b"\1\0\0count(*) AS n", b"\2\0\0_created_at > '2026-01-01T00:00:00Z'"))
def orm(data: bytes) -> None:
    """where, order and expressions of goop.orm, with the oracle: they stay in their table, and change the one column"""
    choices = Choices(data)
    what, place = choices.number(4), choices.number(3)
    text = _made("{expression}", choices, 1) if choices.number(3) else choices.rest().decode("utf-8", "replace")
    places: tuple[dict[str, object], ...] = ({"where": text}, {"order": text}, {"where": text, "args": [1]}, {"where": "points = 1"})
    options = places[place]
    world = _world()
    tables = OrmTables(world.database)
    work: dict[int, Callable[[], object]] = {
        _FIND: lambda: tables.find("notes", options),
        _AGGREGATE: lambda: tables.aggregate("notes", text, {"where": "1"}),
        _DISTINCT: lambda: tables.distinct("notes", "points", {"where": text}),
        _CHANGE: lambda: _only_points(world, tables, text),
        _DELETE: lambda: tables.delete_where("notes", {"where": text}),
    }
    world.run(work[what], text)


def _only_points(world: GuardedWorld, tables: OrmTables, text: str) -> int:
    others = "SELECT _id, _owner, body, _created_at FROM notes"
    before = world.database.rows(others)
    changed = tables.change_where("notes", {}, {"points": text}, {"where": "1"})
    assert world.database.rows(others) == before, "another column was changed"
    return changed


_REQUESTS: Final = (
    "query",
    "query-one",
    "count",
    "exists",
    "pluck",
    "distinct",
    "aggregate",
    "update-where",
    "delete-where",
    "upsert",
    "insert",
)


@target(
    AccessError,
    StorageError,
    ValueError,
    seeds=(b'\0\1{"table":"notes","where":"1 = 1"}', b'\2\1{"table":"posts","where":"EXISTS (SELECT 1 FROM notes)"}', bytes(range(40))),
)
def strangers_requests(data: bytes) -> None:
    """Requests of strangers for tables: whatever they ask, a row that is not theirs is neither shown nor changed"""
    choices = Choices(data)
    operation = choices.pick(_REQUESTS)
    if choices.number(1):
        request: Any = json.loads(choices.rest())
    else:
        request = {"table": choices.pick(("notes", "posts", "_chat_messages", "leak"))}
        for key in choices.some(("where", "order", "column", "expr", "group_by"), 4):
            request[key] = choices.pick(_NAMES) if choices.number(1) else _made("{expression}", choices, 2)
        request["limit"] = choices.number(4)
    if not isinstance(request, dict):
        return
    world = _world()
    access = TableAccess(world.database)
    hidden = "SELECT * FROM notes WHERE _owner = 'boss'"

    def work() -> object:
        before = world.database.rows(hidden)
        try:
            return access.perform(operation, ALICE, request)
        finally:
            assert world.database.rows(hidden) == before, "a row of somebody else is another"

    world.run(work, json.dumps(request), HIDDEN)


@target(StorageError, seeds=(*_SQL_SEEDS[:20], _AS_WRITTEN + b"SELECT * FROM _chat_messages", _AS_WRITTEN + b"PRAGMA table_info(notes)"))
def owners_reading(data: bytes) -> None:
    """SQL that the owner types to read: it reads everything and changes nothing"""
    sql = statement(Choices(data))
    world = _world()
    rows = "SELECT * FROM notes, posts, loose"
    before = world.database.rows(rows)
    try:
        with world.database.within(SECONDS):
            read_as_owner(world.database, sql)
    finally:
        world.check_unchanged()
        assert world.database.rows(rows) == before, "a row is another"


@target(
    StorageError,
    InvalidJsonError,
    seeds=(
        b'{"table":"notes","filters":[{"column":"body","op":"contains","value":"x"}],"order":"points"}',
        b'{"table":"posts","filters":[{"column":"_created_at","op":"less than","value":"2026-01-01"}],"offset":-1,"total":5}',
        b'{"table":"loose","filters":[{"column":"x","op":"is","value":1e9}],"search":"a\\"b*"}',
    ),
)
def console_filters(data: bytes) -> None:
    """The rows, filters and search of the console's page Data"""
    wanted = decode(data, RowsWanted)
    world = _world()
    browser = TableBrowser(world.database)
    with world.database.within(SECONDS):
        found = browser.rows(wanted)
        count = browser.count(wanted)
        assert count is None or count >= len(found.rows) or wanted.offset < 0
        for column in found.columns[:2]:
            browser.facet(wanted, column)
    assert all(each.op in FILTERS for each in wanted.filters)


@target(
    StorageError,
    seeds=(
        b"CREATE TABLE t (_id INTEGER PRIMARY KEY, a TEXT); INSERT INTO t (a) VALUES ('x')",
        b"CREATE TABLE _x (a)",
        *(b"SELECT " + each.encode() for each in HOSTILE[:40]),
    ),
)
def schema_sql_file(data: bytes) -> None:
    """schema.sql of a template from somebody else: tables and nothing that acts later; no file is made"""
    there = sorted(os.listdir())  # noqa: PTH208 - names alone
    with _shorter(), schema_sql.tables_of(data) as (database, names):
        kinds = {str(kind) for (kind,) in database.rows("SELECT DISTINCT type FROM sqlite_schema")}
        assert kinds <= {"table", "index"}, kinds
        assert not any(name.startswith("_") for name in names)
        assert all(str(sql).lower().find("using") < 0 for (sql,) in database.rows("SELECT sql FROM sqlite_schema WHERE rootpage = 0"))
        Reading(database, {}).tables()
    assert sorted(os.listdir()) == there, "a file was made"  # noqa: PTH208 - names alone


@contextlib.contextmanager
def _shorter() -> Iterator[None]:
    """Give such a file less time, so that one that loops is no slow input."""
    before = schema_sql.SECONDS
    schema_sql.SECONDS = SECONDS  # type: ignore[misc]
    try:
        yield
    finally:
        schema_sql.SECONDS = before  # type: ignore[misc]
