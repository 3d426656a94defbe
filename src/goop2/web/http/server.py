"""uvicorn on the peer's event loop: one server per listener, started after the listeners are bound, stopped within a second.

It handles no signals (the command line does) and knows nothing of what is served.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable, Generator, Sequence
from email.utils import formatdate
from typing import Final, cast

import uvicorn
from starlette.types import ASGIApp

from goop2.config.ticks import seconds_to_tick
from goop2.web.http.listeners import BACKLOG, BoundListener
from goop2.web.http.proxies import NO_PROXIES, Proxies
from goop2.web.http.timeout_protocol import OpenListenerProtocol, TimeoutProtocol, WakingState, sweep
from goop2.web.http.tls import TlsFiles
from goop2.web.limits import IDLE_SECONDS, STOP_SECONDS, SWEEP_SECONDS

TICKS_PER_DATE: Final = 10
"""After so many ticks uvicorn makes the Date header anew (`Server.on_tick`)."""


class _Server(uvicorn.Server):
    """A uvicorn server that leaves signals alone and closes connections of slow clients."""

    _swept_at = 0.0

    def __init__(self, config: uvicorn.Config, proxies: Proxies) -> None:
        super().__init__(config)
        self.server_state = WakingState(self._wake, proxies)
        self._woken = asyncio.Event()
        self._asleep = False

    def leave(self) -> None:
        """Stop serving at once, without waiting."""
        self.should_exit = True
        self._woken.set()

    async def main_loop(self) -> None:
        """Tick once a second until the server stops; not while nobody is connected."""
        # uvicorn's own loop (0.54, server.py) wakes up ten times a second for work that is due once.
        ticks = 0
        while not await self.on_tick(ticks):
            ticks += TICKS_PER_DATE
            self._woken.clear()
            self._asleep = not self.server_state.connections
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(None if self._asleep else seconds_to_tick(SWEEP_SECONDS)):
                    await self._woken.wait()

    def _wake(self) -> None:
        """Tick again: somebody has connected."""
        if self._asleep:
            self._asleep = False
            self._woken.set()
            # Now, as `on_tick` does it: the first request may be read before the loop has its turn, and its answer says the time.
            date = formatdate(usegmt=True).encode()
            self.server_state.default_headers = [(b"date", date), *self.config.encoded_headers]

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        """Capture no signals: the command line decides when the peer ends."""
        yield

    async def on_tick(self, counter: int) -> bool:
        """Close connections of slow clients, and let uvicorn renew its Date header."""
        now = time.monotonic()
        if now - self._swept_at >= SWEEP_SECONDS:
            self._swept_at = now
            sweep(self.server_state.connections, now)
        return await super().on_tick(counter)


class HttpServers:
    """One server for each listener; more can be added while they run.

    :param protocol: of every connection; None: `TimeoutProtocol` on loopback, `OpenListenerProtocol` elsewhere.
    :param proxies: are believed about the address of a client.
    :param tls: the certificate of every server; None: plain HTTP.
    """

    def __init__(self, protocol: type[TimeoutProtocol] | None = None, proxies: Proxies = NO_PROXIES, tls: TlsFiles | None = None) -> None:
        self._protocol = protocol
        self._proxies = proxies
        self._tls = tls
        self._running: list[tuple[_Server, asyncio.Task[None]]] = []

    async def add(self, bound: BoundListener, app: ASGIApp) -> None:
        """Serve `app` behind `bound`, whose sockets are closed at the end."""
        protocol = self._protocol or (OpenListenerProtocol if bound.listener.opened else TimeoutProtocol)
        server = _Server(_config(app, protocol, self._tls), self._proxies)
        task = asyncio.create_task(server.serve(list(bound.sockets)))
        self._running.append((server, task))
        # uvicorn has no event for it (0.54): it starts within two turns of the loop, or its task fails.
        while not server.started:
            if task.done():
                task.result()
            await asyncio.sleep(0)

    async def stop(self) -> None:
        """Stop all servers; requests that are being answered have STOP_SECONDS to finish."""
        for server, _ in self._running:
            server.leave()
        await asyncio.gather(*(_stop(server, task) for server, task in self._running))


@contextlib.asynccontextmanager
async def serve(
    servers: HttpServers, listeners: Sequence[tuple[BoundListener, ASGIApp]], stopping: Callable[[], None]
) -> AsyncIterator[None]:
    """Serve the application of each listener until the block is left, then call `stopping`, which ends streams, and stop `servers`."""
    try:
        for bound, app in listeners:
            await servers.add(bound, app)
        yield
    finally:
        stopping()
        await servers.stop()


async def _stop(server: _Server, task: asyncio.Task[None]) -> None:
    """Stop a server by uvicorn's own way; after STOP_SECONDS end its connections and tasks."""
    done, _ = await asyncio.wait({task}, timeout=STOP_SECONDS)
    if not done:
        for connection in list(server.server_state.connections):
            if connection.transport is not None:
                connection.transport.abort()
        for answering in list(server.server_state.tasks):
            answering.cancel()
        server.force_exit = True
    await task


def _config(app: ASGIApp, protocol: type[TimeoutProtocol], tls: TlsFiles | None) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        http=cast(type[TimeoutProtocol], tls.before(protocol)) if tls is not None else protocol,
        ws="none",
        lifespan="off",
        loop="none",
        log_config=None,
        log_level="critical",
        access_log=False,
        proxy_headers=False,
        server_header=False,
        backlog=BACKLOG,
        timeout_keep_alive=IDLE_SECONDS,
    )
