"""The handle on the fork_server: workers when asked, one clear error when it is gone, no descriptor left behind."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import psutil
import pytest
from tests.scripting.workshop import is_alive, no_descriptors_left, setup_of

from goop2.scripting.fork_server import ForkServerHandle, ForkServerLostError, WorkerStartError

Exits = list[tuple[int, int]]


@pytest.fixture
async def exits() -> Exits:
    return []


@pytest.fixture
async def fork_server(exits: Exits) -> AsyncIterator[ForkServerHandle]:
    fork_server = ForkServerHandle(setup_of(), lambda pid, status: exits.append((pid, status)))
    fork_server.start()
    yield fork_server
    fork_server.stop()


def descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


async def gone(pid: int) -> None:
    for _ in range(200):
        if not is_alive(pid):
            return
        await asyncio.sleep(0.01)
    raise AssertionError(f"{pid} is alive")


async def test_a_worker_comes_with_its_socket_and_a_handle_and_its_end_is_heard(fork_server: ForkServerHandle, exits: Exits) -> None:
    sock, pid, pidfd = await fork_server.spawn()
    assert is_alive(pid)
    signal.pidfd_send_signal(pidfd, signal.SIGKILL)
    await gone(pid)
    await asyncio.sleep(0.05)  # the fork server tells of an end a moment later
    assert exits == [(pid, -signal.SIGKILL)]
    sock.close()
    os.close(pidfd)


async def test_a_worker_ends_when_the_peer_closes_its_socket(fork_server: ForkServerHandle, exits: Exits) -> None:
    sock, pid, pidfd = await fork_server.spawn()
    sock.close()
    await gone(pid)
    os.close(pidfd)
    await asyncio.sleep(0.05)  # the fork server tells of an end a moment later
    assert [ended for ended, _ in exits] == [pid]


async def test_who_waits_for_a_worker_when_the_fork_server_dies_is_told(fork_server: ForkServerHandle) -> None:
    waiting = asyncio.create_task(fork_server.spawn())
    await asyncio.sleep(0)
    assert fork_server.pid is not None
    os.kill(fork_server.pid, signal.SIGKILL)
    with pytest.raises(ForkServerLostError):
        await asyncio.wait_for(waiting, 2)
    assert fork_server.pid is None


async def test_after_the_stop_there_are_no_workers_and_stop_may_be_called_again(fork_server: ForkServerHandle) -> None:
    sock, pid, pidfd = await fork_server.spawn()
    fork_server.stop()
    fork_server.stop()
    await gone(pid)
    with pytest.raises(ForkServerLostError):
        await fork_server.spawn()
    sock.close()
    os.close(pidfd)


async def test_a_spawn_that_is_cancelled_at_any_moment_leaves_no_descriptor_and_no_worker(fork_server: ForkServerHandle) -> None:
    sock, pid, pidfd = await fork_server.spawn()
    before = descriptors()
    for turn in range(30):
        task = asyncio.create_task(fork_server.spawn())
        await asyncio.sleep(turn * 0.0001)  # the moment is what is tried
        task.cancel()
        try:
            late, _, late_pidfd = await task
        except asyncio.CancelledError:
            continue
        late.close()
        os.close(late_pidfd)
    process = psutil.Process(fork_server.pid)
    for _ in range(2000):  # workers are nice: on a busy machine they take their time to be born, and to end
        if len(process.children()) == 1 and descriptors() == before:
            break
        await asyncio.sleep(0.01)
    assert ([child.pid for child in process.children()], descriptors()) == ([pid], before)
    sock.close()
    os.close(pidfd)


async def test_without_descriptors_a_spawn_is_refused_and_the_fork_server_lives_on(fork_server: ForkServerHandle) -> None:
    before = descriptors()
    with no_descriptors_left(), pytest.raises(WorkerStartError, match="Too many open files"):
        await fork_server.spawn()
    with no_descriptors_left() as taken:  # the last is gone while the answer is on its way
        os.close(taken.pop())
        os.close(taken.pop())
        waiting = asyncio.create_task(fork_server.spawn())
        await asyncio.sleep(0)
        taken.append(os.dup(1))
        with pytest.raises(WorkerStartError, match="Too many open files"):
            await asyncio.wait_for(waiting, 5)
    assert descriptors() == before
    sock, _, pidfd = await fork_server.spawn()
    sock.close()
    os.close(pidfd)


async def test_without_descriptors_a_start_is_refused_and_may_be_tried_again() -> None:
    fork_server = ForkServerHandle(setup_of(), lambda _pid, _status: None)
    before = descriptors()
    for free in (0, 2):  # not even the socket; no pipe to the new process
        with no_descriptors_left() as taken:
            for _ in range(free):
                os.close(taken.pop())
            with pytest.raises(WorkerStartError, match="Too many open files"):
                fork_server.start()
        assert (fork_server.pid, descriptors()) == (None, before)
    fork_server.start()
    fork_server.stop()
