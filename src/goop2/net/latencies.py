"""How long a message takes to each connected peer and back, measured by ping when somebody wants to see it.

Nothing is measured for nobody: pings of an idle peer would be most of what it does.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable

import structlog

from goop2.net.connection import Connection
from goop2.net.dialling import FAULTS
from goop2.net.host import Host
from goop2.net.limits import LATENCY_FRESH_SECONDS, PINGS_AT_ONCE, PROBE_SECONDS
from goop2.net.ping import ping

_log: structlog.typing.FilteringBoundLogger = structlog.get_logger("goop2.net")


class Latencies:
    """Measures the connections of a host; made by `open_latencies`. The result is `Connection.latency_seconds`."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self._task: asyncio.Task[None] | None = None
        self._next_at = 0.0
        """On the loop's clock: earlier nothing is measured again."""
        self._callbacks: list[Callable[[], object]] = []

    def measure(self) -> asyncio.Task[None] | None:
        """Begin to ping every connected peer; return the task, or None where the last measurement is young enough.

        A measurement that is under way is returned and not begun again.
        """
        loop = asyncio.get_running_loop()
        if self._task is None and loop.time() >= self._next_at:
            self._task = loop.create_task(self._measure())
            self._task.add_done_callback(self._measured)
        return self._task

    def watch(self, changed: Callable[[], object]) -> Callable[[], None]:
        """Call `changed` after each measurement. Returns what ends it."""
        self._callbacks.append(changed)
        return lambda: self._callbacks.remove(changed)

    async def close(self) -> None:
        """End a measurement that is under way."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _measure(self) -> None:
        places = asyncio.Semaphore(PINGS_AT_ONCE)

        async def measure(connection: Connection) -> None:
            async with places:
                try:
                    async with asyncio.timeout(PROBE_SECONDS):
                        connection.latency_seconds = await ping(self._host, connection)
                except FAULTS as error:
                    connection.latency_seconds = None
                    _log.debug("a ping was not answered", peer=connection.peer, why=str(error) or type(error).__name__)

        await asyncio.gather(*map(measure, self._host.connections()))

    def _measured(self, task: asyncio.Task[None]) -> None:
        self._task = None
        self._next_at = asyncio.get_running_loop().time() + LATENCY_FRESH_SECONDS
        if not task.cancelled():
            for changed in tuple(self._callbacks):
                changed()


@contextlib.asynccontextmanager
async def open_latencies(host: Host) -> AsyncIterator[Latencies]:
    """Measure the connections of a host on request until the block is left."""
    latencies = Latencies(host)
    try:
        yield latencies
    finally:
        await latencies.close()
