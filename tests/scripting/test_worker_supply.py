"""How many workers there are, with a real fork server: when one comes, when one goes, and what happens when none can be started."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import time
from unittest.mock import Mock

import pytest
from structlog.testing import capture_logs
from tests.scripting.pool_helpers import descriptors, hello, started, until
from tests.scripting.workshop import (
    HELLO,
    LOOP,
    OWNER,
    invocation_of,
    is_alive,
    no_descriptors_left,
    open_pool,
    setup_of,
    stranger,
    take_descriptors,
)

from goop2.sandbox.framing import frame
from goop2.sandbox.messages import Ready
from goop2.scripting.invocation import ErrorCode
from goop2.scripting.limits import (
    COMPUTING_WORKERS_PER_CORE,
    WARM_WORKERS,
    InvocationLimits,
)
from goop2.scripting.outcomes import NO_WORKER, STOPPED, WORKER_LOST
from goop2.scripting.worker import WorkerProcess
from goop2.scripting.worker_supply import WorkerSupply

COMPUTING = "function handle() local t = os.clock() while os.clock() < t + 0.6 do end return 'done' end"
BUSY = "function handle() local t = os.clock() while os.clock() < t + 0.3 do end return 'done' end"


async def test_an_idle_worker_killed_from_outside_is_replaced_and_no_call_notices() -> None:
    async with open_pool() as pool:
        for pid in pool.worker_pids:
            os.kill(pid, signal.SIGKILL)
        await asyncio.sleep(0.1)  # the ends are heard, and others come up
        assert await hello(pool) == b"Hello, Alice!"


async def test_a_worker_that_is_ready_before_its_start_is_over_is_counted_once(monkeypatch: pytest.MonkeyPatch) -> None:
    counted: list[int] = []

    events = Mock()
    events.worker_ready = lambda _worker: counted.append(supply.count)
    events.worker_lost = lambda worker: supply.lose(worker)
    supply: WorkerSupply = WorkerSupply(
        setup_of(),
        events,
        workers_max=2,
        on_exit=lambda _pid, _status: None,
        on_spawn=lambda: None,
        on_none=lambda: None,
    )
    ours, theirs = socket.socketpair()
    with theirs, subprocess.Popen(["sleep", "60"]) as child:  # noqa: ASYNC220 - it only has to be there
        theirs.sendall(frame(Ready({})))

        async def spawn() -> tuple[socket.socket, int, int]:
            return ours, child.pid, os.pidfd_open(child.pid)

        monkeypatch.setattr(supply.fork_server, "spawn", spawn)
        supply.spawn()
        await until(lambda: bool(counted))
        await supply.stop()
    assert counted == [1], "else the second one that is wanted does not come"


async def test_when_the_fork_server_dies_its_workers_die_calls_fail_and_everything_comes_back_by_itself() -> None:
    async with open_pool() as pool:
        task, _ = await started(pool, invocation_of(LOOP))
        workers, fork_server = pool.worker_pids, pool.fork_server_pid
        assert fork_server is not None
        os.kill(fork_server, signal.SIGKILL)
        assert await task == WORKER_LOST
        await until(lambda: not any(map(is_alive, workers)))
        await until(lambda: pool.fork_server_pid not in (None, fork_server))
        assert await hello(pool) == b"Hello, Alice!"


async def test_a_line_that_moves_gets_no_more_workers_than_there_are_processors_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("goop2.scripting.pool.cores", lambda: 1)
    monkeypatch.setattr("goop2.scripting.pool.GROW_AFTER_SECONDS", 0.5)  # so long nothing stands, however busy the machine
    async with open_pool(InvocationLimits(workers=8)) as pool:
        end = time.monotonic() + 1.2  # two looks whether to grow

        async def keep_calling() -> None:
            while time.monotonic() < end:
                await hello(pool)

        await asyncio.gather(*(keep_calling() for _ in range(6)))
        assert len(pool.worker_pids) == COMPUTING_WORKERS_PER_CORE
        standing = [asyncio.create_task(pool.run(invocation_of(LOOP, stranger(n), seconds=30.0))) for n in range(4)]
        await until(lambda: len(pool.worker_pids) > COMPUTING_WORKERS_PER_CORE)
        for call in standing:
            call.cancel()


async def test_one_worker_stands_ready_until_somebody_calls_and_then_two() -> None:
    async with open_pool(InvocationLimits(workers=8)) as pool:
        assert await pool.compile("hello", HELLO.encode()) == ""
        assert len(pool.worker_pids) == 1
        assert await hello(pool) == b"Hello, Alice!"
        await until(lambda: len(pool._idle) == WARM_WORKERS)


async def test_workers_beyond_the_warm_ones_end_after_a_while_without_need(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("goop2.scripting.pool.IDLE_WORKER_SECONDS", 0.1)
    async with open_pool(InvocationLimits(workers=6)) as pool:
        await asyncio.gather(*(pool.run(invocation_of(LOOP, stranger(n), seconds=0.6)) for n in range(4)))
        await until(lambda: len(pool.worker_pids) == WARM_WORKERS)
        await asyncio.sleep(0.3)  # three times what an idle worker is kept for
        assert len(pool.worker_pids) == WARM_WORKERS
        assert await hello(pool) == b"Hello, Alice!"


async def test_stop_ends_every_process_and_every_call() -> None:
    async with open_pool() as pool:
        running, _ = await started(pool, invocation_of(LOOP))
        pids = [*pool.worker_pids, pool.fork_server_pid]
        await pool.stop()
        assert await running == STOPPED
        await until(lambda: not [pid for pid in pids if pid is not None and is_alive(pid)])
        assert await pool.run(invocation_of(HELLO)) == STOPPED
        await pool.stop()


async def test_stop_while_workers_come_up_is_quick_and_leaves_nothing() -> None:
    before = descriptors()
    for pause in (0.0, 0.005, 0.01, 0.02):
        async with open_pool(InvocationLimits(workers=8)) as pool:
            calls = [asyncio.create_task(pool.run(invocation_of(LOOP, OWNER))) for _ in range(8)]
            await asyncio.sleep(pause)  # the moment is what is tried
            await asyncio.wait_for(pool.stop(), 2)
            assert {outcome.code for outcome in await asyncio.gather(*calls)} == {ErrorCode.UNAVAILABLE}
    await until(lambda: descriptors() <= before)


@pytest.mark.parametrize("ended", ["the worker", "the fork server"])
async def test_without_descriptors_calls_are_told_so_at_once_and_a_worker_comes_when_there_are_some(
    ended: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with open_pool(InvocationLimits(workers=1)) as pool:
        fork_server, worker = pool.fork_server_pid, pool.worker_pids[0]
        assert fork_server is not None
        with no_descriptors_left() as taken, capture_logs() as lines, monkeypatch.context() as patch:
            lost = pool.worker_lost

            def lost_and_none_won(gone: WorkerProcess) -> None:
                take_descriptors(taken)
                lost(gone)

            patch.setattr(pool, "worker_lost", lost_and_none_won)
            os.kill(worker if ended == "the worker" else fork_server, signal.SIGKILL)
            await until(lambda: worker not in pool.worker_pids)
            for _ in range(3):
                begun = time.monotonic()
                assert await pool.run(invocation_of(HELLO, stranger(1))) == NO_WORKER
                assert time.monotonic() - begun < 2
            said = [line for line in lines if line["event"].startswith("no worker can be started")]
            assert len(said) == 1
            assert "Too many open files" in said[0]["cause"]
        assert await hello(pool) == b"Hello, Alice!"
        assert (pool.fork_server_pid == fork_server) is (ended == "the worker")


async def test_a_fork_server_that_ends_is_said_once_however_many_workers_were_awaited() -> None:
    async with open_pool() as pool:
        fork_server = pool._supply.fork_server.pid
        assert fork_server is not None
        os.kill(fork_server, signal.SIGSTOP)  # so that all are awaited when it ends
        for _ in range(4):
            pool._supply.spawn()
        await until(lambda: len(pool._supply.fork_server._pending) >= 4)
        with capture_logs() as lines:
            os.kill(fork_server, signal.SIGKILL)
            await until(lambda: pool._supply.fork_server.pid not in (None, fork_server))
            assert await hello(pool) == b"Hello, Alice!"
        assert [line["event"] for line in lines if line["event"].startswith("starting")] == ["starting the fork server again"]
