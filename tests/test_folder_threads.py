"""A folder that hangs stops its readers, and nothing else: tests/web/test_pages.py and tests/scripting/test_watch.py meet it in whole."""

from __future__ import annotations

import asyncio
import threading
import time

import pytest

from goop2.folder_threads import FolderHangsError, FolderThreads


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


async def test_a_folder_that_hangs_is_said_at_once_when_all_threads_hang_and_works_again() -> None:
    threads, hang = FolderThreads("it", 2, 0.05), threading.Event()
    answers = await asyncio.gather(*(threads.run(hang.wait) for _ in range(2)), return_exceptions=True)
    assert [type(answer) for answer in answers] == [FolderHangsError] * 2
    began = time.monotonic()
    with pytest.raises(FolderHangsError, match="it does not answer"):
        await threads.run(int)
    assert time.monotonic() - began < 0.04
    hang.set()
    for _ in range(100):
        try:
            assert await threads.run(int) == 0
            return
        except FolderHangsError:
            await asyncio.sleep(0.01)
    raise AssertionError("it never worked again")


async def test_readers_who_go_before_the_time_is_over_leave_nothing_waiting_and_count_as_hanging_when_it_is() -> None:
    threads, hang = FolderThreads("it", 2, 0.3), threading.Event()
    gone = [asyncio.create_task(threads.run(hang.wait)) for _ in range(20)]
    await asyncio.sleep(0.05)
    for task in gone:
        task.cancel()
    await asyncio.gather(*gone, return_exceptions=True)
    assert not threads._waiting
    await asyncio.sleep(0.3)
    began = time.monotonic()
    with pytest.raises(FolderHangsError, match="it does not answer"):
        await threads.run(int)
    assert time.monotonic() - began < 0.2
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
