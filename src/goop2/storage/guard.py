"""Decide what a statement may do, by what SQLite says it touches and never by matching its text.

A `Role` says who wrote the statement; `PERMITTED` says what each kind of role may do; the `Guard` is the authorizer of a connection
(https://sqlite.org/c3ref/set_authorizer.html). SQLite asks it while it compiles a statement, for every table and column, also inside views,
triggers and sub-selects:

    action              first        second      database   inside
    SQLITE_READ         table        column      "main"     view, trigger or CTE it stands in, or None
    SQLITE_INSERT …     table        -           "main"     same
    SQLITE_FUNCTION     -            function    -          same

Two things to know: `count(*)` reads a table with an empty column and no database name. And a CTE can have the name of any view, so the name
in the last place proves something only while it is secret. Whatever is not permitted is denied.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import apsw
import msgspec

from goop2.storage.columns import quoted

READABLE_REGISTRIES: Final = frozenset({"_tables", "_orm_schemas"})
"""Tables that begin with `_` and may all the same be read by the owner's scripts."""

REFUSED_FUNCTIONS: Final = frozenset({"load_extension", "fts3_tokenizer", "sqlite_log"})
"""SQL functions that reach beyond the database."""

OUR_FUNCTIONS: Final = "_py_"
"""How the names of SQL functions of ours begin (row_visibility.py)."""

LOOKING_PRAGMAS: Final = frozenset(
    {
        "data_version",
        "foreign_key_list",
        "index_info",
        "index_list",
        "integrity_check",
        "quick_check",
        "table_info",
        "table_list",
        "table_xinfo",
    }
)
"""PRAGMAs that only look, for the owner. A full-text table asks for data_version itself when it is read."""


# Looked up for every statement: there is one object of each, and its hash is the object's.
class StatementKind(msgspec.Struct, frozen=True, eq=False):
    """A kind of statement. `flags` separate its compiled statements from those of other kinds in apsw's cache."""

    name: str
    flags: int
    writes: bool = False
    """Whether its statements change rows: they hold the lock, and are bounded by the time for that."""


SCRIPT_READS: Final = StatementKind("script reads", 0)
SCRIPT_WRITES: Final = StatementKind("script writes", 0, writes=True)
ONE_TABLE: Final = StatementKind("one table", apsw.SQLITE_PREPARE_DONT_LOG)
ONE_TABLE_WRITES: Final = StatementKind("changes one table", apsw.SQLITE_PREPARE_PERSISTENT | apsw.SQLITE_PREPARE_NORMALIZE, writes=True)
VISITOR: Final = StatementKind("visitor", apsw.SQLITE_PREPARE_DONT_LOG | apsw.SQLITE_PREPARE_PERSISTENT)
OWNER_READS: Final = StatementKind("owner reads", apsw.SQLITE_PREPARE_NORMALIZE)
SCHEMA_SQL: Final = StatementKind("schema.sql", 0)
OURS: Final = StatementKind("ours", apsw.SQLITE_PREPARE_PERSISTENT)


class Role(msgspec.Struct, frozen=True):
    """The author of a statement: its name in messages, and for the narrow kinds the one table it may read."""

    kind: StatementKind
    name: str
    table: str = ""
    view: str = ""
    """VISITOR: the secret name of the view through which alone the table is read."""
    whole: bool = False
    """VISITOR: that view shows every row, so how many the table has is no secret."""
    columns: frozenset[str] = frozenset()
    """ONE_TABLE_WRITES: the columns it may set."""


QUERY: Final = Role(SCRIPT_READS, "goop.db.query")
SCALAR: Final = Role(SCRIPT_READS, "goop.db.scalar")
EXEC: Final = Role(SCRIPT_WRITES, "goop.db.exec")
INTERNAL: Final = Role(OURS, "goop2")

Check = Callable[[Role, str | None, str | None, str | None, str | None], bool]
"""(role, first, second, database, inside) → permitted?"""


def is_private(table: str) -> bool:
    """Return whether a table is the peer's or SQLite's own, not the site's."""
    return table.startswith(("_", "sqlite_"))


def _always(_role: Role, *_what: str | None) -> bool:
    return True


def _user_table(_role: Role, table: str | None, *_rest: str | None) -> bool:
    # SQLite spells a table here as it was made, so no trick with case or quotes gets past.
    return table is not None and not is_private(table)


def _readable_table(role: Role, table: str | None, *_rest: str | None) -> bool:
    return _user_table(role, table) or table in READABLE_REGISTRIES


def _the_table(role: Role, table: str | None, *_rest: str | None) -> bool:
    return table is not None and table.lower() == role.table.lower()  # a registry of another peer may spell it otherwise


# A statement that changes one table has no sub-select of its own, so none of its CTEs can be what it stands inside of: only a trigger.
def _of_trigger(check: Check) -> Check:
    return lambda role, first, second, database, inside: inside is not None and check(role, first, second, database, inside)


def _own_or_of_trigger(own: Check, of_trigger: Check) -> Check:
    def check(role: Role, first: str | None, second: str | None, database: str | None, inside: str | None) -> bool:
        return (own if inside is None else of_trigger)(role, first, second, database, inside)

    return check


def _the_columns(role: Role, table: str | None, column: str | None, *_rest: str | None) -> bool:
    return _the_table(role, table) and column in role.columns


def _of_schema_sql(role: Role, table: str | None, second: str | None, database: str | None, inside: str | None) -> bool:
    # SQLite keeps its own account of each table that is made or dropped. It lets no statement write there.
    return database == "main" and inside is None and (_user_table(role, table) or table in _ACCOUNTS)


def _index_of_schema_sql(role: Role, _index: str | None, table: str | None, database: str | None, inside: str | None) -> bool:
    return _of_schema_sql(role, table, None, database, inside)


def _altered_by_schema_sql(role: Role, database: str | None, table: str | None, *_rest: str | None) -> bool:
    return database == "main" and _user_table(role, table)


def _through_the_view(role: Role, table: str | None, column: str | None, _database: str | None, inside: str | None) -> bool:
    if table != role.table:
        return table == role.view
    # Rows of which no column but _id is used, as for a count, are asked for without a column and outside of any view.
    return inside == role.view or (role.whole and column == "")


def _looking_pragma(_role: Role, pragma: str | None, *_rest: str | None) -> bool:
    return pragma in LOOKING_PRAGMAS


def _harmless_function(_role: Role, _first: str | None, function: str | None, *_rest: str | None) -> bool:
    return function is not None and function not in REFUSED_FUNCTIONS


def _function_of_visitor(role: Role, first: str | None, function: str | None, database: str | None, inside: str | None) -> bool:
    # Those of the views know who asks, and what was asked for before: they are for the view alone.
    of_view = function is not None and function.startswith(OUR_FUNCTIONS)
    return inside == role.view if of_view else _harmless_function(role, first, function, database, inside)


_READING: Final[dict[int, Check]] = {
    apsw.SQLITE_SELECT: _always,
    apsw.SQLITE_FUNCTION: _harmless_function,
}

_ACCOUNTS: Final = ("sqlite_master", "sqlite_sequence")

PERMITTED: Final[dict[StatementKind, dict[int, Check]]] = {
    SCRIPT_READS: {**_READING, apsw.SQLITE_RECURSIVE: _always, apsw.SQLITE_READ: _readable_table},
    SCRIPT_WRITES: {
        **_READING,
        apsw.SQLITE_RECURSIVE: _always,
        apsw.SQLITE_READ: _readable_table,
        apsw.SQLITE_INSERT: _user_table,
        apsw.SQLITE_UPDATE: _user_table,
        apsw.SQLITE_DELETE: _user_table,
    },
    ONE_TABLE: {**_READING, apsw.SQLITE_READ: _the_table},
    ONE_TABLE_WRITES: {
        apsw.SQLITE_FUNCTION: _harmless_function,
        apsw.SQLITE_SELECT: _of_trigger(_always),
        apsw.SQLITE_RECURSIVE: _of_trigger(_always),
        apsw.SQLITE_READ: _own_or_of_trigger(_the_table, _readable_table),
        apsw.SQLITE_INSERT: _of_trigger(_user_table),
        apsw.SQLITE_UPDATE: _own_or_of_trigger(_the_columns, _user_table),
        apsw.SQLITE_DELETE: _own_or_of_trigger(_the_table, _user_table),
    },
    VISITOR: {apsw.SQLITE_SELECT: _always, apsw.SQLITE_FUNCTION: _function_of_visitor, apsw.SQLITE_READ: _through_the_view},
    OWNER_READS: {
        **_READING,
        apsw.SQLITE_RECURSIVE: _always,
        apsw.SQLITE_READ: _always,
        apsw.SQLITE_PRAGMA: _looking_pragma,
    },
    # In a database of its own, which holds nothing else (schema_sql.py). No trigger, view or virtual table: these would act later.
    SCHEMA_SQL: {
        **_READING,
        apsw.SQLITE_RECURSIVE: _always,
        apsw.SQLITE_TRANSACTION: _always,
        apsw.SQLITE_REINDEX: _always,
        apsw.SQLITE_READ: _of_schema_sql,
        apsw.SQLITE_CREATE_TABLE: _of_schema_sql,
        apsw.SQLITE_DROP_TABLE: _of_schema_sql,
        apsw.SQLITE_ALTER_TABLE: _altered_by_schema_sql,
        apsw.SQLITE_CREATE_INDEX: _index_of_schema_sql,
        apsw.SQLITE_DROP_INDEX: _index_of_schema_sql,
        apsw.SQLITE_INSERT: _of_schema_sql,
        apsw.SQLITE_UPDATE: _of_schema_sql,
        apsw.SQLITE_DELETE: _of_schema_sql,
    },
}
"""Kind of role → action → what of it is permitted. `OURS`, not listed, is our own text and may do all; triggers may do nothing by it."""

_CHANGING: Final = frozenset({apsw.SQLITE_INSERT, apsw.SQLITE_UPDATE, apsw.SQLITE_DELETE})

_DOING: Final = {
    apsw.SQLITE_SELECT: "use a sub-select",
    apsw.SQLITE_READ: "read the table {first}",
    apsw.SQLITE_INSERT: "write to the table {first}",
    apsw.SQLITE_UPDATE: "write to the table {first}",
    apsw.SQLITE_DELETE: "write to the table {first}",
    apsw.SQLITE_FUNCTION: "use the function {second}",
    apsw.SQLITE_PRAGMA: "use PRAGMA",
    apsw.SQLITE_ATTACH: "use ATTACH or VACUUM",
    apsw.SQLITE_DETACH: "use DETACH",
    apsw.SQLITE_TRANSACTION: "begin or end a transaction (goop.db.transaction does)",
    apsw.SQLITE_SAVEPOINT: "use savepoints (goop.db.transaction does what they do)",
    apsw.SQLITE_RECURSIVE: "use a recursive query",
}
"""Action → how a refusal says it; what is not here changes the structure of the database."""
_STRUCTURE: Final = "change tables or indexes; goop.schema.create makes tables"
_SCHEMA_TABLES: Final = ("sqlite_master", "sqlite_temp_master")
"""What DDL writes to, as SQLite calls it."""


_SCHEMA_SQL_DOES: Final = {
    **dict.fromkeys((apsw.SQLITE_CREATE_TRIGGER, apsw.SQLITE_CREATE_TEMP_TRIGGER), "make a trigger, which would act later"),
    **dict.fromkeys((apsw.SQLITE_CREATE_VIEW, apsw.SQLITE_CREATE_TEMP_VIEW), "make a view, which would act later"),
    **dict.fromkeys((apsw.SQLITE_CREATE_TABLE, apsw.SQLITE_DROP_TABLE), "make or drop the table {first}: such names are the peer's own"),
    apsw.SQLITE_CREATE_TEMP_TABLE: "make a temporary table",
    apsw.SQLITE_CREATE_VTABLE: "make a virtual table",
    apsw.SQLITE_ATTACH: "use ATTACH or VACUUM",
}
"""Action → how a refusal of schema.sql says it."""


class Guard:
    """The authorizer of one connection. Set `role` before a statement is compiled; `refusal` names what was denied last."""

    def __init__(self) -> None:
        self.role = INTERNAL
        self.refusal = ""
        self.changes = False
        """Whether a statement compiled since this was last set inserts, updates or deletes rows."""

    def __call__(self, action: int, first: str | None, second: str | None, database: str | None, inside: str | None) -> int:
        """Answer SQLite's question with apsw.SQLITE_OK or apsw.SQLITE_DENY."""
        role = self.role
        if role.kind is OURS:
            if inside is None or action not in _CHANGING:
                return apsw.SQLITE_OK
            # Only a trigger changes rows from inside; it came with the folder, and our rights are not for it.
            self.refusal = (
                f"the trigger {inside} stands on a table of the peer's own and is not run; remove it: DROP TRIGGER {quoted(inside)}"
            )
            return apsw.SQLITE_DENY
        # Closed by default: an action of a newer SQLite that is not in the table is refused.
        check = PERMITTED[role.kind].get(action)
        if check is not None and check(role, first, second, database, inside):
            self.changes = self.changes or action in _CHANGING
            return apsw.SQLITE_OK
        doing = _SCHEMA_SQL_DOES.get(action, _DOING.get(action, "do that")) if role.kind is SCHEMA_SQL else self._doing(action, first)
        self.refusal = f"{role.name} may not {doing.format(first=first, second=second)}"
        return apsw.SQLITE_DENY

    def _doing(self, action: int, first: str | None) -> str:
        """Return what a refused statement of a script would have done."""
        return _STRUCTURE if first in _SCHEMA_TABLES and action != apsw.SQLITE_READ else _DOING.get(action, _STRUCTURE)
