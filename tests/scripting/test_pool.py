"""The pool with real workers: deadlines that stop the work, deaths that hurt one call, a fair line, nothing left behind."""

from __future__ import annotations

import asyncio
import os
import resource
import signal
import subprocess
import sys
import textwrap
import time

import msgspec
import pytest
from tests.scripting.pool_helpers import descriptors, hello, started, until
from tests.scripting.workshop import (
    HELLO,
    LOOP,
    OWNER,
    cpu_seconds,
    invocation_of,
    is_alive,
    open_pool,
    script_of,
    setup_of,
    stranger,
)
from tests.started import Started
from tests.stopwatch import Stopwatch

from goop2.sandbox.answers import Answer, ok, several
from goop2.sandbox.confinement import NICENESS
from goop2.sandbox.messages import Scalar
from goop2.sandbox.vm import FLAVOURS
from goop2.scripting.api import FUNCTIONS
from goop2.scripting.api.stubs import stubs
from goop2.scripting.invocation import Caller, ErrorCode, Invocation, Outcome
from goop2.scripting.limits import (
    COMPUTING_AFTER_SECONDS,
    LOWERED_AFTER_CPU_SECONDS,
    LOWERED_NICENESS,
    STOP_SECONDS,
    WAITING_MAX,
    WARM_WORKERS,
    InvocationLimits,
)
from goop2.scripting.outcomes import CRASHED, QUEUE_FULL, TIMED_OUT, WORKER_LOST
from goop2.scripting.pool import Pool, PoolError

COMPUTING = "function handle() local t = os.clock() while os.clock() < t + 0.6 do end return 'done' end"
BUSY = "function handle() local t = os.clock() while os.clock() < t + 0.3 do end return 'done' end"


@pytest.mark.parametrize("flavour", FLAVOURS)
async def test_a_script_answers(flavour: str) -> None:
    async with open_pool(setup=setup_of(flavour)) as pool:
        outcome = await pool.run(invocation_of(HELLO, argument=b"Alice"))
        assert (outcome.code, outcome.payload) == (ErrorCode.OK, b"Hello, Alice!")
        assert outcome.memory_bytes > 0


def is_time_out(outcome: Outcome) -> bool:
    """Return whether it is a time-out, whatever the record of it says."""
    return (outcome.code, outcome.payload) == (TIMED_OUT.code, TIMED_OUT.payload)


async def test_every_layer_of_the_wall_is_in_force() -> None:
    pool = Pool(setup_of(), InvocationLimits(workers=2), {})
    try:
        assert {layer: why for layer, why in (await pool.start()).items() if why} == {}
    finally:
        await pool.stop()


async def test_at_the_deadline_the_work_stops_and_not_only_the_wait() -> None:
    async with open_pool() as pool:
        watch = Stopwatch()
        task, pid = await started(pool, invocation_of(LOOP, seconds=0.3))
        assert is_time_out(await task)
        assert watch.seconds < 0.3 + STOP_SECONDS
        await until(lambda: not is_alive(pid))
        assert await hello(pool) == b"Hello, Alice!"


def niceness(pid: int) -> int:
    return os.getpriority(os.PRIO_PROCESS, pid)


async def test_a_strangers_call_that_keeps_its_worker_long_goes_on_at_the_lowest_priority() -> None:
    async with open_pool() as pool:
        task, pid = await started(pool, invocation_of(LOOP, caller=stranger(1)))
        await until(lambda: niceness(pid) == LOWERED_NICENESS)
        assert not task.done()
        assert await hello(pool) == b"Hello, Alice!"
        assert {niceness(worker.pid) for worker in pool._supply.alive if worker.ready and worker.pid != pid} == {NICENESS}
        task.cancel()


async def test_the_owners_call_keeps_its_priority() -> None:
    async with open_pool() as pool:
        task, pid = await started(pool, invocation_of(LOOP, caller=OWNER))
        before = cpu_seconds(pid) or 0.0
        await until(lambda: (cpu_seconds(pid) or 0.0) > before + 3 * LOWERED_AFTER_CPU_SECONDS)
        pool.tick(time.monotonic())
        assert niceness(pid) == NICENESS
        task.cancel()


async def test_a_call_that_only_waits_keeps_its_priority() -> None:
    async with open_pool() as pool:
        task, pid = await started(pool, invocation_of(LOOP, caller=stranger(1)))
        os.kill(pid, signal.SIGSTOP)  # as a machine does that is busy with others
        worker, job = next((worker, job) for worker, job in pool._running.items() if worker.pid == pid)
        job.started -= 10 * COMPUTING_AFTER_SECONDS
        worker._watched = None
        for _ in range(3):
            pool.tick(time.monotonic())
        assert niceness(pid) == NICENESS
        task.cancel()


@pytest.mark.parametrize("may_raise", [True, False])
async def test_after_a_long_call_its_worker_is_raised_again_or_another_takes_its_place(
    may_raise: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = os.setpriority

    def setpriority(which: int, who: int, priority: int) -> None:
        if not may_raise and priority < niceness(who):
            raise PermissionError
        given(which, who, priority)

    async with open_pool() as pool:
        monkeypatch.setattr(os, "setpriority", setpriority)
        task, pid = await started(pool, invocation_of(COMPUTING, caller=stranger(1), seconds=20.0))
        await until(lambda: niceness(pid) == LOWERED_NICENESS)
        assert (await task).payload == b"done"
        if not may_raise:
            await until(lambda: not is_alive(pid))
        await until(lambda: bool(pool._idle))
        assert {niceness(worker.pid) for worker in pool._idle} == {NICENESS}


async def test_the_deadline_counts_the_wait_for_a_worker() -> None:
    async with open_pool(InvocationLimits(workers=1)) as pool:
        long = asyncio.create_task(pool.run(invocation_of(LOOP, seconds=1.0)))
        await asyncio.sleep(0)
        watch = Stopwatch()
        outcome = await pool.run(invocation_of(HELLO, seconds=0.2))
        assert is_time_out(outcome)
        assert 0.2 <= outcome.waited_seconds < 1.0, "all of it was waiting"
        assert watch.seconds < 0.2 + STOP_SECONDS
        long.cancel()


async def test_a_worker_killed_from_outside_fails_its_own_call_alone_and_is_replaced() -> None:
    async with open_pool() as pool:
        victim, pid = await started(pool, invocation_of(LOOP))
        bystander, _ = await started(
            pool, invocation_of("function handle() local t = os.clock() while os.clock() < t + 0.3 do end return 'done' end")
        )
        os.kill(pid, signal.SIGKILL)
        assert await victim == WORKER_LOST
        assert (await bystander).payload == b"done"
        await until(lambda: len(pool.worker_pids) >= WARM_WORKERS and pid not in pool.worker_pids)
        assert await hello(pool) == b"Hello, Alice!"


async def test_a_worker_that_crashes_fails_its_own_call_alone_with_the_likely_cause() -> None:
    async with open_pool() as pool:
        call = "function handle() return (('x'):gsub('x', handle)) end"
        assert await pool.run(invocation_of(call)) == Outcome(ErrorCode.SCRIPT_ERROR, CRASHED)
        assert await hello(pool) == b"Hello, Alice!"


async def test_recursion_through_c_has_a_stack_of_the_usual_size_whatever_the_owners_is() -> None:
    before = resource.getrlimit(resource.RLIMIT_STACK)
    resource.setrlimit(resource.RLIMIT_STACK, (before[1], before[1]))
    try:
        async with open_pool() as pool:
            outcome = await pool.run(invocation_of("function handle() return (('x'):gsub('x', handle)) end"))
    finally:
        resource.setrlimit(resource.RLIMIT_STACK, before)
    assert outcome.payload == CRASHED


async def test_a_cancelled_call_stops_its_work() -> None:
    async with open_pool() as pool:
        task, pid = await started(pool, invocation_of(LOOP))
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await until(lambda: not is_alive(pid))
        assert await hello(pool) == b"Hello, Alice!"


async def test_a_call_cancelled_while_it_waits_leaves_the_line() -> None:
    async with open_pool(InvocationLimits(workers=1)) as pool:
        running, _ = await started(pool, invocation_of(LOOP, seconds=0.5))
        waiting = asyncio.create_task(pool.run(invocation_of(HELLO)))
        await asyncio.sleep(0.01)
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
        assert len(pool._queue) == 0
        await running


async def test_more_than_256_waiting_are_turned_away_at_once() -> None:
    async with open_pool(InvocationLimits(workers=1)) as pool:
        running, _ = await started(pool, invocation_of(LOOP, stranger(0), seconds=30.0))
        waiting = [asyncio.create_task(pool.run(invocation_of(HELLO, stranger(n)))) for n in range(WAITING_MAX)]
        await asyncio.sleep(0.01)
        assert await pool.run(invocation_of(HELLO, stranger("late"))) == QUEUE_FULL
        assert not running.done()
        running.cancel()
        assert {(await task).payload for task in waiting} == {b"Hello, !"}


async def test_one_caller_holds_at_most_a_quarter_of_the_workers() -> None:
    async with open_pool(InvocationLimits(workers=8)) as pool:
        calls = [asyncio.create_task(pool.run(invocation_of(LOOP, stranger(1), seconds=0.8))) for _ in range(8)]
        most = 0
        for _ in range(50):
            await asyncio.sleep(0.01)
            most = max(most, len(pool._running))
        assert most == 2
        other = await pool.run(invocation_of(HELLO, stranger(2)))
        assert other.payload == b"Hello, !"
        await asyncio.gather(*calls)


async def test_ten_strangers_with_endless_scripts_do_not_stop_the_owner() -> None:
    async with open_pool(InvocationLimits(workers=8)) as pool:
        calls = [asyncio.create_task(pool.run(invocation_of(LOOP, stranger(n), seconds=30.0))) for n in range(10)]
        await asyncio.sleep(0.6)
        for _ in range(3):
            assert await hello(pool) == b"Hello, Alice!"
        assert not any(call.done() for call in calls)
        for call in calls:
            call.cancel()


async def looping(pool: Pool, callers: int, connections: int) -> list[asyncio.Task[None]]:
    """Callers who each ask for an endless script again and again, on so many connections."""

    async def keep_asking(name: str) -> None:
        while is_time_out(await pool.run(invocation_of(LOOP, stranger(name), seconds=2.0))):
            pass

    loops = [asyncio.create_task(keep_asking(f"loops-{number}")) for number in range(callers) for _ in range(connections)]
    await asyncio.sleep(0.3)
    return loops


@pytest.mark.parametrize(("callers", "connections"), [(4, 2), (6, 8)])
async def test_callers_whose_calls_are_short_are_answered_beside_callers_who_loop(callers: int, connections: int) -> None:
    """Without accounts the loops hold every stranger's worker, and each of these calls waits for a time-out."""
    async with open_pool(InvocationLimits(workers=8)) as pool:
        loops = await looping(pool, callers, connections)
        waits = []
        for number in range(60):
            watch = Stopwatch()
            outcome = await pool.run(invocation_of(HELLO, stranger(f"short-{number % 10}")))
            assert outcome.payload == b"Hello, !"
            waits.append(watch.seconds)
            await asyncio.sleep(0.05)
        assert sorted(waits)[54] < 0.5
        for loop in loops:
            loop.cancel()


async def test_a_caller_who_loops_shares_its_account_with_every_id_of_its_address() -> None:
    async with open_pool(InvocationLimits(workers=8)) as pool:
        loops = [
            asyncio.create_task(pool.run(invocation_of(LOOP, Caller(f"id-{number}", address="203.0.113.7"), seconds=30.0)))
            for number in range(16)
        ]
        await asyncio.sleep(0.6)
        assert len(pool._running) == InvocationLimits(workers=8).workers_per_caller
        for loop in loops:
            loop.cancel()


async def test_with_two_workers_a_caller_who_loops_stands_behind_the_others() -> None:
    async with open_pool(InvocationLimits(workers=2)) as pool:
        first = asyncio.create_task(pool.run(invocation_of(LOOP, stranger("loops"), seconds=1.2)))
        more = [asyncio.create_task(pool.run(invocation_of(LOOP, stranger("loops"), seconds=30.0))) for _ in range(3)]
        await asyncio.sleep(0.5)
        assert (await pool.run(invocation_of(HELLO, stranger("short")))).payload == b"Hello, !"
        assert first.done()
        assert not any(loop.done() for loop in more)
        for loop in more:
            loop.cancel()


async def test_two_hundred_calls_and_twenty_kills_leak_no_descriptor() -> None:
    async with open_pool() as pool:
        await hello(pool)
        await until(lambda: len(pool._idle) == WARM_WORKERS)
        before = descriptors()
        for round_ in range(20):
            assert all([await hello(pool) == b"Hello, Alice!" for _ in range(10)])
            victim = pool._idle[round_ % WARM_WORKERS]
            os.kill(victim.pid, signal.SIGKILL)
            await until(lambda gone=victim: gone not in pool._supply.alive and len(pool._idle) == WARM_WORKERS)  # type: ignore[misc]
        assert descriptors() <= before


async def test_compiling_gives_the_compilers_message_or_nothing() -> None:
    async with open_pool() as pool:
        assert await pool.compile("hello", HELLO.encode()) == ""
        assert await pool.compile("hello", b"x x") == "hello:1: '=' expected near 'x'"


async def test_many_sources_are_compiled_in_turn_by_one_worker() -> None:
    async with open_pool() as pool:
        sources = [(f"s{number}", b"x x" if number % 7 == 3 else HELLO.encode()) for number in range(60)]
        messages = await pool.compile_many(sources)
        assert messages == [f"s{number}:1: '=' expected near 'x'" if number % 7 == 3 else "" for number in range(60)]
        assert await hello(pool)


async def test_of_many_sources_no_verdict_is_made_up_when_the_worker_is_lost() -> None:
    async with open_pool() as pool:
        compiling = asyncio.create_task(pool.compile_many([(f"s{number}", b"local x = 1 " * 50_000) for number in range(60)]))
        await until(lambda: bool(pool._running))
        next(iter(pool._running)).kill()
        assert await compiling is None
        assert await pool.compile("hello", HELLO.encode()) == ""


async def test_a_compilers_message_of_any_length_is_no_end_of_the_worker() -> None:
    async with open_pool() as pool:
        before = set(pool.worker_pids)
        assert (await pool.compile("hello", b"x " + b"y" * 100_000)).startswith("hello:1: ")
        assert set(pool.worker_pids) == before


async def test_a_peer_operation_is_answered_and_its_failure_is_the_scripts_error() -> None:
    async def commands(_invocation: Invocation) -> Answer:
        return several(b"jj", b'["hello"]', b"{}")

    async def broken(_invocation: Invocation) -> Answer:
        raise RuntimeError("secret")

    source = "function handle()\n local names = goop.commands() return names[1] end"
    async with open_pool(operations={"commands": commands}) as pool:
        outcome = await pool.run(invocation_of(source))
        assert (outcome.payload, [call.operation for call in outcome.calls]) == (b"hello", ["commands"])
    async with open_pool(operations={"commands": broken}) as pool:
        assert (await pool.run(invocation_of(source))).payload == b"hello:2: goop.commands failed in the peer"


async def test_a_peer_operation_that_hangs_ends_at_the_deadline() -> None:
    ended = asyncio.Event()

    async def commands(_invocation: Invocation) -> Answer:
        try:
            await asyncio.sleep(60)
        finally:
            ended.set()
        raise AssertionError

    async with open_pool(operations={"commands": commands}) as pool:
        outcome = await pool.run(invocation_of("function handle() return goop.commands() end", seconds=0.2))
        assert is_time_out(outcome)
        assert [call.operation for call in outcome.calls] == ["commands"]
        await asyncio.wait_for(ended.wait(), 0.5)


async def test_lines_a_script_writes_are_with_its_invocation() -> None:
    async with open_pool() as pool:
        invocation = invocation_of("function handle() for i = 1, 300 do goop.log.warn(i) end end")
        await pool.run(invocation)
        assert invocation.log is not None
        assert (len(invocation.log.lines), invocation.log.lines[0], invocation.log.truncated) == (200, ("warn", "1"), True)


async def test_a_version_the_worker_has_forgotten_is_sent_again() -> None:
    async with open_pool(InvocationLimits(workers=1)) as pool:
        scripts = [script_of(f"function handle() return '{n}' end") for n in range(140)]
        for _ in range(2):
            for n, script in enumerate(scripts):
                assert (await pool.run(invocation_of(script))).payload == str(n).encode()


def test_nothing_survives_a_peer_that_is_killed() -> None:
    code = """
        import asyncio
        from tests.scripting.workshop import LOOP, invocation_of, open_pool
        async def main():
            async with open_pool() as pool:
                asyncio.create_task(pool.run(invocation_of(LOOP, seconds=60)))
                await asyncio.sleep(0.1)
                print(pool.fork_server_pid, *pool.worker_pids, flush=True)
                await asyncio.sleep(60)
        asyncio.run(main())
    """
    with Started([sys.executable, "-c", textwrap.dedent(code)], stdout=subprocess.PIPE, text=True) as peer:
        assert peer.stdout is not None
        pids = [int(pid) for pid in peer.stdout.readline().split()]
        peer.kill()
    assert len(pids) >= 3
    end = time.monotonic() + 2
    while any(cpu_seconds(pid) is not None for pid in pids):
        assert time.monotonic() < end
        time.sleep(0.01)


async def test_a_caller_at_its_share_goes_on_when_one_of_its_calls_is_killed() -> None:
    async with open_pool(InvocationLimits(workers=4)) as pool:
        first = asyncio.create_task(pool.run(invocation_of(LOOP, stranger(1), seconds=0.3)))
        await asyncio.sleep(0.05)
        second = await pool.run(invocation_of(HELLO, stranger(1)))
        assert second.payload == b"Hello, !"
        await first


async def test_a_peer_whose_operations_are_not_those_declared_does_not_start() -> None:
    async def nothing(_invocation: Invocation) -> Answer:
        return ok()

    declared = setup_of(operations=("commands", "site.read"))
    Pool(declared, InvocationLimits(workers=1), {"commands": nothing, "site.read": nothing}).check_operations()
    with pytest.raises(
        PoolError,
        match=r"goop\.site\.read is declared as done in the peer, and nothing does it: .*; the operation site\.write is done in the peer",
    ):
        Pool(declared, InvocationLimits(workers=1), {"commands": nothing, "site.write": nothing}).check_operations()


async def test_a_command_cannot_ask_the_peer_for_what_data_functions_alone_have(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not even from a worker that was taken over: here its VM is told that a command is none."""
    asked: list[str] = []

    async def read(_invocation: Invocation, *_arguments: Scalar) -> Answer:
        asked.append("site.read")
        return ok(b"secret")

    declarations = {name: expression.replace("not is_command", "true") for name, expression in stubs(FUNCTIONS).items()}
    setup = msgspec.structs.replace(setup_of(operations=("site.read",)), declarations=declarations)
    async with open_pool(InvocationLimits(workers=1), setup, {"site.read": read}) as pool:
        outcome = await pool.run(invocation_of("function handle() return goop.site.read('x') end"))
        assert (outcome.code is ErrorCode.OK, asked) == (False, [])
        called = await pool.run(invocation_of(script_of("function call() return goop.site.read('x') end", "function"), argument=b"{}"))
        assert (called.payload, asked) == (b'"secret"', ["site.read"])
