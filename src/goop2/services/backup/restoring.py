"""Restore a backup into a folder, and test that it can be restored. Blocking."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from goop2.folder.regular_files import shown
from goop2.services.backup import files
from goop2.services.backup.configuration import DATA, FILES
from goop2.services.backup.program import BackupError
from goop2.services.backup.terms import Place
from goop2.storage import restore
from goop2.storage.backup_archive import open_archive
from goop2.storage.errors import StorageError

PARTS: Final = ".restoring"
"""Of the folder, while a backup is restored into it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RestoredFolder:
    """What a restore has brought: how many files and tables, and the archive's notes by name (whose peer it was)."""

    files: int
    tables: int
    notes: Mapping[str, str]


def check_empty(folder: Path) -> None:
    """Raise `BackupError` unless `folder` is missing or empty: a restore never writes over anything."""
    try:
        if any(folder.iterdir()):
            raise BackupError(f"{shown(folder)} is not empty, and nothing is restored over other files: name a new folder")
    except FileNotFoundError:
        if folder.is_symlink():
            raise BackupError(f"{shown(folder)} is a link to nothing: name a new folder") from None
    except NotADirectoryError:
        raise BackupError(f"{shown(folder)} is a file: name a new folder") from None


def restore_into(folder: Path, place: Place, term: int) -> RestoredFolder:
    """Restore a term of a place into `folder`, which is empty, and check the database. Raises `BackupError`, OSError."""
    with tempfile.TemporaryDirectory(prefix=f"{PARTS}.", dir=folder) as parts:
        archive_file, database = Path(parts) / "files.db", Path(parts) / "data.db"
        place.fetch(term, FILES, archive_file)
        place.fetch(term, DATA, database)
        try:
            with open_archive(archive_file, read_only=True) as archive:
                count = files.unpack(archive, folder)
                notes = archive.notes()
            restored = restore.restore(folder, database, lambda _done, _all: None)
        except StorageError as error:
            raise BackupError(str(error)) from None
    return RestoredFolder(files=count, tables=restored.tables, notes=notes)
