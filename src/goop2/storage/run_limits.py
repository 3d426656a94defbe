"""Every number of the run history, named with its unit and the reason for its value.

What an owner may set in goop.json is a field of `RunLimits`, everything else a constant.
"""

from __future__ import annotations

from typing import Final

import msgspec

from goop2.storage.limits import MEGABYTE_BYTES

FLUSH_SECONDS: Final = 0.3
"""From the first run that waits to its write: with a busy machine's delays still within the promised second."""

PENDING_MAX: Final = 10_000
PENDING_MAX_BYTES: Final = 16 * MEGABYTE_BYTES
"""Runs that wait for a disk that hangs. Beyond it successes are only counted, and failures are dropped and counted."""

ONE_BY_ONE_PER_SECOND: Final = 200
"""Successes of one script kept one by one in a second; those beyond go into a summary."""

REFUSED_ONE_BY_ONE: Final = 20
"""Calls turned away for the same reason that are kept one by one, for each script and minute; those beyond go into a summary."""

REFUSED_KEYS_MAX: Final = 256
"""Summaries of refused calls at a time: strangers can make up names of functions without end. Those beyond share one."""

RETRY_SECONDS: Final = 10.0
"""How often a file that could not be used is tried again."""

MEMORY_RUNS_MAX: Final = 1000
MEMORY_MAX_BYTES: Final = 16 * MEGABYTE_BYTES
"""Runs kept in memory where no file can be used."""

TRIM_AGE_SECONDS: Final = 60.0
"""How often runs that have become too old are looked for."""

SPARE_SHARE: Final = 4
"""One part in this many of `runs.max_mb`, and PENDING_MAX_BYTES at most, is left free: for a batch and the write-ahead log."""
WAL_SHARE: Final = 16
"""One part in this many of `runs.max_mb` is for the write-ahead log."""
WAL_PAGES_MAX: Final = 1000
"""Pages of the write-ahead log after which SQLite puts them into the file, its own default."""

TRIM_SHARE: Final = 50
"""One part in this many of the runs goes at a time when the file is too large."""

ID_GAP: Final = 100
"""Beyond the newest run: where a run of another process goes whose id is needed. A peer gives fewer ids until it hears of that."""

FOUND_MAX: Final = 5000
"""Runs in one answer."""

DAY_SECONDS: Final = 86_400.0


class RunLimits(msgspec.Struct, frozen=True):
    """What the owner may set, with the defaults of the spec."""

    keep_days: int = 7
    keep_count: int = 50_000
    """0: none is written to disk."""
    max_bytes: int = 200 * MEGABYTE_BYTES
    keep_arguments: bool = True
