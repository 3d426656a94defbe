"""A notification: tasks wait for it, and `notify` wakes all of them. It can be sent many times."""

from __future__ import annotations

import asyncio


class Notification:
    """A notification, made once and sent many times."""

    __slots__ = ("_futures",)

    def __init__(self) -> None:
        self._futures: list[asyncio.Future[bool]] = []
        """Of those who wait; seldom more than one."""

    def notify(self) -> None:
        """Wake all tasks that wait now."""
        if self._futures:
            woken, self._futures = self._futures, []
            for future in woken:
                if not future.done():
                    future.set_result(True)

    async def wait(self, seconds: float | None = None) -> bool:
        """Return whether a notification comes within so many seconds; None: wait for ever."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[bool] = loop.create_future()
        # A quarter of what asyncio.timeout costs.
        timer = None if seconds is None else loop.call_later(seconds, _too_late, future)
        self._futures.append(future)
        try:
            return await future
        finally:
            if future in self._futures:  # in vain
                self._futures.remove(future)
            if timer is not None:
                timer.cancel()


def _too_late(future: asyncio.Future[bool]) -> None:
    if not future.done():
        future.set_result(False)
