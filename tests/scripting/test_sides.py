"""Workers serve the owner or strangers, never both, and none for ever."""

from __future__ import annotations

import asyncio
import dataclasses
import time
from collections.abc import Callable

import pytest
from tests.scripting.workshop import HELLO, LOOP, OWNER, invocation_of, open_pool, stranger

from goop2.scripting.invocation import Caller, ErrorCode
from goop2.scripting.limits import InvocationLimits
from goop2.scripting.pool import Pool
from goop2.scripting.worker import Side


async def until(condition: Callable[[], bool], seconds: float = 10.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen in time"
        await asyncio.sleep(0.01)


async def pid_of(pool: Pool, caller: Caller) -> int:
    """The worker a call of this caller runs on."""
    invocation = invocation_of("function handle() local t = os.clock() while os.clock() < t + 0.02 do end return 'done' end", caller, 20.0)
    task = asyncio.create_task(pool.run(invocation))
    pid = 0
    while not task.done():
        pid = next((worker.pid for worker, job in pool._running.items() if job.work is invocation), pid)
        await asyncio.sleep(0.001)
    assert task.result().code is ErrorCode.OK, task.result()
    assert pid
    return pid


@pytest.mark.parametrize("workers", [1, 2, 3, 8])
async def test_no_worker_serves_the_owner_and_strangers(workers: int) -> None:
    async with open_pool(InvocationLimits(workers=workers)) as pool:
        owners, strangers = set(), set()
        for number in range(6):
            owners.add(await pid_of(pool, OWNER))
            strangers.add(await pid_of(pool, stranger(number)))
            assert len(pool.worker_pids) <= workers
        assert not owners & strangers


async def test_a_worker_is_kept_by_its_side() -> None:
    async with open_pool(InvocationLimits(workers=8)) as pool:
        first = await pid_of(pool, OWNER)
        await pid_of(pool, stranger(1))
        assert await pid_of(pool, OWNER) == first


async def test_one_worker_serves_both_sides_in_turn_by_being_replaced() -> None:
    async with open_pool(InvocationLimits(workers=1)) as pool:
        for _ in range(3):
            for caller in (OWNER, stranger(1)):
                assert (await pool.run(invocation_of(HELLO, caller, 20.0))).payload == b"Hello, !"
                assert len(pool.worker_pids) <= 1


async def test_with_two_workers_the_owner_is_answered_beside_a_stranger_who_loops() -> None:
    async with open_pool(InvocationLimits(workers=2)) as pool:
        for number in range(4):
            await pool.run(invocation_of(HELLO, stranger(number)))
        loops = [asyncio.create_task(pool.run(invocation_of(LOOP, stranger(n), seconds=30.0))) for n in range(3)]
        await asyncio.sleep(0.2)  # until all of them hold what they can get
        assert (await pool.run(invocation_of(HELLO, OWNER, 20.0))).payload == b"Hello, !"
        for loop in loops:
            loop.cancel()


async def test_a_strangers_worker_compiles_nothing() -> None:
    """It could say of a script of the owner's that it does not compile."""
    async with open_pool(InvocationLimits(workers=2)) as pool:
        for number in range(3):
            await pool.run(invocation_of(HELLO, stranger(number)))
        compiled_on = set()
        real = pool._assign

        def assign(worker: object, job: object) -> None:
            compiled_on.add(getattr(worker, "side", None))
            real(worker, job)  # type: ignore[arg-type]

        pool._assign = assign  # type: ignore[method-assign]
        assert await pool.compile("hello", HELLO.encode()) == ""
        assert Side.STRANGERS not in compiled_on


async def test_a_worker_is_replaced_after_so_many_calls(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("goop2.scripting.limits.CALLS_PER_WORKER", 5)
    async with open_pool(InvocationLimits(workers=1)) as pool:
        pids = []
        for _ in range(12):
            assert (await pool.run(invocation_of(HELLO))).payload == b"Hello, !"
            pids.append(pool.worker_pids)
        assert len(set(pids)) >= 3


async def test_a_worker_is_replaced_after_a_while_and_one_that_was_never_used_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("goop2.scripting.pool.IDLE_CHECK_SECONDS", 0.05)
    monkeypatch.setattr("goop2.scripting.pool.WORKER_LIFE_SECONDS", 0.2)
    async with open_pool(InvocationLimits(workers=2)) as pool:
        used = await pid_of(pool, OWNER)
        await until(lambda: len(pool.worker_pids) == 2)
        unused = [pid for pid in pool.worker_pids if pid != used]
        await until(lambda: used not in pool.worker_pids)
        assert set(unused) <= set(pool.worker_pids)
        await until(lambda: len(pool._idle) == 2)
        assert (await pool.run(invocation_of(HELLO))).payload == b"Hello, !"


async def test_each_call_has_a_process_of_its_own_when_the_owner_says_so() -> None:
    limits = dataclasses.replace(InvocationLimits(workers=3), process_per_call=True)
    async with open_pool(limits) as pool:
        pids = [await pid_of(pool, OWNER if number % 2 else stranger(number)) for number in range(6)]
        assert len(set(pids)) == len(pids)
