"""Time as a promise means it: without what a busy machine took from us."""

from __future__ import annotations

import time
from pathlib import Path


class Stopwatch:
    """Runs from when it is made. Time this process was ready to run and others had the processor does not count."""

    def __init__(self) -> None:
        self._begun = _ours()

    @property
    def seconds(self) -> float:
        """So many were ours to use."""
        return _ours() - self._begun


def _ours() -> float:
    try:
        waited = int(Path("/proc/self/schedstat").read_text("ascii").split()[1]) / 1e9  # the main thread's, which is where loops run
    except FileNotFoundError:  # a kernel that does not count it
        waited = 0.0
    return time.monotonic() - waited
