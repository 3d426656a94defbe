"""What can go wrong in the storage, by whose fault it is. Every message is one sentence for whoever caused it."""

from __future__ import annotations

from typing import ClassVar


class StorageError(Exception):
    """A statement or an operation was not done; nothing of it was written. The connection goes on.

    `code` is an error class of behaviour.md, "Data functions", for callers from outside.
    """

    code = "bad_request"


class BusyError(StorageError):
    """Somebody else was writing all the time."""

    code = "unavailable"


class LockTimeSpentError(StorageError):
    """The invocation has had the write lock for as long as one may."""


class DatabaseFileError(StorageError):
    """The database's file cannot be used as it is: a full disk, damage. Nobody who asks is at fault."""

    code = "unavailable"


class DamagedError(DatabaseFileError):
    """What stands in the file is no sound database."""


class QuotaError(DatabaseFileError):
    """The database has reached the size its owner allows it (`storage.max_mb`)."""


class DatabaseOpenError(DatabaseFileError):
    """It, or what SQLite makes beside it, cannot be opened."""


class StatementTimeoutError(StorageError):
    """The statement took longer than it may."""

    code = "timeout"


class RefusedError(StorageError):
    """The guard refused what the statement would do; the message may name what its author is not to know of."""


class DatabaseClosedError(StorageError):
    """The database was closed before, because the peer is stopping."""

    code = "unavailable"


class DeclarationError(StorageError):
    """What a registry says of a table cannot be read; the message names table and field."""


class DatabaseError(StorageError):
    """The owner's database cannot be used; the message names the file and what to do."""

    owner_code: ClassVar = "database"


class SchemaFileError(StorageError):
    """A file in schemas/ is wrong; the message names file and field."""


class AccessError(StorageError):
    """A caller from outside asked for what is not there or not theirs, or what could not be done for them."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
