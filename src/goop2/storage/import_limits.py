"""Numbers of importing rows from files, with their units and reasons."""

from __future__ import annotations

from typing import Final

from goop2.storage.limits import MEGABYTE_BYTES, VALUE_MAX_BYTES

IMPORT_MAX_BYTES: Final = 512 * MEGABYTE_BYTES
"""Of a file; half of what a data.db may hold by default (`storage.max_mb`)."""
LINE_MAX_BYTES: Final = 2 * VALUE_MAX_BYTES
"""Of a line of CSV, or of a row of JSON: what is longer is no such file."""
SAMPLE_ROWS: Final = 1000
"""Rows from which the types of columns are guessed."""
PREVIEW_ROWS: Final = 5
PREVIEW_MAX_BYTES: Final = MEGABYTE_BYTES
"""Of the beginning of a file, which the console sends for its preview."""
PREVIEW_CELL_MAX_CHARS: Final = 80
ERRORS_SHOWN: Final = 100
"""Of rows that are wrong; more of them are counted only."""
ERROR_MAX_CHARS: Final = 300
BATCH_SECONDS: Final = 0.1
"""How long the lock is held at a time: scripts and visitors write in between."""
WORK_SECONDS: Final = 0.005
"""How long the thread of an import computes before it lets the peer's own thread go on."""
PAUSE_SECONDS: Final = 0.002
PART_MAX_BYTES: Final = 4 * MEGABYTE_BYTES
"""Of a file, sent by the console at a time."""
COLUMNS_READ_MAX: Final = 500
"""Columns of a file; a table has 100 at most, the others are left out."""
