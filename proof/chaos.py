"""`python -m proof.chaos [PART OF A NAME …]` (`make chaos`): other machines that die, freeze and are cut off, and how far they carry.

A real nats-server, real workers, one peer. One function a row: its docstring says what is asked, it returns what was seen. With no name
given the table is written into docs/cluster.md, below "Measured". What a row needs and this machine has not is said in its place.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import random
import signal
import statistics
import sys
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import ExitStack, asynccontextmanager
from pathlib import Path
from typing import Final

from tests.cluster.hub import Hub, ended, open_owner, running_hub, until, view
from tests.started import Started

from goop2.scripting.engine import Failure, Success
from goop2.scripting.invocation import ErrorCode
from goop2.services.peer import Peer
from proof import standby_rows
from proof.rows import ROWS, NotMeasuredError, Row, row
from proof.wire import Wire

PAGE: Final = Path(__file__).parent.parent / "docs/cluster.md"
HEAD: Final = "## Measured\n"
MACHINES: Final = tuple(f"m{number}" for number in range(8))
ROUNDS: Final = 5
CALLS: Final = 10_000
CALLERS: Final = 24
LATE_SECONDS: Final = 0.25
WAIT_SECONDS: Final = 0.1
QUOTA: Final = 0.02
"""Of a core for each machine in a cgroup; together under a fifth of the box, or the box itself is what is measured."""
CGROUPS: Final = Path("/sys/fs/cgroup")
MEASURE_SECONDS: Final = 6.0


async def call(peer: Peer, function: str, **params: object) -> Success | Failure:
    return await peer.engine.call(peer.owner, function, json.dumps(params).encode())


async def ready(peer: Peer, count: int) -> None:
    await until(lambda: sum(node.state == "ready" for node in view(peer).nodes) >= count, 120)


async def rate(peer: Peer, callers: int, function: str, **params: object) -> float:
    """Return how many calls a second end well with so many callers."""
    done, end = 0, time.monotonic() + MEASURE_SECONDS

    async def ask() -> None:
        nonlocal done
        while time.monotonic() < end:
            answer = await call(peer, function, **params)
            assert isinstance(answer, Success), answer
            done += 1

    begun = time.monotonic()
    await asyncio.gather(*(ask() for _ in range(callers)))
    return done / (time.monotonic() - begun)


def milliseconds(values: list[float]) -> str:
    return f"{1000 * statistics.median(values):.2f} ms"


@row("≤ 0.5 ms; CPU ≤ 3 ×")
async def far_hello(hub: Hub) -> str:
    """A far hello, one caller; the owner's processor time against a near one"""
    seen = []
    for spill in ("all", "off"):
        with ended(hub.worker("m0")):
            async with open_owner(hub, spill) as peer:
                await ready(peer, 1)
                took: list[float] = []
                for _ in range(300):
                    await peer.engine.command(peer.owner, "!hello x")
                cpu = time.process_time()
                for _ in range(1500):
                    begun = time.perf_counter()
                    await peer.engine.command(peer.owner, "!hello x")
                    took.append(time.perf_counter() - begun)
                seen.append((took, time.process_time() - cpu))
    (far, far_cpu), (near, near_cpu) = seen
    return f"{milliseconds(far)} (near {milliseconds(near)}); {far_cpu / near_cpu:.1f} ×"


@asynccontextmanager
async def slow_server() -> AsyncIterator[int]:
    """A web server that answers after WAIT_SECONDS; its port."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            while (await reader.readline()).strip():
                pass
            await asyncio.sleep(WAIT_SECONDS)
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok")
            await writer.drain()
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        yield server.sockets[0].getsockname()[1]


@row("≥ 7 ×")
async def waiting(hub: Hub) -> str:
    """8 machines against one, scripts that wait 100 ms"""
    async with slow_server() as port:
        rates = []
        for count in (1, len(MACHINES)):
            with ExitStack() as stack:
                for name in MACHINES[:count]:
                    stack.enter_context(ended(hub.worker(name, slots=2)))
                async with open_owner(hub, "all", more={"GOOP2_LUA_HTTP_ALLOW": f"127.0.0.1:{port}"}) as peer:
                    await ready(peer, count)
                    await rate(peer, 2 * count, "fetch", port=port)  # every machine has its workers and the source
                    rates.append(await rate(peer, 2 * count, "fetch", port=port))
    return f"{rates[1] / rates[0]:.1f} × ({rates[0]:.0f} → {rates[1]:.0f} calls/s)"


@row("≥ 7 ×")
async def computing(hub: Hub) -> str:
    """8 machines against one, each in a cgroup of 0.02 core, scripts that compute"""
    with ExitStack() as stack:
        limit = stack.enter_context(contextlib.closing(Cgroups()))
        workers = [stack.enter_context(ended(hub.worker(name, slots=1))) for name in MACHINES]
        async with open_owner(hub, "all") as peer:
            await ready(peer, len(workers))
            for _ in range(4 * len(workers)):
                await call(peer, "spin", s=0.001)
            limit.take(workers)
            rates = []
            for count in (1, len(workers)):
                rates.append(await rate(peer, count, "spin", s=0.01))
    return f"{rates[1] / rates[0]:.2f} × ({rates[0]:.1f} → {rates[1]:.1f} calls/s)"


class Cgroups:
    """One cgroup of QUOTA core for each machine."""

    def __init__(self) -> None:
        self._made: list[Path] = []
        self._is_new = (CGROUPS / "cgroup.controllers").exists()
        self._root = CGROUPS if self._is_new else CGROUPS / "cpu"
        try:
            self._make("goop2-chaos-trial")
        except OSError as error:
            raise NotMeasuredError(f"no cgroup can be made ({error.strerror})") from None

    def _make(self, name: str) -> Path:
        place = self._root / name
        place.mkdir(exist_ok=True)
        self._made.append(place)
        period = 100_000
        if self._is_new:
            (place / "cpu.max").write_text(f"{int(QUOTA * period)} {period}")
        else:
            (place / "cpu.cfs_period_us").write_text(str(period))
            (place / "cpu.cfs_quota_us").write_text(str(int(QUOTA * period)))
        return place

    def take(self, workers: list[Started[str]]) -> None:
        import psutil

        for number, worker in enumerate(workers):
            place = self._make(f"goop2-chaos-{number}")
            for process in (psutil.Process(worker.pid), *psutil.Process(worker.pid).children(recursive=True)):
                (place / "cgroup.procs").write_text(str(process.pid))

    def close(self) -> None:
        for place in self._made:
            for pid in (place / "cgroup.procs").read_text().split():
                with contextlib.suppress(OSError):
                    (self._root / "cgroup.procs").write_text(pid)
            with contextlib.suppress(OSError):
                place.rmdir()


async def lose(hub: Hub, act: Callable[[Started[str]], None], heal: Callable[[Started[str]], None] | None, url: str = "") -> str:
    """Return how long after `act` the caller was told, and how long after `heal` the machine was used again: the worst of some rounds."""
    told, healed = [], []
    for _ in range(ROUNDS):
        with ended(hub.worker("m0", slots=1, url=url)) as worker:
            async with open_owner(hub, "all") as peer:
                await ready(peer, 1)
                lost = asyncio.create_task(call(peer, "wait", s=30))
                await until(lambda: view(peer).under_way == 1)
                await asyncio.sleep(random.random())
                begun = time.monotonic()
                act(worker)
                failure = await lost
                assert isinstance(failure, Failure), failure
                assert failure.code is ErrorCode.UNAVAILABLE, failure
                told.append(time.monotonic() - begun)
                if heal is not None:
                    heal(worker)
                    healed.append(await until(lambda: any(node.state == "ready" for node in view(peer).nodes)))
    return f"told after {max(told):.1f} s" + (f", healed after {max(healed):.1f} s" if healed else "")


@row("told ≤ 2 s")
async def killed(hub: Hub) -> str:
    """A machine is killed while it has a call"""
    return await lose(hub, lambda worker: worker.send_signal(signal.SIGKILL), None)


@row("told ≤ 2 s, healed ≤ 2 s")
async def frozen(hub: Hub) -> str:
    """A machine freezes while it has a call, and goes on"""
    return await lose(hub, lambda worker: worker.send_signal(signal.SIGSTOP), lambda worker: worker.send_signal(signal.SIGCONT))


@row("told ≤ 2 s, healed ≤ 2 s")
async def cut_off(hub: Hub) -> str:
    """A machine is cut off from the server while it has a call, and the network heals"""
    async with Wire(hub.files.listen_port).laid() as wire:
        return await lose(hub, lambda _: wire.cut(), lambda _: wire.heal(), url=f"tls://127.0.0.1:{wire.port}")


@row("one outcome each, none twice")
async def random_kills(hub: Hub) -> str:
    """10,000 calls that write, while machines are killed at random"""
    outcomes: Counter[str] = Counter()
    late = 0
    numbers = iter(range(CALLS))
    kills = 0
    with ExitStack() as stack:
        workers = {name: stack.enter_context(ended(hub.worker(name, slots=4))) for name in MACHINES[:3]}
        async with open_owner(hub, "all") as peer:
            await ready(peer, len(workers))
            seconds = peer.settings.lua.timeout_seconds

            async def ask() -> None:
                nonlocal late
                for number in numbers:
                    begun = time.monotonic()
                    answer = await call(peer, "mark", n=number)
                    late += time.monotonic() - begun > seconds + LATE_SECONDS
                    outcomes["ok" if isinstance(answer, Success) else str(answer.code)] += 1

            async def kill() -> None:
                nonlocal kills
                while True:
                    await asyncio.sleep(random.uniform(1.0, 3.0))
                    name = random.choice(list(workers))
                    workers[name].kill()
                    kills += 1
                    workers[name] = stack.enter_context(ended(hub.worker(name, slots=4)))

            killing = asyncio.create_task(kill())
            await asyncio.gather(*(ask() for _ in range(CALLERS)))
            killing.cancel()
            await asyncio.gather(killing, return_exceptions=True)
            marks = Counter(n for (n,) in peer.database.rows("SELECT x FROM marks"))
            far = view(peer).calls
    twice = sum(count > 1 for count in marks.values())
    assert (sum(outcomes.values()), late, twice) == (CALLS, 0, 0), (outcomes, late, twice)
    seen = ", ".join(f"{count:,} {name}" for name, count in outcomes.most_common())
    return f"{seen}, with {kills} kills and {far:,} calls given to machines; {late} late, {twice} carried out twice"


standby_rows.add()


def chosen(parts: list[str]) -> list[tuple[str, str, Row]]:
    return [each for each in ROWS if not parts or any(part in each[2].__name__ for part in parts)]


async def measured(parts: list[str]) -> list[str]:
    lines = []
    for what, target, function in chosen(parts):
        with tempfile.TemporaryDirectory(prefix="goop2-chaos-") as place, running_hub(Path(place) / "mysite", *MACHINES) as hub:
            try:
                seen = await function(hub)
            except NotMeasuredError as error:
                seen = f"not measured here: {error}"
            except AssertionError as error:
                seen = f"FAILED: {error}"
        lines.append(f"| {what} | {target} | {seen} |")
        print(lines[-1], flush=True)
    return lines


def main() -> None:
    import logging

    import structlog

    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    lines = asyncio.run(measured(sys.argv[1:]))
    if not sys.argv[1:]:
        before, head, _ = PAGE.read_text().partition(HEAD)
        load = os.getloadavg()[0]
        about = (
            f"By `make chaos`, everything on one machine with {len(os.sched_getaffinity(0))} cores, at a load of {load:.0f}: "
            "ratios count, rates do not. Times of\nlosses are the worst of five rounds. A near hello takes 0.06 ms where nothing runs; "
            "the time of a far one is to be read beside it.\n"
        )
        table = "\n".join(("| | target | seen |", "| --- | --- | --- |", *lines))
        PAGE.write_text(f"{before}{head}\n{about}\n{table}\n")
    sys.exit(any("FAILED" in line for line in lines))


if __name__ == "__main__":
    main()
