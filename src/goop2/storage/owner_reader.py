"""A data.db for its owner to read: every table, the network's and ours too, and never a write.

The connection is read-only, so nothing is made, changed or locked, and a peer may run beside it. Copying (backup) is here because it reads.
It must not know how anything is shown.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Final
from urllib.parse import quote

import apsw

from goop2.storage.columns import OPERATIONS, Column, Table, quoted
from goop2.storage.connection_settings import OPEN_FLAGS
from goop2.storage.database import FILE, Database, Value
from goop2.storage.database_files import sqlite_name
from goop2.storage.errors import DatabaseError, DatabaseOpenError, DeclarationError, StorageError
from goop2.storage.guard import OWNER_READS, Role, is_private
from goop2.storage.policies import CLASSIC, LOCAL
from goop2.storage.registry_schema import user_tables
from goop2.storage.sqlite_errors import explained
from goop2.storage.typed_tables import parse_registered
from goop2.storage.values import shown

TABLES_PARSED: Final = 1000
"""Declarations whose parsed form is kept; to parse those of 500 tables takes 50 ms."""
BACKUP_PAGES: Final = 1000
"""Copied at a time, 4 MB: between two steps Ctrl-C is heard and progress told."""

_HIDDEN: Final = 1
"""In the last column of PRAGMA table_xinfo: a column of a virtual table that is no part of its rows."""
_COMPUTED: Final = (2, 3)
"""There: one that SQLite computes when it is read, or when the row is written."""

QUERY: Final = Role(OWNER_READS, "goop2 data query")
Progress = Callable[[int, int], None]
"""(pages copied, pages of all)"""


@dataclass(frozen=True, slots=True)
class TableSummary:
    """A table of the site, as the owner's lists show it."""

    name: str
    kind: str
    """typed, classic, unregistered (in no registry) or unreadable (its declaration is damaged); the last two are the owner's alone."""
    rows: int
    policies: dict[str, str]
    """read, insert, update, delete → open, group, email, owner or local."""


@lru_cache(TABLES_PARSED)
def _parsed(name: str, text: str) -> Table:
    return parse_registered(name, text)


class Reading:
    """One database, open for its owner to read."""

    def __init__(self, database: Database, unreadable: dict[str, None]) -> None:
        """`unreadable`: what the database was opened with as `on_invalid_text` fills it."""
        self._database = database
        self._unreadable = unreadable
        self._present: dict[str, bool] = {}

    @property
    def unreadable(self) -> list[str]:
        """Return a sentence for each text that could not be read as it is, in what was read so far."""
        return list(self._unreadable)

    def tables(self) -> list[TableSummary]:
        """Return the site's own tables, sorted by name."""
        return [self._summary(name) for name in user_tables(self._database)]

    def _summary(self, name: str) -> TableSummary:
        rows = self._database.scalar(f"SELECT count(*) FROM {quoted(name)}")
        kind, access = self.registered(name)
        return TableSummary(name, kind, int(rows or 0), {operation: access[operation] for operation in OPERATIONS})

    def registered(self, name: str) -> tuple[str, dict[str, str]]:
        """Return the kind of a table (`TableSummary.kind`) and its policies."""
        try:
            typed = self._typed(name)
        except DeclarationError:
            return "unreadable", dict(LOCAL)
        if typed is not None:
            return "typed", dict(typed.access)
        if self._has("_tables"):
            policy = self._database.scalar("SELECT insert_policy FROM _tables WHERE name = ?", (name,))
            if policy is not None:
                return "classic", dict(CLASSIC.get(str(policy), LOCAL))
        return "unregistered", dict(LOCAL)

    def _has(self, name: str) -> bool:
        # Once: to look for a name SQLite walks over every table there is.
        if name not in self._present:
            found = self._database.scalar("SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = ?", (name,))
            self._present[name] = found is not None
        return self._present[name]

    def describe(self, name: str) -> list[dict[str, object]]:
        """Return the columns of any table or view. Raises `StorageError` when there is none of that name."""
        self.require(name)
        return self._described(name, self._database.rows(f"PRAGMA table_xinfo({quoted(name)})"))

    def describe_all(self) -> dict[str, list[dict[str, object]]]:
        """Return table → its columns, of every table, asked for at once."""
        found: dict[str, list[tuple[Value, ...]]] = {}
        columns = 'x.cid, x.name, x.type, x."notnull", x.dflt_value, x.pk, x.hidden'
        of_all = f"SELECT t.name, {columns} FROM pragma_table_list AS t, pragma_table_xinfo(t.name) AS x WHERE t.schema = 'main'"
        for name, *row in self._database.rows(of_all):
            found.setdefault(str(name), []).append(tuple(row))
        return {name: self._described(name, rows) for name, rows in found.items() if not is_private(name)}

    def _described(self, name: str, rows: Sequence[tuple[Value, ...]]) -> list[dict[str, object]]:
        typed = {column.name: column for column in self._declared(name)}
        return [
            {
                "name": str(column),
                "type": typed[str(column)].type if str(column) in typed else kind,
                "required": bool(not_null),
                "default": default,
                "key": bool(key) or (str(column) in typed and typed[str(column)].key),
                "values": list(typed[str(column)].keys) if str(column) in typed else [],
                **({"computed": True} if hidden in _COMPUTED else {}),
            }
            for _, column, kind, not_null, default, key, hidden in rows
            if hidden != _HIDDEN
        ]

    def _declared(self, name: str) -> tuple[Column, ...]:
        """Return the columns of a typed table; none of another, or of one whose declaration is damaged."""
        try:
            table = self._typed(name)
        except DeclarationError:
            return ()
        return table.columns if table else ()

    def _typed(self, name: str) -> Table | None:
        if not self._has("_orm_schemas"):
            return None
        text = self._database.scalar("SELECT schema_json FROM _orm_schemas WHERE table_name = ?", (name,))
        return _parsed(name, text) if isinstance(text, str) else None

    def require(self, name: str) -> None:
        """Raise `StorageError` if there is no such table or view; it names the tables that exist."""
        if self._database.scalar("SELECT 1 FROM sqlite_schema WHERE type IN ('table', 'view') AND name = ?", (name,)) is not None:
            return
        there = ", ".join(user_tables(self._database)) or "none yet"
        raise StorageError(f"there is no table {shown(name)}; tables here: {there}")

    @contextmanager
    def query(self, sql: str) -> Iterator[tuple[tuple[str, ...], Iterator[tuple[Value, ...]]]]:
        """Yield column names and rows of one statement that only reads; read the rows inside the block."""
        with self._database.stream(QUERY, sql) as found:
            yield found

    @contextmanager
    def unchanging(self) -> Iterator[None]:
        """Show the same moment to everything read inside the block, whatever the peer writes meanwhile."""
        self._database.rows("BEGIN")
        try:
            yield
        finally:
            self._database.rollback()

    def everything(self, name: str) -> str:
        """Return the statement for all rows of a table or view. Raises `StorageError` when there is none of that name."""
        self.require(name)
        order = " ORDER BY _id" if "_id" in {column["name"] for column in self.describe(name)} else ""
        return f"SELECT * FROM {quoted(name)}{order}"

    def back_up(self, target: Path, progress: Progress) -> None:
        """Copy one moment of the database to `target`, whole or not at all; replace an existing file. Raises `StorageError`, OSError."""
        descriptor, name = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
        os.close(descriptor)
        try:
            with self.unchanging():
                self._database.scalar("SELECT count(*) FROM sqlite_schema")  # the moment
                copy_database(self._database.connection, sqlite_name(Path(name)), progress)
            Path(name).replace(target)
        except apsw.Error as error:
            raise StorageError(f"{target} was not written: {explained(error)}") from None
        finally:
            for left in (name, f"{name}-wal", f"{name}-shm", f"{name}-journal"):
                Path(left).unlink(missing_ok=True)


def copy_database(source: apsw.Connection, name: str, progress: Progress) -> None:
    """Copy one moment of a database to the file `name`, which then needs no log beside it. Raises `apsw.Error`, `StorageError`."""
    target = apsw.Connection(name, flags=OPEN_FLAGS)
    try:
        with target.backup("main", source, "main") as backup:
            while not backup.done:
                backup.step(BACKUP_PAGES)
                progress(backup.page_count - backup.remaining, backup.page_count)
        # One file that says all: a copy that needs its log beside it would be half a copy.
        target.pragma("journal_mode", "delete")
        found = target.pragma("quick_check")
        if found != "ok":
            raise StorageError(f"the database is damaged, so is its copy, which was not kept: {found}")
    finally:
        target.close()


@contextmanager
def open_reading(folder: Path) -> Iterator[Reading]:
    """Open the database of a peer folder for its owner to read. Raises `DatabaseError` when there is none or it cannot be read."""
    path = folder / FILE
    if not path.exists():
        raise DatabaseError(f"{path} is not there yet: it is made when the peer first starts, by goop2 peer or goop2 chat")
    if not path.is_file():
        raise DatabaseError(f"{path} is no file: put the peer's database there, or move it away and start anew")
    try:
        unreadable: dict[str, None] = {}
        database = open_database_to_read(path, unreadable.setdefault)
    except (apsw.Error, StorageError) as error:
        raise DatabaseError(f"{path} cannot be read as a database: {explained(error)}") from None
    try:
        yield Reading(database, unreadable)
    finally:
        database.close()


def open_database_to_read(path: Path, on_invalid_text: Callable[[str], None]) -> Database:
    """Open it beside a peer that writes; on a medium that can only be read, as a file that nobody changes. Raises `DatabaseError`."""
    try:
        return _connected(sqlite_name(path), on_invalid_text)
    except DatabaseOpenError:
        log = Path(f"{path}-wal")
        if log.exists() and log.stat().st_size:  # without it the file alone would be half the truth
            raise
        return _connected(f"file:{quote(os.fsencode(path.absolute()))}?immutable=1", on_invalid_text)


def _connected(name: str, on_invalid_text: Callable[[str], None]) -> Database:
    connection = apsw.Connection(name, flags=apsw.SQLITE_OPEN_READONLY | apsw.SQLITE_OPEN_URI)
    try:
        connection.config(apsw.SQLITE_DBCONFIG_DEFENSIVE, 1)
        connection.config(apsw.SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0)
        database = Database(connection, on_invalid_text=on_invalid_text)
        database.scalar("SELECT count(*) FROM sqlite_schema")
    except BaseException:
        connection.close(True)
        raise
    return database
