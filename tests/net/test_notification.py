"""News: who waits on either loop hears it, and nobody else is woken."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from goop2.net.news import News


async def test_both_loops_hear_it() -> None:
    news = News(guest.touch)
    here = [asyncio.create_task(news.come(20)) for _ in range(2)]
    there = asyncio.create_task(guest.call(news.wait))
    await asyncio.sleep(0.05)
    assert not there.done()
    news.tell()
    news.tell()
    assert await asyncio.gather(*here) == [True, True]
    await there


async def test_who_comes_later_waits_for_the_next() -> None:
    news = News(guest.touch)
    news.tell()
    assert await news.come(0.05) is False
    late = asyncio.create_task(guest.call(news.wait))
    await asyncio.sleep(0.05)
    assert not late.done()
    news.tell()
    await late


async def test_trio_has_no_turn_for_news_nobody_waits_for_there() -> None:
    entered: list[Callable[[], object]] = []
    news = News(entered.append)
    waiting = asyncio.create_task(news.come(20))
    await asyncio.sleep(0)
    news.tell()
    assert await waiting is True
    assert entered == []


async def test_who_gives_up_is_forgotten() -> None:
    news = News(guest.touch)
    waiting = asyncio.create_task(news.come(20))
    await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    assert await news.come(0.01) is False
    assert news._futures == set()
