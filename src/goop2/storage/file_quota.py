"""How connections to one data.db treat its file: how large it may become, and whom to tell when it cannot be used."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final

import msgspec

from goop2.storage.errors import DatabaseFileError
from goop2.storage.limits import MEGABYTE_BYTES

OWN_MARGIN_BYTES: Final = 64 * MEGABYTE_BYTES
"""What the peer's own tables may use beyond the limit of scripts and callers: messages, groups and deleting go on when it is reached."""
LARGER_MARGIN_BYTES: Final = 64 * MEGABYTE_BYTES
"""What scripts and callers may add to a database that is larger than its limit already."""
FREE_ENOUGH_BYTES: Final = 4 * MEGABYTE_BYTES
"""With so much free on the disk, a database that cannot grow has reached its quota: no row needs more."""
NEAR_QUOTA_BYTES: Final = 64 * MEGABYTE_BYTES
NEAR_QUOTA_PART: Final = 1 / 8
"""A worker cannot ask the disk. There a database that is this near to its quota is taken to have reached it: one statement writes less."""
WARN_FROM: Final = 0.8
"""The part of its limit from which the owner is told of the size."""


def _tell_nobody(_fault: DatabaseFileError) -> None:
    pass


def _usable() -> str:
    return ""


def _unknown() -> int | None:
    return None


class FileCare(msgspec.Struct, frozen=True):
    """How a connection treats its file."""

    max_bytes: int | None = None
    """What this connection may let the database grow to; None: SQLite's own bound."""
    on_fault: Callable[[DatabaseFileError], None] = _tell_nobody
    """Called with each error that is the file's, from whatever thread."""
    unusable: Callable[[], str] = _usable
    """Why no statement may be run any more, a sentence; "" as long as they may."""
    free_bytes: Callable[[], int | None] = _unknown
    """How much is free on the file's disk; None where that cannot be asked."""

    synced: bool = False
    """Whether a commit is on the disk before it is over (`storage.synchronous`)."""

    def is_at_quota(self, size_bytes: Callable[[], int]) -> bool:
        """Return whether a file that could not grow has its largest size; otherwise the disk is full.

        SQLite has one error for both, and by the time it is met what the statement added is gone again. `size_bytes` is called only
        where the disk cannot be asked.
        """
        if self.max_bytes is None:
            return False
        free = self.free_bytes()
        # Where the disk has room, only the quota can have stopped the file.
        if free is not None:
            return free >= FREE_ENOUGH_BYTES
        return self.max_bytes - size_bytes() <= max(NEAR_QUOTA_BYTES, self.max_bytes * NEAR_QUOTA_PART)


CARELESS: Final = FileCare()
"""For commands that only read, and tests."""


class Quota(msgspec.Struct, frozen=True):
    """How large data.db may become, in bytes."""

    callers: int
    """By what scripts and callers add (`storage.max_mb`)."""
    raised: bool = False
    """Whether the file was larger than that at the start, and the limit is its size and LARGER_MARGIN_BYTES."""

    @property
    def own(self) -> int:
        """Return how many bytes the peer's own tables may add."""
        return self.callers + OWN_MARGIN_BYTES


def quota_of(path: Path, max_mb: int) -> Quota:
    """Return the quota of the database at `path`, computed once at the start; computed again it would grow with the file."""
    # A database that is too large already still takes a little more: a peer must not be locked out by a smaller setting.
    size, limit = size_of(path), max_mb * MEGABYTE_BYTES
    return Quota(size + LARGER_MARGIN_BYTES, raised=True) if size > limit else Quota(limit)


def size_of(path: Path) -> int:
    """Return the bytes of the file, 0 if it does not exist."""
    try:
        return path.stat().st_size
    except OSError:
        return 0


def size_warning(path: Path, quota: Quota) -> str:
    """Return a sentence for the owner about the size of the database, "" if none is needed."""
    size, most = _megabytes(size_of(path)), _megabytes(quota.callers)
    if quota.raised:
        return (
            f"{path.name} has {size} MB, more than storage.max_mb allows; until the next start scripts and callers may fill it to "
            f"{most} MB: delete rows or raise the setting"
        )
    if size_of(path) >= WARN_FROM * quota.callers:
        return f"{path.name} has {size} of the {most} MB of storage.max_mb: delete rows or raise the setting"
    return ""


def _megabytes(size: int) -> int:
    return round(size / MEGABYTE_BYTES)
