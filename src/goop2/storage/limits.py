"""Every number of the storage, named with its unit and the reason for its value."""

from __future__ import annotations

from typing import Final

import apsw

MEGABYTE_BYTES: Final = 1024 * 1024

ROWS_MAX: Final = 1000
"""Rows of one query (behaviour.md, "The goop table"); beyond it is an error, never a silent cut."""

ROWS_MAX_BYTES: Final = 1 * MEGABYTE_BYTES
"""Text and BLOBs of one query; a number counts as eight bytes."""

VALUE_MAX_BYTES: Final = 2 * MEGABYTE_BYTES
"""One string, BLOB or row inside SQLite: twice what a script may send or receive, so that it can work on such values."""

HEAP_MAX_BYTES: Final = 32 * MEGABYTE_BYTES
"""What SQLite may hold in one worker: 2 MB of page cache, the rest for sorting and temporary tables."""

LOCK_MAX_SECONDS: Final = 1.0
"""How long a script may hold the one write lock, in one transaction and in all writes of one invocation that are begun: no other part
of the peer waits longer than that for a script."""

STRANGER_PATIENCE_SECONDS: Final = 0.25
"""How long a caller's operation on a table waits for the lock behind scripts before it goes before them."""

LOCK_GRACE_SECONDS: Final = 0.1
"""After which a statement that SQLite could not end by then, being inside one function, is ended with its process."""

LOCK_GIVEN_UP_SECONDS: Final = 0.1
"""How long before its deadline an invocation gives up waiting for the lock: so its caller hears of the lock, not of a slow script."""

VISITOR_SECONDS: Final = 1.0
"""How long a query of a caller from outside may run."""

BUSY_SECONDS: Final = 5.0
"""How long to wait for the lock where no invocation's deadline says otherwise."""

CHECKPOINT_SECONDS: Final = 0.5
"""How long a peer that stops waits for other programs before it leaves the write-ahead log as it is."""

BUSY_SLEEP_SECONDS: Final = (0.0002, 0.002)
"""Pause before asking for the lock again, drawn anew each time so that waiters do not march in step. Most writes take less."""

FRONT_SLEEP_SECONDS: Final = 0.0003
"""The same for the script at the front of the queue, which asks alone: it should have the lock before a call that only begins."""

FRONT_MAX_SECONDS: Final = LOCK_MAX_SECONDS + 2 * LOCK_GRACE_SECONDS
"""How long that script asks before it knows that another program holds the lock: no script and no part of the peer has it for so long."""

QUEUE_FROM_SECONDS: Final = 0.02
"""Lock time of an invocation after which each further write goes through the queue. A game's move takes less than a hundredth of it."""

PROGRESS_STEPS: Final = 10_000
"""SQLite's own steps between looks at the clock: about a millisecond of work."""

FINE_PROGRESS_STEPS: Final = 100
"""The same where no kernel ends the process at its deadline: one step may be a function that works for milliseconds."""

FUNCTION_WORK_MAX: Final = 16 * MEGABYTE_BYTES
"""Lengths of two arguments multiplied, there: 1 MB searched for 16 bytes; about 60 milliseconds at worst."""

FINE_LIKE_PATTERN_MAX_BYTES: Final = 100
"""A pattern of LIKE or GLOB, there: with 1000 one comparison of a long text takes fifteen seconds, with 100 one."""

STATEMENT_MEMORY_MAX_BYTES: Final = HEAP_MAX_BYTES
"""What a statement may add to SQLite's memory, there: sorting and temporary tables, as in a worker."""

INSPECTED_MAX: Final = 256
"""Statements whose inspection is remembered, oldest out first."""

JOURNAL_MAX_BYTES: Final = 16 * MEGABYTE_BYTES
"""What is left of the write-ahead log after a checkpoint has emptied it."""

SQLITE_LIMITS: Final = {
    apsw.SQLITE_LIMIT_LENGTH: VALUE_MAX_BYTES,
    apsw.SQLITE_LIMIT_SQL_LENGTH: 100_000,  # 50 times the longest statement we have seen
    apsw.SQLITE_LIMIT_COLUMN: 2000,  # SQLite's own: tables other peers made have any number
    apsw.SQLITE_LIMIT_EXPR_DEPTH: 200,  # the parser recurses on the C stack
    apsw.SQLITE_LIMIT_COMPOUND_SELECT: 50,
    apsw.SQLITE_LIMIT_VDBE_OP: 100_000,
    apsw.SQLITE_LIMIT_FUNCTION_ARG: 100,
    apsw.SQLITE_LIMIT_ATTACHED: 0,
    apsw.SQLITE_LIMIT_LIKE_PATTERN_LENGTH: 1000,  # LIKE takes time in the square of it
    apsw.SQLITE_LIMIT_TRIGGER_DEPTH: 10,
}
"""SQLITE_LIMIT_… → value, for connections that run what scripts or strangers wrote."""

KV_KEYS_MAX: Final = 1000
KV_MAX_BYTES: Final = 64 * 1024
"""Keys and values as JSON, of one script."""

COLUMNS_MAX: Final = 100
"""Columns of a typed table."""
