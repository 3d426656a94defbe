"""The rows of a table as its owner looks through them: a page, filtered, sorted and searched; how many there are; the commonest values.

The text of each statement is made here, of column names that are there and of bound values. The connection only reads. A value that is too
long for a cell, or bytes, is told by its size. It must not know HTTP.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from typing import Final

import msgspec

from goop2.storage.columns import SYSTEM_COLUMNS, quoted
from goop2.storage.database import Database, Value
from goop2.storage.datetimes import in_sql, is_unified
from goop2.storage.desk_limits import (
    CELL_MAX_CHARS,
    COUNTED_EXACTLY_MAX,
    FACET_ROWS_MAX,
    FACET_VALUES_MAX,
    FILTERS_MAX,
    PAGE_ROWS_MAX,
    SEARCH_MAX_CHARS,
)
from goop2.storage.errors import StatementTimeoutError, StorageError
from goop2.storage.guard import OWNER_READS, Role
from goop2.storage.owner_reader import Reading
from goop2.storage.policy_sentences import sentences
from goop2.storage.registry_schema import is_user_table, user_tables
from goop2.storage.values import EXACT_INTEGER_MAX, check, instant, shown

LOOK: Final = Role(OWNER_READS, "the Data page")
Cell = None | bool | int | float | str | dict[str, object]
"""A value for a page: `{"text", "size"}` is the beginning of a long text, `{"bytes"}` a BLOB by its size."""

_KEY: Final = "_id"

_TEXT_OF: Final = "lower(CAST({column} AS TEXT))"
FILTERS: Final[Mapping[str, str]] = {
    "is": "{column} = ?",
    "is not": "{column} IS NOT ?",
    "contains": f"instr({_TEXT_OF}, lower(?)) > 0",
    "begins with": f"instr({_TEXT_OF}, lower(?)) = 1",
    "less than": "{column} < ?",
    "at most": "{column} <= ?",
    "greater than": "{column} > ?",
    "at least": "{column} >= ?",
    "is empty": "({column} IS NULL OR {column} = '')",
    "is not empty": "({column} IS NOT NULL AND {column} <> '')",
}
"""What a filter row may ask → its SQL; SQLite gives the value the type of the column."""
WITHOUT_VALUE: Final = frozenset(("is empty", "is not empty"))


class RowFilter(msgspec.Struct, frozen=True):
    """A line of the filter row: what a column must hold."""

    column: str
    op: str = "is"
    value: int | float | str | None = ""


class RowsWanted(msgspec.Struct, frozen=True, kw_only=True):
    """Which rows of a table, and in which order."""

    table: str
    filters: tuple[RowFilter, ...] = ()
    search: str = ""
    """Words for the table's full-text index."""
    order: str = ""
    down: bool = False
    offset: int = 0
    limit: int = 50
    total: int | None = None
    """How many rows there are as far as the page knows: rows near the end are then read from there."""


class RowsFound(msgspec.Struct, frozen=True, kw_only=True):
    """The rows of one page, values in the order of `columns`."""

    columns: tuple[str, ...]
    rows: list[list[Cell]]
    more: bool
    """Whether there are rows after these."""


class TableEntry(msgspec.Struct, frozen=True, kw_only=True):
    """A table in the owner's list."""

    name: str
    kind: str
    typed: bool
    rows: int
    about: bool
    """Whether `rows` is not counted, but the highest row number."""
    columns: list[dict[str, object]]
    policies: dict[str, str]
    sentences: list[str]
    search: str
    """The full-text table that has the words of this one, "" without."""
    editable: bool
    """Whether rows can be changed one by one: they have the columns that every table of a site has."""


class FacetValue(msgspec.Struct, frozen=True):
    """A value of a column, and how many rows have it."""

    value: Cell
    count: int


class Facet(msgspec.Struct, frozen=True, kw_only=True):
    """The commonest values of a column."""

    column: str
    values: list[FacetValue]
    sampled: bool
    """Whether only the first FACET_ROWS_MAX rows were looked at."""


class TableBrowser:
    """The tables of one database that is open for reading."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._reading = Reading(database, {})

    def tables(self) -> list[TableEntry]:
        """Return the site's own tables, registered or not, sorted by name."""
        words, described = self._full_text(), self._reading.describe_all()
        return [self._entry(name, described.get(name, []), words.get(name, "")) for name in user_tables(self._database)]

    def _entry(self, name: str, described: Sequence[Mapping[str, object]], search: str) -> TableEntry:
        kind, policies = self._reading.registered(name)
        columns = [_column_entry(each) for each in described]
        columns.sort(key=lambda column: (column["name"] != _KEY, not column["editable"]))
        rows, about = self._size(name)
        names = {column["name"] for column in columns}
        return TableEntry(
            name=name,
            kind=kind,
            typed=kind == "typed",
            rows=rows,
            about=about,
            columns=columns,
            policies=policies,
            sentences=sentences(policies),
            search=search,
            editable=kind != "unreadable" and names.issuperset(SYSTEM_COLUMNS),
        )

    def _size(self, name: str) -> tuple[int, bool]:
        """Return how many rows a table has, and whether that is not counted."""
        most = COUNTED_EXACTLY_MAX + 1
        counted = int(self._database.scalar(f"SELECT count(*) FROM (SELECT 1 FROM {quoted(name)} LIMIT {most})") or 0)
        if counted < most:
            return counted, False
        try:
            highest = self._database.scalar(f"SELECT max(rowid) FROM {quoted(name)}")
        except StorageError:  # a table WITHOUT ROWID
            highest = None
        return (highest, True) if isinstance(highest, int) and highest >= counted else (counted, True)

    def _full_text(self) -> dict[str, str]:
        """Return table → the full-text table that has the words of its rows."""
        found = self._database.rows("SELECT name, sql FROM sqlite_schema WHERE type = 'table' AND rootpage = 0 AND sql LIKE '%fts5%'")
        return {match[1]: str(name) for name, sql in found if (match := _CONTENT.search(str(sql)))}

    # ── rows ─────────────────────────────────────────────────────────────────────────────────

    def rows(self, wanted: RowsWanted) -> RowsFound:
        """Return a page of rows. Raises `StorageError` for a table, column or filter there is not."""
        names = self._names(wanted.table)
        condition, arguments = self._condition(wanted, names)
        order = self._column(wanted, names, wanted.order) if wanted.order else _KEY if _KEY in names else ""
        limit = min(max(wanted.limit, 1), PAGE_ROWS_MAX)
        offset = max(wanted.offset, 0)
        backwards = not condition and wanted.total is not None and limit < wanted.total and offset > wanted.total // 2
        if backwards and wanted.total is not None:
            limit, offset = min(limit, max(wanted.total - offset, 0)), max(wanted.total - offset - limit, 0)
        sorting = _sorting(self._compared(wanted.table, order) if order else "", order, names, wanted.down != backwards)
        columns = ", ".join(map(quoted, names))
        sql = f"SELECT {columns} FROM {quoted(wanted.table)}{condition}{sorting} LIMIT ? OFFSET ?"
        # One row more tells whether there are more.
        taken = limit if backwards else limit + 1
        with self._database.stream(LOOK, sql, (*arguments, taken, offset)) as (_, found):
            rows = [[cell(value) for value in row] for row in found]
        if backwards:
            return RowsFound(columns=names, rows=rows[::-1], more=offset > 0)
        return RowsFound(columns=names, rows=rows[:limit], more=len(rows) > limit)

    def count(self, wanted: RowsWanted) -> int | None:
        """Return how many rows meet the filters; None when counting takes too long."""
        names = self._names(wanted.table)
        condition, arguments = self._condition(wanted, names)
        try:
            with self._database.stream(LOOK, f"SELECT count(*) FROM {quoted(wanted.table)}{condition}", arguments) as (_, found):
                (value,) = next(found)
        except StatementTimeoutError:
            return None
        return value if isinstance(value, int) else None

    def facet(self, wanted: RowsWanted, column: str) -> Facet:
        """Return the commonest values of a column among the rows that meet the filters."""
        names = self._names(wanted.table)
        condition, arguments = self._condition(wanted, names)
        of = quoted(self._column(wanted, names, column))
        inner = f"SELECT {of} AS value FROM {quoted(wanted.table)}{condition} LIMIT {FACET_ROWS_MAX}"
        sql = f"SELECT value, count(*), sum(count(*)) OVER () FROM ({inner}) GROUP BY value ORDER BY 2 DESC, 1 LIMIT {FACET_VALUES_MAX}"
        with self._database.stream(LOOK, sql, arguments) as (_, found):
            rows = list(found)
        sampled = bool(rows) and rows[0][2] == FACET_ROWS_MAX
        return Facet(column=column, values=[FacetValue(cell(value), int(str(count))) for value, count, _ in rows], sampled=sampled)

    def version(self) -> int:
        """Return a number that changes when anybody else has written."""
        found = self._database.scalar("PRAGMA data_version")
        return found if isinstance(found, int) else 0

    def _names(self, table: str) -> tuple[str, ...]:
        if not is_user_table(self._database, table):
            raise StorageError(f"there is no table {shown(table)}")
        return tuple(str(each["name"]) for each in self._reading.describe(table))

    def _column(self, wanted: RowsWanted, names: Sequence[str], name: str) -> str:
        if name not in names:
            raise StorageError(f"{wanted.table} has no column {shown(name)}")
        return name

    def _compared(self, table: str, name: str) -> str:
        """Return the SQL of a column to sort and compare by: a moved folder's datetimes are of two forms until a peer has started in it."""
        of = {str(each["name"]): str(each["type"]).lower() for each in self._reading.describe(table)}
        if of[name] != "datetime" or is_unified(self._database, table, name):
            return quoted(name)
        return in_sql(quoted(name))

    def _condition(self, wanted: RowsWanted, names: Sequence[str]) -> tuple[str, tuple[Value, ...]]:
        """Return the WHERE of the filters and the search, and its arguments."""
        if len(wanted.filters) > FILTERS_MAX:
            raise StorageError(f"there are {len(wanted.filters)} filters; the most is {FILTERS_MAX}")
        types = {str(each["name"]): str(each["type"]) for each in self._reading.describe(wanted.table)} if wanted.filters else {}
        parts: list[str] = []
        arguments: list[Value] = []
        for each in wanted.filters:
            name = self._column(wanted, names, each.column)
            if each.op not in FILTERS:
                raise StorageError(f"{shown(each.op)} is no filter; there are {', '.join(FILTERS)}")
            parts.append(FILTERS[each.op].format(column=self._compared(wanted.table, name)))
            if each.op not in WITHOUT_VALUE:
                arguments.append(_value(each.value, types[name]))
        if wanted.search.strip():
            of = self._full_text().get(wanted.table)
            if of is None:
                raise StorageError(f"{wanted.table} has no full-text index, so it cannot be searched; filter a column with contains")
            parts.append(f"rowid IN (SELECT rowid FROM {quoted(of)} WHERE {quoted(of)} MATCH ?)")
            arguments.append(_words(wanted.search))
        return (f" WHERE {' AND '.join(parts)}" if parts else ""), tuple(arguments)


_CONTENT: Final = re.compile(r"""using\s+fts5\b.*\bcontent\s*=\s*["']?([^"',)\s]+)""", re.IGNORECASE | re.DOTALL)


def _sorting(by: str, order: str, names: Sequence[str], down: bool) -> str:
    if not order:
        return ""
    direction = "DESC" if down else "ASC"
    # The same order of equal values on every page.
    last = f", {quoted(_KEY)} {direction}" if order != _KEY and _KEY in names else ""
    return f" ORDER BY {by} {direction}{last}"


def _value(value: int | float | str | None, kind: str) -> Value:
    """Return what a filter compares with: an instant as a datetime column holds it."""
    if kind.lower() == "datetime" and isinstance(value, str) and not check("datetime", (), value):
        return instant(value)
    return value


def _words(text: str) -> str:
    """Return what is searched for: words that begin as those written do; nothing of it is the index's own language."""
    words = [word.replace('"', '""') for word in text[:SEARCH_MAX_CHARS].split()]
    return " ".join(f'"{word}"*' for word in words)


def cell(value: Value, max_chars: int = CELL_MAX_CHARS) -> Cell:
    """Return a value as a page shows it: a number that JavaScript cannot hold as text, a long text cut, of a blob its size."""
    if isinstance(value, bytes):
        return {"bytes": len(value)}
    if isinstance(value, str):
        return value if len(value) <= max_chars else {"text": value[:max_chars], "size": len(value)}
    if isinstance(value, int) and not -EXACT_INTEGER_MAX <= value <= EXACT_INTEGER_MAX:
        return str(value)
    if isinstance(value, float):
        if not math.isfinite(value):
            return str(value)
        return int(value) if value.is_integer() and abs(value) <= EXACT_INTEGER_MAX else value
    return value


def _column_entry(described: Mapping[str, object]) -> dict[str, object]:
    name = str(described["name"])
    return {
        "name": name,
        "type": str(described["type"]).lower(),
        "required": bool(described["required"]),
        "default": described["default"],
        "key": bool(described["key"]),
        "values": described["values"],
        "editable": not name.startswith("_") and not described.get("computed"),
    }
