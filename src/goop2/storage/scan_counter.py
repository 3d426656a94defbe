"""Counts rows that statements step over because no index leads to what they ask for, by SQLite's own counter (FULLSCAN_STEP).

It must not know what a run is, nor whose statements it counts: `counts` says that.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import apsw


class ScanCounter:
    """The rows scanned on one connection, from now on."""

    def __init__(self, connection: apsw.Connection, counts: Callable[[], bool]) -> None:
        """Count those of statements at whose end `counts()` is true."""
        self._counts = counts
        self._rows = 0
        connection.trace_v2(apsw.SQLITE_TRACE_PROFILE, self._ended)

    def take(self) -> int:
        """Return how many rows were scanned since this was last asked."""
        rows, self._rows = self._rows, 0
        return rows

    def _ended(self, statement: dict[str, Any]) -> None:
        if self._counts():
            self._rows += statement["stmt_status"]["SQLITE_STMTSTATUS_FULLSCAN_STEP"]
