"""An asyncio loop whose clock jumps: when everybody waits, the next deadline is now. Nothing in its tests takes the time it is about."""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Awaitable, Callable


class _JumpingSelector(selectors.DefaultSelector):
    """Waits for no deadline; tells how long it would have waited."""

    def __init__(self) -> None:
        super().__init__()
        self.jumped = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(0)
        if not ready and timeout is not None and timeout > 0:
            self.jumped += timeout
        elif not ready and timeout is None:
            raise AssertionError("everybody waits, and for no deadline")
        return ready


class JumpingLoop(asyncio.SelectorEventLoop):
    """The loop."""

    def __init__(self) -> None:
        self._jumping = _JumpingSelector()
        super().__init__(self._jumping)

    def time(self) -> float:
        """Seconds since the loop was made, most of them jumped over."""
        return self._jumping.jumped


def run(function: Callable[[], Awaitable[None]]) -> None:
    """On such a loop."""

    async def main() -> None:
        await function()

    with asyncio.Runner(loop_factory=JumpingLoop) as runner:
        runner.run(main())


async def everybody_waits() -> None:
    """Until nothing happens any more without the clock."""
    loop = asyncio.get_running_loop()
    # The shortest jump there is: the loop makes it when nothing else is to be done.
    began = loop.time()
    while loop.time() == began:  # noqa: ASYNC110 (no event tells it)
        await asyncio.sleep(1e-6)
