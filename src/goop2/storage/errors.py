"""The errors of the storage, by whose fault they are. Every message is one sentence for whoever caused it."""

from __future__ import annotations

from typing import ClassVar


class StorageError(Exception):
    """A statement or an operation was not done, and nothing of it was written. The connection can be used further.

    `code` is an error class of behaviour.md, "Data functions", for callers from outside.
    """

    code = "bad_request"


class BusyError(StorageError):
    """Somebody else was writing all the time."""

    code = "unavailable"


class LockTimeSpentError(StorageError):
    """The invocation has held the write lock for as long as it may."""


class DatabaseFileError(StorageError):
    """The database's file cannot be used: a full disk, damage. No caller is at fault."""

    code = "unavailable"


class FencedError(StorageError):
    """This peer does not hold its lease, so another machine may own the database's rows; nothing was written."""

    code = "unavailable"


class DamagedError(DatabaseFileError):
    """The file is no sound database."""


class QuotaError(DatabaseFileError):
    """The database has reached the size its owner allows (`storage.max_mb`)."""


class DatabaseOpenError(DatabaseFileError):
    """The database, or a file that SQLite makes beside it, cannot be opened."""


class StatementTimeoutError(StorageError):
    """The statement took longer than it may."""

    code = "timeout"


class RefusedError(StorageError):
    """The guard refused the statement; the message may name something its author must not know of."""


class DatabaseClosedError(StorageError):
    """The database is closed, because the peer is stopping."""

    code = "unavailable"


class DeclarationError(StorageError):
    """A table's declaration in a registry cannot be read; the message names table and field."""


class DatabaseError(StorageError):
    """The owner's database cannot be used; the message names the file and what to do."""

    owner_code: ClassVar = "database"


class SchemaFileError(StorageError):
    """A file in schemas/ is wrong; the message names file and field."""


class AccessError(StorageError):
    """A caller from outside asked for something that does not exist, is not theirs, or could not be done for them."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
