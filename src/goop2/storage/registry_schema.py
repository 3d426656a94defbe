"""The registries of data.db, in the layout of every peer of the network (network.md, "The database").

It makes what is missing and changes nothing that exists, so that a folder can move between peers.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from typing import Any, Final

from goop2.storage.columns import Table, quoted
from goop2.storage.database import Database
from goop2.storage.errors import StorageError
from goop2.storage.guard import is_private

REGISTRIES: Final = (
    "CREATE TABLE IF NOT EXISTS _tables (name TEXT PRIMARY KEY, schema TEXT NOT NULL, insert_policy TEXT DEFAULT 'owner', "
    "created_at DATETIME DEFAULT CURRENT_TIMESTAMP)",
    "CREATE TABLE IF NOT EXISTS _orm_schemas (table_name TEXT PRIMARY KEY, schema_json TEXT NOT NULL, "
    "created_at DATETIME DEFAULT CURRENT_TIMESTAMP)",
    "CREATE TABLE IF NOT EXISTS _meta (key TEXT PRIMARY KEY, value TEXT)",
)
"""Shared with other peers."""

OURS: Final = (
    "CREATE TABLE IF NOT EXISTS _py_kv (kind TEXT NOT NULL, script TEXT NOT NULL, key TEXT NOT NULL, value TEXT NOT NULL, "
    "PRIMARY KEY (kind, script, key)) WITHOUT ROWID",
    "CREATE TABLE IF NOT EXISTS _py_imported (source TEXT PRIMARY KEY, at DATETIME DEFAULT CURRENT_TIMESTAMP)",
    # Typed tables that are `local` because their file is odd, until it is mended (schema_declarations.py).
    "CREATE TABLE IF NOT EXISTS _py_held_tables (name TEXT PRIMARY KEY, at DATETIME DEFAULT CURRENT_TIMESTAMP)",
)
"""Of this implementation alone."""


_CREATED: Final = re.compile(r"CREATE (?:UNIQUE )?(?:TABLE|INDEX) IF NOT EXISTS (\w+)")
INDEX_NAMES_TRIED: Final = 100


def create_schema(database: Database) -> None:
    """Make the registries that are missing. Raises `StorageError`."""
    make_missing(database, (*REGISTRIES, *OURS))


def make_missing(database: Database, statements: Sequence[str]) -> None:
    """Run these `CREATE … IF NOT EXISTS` if part of them is missing. Raises `StorageError`.

    With nothing missing the write lock is not asked for: another program may hold it, and most of what a peer does needs no writing.
    """
    present = {name for (name,) in database.rows("SELECT name FROM sqlite_schema")}
    missing = [statement for statement in statements if _CREATED.match(statement)[1] not in present]  # type: ignore[index]
    if missing:
        with database.atomic():
            for statement in missing:
                database.rows(statement)


def make_table(database: Database, table: Table) -> None:
    """Make a typed table and register it; inside `Database.atomic`."""
    database.rows(table.ddl)
    if table.key_names:
        index = _free_index_name(database, f"_py_key_{table.name}")
        database.rows(f"CREATE UNIQUE INDEX {quoted(index)} ON {quoted(table.name)} ({', '.join(map(quoted, table.key_names))})")
    database.rows(
        "INSERT OR REPLACE INTO _tables (name, schema, insert_policy) VALUES (?, ?, ?)", (table.name, table.ddl, table.access["insert"])
    )
    database.rows("INSERT OR REPLACE INTO _orm_schemas (table_name, schema_json) VALUES (?, ?)", (table.name, table.json))


def unregister(database: Database, name: str) -> None:
    """Forget a table that is gone; inside `Database.atomic`."""
    for registry, column in (("_tables", "name"), ("_orm_schemas", "table_name"), ("_py_held_tables", "name")):
        database.rows(f"DELETE FROM {registry} WHERE {column} = ?", (name,))


def _free_index_name(database: Database, wanted: str) -> str:
    """`wanted`, numbered where it is taken: an index keeps its name when its table is renamed, here or by another peer."""
    taken = "SELECT 1 FROM sqlite_schema WHERE name = ? COLLATE NOCASE"
    candidates = (wanted, *(f"{wanted}_{number}" for number in range(2, INDEX_NAMES_TRIED)))
    free = next((name for name in candidates if database.scalar(taken, (name,)) is None), None)
    if free is None:
        raise StorageError(f"the names {wanted} to {candidates[-1]} are all taken by indexes of renamed tables; drop one of them")
    return free


def register_again(database: Database, name: str, change: Callable[[dict[str, Any]], None]) -> None:
    """`change` the declaration of a typed table in its registry, where keys that only other peers know stay; and its DDL in the other."""
    text = database.scalar("SELECT schema_json FROM _orm_schemas WHERE table_name = ?", (name,))
    # The whole document is kept: other programs put keys into it that we do not know.
    if text is not None:
        document = json.loads(str(text))
        change(document)
        changed = json.dumps(document, ensure_ascii=False)
        database.rows("UPDATE _orm_schemas SET schema_json = ? WHERE table_name = ?", (changed, name))
    remember_ddl(database, name)


def remember_ddl(database: Database, name: str) -> None:
    """Write the table's current declaration into `_tables`."""
    database.rows("UPDATE _tables SET schema = (SELECT sql FROM sqlite_schema WHERE type = 'table' AND name = ?1) WHERE name = ?1", (name,))


def column_names(database: Database, table: str) -> tuple[str, ...]:
    """Return every column of a table, in order, as the database spells it; those it computes too."""
    return tuple(str(name) for (name,) in database.rows("SELECT name FROM pragma_table_xinfo(?) WHERE hidden <> 1", (table,)))


def names_and_computed(database: Database, table: str) -> tuple[tuple[str, ...], frozenset[str]]:
    """Return `column_names` and `computed_names`, read together, since every operation of a page needs both."""
    found = database.rows("SELECT name, hidden FROM pragma_table_xinfo(?) WHERE hidden <> 1", (table,))
    return tuple(str(name) for name, _ in found), frozenset(str(name) for name, hidden in found if hidden)


def computed_names(database: Database, table: str) -> frozenset[str]:
    """Return the columns of a table that SQLite computes of others: nothing can be set in them."""
    return frozenset(str(name) for (name,) in database.rows("SELECT name FROM pragma_table_xinfo(?) WHERE hidden IN (2, 3)", (table,)))


def user_tables(database: Database) -> list[str]:
    """Return the names of the site's own tables, sorted, without those inside a full-text table."""
    found = database.rows(
        "SELECT name FROM pragma_table_list WHERE schema = 'main' AND type IN ('table', 'virtual') ORDER BY name COLLATE NOCASE"
    )
    return [str(name) for (name,) in found if not is_private(str(name))]


def is_user_table(database: Database, name: str) -> bool:
    """Return whether a table is one of `user_tables`, without looking at the others."""
    found = "SELECT 1 FROM pragma_table_list(?1) WHERE schema = 'main' AND type IN ('table', 'virtual') AND name = ?1"
    return not is_private(name) and database.scalar(found, (name,)) is not None


def table_there(database: Database, name: str) -> str | None:
    """Return the table or view of that name, whatever its capitals, as the database spells it; None when there is none."""
    found = database.scalar("SELECT name FROM sqlite_schema WHERE type IN ('table', 'view') AND name = ? COLLATE NOCASE", (name,))
    return None if found is None else str(found)
