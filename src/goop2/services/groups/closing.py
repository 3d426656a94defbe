"""Call `on_group_close` of data functions for ended groups, one after the other, with the limits and the log of every run."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Final

import structlog

from goop2.scripting.engine import Engine
from goop2.scripting.invocation import Caller
from goop2.services.groups.records import GroupChange
from goop2.services.groups.state import GroupState

WAITING_MAX: Final = 64
"""As many as there may be groups here; a script that opens and ends groups in its own event is not told of more."""
PAUSE_SECONDS: Final = 0.5
"""Between two events, so that such a script cannot keep a worker busy."""
_log: structlog.typing.FilteringBoundLogger = structlog.get_logger("goop2.groups")


@contextlib.asynccontextmanager
async def telling_scripts(groups: GroupState, engine: Engine, owner: Caller) -> AsyncIterator[None]:
    """Tell the scripts of `engine`, as `owner`, of each group that ends, until the block is left."""
    waiting: asyncio.Queue[str] = asyncio.Queue(WAITING_MAX)

    def take(change: GroupChange) -> None:
        if change.what == "ended":
            try:
                waiting.put_nowait(change.group.id)
            except asyncio.QueueFull:
                _log.warning("scripts are not told of an ended group: too many have ended", group=change.group.id)

    async def tell() -> None:
        while True:
            await engine.group_closed(owner, await waiting.get())
            await asyncio.sleep(PAUSE_SECONDS)

    unsubscribe = groups.subscribe(take)
    telling = asyncio.create_task(tell())
    try:
        yield
    finally:
        unsubscribe()
        telling.cancel()
        await asyncio.gather(telling, return_exceptions=True)
