"""The files of a peer folder in a database of their own, data/backup.db, which is copied beside data.db: an archive in SQLite's own format.

    sqlar         one row a file, as `sqlite3 backup.db -Ax` unpacks it (https://sqlite.org/sqlar.html), stored and not compressed
    goop2_stamp   how each file looked when it was read: what is unchanged is not read again
    goop2_note    who writes to the place of the backup, and what is missing in it

One change of files is one transaction, so a restored archive is never half a change. It must not know which files belong into it.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final

import apsw

from goop2.folder.regular_files import shown
from goop2.storage.connection_settings import OPEN_FLAGS
from goop2.storage.database_files import checked, sqlite_name
from goop2.storage.errors import StorageError
from goop2.storage.sqlite_errors import explained

FILE: Final = "data/backup.db"
FILE_MAX_BYTES: Final = 512 * 1024 * 1024
"""Of one file; a row of SQLite holds less than twice that."""
_PART_BYTES: Final = 1024 * 1024
_BUSY_MS: Final = 10_000
"""Litestream holds the lock for moments."""
_FULL: Final = 1
"""Of auto_vacuum: a file that was removed leaves no room behind."""
_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS sqlar (name TEXT PRIMARY KEY, mode INT, mtime INT, sz INT, data BLOB);
CREATE TABLE IF NOT EXISTS goop2_stamp (name TEXT PRIMARY KEY, stamp TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS goop2_note (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
"""


@dataclass(frozen=True, slots=True)
class ArchivedFile:
    """One file of an archive, without its content."""

    name: str
    mode: int
    size: int


class BackupArchive:
    """An archive that is open; for one thread at a time. Its methods raise `StorageError`."""

    def __init__(self, connection: apsw.Connection) -> None:
        self._connection = connection

    def stamps(self) -> dict[str, str]:
        """Return name → how the file looked when it was read."""
        with _told():
            return {str(name): str(stamp) for name, stamp in self._connection.execute("SELECT name, stamp FROM goop2_stamp")}

    def notes(self) -> dict[str, str]:
        """Return the notes that stand beside the files."""
        with _told():
            return {str(name): str(value) for name, value in self._connection.execute("SELECT name, value FROM goop2_note")}

    def put_notes(self, notes: Mapping[str, str]) -> None:
        """Write notes beside the files; those that say the same already are not written again."""
        with _told(), self._connection:
            for name, value in notes.items():
                self._connection.execute(
                    "INSERT INTO goop2_note VALUES (?1, ?2) ON CONFLICT (name) DO UPDATE SET value = ?2 WHERE value <> ?2", (name, value)
                )

    @contextlib.contextmanager
    def changing(self) -> Iterator[None]:
        """Make the changes of the block one transaction."""
        with _told(), self._connection:
            yield

    def put(self, name: str, content: BinaryIO, *, size: int, mode: int, changed_at: int, stamp: str) -> None:
        """Store a file, a part at a time; a file that became shorter meanwhile ends in zeros, and its stamp makes that known later."""
        self._connection.execute(
            "INSERT OR REPLACE INTO sqlar (name, mode, mtime, sz, data) VALUES (?, ?, ?, ?, zeroblob(?))",
            (name, mode, changed_at, size, size),
        )
        with self._connection.blob_open("main", "sqlar", "data", self._connection.last_insert_rowid(), True) as blob:
            while (left := size - blob.tell()) > 0 and (part := content.read(min(left, _PART_BYTES))):
                blob.write(part)
        self._connection.execute("INSERT OR REPLACE INTO goop2_stamp VALUES (?, ?)", (name, stamp))

    def remove(self, name: str) -> None:
        """Remove a file from the archive; nothing happens when it has none of that name."""
        self._connection.execute("DELETE FROM sqlar WHERE name = ?", (name,))
        self._connection.execute("DELETE FROM goop2_stamp WHERE name = ?", (name,))

    def files(self) -> list[ArchivedFile]:
        """Return every file, by name. An archive comes from a place that others may write to: the values are checked for their types."""
        query = "SELECT name, mode, length(data) FROM sqlar WHERE typeof(name) = 'text' AND typeof(mode) = 'integer' ORDER BY name"
        with _told():
            return [ArchivedFile(str(name), int(mode), int(size or 0)) for name, mode, size in self._connection.execute(query)]

    def read(self, name: str) -> Iterator[bytes]:
        """Yield the content of a file in parts."""
        with _told():
            for (row,) in self._connection.execute("SELECT rowid FROM sqlar WHERE name = ? AND typeof(data) = 'blob'", (name,)):
                with self._connection.blob_open("main", "sqlar", "data", row, False) as blob:
                    while part := blob.read(_PART_BYTES):
                        yield part


@contextlib.contextmanager
def open_archive(path: Path, *, read_only: bool = False) -> Iterator[BackupArchive]:
    """Open an archive, made when it is missing. Raises `StorageError`."""
    if not read_only:
        checked(path)
        if path.is_symlink():  # a folder from somebody else must not lead us to another database
            raise StorageError(f"{shown(path)} cannot be opened as the archive of a backup: it is a link; move it away")
        with contextlib.suppress(FileExistsError):  # for this user alone, and what SQLite makes beside it is as the file is
            os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600))
    flags = apsw.SQLITE_OPEN_READONLY | apsw.SQLITE_OPEN_URI if read_only else OPEN_FLAGS
    try:
        connection = apsw.Connection(sqlite_name(path), flags=flags)
    except apsw.Error as error:
        raise StorageError(f"{shown(path)} cannot be opened as the archive of a backup: {explained(error)}") from None
    try:
        with _told():
            connection.set_busy_timeout(_BUSY_MS)
            if not read_only:
                connection.pragma("auto_vacuum", _FULL)
                connection.pragma("journal_mode", "wal")
                connection.pragma("synchronous", "normal")
                if connection.execute("SELECT 1 FROM sqlite_schema WHERE type IN ('trigger', 'view')").fetchone():
                    raise StorageError(f"{shown(path)} was made by another program: remove it, and it is made anew")
                connection.execute(_SCHEMA)
        yield BackupArchive(connection)
    finally:
        connection.close()


@contextlib.contextmanager
def _told() -> Iterator[None]:
    """Raise SQLite's errors as `StorageError`."""
    try:
        yield
    except apsw.Error as error:
        raise StorageError(f"the archive of the backup cannot be used: {explained(error)}") from None
