"""What a peer takes of the machine: memory at rest and after load, and the time to its first reply."""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path

import psutil

from goop2.folder import creation

STARTS = 9
MEGABYTE = 2**20


def rows(loaded: float) -> list[list[str]]:
    """Rows of a table: what, measured, target. `loaded` is the most one worker held after load, in megabytes."""
    return [
        *_idle(),
        ["a worker's own memory after the load", f"{loaded:.0f} MB", "≤ 12 MB"],
        ["start of `goop2 lua chat` to its reply", f"{_first_reply_seconds() * 1000:.0f} ms", "≤ 600 ms"],
    ]


def own_megabytes(pids: Iterable[int]) -> float:
    """The most memory one of these processes shares with nobody."""
    return max(psutil.Process(pid).memory_full_info().uss for pid in pids) / MEGABYTE


def _idle() -> list[list[str]]:
    with subprocess.Popen([sys.executable, "-m", "benchmarks.idle"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as idle:
        assert idle.stdin
        assert idle.stdout
        idle.stdout.readline()
        peer = psutil.Process(idle.pid)
        fork_server, *workers = peer.children(recursive=True)
        whole = sum(process.memory_full_info().pss for process in (peer, fork_server, *workers)) / MEGABYTE
        measured = [
            ["an idle peer process, resident", f"{peer.memory_info().rss / MEGABYTE:.0f} MB", "≤ 60 MB"],
            ["an idle worker's own memory", f"{own_megabytes(worker.pid for worker in workers):.0f} MB", "≤ 12 MB"],
            [f"peer, fork server and {len(workers)} workers together, idle", f"{whole:.0f} MB", ""],
        ]
        idle.stdin.close()
    return measured


def _first_reply_seconds() -> float:
    with tempfile.TemporaryDirectory() as name:
        place = Path(name) / "peer"
        creation.create(place)
        return statistics.median(_start(place) for _ in range(STARTS))


def _start(place: Path) -> float:
    begun = time.perf_counter()
    done = subprocess.run([sys.executable, "-m", "goop2", "lua", "chat", str(place), "!hello Alice"], stdout=subprocess.PIPE, check=True)
    assert done.stdout == b"Hello, Alice!\n", done.stdout
    return time.perf_counter() - begun
