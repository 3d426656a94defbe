"""A bus whose connection may be another one from time to time: what uses it lives longer than a connection."""

from __future__ import annotations

from collections import deque
from typing import Final

from goop2.cluster.bus import Bus
from goop2.cluster.limits import MESSAGE_MAX_BYTES, SLOTS_MAX

KEPT_MAX: Final = SLOTS_MAX
"""Messages that wait for the next connection: one call's end for each slot."""


class SwitchedBus:
    """The connection there is now, if there is one."""

    def __init__(self) -> None:
        self.current: Bus | None = None
        self._kept: deque[tuple[str, bytes, str]] = deque(maxlen=KEPT_MAX)

    @property
    def connected(self) -> bool:
        """Return whether the server is reached now, as far as is known."""
        return self.current is not None and self.current.connected

    @property
    def max_bytes(self) -> int:
        """Return how large a message the server takes."""
        return self.current.max_bytes if self.current is not None else MESSAGE_MAX_BYTES

    def send(self, subject: str, content: bytes, reply: str = "") -> None:
        """Send a message without waiting; without a connection it is dropped."""
        if self.current is not None:
            self.current.send(subject, content, reply)

    def send_surely(self, subject: str, content: bytes) -> None:
        """Send a message now, or with the next connection."""
        if self.connected:
            self.send(subject, content)
        else:
            # When there are too many the oldest goes: its caller has waited the longest, and is the likeliest to have been told of a loss.
            self._kept.append((subject, content, ""))

    def use(self, bus: Bus | None) -> None:
        """Use this connection from now on, and send what waits for one; None: there is none."""
        self.current = bus
        while self.connected and self._kept:
            self.send(*self._kept.popleft())
