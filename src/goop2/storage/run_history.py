"""The history of runs for asyncio: a bounded queue of runs, and one thread that writes them in batches and finds them.

`add` is on the path of every invocation and only appends. If the file cannot be used (damage, a full disk), the peer continues: runs are
kept in memory, `problem` says why, and the file is tried again until it works.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final, TypeVar

import structlog

from goop2.storage.errors import DatabaseClosedError
from goop2.storage.run_database import FILE, FailureCount, RunDatabase, RunFileError
from goop2.storage.run_limits import (
    FLUSH_SECONDS,
    FOUND_MAX,
    PENDING_MAX,
    PENDING_MAX_BYTES,
    RETRY_SECONDS,
    RunLimits,
)
from goop2.storage.run_record import OK, Run, RunFilter
from goop2.storage.run_sampling import RunSampling

T = TypeVar("T")
_THREAD: Final = "goop2-runs"
_RUN_BYTES: Final = 700
"""A run in memory without its texts, measured and rounded up."""
_log: structlog.typing.FilteringBoundLogger = structlog.get_logger("goop2.storage")


class RunHistory:
    """The runs of one peer, over restarts. Its methods are for one event loop."""

    def __init__(self, folder: Path | None, limits: RunLimits | None = None, *, beside: bool = False) -> None:
        """Keep runs of the peer in `folder`; None, or a `keep_count` of 0, keeps the last ones in memory alone.

        `beside`: another process may write to the file, so ids are given when a run is written.
        """
        self._limits = limits or RunLimits()
        self._path = None if folder is None or not self._limits.keep_count else folder / FILE
        self._beside = beside
        self._thread = ThreadPoolExecutor(1, _THREAD)
        self._database: RunDatabase | None = None
        self._tried_at = 0.0
        self._sampling = RunSampling(self.new_id)
        self._pending: list[Run] = []
        self._pending_bytes = 0
        self._last_id = 0
        self._timer: asyncio.TimerHandle | None = None
        self._writing: asyncio.Future[int] | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._closed = False
        self.problem = ""
        """Why runs are not on disk, as a sentence; "" when they are, or need not be."""
        self.lost = 0
        """Failures dropped since the disk was too far behind."""

    @property
    def keeps_arguments(self) -> bool:
        """Return whether arguments and answers are kept."""
        return self._limits.keep_arguments

    async def use(self, limits: RunLimits) -> None:
        """Use other limits; what is beyond them goes with the next write. A file is neither begun nor given up."""
        self._limits = limits
        if self._loop is not None and not self._closed:
            await self._loop.run_in_executor(self._thread, lambda: self._usable().use(limits))

    async def open(self) -> None:
        """Open the file, or a database in memory in its place. Never raises for what the file is."""
        self._loop = asyncio.get_running_loop()
        self._last_id = await self._loop.run_in_executor(self._thread, self._open)

    def new_id(self) -> int:
        """Return the id of the next run."""
        self._last_id += 1
        return self._last_id

    def add(self, run: Run) -> None:
        """Put a run, which has ended, into the queue. Never waits; on disk within a second."""
        if run.status == OK:
            if not self._sampling.keeps(run):
                self._soon()
                return
            if self._is_behind():
                # The disk is behind: the run still counts in its second's summary, only its details are lost.
                self._sampling.count(run)
                return
        elif run.refused:
            if not self._sampling.keeps_refused(run) or self._is_behind():
                self._soon()
                return
        elif self._is_behind():
            # A failure has no summary to count in, so Home reports how many are missing.
            self.lost += 1
            return
        self._pending.append(run)
        self._pending_bytes += _size(run)
        self._soon()

    async def find(self, wanted: RunFilter, limit: int = FOUND_MAX, *, whole: bool = False) -> list[Run]:
        """Return runs, newest first, those that have just ended too; without what only an opened one shows, unless `whole`."""
        return await self._ask(lambda database: database.find(wanted, limit, whole=whole), [])

    async def get(self, run_id: int) -> Run | None:
        """Return the run of this id, whole; None when it is not kept."""
        return await self._ask(lambda database: database.get(run_id), None)

    async def failures(self, since: float) -> list[FailureCount]:
        """Return what failed and what was turned away since then, by script, the last first."""
        return await self._ask(lambda database: database.failures(since), [])

    async def flush(self) -> None:
        """Wait until every run that has ended by now is written, whatever ends meanwhile."""
        await self._write_done()
        self._flush()
        await self._write_done()

    async def close(self) -> None:
        """Write what waits, close the file and end the thread. Idempotent; cancelling does not undo it."""
        if self._closed:
            return
        self._closed = True
        if self._timer is not None:
            self._timer.cancel()
        closing = asyncio.get_running_loop().run_in_executor(self._thread, self._close, self._taken())
        self._thread.shutdown(wait=False)  # what was given before is still done; the event loop does not wait here
        await asyncio.shield(closing)

    # ── in the loop ──────────────────────────────────────────────────────────────────────────

    async def _write_done(self) -> None:
        """Wait until the write under way is done and recorded as done."""
        if self._writing is not None:
            await asyncio.shield(self._writing)  # cancelling whoever asks must not cancel the write
            await asyncio.sleep(0)  # one that was done already is noted in the next round of the loop

    def _is_behind(self) -> bool:
        return len(self._pending) >= PENDING_MAX or self._pending_bytes >= PENDING_MAX_BYTES

    def _soon(self) -> None:
        if self._timer is None and self._loop is not None and not self._closed:
            self._timer = self._loop.call_later(FLUSH_SECONDS, self._flush)

    def _flush(self) -> None:
        """Hand what waits to the thread, unless it has not done with the batch before: then a little later."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._closed or self._loop is None:
            return
        if self._writing is not None:
            self._soon()
            return
        runs = self._taken()
        if runs:
            self._writing = self._loop.run_in_executor(self._thread, self._write, runs)
            self._writing.add_done_callback(self._written)

    def _taken(self) -> list[Run]:
        runs, self._pending, self._pending_bytes = self._pending, [], 0
        # After the runs: a summary stands for runs that were not stored one by one.
        runs.extend(self._sampling.summaries(time.time()))
        return runs

    def _written(self, done: asyncio.Future[int]) -> None:
        self._writing = None
        if not done.cancelled() and done.exception() is None:
            # A command beside the peer writes to the same file and may have used newer ids.
            self._last_id = max(self._last_id, done.result())
        if self._pending:
            self._soon()

    async def _ask(self, work: Callable[[RunDatabase], T], otherwise: T) -> T:
        """Return the result of `work` after all ended runs are written; `otherwise` while the file cannot be read."""
        if self._closed or self._loop is None:
            raise DatabaseClosedError("the history of runs is closed: the peer is stopping")
        await self.flush()
        return await self._loop.run_in_executor(self._thread, self._found, work, otherwise)

    # ── in the thread ────────────────────────────────────────────────────────────────────────

    def _open(self) -> int:
        if self._path is not None:
            try:
                self._database = RunDatabase(self._path, self._limits)
                return self._database.last_id
            except RunFileError as error:
                self._fall_back(error)
        self._database = RunDatabase(None, self._limits)
        return 0

    def _write(self, runs: list[Run]) -> int:
        """Write runs; return the id of the newest, which may be another process's."""
        self._try_file_again()
        database = self._usable()
        try:
            # A command does not own the file: it takes ids that are free, while the peer's own runs keep theirs.
            if self._beside:
                database.adopt(runs)
            else:
                database.add(runs)
        except RunFileError as error:
            self._fall_back(error)
            self._usable().add(runs)
        return self._usable().last_id

    def _usable(self) -> RunDatabase:
        if self._database is None:
            self._database = RunDatabase(None, self._limits)
        return self._database

    def _found(self, work: Callable[[RunDatabase], T], otherwise: T) -> T:
        try:
            return work(self._usable())
        except RunFileError as error:
            self._fall_back(error)
            return otherwise

    def _fall_back(self, error: RunFileError) -> None:
        """Continue in memory, and report that once."""
        if self._database is not None:
            self._database.close()
            self._database = None
        self._tried_at = time.monotonic()
        if self.problem != str(error):
            self.problem = str(error)
            _log.warning("run history", warning=f"{self.problem}. The peer runs on; the last runs are kept in memory")

    def _try_file_again(self) -> None:
        """Open the file after a while in memory, and put into it what was kept meanwhile."""
        if not self.problem or self._path is None or time.monotonic() - self._tried_at < RETRY_SECONDS:
            return
        self._tried_at = time.monotonic()
        memory = self._usable()
        try:
            database = RunDatabase(self._path, self._limits)
        except RunFileError:
            return
        try:
            # The runs made up while the file was away come back under ids that are free in it.
            database.adopt(memory.all())
        except RunFileError:
            database.close()
            return
        memory.close()
        self._database, self.problem = database, ""
        _log.info("run history", warning=f"runs are kept in {FILE} again")

    def _close(self, runs: list[Run]) -> None:
        try:
            if runs:
                self._write(runs)
        finally:
            if self._database is not None:
                self._database.close()
                self._database = None


def _size(run: Run) -> int:
    """Return about what a run holds in memory, in bytes."""
    size = _RUN_BYTES + len(run.message) + len(run.argument) + len(run.answer) + len(run.traceback)
    if run.log:
        size += sum(len(text) for _, text in run.log)
    return size


@asynccontextmanager
async def open_run_history(folder: Path | None, limits: RunLimits, *, beside: bool = False) -> AsyncIterator[RunHistory]:
    """Open the history of the peer in `folder` until the block is left; the parameters are those of `RunHistory`."""
    history = RunHistory(folder, limits, beside=beside)
    try:
        await history.open()
        yield history
    finally:
        await history.close()
