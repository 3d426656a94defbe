"""What the time is for values that are made here: the real one, or in a script's test the one that it has set.

SQLite asks too (`now`, CURRENT_TIMESTAMP), through a VFS that `install` puts in front of the machine's own. Only the workers of a test
install it, before they open the database.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Final

import apsw

JULIAN_DAY_OF_1970: Final = 2440587.5
DAY_SECONDS, DAY_MILLISECONDS = 86400.0, 86400000
VFS_NAME: Final = "goop2-test-clock"

_stub: float | None = None
_installed: list[apsw.VFS] = []
"""Kept for as long as the process lives: SQLite has a pointer to it."""


class _ClockVFS(apsw.VFS):
    """The machine's own files, with the time of `now`."""

    def __init__(self) -> None:
        super().__init__(VFS_NAME, "", makedefault=True)

    def xCurrentTimeInt64(self) -> int:  # noqa: N802 - SQLite's name
        """Return the milliseconds since the Julian epoch."""
        return int((instant() / DAY_SECONDS + JULIAN_DAY_OF_1970) * DAY_MILLISECONDS)


def install() -> None:
    """Have SQLite ask this module what the time is, on connections that open from now on."""
    if not _installed:
        _installed.append(_ClockVFS())


def use(instant: float | None) -> None:
    """Say what the time is, in seconds since 1970; None for the real one."""
    global _stub
    _stub = instant


def instant() -> float:
    """Return what the time is, in seconds since 1970."""
    return time.time() if _stub is None else _stub


def now() -> datetime:
    """Return what the time is, in UTC."""
    return datetime.fromtimestamp(instant(), UTC)
