"""A queue for writers in front of the one write lock of data.db, over all processes of a folder.

SQLite lets waiting writers ask again and again, and whoever asks at the right moment gets the lock: a script that writes in a loop starves
everybody else. Here scripts wait in a queue of the kernel's, and the peer's own writes go before them. Four bytes of the file
`data/write-queue.lock` are locked, and nothing is ever written to it:

    NEXT    held by the script that goes next, while it waits for WRITER; those behind it wait here, in the order they came. A script that
            has just written finds it taken and goes to the end. The kernel hands no lock over, so with WRITER alone it would be there
            again before the one that was woken.
    GATE    held, shared, by a writer of the peer that has found the database locked, until its own write is done. A script waits for it to
            be free before it writes. So the peer waits for one transaction of a script at most.
    WRITER  held by the script at the front while it asks SQLite for its lock, and until its write is done.
    OUTSIDE held, shared, by a script that was at the front for longer than anybody of the peer may hold SQLite's lock: another program has
            the lock, and the script leaves the queue. Those behind it notice that when they come to the front, and leave too, since a wait
            for a byte has no end before its process ends. Outside the queue each asks until its own time is over, and reports why.

A script that has written little does not queue before it meets another writer: most writes take less time than that.

Locks end with the process that holds them, whatever ends it. If the file or its locks cannot be had, writers ask again and again as before.
It must not know SQLite.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import stat
import struct
import sys
import time
from collections.abc import Callable
from enum import Enum, auto
from pathlib import Path
from typing import Final

FOLDER: Final = "data"
FILE: Final = "write-queue.lock"
_NEXT: Final = 0
_GATE: Final = 1
_WRITER: Final = 2
_OUTSIDE: Final = 3
_FLOCK: Final = "hhqqi4x"
"""`struct flock` of Linux on 64 bits: type, whence, start, length, process."""
_TYPE_BYTES: Final = struct.calcsize("h")
_FREE: Final = struct.pack("h", fcntl.F_UNLCK)
_OFD_SETLK: Final = getattr(fcntl, "F_OFD_SETLK", None)
_OPEN_FLAGS: Final = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOFOLLOW
_MODE: Final = 0o600


GATE_SLEEP_SECONDS: Final = 0.0003
"""Between two looks at the gate: the peer's writes take less than a millisecond, and one script alone looks."""


def _never() -> bool:
    return False


class Rank(Enum):
    """The kind of writer that uses a connection."""

    PEER = auto()
    """The peer's own: messages, groups, the console. Before everybody else."""
    STRANGER = auto()
    """Callers' operations on tables, in the peer's process: like the peer's after a while, so that scripts do not starve them."""
    SCRIPT = auto()
    """A script's, in a worker: in the queue."""


def _request(kind: int, first: int, last: int) -> bytes:
    return struct.pack(_FLOCK, kind, os.SEEK_SET, first, last - first + 1, 0)


_TAKE_ALL: Final = _request(fcntl.F_WRLCK, _NEXT, _WRITER)
_FREE_ALL_BUT_WRITER: Final = _request(fcntl.F_UNLCK, _NEXT, _GATE)
_TAKE_NEXT: Final = _request(fcntl.F_WRLCK, _NEXT, _NEXT)
_TAKE_WRITER: Final = _request(fcntl.F_WRLCK, _WRITER, _WRITER)
_ASK_GATE: Final = _request(fcntl.F_WRLCK, _GATE, _GATE)
_ASK_OUTSIDE: Final = _request(fcntl.F_WRLCK, _OUTSIDE, _OUTSIDE)
_SAY_OUTSIDE: Final = _request(fcntl.F_RDLCK, _OUTSIDE, _OUTSIDE)
_END_OUTSIDE: Final = _request(fcntl.F_UNLCK, _OUTSIDE, _OUTSIDE)
_FREE_NEXT: Final = _request(fcntl.F_UNLCK, _NEXT, _NEXT)
_FREE_WRITER: Final = _request(fcntl.F_UNLCK, _WRITER, _WRITER)
_ASK_WHO_WAITS: Final = _request(fcntl.F_WRLCK, _NEXT, _GATE)
_SHUT_GATE: Final = _request(fcntl.F_RDLCK, _GATE, _GATE)
_OPEN_GATE: Final = _request(fcntl.F_UNLCK, _GATE, _GATE)


class WriteQueue:
    """One connection's place in the queue; `descriptor` is its open file. A worker needs F_GETLK, F_SETLK and F_SETLKW."""

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor
        self._gate_shut = False

    def is_waited_in(self) -> bool:
        """Return whether a script or the peer waits for its turn behind the one at the front."""
        return self._is_taken(_ASK_WHO_WAITS)

    def is_held_outside(self) -> bool:
        """Return whether another script has noticed that another program holds the lock."""
        return self._is_taken(_ASK_OUTSIDE)

    def _is_taken(self, by: bytes) -> bool:
        try:
            holder = fcntl.fcntl(self.descriptor, fcntl.F_GETLK, by)
        except OSError:
            return False
        return holder[:_TYPE_BYTES] != _FREE

    def leave_to_outside(self) -> None:
        """Give up the place at the front, and tell the scripts behind that another program holds the lock; `end_outside` ends that."""
        with contextlib.suppress(OSError):
            fcntl.fcntl(self.descriptor, fcntl.F_SETLK, _SAY_OUTSIDE)
        self.leave()

    def end_outside(self) -> None:
        """Stop waiting for another program."""
        with contextlib.suppress(OSError):
            fcntl.fcntl(self.descriptor, fcntl.F_SETLK, _END_OUTSIDE)

    def enter(self, enough: Callable[[], bool] = _never) -> None:
        """Wait for the turn of this process; `leave` ends it. Whoever kills the process ends the wait.

        At the front it waits for the peer only until `enough` says so.
        """
        try:
            fcntl.fcntl(self.descriptor, fcntl.F_SETLK, _TAKE_ALL)  # nobody waits and nobody writes
        except (BlockingIOError, PermissionError):
            self._wait(enough)
        except OSError:
            return
        fcntl.fcntl(self.descriptor, fcntl.F_SETLK, _FREE_ALL_BUT_WRITER)

    def _wait(self, enough: Callable[[], bool]) -> None:
        with contextlib.suppress(OSError):
            fcntl.fcntl(self.descriptor, fcntl.F_SETLKW, _TAKE_NEXT)
            fcntl.fcntl(self.descriptor, fcntl.F_SETLKW, _TAKE_WRITER)
            fcntl.fcntl(self.descriptor, fcntl.F_SETLK, _FREE_NEXT)
            self.pass_gate(enough)

    def pass_gate(self, enough: Callable[[], bool] = _never) -> None:
        """Wait until no writer of the peer waits or `enough` says so; a wait in the kernel would last as long as the process."""
        while self._is_taken(_ASK_GATE) and not enough():
            time.sleep(GATE_SLEEP_SECONDS)

    def leave(self) -> None:
        """Give up the first place, so that the next writer may write."""
        with contextlib.suppress(OSError):
            fcntl.fcntl(self.descriptor, fcntl.F_SETLK, _FREE_WRITER)

    def shut_gate(self) -> None:
        """Keep scripts from beginning a write until `open_gate`. It does not wait; call it again while the lock is waited for."""
        if not self._gate_shut and _OFD_SETLK is not None:
            with contextlib.suppress(OSError):  # a script passes just now
                fcntl.fcntl(self.descriptor, _OFD_SETLK, _SHUT_GATE)
                self._gate_shut = True

    def open_gate(self) -> None:
        """Let scripts write again; nothing when the gate was not shut."""
        if self._gate_shut and _OFD_SETLK is not None:
            self._gate_shut = False
            with contextlib.suppress(OSError):
                fcntl.fcntl(self.descriptor, _OFD_SETLK, _OPEN_GATE)

    def close(self) -> None:
        """Give up the place. Idempotent."""
        if self.descriptor >= 0:
            os.close(self.descriptor)
            self.descriptor = -1


def open_queue(database: Path) -> WriteQueue | None:
    """Return a place in the queue for the database of a peer folder; None where there is no such folder, or no such locks."""
    if sys.platform != "linux" or struct.calcsize("P") != 8 or _OFD_SETLK is None:
        return None
    try:
        descriptor = os.open(database.parent / FOLDER / FILE, _OPEN_FLAGS, _MODE)
    except OSError:
        return None
    # A folder from elsewhere may hold a pipe or a device here; locks on it would be somebody else's.
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        return None
    return WriteQueue(descriptor)
