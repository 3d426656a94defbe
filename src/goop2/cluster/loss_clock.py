"""The clock by which nodes are lost: it goes on only while the server provably answers its owner.

An owner that is cut off from the server, or that stood still itself, hears nobody, and must not take all its nodes for lost. The server
hands on messages in order: what a node said before is heard before the next echo. It must not know a node.
"""

from __future__ import annotations

from collections.abc import Callable

from goop2.cluster.limits import ECHO_STEP_MAX_SECONDS


class LossClock:
    """Seconds for which a node could have been heard."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._last: float | None = None
        self.seconds = 0.0

    def echoed(self) -> None:
        """Go on: the server has just answered."""
        now = self._clock()
        if self._last is not None:
            self.seconds += min(now - self._last, ECHO_STEP_MAX_SECONDS)
        self._last = now

    def stand_still(self) -> None:
        """Count nothing until the server answers again: the connection was lost."""
        self._last = None
