"""The concurrency limit of outbound requests: a total, a share for each caller, and a fair queue.

The owner takes no place and never waits here. It must not know what is done in a place.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from goop2.scripting.fair_queue import FairQueue
from goop2.scripting.invocation import Caller
from goop2.services.http_client.errors import OutboundError


@dataclass(eq=False, slots=True)
class _Waiting:
    caller: str
    turn: asyncio.Future[None]


class Slots:
    """`total` places, `share` of them for one caller; `waiting` callers may wait for one."""

    def __init__(self, total: int, share: int, waiting: int) -> None:
        self._total = total
        self._share = share
        self._held: Counter[str] = Counter()
        self._line: FairQueue[_Waiting] = FairQueue(waiting)

    @property
    def held(self) -> int:
        """Return how many places are taken."""
        return self._held.total()

    @asynccontextmanager
    async def place(self, caller: Caller) -> AsyncIterator[None]:
        """Hold a place while the block runs."""
        await self.take(caller)
        try:
            yield
        finally:
            self.give_back(caller)

    async def take(self, caller: Caller) -> None:
        """Wait for a place; it is the caller's until `give_back`. Raises `OutboundError` when too many wait."""
        if caller.owner:
            return
        if self._may_take(caller.tenant):
            self._held[caller.tenant] += 1
        else:
            await self._wait(_Waiting(caller.tenant, asyncio.get_running_loop().create_future()))

    def give_back(self, caller: Caller) -> None:
        """Give the place to the next caller in turn."""
        if not caller.owner:
            self._release(caller.tenant)

    def _may_take(self, caller: str) -> bool:
        return self._held.total() < self._total and self._held[caller] < self._share

    async def _wait(self, waiting: _Waiting) -> None:
        turned_away = self._line.offer(waiting.caller, waiting)
        if turned_away is not None:
            turned_away.turn.set_exception(OutboundError("too many requests are waiting; try again later"))
        try:
            await waiting.turn
        except asyncio.CancelledError:
            if not self._line.remove(waiting) and not waiting.turn.cancelled():
                self._release(waiting.caller)  # its turn came as it gave up
            raise

    def _release(self, caller: str) -> None:
        self._held[caller] -= 1
        if not self._held[caller]:
            del self._held[caller]
        while (next_one := self._line.take(self._may_take)) is not None:
            # Counted for the waiting caller before it wakes up, so that nobody takes its place in between.
            self._held[next_one.caller] += 1
            next_one.turn.set_result(None)
