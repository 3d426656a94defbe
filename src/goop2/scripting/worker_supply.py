"""The worker processes of one pool: started, counted, and started again when the fork server or the machine fails.

It must not know jobs or callers: the pool decides how many workers there should be, and which of them ends.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import structlog

from goop2.sandbox.messages import Setup
from goop2.scripting.fork_server import ForkServerHandle, ForkServerLostError, WorkerStartError
from goop2.scripting.idle_check import has_ended
from goop2.scripting.limits import ENDED_LOOK_SECONDS, EXIT_REPORT_SECONDS, RESPAWN_SECONDS
from goop2.scripting.worker import WorkerEvents, WorkerProcess

log = structlog.get_logger(__name__)


class WorkerSupply:
    """The processes that are alive and those on their way."""

    def __init__(
        self,
        setup: Setup,
        events: WorkerEvents,
        *,
        workers_max: int,
        on_exit: Callable[[int, int], None],
        on_spawn: Callable[[], None],
        on_none: Callable[[], None],
    ) -> None:
        """`on_exit(pid, status)`: a worker was reaped. `on_spawn`: one more is on its way. `on_none`: no worker can be started now."""
        self._events = events
        self._setup = setup
        self._on_exit = on_exit
        self._max = workers_max
        self._on_spawn = on_spawn
        self._on_none = on_none
        self.fork_server = ForkServerHandle(setup, on_exit)
        self._retired: dict[ForkServerHandle, set[WorkerProcess]] = {}
        """Fork servers of settings that were replaced → their workers that are alive; they end with the last one."""
        self.alive: set[WorkerProcess] = set()
        self._spawning: set[asyncio.Task[None]] = set()
        self._connecting = 0
        """Workers that are alive while what starts them is not over, so that they are not counted twice."""
        self._restarting = 0
        """Workers that were awaited when the fork server ended, and wait for the next one."""
        self._short = False
        """Whether the last worker could not be started, which the owner has been told."""
        self._stopped = False
        self._all_gone = asyncio.Event()

    @property
    def count(self) -> int:
        """Return how many workers are alive or on their way."""
        return len(self.alive) + len(self._spawning) - self._connecting

    @property
    def is_spawning(self) -> bool:
        """Return whether a worker is on its way."""
        return bool(self._spawning)

    @property
    def has_room(self) -> bool:
        """Return whether one more worker may be started."""
        return not self._stopped and self.count < self._max

    def spawn(self, after_seconds: float = 0.0) -> None:
        """Start one more worker, which reports to the pool when it is ready; after a pause where the last one died at its birth."""
        task = asyncio.get_running_loop().create_task(self._bring_up(after_seconds))
        self._spawning.add(task)
        task.add_done_callback(self._spawning.discard)
        self._on_spawn()

    def fill(self, wanted: int) -> None:
        """Start workers until there are so many, or as many as there may be."""
        while self.count < wanted and self.has_room:
            self.spawn()

    def renew(self, setup: Setup) -> bool:
        """Start later workers with `setup`, and mark those alive as outdated; return whether it is another setup.

        The fork server before ends with its last worker, since workers end with their fork server. Raises `WorkerStartError`.
        """
        if setup == self._setup:
            return False
        new = ForkServerHandle(setup, self._on_exit)
        new.start()
        self._retired[self.fork_server] = set(self.alive).difference(*self._retired.values())
        self.fork_server, self._setup = new, setup
        for worker in self.alive:
            worker.outdated = True
        self._stop_retired()
        return True

    def _stop_retired(self) -> None:
        for server in [server for server, workers in self._retired.items() if not workers and not server.is_asked]:
            del self._retired[server]
            server.stop()

    def lose(self, worker: WorkerProcess) -> None:
        """Count a worker no more whose process is gone."""
        self.alive.discard(worker)
        for workers in self._retired.values():
            workers.discard(worker)
        self._stop_retired()
        if self._stopped and not self.alive:
            self._all_gone.set()

    async def stop(self) -> None:
        """End every worker and the fork server, and wait until they are gone. Idempotent."""
        self._stopped = True
        pids = [worker.pid for worker in self.alive]
        for worker in list(self.alive):
            worker.kill()
        for server in (self.fork_server, *self._retired):
            server.stop()
        self._retired.clear()
        for task in list(self._spawning):
            task.cancel()
        await asyncio.gather(*self._spawning, return_exceptions=True)
        if self.alive:
            await self._all_gone.wait()
        # A socket closes before the files: until these are closed, their locks keep data.db-wal from being emptied.
        loop = asyncio.get_running_loop()
        end = loop.time() + EXIT_REPORT_SECONDS
        while loop.time() < end and not all(map(has_ended, pids)):  # noqa: ASYNC110 (nothing tells of it any more)
            await asyncio.sleep(ENDED_LOOK_SECONDS)

    async def _bring_up(self, after_seconds: float) -> None:
        if after_seconds:  # no busy loop of births and deaths
            await asyncio.sleep(after_seconds)
        server = self.fork_server
        try:
            sock, pid, pidfd = await server.spawn()
        except ForkServerLostError as error:
            await self._restart_fork_server(error)
            return
        except WorkerStartError as error:
            self._run_short(error)
            if not self._stopped:
                self.spawn(RESPAWN_SECONDS)
            return
        self._short = False
        worker = WorkerProcess(self._events, pid, pidfd)
        self.alive.add(worker)
        if server is not self.fork_server:
            worker.outdated = True
            self._retired.setdefault(server, set()).add(worker)
        task = asyncio.current_task()
        assert task is not None
        self._connecting += 1
        try:
            # Shielded: a worker that never met its socket would never be told lost, and `stop` waits for that.
            await asyncio.shield(asyncio.get_running_loop().create_unix_connection(lambda: worker, sock=sock))
        finally:
            self._connecting -= 1
            self._spawning.discard(task)

    async def _restart_fork_server(self, error: ForkServerLostError) -> None:
        if self._stopped:
            return
        if not self._restarting and not self._short:  # as many come here as workers were awaited; the owner is told once
            log.error("starting the fork server again", cause=str(error))
        self._restarting += 1
        try:
            await asyncio.sleep(RESPAWN_SECONDS)
            if not self._stopped and self.fork_server.pid is None:
                self.fork_server.start()
        except WorkerStartError as error:
            self._run_short(error)
        finally:
            self._restarting -= 1
        if not self._stopped:
            self.spawn()

    def _run_short(self, error: WorkerStartError) -> None:
        """Tell the owner once, and whoever waits for a worker that there is none."""
        if not self._short and not self._stopped:
            log.error("no worker can be started; trying again", cause=str(error), every_seconds=RESPAWN_SECONDS)
        self._short = True
        self._on_none()
