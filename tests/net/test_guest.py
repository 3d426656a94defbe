"""trio as a guest: it starts, stops, starts again; cancellation and failure cross both ways. On asyncio's loop and on uvloop."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

import pytest
import trio
import uvloop

from goop2.net import pump
from goop2.net.guest import Guest, GuestFailedError, GuestStoppedError, open_guest

SECONDS = 5
"""Nothing here may take as long as this; it ends a hang, and is not waited for."""

LOOPS = {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}


@pytest.fixture(params=LOOPS)
def loop_name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(params=["pumped", "with trio's own thread"])
def run(request: pytest.FixtureRequest, loop_name: str, monkeypatch: pytest.MonkeyPatch) -> Callable[[Coroutine[Any, Any, Any]], Any]:
    """Runs a coroutine on a loop of its own, as the peer does; both where we know trio's inside and where we do not."""
    if request.param != "pumped":
        monkeypatch.setattr(pump, "_PARTS", ("what no trio has",))

    def run(coroutine: Coroutine[Any, Any, Any]) -> Any:
        with asyncio.Runner(loop_factory=LOOPS[loop_name]) as runner:
            return runner.run(asyncio.wait_for(coroutine, SECONDS))

    return run


Run = Callable[[Coroutine[Any, Any, Any]], Any]


async def double(number: int) -> int:
    await trio.lowlevel.checkpoint()
    return number * 2


async def fail(message: str) -> None:
    await trio.lowlevel.checkpoint()
    raise ValueError(message)


def test_a_trio_function_gives_its_result(run: Run) -> None:
    async def main() -> int:
        async with open_guest() as guest:
            return await guest.call(double, 21)

    assert run(main()) == 42


def test_it_starts_again_on_the_same_loop(run: Run) -> None:
    async def main() -> list[int]:
        results = []
        for number in range(3):
            async with open_guest() as guest:
                results.append(await guest.call(double, number))
        return results

    assert run(main()) == [0, 2, 4]


def test_both_loops_go_on_beside_each_other(run: Run) -> None:
    turns = {"asyncio": 0, "trio": 0}

    async def take_turns(own: str, other: str, sleep: Callable[[float], Awaitable[object]]) -> None:
        while turns[other] < 10 or turns[own] < 10:
            turns[own] += 1
            await sleep(0.001)

    async def main() -> None:
        async with open_guest() as guest:
            await asyncio.gather(guest.call(take_turns, "trio", "asyncio", trio.sleep), take_turns("asyncio", "trio", asyncio.sleep))

    run(main())
    assert min(turns.values()) >= 10


def test_an_exception_of_trio_is_raised_at_the_call_and_the_guest_lives_on(run: Run) -> None:
    async def main() -> int:
        async with open_guest() as guest:
            with pytest.raises(ValueError, match="no such peer"):
                await guest.call(fail, "no such peer")
            return await guest.call(double, 1)

    assert run(main()) == 2


def test_cancelling_the_caller_cancels_the_trio_task_and_waits_for_its_end(run: Run) -> None:
    seen: list[str] = []

    async def slow() -> None:
        try:
            await trio.sleep_forever()
        finally:
            with trio.CancelScope(shield=True):
                await trio.sleep(0.02)
            seen.append("cleaned up")

    async def main() -> int:
        async with open_guest() as guest:
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.05):
                    await guest.call(slow)
            assert seen == ["cleaned up"]
            return await guest.call(double, 1)

    assert run(main()) == 2


def test_a_trio_task_can_call_into_asyncio(run: Run) -> None:
    async def asyncio_side(number: int) -> int:
        await asyncio.sleep(0.01)
        return number + 1

    async def trio_side(guest: Guest) -> int:
        return await guest.host(asyncio_side, 41)

    async def main() -> int:
        async with open_guest() as guest:
            return await guest.call(trio_side, guest)

    assert run(main()) == 42


def test_an_exception_of_asyncio_is_raised_in_trio(run: Run) -> None:
    async def asyncio_side() -> None:
        raise KeyError("script")

    async def trio_side(guest: Guest) -> str:
        try:
            await guest.host(asyncio_side)
        except KeyError as error:
            return str(error)
        return ""

    async def main() -> str:
        async with open_guest() as guest:
            return await guest.call(trio_side, guest)

    assert run(main()) == "'script'"


def test_a_trio_deadline_cancels_the_asyncio_task_and_waits_for_its_end(run: Run) -> None:
    seen: list[str] = []

    async def asyncio_side() -> None:
        try:
            await asyncio.sleep(60)
        finally:
            await asyncio.sleep(0.02)
            seen.append("cleaned up")

    async def trio_side(guest: Guest) -> bool:
        with trio.move_on_after(0.05) as scope:
            await guest.host(asyncio_side)
        return scope.cancelled_caught and seen == ["cleaned up"]

    async def main() -> bool:
        async with open_guest() as guest:
            return await guest.call(trio_side, guest)

    assert run(main())


def test_an_asyncio_task_cancelled_by_others_does_not_look_like_a_trio_cancellation(run: Run) -> None:
    async def asyncio_side() -> None:
        task = asyncio.current_task()
        assert task is not None
        task.cancel()
        await asyncio.sleep(1)

    async def main() -> None:
        async with open_guest() as guest:
            with pytest.raises(GuestStoppedError, match="the host loop cancelled"):
                await guest.call(guest.host, asyncio_side)

    run(main())


def test_a_failure_of_trio_ends_the_block_with_its_cause(run: Run) -> None:
    async def main() -> None:
        async with open_guest() as guest:
            guest.start_soon(fail, "the muxer is broken")
            await asyncio.sleep(60)

    with pytest.raises(GuestFailedError, match="the muxer is broken") as failed:
        run(main())
    assert isinstance(failed.value.__cause__, ValueError)


def test_a_failure_of_trio_ends_waiting_calls_and_refuses_new_ones(run: Run) -> None:
    async def main() -> None:
        async with open_guest() as guest:
            guest.start_soon(fail, "the muxer is broken")
            try:
                await guest.call(trio.sleep_forever)
            finally:
                with pytest.raises(GuestStoppedError):
                    await guest.call(double, 1)

    with pytest.raises((GuestFailedError, GuestStoppedError)):
        run(main())


def test_a_plain_function_runs_at_once_and_trio_goes_on_until_it_has_ended(run: Run) -> None:
    async def main() -> None:
        seen: list[str] = []
        async with open_guest() as guest:
            event = trio.Event()

            async def last_words() -> None:
                try:
                    await trio.sleep_forever()
                finally:
                    asyncio.get_running_loop().call_soon(guest.touch, ended.set)
                    with trio.CancelScope(shield=True):
                        await ended.wait()
                        seen.append("told while it ends")

            ended = trio.Event()
            guest.start_soon(last_words)
            waiting = asyncio.create_task(guest.call(event.wait))
            await asyncio.sleep(0)
            guest.touch(event.set)
            assert event.is_set()
            await waiting
        guest.touch(lambda: seen.append("too late"))
        assert seen == ["told while it ends"]

    run(main())


def test_leaving_the_block_ends_what_runs_in_trio(run: Run) -> None:
    seen: list[str] = []

    async def forever() -> None:
        try:
            await trio.sleep_forever()
        finally:
            seen.append("ended")

    async def main() -> None:
        async with open_guest() as guest:
            guest.start_soon(forever)
            waiting = asyncio.create_task(guest.call(forever))
            await asyncio.sleep(0.05)
        with pytest.raises(GuestStoppedError, match="before the call was finished"):
            await waiting

    run(main())
    assert seen == ["ended", "ended"]


def test_an_exception_in_the_block_stops_trio_and_is_raised_unchanged(run: Run) -> None:
    seen: list[str] = []

    async def forever() -> None:
        try:
            await trio.sleep_forever()
        finally:
            seen.append("ended")

    async def main() -> None:
        async with open_guest() as guest:
            guest.start_soon(forever)
            await asyncio.sleep(0.02)
            raise OSError("the disk is full")

    with pytest.raises(OSError, match="the disk is full"):
        run(main())
    assert seen == ["ended"]


def test_cancelling_the_block_stops_trio_and_stays_a_cancellation(run: Run) -> None:
    async def owner() -> None:
        async with open_guest():
            await asyncio.sleep(60)

    async def main() -> bool:
        task = asyncio.create_task(owner())
        await asyncio.sleep(0.02)
        task.cancel()
        await asyncio.wait([task])
        return task.cancelled()

    assert run(main())


BROKEN_HOST = """
import asyncio, sys, threading, trio
from goop2.net.guest import open_guest
async def main():
    async with open_guest() as guest:
        guest.start_soon(trio.sleep, 60)
        await asyncio.sleep(0.05)
        asyncio.get_running_loop().call_soon(sys.exit, 7)
        await asyncio.sleep(60)
asyncio.run(main())
"""


def test_the_end_of_the_host_loop_ends_the_process_and_trio_holds_nothing_up() -> None:
    ended = subprocess.run([sys.executable, "-c", BROKEN_HOST], timeout=SECONDS, capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stderr) == (7, "")


@pytest.mark.skipif(sys.platform != "linux", reason="trio waits with epoll on Linux alone")
def test_here_the_loop_turns_trio_itself_and_sends_no_thread(loop_name: str) -> None:
    async def main() -> bool:
        async with open_guest() as guest:
            await guest.call(trio.sleep, 0.01)
            return guest._pump.turning

    with asyncio.Runner(loop_factory=LOOPS[loop_name]) as runner:
        assert runner.run(main())


def test_trio_hears_of_sockets_and_deadlines_while_the_loop_is_idle(run: Run) -> None:
    async def talk() -> bytes:
        one, other = trio.socket.socketpair()
        with one, other, trio.fail_after(SECONDS):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(_send_later, other)
                return await one.recv(10)

    async def main() -> bytes:
        async with open_guest() as guest:
            return await guest.call(talk)

    assert run(main()) == b"hello"


async def _send_later(sock: trio.socket.SocketType) -> None:
    await trio.sleep(0.05)
    await sock.send(b"hello")
