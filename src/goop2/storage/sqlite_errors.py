"""Turn SQLite's errors into ours: whose fault it is, and a sentence with a remedy where there is one."""

from __future__ import annotations

import re
from typing import Final

import apsw

from goop2.storage.errors import BusyError, DamagedError, DatabaseFileError, DatabaseOpenError, StatementTimeoutError, StorageError

TOO_MUCH_MEMORY: Final = "the statement needs more memory than it may have"
BUSY: Final = (
    "the database is busy: another program has it open and is writing (a database browser with unsaved changes, a backup), "
    "or another part of the peer is; end that, or try again"
)
DISK_FULL: Final = "the disk is full"
DAMAGED: Final = "the database file is damaged: restore a backup"
QUOTA_REACHED: Final = "the database has reached the size its owner allows (storage.max_mb); deleting rows makes room"
FILE_TOO_LARGE: Final = "the database would become larger than it may be; the owner can raise storage.max_mb"
_BINDINGS: Final = re.compile(r"uses (\d+) and there are (\d+) supplied")
_MESSAGES: Final[tuple[tuple[type[BaseException], str], ...]] = (
    (apsw.BusyError, BUSY),
    (apsw.LockedError, BUSY),
    (apsw.InterruptError, "the statement took longer than its time"),
    (apsw.TooBigError, "a value, a row or the statement is larger than the database takes"),
    (apsw.NoMemError, TOO_MUCH_MEMORY),
    (MemoryError, TOO_MUCH_MEMORY),
    (apsw.FullError, DISK_FULL),
    (apsw.ReadOnlyError, "the database can only be read: the peer may not write to its file"),
    (apsw.CorruptError, DAMAGED),
    (apsw.NotADBError, "the file is not a database"),
    (apsw.CantOpenError, "it should be a file that may be read and written, in a folder that may be written"),
    (apsw.IOError, "the disk does not let the database file be read or written"),
    (UnicodeDecodeError, "a row holds text that is not UTF-8; CAST(column AS BLOB) gives its bytes"),
    (UnicodeEncodeError, "the text is not UTF-8"),
    (OverflowError, "an integer is outside the 64 bits a database holds"),
)

_CLASSES: Final[dict[type[BaseException], type[StorageError]]] = {
    apsw.BusyError: BusyError,
    apsw.LockedError: BusyError,
    apsw.InterruptError: StatementTimeoutError,
    apsw.FullError: DatabaseFileError,
    apsw.ReadOnlyError: DatabaseFileError,
    apsw.CorruptError: DamagedError,
    apsw.NotADBError: DamagedError,
    apsw.IOError: DatabaseFileError,
    apsw.CantOpenError: DatabaseOpenError,
}
"""What SQLite says → what it is to a caller; a StorageError otherwise."""


def fault(error: BaseException) -> StorageError:
    """Return our error for one of SQLite's, or of Python on its behalf."""
    return _CLASSES.get(type(error), StorageError)(explained(error))


def explained(error: BaseException) -> str:
    """Return an error of SQLite, or of Python on its behalf, as a sentence with a remedy if there is one."""
    if isinstance(error, apsw.BindingsError):
        return _miscounted(str(error))
    return next((message for kind, message in _MESSAGES if isinstance(error, kind)), str(error))


def _miscounted(said: str) -> str:
    """Return what apsw says of too few or too many arguments, in an author's words."""
    counts = _BINDINGS.search(said)
    if counts is None:
        return "the arguments are not as many as the ? in the statement"
    return f"the arguments are not as many as the ? in the statement: it takes {counts[1]}, not {counts[2]}"
