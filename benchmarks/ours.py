"""Our side: a real peer folder, the engine over real workers, as many calls under way as asked for."""

from __future__ import annotations

import asyncio
import json
import statistics
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from benchmarks.workloads import WORKLOADS, Workload
from goop2.app import open_peer
from goop2.scripting.engine import Success
from goop2.services.peer import Peer

Call = Callable[[], Awaitable[None]]


@asynccontextmanager
async def bench_peer(max_workers: int, workloads: Sequence[Workload] = WORKLOADS, isolation: str = "worker") -> AsyncIterator[Peer]:
    """A peer with the workloads' scripts in its folder; `isolation` is `lua.isolation`."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        functions = folder / "site/lua/functions"
        functions.mkdir(parents=True)
        (folder / "goop.json").write_text(json.dumps({"lua": {"enabled": True, "max_workers": max_workers, "isolation": isolation}}))
        for workload in workloads:
            place = functions if workload.kind == "function" else functions.parent
            (place / f"{workload.name}.lua").write_text(workload.source)
        async with open_peer(folder, {}) as peer:
            yield peer


def caller_of(peer: Peer, workload: Workload) -> Call:
    """One call of the workload, as the owner."""
    owner, engine = peer.owner, peer.engine
    message, params = f"!{workload.name} {workload.argument}", workload.argument.encode()

    async def command() -> None:
        reply = await engine.command(owner, message)
        assert reply.failure is None, reply

    async def function() -> None:
        result = await engine.call(owner, workload.name, params)
        assert isinstance(result, Success), result

    return command if workload.kind == "command" else function


async def throughput(call: Call, at_once: int, seconds: float) -> float:
    """Calls a second with `at_once` under way all the time."""
    calls, begun = 0, time.perf_counter()
    end = begun + seconds

    async def keep_calling() -> None:
        nonlocal calls
        while time.perf_counter() < end:
            await call()
            calls += 1

    await asyncio.gather(*(keep_calling() for _ in range(at_once)))
    return calls / (time.perf_counter() - begun)


async def median_latency(call: Call, seconds: float) -> float:
    """Median seconds of one call after another."""
    times = []
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        begun = time.perf_counter()
        await call()
        times.append(time.perf_counter() - begun)
    return statistics.median(times)
