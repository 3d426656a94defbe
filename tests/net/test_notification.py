"""A notification: who waits is woken, and nobody else."""

from __future__ import annotations

import asyncio

from goop2.net.notification import Notification


async def test_whoever_waits_is_woken() -> None:
    notification = Notification()
    waiting = [asyncio.create_task(notification.wait(seconds)) for seconds in (20, None)]
    await asyncio.sleep(0)
    notification.notify()
    notification.notify()
    assert await asyncio.gather(*waiting) == [True, True]


async def test_who_comes_later_waits_for_the_next() -> None:
    notification = Notification()
    notification.notify()
    assert await notification.wait(0.05) is False


async def test_who_gives_up_is_forgotten() -> None:
    notification = Notification()
    waiting = asyncio.create_task(notification.wait(20))
    await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    assert await notification.wait(0.01) is False
    assert notification._futures == []
