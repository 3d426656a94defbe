"""A watcher runs beside a block of code, and has ended when the block is left."""

from __future__ import annotations

import asyncio

import pytest

from goop2.services.watchers import watching


async def test_a_watcher_runs_while_the_block_does_and_is_waited_for() -> None:
    steps: list[str] = []

    async def watch(stop: asyncio.Event) -> None:
        steps.append("begun")
        await stop.wait()
        steps.append("ended")

    async with watching(watch):
        await asyncio.sleep(0)
        assert steps == ["begun"]
    assert steps == ["begun", "ended"]


async def test_a_block_that_fails_ends_its_watcher_too() -> None:
    ended = asyncio.Event()

    async def watch(stop: asyncio.Event) -> None:
        await stop.wait()
        ended.set()

    with pytest.raises(ZeroDivisionError):
        async with watching(watch):
            raise ZeroDivisionError
    assert ended.is_set()
