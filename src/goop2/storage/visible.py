"""The rows of a table that a caller may read, as SQL nothing the caller writes can look behind.

Where some rows are hidden, the SELECT of a view ends in `LIMIT -1 OFFSET 0`, which changes no answer and makes a wall: SQLite neither
flattens a sub-select with an OFFSET into the statement around it nor moves terms of that statement into one with a LIMIT
(https://sqlite.org/optoverview.html, "Subquery flattening", "WHERE-clause push-down"). So every term of the caller is computed for visible
rows alone, however it fails and however long it takes; a hidden row costs the same few steps whatever stands in it.

The wall would make every statement read every row. Two kinds of statement are therefore recognised and told to the view itself: those
that want the order of `_id`, and those that name one row by a key. Both tell what a caller may know anyway: how many rows there are before
one, and that a key is taken.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from goop2.storage.columns import quoted
from goop2.storage.database import Database, Value
from goop2.storage.subject import Subject

CALLER_FUNCTION: Final = "_py_caller"
"""SQL function of the views: the id of who is asking."""
KEY_FUNCTION: Final = "_py_key"
"""SQL function of the views: the key of the one row that is asked for."""

WALL: Final = "LIMIT -1 OFFSET 0"
_NAME: Final = r'(?:"((?:[^"]|"")+)"|([A-Za-z_][A-Za-z0-9_]*))'
_ONE_ROW: Final = re.compile(rf"(?:{_NAME}\s*\.\s*)?{_NAME}\s*=\s*\?\Z")
_BY_ID: Final = re.compile(r'(?:"_id"|_id)(?:\s+(asc|desc))?\Z', re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Rows:
    """Which rows of a table a view shows, and what of the statement around it the view is told."""

    own: bool = False
    """Only those of who is asking."""
    condition: str = ""
    """SQL of the site that each must meet."""
    descending: bool = False
    """By `_id`, the highest first; else the lowest first."""
    key: str = ""
    """The column by which one row is asked for; "" for none."""

    @property
    def hides(self) -> bool:
        """Whether there may be rows it does not show."""
        return self.own or bool(self.condition)


def select(subject: Subject, rows: Rows, *, by_id: bool) -> str:
    """The SELECT of a view. `by_id`: `_id` is how SQLite itself numbers the rows, so that their order costs nothing."""
    columns = ", ".join(map(quoted, subject.columns))
    sql = f"SELECT {columns} FROM main.{quoted(subject.name)}"
    if not rows.hides:
        return sql
    sql += f" WHERE {' AND '.join(_conditions(rows))}"
    if by_id:
        sql += f" ORDER BY {quoted('_id')} {'DESC' if rows.descending else 'ASC'}"
    return f"{sql} {WALL}"


def _conditions(rows: Rows) -> list[str]:
    conditions = [f"{quoted(rows.key)} = {KEY_FUNCTION}()"] if rows.key else []
    own = f"_owner = {CALLER_FUNCTION}() COLLATE BINARY"
    if not rows.own:
        return [*conditions, f"(\n{rows.condition}\n)"]
    # SQLite may compute terms of AND in any order, those of CASE in theirs alone: the site's condition sees no row of others.
    return [*conditions, own, *([f"CASE WHEN {own} THEN (\n{rows.condition}\n) ELSE 0 END"] if rows.condition else [])]


def in_order_of_id(order: str) -> bool | None:
    """Whether `order` is by `_id` descending; None when it is by anything but `_id` alone."""
    found = _BY_ID.match(order)
    return None if found is None else (found[1] or "").lower() == "desc"


def key_asked_for(database: Database, subject: Subject, where: str, arguments: Sequence[Value]) -> str:
    """The column of a `where` that is `column = ?` and names one row at most; "" for any other."""
    found = _ONE_ROW.match(where)
    if found is None or len(arguments) != 1:
        return ""
    table, column = _unquoted(found[1], found[2]), _unquoted(found[3], found[4])
    if table not in ("", subject.name) or column not in subject.columns:
        return ""
    return column if column in keys(database, subject.name) else ""


def _unquoted(in_quotes: str | None, bare: str | None) -> str:
    return in_quotes.replace('""', '"') if in_quotes is not None else bare or ""


def keys(database: Database, table: str) -> set[str]:
    """The columns of which no two rows have the same value, as SQLite itself sees to."""
    found = database.rows(
        "SELECT max(info.name) FROM pragma_index_list(?1) AS list, pragma_index_info(list.name) AS info"
        ' WHERE list."unique" AND NOT list.partial GROUP BY list.name HAVING count(*) = 1',
        (table,),
    )
    return {str(name) for (name,) in found if name is not None} | ({"_id"} if numbered_by_id(database, table) else set())


def numbered_by_id(database: Database, table: str) -> bool:
    """Whether `_id` is SQLite's own number of each row, `INTEGER PRIMARY KEY`."""
    key = database.rows("SELECT name, upper(type) FROM pragma_table_xinfo(?) WHERE pk > 0", (table,))
    if key != [("_id", "INTEGER")]:
        return False
    # A key that is not the number itself has an index of its own.
    return database.scalar("SELECT 1 FROM pragma_index_list(?) WHERE origin = 'pk'", (table,)) is None
