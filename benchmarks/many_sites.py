"""Many sites on one machine, each a peer of its own: what twenty idle ones take together. They hear each other, as on a real machine."""

from __future__ import annotations

import asyncio
import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from benchmarks.report import table
from benchmarks.started_peer import a_folder, alone, cpu_seconds, environment, processes_of, shares

SITES: Final = 20
SETTLED_SECONDS: Final = 30.0
MEASURED_SECONDS: Final = 45.0
PERCENT: Final = 100.0

INTRODUCTION = f"""{SITES} times `goop2 peer` on a new folder, on one network of this machine, where each is connected to the others:
memory (PSS, so what they share is counted once) and processor time (`schedstat`) over {MEASURED_SECONDS:.0f} s, {SETTLED_SECONDS:.0f} s
after the last start. Each has a fork server and the workers of its start."""


async def run() -> str:
    """Measure, and return the section of docs/benchmarks.md."""
    command = alone([sys.executable, "-m", "benchmarks.many_sites"])
    return await asyncio.to_thread(lambda: subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout)


def _section() -> str:
    with contextlib.ExitStack() as stack:
        folders = [stack.enter_context(a_folder()) for _ in range(SITES)]
        peers = [stack.enter_context(_peer(folder)) for folder in folders]
        time.sleep(SETTLED_SECONDS)
        processes = [processes_of(peer) for peer in peers]
        scripting = [pid for each in processes for pid in each.scripting]
        before, begun = (cpu_seconds(peers), cpu_seconds(scripting)), time.monotonic()
        time.sleep(MEASURED_SECONDS)
        after, seconds = (cpu_seconds(peers), cpu_seconds(scripting)), time.monotonic() - begun
        memory = shares(peers), shares(scripting)
    lines = [
        [
            name,
            f"{megabytes / SITES:.1f}",
            f"{megabytes:.0f}",
            f"{PERCENT * (now - then) / seconds / SITES:.3f}",
            f"{PERCENT * (now - then) / seconds:.1f}",
        ]
        for name, megabytes, then, now in zip(("peer", "fork server and workers"), memory, before, after, strict=True)
    ]
    head = ["", "MB a site", f"MB of {SITES}", "processor a site, % of a core", f"of {SITES}, %"]
    load = f"Load of the machine at the end (one minute, with what else ran there): {os.getloadavg()[0]:.1f}."
    return "\n\n".join(["## Many sites on one machine", INTRODUCTION, table(head, lines), load])


@contextlib.contextmanager
def _peer(folder: Path) -> Iterator[int]:
    with subprocess.Popen(
        [sys.executable, "-m", "goop2", "peer", str(folder)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env=environment(folder.parent),
    ) as started:
        try:
            assert started.stdout is not None
            assert " is up " in started.stdout.readline()
            yield started.pid
        finally:
            started.terminate()


if __name__ == "__main__":
    print(_section())
