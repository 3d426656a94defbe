"""What an idle worker does: processor time, memory and locks, as the kernel reports them.

A worker without a job waits in one system call. One that computes, grows or holds a lock of the database was taken over by native code, or
is broken; the pool ends it. Without /proc nothing is found. It must not know what a job is.
"""

from __future__ import annotations

import os
from collections.abc import Collection
from pathlib import Path
from typing import NamedTuple

from goop2.scripting.limits import IDLE_CPU_MAX_SECONDS, IDLE_GROWTH_MAX_BYTES

_TICKS = os.sysconf("SC_CLK_TCK")
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
_PENDING_BYTE = 0x40000000
"""Where SQLite locks data.db itself, from its opening to its closing; below lie the locks of its index and of the write queue."""
_ALIVE = "128 128"
"""The byte of the index on which every open connection holds a lock, to say that it lives."""


class Sample(NamedTuple):
    """The processor time and memory a process has used."""

    cpu_seconds: float
    resident_bytes: int
    own_bytes: int
    """Of the resident ones, those it shares with no file."""


def sample_of(pid: int) -> Sample | None:
    """Return what process `pid` has used by now; None when it is gone, or the system does not tell."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text("ascii").rpartition(")")[2].split()
        pages = Path(f"/proc/{pid}/statm").read_text("ascii").split()
    except OSError:
        return None
    resident, shared = int(pages[1]) * _PAGE_BYTES, int(pages[2]) * _PAGE_BYTES
    return Sample((int(fields[11]) + int(fields[12])) / _TICKS, resident, resident - shared)


def has_ended(pid: int) -> bool:
    """Return whether process `pid` has closed its files: it is gone, or waits to be reaped."""
    try:
        return Path(f"/proc/{pid}/stat").read_text("ascii").rpartition(")")[2].split()[0] in "ZX"
    except OSError:
        return True


def fault_of(before: Sample | None, now: Sample, own_max_bytes: int) -> str:
    """Return what is wrong with a worker that was idle between two samples; "" for nothing."""
    if now.own_bytes > own_max_bytes:
        return f"it holds {now.own_bytes >> 20} MB"
    if before is None:
        return ""
    if now.cpu_seconds - before.cpu_seconds > IDLE_CPU_MAX_SECONDS:
        return "it computes without a call"
    if now.resident_bytes - before.resident_bytes > IDLE_GROWTH_MAX_BYTES:
        return "it takes memory without a call"
    return ""


def lock_holders(pids: Collection[int]) -> set[int]:
    """Return those of `pids` that hold or wait for a lock no idle worker has."""
    try:
        lines = Path("/proc/locks").read_text("ascii").splitlines()
    except OSError:
        return set()
    holders = set()
    for line in lines:
        fields = line.replace("-> ", "").split()  # 1: POSIX ADVISORY WRITE 1234 08:01:5678 120 120
        if len(fields) == 8 and fields[1] == "POSIX" and int(fields[4]) in pids:
            first = int(fields[6])
            if first < _PENDING_BYTE and (fields[3] != "READ" or f"{fields[6]} {fields[7]}" != _ALIVE):
                holders.add(int(fields[4]))
    return holders
