"""Who may write to a place: terms. A term is a folder at the place, `1/`, `2/`, …, and one writer's alone.

Two writers in one folder of Litestream's make it impossible to restore. So whoever goes on with the backup of another begins the next term,
and the other finds that when it looks; what it wrote in its own term meanwhile harms nobody. The newest term is the backup.
"""

from __future__ import annotations

import contextlib
import json
import os
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

import msgspec

from goop2.config.replica_place import ReplicaPlace
from goop2.services.backup import configuration
from goop2.services.backup.configuration import DATA, FILES, STREAMS
from goop2.services.backup.limits import ASK_SECONDS, RESTORE_SECONDS, TERMS_MAX
from goop2.services.backup.program import BackupError, Program, run
from goop2.storage.backup_archive import open_archive
from goop2.storage.errors import StorageError

WRITER: Final = "writer"
HOST: Final = "host"
PEER: Final = "peer"
LABEL: Final = "label"
VERSION: Final = "version"
BEGAN: Final = "began"
LEFT_OUT: Final = "left_out"
PROMOTED: Final = "promoted"
"""Notes beside the archived files."""


class _ListedCopy(msgspec.Struct, frozen=True):
    max_txid: str = "0"


class Place:
    """Questions about what is at a place, asked by Litestream. Blocking; the methods raise `BackupError`."""

    def __init__(self, program: Program, place: ReplicaPlace, environment: Mapping[str, str] = os.environ) -> None:
        self._program = program
        self._place = place
        self._environment = environment

    def newest(self, known: int = 0) -> int:
        """Return the newest term, 0 when nobody has written here. `known`: a term that certainly exists, or 0."""
        term = known
        while term < TERMS_MAX and self.exists(term + 1):
            term += 1
        return term

    def exists(self, term: int) -> bool:
        """Return whether somebody has written in a term."""
        with self._configured(term) as file:
            said = run(self._program, ["ltx", "-config", str(file), "-json", "-level", "all", str(_name(file, FILES))], self._environment)
        try:
            return bool(json.loads(said or "[]"))
        except ValueError:
            raise BackupError(f"Litestream's list of what is at {self._place.text} cannot be read") from None

    def position(self, term: int) -> int:
        """Return the number of the last transaction of the database that is there, 0 for none."""
        with self._configured(term) as file:
            said = run(self._program, ["ltx", "-config", str(file), "-json", "-level", "all", str(_name(file, DATA))], self._environment)
        try:
            return max((int(each.max_txid, 16) for each in msgspec.json.decode(said or "[]", type=list[_ListedCopy])), default=0)
        except ValueError:
            raise BackupError(f"Litestream's list of what is at {self._place.text} cannot be read") from None

    def notes(self, term: int) -> dict[str, str]:
        """Return who writes in a term."""
        with tempfile.TemporaryDirectory(prefix="goop2-backup-") as folder:
            file = Path(folder) / "files.db"
            self.fetch(term, FILES, file, ASK_SECONDS)
            try:
                with open_archive(file, read_only=True) as archive:
                    return archive.notes()
            except StorageError as error:
                raise BackupError(f"what is at {self._place.text} cannot be read: {error}") from None

    def fetch(self, term: int, stream: str, target: Path, seconds: float = RESTORE_SECONDS) -> None:
        """Restore a database of a term as the file `target`, which does not exist."""
        with self._configured(term) as file:
            arguments = ["restore", "-config", str(file), "-o", str(target), "-integrity-check", "quick", str(_name(file, stream))]
            run(self._program, arguments, self._environment, seconds)

    def follow(self, term: int, stream: str, target: Path, file: Path, *, every: int) -> list[str]:
        """Return the command that restores a database and keeps it up to date; its configuration is written as `file`."""
        configuration.write(file, self._place, term, {each: _name(file, each) for each in STREAMS})
        arguments = ["restore", "-config", str(file), "-f", "-follow-interval", f"{every}s", "-o", str(target), str(_name(file, stream))]
        return [str(self._program.path), *arguments]

    @contextlib.contextmanager
    def _configured(self, term: int) -> Iterator[Path]:
        with tempfile.TemporaryDirectory(prefix="goop2-backup-") as folder:
            file = Path(folder) / "litestream.json"
            configuration.write(file, self._place, term, {each: _name(file, each) for each in STREAMS})
            yield file


def _name(file: Path, stream: str) -> Path:
    """Return the name of a database in a configuration that is for questions alone: no file has it."""
    return file.parent / {DATA: "asked-data.db", FILES: "asked-files.db"}[stream]


class PlaceTakenError(BackupError):
    """Another folder writes at the place; `notes` say which."""

    def __init__(self, message: str, notes: Mapping[str, str]) -> None:
        super().__init__(message)
        self.notes = notes


def taken(notes: Mapping[str, str], place: str, folder: Path) -> PlaceTakenError:
    """Return the error about a place where another folder writes."""
    who = notes.get(LABEL) or notes.get(PEER) or "another peer"
    since = f", since {notes[BEGAN]}" if BEGAN in notes else ""
    where = f"{who} on the machine {notes[HOST]}{since}" if HOST in notes else who
    remedy = f'"goop2 backup {folder} --take-over" goes on in its place if it is gone for good; else choose another place in backup.to'
    return PlaceTakenError(f"another folder makes its backup at {place} ({where}), and two would spoil it: {remedy}", notes)
