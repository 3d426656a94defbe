"""What tests of the pool share: calls under way, waiting, and what a process holds."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from pathlib import Path

from tests.scripting.workshop import (
    HELLO,
    invocation_of,
)

from goop2.scripting.invocation import Invocation, Outcome
from goop2.scripting.pool import Pool


async def started(pool: Pool, invocation: Invocation) -> tuple[asyncio.Task[Outcome], int]:
    """The call under way, and the process id of the worker it runs on."""
    task = asyncio.create_task(pool.run(invocation))
    while True:
        for worker, job in pool._running.items():
            if job.work is invocation:
                return task, worker.pid
        await asyncio.sleep(0.005)


async def until(condition: Callable[[], bool], seconds: float = 10.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen in time"
        await asyncio.sleep(0.01)


async def hello(pool: Pool) -> bytes:
    return (await pool.run(invocation_of(HELLO, argument=b"Alice"))).payload


def descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))
