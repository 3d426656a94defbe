"""Run a watcher beside a block of code, so that the owner's files go live when they are saved while the peer is open."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager


@asynccontextmanager
async def watching(watch: Callable[[asyncio.Event], Coroutine[object, object, None]]) -> AsyncIterator[None]:
    """Run `watch` while the block runs; at its end set the event that `watch` got, and wait for it to return."""
    stop = asyncio.Event()
    task = asyncio.create_task(watch(stop))
    try:
        yield
    finally:
        stop.set()
        await task
