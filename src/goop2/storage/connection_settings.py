"""The settings of SQLite: the flags a database is opened with, the limits of a connection, and the memory for all.

It must not know who uses a connection, nor what for.
"""

from __future__ import annotations

from typing import Final

import apsw

from goop2.storage.limits import JOURNAL_MAX_BYTES, SQLITE_LIMITS

OPEN_FLAGS: Final = apsw.SQLITE_OPEN_READWRITE | apsw.SQLITE_OPEN_CREATE | apsw.SQLITE_OPEN_URI


def configure(connection: apsw.Connection, *, guarded: bool, synced: bool = False) -> None:
    """Set what SQLite allows on this connection.

    `guarded`: for statements that scripts and strangers write. `synced`: a commit is on the disk before it is over.
    """
    connection.pragma("journal_mode", "wal")
    # By default a checkpoint syncs: a commit need not, to survive the process. A power cut may take the last ones.
    connection.pragma("synchronous", "full" if synced else "normal")
    connection.pragma("temp_store", "memory")
    connection.pragma("mmap_size", 0)  # whatever the build's default: a worker may truncate the file, which would end who has it mapped
    connection.pragma("journal_size_limit", JOURNAL_MAX_BYTES)
    connection.config(apsw.SQLITE_DBCONFIG_DEFENSIVE, 1)
    connection.config(apsw.SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0)
    if guarded:
        for limit, value in SQLITE_LIMITS.items():
            connection.limit(limit, value)
    else:  # what the peer does for itself: nobody's view or trigger has a part in it
        connection.config(apsw.SQLITE_DBCONFIG_ENABLE_TRIGGER, 0)
        connection.config(apsw.SQLITE_DBCONFIG_ENABLE_VIEW, 0)


def limit_heap(limit_bytes: int) -> None:
    """Limit what SQLite may allocate in this whole process."""
    apsw.hard_heap_limit(limit_bytes)
