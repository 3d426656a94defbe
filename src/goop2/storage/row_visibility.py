"""The rows of a table that a caller may read, as SQL behind which the caller's own SQL cannot look.

Where some rows are hidden, the SELECT of a view ends in `LIMIT -1 OFFSET 0`. That changes no answer and separates the view: SQLite neither
flattens a sub-select with an OFFSET into the statement around it nor moves terms of that statement into one with a LIMIT
(https://sqlite.org/optoverview.html, "Subquery flattening", "WHERE-clause push-down"). So every term of the caller is computed for visible
rows only, however it fails and however long it takes; a hidden row costs the same few steps whatever it contains.

Alone that would make every statement read every row. Two kinds of statement are therefore recognised and passed on to the view: those in an
order that costs nothing, and those that name one row by a key. Both reveal only what a caller may know anyway: how many rows there are
before one by `_id`, and that a key is taken. Rows are ordered inside the view by other columns than `_id` only where nothing but the site's
condition hides rows, since the policy then shows the same caller all of them.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from goop2.storage.columns import quoted
from goop2.storage.database import Database, Value
from goop2.storage.target_table import TargetTable

CALLER_FUNCTION: Final = "_py_caller"
"""SQL function of the views: the id of who is asking."""
KEY_FUNCTION: Final = "_py_key"
"""SQL function of the views: the key of the one row that is asked for."""

WALL: Final = "LIMIT -1 OFFSET 0"
_NAME: Final = r'(?:"((?:[^"]|"")+)"|([A-Za-z_][A-Za-z0-9_]*))'
_ONE_ROW: Final = re.compile(rf"(?:{_NAME}\s*\.\s*)?{_NAME}\s*=\s*\?\Z")
_BY_ONE: Final = re.compile(rf"{_NAME}(?:\s+(asc|desc))?\Z", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class VisibleRows:
    """The rows of a table that a view shows, and what the view is told of the statement around it."""

    own: bool = False
    """Only those of who is asking."""
    condition: str = ""
    """SQL of the site that each must meet."""
    order: str = ""
    """The column they are put in order by; "" for the order in which they lie."""
    descending: bool = False
    key: str = ""
    """The column by which one row is asked for; "" for none."""

    @property
    def hides(self) -> bool:
        """Return whether there may be rows it does not show."""
        return self.own or bool(self.condition)


def select(subject: TargetTable, rows: VisibleRows) -> str:
    """Return the SELECT of the view of a table's visible rows."""
    columns = ", ".join(map(quoted, subject.columns))
    sql = f"SELECT {columns} FROM main.{quoted(subject.name)}"
    # Without a wall SQLite may join the view with the statement around it, and use any index.
    if not rows.hides:
        return sql
    sql += f" WHERE {' AND '.join(_conditions(rows))}"
    if rows.order:
        sql += f" ORDER BY {quoted(rows.order)} {'DESC' if rows.descending else 'ASC'}"
    return f"{sql} {WALL}"


def _conditions(rows: VisibleRows) -> list[str]:
    conditions = [f"{quoted(rows.key)} = {KEY_FUNCTION}()"] if rows.key else []
    own = f"_owner = {CALLER_FUNCTION}() COLLATE BINARY"
    if not rows.own:
        return [*conditions, f"(\n{rows.condition}\n)"]
    # SQLite may compute terms of AND in any order, those of CASE in theirs alone: the site's condition sees no row of others.
    return [*conditions, own, *([f"CASE WHEN {own} THEN (\n{rows.condition}\n) ELSE 0 END"] if rows.condition else [])]


@dataclass(frozen=True, slots=True)
class Ways:
    """The columns of a table by which its rows are found or ordered without reading all of them."""

    numbering: frozenset[str] = frozenset()
    """`_id`, where it is SQLite's own number of each row."""
    keys: frozenset[str] = frozenset()
    """Of which no two rows have the same value, as SQLite itself sees to."""
    ordered: frozenset[str] = frozenset()
    """The first of an index."""


def with_request(rows: VisibleRows, ways: Ways, subject: TargetTable, where: str, order: str, arguments: Sequence[Value]) -> VisibleRows:
    """Return `rows` with what its view is told of the statement."""
    wanted = _BY_ONE.match(order)
    column = _unquoted(wanted[1], wanted[2]) if wanted else ""
    free = ways.numbering if rows.own else ways.numbering | ways.ordered
    key = _key_asked_for(ways, subject, where, arguments)
    if wanted and column in free:
        return replace(rows, key=key, order=column, descending=(wanted[3] or "").lower() == "desc")
    return replace(rows, key=key, order="".join(ways.numbering))


def _key_asked_for(ways: Ways, subject: TargetTable, where: str, arguments: Sequence[Value]) -> str:
    """Return the column of a `where` that is `column = ?` and names at most one row; "" for any other."""
    found = _ONE_ROW.match(where)
    # More than one argument means more than one condition, which only the statement itself may judge.
    if found is None or len(arguments) != 1:
        return ""
    table, column = _unquoted(found[1], found[2]), _unquoted(found[3], found[4])
    return column if table in ("", subject.name) and column in ways.keys else ""


def _unquoted(in_quotes: str | None, bare: str | None) -> str:
    return in_quotes.replace('""', '"') if in_quotes is not None else bare or ""


def ways(database: Database, table: str) -> Ways:
    """Return the ways of a table as it is now. Outdated ones cost time and change no answer."""
    indexes = database.rows(
        'SELECT list."unique", group_concat(info.cid), min(info.name) FILTER (WHERE info.seqno = 0)'
        " FROM pragma_index_list(?) AS list, pragma_index_info(list.name) AS info WHERE NOT list.partial GROUP BY list.name",
        (table,),
    )
    numbering = frozenset({"_id"} if _numbered_by_id(database, table) else ())
    keys = frozenset(str(first) for unique, columns, first in indexes if unique and first and "," not in str(columns))
    return Ways(numbering, keys | numbering, frozenset(str(first) for _, _, first in indexes if first))


def _numbered_by_id(database: Database, table: str) -> bool:
    key = database.rows("SELECT name, upper(type) FROM pragma_table_xinfo(?) WHERE pk > 0", (table,))
    if key != [("_id", "INTEGER")]:
        return False
    # A key that is not the number itself has an index of its own.
    return database.scalar("SELECT 1 FROM pragma_index_list(?) WHERE origin = 'pk'", (table,)) is None
