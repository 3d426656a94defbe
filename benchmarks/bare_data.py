"""The bare loop of the data workloads: the same VM and prelude over Python's own sqlite3, in one process, without any wall.

Run as `python -m benchmarks.bare_data WORKLOAD SECONDS ROWS`; prints calls a second.
"""

from __future__ import annotations

import sqlite3
import sys
import tempfile
from pathlib import Path

from benchmarks.bare import measure
from benchmarks.data_workloads import DATA_WORKLOADS, fill
from goop2.sandbox.messages import Scalar


class SqliteHost:
    """goop.db.query and goop.db.exec, with nothing that guards them."""

    def __init__(self, path: Path, rows: int) -> None:
        self._connection = sqlite3.connect(path, isolation_level=None)
        self._connection.execute("PRAGMA journal_mode=wal")
        self._connection.execute("PRAGMA synchronous=normal")
        fill(self._connection, rows)

    def __call__(self, operation: bytes, sql: bytes, *arguments: Scalar) -> tuple[Scalar, ...]:
        """Run a statement as the host function of the bare VM: no guard, no policy, no limit."""
        bound = [value.decode() if isinstance(value, bytes) else value for value in arguments]
        cursor = self._connection.execute(sql.decode(), bound)
        if operation == b"db.exec":
            return b"v", cursor.rowcount
        rows = cursor.fetchall()
        names = [column[0].encode() for column in cursor.description]
        values = [value.encode() if isinstance(value, str) else value for row in rows for value in row]
        return b"R", False, len(names), *names, *values


if __name__ == "__main__":
    workload = next(each for each in DATA_WORKLOADS if each.name == sys.argv[1])
    with tempfile.TemporaryDirectory() as folder:
        print(measure(workload, float(sys.argv[2]), SqliteHost(Path(folder) / "data.db", int(sys.argv[3]))))
