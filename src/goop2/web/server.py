"""uvicorn on the peer's own loop: one server a door, started when the doors are bound, stopped within a second.

It handles no signals (the command line does), and knows nothing of what is served.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable, Generator, Sequence

import uvicorn
from starlette.types import ASGIApp

from goop2.web.doors import BACKLOG, BoundDoor
from goop2.web.limits import IDLE_SECONDS, STOP_SECONDS, SWEEP_SECONDS
from goop2.web.protocol import PatientProtocol, StrangersProtocol, sweep


class _Server(uvicorn.Server):
    """A uvicorn server that leaves signals alone and lets go of slow clients."""

    _swept_at = 0.0

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        """None: whoever runs the peer decides when it ends."""
        yield

    async def on_tick(self, counter: int) -> bool:
        """Ten times a second."""
        now = time.monotonic()
        if now - self._swept_at >= SWEEP_SECONDS:
            self._swept_at = now
            sweep(self.server_state.connections, now)
        return await super().on_tick(counter)


@contextlib.asynccontextmanager
async def serve(doors: Sequence[tuple[BoundDoor, ASGIApp]], stopping: Callable[[], None]) -> AsyncIterator[None]:
    """Serve each door's application; at the end call `stopping`, which ends streams, and let the rest finish."""
    servers = [_Server(_config(app, bound.door.opened)) for bound, app in doors]
    tasks = [asyncio.create_task(server.serve(list(bound.sockets))) for server, (bound, _) in zip(servers, doors, strict=True)]
    try:
        while not all(server.started for server in servers):
            for task in tasks:
                if task.done():
                    task.result()
            await asyncio.sleep(0)
        yield
    finally:
        stopping()
        for server in servers:
            server.should_exit = True
        await asyncio.gather(*(_ended(server, task) for server, task in zip(servers, tasks, strict=True)))


async def _ended(server: _Server, task: asyncio.Task[None]) -> None:
    """Its own way of stopping, and after STOP_SECONDS ours."""
    done, _ = await asyncio.wait({task}, timeout=STOP_SECONDS)
    if not done:
        for connection in list(server.server_state.connections):
            if connection.transport is not None:
                connection.transport.abort()
        for answering in list(server.server_state.tasks):
            answering.cancel()
        server.force_exit = True
    await task


def _config(app: ASGIApp, opened: bool) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        http=StrangersProtocol if opened else PatientProtocol,
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
