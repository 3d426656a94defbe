"""Watch the health of data.db while the peer runs: log each problem when it begins and when it ends, and show it.

A full disk, a read-only file system, damage, and a data.db that was removed or replaced under the running peer are faults of the machine or
the owner, not of a script. Every part of the peer that has the database open reports errors of the file here. The file is checked when the
kernel reports a change of it, and now and then; once a second where the kernel reports nothing, and during a problem, when a test write is
made too. A worker's report is only a reason to check, since native code may have made it. Damage is reported when the peer has met it
itself, and no longer when the file has proved sound (storage/soundness.py).
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

import structlog

from goop2.config.ticks import seconds_to_tick
from goop2.scripting import inotify
from goop2.scripting.inotify import Notifications
from goop2.storage.database import Database
from goop2.storage.errors import DamagedError, DatabaseFileError, QuotaError, StorageError
from goop2.storage.file_quota import FREE_ENOUGH_BYTES, FileCare, Quota, size_warning
from goop2.storage.soundness import Check
from goop2.storage.sqlite_errors import DISK_FULL

LOOK_SECONDS: Final = 1.0
"""A data.db that is gone must be noticed within a second."""
TOLD_LOOK_SECONDS: Final = 10.0
"""The same where the kernel tells that it is gone: how soon it is noticed that the file grows, or another disk was mounted over it."""
CHECK_PAUSE_SECONDS: Final = 60.0
"""Between two checks of the whole file at least, and CHECK_PAUSES times as long as the last one took: what workers say costs so much."""
CHECK_PAUSES: Final = 20
PROBE_SECONDS: Final = 0.5
"""How long a look may wait for the write lock: a stop waits for it."""

_log: structlog.typing.FilteringBoundLogger = structlog.get_logger("goop2.storage")

_Identity = tuple[int, int] | None


class StorageHealth:
    """The state of the database at `path`; call `use` once it is open.

    `synced`: a commit is on the disk before it is over. `fenced`: why a peer that is kept by a lease may serve nothing now, or "".
    """

    def __init__(self, path: Path, quota: Quota, *, synced: bool = False, fenced: Callable[[], str] | None = None) -> None:
        self._synced = synced
        self.fenced = fenced
        self._path = Path(os.path.realpath(path))
        self._quota = quota
        self._lock = threading.Lock()
        self._identity: _Identity = None
        self._damaged = False
        self._doubted = False
        """Whether a worker has said that the file cannot be used, and it has not been tried since."""
        self._check_wanted = False
        self._next_check = self._next_doubt = 0.0
        self._size_told = ""
        self._begun: Callable[[], object] = lambda: None
        """Called in any thread when a problem begins."""
        self.problem = ""
        """Why the database cannot be used as it should, a sentence for the owner; "" when it can."""
        self.lost = False
        """Whether the file the peer has open is no longer the one in the folder: what is written to it would be lost."""

    @property
    def for_callers(self) -> FileCare:
        """Return how connections for scripts and callers treat the file."""
        return FileCare(self._quota.callers, self.report, self.refusal, self._free_bytes, self._synced)

    @property
    def for_peer(self) -> FileCare:
        """Return how connections to the peer's own tables treat the file."""
        return FileCare(self._quota.own, self.report, self.refusal, self._free_bytes, self._synced)

    def size(self) -> str:
        """Return a sentence for the owner about the database's size, "" when none is needed."""
        return size_warning(self._path, self._quota)

    def refusal(self) -> str:
        """Return why nothing may be read or written, "" when it may."""
        if self.fenced is not None and (why := self.fenced()):
            return why
        return self.problem if self.lost else ""

    def report(self, fault: DatabaseFileError) -> None:
        """Note an error of the file; callable from any thread."""
        if isinstance(fault, QuotaError):  # the owner's limit did what it is for
            return
        self._damaged = self._damaged or isinstance(fault, DamagedError)
        self._say(str(fault))

    def judge(self, why: str) -> str:
        """Return `why` if an error that a worker met may be the file's, and start a check; "" if it is only the owner's limit."""
        # A worker cannot know whether the disk or the owner's limit is full; the peer looks at the disk itself.
        if why == DISK_FULL:
            free = self._free_bytes()
            if free is not None and free >= FREE_ENOUGH_BYTES:
                return ""
            if free is not None:
                self.report(DatabaseFileError(DISK_FULL))
                return why
        self._doubted = self._check_wanted = True
        now = time.monotonic()
        if now >= self._next_doubt:
            self._next_doubt = now + LOOK_SECONDS
            self._begun()
        return why

    def _free_bytes(self) -> int | None:
        try:
            status = os.statvfs(self._path.parent)
        except OSError:
            return None
        return status.f_bavail * status.f_frsize

    def use(self) -> None:
        """Note that the database is open: the current file in the folder is the one in use."""
        self._identity = self._look_at_file()
        self._size_told = self.size()  # which the start says

    async def watch(self, database: Database, stop: asyncio.Event) -> None:
        """Watch the file until `stop` is set. `database`: a connection that nobody else uses meanwhile."""
        stopping = asyncio.create_task(stop.wait())
        loop, begun = asyncio.get_running_loop(), asyncio.Event()
        self._begun = lambda: loop.call_soon_threadsafe(begun.set)
        check, checking = Check(self._path), None
        try:
            while not stopping.done():
                begun.clear()
                # The watch is set up before the look, so no change between the two is missed.
                notifications = await asyncio.to_thread(self._look_told, database)
                if (checking is None or checking.done()) and self._check_is_due():
                    check = Check(self._path)
                    checking = asyncio.create_task(asyncio.to_thread(self._check_file, check))
                await self._until_next(notifications, stopping, begun)
        finally:
            self._begun = lambda: None
            stopping.cancel()
            check.stop()
            if checking is not None:
                await checking

    async def _until_next(self, notifications: Notifications | None, stopping: asyncio.Task[bool], begun: asyncio.Event) -> None:
        changed = notifications.changed if notifications else asyncio.Event()
        waiting = [asyncio.create_task(event.wait()) for event in (changed, begun)]
        try:
            if notifications:
                notifications.listen()
            seconds = TOLD_LOOK_SECONDS if notifications and not self.problem else LOOK_SECONDS
            await asyncio.wait({stopping, *waiting}, timeout=seconds_to_tick(seconds), return_when=asyncio.FIRST_COMPLETED)
            if begun.is_set() and self.problem and not changed.is_set():  # whether it has ended is not looked at in the same moment
                await asyncio.wait({stopping, waiting[0]}, timeout=seconds_to_tick(LOOK_SECONDS), return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in waiting:
                task.cancel()
            if notifications:
                notifications.close()

    def _look_told(self, database: Database) -> Notifications | None:
        """Check the file, and return the kernel's notifications about it from before the check; None if there are none to be had."""
        notifications = None
        if inotify.is_available():
            with contextlib.suppress(OSError):  # the system gives no more of them
                notifications = Notifications([self._path]) if inotify.reports_all_changes([self._path.parent]) else None
        self._look(database)
        return notifications

    def _look(self, database: Database) -> None:
        now = self._look_at_file()
        # Device and inode, not the name: a replaced file has the same name, and our connection still writes to the old one.
        if now != self._identity:
            what = "was removed" if now is None else "was replaced by another file"
            self.lost = True
            self._say(f"{self._path.name} {what} while the peer runs: nothing more is read from it or written to it; restart the peer")
            return
        self.lost = False
        size = self.size()
        if size and not self._size_told:
            _log.warning("the database grows", why=size)
        self._size_told = size
        if (self.problem or self._doubted) and not self._damaged:
            self._doubted = False
            self._say(_why_not_writable(database))

    def _check_is_due(self) -> bool:
        return (self._damaged or self._check_wanted) and not self.lost and time.monotonic() >= self._next_check

    def _check_file(self, check: Check) -> None:
        """Read the whole file, and report the result."""
        self._check_wanted = False
        begun = time.monotonic()
        found = check.run()
        ended = time.monotonic()
        # Proportional to the time of the check, since a worker that was taken over can ask for checks at will.
        self._next_check = ended + max(CHECK_PAUSE_SECONDS, CHECK_PAUSES * (ended - begun))
        if found:
            self.report(DamagedError(found))
        elif found is not None and self._damaged:
            self._damaged = False
            self._say("")

    def _look_at_file(self) -> _Identity:
        try:
            status = os.stat(self._path)  # noqa: PTH116 - every second
        except OSError:
            return None
        return status.st_dev, status.st_ino

    def _say(self, problem: str) -> None:
        with self._lock:
            before, self.problem = self.problem, problem
        if problem and not before:
            _log.error("the database cannot be used", why=problem)
            self._begun()
        elif before and not problem:
            _log.info("the database can be used again", was=before)


def _why_not_writable(database: Database) -> str:
    """Return why the database cannot be written, "" when it can: it writes a row and rolls back."""
    try:
        with database.within(PROBE_SECONDS):
            # More than a page of random bytes: a full disk may still have room for a small row.
            database.rows("INSERT OR REPLACE INTO _meta (key, value) VALUES ('_py_probe', hex(randomblob(4096)))")
            database.rows("DELETE FROM _meta WHERE key = '_py_probe'")
    except DatabaseFileError as fault:
        return str(fault)
    except StorageError:  # busy: somebody writes
        return ""
    return ""
