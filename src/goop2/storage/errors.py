"""What can go wrong in the storage, by whose fault it is. Every message is one sentence for whoever caused it."""

from __future__ import annotations


class StorageError(Exception):
    """A statement or an operation was not done; nothing of it was written. The connection goes on."""


class DatabaseError(StorageError):
    """The owner's database cannot be used; the message names the file and what to do."""


class SchemaFileError(StorageError):
    """A file in schemas/ is wrong; the message names file and field."""


class AccessError(StorageError):
    """A caller from outside asked for what is not there or not theirs. `code` is an error class of behaviour.md."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
