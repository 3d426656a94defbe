"""Something that changes now and then, and whoever waits for it on either of the two loops.

The data of a connection comes on the host loop; what is ours waits there for it, what is the library's in trio.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import trio

Enter = Callable[[Callable[[], object]], object]
"""Calls a plain function that does something to trio's tasks, from either loop (`Guest.touch`)."""


class News:
    """A notification, made once and sent many times."""

    __slots__ = ("_enter", "_futures", "_trio")

    def __init__(self, enter: Enter) -> None:
        self._enter = enter
        self._futures: set[asyncio.Future[bool]] = set()
        self._trio: trio.Event | None = None

    def tell(self) -> None:
        """Whoever waits goes on, in its next turn."""
        for future in self._futures:
            if not future.done():
                future.set_result(True)
        if self._trio is not None:
            told, self._trio = self._trio, None
            self._enter(told.set)

    async def wait(self) -> None:
        """Until it is told again. In trio."""
        if self._trio is None:
            self._trio = trio.Event()
        await self._trio.wait()

    async def come(self, seconds: float) -> bool:
        """Return whether it is told again within so long. In asyncio."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[bool] = loop.create_future()
        # A quarter of what asyncio.timeout costs.
        timer = loop.call_later(seconds, _too_late, future)
        self._futures.add(future)
        try:
            return await future
        finally:
            self._futures.discard(future)
            timer.cancel()


def _too_late(future: asyncio.Future[bool]) -> None:
    if not future.done():
        future.set_result(False)
