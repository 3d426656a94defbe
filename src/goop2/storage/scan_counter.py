"""Count the rows that statements step over because no index helps them, by SQLite's own counter (FULLSCAN_STEP).

It must not know what a run is, nor whose statements it counts: `counts` says that.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import apsw


class ScanCounter:
    """The rows scanned on one connection while it is told to count them."""

    def __init__(self, connection: apsw.Connection, counts: Callable[[], bool]) -> None:
        """Count those of statements at whose end `counts()` is true, once `watch` says so."""
        self._connection = connection
        self._counts = counts
        self._rows = 0
        self._watches = False

    def watch(self, watches: bool) -> None:
        """Count from now on, or no longer. SQLite's trace makes each statement a few microseconds longer."""
        if watches != self._watches:
            self._watches = watches
            self._connection.trace_v2(apsw.SQLITE_TRACE_PROFILE if watches else 0, self._ended if watches else None)
        self._rows = 0

    def take(self) -> int | None:
        """Return how many rows were scanned since this was last asked; None while they are not counted."""
        if not self._watches:
            return None
        rows, self._rows = self._rows, 0
        return rows

    def _ended(self, statement: dict[str, Any]) -> None:
        if self._counts():
            self._rows += statement["stmt_status"]["SQLITE_STMTSTATUS_FULLSCAN_STEP"]
