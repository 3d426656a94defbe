"""Views and triggers of a data.db in the place of the peer's own tables, or on them. They came with the folder, and none of them runs.

A trigger on a private table does not fire by what the peer does (database.py, guard.py), so it is reported and left. A view or a virtual
table in the place of a peer's table would be read and written as if it were that table, so there is no start before it is removed.
"""

from __future__ import annotations

from typing import Final

from goop2.storage.columns import quoted
from goop2.storage.database import FILE, Database
from goop2.storage.errors import DatabaseError
from goop2.storage.guard import is_private

KEPT: Final = frozenset({"_tables", "_orm_schemas", "_meta", "_chat_messages", "_groups", "_group_members", "_group_subscriptions"})
"""Tables the peer keeps and shares with other peers."""
OURS: Final = "_py_"
"""How those begin that are of this implementation alone."""


def refuse(database: Database) -> None:
    """Raise `DatabaseError` for what stands in the place of a table of the peer."""
    found = database.rows("SELECT name, type FROM sqlite_schema WHERE type = 'view' OR (type = 'table' AND rootpage = 0) ORDER BY name")
    for name, kind in ((str(name), kind) for name, kind in found):
        if _is_kept(name):
            what, drop = ("a view", "VIEW") if kind == "view" else ("a virtual table", "TABLE")
            raise DatabaseError(
                f"{FILE} has {what} named {name}, where the peer keeps a table of its own: with it private rows could be read by others; "
                f"remove it, as with sqlite3 {FILE} 'DROP {drop} {quoted(name)}', and start again"
            )


def notices(database: Database) -> list[str]:
    """Return a sentence for each trigger on a private table and each private view."""
    found = database.rows("SELECT type, name, tbl_name FROM sqlite_schema WHERE type IN ('trigger', 'view') ORDER BY type, name")
    return [_sentence(str(kind), str(name), str(table)) for kind, name, table in found if is_private(str(table))]


def _sentence(kind: str, name: str, table: str) -> str:
    where = f" on the private table {table}" if kind == "trigger" else ""
    return (
        f"{FILE} has a {kind} {name}{where}; the peer has not made it and does not run it; "
        f"sqlite3 {FILE} 'DROP {kind.upper()} {quoted(name)}' removes it"
    )


def _is_kept(name: str) -> bool:
    return name.lower() in KEPT or name.lower().startswith(OURS)
