"""The owner's own SQL in the console: a statement that reads, how SQLite would do it, and, where the owner switched it on, one that writes.

Reading is by a connection that only reads, over every table; writing is what a script may do with `goop.db.exec`. Answers are bounded.
"""

from __future__ import annotations

import time
from typing import Final

import msgspec

from goop2.storage.database import Database
from goop2.storage.desk_limits import RESULT_CELL_MAX_CHARS, RESULT_MAX_BYTES, RESULT_ROWS_MAX
from goop2.storage.errors import StorageError
from goop2.storage.guard import OWNER_READS, SCRIPT_WRITES, Role
from goop2.storage.table_browser import Cell, cell

_READS: Final = Role(OWNER_READS, "SQL here")
_WRITES: Final = Role(SCRIPT_WRITES, "SQL here")
_MILLISECONDS: Final = 1000.0
NUMBER_BYTES: Final = 8
"""What a value counts as that is no text."""


class SqlAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """What a statement of the owner's gave."""

    columns: tuple[str, ...] = ()
    rows: list[list[Cell]] = []
    more: bool = False
    """Whether there is more than what is given."""
    changed: int | None = None
    """How many rows it changed, of one that writes."""
    milliseconds: float = 0.0


class PlanStep(msgspec.Struct, frozen=True):
    """A step of how SQLite would do a statement."""

    depth: int
    text: str


def read(database: Database, sql: str) -> SqlAnswer:
    """Run one statement that reads. Raises `StorageError`."""
    begun = time.monotonic()
    rows: list[list[Cell]] = []
    size = 0
    more = False
    with database.stream(_READS, sql) as (names, found):
        for row in found:
            if len(rows) == RESULT_ROWS_MAX or size > RESULT_MAX_BYTES:
                more = True
                break
            cells = [cell(value, RESULT_CELL_MAX_CHARS) for value in row]
            size += sum(min(len(value), RESULT_CELL_MAX_CHARS) if isinstance(value, str) else NUMBER_BYTES for value in row)
            rows.append(cells)
    return SqlAnswer(columns=names, rows=rows, more=more, milliseconds=(time.monotonic() - begun) * _MILLISECONDS)


def write(database: Database, sql: str) -> SqlAnswer:
    """Run one INSERT, UPDATE, DELETE or REPLACE, held to what scripts may do. Raises `StorageError`."""
    begun = time.monotonic()
    changed = database.change(_WRITES, sql)
    return SqlAnswer(changed=changed, milliseconds=(time.monotonic() - begun) * _MILLISECONDS)


def explain(database: Database, sql: str) -> list[PlanStep]:
    """Return how SQLite would do a statement that reads. Raises `StorageError`."""
    with database.stream(_READS, f"EXPLAIN QUERY PLAN {sql}") as (_, found):
        steps = [(int(str(number)), int(str(parent)), str(text)) for number, parent, _, text in found]
    if not steps:
        raise StorageError("SQLite has no plan for this statement: it reads no table")
    depths: dict[int, int] = {0: -1}
    plan = []
    for number, parent, text in steps:
        depths[number] = depths.get(parent, -1) + 1
        plan.append(PlanStep(depths[number], text))
    return plan
