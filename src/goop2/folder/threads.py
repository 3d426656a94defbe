"""Threads for reading a folder that may hang (a network disk, a dead FUSE mount), so that it blocks only its readers.

The loop's own pool has a few threads for everybody. A folder that hangs would occupy all of them, and the process could not end until they
return. These threads are daemons: nothing waits for one that never returns.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Any, Final, TypeVar

T = TypeVar("T")

SITE_THREADS_MAX: Final = 8
"""Readers of the site at a time; more than two cores have use for."""
SITE_SECONDS: Final = 10.0
"""A disk that has not answered for so long hangs: one that spins up takes less."""
WATCH_THREADS_MAX: Final = 4
"""The watchers of a peer: scripts, schemas, and the site's pages."""

_Job = tuple[asyncio.AbstractEventLoop, "asyncio.Future[Any]", Callable[[], Any], float]
"""Where it is waited for, its future, the work, and when it was asked for (`time.monotonic()`)."""


class FolderHangsError(Exception):
    """The folder did not answer in time; the message says which. `code` is an error class of behaviour.md."""

    code = "unavailable"
    retry_after_seconds = SITE_SECONDS


class FolderThreads:
    """A few threads for one folder.

    :param name: which folder, for messages.
    :param seconds: how long a reader waits; None: for ever.
    """

    def __init__(self, name: str, threads_max: int, seconds: float | None) -> None:
        self._name = name
        self._threads_max = threads_max
        self._seconds = seconds
        self._waiting: deque[_Job] = deque()
        self._changed = threading.Condition()
        self._threads = 0
        self._idle = 0
        self._running: dict[asyncio.Future[Any], float] = {}
        """What the threads do, and when it was asked for, whether anybody still waits for it or not."""

    async def run(self, work: Callable[..., T], *arguments: object) -> T:
        """Return the result of `work`, which runs in a thread. Raises what it raises, and `FolderHangsError`."""
        if self._all_hang():  # so would this one
            raise FolderHangsError(f"{self._name} does not answer")
        loop = asyncio.get_running_loop()
        future: asyncio.Future[T] = loop.create_future()
        job: _Job = (loop, future, lambda: work(*arguments), time.monotonic())
        with self._changed:
            self._waiting.append(job)
            if self._idle >= len(self._waiting):
                self._changed.notify()
            elif self._threads < self._threads_max:
                self._threads += 1
                threading.Thread(target=self._work, name=f"goop2 {self._name}", daemon=True).start()
        try:
            async with asyncio.timeout(self._seconds):
                return await future
        except TimeoutError:
            if not future.cancelled():  # `work` raised it
                raise
            raise FolderHangsError(f"{self._name} does not answer") from None
        finally:
            if future.cancelled():  # its time is over, or whoever asked has gone
                with self._changed, contextlib.suppress(ValueError):
                    self._waiting.remove(job)

    def _all_hang(self) -> bool:
        if self._seconds is None:
            return False
        then = time.monotonic() - self._seconds
        with self._changed:
            return sum(asked <= then for asked in self._running.values()) >= self._threads_max

    def _work(self) -> None:
        while True:
            with self._changed:
                self._idle += 1
                while not self._waiting:
                    self._changed.wait()
                self._idle -= 1
                loop, future, work, asked = self._waiting.popleft()
                self._running[future] = asked
            if not future.cancelled():
                self._do(loop, future, work)
            with self._changed:
                del self._running[future]

    def _do(self, loop: asyncio.AbstractEventLoop, future: asyncio.Future[Any], work: Callable[[], Any]) -> None:
        result, problem = None, None
        try:
            result = work()
        except BaseException as error:
            problem = error

        def tell() -> None:
            if future.cancelled():
                close(result)
            elif problem is not None:
                future.set_exception(problem)
            else:
                future.set_result(result)

        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
            loop.call_soon_threadsafe(tell)


def close(result: object) -> None:
    """Close what a late thread opened, for example an open file of the site."""
    for holder in (result, getattr(result, "file", None), getattr(result, "content", None)):
        closing = getattr(holder, "close", None)
        if callable(closing):
            closing()


SITE: Final = FolderThreads("the folder site/", SITE_THREADS_MAX, SITE_SECONDS)
"""For whatever reads or changes the files of `site/`."""
WATCH: Final = FolderThreads("a watched folder", WATCH_THREADS_MAX, None)
"""For whoever looks at folders again and again."""
