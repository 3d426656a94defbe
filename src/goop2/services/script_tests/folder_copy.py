"""The folder in which tests run: a copy of the peer's, thrown away at the end. Nothing in it leads back.

Links are not copied, so that no name in the copy is a file of the peer; nor is what holds keys (data/), nor what no script reads.
"""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import apsw

from goop2.folder import SETTINGS_FILE
from goop2.folder.regular_files import FileRefusedError, read_regular
from goop2.services.script_tests.limits import COPIED_FILE_MAX_BYTES, COPIED_MAX, COPIED_MAX_BYTES
from goop2.storage.connection_settings import OPEN_FLAGS
from goop2.storage.database import FILE
from goop2.storage.database_files import sqlite_name
from goop2.storage.errors import StorageError
from goop2.storage.owner_reader import copy_database
from goop2.storage.sqlite_errors import explained

SNAPSHOT: Final = "snapshot.db"
TESTS: Final = "tests"
_LEFT_OUT: Final = frozenset({"data", TESTS, "node_modules", "__pycache__"})


class TestFolderError(Exception):
    """The folder cannot be copied; the message is a sentence for the owner."""

    __test__ = False
    code = "unavailable"
    owner_code = "folder"


def copy_folder(folder: Path, copy: Path) -> list[str]:
    """Copy what scripts see of `folder`, and its database; return sentences about what was left out. Raises `TestFolderError`."""
    notes: list[str] = []
    count = size = 0
    for path, status in _files(folder):
        inside = path.relative_to(folder)
        if status.st_size > COPIED_FILE_MAX_BYTES:
            continue  # goop.site.read gives no such file either
        count, size = count + 1, size + status.st_size
        if count > COPIED_MAX or size > COPIED_MAX_BYTES:
            most = f"{COPIED_MAX:,} files, {COPIED_MAX_BYTES // 2**20} MB"
            notes.append(f"the folder holds more than tests copy ({most}): {inside} and later are left out")
            break
        place = copy / inside
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, place, follow_symlinks=False)
    try:
        (copy / SETTINGS_FILE).write_bytes(read_regular(folder / SETTINGS_FILE, folder, COPIED_FILE_MAX_BYTES))
        (copy / SETTINGS_FILE).chmod(0o600)
    except (FileNotFoundError, FileRefusedError):
        pass  # a folder without settings: the peer says so when it opens
    if (folder / FILE).exists():
        _copy(folder / FILE, copy / FILE)
    return notes


def _files(folder: Path) -> Iterator[tuple[Path, os.stat_result]]:
    """Yield the regular files that are no one's secret, in sort order: scripts first, so that they are not what is left out."""
    for here, folders, names in os.walk(folder):
        at_root = Path(here) == folder
        kept = (each for each in folders if not each.startswith(".") and not (at_root and each in _LEFT_OUT))
        folders[:] = sorted(kept, key=_scripts_first)
        for name in sorted(names):
            if name.startswith(".") or (at_root and (name.startswith(FILE) or name == SETTINGS_FILE)):
                continue
            path = Path(here, name)
            try:
                status = path.lstat()
            except OSError:
                continue
            if stat.S_ISREG(status.st_mode):
                yield path, status


def _scripts_first(name: str) -> tuple[bool, str]:
    return name not in ("lua", "schemas", "site"), name


def _copy(source: Path, target: Path) -> None:
    try:
        connection = apsw.Connection(sqlite_name(source), flags=apsw.SQLITE_OPEN_READONLY | apsw.SQLITE_OPEN_URI)
        try:
            connection.set_busy_timeout(5000)
            copy_database(connection, sqlite_name(target), lambda _done, _all: None)
        finally:
            connection.close()
    except (apsw.Error, StorageError) as error:
        reason = str(error) if isinstance(error, StorageError) else explained(error)
        raise TestFolderError(f"the database cannot be copied for the tests: {reason}") from None


class Rollback:
    """The database as it was when the tests began, and the way back to it. Its methods block."""

    def __init__(self, folder: Path) -> None:
        """Take a copy of the database in `folder`, a test's; raises `TestFolderError`."""
        self._snapshot = folder / SNAPSHOT
        _copy(folder / FILE, self._snapshot)
        self._connection = apsw.Connection(sqlite_name(folder / FILE), flags=OPEN_FLAGS)
        self._connection.set_busy_timeout(5000)
        self._version = self._connection.pragma("data_version")

    def go_back(self) -> None:
        """Undo what was written since; nothing is copied when nothing was. Raises `TestFolderError`."""
        # SQLite changes it when another connection has written; most tests write nothing, and a copy costs more than the test.
        if self._connection.pragma("data_version") == self._version:
            return
        try:
            source = apsw.Connection(sqlite_name(self._snapshot), flags=apsw.SQLITE_OPEN_READONLY | apsw.SQLITE_OPEN_URI)
            try:
                with self._connection.backup("main", source, "main") as backup:
                    while not backup.done:
                        backup.step(-1)
            finally:
                source.close()
        except apsw.Error as error:
            raise TestFolderError(f"the database could not be put back after a test: {explained(error)}") from None
        self._version = self._connection.pragma("data_version")

    def close(self) -> None:
        """Close the connection to the copy's database."""
        self._connection.close()
