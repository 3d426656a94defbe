"""The data workloads through engine, pool, wall and guard, against the bare loop of bare_data.py; and how both grow."""

from __future__ import annotations

import asyncio
import os
import statistics
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from benchmarks import growth
from benchmarks.data_workloads import DATA_WORKLOADS, ROWS, fill
from benchmarks.ours import bench_peer, caller_of, throughput
from benchmarks.report import table
from benchmarks.workloads import Workload
from goop2.services.peer import Peer

ROUNDS = 5
ROUND_SECONDS = 1.0
WARM_UP_SECONDS = 0.5
WORKERS = 2
AT_ONCE = 8
GROWTH_ROWS = (1_000, 10_000, 100_000, 1_000_000)
GROWTH_CALLERS = (1, 8, 64)
YARDSTICK = {"move": 3300, "list": 1100}

INTRODUCTION = f"""*move* is the manual's game move, one SELECT and one UPDATE; *list* gives 50 rows of 10 columns, about 30 kB of JSON.
The *bare* loop is the same VM and prelude over Python's own sqlite3 in one process. *Ours*: {WORKERS} workers, {AT_ONCE} calls under
way, WAL, every statement judged by the guard. The yardstick is the Go peer on such a machine."""


@dataclass(frozen=True)
class Round:
    """Calls a second of each side, measured one after the other."""

    bare: float
    ours: float


async def run() -> str:
    """Measure, and return the section of docs/benchmarks.md."""
    async with bench_peer(WORKERS, DATA_WORKLOADS) as peer:
        fill(peer.database.connection)
        lines = [await _compare(peer, workload) for workload in DATA_WORKLOADS]
    figures = await _growth()
    growth.draw(figures, YARDSTICK)
    return "\n\n".join(
        [
            "## Data",
            INTRODUCTION,
            table(["workload", "bare loop, calls/s", "ours, calls/s", "ratio", "target", "yardstick, calls/s", "× yardstick"], lines),
            "### Growth",
            "Calls a second by rows of the table and callers at once; the broken line is the yardstick.",
            "![move and list against rows of the table](growth.svg)",
            growth.as_table(figures),
        ]
    )


async def _compare(peer: Peer, workload: Workload) -> list[str]:
    call = caller_of(peer, workload)
    await throughput(call, AT_ONCE, WARM_UP_SECONDS)
    rounds = [Round(await asyncio.to_thread(_bare, workload), await throughput(call, AT_ONCE, ROUND_SECONDS)) for _ in range(ROUNDS)]

    def median(figure: Callable[[Round], float]) -> float:
        return statistics.median(map(figure, rounds))

    ours, yardstick = median(lambda r: r.ours), YARDSTICK[workload.name]
    return [
        workload.name,
        f"{median(lambda r: r.bare):,.0f}",
        f"{ours:,.0f}",
        f"**{median(lambda r: r.ours / r.bare):.2f}**",
        f"≥ {workload.target}",
        f"{yardstick:,}",
        f"{ours / yardstick:.1f}",
    ]


def _bare(workload: Workload) -> float:
    command = [sys.executable, "-m", "benchmarks.bare_data", workload.name, str(ROUND_SECONDS), str(ROWS)]
    done = subprocess.run(command, env=dict(os.environ), stdout=subprocess.PIPE, text=True, check=True)
    return float(done.stdout)


async def _growth() -> growth.Figures:
    """Each workload with every size of table and number of callers."""
    figures: dict[str, list[growth.Point]] = {workload.name: [] for workload in DATA_WORKLOADS}
    for rows in GROWTH_ROWS:
        async with bench_peer(WORKERS, DATA_WORKLOADS) as peer:
            await asyncio.to_thread(partial(fill, peer.database.connection, rows))
            for workload in DATA_WORKLOADS:
                figures[workload.name].append(growth.Point(rows, await _rates(peer, workload)))
    return figures


async def _rates(peer: Peer, workload: Workload) -> tuple[int, ...]:
    call = caller_of(peer, workload)
    await throughput(call, AT_ONCE, WARM_UP_SECONDS)
    return tuple([round(await throughput(call, callers, ROUND_SECONDS)) for callers in GROWTH_CALLERS])
