"""How what a peer does grows with what there is: scripts, rows, callers, strangers, readers of events, runs kept, peers known.

One function a curve: it makes the parts of a peer at one size, and returns the microseconds of processor time that one step takes there:
processor time, because that says the same on a machine that others use too. No process is started. `python -m benchmarks growth`.
"""

from __future__ import annotations

import asyncio
import gc
import math
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Final

import msgspec
from tests.storage.runs_made import run_of

from benchmarks.curves_drawn import SVG, drawn
from benchmarks.report import table
from goop2.peers.discovery.roster import PEERS_MAX, Roster
from goop2.protocols.presence import Presence
from goop2.scripting.catalog import Catalog
from goop2.scripting.fair_queue import FairQueue
from goop2.scripting.limits import WAITING_MAX
from goop2.scripting.rate_limit import RateLimiter
from goop2.storage.database import Database, open_database
from goop2.storage.orm_tables import OrmTables
from goop2.storage.registry_schema import create_schema
from goop2.storage.run_database import RunDatabase
from goop2.storage.run_limits import RunLimits
from goop2.storage.run_record import RunFilter
from goop2.storage.table_browser import RowsWanted, TableBrowser
from goop2.storage.typed_tables import Owner
from goop2.web.http.event_log import Events

MICROSECONDS: Final = 1e6
STEP_SECONDS: Final = 0.2
"""Steps are repeated for about so long."""
BENDS_FROM: Final = 0.4
"""Exponent between two sizes: 0 is a flat line, 1 ten times as much for ten times as many, 0.4 two and a half times as much."""

Measured = Callable[[int], float]


@dataclass(frozen=True)
class Curve:
    """A curve, and what is to be said of it."""

    name: str
    of: str
    sizes: tuple[int, ...]
    measure: Measured
    sentence: str
    """Why it bends, or why it does not."""


def step(work: Callable[[], object]) -> float:
    """Return the microseconds of processor time of `work`, the least of three rounds."""
    work()
    rounds = []
    gc.collect()
    for _ in range(3):
        times, begun = 0, time.process_time()
        while time.process_time() - begun < STEP_SECONDS / 3:
            work()
            times += 1
        rounds.append((time.process_time() - begun) / times)
    return min(rounds) * MICROSECONDS


async def _compiles(_name: str, _source: bytes) -> str:
    return ""


def scripts(size: int, found: bool = False) -> float:
    """Return what a look at a script folder in which nothing has changed takes, or finding one of its scripts."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        place = folder / "site/lua"
        place.mkdir(parents=True)
        for number in range(size):
            (place / f"command{number}.lua").write_text(f"--- Command {number}\nreturn {number}\n")

        async def measured() -> float:
            catalog = Catalog(folder, Path("site/lua"), _compiles)
            await catalog.scan()
            if found:
                return step(lambda: catalog.command(f"command{size - 1}"))
            begun = time.process_time()
            for _ in range(3):
                await catalog.scan()
            return (time.process_time() - begun) / 3 * MICROSECONDS

        return asyncio.run(measured())


@contextmanager
def _rows(size: int) -> Iterator[Database]:
    with tempfile.TemporaryDirectory() as name:
        database = open_database(Path(name) / "data.db")
        create_schema(database)
        columns = [{"name": "title", "type": "text"}, {"name": "points", "type": "integer"}]
        OrmTables(database).create("posts", columns)
        numbers = f"WITH RECURSIVE n(i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n WHERE i < {size})"
        database.rows(f"{numbers} INSERT INTO posts (title, points, _owner) SELECT 'post ' || i, i % 100, 'me' FROM n")
        try:
            yield database
        finally:
            database.close()


def one_row(size: int) -> float:
    """Return what goop.orm's get of one row takes."""
    with _rows(size) as database:
        tables = OrmTables(database)
        return step(lambda: tables.get("posts", size // 2))


def newest_rows(size: int) -> float:
    """Return what the newest 50 rows take, as a page lists them."""
    with _rows(size) as database:
        tables = OrmTables(database)
        return step(lambda: tables.find("posts", {"order": "_id DESC", "limit": 50}))


def inserted_row(size: int) -> float:
    """Return what a new row takes."""
    with _rows(size) as database:
        tables = OrmTables(database)
        return step(lambda: tables.insert("posts", {"title": "new", "points": 1}, Owner("me")))


def page_of_console(size: int) -> float:
    """Return what the first page of the console's page Data takes, in the order of a column without an index."""
    with _rows(size) as database:
        browser = TableBrowser(database)
        return step(lambda: browser.rows(RowsWanted(table="posts")))


def callers(size: int) -> float:
    """Return what it takes to queue a call and to take the next one while so many callers wait, all of whom have used a worker lately."""
    queue: FairQueue[int] = FairQueue(size + 1, lambda _caller: 1.0)
    for number in range(size):
        queue.offer(f"caller {number}", number)

    def turn() -> None:
        queue.offer("newcomer", -1)
        queue.remove(-1)
        queue.peek(lambda _caller: True)

    return step(turn)


def strangers(size: int) -> float:
    """Return what the limiter takes for a call after calls of so many others."""
    now = 0.0
    rate = RateLimiter(60, 10**9, lambda: now)
    for number in range(size):
        rate.check(f"stranger {number}", "function/score", None, f"{number}")
    names = iter(range(10**12))
    return step(lambda: rate.check(f"newcomer {next(names) % 100_000}", "function/score", None, "x"))


def readers(size: int) -> float:
    """Return what an event takes for each of so many pages, its sending left out."""

    async def measured() -> float:
        events = Events()
        here = [events.read(f"page {number}", frozenset({"everybody"})) for number in range(size)]

        def told() -> None:
            events.publish("changed", {"table": "posts"}, "everybody")
            for reader in here:
                reader.take()

        return step(told) / size

    return asyncio.run(measured())


@contextmanager
def _runs(size: int) -> Iterator[RunDatabase]:
    with tempfile.TemporaryDirectory() as name:
        runs = RunDatabase(Path(name) / "runs.db", RunLimits(keep_days=10**6, keep_count=10**7, max_bytes=10**10))
        for first in range(1, size + 1, 1000):
            runs.add([run_of(number) for number in range(first, first + 1000)])
        try:
            yield runs
        finally:
            runs.close()


def newest_runs(size: int) -> float:
    """Return what the newest 100 runs take, as the page Runs lists them."""
    with _runs(size) as runs:
        return step(lambda: runs.find(RunFilter(), 100))


def runs_of_a_script(size: int) -> float:
    """Return what it takes to search for the runs of a script that has never failed."""
    with _runs(size) as runs:
        return step(lambda: runs.find(RunFilter(script="hello", status="failed"), 100))


def recorded_run(size: int) -> float:
    """Return what recording a run takes, a hundred at a time."""
    with _runs(size) as runs:
        numbers = iter(range(size + 1000, 10**9, 100))

        def record() -> None:
            first = next(numbers)
            runs.add([run_of(number) for number in range(first, first + 100)])

        return step(record) / 100


def roster(size: int) -> float:
    """Return what an announcement of a peer takes while so many announce themselves."""
    now = 0.0
    known = Roster("self", lambda: now)
    said = [Presence(type="update", peer_id=f"peer {number}", label=f"Peer {number}", ts=1) for number in range(size)]
    for each in said:
        known.signed(each.peer_id, each)
    turns = iter(range(2, 10**12))

    def heard() -> None:
        turn = next(turns)
        each = said[turn % size]
        known.signed(each.peer_id, msgspec.structs.replace(each, ts=turn))

    return step(heard)


TENS: Final = tuple(10**power for power in range(1, 8))
_SCRIPTS, _ROWS, _CALLERS, _STRANGERS, _RUNS, _PEERS = TENS[:4], TENS[2:], TENS[:4], TENS[2:6], TENS[2:6], TENS[:4]
_PAGES: Final = (10, 100, 1_000, 5_000)
_BY_KEY: Final = "by the key"
_AT_THE_END: Final = "at the end of the table"
_LOOK: Final = "each file is asked whether it has changed; this is done after a change, which the system tells of, on a thread of its own"
_COMPARED: Final = (
    f"when all who wait have used a worker lately, they are compared; a queue holds {WAITING_MAX} calls, so the line ends there. "
    "Where one has not, it is the first such"
)
_SEARCH: Final = "there may be none, so all that are kept are read; by default that is 50,000"
_EACH: Final = "for each of the pages, so all of them take as much more as they are more"

CURVES: Final = (
    Curve("scripts: a look", "scripts", _SCRIPTS, scripts, _LOOK),
    Curve("scripts: one found", "scripts", _SCRIPTS, lambda size: scripts(size, True), "looked up by name"),
    Curve("rows: one got", "rows", _ROWS, one_row, _BY_KEY),
    Curve("rows: 50 newest", "rows", _ROWS, newest_rows, _BY_KEY),
    Curve("rows: one added", "rows", _ROWS, inserted_row, _AT_THE_END),
    Curve("rows: console's page", "rows", _ROWS, page_of_console, f"{_BY_KEY}; in the order of a column without an index all are read"),
    Curve("callers: a turn", "callers", _CALLERS, callers, _COMPARED),
    Curve("strangers: a call", "strangers", _STRANGERS, strangers, "a crowd shares counters"),
    Curve("readers: an event", "pages", _PAGES, readers, _EACH),
    Curve("runs: 100 newest", "runs", _RUNS, newest_runs, _BY_KEY),
    Curve("runs: a search", "runs", _RUNS, runs_of_a_script, _SEARCH),
    Curve("runs: one recorded", "runs", _RUNS, recorded_run, _AT_THE_END),
    Curve("roster: one heard", "peers", _PEERS, roster, f"it keeps {PEERS_MAX:,} peers; from then on who is new waits until one has left"),
)


def bend(sizes: Sequence[int], values: Sequence[float]) -> int | None:
    """Return the size from which on a step grows with the size; None for a flat curve."""
    for (small, large), (before, after) in zip(pairwise(sizes), pairwise(values), strict=True):
        if math.log(after / before) / math.log(large / small) > BENDS_FROM:
            return small
    return None


async def run() -> str:
    """Return the whole section, and draw the plots."""
    figures = {curve: [await asyncio.to_thread(curve.measure, size) for size in curve.sizes] for curve in CURVES}
    SVG.write_text(drawn({curve.name: (curve.of, list(zip(curve.sizes, figures[curve], strict=True))) for curve in CURVES}), "utf-8")
    lines = []
    for curve, values in figures.items():
        from_ = bend(curve.sizes, values)
        cells = " · ".join(f"{size:,}: {value:,.1f}" for size, value in zip(curve.sizes, values, strict=True))
        lines.append((curve.name, cells, f"{from_:,}" if from_ else "–", curve.sentence))
    return "\n\n".join(
        [
            "## Growth",
            "Microseconds of processor time for one step, by how much there is. A curve bends from the size on at which ten times as much\n"
            f"takes more than {10**BENDS_FROM:.1f} times as long. What stands behind a size counts the same on a busy machine.",
            f"![microseconds by size, one panel a curve]({SVG.name})",
            table(("curve", "size: µs", "bends from", "why"), lines),
        ]
    )
