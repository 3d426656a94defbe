"""Tables with rows that a caller may read and rows that the caller may not, and whatever statements the caller may think of.

A `Dependencies` is one table; it is built with the hidden rows, with others in their place, and without. What the caller is told must be
the same.
"""

from __future__ import annotations

from dataclasses import dataclass

import apsw
from hypothesis import strategies as st

from goop2.storage.bounded_functions import bound_functions
from goop2.storage.connection_settings import configure
from goop2.storage.data_operations import TABLE_OPERATIONS
from goop2.storage.database import Database, Value
from goop2.storage.limits import FINE_LIKE_PATTERN_MAX_BYTES
from goop2.storage.policies import Visitor
from goop2.storage.registry_schema import create_schema
from goop2.storage.table_access import TableAccess

EVE = Visitor("eve", email="eve@example.org")
BOSS = "boss"
TABLE = "things"

_SYSTEM = "_owner TEXT, _owner_email TEXT DEFAULT '', _created_at DATETIME DEFAULT 'then', _updated_at DATETIME DEFAULT 'then'"
_NUMBERED = f"_id INTEGER PRIMARY KEY AUTOINCREMENT, {_SYSTEM}"
_MORE = ", ".join(f"more{number} TEXT DEFAULT ''" for number in range(8))
"""The wider a table, the sooner SQLite goes by an index."""
_SITE = f"code TEXT, n INTEGER, body TEXT, {_MORE}"
SHAPES = {
    "plain": (f"CREATE TABLE things ({_NUMBERED}, {_SITE})",),
    "keyed": (f"CREATE TABLE things ({_NUMBERED}, {_SITE})", "CREATE UNIQUE INDEX k ON things (code)"),
    "two keys": (f"CREATE TABLE things ({_NUMBERED}, {_SITE})", "CREATE UNIQUE INDEX k ON things (code, n)"),
    "indexed": (
        f"CREATE TABLE things ({_NUMBERED}, {_SITE})",
        "CREATE INDEX i ON things (code, n)",
        "CREATE INDEX j ON things (n DESC)",
        "CREATE INDEX o ON things (_owner, body)",
    ),
    "by each": (
        f"CREATE TABLE things ({_NUMBERED}, {_SITE})",
        "CREATE INDEX a ON things (code)",
        "CREATE INDEX b ON things (n)",
        "CREATE UNIQUE INDEX c ON things (body, code)",
    ),
    "computed indexes": (
        f"CREATE TABLE things ({_NUMBERED}, {_SITE})",
        "CREATE UNIQUE INDEX k ON things (code || '-')",
        "CREATE INDEX i ON things (length(body))",
        "CREATE INDEX p ON things (n) WHERE code > 'b'",
    ),
    "generated": (
        f"CREATE TABLE things ({_NUMBERED}, {_SITE}, size INTEGER AS (length(body)) STORED)",
        "CREATE INDEX i ON things (size)",
    ),
    "checked": (f"CREATE TABLE things ({_NUMBERED}, {_SITE}, CHECK (n IS NULL OR n <> 7), CHECK (length(code) < 9))",),
    "numbered otherwise": (f"CREATE TABLE things (_id INTEGER, {_SYSTEM}, {_SITE}, PRIMARY KEY (code, _id)) WITHOUT ROWID",),
    "nocase": (f"CREATE TABLE things ({_NUMBERED}, code TEXT COLLATE NOCASE, n, body, {_MORE})", "CREATE INDEX i ON things (code)"),
}
"""Name → what makes the table."""

AFTER_ROWS = {"generated": "ALTER TABLE things ADD COLUMN low TEXT AS (json(body))"}
"""Name → what is done when the rows are there: values that cannot be computed stand in no row that is put in later."""

CODES = ("", "a", "b", "c", "hunter2", "z", "{", "B", "d")
NUMBERS = (None, 0, 1, 2, -1, 5, 2**63 - 1, -(2**63), 1.5)
BODIES = (None, "x", "{", '{"k": 1}', "[1, 2]", "hidden", b"\xff", "é")
CONDITIONS = ("n = 1", "n IN (1, 2) AND body IS NOT 'hidden'", "_id % 2 = 1", "code < 'c'", "n > 0 OR body = 'x'")


@dataclass(frozen=True)
class Row:
    """A row, as it is put in."""

    mine: bool
    code: str
    n: Value
    body: Value


@dataclass(frozen=True)
class World:
    """A table, who may read what of it, its rows in order, and what hidden ones could hold instead."""

    shape: str
    policy: str
    """classic: `email` shows everybody their own rows, `open` all."""
    condition: str
    rows: tuple[Row, ...]
    instead: tuple[Row, ...]


_SHOWN = Row(True, "a", 1, "x")
"""Meets every condition and is the caller's: where nothing is visible little can be said of it."""
_ROWS = st.builds(Row, st.booleans(), st.sampled_from(CODES[2:]), st.sampled_from(NUMBERS), st.sampled_from(BODIES))


@st.composite
def worlds(draw: st.DrawFn) -> World:
    """Any of them."""
    own = draw(st.booleans())
    condition = draw(st.sampled_from(CONDITIONS)) if not own or draw(st.integers(0, 3)) == 0 else ""
    rows = [_SHOWN, *draw(st.lists(_ROWS, min_size=2, max_size=6, unique_by=lambda row: row.code))]
    instead = draw(st.lists(_ROWS, min_size=len(rows), max_size=len(rows), unique_by=lambda row: row.code))
    return World(draw(st.sampled_from(sorted(SHAPES))), "email" if own else "open", condition, tuple(rows), tuple(instead))


def in_memory() -> Database:
    """Open a database that has no file, as `open_database(path, watchful=True)` opens one: thousands are made."""
    connection = apsw.Connection(":memory:")
    opened = Database(connection, watchful=True)
    configure(connection, guarded=True)
    connection.limit(apsw.SQLITE_LIMIT_LIKE_PATTERN_LENGTH, FINE_LIKE_PATTERN_MAX_BYTES)
    bound_functions(connection, lambda: False)
    return opened


class Built:
    """A world in a database: with its hidden rows, with others instead of them, or without."""

    def __init__(self, world: World) -> None:
        self.database = in_memory()
        create_schema(self.database)
        for statement in SHAPES[world.shape]:
            self.database.rows(statement)
        self.database.rows("INSERT INTO _tables VALUES (?, '', ?, 'then')", (TABLE, world.policy))
        for number, row in enumerate(world.rows, 1):
            self._put(number, row)
        self.access = TableAccess(self.database)
        self.hidden = {number for number, _ in enumerate(world.rows, 1)} - self._visible(world)

    def _put(self, number: int, row: Row) -> None:
        body = "CAST(? AS TEXT)" if isinstance(row.body, bytes) else "?"
        sql = f"INSERT OR IGNORE INTO things (_id, _owner, code, n, body) VALUES (?, ?, ?, ?, {body})"
        self.database.rows(sql, (number, EVE.id if row.mine else BOSS, row.code, row.n, row.body))

    def visible(self, world: World) -> list[tuple[Value, ...]]:
        """What can be read, by a way of its own."""
        terms = [f"({world.condition})"] if world.condition else []
        terms += ["_owner = 'eve'"] if world.policy == "email" else []
        return self.database.rows(
            f"SELECT _id, _owner, code, n, hex(body) FROM things WHERE {' AND '.join(terms) or '1'} ORDER BY _id, code"
        )

    def _visible(self, world: World) -> set[int]:
        return {int(str(row[0])) for row in self.visible(world)}

    def _finished(self, world: World) -> Built:
        if world.shape in AFTER_ROWS:
            self.database.rows(AFTER_ROWS[world.shape])
        return self

    def whole(self, world: World) -> Built:
        """As it is."""
        return self._finished(world)

    def without_hidden(self, world: World) -> Built:
        """The same without."""
        for number in self.hidden:
            self.database.rows("DELETE FROM things WHERE _id = ?", (number,))
        return self._finished(world)

    def with_others(self, world: World) -> Built:
        """The same with other values in the hidden rows, as far as they then stay hidden."""
        for number in sorted(self.hidden):
            before = self.database.rows("SELECT _id FROM things WHERE _id = ?", (number,))
            self.database.rows("SAVEPOINT one")
            self.database.rows("DELETE FROM things WHERE _id = ?", (number,))
            self._put(number, Row(world.rows[number - 1].mine, *_values(world.instead[number - 1])))
            there = self.database.rows("SELECT _id FROM things WHERE _id = ?", (number,))
            if before and (not there or number in self._visible(world)):
                self.database.rows("ROLLBACK TO one")
            self.database.rows("RELEASE one")
        return self._finished(world)

    def close(self) -> None:
        self.database.close()


def _values(row: Row) -> tuple[str, Value, Value]:
    return row.code, row.n, row.body


# ── what a caller writes ─────────────────────────────────────────────────────────────────────

_COLUMNS = ("code", "n", "body", "_id", "_owner", "things.code", '"n"', "_created_at")
_LITERALS = ("''", "'a'", "'hunter2'", "'z'", "'{'", "1", "0", "NULL", "-9223372036854775808", "x'ff'", "'boss'")
_VALUES = st.one_of(st.sampled_from(_COLUMNS), st.sampled_from(_COLUMNS), st.sampled_from(_LITERALS))
_SLOW = (
    f"(WITH t(x) AS (VALUES {', '.join(['(1)'] * 20)}) SELECT count(*) FROM t AS a, t AS b, t AS c WHERE b.x + c.x <> {{0}} AND c.x < 3)"
)
"""Eight thousand rows for each it is computed for."""
_LONG = " + ".join([f"max({', '.join(['{0}'] * 50)})"] * 20)
"""A thousand steps without a sub-select, which SQLite leaves for the last."""
LASTING = (_LONG, _LONG, _SLOW)
"""What takes long."""
FAILING = (
    "json({0})",
    *["json('{{' || {0})"] * 5,
    "abs({0})",
    "json_extract({0}, '$.k')",
    "zeroblob({0} || '99999999')",
    "json_type({0}, 'k')",
)
_failing = st.builds(str.format, st.sampled_from((*FAILING, *LASTING)), _VALUES)
_COMPARING = ("=", "<", ">", "<=", ">=", "<>", "IS", "IS NOT", "LIKE", "GLOB")
_comparison = st.builds("{} {} {}".format, _VALUES, st.sampled_from(_COMPARING), _VALUES)


def _wider(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.one_of(
        st.builds("({}) AND ({})".format, inner, inner),
        st.builds("({}) OR ({})".format, inner, inner),
        st.builds("NOT ({})".format, inner),
        st.builds("iif({}, {}, 0)".format, inner, _failing),
        st.builds("CASE WHEN {} THEN {} ELSE {} END".format, inner, _failing, inner),
        st.builds("EXISTS (SELECT 1 FROM (VALUES ('a'), ('hunter2')) WHERE column1 = code AND ({}))".format, inner),
        st.builds("(WITH w(x) AS (VALUES (1), (2)) SELECT max({}) FROM w) = 1".format, inner),
        st.builds("(SELECT {})".format, inner),
        st.builds("likely({})".format, inner),
        st.builds("({}) > {}".format, inner, _failing),
    )


_FOUND_BY_INDEX = (
    "{0} BETWEEN {1} AND {2}",
    "{0} > {1} AND {0} < {2}",
    "{0} = {1}",
    "{0} IN ({1}, {2})",
    "{0} > {1}",
    "{0} LIKE {1} || '%'",
)
_LOW, _HIGH = ("''", "'a'", "'b'", "0", "-1", "NULL"), ("'hunter2'", "'z'", "'{'", "1", "2", "5")


@st.composite
def _guesses(draw: st.DrawFn, failing: tuple[str, ...]) -> str:
    """As an attack does it: a term that an index serves, and one of the same column that fails, or takes long, where the guess is right."""
    column = draw(st.sampled_from(("code", "n", "code", "n", "things.code", "length(body)", "size")))
    serving = draw(st.sampled_from(_FOUND_BY_INDEX[:2] * 2 + _FOUND_BY_INDEX))
    found = serving.format(column, draw(st.sampled_from(_LOW)), draw(st.sampled_from(_HIGH)))
    anything = f"{column} {draw(st.sampled_from(_COMPARING))} {draw(st.sampled_from(_LOW + _HIGH))}"
    guessed = draw(st.sampled_from((anything, f"{column} <> {1 if column == 'n' else repr(_SHOWN.code)}")))
    return f"{found} AND iif({guessed}, {draw(st.sampled_from(failing)).format(column)}, 1)"


_base = st.one_of(
    _comparison,
    _failing,
    st.builds("{} IN ({}, {})".format, _VALUES, _VALUES, _VALUES),
    st.builds("{} IN (VALUES ({}))".format, _VALUES, st.sampled_from(_LITERALS)),
    st.builds("{} BETWEEN {} AND {}".format, _VALUES, _VALUES, _VALUES),
    st.builds("({}, {}) > ({}, {})".format, _VALUES, _VALUES, _VALUES, _VALUES),
    st.builds("{} > '' AND iif({} = {}, {}, 0)".format, _VALUES, _VALUES, _VALUES, _failing),
    st.sampled_from(("code = ?", "_id = ?", "things.code = ?", '"things"."_id" = ?', "n = ? AND json(body)")),
)
TERMS = st.recursive(_base, _wider, max_leaves=5)
_ORDERS = st.one_of(
    st.builds("{} {}".format, _VALUES, st.sampled_from(("", "ASC", "DESC"))),
    st.builds("iif({}, {}, _id)".format, TERMS, _failing),
    st.sampled_from(("_id DESC", "code", "n DESC, _id", "row_number() OVER (ORDER BY n)", "count(*) OVER ()", "1")),
)
_NAMES = st.sampled_from(("code", "n", "body", "_id", "_owner"))
_READING = ("query", "query-one", "count", "exists", "pluck", "distinct", "aggregate")
_WRITING = ("insert", "update", "delete")
_EXPRESSIONS = st.one_of(st.just("count(*)"), st.builds("{}({})".format, st.sampled_from(("count", "sum", "avg", "min", "max")), _NAMES))


def _some(strategy: st.SearchStrategy[object]) -> st.SearchStrategy[object]:
    return st.one_of(st.none(), strategy, strategy)


@st.composite
def requests(draw: st.DrawFn, failing: tuple[str, ...]) -> tuple[str, dict[str, object]]:
    """An operation and its keys; most of them make sense."""
    operation = draw(st.sampled_from((*_READING * 8, *_WRITING * 3, *sorted(TABLE_OPERATIONS - {"rename-table", "delete-table"}))))
    request: dict[str, object] = {
        "where": draw(st.one_of(st.none(), TERMS, _guesses(failing), _guesses(failing))),
        "order": draw(_some(_ORDERS)),
        "columns": draw(_some(st.lists(_NAMES, min_size=1, max_size=3))),
        "column": draw(_NAMES),
        "expr": draw(_EXPRESSIONS),
        "group_by": draw(_some(_NAMES)),
        "limit": draw(_some(st.integers(0, 4))),
        "offset": draw(_some(st.integers(0, 2))),
        "id": draw(st.integers(1, 8)),
        "key_col": "code",
        "data": draw(st.dictionaries(st.sampled_from(("code", "n", "body")), st.sampled_from((*CODES, 1, 7, None)), min_size=1)),
    }
    where = str(request["where"])
    if "AND iif" in where and draw(st.booleans()):
        request["order"] = draw(st.sampled_from(("code", "n", "code DESC")))
    request["args"] = draw(st.lists(st.sampled_from((*CODES, 1, 2, 3)), min_size=where.count("?"), max_size=where.count("?")))
    return operation, {"table": TABLE, **{key: value for key, value in request.items() if value is not None}}
