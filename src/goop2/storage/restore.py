"""Restore a backup: check it, put it whole in the place of data.db, and keep what it replaces.

The caller holds the folder's lock: no peer may have the database open.
"""

from __future__ import annotations

import contextlib
import os
import stat
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import apsw

from goop2.folder.regular_files import shown
from goop2.folder.whole_file import sync
from goop2.storage.connection_settings import OPEN_FLAGS
from goop2.storage.database import FILE
from goop2.storage.database_files import SUFFIXES, sqlite_name
from goop2.storage.errors import StorageError
from goop2.storage.owner_reader import Progress, copy_database
from goop2.storage.sqlite_errors import explained

REGISTRY: Final = "_tables"
"""The table every peer's database has."""
KEPT: Final = "before"
"""Part of the name of what was replaced: data.db.before-20261130-101500."""


@dataclass(frozen=True, slots=True)
class Restored:
    """How many tables a restore has copied, and where the replaced database is."""

    tables: int
    """Tables of the site in the backup."""
    kept: Path | None
    """Where the replaced database is; None when there was none."""


def restore(folder: Path, source: Path, progress: Progress) -> Restored:
    """Replace the database in `folder` by a copy of `source`. Raises `StorageError`, and then nothing has changed."""
    target = Path(os.path.realpath(folder / FILE))
    if source.exists() and target.exists() and source.samefile(target):
        raise StorageError(f"{shown(source)} is the peer's own database: name a backup of it")
    descriptor, name = tempfile.mkstemp(prefix=f".{FILE}.", dir=target.parent)
    os.close(descriptor)
    new = Path(name)
    try:
        tables = _checked_copy(source, new, progress)
        kept = _replace(target, new)
    except OSError as error:
        raise StorageError(f"{shown(target)} was not replaced: {error.strerror or error}") from None
    finally:
        for suffix in ("", *SUFFIXES):
            Path(f"{name}{suffix}").unlink(missing_ok=True)
    return Restored(tables, kept)


def _checked_copy(source: Path, new: Path, progress: Progress) -> int:
    """Copy `source` to `new`; return how many tables of a site it has."""
    try:
        connection = apsw.Connection(sqlite_name(source), flags=apsw.SQLITE_OPEN_READONLY | apsw.SQLITE_OPEN_URI)
    except apsw.Error as error:
        raise StorageError(f"{shown(source)} cannot be opened as a database: {explained(error)}") from None
    try:
        found = connection.pragma("integrity_check")
        # A damaged backup must not take the place of a database that may be better.
        if found != "ok":
            raise StorageError(f"{shown(source)} is damaged and was not restored: {str(found).splitlines()[0]}")
        names = [name for (name,) in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")]
        if REGISTRY not in names:
            raise StorageError(f"{shown(source)} is a database, but not a peer's: it has no table {REGISTRY}")
        copy_database(connection, sqlite_name(new), progress)
        return sum(not name.startswith(("_", "sqlite_")) for name in names)
    except apsw.Error as error:
        raise StorageError(f"{shown(source)} was not restored: {explained(error)}") from None
    finally:
        connection.close()


def _replace(target: Path, new: Path) -> Path | None:
    """Put `new` in the place of `target`, which is kept under another name with the files that SQLite left beside it."""
    _settle(target)
    kept = _free_name(target) if target.exists() else None
    if kept is not None:
        for suffix in ("", *SUFFIXES):
            with contextlib.suppress(FileNotFoundError):
                os.link(f"{target}{suffix}", f"{kept}{suffix}")
    for suffix in SUFFIXES:  # the log of the old database says nothing about the new one, and would be applied to it
        Path(f"{target}{suffix}").unlink(missing_ok=True)
    if kept is not None:
        new.chmod(stat.S_IMODE(kept.stat().st_mode))  # as its owner has it: private, or shared with a group
    sync(new)
    new.replace(target)
    sync(target.parent)
    return kept


def _settle(target: Path) -> None:
    """Write the log of `target` into it, so that a crash during a restore loses nothing; a damaged one stays."""
    if not target.exists():
        return
    with contextlib.suppress(apsw.Error):
        connection = apsw.Connection(sqlite_name(target), flags=OPEN_FLAGS)
        try:
            connection.pragma("wal_checkpoint(truncate)")
        finally:
            connection.close()


def _free_name(target: Path) -> Path:
    stem = f"{target.name}.{KEPT}-{time.strftime('%Y%m%d-%H%M%S')}"
    number = 1
    while (kept := target.with_name(stem if number == 1 else f"{stem}-{number}")).exists():
        number += 1
    return kept
