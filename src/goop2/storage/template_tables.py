"""The tables of a template: made, dropped with a copy of them kept, and put back from such a copy.

A copy is a database of its own beside the files that the template replaced. Its rows have no types and no rules there, so it holds
whatever a table held, text that is not UTF-8 as well. `_meta` names the template and its tables, as other programs of the network write
it.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import apsw

from goop2.folder.whole_file import sync
from goop2.storage.columns import quoted
from goop2.storage.database import Database
from goop2.storage.errors import StorageError
from goop2.storage.guard import INTERNAL
from goop2.storage.policies import CLASSIC
from goop2.storage.registry_schema import column_names, computed_names, table_there, unregister, user_tables
from goop2.storage.schema_declarations import Declared, make_declared
from goop2.storage.sqlite_errors import explained
from goop2.storage.values import shown

TABLES_KEY: Final = "template_tables"
META_KEYS: Final = (TABLES_KEY, "template_manifest", "template_require_email", "template_group_id", "template_group_name")
"""Keys of `_meta` that say which template a site has."""
SWITCH_KEY: Final = "_py_template_switch"
"""The key of `_meta` that names the last switch that counts: it is written with the tables, so it says whether files moved for good."""
COPY: Final = "tables.db"
_KEPT: Final = "kept"
"""What an attached copy is called in SQL."""
_SAVED: Final = (
    "CREATE TABLE saved (number INTEGER PRIMARY KEY, name TEXT, ddl TEXT, extras TEXT, sequence INTEGER, registered TEXT, typed TEXT, "
    "held INTEGER)"
)


@dataclass(frozen=True, slots=True)
class ClassicTables:
    """Tables that a schema.sql has made in a database of its own, and who may add rows to each."""

    source: Database
    policies: Mapping[str, str]


def meta(database: Database, keys: Sequence[str] = META_KEYS) -> dict[str, str | None]:
    """Return what `_meta` says of the site's template; None for a key that is not there."""
    found = {str(key): str(value) for key, value in database.rows("SELECT key, value FROM _meta") if value is not None}
    return {key: found.get(key) for key in keys}


def set_meta(database: Database, values: Mapping[str, str | None]) -> None:
    """Write keys of `_meta`; None removes one."""
    for key, value in values.items():
        if value is None:
            database.rows("DELETE FROM _meta WHERE key = ?", (key,))
        else:
            database.rows("INSERT OR REPLACE INTO _meta (key, value) VALUES (?, ?)", (key, value))


def is_committed(database: Database, switch: str) -> bool:
    """Return whether the switch of that id is the last one that counts."""
    return database.scalar("SELECT value FROM _meta WHERE key = ?", (SWITCH_KEY,)) == switch


def template_tables(database: Database) -> list[str]:
    """Return the tables of the site's template that are there, by `_meta`."""
    named = str(meta(database, (TABLES_KEY,))[TABLES_KEY] or "")
    there = {name.lower(): name for name in plain_tables(database)}
    found = (there.get(name.strip().lower()) for name in named.split(","))
    return sorted({name for name in found if name is not None})


def plain_tables(database: Database) -> list[str]:
    """Return the site's own tables without those of SQLite's modules, whose rows cannot be copied one by one."""
    virtual = {str(name) for (name,) in database.rows("SELECT name FROM pragma_table_list WHERE type = 'virtual'")}
    return [name for name in user_tables(database) if name not in virtual]


def in_the_way(database: Database, names: Sequence[str]) -> list[str]:
    """Return the tables that are called like new ones, whatever their capitals. Raises `StorageError` for what is no plain table."""
    plain, found = set(plain_tables(database)), []
    for name in names:
        there = table_there(database, name)
        if there is not None and there not in plain:
            raise StorageError(f"there is a view or a table of SQLite's modules called {there}: rename it first")
        if there is not None:
            found.append(there)
    return sorted(set(found))


def count(database: Database, table: str) -> int:
    """Return how many rows a table has."""
    number = database.scalar(f"SELECT count(*) FROM {quoted(table)}")
    return number if isinstance(number, int) else 0


def drop(database: Database, tables: Sequence[str]) -> None:
    """Drop tables with their rows and forget them in the registries; inside `Database.atomic`."""
    for name in tables:
        database.rows(f"DROP TABLE {quoted(name)}")
        unregister(database, name)


def make(database: Database, declared: Sequence[Declared], classic: ClassicTables | None) -> list[str]:
    """Make the tables of a template, whose names are free; inside `Database.atomic`. Return what is odd, for the owner."""
    notes: list[str] = []
    for each in declared:
        notes += make_declared(database, each)
    for name, policy in (classic.policies if classic is not None else {}).items():
        assert classic is not None
        _copy_structure(classic.source, database, name)
        copy_rows(classic.source, name, database, name, _stored_columns(classic.source, name))
        database.rows(
            "INSERT OR REPLACE INTO _tables (name, schema, insert_policy) "
            "SELECT name, sql, ?2 FROM sqlite_schema WHERE type = 'table' AND name = ?1",
            (name, policy if policy in CLASSIC else "local"),
        )
    return notes


def _copy_structure(source: Database, target: Database, name: str) -> None:
    ddl, extras = _structure(source, name)
    target.rows(ddl)
    # In the order in which they were made, since one may need another.
    for extra in extras:
        target.rows(extra)


def _structure(database: Database, name: str) -> tuple[str, list[str]]:
    """Return how a table is made, and its indexes and triggers."""
    ddl = database.scalar("SELECT sql FROM sqlite_schema WHERE type = 'table' AND name = ?", (name,))
    extras = database.rows(
        "SELECT sql FROM sqlite_schema WHERE tbl_name = ? AND type IN ('index', 'trigger') AND sql IS NOT NULL ORDER BY rowid", (name,)
    )
    return str(ddl), [str(sql) for (sql,) in extras]


def _stored_columns(database: Database, name: str) -> list[str]:
    computed = computed_names(database, name)
    return [column for column in column_names(database, name) if column not in computed]


def copy_rows(source: Database, table: str, target: Database, into: str, columns: Sequence[str], names: Sequence[str] = ()) -> int:
    """Copy rows as they are, bytes that are no text as well; return how many. `names`: of the columns in the target, where they differ."""
    picked = ", ".join(
        f"typeof({quoted(each)}), CASE typeof({quoted(each)}) WHEN 'text' THEN CAST({quoted(each)} AS BLOB) ELSE {quoted(each)} END"
        for each in columns
    )
    holes = ", ".join(
        f"CASE ?{2 * place + 1} WHEN 'text' THEN CAST(?{2 * place + 2} AS TEXT) ELSE ?{2 * place + 2} END" for place in range(len(columns))
    )
    sql = f"INSERT INTO {quoted(into)} ({', '.join(map(quoted, names or columns))}) VALUES ({holes})"
    number = 0
    with source.stream(INTERNAL, f"SELECT {picked} FROM {quoted(table)}") as (_, rows):
        for row in rows:
            target.rows(sql, row)
            number += 1
    return number


# ── a copy of tables ─────────────────────────────────────────────────────────────────────────


@contextlib.contextmanager
def _copy(path: Path, *, new: bool) -> Iterator[Database]:
    try:
        connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READWRITE | (apsw.SQLITE_OPEN_CREATE if new else 0))
    except apsw.Error as error:
        raise StorageError(f"{shown(str(path))} cannot be opened: {explained(error)}") from None
    database = Database(connection)
    try:
        connection.config(apsw.SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0)
        yield database
    finally:
        connection.close(True)


def save(database: Database, tables: Sequence[str], path: Path) -> None:
    """Copy tables with their rows and what the registries say of them into a new database, safely on the disk. Raises `StorageError`.

    Inside `Database.atomic`, before anything is changed there. The copy is made by a connection of its own, which sees what is committed,
    so the copy is whole before the transaction that drops the tables ends.
    """
    with _copy(path, new=True) as copy:
        copy.rows("ATTACH ? AS site", (database.connection.filename,))
        copy.rows("BEGIN")  # not `atomic`, which would take the write lock of the site too: the caller has it
        copy.rows(_SAVED)
        for number, name in enumerate(tables):
            _save_one(database, name, copy, number)
        copy.rows("COMMIT")
    sync(path)


def _save_one(database: Database, name: str, copy: Database, number: int) -> None:
    ddl, extras = _structure(database, name)
    columns = _stored_columns(database, name)
    # Columns without names, types and constraints of the table: whatever its rows hold can be kept, and nothing runs.
    plain = [f"c{place}" for place in range(len(columns))]
    copy.rows(f"CREATE TABLE t{number} ({', '.join(plain)})")
    copy.rows(f"INSERT INTO t{number} SELECT {', '.join(map(quoted, columns))} FROM site.{quoted(name)}")
    sequence = None
    # Where AUTOINCREMENT goes on: an id that was given once must not be given to another row.
    if database.scalar("SELECT 1 FROM sqlite_schema WHERE name = 'sqlite_sequence'") is not None:
        sequence = database.scalar("SELECT seq FROM sqlite_sequence WHERE name = ?", (name,))
    copy.rows(
        "INSERT INTO saved VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        (
            number,
            name,
            ddl,
            json.dumps({"sql": extras, "columns": columns}),
            sequence,
            _row(database, "SELECT schema, insert_policy, created_at FROM _tables WHERE name = ?", name),
            _row(database, "SELECT schema_json, created_at FROM _orm_schemas WHERE table_name = ?", name),
            int(database.scalar("SELECT 1 FROM _py_held_tables WHERE name = ?", (name,)) is not None),
        ),
    )


def _row(database: Database, sql: str, name: str) -> str | None:
    rows = database.rows(sql, (name,))
    return json.dumps(list(rows[0])) if rows else None


def saved_tables(path: Path) -> dict[str, int]:
    """Return the tables of a copy, and how many rows each has. Raises `StorageError`."""
    if not path.exists():
        return {}
    with _copy(path, new=False) as copy:
        return {str(name): count(copy, f"t{number!s}") for number, name in copy.rows("SELECT number, name FROM saved ORDER BY number")}


def attach(database: Database, path: Path) -> None:
    """Have the copy at `path` in reach of `restore`; outside of a transaction."""
    database.rows(f"ATTACH ? AS {_KEPT}", (str(path),))


def restore(database: Database) -> list[str]:
    """Make the tables of the attached copy again, whose names are free, with rows and registries; inside `Database.atomic`.

    Return their names.
    """
    rows = database.rows(f"SELECT number, name, ddl, extras, sequence, registered, typed, held FROM {_KEPT}.saved ORDER BY number")
    for row in rows:
        _restore_one(database, row)
    return [str(row[1]) for row in rows]


def _restore_one(database: Database, row: tuple[Any, ...]) -> None:
    number, name, ddl, extras, sequence, registered, typed, held = row
    known = json.loads(extras)
    columns = known["columns"]
    database.rows(ddl)
    plain = ", ".join(f"c{place}" for place in range(len(columns)))
    database.rows(f"INSERT INTO main.{quoted(name)} ({', '.join(map(quoted, columns))}) SELECT {plain} FROM {_KEPT}.t{number}")
    # After the rows: a trigger would run for each of them, and an index is made faster at once.
    for sql in known["sql"]:
        database.rows(sql)
    if sequence is not None:
        database.rows("DELETE FROM sqlite_sequence WHERE name = ?", (name,))
        database.rows("INSERT INTO sqlite_sequence (name, seq) VALUES (?, ?)", (name, sequence))
    if registered is not None:
        into = "INSERT OR REPLACE INTO _tables (name, schema, insert_policy, created_at) VALUES (?, ?, ?, ?)"
        database.rows(into, (name, *json.loads(registered)))
    if typed is not None:
        into = "INSERT OR REPLACE INTO _orm_schemas (table_name, schema_json, created_at) VALUES (?, ?, ?)"
        database.rows(into, (name, *json.loads(typed)))
    if held:
        database.rows("INSERT OR REPLACE INTO _py_held_tables (name) VALUES (?)", (name,))
