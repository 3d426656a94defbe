"""Check whether data.db is sound, on a separate connection: without trusting anybody's word or a cache of pages.

It runs in a thread beside everything else, because it reads the whole file, and can be stopped from another thread.
"""

from __future__ import annotations

import re
import time
from pathlib import Path
from typing import Final

from goop2.storage.database import FOREVER, open_database
from goop2.storage.errors import DamagedError, DatabaseError, StorageError
from goop2.storage.sqlite_errors import DAMAGED

CHECK_SECONDS: Final = 60.0
"""How long a check may read: some gigabytes, on a disk of today."""
FOUND_MAX: Final = 100
"""Complaints of SQLite that are looked at; those of the file's structure come first."""
_PROGRESS_STEPS: Final = 10_000
"""Between two looks at the clock: a few milliseconds."""
_CONTENT: Final = re.compile(r"(NULL|NUMERIC|TEXT|non-\w+) value in |CHECK constraint failed in ")
"""Complaints of what another program wrote into a sound file."""


class Check:
    """One check of the database at `path`."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._deadline = FOREVER

    def stop(self) -> None:
        """End it soon; from any thread."""
        self._deadline = 0.0

    def run(self) -> str | None:
        """Return DAMAGED, "" for a sound database, None if neither was found out."""
        try:
            database = open_database(self._path)
        except DatabaseError as error:
            return DAMAGED if str(error).endswith(DAMAGED) else None
        try:
            end = time.monotonic() + CHECK_SECONDS
            # The clock is the only way to end it: integrity_check is one statement, and the file may have gigabytes.
            database.connection.set_progress_handler(lambda: time.monotonic() > min(end, self._deadline), _PROGRESS_STEPS)
            found = [str(row[0]) for row in database.rows(f"PRAGMA integrity_check({FOUND_MAX})")]
        except DamagedError:
            return DAMAGED
        except StorageError:
            return None
        finally:
            database.close()
        return "" if all(what == "ok" or _CONTENT.match(what) for what in found) else DAMAGED
