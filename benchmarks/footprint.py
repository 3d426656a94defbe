"""What a peer takes of the machine: time to serve, memory at rest, and what each library it loads costs."""

from __future__ import annotations

import asyncio
import contextlib
import json
import resource
import socket
import statistics
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

from benchmarks.report import table
from benchmarks.started_peer import MEGABYTE, a_folder, cpu_seconds, environment, own, processes_of, running, settled, shares

STARTS: Final = 9
SETTLED_SECONDS: Final = 30.0
MILLISECONDS: Final = 1000.0
SHOWN_MILLISECONDS, SHOWN_MEGABYTES = 2.0, 0.5
"""Packages that cost less of both are counted together."""

INTRODUCTION = f"""Medians of {STARTS} starts. *Processor* is what the command and its children used by then; it depends less than the time
that passed on what else the machine does. Memory is that of `goop2 peer` on a new folder, {SETTLED_SECONDS:.0f} s after its start
(PSS: what processes share is counted in parts)."""
COSTS = """What an idle peer has imported by then, by package, without what a package imports of others: processor time of the
import, and the growth of the process meanwhile. Python's own start is not in it. Counting takes time too, so the sum is more than a
start takes."""


async def run() -> str:
    """Measure, and return the section of docs/benchmarks.md."""
    return await asyncio.to_thread(_section)


def own_megabytes(pids: Iterable[int]) -> float:
    """Return the most memory one of these processes shares with nobody."""
    return max(map(own, pids))


def _section() -> str:
    return "\n\n".join(
        [
            "## Start and memory",
            INTRODUCTION,
            table(["", "passed, ms", "processor, ms", "target, ms"], _starts()),
            table(["30 s after the start", "MB", "target, MB"], _memory()),
            COSTS,
            table(["package", "ms", "MB"], _costs()),
        ]
    )


def _starts() -> list[list[str]]:
    with a_folder() as place:
        home = place.parent
        commands: Mapping[str, tuple[list[str], str]] = {
            "goop2 --version": (["--version"], ""),
            "goop2 id": (["id", str(place)], ""),
            "goop2 lua list": (["lua", "list", str(place)], ""),
            "goop2 lua chat, to its reply": (["lua", "chat", str(place), "!hello Alice"], "≤ 600"),
        }
        lines = [_line("goop2 peer, to serving", [_served(place) for _ in range(STARTS)], "≤ 500")]
        for name, (arguments, target) in commands.items():
            lines.append(_line(name, [_ran(arguments, home) for _ in range(STARTS)], target))
    return lines


def _line(name: str, figures: list[tuple[float, float]], target: str) -> list[str]:
    passed, used = (statistics.median(each) * MILLISECONDS for each in zip(*figures, strict=True))
    return [f"`{name.partition(',')[0]}`{''.join(name.partition(',')[1:])}", f"{passed:.0f}", f"{used:.0f}", target]


def _served(place: Path) -> tuple[float, float]:
    begun = time.perf_counter()
    with running(place) as peer:
        passed = time.perf_counter() - begun
        processes = processes_of(peer)
        return passed, cpu_seconds([peer, *processes.scripting])


def _ran(arguments: list[str], home: Path) -> tuple[float, float]:
    begun, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, "-m", "goop2", *arguments], stdout=subprocess.DEVNULL, env=environment(home), check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.perf_counter() - begun, after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime


def _memory() -> list[list[str]]:
    with a_folder() as place, running(place) as peer:
        settled(peer, SETTLED_SECONDS)
        processes = processes_of(peer)
        workers = len(processes.workers)
        return [
            ["the peer", f"{shares([peer]):.1f}", "≤ 55"],
            [f"its fork server and {counted(workers)} together", f"{shares(processes.scripting):.1f}", "≤ 15"],
            ["of it: the fork server, shared with nobody", f"{own(processes.fork_server):.1f}", ""],
            ["of it: a worker, shared with nobody", f"{own_megabytes(processes.workers):.1f}", "≤ 12"],
        ]


def counted(workers: int) -> str:
    """Return how many workers there are, as a phrase."""
    return "1 worker" if workers == 1 else f"{workers} workers"


def _costs() -> list[list[str]]:
    costs: dict[str, list[float]] = defaultdict(lambda: [0.0, 0.0])
    for module, (seconds, size) in imported().items():
        costs[_package(module)][0] += seconds * MILLISECONDS
        costs[_package(module)][1] += size / MEGABYTE
    shown = {name: cost for name, cost in costs.items() if cost[0] >= SHOWN_MILLISECONDS or cost[1] >= SHOWN_MEGABYTES}
    others = [sum(cost[which] for name, cost in costs.items() if name not in shown) for which in (0, 1)]
    ranked = sorted(shown.items(), key=lambda each: -each[1][1])
    lines = [[f"`{name}`" if name != PYTHONS_OWN else name, f"{ms:.0f}", f"{size:.1f}"] for name, (ms, size) in ranked]
    whole = [sum(cost[which] for cost in costs.values()) for which in (0, 1)]
    more = len(costs) - len(shown)
    return [*lines, [f"{more} others", f"{others[0]:.0f}", f"{others[1]:.1f}"], ["together", f"{whole[0]:.0f}", f"{whole[1]:.1f}"]]


PYTHONS_OWN: Final = "Python's own modules"
_OWN_LIBRARIES: Final = {"_cffi_backend": "cffi", "pynacl": "nacl"}


def _package(module: str) -> str:
    first = module.partition(".")[0]
    return PYTHONS_OWN if first in sys.stdlib_module_names else _OWN_LIBRARIES.get(first, first)


def imported(seconds: float = 5.0) -> Mapping[str, tuple[float, float]]:
    """Return what each module costs that a peer has imported when it is so old: CPU seconds and bytes."""
    ours, theirs = socket.socketpair()
    program = [sys.executable, "-m", "benchmarks.import_costs", str(theirs.fileno())]
    with contextlib.closing(ours), a_folder() as place, running(place, program=program, keep=[theirs.fileno()]) as peer:
        theirs.close()
        settled(peer, seconds)
        ours.sendall(b"?")
        with ours.makefile("rb") as answer:
            costs: Mapping[str, tuple[float, float]] = json.loads(answer.readline())
    return costs
