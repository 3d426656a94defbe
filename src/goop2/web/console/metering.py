"""Counters over a peer's life and its last hour: runs by status, their durations, their memory.

This is on the path of every run, so it only adds to numbers. Latencies go into buckets that grow by a fifth, so a percentile read from
them is right to a tenth. Its memory grows with the number of scripts and minutes, not with runs.
"""

from __future__ import annotations

import math
from collections import Counter, deque
from typing import Final

import msgspec

from goop2.storage.run_record import Run

MINUTES_KEPT: Final = 60
MINUTE_SECONDS: Final = 60
BOUNDS_SECONDS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
"""Upper bounds of the histogram of `/metrics`."""
_GROWTH: Final = math.log(1.2)
_MILLISECONDS: Final = 1000.0


class Histogram:
    """How many runs took how long, for one kind and status."""

    def __init__(self) -> None:
        self.counts = [0] * (len(BOUNDS_SECONDS) + 1)
        self.seconds = 0.0

    def add(self, seconds: float) -> None:
        """Count one duration, in seconds."""
        self.seconds += seconds
        for place, bound in enumerate(BOUNDS_SECONDS):
            if seconds <= bound:
                self.counts[place] += 1
                return
        self.counts[-1] += 1


class Minute:
    """The runs that ended in one minute."""

    def __init__(self, number: int) -> None:
        self.number = number
        """Minutes since 1970."""
        self.statuses: Counter[str] = Counter()
        self.memory_bytes = 0
        """The most a VM held."""
        self.latencies: dict[str, Counter[int]] = {}
        """Script → bucket → runs."""


class Latency(msgspec.Struct, frozen=True):
    """How long one script took in one minute, in milliseconds."""

    script: str
    p50: float
    p95: float


class MinuteShown(msgspec.Struct, frozen=True):
    """One minute as the console plots it."""

    at: int
    """Its begin, seconds since 1970."""
    statuses: dict[str, int]
    memory_bytes: int
    latencies: list[Latency]


class RunMeter:
    """Count runs and their durations and memory, for one peer."""

    def __init__(self) -> None:
        self.histograms: dict[tuple[str, str], Histogram] = {}
        """Kind and status → its runs since the peer started."""
        self._minutes: deque[Minute] = deque(maxlen=MINUTES_KEPT)

    def add(self, run: Run) -> None:
        """Count a run, which has ended, in its histogram."""
        key = run.kind, run.status
        histogram = self.histograms.get(key)
        if histogram is None:
            histogram = self.histograms[key] = Histogram()
        histogram.add(run.milliseconds / _MILLISECONDS)
        minute = self._minute(int(run.started + run.milliseconds / _MILLISECONDS) // MINUTE_SECONDS)
        minute.statuses[run.status] += 1
        if run.refused:
            return  # it took no time and no memory, and its name may be made up
        minute.memory_bytes = max(minute.memory_bytes, run.memory_bytes)
        script = f"!{run.script}" if run.kind == "command" else run.script
        buckets = minute.latencies.get(script)
        if buckets is None:
            buckets = minute.latencies[script] = Counter()
        buckets[_bucket(run.milliseconds)] += 1

    def minutes(self, now: float) -> list[MinuteShown]:
        """Return the minutes of the last hour in which something ran, oldest first; `now` in seconds since 1970."""
        oldest = int(now) // MINUTE_SECONDS - MINUTES_KEPT
        return [_shown(minute) for minute in self._minutes if minute.number > oldest]

    def _minute(self, number: int) -> Minute:
        """Return the minute to count a run in."""
        # When the clock was set back, runs go into the newest minute: an earlier one is not opened again, so minutes stay in order.
        if not self._minutes or number > self._minutes[-1].number:
            self._minutes.append(Minute(number))
        return self._minutes[-1]


def percentile(buckets: Counter[int], share: float) -> float:
    """Return the milliseconds within which `share` (0 … 1) of the runs in `buckets` ended, right to a tenth."""
    wanted = share * buckets.total()
    seen = 0
    for bucket in sorted(buckets):
        seen += buckets[bucket]
        if seen >= wanted:
            return math.exp((bucket + 0.5) * _GROWTH)
    return 0.0


def _bucket(milliseconds: float) -> int:
    return math.floor(math.log(max(milliseconds, 0.001)) / _GROWTH)


def _shown(minute: Minute) -> MinuteShown:
    latencies = [Latency(script, percentile(buckets, 0.5), percentile(buckets, 0.95)) for script, buckets in minute.latencies.items()]
    return MinuteShown(minute.number * MINUTE_SECONDS, dict(minute.statuses), minute.memory_bytes, latencies)
