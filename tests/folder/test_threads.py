"""A folder that hangs stops its readers, and nothing else: see also tests/web/http/test_files.py and tests/scripting/test_watch.py."""

from __future__ import annotations

import asyncio
import threading
import time
from types import SimpleNamespace

import pytest
from tests.clock import Clock

from goop2.folder import threads
from goop2.folder.threads import FolderHangsError, FolderThreads

HOUR_SECONDS = 3600.0
PATIENCE_SECONDS = 20.0


async def test_what_is_done_in_a_thread_comes_back_or_raises() -> None:
    threads = FolderThreads("it", 2, 5.0)
    assert await threads.run(lambda a, b: a + b, 1, 2) == 3
    with pytest.raises(ZeroDivisionError):
        await threads.run(lambda: 1 / 0)
    with pytest.raises(TimeoutError, match="of the work"):
        await threads.run(_raise_timeout)
    assert await asyncio.gather(*(threads.run(time.sleep, 0.001) for _ in range(50))) == [None] * 50


def _raise_timeout() -> None:
    raise TimeoutError("of the work")


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """The clock by which threads hang."""
    clock = Clock()
    monkeypatch.setattr(threads, "time", SimpleNamespace(monotonic=clock))
    return clock


async def started(threads: FolderThreads, count: int) -> None:
    """Wait until so many threads are at work."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while len(threads._running) < count:  # noqa: ASYNC110 - threads do not tell
            await asyncio.sleep(0.001)


async def test_a_folder_that_hangs_is_said_to_its_readers() -> None:
    threads, hang = FolderThreads("it", 2, 0.05), threading.Event()
    answers = await asyncio.gather(*(threads.run(hang.wait) for _ in range(2)), return_exceptions=True)
    assert [type(answer) for answer in answers] == [FolderHangsError] * 2
    hang.set()


async def test_a_folder_that_hangs_is_said_at_once_when_all_threads_hang_and_works_again(clock: Clock) -> None:
    threads, hang = FolderThreads("it", 2, HOUR_SECONDS), threading.Event()
    readers = [asyncio.create_task(threads.run(hang.wait)) for _ in range(2)]
    await started(threads, 2)
    clock.now += HOUR_SECONDS
    async with asyncio.timeout(PATIENCE_SECONDS):  # who waited would wait for an hour
        with pytest.raises(FolderHangsError, match="it does not answer"):
            await threads.run(int)
    hang.set()
    assert await asyncio.gather(*readers) == [True, True]
    for _ in range(100):
        try:
            assert await threads.run(int) == 0
            return
        except FolderHangsError:
            await asyncio.sleep(0.01)
    raise AssertionError("it never worked again")


async def test_readers_who_go_before_the_time_is_over_leave_nothing_waiting_and_count_as_hanging_when_it_is(
    clock: Clock,
) -> None:
    threads, hang = FolderThreads("it", 2, HOUR_SECONDS), threading.Event()
    gone = [asyncio.create_task(threads.run(hang.wait)) for _ in range(20)]
    await started(threads, 2)
    for task in gone:
        task.cancel()
    await asyncio.gather(*gone, return_exceptions=True)
    assert not threads._waiting
    clock.now += HOUR_SECONDS
    async with asyncio.timeout(PATIENCE_SECONDS):
        with pytest.raises(FolderHangsError, match="it does not answer"):
            await threads.run(int)
    hang.set()


async def test_a_file_that_is_opened_too_late_is_closed() -> None:
    closed, hang = threading.Event(), threading.Event()

    class Opened:
        def close(self) -> None:
            closed.set()

    def late() -> Opened:
        hang.wait()
        return Opened()

    with pytest.raises(FolderHangsError):
        await FolderThreads("it", 1, 0.01).run(late)
    hang.set()
    for _ in range(100):
        await asyncio.sleep(0.01)
        if closed.is_set():
            return
    raise AssertionError("it stays open")
