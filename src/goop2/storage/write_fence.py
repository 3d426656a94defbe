"""The fence around data.db of a peer that is kept by a lease: until when its connections may write, decided at each commit.

`data/lease` has 32 bytes, shared by every process of the folder:

    8 bytes   MAGIC
    8         until when the lease is held: nanoseconds of the clock since the machine started, which goes on while it sleeps; 0: not held
    16        which start of the machine that clock belongs to

The peer moves the time on after each renewal of its lease. A process that stood still for a minute finds it passed, whatever its timers
say. Where the file is missing there is no lease, and no connection looks at a clock. It must not know who grants a lease.
"""

from __future__ import annotations

import contextlib
import mmap
import os
import time
from pathlib import Path
from typing import Final

from goop2.storage.errors import DatabaseError

FOLDER: Final = "data"
FILE: Final = "lease"
MAGIC: Final = b"goop2len"
BYTES: Final = 32
FENCED: Final = (
    "this peer does not hold its lease now, so nothing was written: it does not run here, or another machine has taken its place "
    '("goop2 cluster status DIR" says which)'
)
"""For the owner, and in the error of a statement."""
MOVING: Final = "this peer is not served by this machine now, and soon by another: try again in a moment"
"""For whoever asks the peer."""
_TIME: Final = slice(8, 16)
_BOOT: Final = slice(16, 32)
_BOOT_FILE: Final = Path("/proc/sys/kernel/random/boot_id")
_CLOCK: Final = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
_READ: Final = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
_WRITE: Final = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
_MODE: Final = 0o600


def now_ns() -> int:
    """Return the nanoseconds since this machine started, its sleep included: no setting of the time of day changes it."""
    return time.clock_gettime_ns(_CLOCK)


def _boot() -> bytes:
    with contextlib.suppress(OSError, ValueError):
        return bytes.fromhex(_BOOT_FILE.read_text("ascii").strip().replace("-", ""))
    return bytes(16)


class WriteFence:
    """What a connection asks before each commit."""

    def __init__(self, shared: mmap.mmap) -> None:
        self._shared = shared
        self._boot = _boot()

    def is_up(self) -> bool:
        """Return whether nothing may be written now: the lease is not held."""
        shared = self._shared
        return int.from_bytes(shared[_TIME], "little") <= now_ns() or shared[_BOOT] != self._boot


def open_fence(database: Path) -> WriteFence | None:
    """Return the fence of a database, None for one without a lease. Raises `DatabaseError` for a file that is none."""
    path = database.parent / FOLDER / FILE
    try:
        descriptor = os.open(path, _READ)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise DatabaseError(f"{path}, which says whether this peer may write, cannot be read: {error.strerror}") from None
    try:
        shared = mmap.mmap(descriptor, BYTES, prot=mmap.PROT_READ)
    except (OSError, ValueError):
        shared = None
    finally:
        os.close(descriptor)
    if shared is None or shared[: len(MAGIC)] != MAGIC:
        raise DatabaseError(f"{path}, which says whether this peer may write, is damaged: remove it, and start the peer again")
    return WriteFence(shared)


class FenceKeeper:
    """The fence as the process sees it that holds the lease. `close` puts it up."""

    def __init__(self, folder: Path) -> None:
        """Make the file, with the fence up. Raises OSError."""
        path = folder / FOLDER / FILE
        path.parent.mkdir(mode=0o700, exist_ok=True)
        descriptor = os.open(path, _WRITE, _MODE)
        try:
            os.ftruncate(descriptor, BYTES)
            self._shared = mmap.mmap(descriptor, BYTES)
        finally:
            os.close(descriptor)
        self._until = 0
        self._shared[:] = MAGIC + bytes(8) + _boot()

    def hold_until(self, moment_ns: int) -> None:
        """Let everything be written until a moment of `now_ns`; 0 ends it at once."""
        self._until = moment_ns
        self._shared[_TIME] = moment_ns.to_bytes(8, "little")

    def is_up(self) -> bool:
        """Return whether nothing may be written now."""
        return self._until <= now_ns()

    def close(self) -> None:
        """Put the fence up. The file stays: no command may write into a folder whose lease another machine may have."""
        self.hold_until(0)


def remove_fence(folder: Path) -> None:
    """Take the fence away from a folder whose peer is kept by no lease any more. Raises OSError."""
    (folder / FOLDER / FILE).unlink(missing_ok=True)
