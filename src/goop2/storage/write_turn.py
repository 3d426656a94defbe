"""When a connection may write: its turn in the write queue, and how it waits while SQLite's lock is taken.

docs/architecture.md, "Who writes next", has the rules; write_queue.py has the locks. It must not know what is written.

A script's connection enters before each write and leaves after it, but joins the queue only after it has met another writer. The peer's own
connections shut a gate when they meet one, and open it when they have written.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from typing import Final

from goop2.storage.errors import LockTimeSpentError
from goop2.storage.limits import (
    BUSY_SLEEP_SECONDS,
    FRONT_MAX_SECONDS,
    FRONT_SLEEP_SECONDS,
    LOCK_MAX_SECONDS,
    QUEUE_FROM_SECONDS,
    STRANGER_PATIENCE_SECONDS,
)
from goop2.storage.write_queue import Rank, WriteQueue

LOCK_TIME_SPENT: Final = (
    f"this call has held the database for {LOCK_MAX_SECONDS:g} s in all, the most one call may, and writes no more; write less in one call"
)


class WriteTurn:
    """The turns of one connection. Times are `time.monotonic()`."""

    def __init__(self, rank: Rank, queue: WriteQueue | None, has_waited_enough: Callable[[], bool]) -> None:
        """`queue`: None where writers ask SQLite again and again. `has_waited_enough`: whether this wait has come to its end."""
        self._rank = rank
        self._has_waited_enough = has_waited_enough
        self._queued = False
        """Whether it stands before the end of the queue's first place: in it, in SQLite's lock, or outside."""
        self._outside = False
        """Whether it left the queue because another program has the lock."""
        self._front_since = 0.0
        self._gate_patience = STRANGER_PATIENCE_SECONDS if rank is Rank.STRANGER else 0.0
        self._locked_since = 0.0
        self.queue = queue
        self.is_held = False
        """Whether `leave` is due when no transaction is open."""
        self.waiting_since = 0.0
        self._lock_seconds = 0.0
        """How long a script's invocation has had the write lock."""

    @property
    def lock_seconds(self) -> float:
        """Return how long this invocation has held the write lock."""
        return self._lock_seconds

    def begin_invocation(self) -> None:
        """Count lock time from zero: the next writes are another invocation's."""
        self._lock_seconds = 0.0

    def begin_wait(self, now: float) -> None:
        """Note that a wait for SQLite's lock begins outside a held turn."""
        self.waiting_since = now

    def enter(self) -> None:
        """Begin a write outside a transaction: stand in the queue, if this connection is a script's. Raises `LockTimeSpentError`."""
        if self._rank is not Rank.SCRIPT or self.is_held:
            return
        if self._lock_seconds >= LOCK_MAX_SECONDS:
            raise LockTimeSpentError(LOCK_TIME_SPENT)
        self.waiting_since = self._locked_since = time.monotonic()
        # A first short write that meets nobody costs one look, not a place in the queue.
        if self.queue is not None and (self._lock_seconds >= QUEUE_FROM_SECONDS or self.queue.is_waited_in()):
            self._stand_in_queue(self.queue)
            self._locked_since = time.monotonic()
        self.is_held = True

    def leave(self) -> None:
        """End the turn, after a statement that left no transaction open."""
        self.is_held = False
        if self._rank is Rank.SCRIPT:
            self._lock_seconds += time.monotonic() - self._locked_since
            if self._queued and self.queue is not None:
                self._queued = False
                self.queue.leave()
            if self._outside and self.queue is not None:
                self._outside = False
                self.queue.end_outside()
        elif self.queue is not None:
            self.queue.open_gate()

    def wait(self, now: float) -> None:
        """Wait a moment for SQLite's lock: in the queue if there is one, else for a random time."""
        self._wait(now)
        self._locked_since = time.monotonic()  # waiting is not holding

    def _wait(self, now: float) -> None:
        queue = self.queue
        if queue is None or not self.is_held or self._rank is not Rank.SCRIPT:
            if queue is not None and self._rank is not Rank.SCRIPT and now >= self.waiting_since + self._gate_patience:
                queue.shut_gate()
                self.is_held = True
            time.sleep(random.uniform(*BUSY_SLEEP_SECONDS))
        elif self._outside:  # nobody can say whose turn it is; the peer still goes first
            time.sleep(random.uniform(*BUSY_SLEEP_SECONDS))
            queue.pass_gate(self._has_waited_enough)
        elif not self._queued:
            self._stand_in_queue(queue)
        elif now >= self._front_since + FRONT_MAX_SECONDS or queue.is_held_outside():
            self._queued, self._outside = False, True
            queue.leave_to_outside()
        else:
            queue.pass_gate(self._has_waited_enough)
            time.sleep(FRONT_SLEEP_SECONDS)

    def _stand_in_queue(self, queue: WriteQueue) -> None:
        self._queued = True
        queue.enter(self._has_waited_enough)
        self._front_since = time.monotonic()

    def close(self) -> None:
        """Give up the place in the queue. Idempotent."""
        if self.queue is not None:
            self.queue.close()
