"""Copy a folder in which no peer runs to the place of its backup, once. Blocking; the caller holds the folder's lock."""

from __future__ import annotations

import asyncio
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path

from goop2.config import Settings
from goop2.config.replica_place import parse_place
from goop2.services.backup import configuration, terms
from goop2.services.backup.files import FolderFiles
from goop2.services.backup.limits import RESTORE_SECONDS
from goop2.services.backup.litestream import locked
from goop2.services.backup.program import BackupError, find, run
from goop2.services.backup.service import check_own_folders, databases_of, notes_of, own_term
from goop2.services.backup.terms import Place
from goop2.storage.backup_archive import FILE as ARCHIVE
from goop2.storage.backup_archive import open_archive
from goop2.storage.database import FILE
from goop2.storage.errors import StorageError


def copy_once(folder: Path, settings: Settings, peer: str, environment: Mapping[str, str] = os.environ) -> list[str]:
    """Copy files and database; return what is left out. Raises `BackupError`, OSError."""
    if not (folder / FILE).exists():
        raise BackupError(f"{folder / FILE} is missing: the peer makes it at its first start")
    program = find(environment)
    place = parse_place(settings.backup.to)

    async def copied() -> list[str]:
        async with locked(folder):
            check_own_folders(databases_of(folder))
            term = own_term(folder, Place(program, place, environment), settings.backup.to)
            with open_archive(folder / ARCHIVE) as archive:
                archive.put_notes(notes_of(folder, peer, settings.profile.label))
                _, left_out = FolderFiles(folder, settings).save(archive)
                archive.put_notes({terms.LEFT_OUT: "\n".join(left_out)})
            with tempfile.TemporaryDirectory(prefix="goop2-backup-") as temporary:
                file = Path(temporary) / "litestream.json"
                configuration.write(file, place, term, databases_of(folder), keep_days=settings.backup.keep_days)
                run(program, ["replicate", "-config", str(file), "-once"], environment, RESTORE_SECONDS)
            return left_out

    try:
        return asyncio.run(copied())
    except StorageError as error:
        raise BackupError(str(error)) from None
