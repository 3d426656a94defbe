"""What a worker that native code has taken over does after its call is over: it is ended."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import pytest
from structlog.testing import capture_logs
from tests.sandbox.native import native_workers

STILL_THERE_SECONDS = 6.0
BYE = """
from goop2.sandbox.messages import Done
channel.send(Done("ok", b'{"bye":1}', 0))
"""
CASES = {
    "it computes without a call": BYE + "while True: pass",
    "it takes memory without a call": BYE
    + "kept = []\nwhile len(kept) < 60: kept.append(bytearray(b'x' * 1_000_000)); time.sleep(0.1)\nchannel.receive()",
    "it holds a lock of the database": "worker.data._database._connection.authorizer = None\n"
    "worker.data._database._connection.execute('begin immediate')\nout['held'] = True",
}


@pytest.mark.parametrize("reason", CASES)
async def test_an_idle_worker_is_ended_and_the_owner_told_when(reason: str, tmp_path: Path) -> None:
    async with native_workers(tmp_path) as workers:
        with capture_logs() as logs:
            await workers.out(CASES[reason])
            (pid,) = workers.pool.worker_pids
            end = time.monotonic() + STILL_THERE_SECONDS
            while pid in workers.pool.worker_pids:
                assert time.monotonic() < end, "it is still there"
                await asyncio.sleep(0.05)
        assert [(line["reason"], line["pid"]) for line in logs if line["event"] == "an idle worker was ended"] == [(reason, pid)]
        assert await workers.out("out['fine'] = True") == {"fine": True}
        workers.beside.rows("DELETE FROM t")  # the write lock is free again


async def test_a_worker_that_keeps_its_place_in_the_queue_of_writers_is_ended(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    async with native_workers(tmp_path) as workers:
        await workers.out("worker.data._database.turn.queue.enter()")
        (pid,) = workers.pool.worker_pids
        end = time.monotonic() + STILL_THERE_SECONDS
        while pid in workers.pool.worker_pids:
            assert time.monotonic() < end, "it is still there"
            await asyncio.sleep(0.05)


async def test_a_worker_that_only_waits_stays(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    async with native_workers(tmp_path) as workers:
        await workers.out("worker.data._database.changed('INSERT INTO t VALUES (1)')")
        before = workers.pool.worker_pids
        await asyncio.sleep(3.5)  # longer than the check of idle workers needs to find one that does something
        assert workers.pool.worker_pids == before
