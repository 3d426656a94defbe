"""The peer's handle on a worker, against a fake worker at the other end of a socket: whoever speaks garbage is ended."""

from __future__ import annotations

import asyncio
import os
import resource
import socket
import struct
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest
from tests.started import Started

from goop2.sandbox.framing import WorkerProtocolError, frame
from goop2.sandbox.messages import Compiled, DataAnswer, Done, HostCall, Log, Ready
from goop2.scripting.limits import CPU_LEAST_SECONDS, CPU_SPARE_SECONDS
from goop2.scripting.worker import VERSIONS_REMEMBERED, WorkerProcess

READY = frame(Ready({}))


class Events:
    """Notes what a worker tells."""

    def __init__(self) -> None:
        self.heard: list[object] = []
        self.broken: list[str] = []
        self.lost = asyncio.Event()

    def worker_ready(self, worker: WorkerProcess) -> None:
        self.heard.append("ready")

    def worker_done(self, worker: WorkerProcess, message: Done | Compiled) -> None:
        if isinstance(message, Done) and message.code == "nonsense":
            raise WorkerProtocolError("unknown error class")
        self.heard.append(message)

    def worker_log(self, worker: WorkerProcess, message: Log) -> None:
        self.heard.append(message)

    def worker_call(self, worker: WorkerProcess, message: HostCall) -> None:
        self.heard.append(message)

    def worker_data(self, worker: WorkerProcess, message: DataAnswer) -> None:
        self.heard.append(message)

    def worker_broke_protocol(self, worker: WorkerProcess, reason: str) -> None:
        self.broken.append(reason)

    def worker_lost(self, worker: WorkerProcess) -> None:
        self.lost.set()


@asynccontextmanager
async def fake_worker() -> AsyncIterator[tuple[Events, WorkerProcess, socket.socket, Callable[[], bool]]]:
    """Our end, its process (a sleeping one) and the other end of its socket."""
    with Started([sys.executable, "-c", "import time; time.sleep(60)"]) as process:
        ours, theirs = socket.socketpair()
        theirs.setblocking(False)
        events = Events()
        worker = WorkerProcess(events, process.pid, os.pidfd_open(process.pid))
        await asyncio.get_running_loop().create_unix_connection(lambda: worker, sock=ours)
        try:
            yield events, worker, theirs, lambda: process.poll() is None
        finally:
            worker.kill()
            await asyncio.wait_for(events.lost.wait(), 2)
            theirs.close()
            process.kill()


async def test_messages_are_handed_on_in_order() -> None:
    async with fake_worker() as (events, _, theirs, alive):
        theirs.send(READY + frame(Log("info", "x")) + frame(Done("ok", b"y", 5)))
        await asyncio.sleep(0.05)  # until they are read
        assert events.heard == ["ready", Log("info", "x"), Done("ok", b"y", 5)]
        assert alive()


GARBAGE = {
    "no message at all": READY + struct.pack("<I", 3) + b"abc",
    "a frame larger than any": READY + b"\xff\xff\xff\xff",
    "a message before it is ready": frame(Done("ok", b"", 0)),
    "ready a second time": READY + READY,
    "an outcome nobody knows": READY + frame(Done("nonsense", b"", 0)),
    "lists within lists without end": READY + struct.pack("<I", 200_002) + b"\x92\x06" + b"\x91" * 200_000,
    "a message with lists without end behind it": READY + struct.pack("<I", 200_005) + b"\x94\x06\xa4info\xa1x"[:5] + b"\x91" * 200_000,
}


@pytest.mark.parametrize("what", GARBAGE)
async def test_a_worker_that_speaks_garbage_is_ended(what: str) -> None:
    async with fake_worker() as (events, _, theirs, alive):
        theirs.send(GARBAGE[what])
        await asyncio.wait_for(events.lost.wait(), 1)
        await asyncio.sleep(0.05)  # the system ends a process a moment after the signal
        assert not alive()
        assert len(events.broken) == 1


async def test_a_worker_that_closes_its_socket_and_goes_on_is_ended() -> None:
    async with fake_worker() as (events, _, theirs, alive):
        theirs.close()
        await asyncio.wait_for(events.lost.wait(), 1)
        await asyncio.sleep(0.05)  # the system ends a process a moment after the signal
        assert not alive()


async def test_kill_may_be_called_again_and_after_the_end() -> None:
    async with fake_worker() as (events, worker, _, alive):
        worker.kill()
        worker.kill()
        await asyncio.wait_for(events.lost.wait(), 1)
        worker.kill()
        await asyncio.sleep(0.05)  # the system ends a process a moment after the signal
        assert not alive()


async def test_it_remembers_which_versions_were_sent_and_starts_over_when_there_are_many() -> None:
    async with fake_worker() as (_, worker, _, _):
        assert not worker.knows(b"a")
        assert worker.knows(b"a")
        worker.forget(b"a")
        assert not worker.knows(b"a")
        for n in range(VERSIONS_REMEMBERED):
            worker.knows(str(n).encode())
        assert not worker.knows(b"a")


def cpu_limit(worker: WorkerProcess) -> int:
    return resource.prlimit(worker.pid, resource.RLIMIT_CPU)[0]


async def test_before_an_invocation_it_is_allowed_the_processor_time_for_it_and_not_much_more() -> None:
    async with fake_worker() as (_, worker, _, alive):
        worker.allow_cpu(time.monotonic() + 5.0)
        assert 5 + CPU_LEAST_SECONDS <= cpu_limit(worker) <= 5 + CPU_SPARE_SECONDS + 1
        before = cpu_limit(worker)
        worker.allow_cpu(time.monotonic() + 5.0)
        assert cpu_limit(worker) == before, "the kernel is not asked at each call"
        worker.allow_cpu(time.monotonic() + 60.0)
        assert 60 + CPU_LEAST_SECONDS <= cpu_limit(worker) <= 60 + CPU_SPARE_SECONDS + 1
        assert alive()


async def test_the_limit_of_a_worker_that_has_ended_is_left_alone() -> None:
    async with fake_worker() as (events, worker, _, _):
        worker.kill()
        await asyncio.wait_for(events.lost.wait(), 1)
        worker.allow_cpu(time.monotonic() + 5.0)


async def test_a_system_that_refuses_is_not_asked_at_each_call(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def refuse(*arguments: object) -> None:
        asked.append(arguments)
        raise PermissionError

    async with fake_worker() as (_, worker, _, _):
        monkeypatch.setattr(resource, "prlimit", refuse)
        for _ in range(3):
            worker.allow_cpu(time.monotonic() + 5.0)
        assert len(asked) == 1
        worker.allow_cpu(time.monotonic() + 60.0)
        assert len(asked) == 2
