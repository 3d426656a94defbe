"""The files of a database on disk: SQLite's names for them, what may be in their place, and which of them this process has open.

It must not know how a database is opened or used.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Final
from urllib.parse import quote

from goop2.folder.regular_files import shown
from goop2.storage.errors import DatabaseError

SUFFIXES: Final = ("-wal", "-shm", "-journal")
"""Of the files SQLite keeps beside a database."""
DESCRIPTORS_LOOKED_AT: Final = 1024
"""A worker opens the database among its first files; a descriptor beyond these is none of its."""


def checked(path: Path) -> Path:
    """Return the database's real path, beside which SQLite keeps its other files. Raises `DatabaseError`.

    Whether it may lie outside of the peer folder is for settings to say (config/loading.py). The files beside it may not be links at all:
    SQLite writes them without asking what stood there before.
    """
    real = Path(os.path.realpath(path))
    for suffix, file in zip(("", *SUFFIXES), _files(real), strict=True):
        status = _status(file)
        # lstat, not stat: a link must be seen as one.
        if status is not None and not stat.S_ISREG(status.st_mode):
            what = "a link" if stat.S_ISLNK(status.st_mode) else "not a regular file"
            raise DatabaseError(f"{shown(path)}{suffix} cannot be opened as a database: it is {what}; move it away")
    return real


def sqlite_name(file: Path) -> str:
    """Return SQLite's name for `file`, with OPEN_FLAGS: a name that is not UTF-8 becomes a URI, whose escapes may be any bytes."""
    name = str(file)
    return name if shown(name) == name else f"file:{quote(os.fsencode(file.absolute()))}"


def descriptors(path: Path) -> dict[str, int]:
    """Return the descriptors this process has open on the database, its log and its index, by what is added to its path (`SUFFIXES`)."""
    wanted = {
        _identity(status): suffix
        for suffix, file in zip(("", *SUFFIXES), _files(Path(os.path.realpath(path))), strict=True)
        if (status := _status(file)) is not None
    }
    return {
        wanted[identity]: descriptor
        for descriptor in range(DESCRIPTORS_LOOKED_AT)
        if (identity := _open_identity(descriptor)) is not None and identity in wanted
    }


def _files(real: Path) -> tuple[Path, ...]:
    """Return the database and what SQLite keeps beside it."""
    return tuple(real.with_name(real.name + suffix) for suffix in ("", *SUFFIXES))


def _status(file: Path) -> os.stat_result | None:
    try:
        return file.lstat()
    except OSError:  # not there, or SQLite says it
        return None


def _open_identity(descriptor: int) -> tuple[int, int] | None:
    try:
        status = os.fstat(descriptor)
    except OSError:
        return None
    return _identity(status) if stat.S_ISREG(status.st_mode) else None


def _identity(status: os.stat_result) -> tuple[int, int]:
    return status.st_dev, status.st_ino
