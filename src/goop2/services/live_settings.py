"""The settings a peer works with, and how it takes over new ones while it runs.

It must not know where settings are saved, nor what follows from one: app.py gives the work.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from goop2.config import Settings
from goop2.config.settings import with_live


class LiveSettings:
    """The settings in force, which another save may replace: read them when they are needed, and keep none."""

    def __init__(self, settings: Settings, apply: Callable[[Settings], Awaitable[None]]) -> None:
        """`apply` tells the parts of the peer of new settings; what it raises leaves the old ones in force."""
        self.current = settings
        self._apply = apply
        self._taking = asyncio.Lock()

    async def take(self, wanted: Settings) -> None:
        """Take over those values of `wanted` that need no new start."""
        # One after the other: of two saves the later one must be in force at the end.
        async with self._taking:
            merged = with_live(self.current, wanted)
            if merged == self.current:
                return
            await self._apply(merged)
            self.current = merged
