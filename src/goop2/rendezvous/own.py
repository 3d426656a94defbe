"""The rendezvous servers of a peer: one it runs itself, when its settings say so, and one in the wide world."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from typing import Final

import structlog

from goop2.config import Address, Presence
from goop2.rendezvous.opening import open_rendezvous
from goop2.web.doors import DoorError

EVERYWHERE: Final = "0.0.0.0"
HERE: Final = "127.0.0.1"

_log: structlog.typing.FilteringBoundLogger = structlog.get_logger("goop2.p2p")


@contextlib.asynccontextmanager
async def servers_of(settings: Presence) -> AsyncIterator[list[str]]:
    """Their URLs; the own one runs until the block is left. One that cannot be opened is told, and everything else goes on."""
    async with contextlib.AsyncExitStack() as stack:
        own = await _own(stack, settings) if settings.rendezvous_host else ""
        yield [url for url in (own, settings.rendezvous_wan) if url]


async def _own(stack: contextlib.AsyncExitStack, settings: Presence) -> str:
    where = Address(settings.rendezvous_bind, settings.rendezvous_port)
    try:
        url = await stack.enter_async_context(open_rendezvous(where))
    except DoorError:
        remedy = "set presence.rendezvous_port to another one, or presence.rendezvous_host to false"
        _log.warning(f"this peer runs no rendezvous server: {where} is taken or cannot be listened on; {remedy}")
        return ""
    return url.replace(f"//{EVERYWHERE}:", f"//{HERE}:")
