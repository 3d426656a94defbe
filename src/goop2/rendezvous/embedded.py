"""The rendezvous servers that a peer uses: its own, when its settings ask for one, and one on the internet."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from typing import Final

import structlog

from goop2.config import Address, PresenceSettings
from goop2.web.http.listeners import ListenerError
from goop2.web.http.proxies import Proxies

FROM_HERE: Final = {"//0.0.0.0:": "//127.0.0.1:", "//[::]:": "//[::1]:"}
"""Every address of this machine, as it stands in a URL → how this peer asks its own server there."""
TRY_AGAIN_SECONDS: Final = 30.0
"""Where the own server could not be opened."""

_log: structlog.typing.FilteringBoundLogger = structlog.get_logger("goop2.net")


@contextlib.asynccontextmanager
async def open_servers(settings: PresenceSettings, proxies: Sequence[str] = ()) -> AsyncIterator[list[str]]:
    """Open the own server, if the settings ask for one, until the block is left; yield the URLs of all servers.

    A server that cannot be opened is logged and tried again; everything else goes on. `proxies` are believed (web/http/proxies.py).
    """
    async with contextlib.AsyncExitStack() as stack:
        own = await _own(stack, settings, Proxies(proxies)) if settings.rendezvous_host else ""
        yield [url for url in (own, settings.rendezvous_wan) if url]


async def _own(stack: contextlib.AsyncExitStack, settings: PresenceSettings, proxies: Proxies) -> str:
    # Here, because few peers have a server of their own.
    from goop2.rendezvous.server import open_rendezvous

    where = Address(settings.rendezvous_bind, settings.rendezvous_port)
    try:
        url = await stack.enter_async_context(open_rendezvous(where, proxies=proxies))
    except ListenerError:
        remedy = "set presence.rendezvous_port to another one, or presence.rendezvous_host to false; it is tried again"
        _log.warning(f"this peer runs no rendezvous server: {where} is taken or cannot be listened on; {remedy}")
        stack.push_async_callback(_ended, asyncio.create_task(_open_later(where, proxies)))
        # Whoever has the port may be another peer's server, and it will be ours: it is asked as any server that is away.
        url = f"http://{where}" if where.port else ""
    for everywhere, here in FROM_HERE.items():
        url = url.replace(everywhere, here)
    return url


async def _open_later(where: Address, proxies: Proxies) -> None:
    """Open the server when that is possible, and serve until cancelled."""
    from goop2.rendezvous.server import open_rendezvous

    while True:
        await asyncio.sleep(TRY_AGAIN_SECONDS)
        with contextlib.suppress(ListenerError):
            async with open_rendezvous(where, proxies=proxies) as url:
                _log.warning(f"the rendezvous server of this peer is up at {url}")
                await asyncio.Event().wait()


async def _ended(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
