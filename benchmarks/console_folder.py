"""A peer folder with much in it, for what the console's pages take: scripts, tables, runs, and one table of many rows."""

from __future__ import annotations

import contextlib
import json
import sqlite3
import time
from pathlib import Path
from typing import Final

from benchmarks.started_peer import running
from goop2.storage.run_database import FILE, RunDatabase
from goop2.storage.run_limits import RunLimits
from goop2.storage.run_record import OK, Run

SCRIPTS: Final = 1000
TABLES: Final = 500
RUNS: Final = 50_000
ROWS: Final = 1_000_000
BIG: Final = "big"
FAILS_EACH: Final = 50
"""One of so many runs failed."""
RUN_SPACING_SECONDS: Final = 5.0
"""Between the runs kept: fifty thousand of them lie within three days."""
_SOURCE: Final = "--- Number {0}: what it answers is its own name\nfunction call(request)\n  return '{0}'\nend\n"


def fill(place: Path) -> None:
    """Put everything into a new peer folder. The peer itself makes the tables, in a first start."""
    functions = place / "site/lua/functions"
    for number in range(SCRIPTS):
        (functions / f"script-{number:04}.lua").write_text(_SOURCE.format(f"script-{number:04}"), "utf-8")
    for number in range(TABLES - 1):
        _declare(place, f"table_{number:03}")
    _declare(place, BIG)
    with running(place):
        _wait_for_tables(place)
    _add_rows(place)
    _add_runs(place)


def _declare(place: Path, name: str) -> None:
    columns = [{"name": "title", "type": "text", "required": True}, {"name": "points", "type": "integer"}]
    (place / "schemas" / f"{name}.json").write_text(json.dumps({"name": name, "columns": columns}), "utf-8")


def _wait_for_tables(place: Path) -> None:
    until = time.monotonic() + 60
    while time.monotonic() < until:
        with contextlib.closing(sqlite3.connect(place / "data.db")) as database:
            (found,) = database.execute("SELECT count(*) FROM sqlite_schema WHERE name LIKE 'table~_%' ESCAPE '~'").fetchone()
        if found >= TABLES - 1:
            return
        time.sleep(0.2)
    raise AssertionError("the peer has not made its tables")


def _add_rows(place: Path) -> None:
    with contextlib.closing(sqlite3.connect(place / "data.db")) as database, database:
        database.execute(
            f"WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {ROWS})"
            f" INSERT INTO {BIG} (_owner, title, points) SELECT 'nobody', 'Row ' || i, i % 1000 FROM n"
        )


def _add_runs(place: Path) -> None:
    began = time.time() - RUNS * RUN_SPACING_SECONDS
    database = RunDatabase(place / FILE, RunLimits(keep_count=RUNS + 10_000))
    database.add([_run(number, began + number * RUN_SPACING_SECONDS) for number in range(1, RUNS + 1)])
    database.close()


def _run(number: int, started: float) -> Run:
    has_failed = number % FAILS_EACH == 0
    script = f"script-{number % SCRIPTS:04}"
    return Run(
        id=number,
        kind="function",
        script=script,
        caller=f"visitor-{number % 300:020}",
        caller_kind="visitor",
        status="script_error" if has_failed else OK,
        message=f"{script}:3: no such field" if has_failed else "",
        line=3 if has_failed else None,
        started=started,
        milliseconds=1.5,
        waited_milliseconds=0.2,
        memory_bytes=40_000,
        argument=b'{"n": %d}' % number,
        answer=script.encode(),
        log=(("info", f"asked for {number}"),),
    )
