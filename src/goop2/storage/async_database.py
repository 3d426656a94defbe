"""A database for asyncio: one thread, one connection, one operation at a time.

Callers get futures; they handle no thread, executor or lock. Each caller has its own rules for what an operation means, how many may wait,
how long one may take and whether cancelling the caller cancels it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from goop2.storage.database import Database
from goop2.storage.errors import DatabaseClosedError

T = TypeVar("T")


def _nothing(_database: Database) -> None:
    """Do nothing with the database."""


class AsyncDatabase:
    """A connection that one thread owns, which does operations in the order in which they were given."""

    def __init__(self, name: str, opener: Callable[[], Database], prepare: Callable[[Database], object] = _nothing) -> None:
        """Keep how to open the database; nothing is opened yet.

        `name`: of the thread. `opener`: opens the connection, raises `DatabaseError`. `prepare`: called after each opening, before any
        operation, to make missing tables or read what is needed; if it raises, the connection is closed again. Both run in the thread.
        """
        self._thread = ThreadPoolExecutor(1, name)
        self._opener = opener
        self._prepare = prepare
        self._database: Database | None = None
        self._closed = False

    @property
    def is_open(self) -> bool:
        """Return whether the connection is open."""
        return self._database is not None

    def open(self) -> asyncio.Future[None]:
        """Open the connection if it is not open. The future raises what the opener and `prepare` raise; a later operation tries again."""
        return self.run(_nothing)

    def run(self, work: Callable[[Database], T]) -> asyncio.Future[T]:
        """Return a future for the result of `work`, which the thread does after all that was given before; opens the connection first.

        Cancelling the future keeps `work` from being done, unless it has begun. Whoever wants it done although its caller was cancelled
        awaits `asyncio.shield(…)` of the future. Raises `DatabaseClosedError` after `close`.
        """
        if self._closed:
            raise DatabaseClosedError("the database is closed: the peer is stopping")
        return asyncio.get_running_loop().run_in_executor(self._thread, self._work, work)

    def _work(self, work: Callable[[Database], T]) -> T:
        if self._database is None:
            self._database = self._opened()
        return work(self._database)

    def _opened(self) -> Database:
        database = self._opener()
        try:
            self._prepare(database)
        except BaseException:
            database.close()
            raise
        return database

    async def close(self) -> None:
        """Close the connection after the operations given before, and end the thread. Idempotent; cancelling does not undo it."""
        if self._closed:
            return
        self._closed = True
        # In the thread too: SQLite's connection belongs to it, and what was given before is done first.
        closing = asyncio.get_running_loop().run_in_executor(self._thread, self._close)
        self._thread.shutdown(wait=False)  # what was given before is still done; the event loop does not wait here
        await asyncio.shield(closing)
        self._thread.shutdown()

    def _close(self) -> None:
        database, self._database = self._database, None
        if database is not None:
            database.close()
