"""Limit the share of a core that work for one stranger may take: beyond it, the work waits.

It counts processor time, so it holds whatever is sent: a flood of events, of lines without any, or of a few that are expensive to read.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Final

SLICE_SECONDS: Final = 0.02
"""Taken at once, and before any wait: an announcement now and then never waits, and a flood holds nobody else up for longer."""


class CpuShare:
    """A share of one core, between 0 and 1. `clock` gives seconds; `used` the processor time of this thread in seconds."""

    def __init__(self, share: float, clock: Callable[[], float] = time.monotonic, used: Callable[[], float] = time.thread_time) -> None:
        self._share = share
        self._clock = clock
        self._used = used
        self._owed = 0.0
        """Processor time beyond the share."""
        self._now = clock()

    def owed(self, used: float) -> float:
        """Count work that took `used`; return for how many seconds nothing more should be done."""
        now = self._clock()
        self._owed = max(0.0, self._owed - (now - self._now) * self._share) + used
        self._now = now
        return self._owed / self._share if self._owed > SLICE_SECONDS else 0.0

    async def do(self, work: Callable[[], object]) -> None:
        """Do some work, then wait until it is within the share."""
        began = self._used()
        work()
        if wait := self.owed(self._used() - began):
            await asyncio.sleep(wait)
