"""What a peer does that nobody asks anything: processor time and wake-ups of `goop2 peer`, alone on its network."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from typing import Final

from benchmarks.footprint import counted
from benchmarks.report import table
from benchmarks.started_peer import a_folder, can_be_alone, cpu_seconds, processes_of, running, settled, wakeups

SETTLED_SECONDS: Final = 30.0
"""By then the first questions on the local network are asked and what the start left is put away."""
MEASURED_SECONDS: Final = 120.0
PERCENT: Final = 100.0

INTRODUCTION = f"""`goop2 peer` on a new folder, {SETTLED_SECONDS:.0f} s after its start, for {MEASURED_SECONDS:.0f} s. Processor time is
what the kernel counted for its threads (`/proc/PID/task/*/schedstat`), so it hardly depends on what else the machine does; a wake-up
is a thread that went on after it had slept."""


async def run() -> str:
    """Measure, and return the section of docs/benchmarks.md."""
    return await asyncio.to_thread(_section)


def _section() -> str:
    with a_folder() as place, running(place) as peer:
        settled(peer, SETTLED_SECONDS)
        processes = processes_of(peer)
        before, woken_before = _figures([peer], processes.scripting)
        begun = time.monotonic()
        time.sleep(MEASURED_SECONDS)
        seconds = time.monotonic() - begun
        after, woken_after = _figures([peer], processes.scripting)
    names = ("peer", f"fork server and {counted(len(processes.workers))}")
    lines = [
        [name, f"{PERCENT * (now - then) / seconds:.3f}", f"{(woken - slept) / seconds:.2f}", target]
        for name, then, now, slept, woken, target in zip(names, before, after, woken_before, woken_after, ("≤ 0.1", ""), strict=True)
    ]
    alone = "It was alone on a network of its own." if can_be_alone() else "It was not alone: this user may make no network of its own."
    head = ["", "processor, % of a core", "wake-ups a second", "target, %"]
    return "\n\n".join(["## An idle peer", f"{INTRODUCTION} {alone}", table(head, lines)])


def _figures(*groups: Sequence[int]) -> tuple[list[float], list[int]]:
    return [cpu_seconds(group) for group in groups], [wakeups(group) for group in groups]
