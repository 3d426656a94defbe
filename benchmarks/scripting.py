"""Scripts called through engine, pool and wall, against the bare loop of bare.py."""

from __future__ import annotations

import asyncio
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass

import psutil

from benchmarks import footprint
from benchmarks.ours import Call, bench_peer, caller_of, median_latency, throughput
from benchmarks.report import table
from benchmarks.workloads import WORKLOADS, Workload
from goop2.sandbox.vm import Flavour, VirtualMachine
from goop2.scripting.api import FUNCTIONS
from goop2.scripting.api.stubs import stubs
from goop2.scripting.fork_server import ENVIRONMENT
from goop2.services.peer import Peer

ROUNDS = 7
ROUND_SECONDS = 1.0
WARM_UP_SECONDS = 0.5
WORKERS = 2
AT_ONCE = 8
PHASE_CALLS = 2000
MEMORY_BYTES = 10 * 1024 * 1024
MICROSECONDS = 1e6


@dataclass(frozen=True)
class Round:
    """Calls a second of each side, measured within seconds of each other, and one caller's latency."""

    bare: float
    bare_tuned: float
    ours: float
    latency: float


async def run() -> str:
    """Measure, and return the section of docs/benchmarks.md."""
    async with bench_peer(WORKERS) as peer:
        throughputs = [await _compare(peer, workload) for workload in WORKLOADS]
        processor = await _processor_time(peer, WORKLOADS[0])
        loaded = footprint.own_megabytes(peer.pool.worker_pids)
    parts = [
        "## Scripts",
        INTRODUCTION,
        table(HEADINGS, throughputs),
        "### Where the time of one `hello` goes",
        table(["", "µs"], [*_phases(), *processor]),
        GAINS,
        f"A worker's own memory is {loaded:.0f} MB after the load (at most 12).",
    ]
    return "\n\n".join(parts)


HEADINGS = [
    "workload",
    "bare loop, calls/s",
    "ours, calls/s",
    "ratio",
    "target",
    "against a bare loop with the workers' malloc tuning",
    "one caller: median µs",
    "× bare",
    "target",
]

INTRODUCTION = f"""The *bare* loop makes a new VM a call with the same LuaJIT and prelude, in one thread of one process, without any wall.
*Ours* is the whole way: engine, rate and queue, socket, confined worker with a fresh VM, the run's record; {WORKERS} workers,
{AT_ONCE} calls under way. One caller: one call after the other, to the bare loop's time of one call.
Yardstick, the Go peer's engine on such a machine: hello 11,700/s, score 10,000/s, fib(24) 173/s, strings 17/s."""

GAINS = """The making and closing of the Lua state is the largest part: a thousand small allocations, and on a virtual machine
LuaJIT's `cpuid` instructions, each of which leaves the guest. The next gain would be a LuaJIT binding that opens only the
libraries a script may see and takes the processor's features from the first state of the process."""


async def _compare(peer: Peer, workload: Workload) -> list[str]:
    call = caller_of(peer, workload)
    await throughput(call, AT_ONCE, WARM_UP_SECONDS)
    rounds = [await _round(workload, call) for _ in range(ROUNDS)]

    def median(figure: Callable[[Round], float]) -> float:
        return statistics.median(map(figure, rounds))

    return [
        workload.name,
        f"{median(lambda r: r.bare):,.0f}",
        f"{median(lambda r: r.ours):,.0f}",
        f"**{median(lambda r: r.ours / r.bare):.2f}**",
        f"≥ {workload.target}",
        f"{median(lambda r: r.ours / r.bare_tuned):.2f}",
        f"{median(lambda r: r.latency) * MICROSECONDS:,.0f}",
        f"**{median(lambda r: r.latency * r.bare):.2f}**",
        "≤ 2.5",
    ]


async def _round(workload: Workload, call: Call) -> Round:
    bare = await asyncio.to_thread(_bare, workload, {})
    ours = await throughput(call, AT_ONCE, ROUND_SECONDS)
    tuned = await asyncio.to_thread(_bare, workload, ENVIRONMENT)
    return Round(bare, tuned, ours, await median_latency(call, ROUND_SECONDS / 2))


def _bare(workload: Workload, environment: dict[str, str]) -> float:
    command = [sys.executable, "-m", "benchmarks.bare", workload.name, str(ROUND_SECONDS)]
    done = subprocess.run(command, env={**os.environ, **environment}, stdout=subprocess.PIPE, text=True, check=True)
    return float(done.stdout)


async def _processor_time(peer: Peer, workload: Workload) -> list[list[str]]:
    """Processor time of peer and workers a call, under full load."""
    processes = {"peer": [psutil.Process()], "workers": [psutil.Process(pid) for pid in peer.pool.worker_pids]}
    before = {name: [each.cpu_times() for each in group] for name, group in processes.items()}
    begun = time.perf_counter()
    rate = await throughput(caller_of(peer, workload), AT_ONCE, 2 * ROUND_SECONDS)
    calls = rate * (time.perf_counter() - begun)
    rows = []
    for name, group in processes.items():
        spent = [(each.cpu_times(), then) for each, then in zip(group, before[name], strict=True)]
        user = sum(now.user - then.user for now, then in spent) / calls * MICROSECONDS
        system = sum(now.system - then.system for now, then in spent) / calls * MICROSECONDS
        rows.append([f"under full load: processor time of the {name} a call", f"{user:.0f} user + {system:.0f} system"])
    return rows


def _phases() -> list[list[str]]:
    """The inside of a call, one phase more each line, in this process without malloc tuning."""
    flavour = Flavour("luajit21", stubs(FUNCTIONS))
    hello = WORKLOADS[0]

    def machine() -> VirtualMachine:
        return VirtualMachine(flavour, lambda *_: (b"v", None), MEMORY_BYTES)

    bytecode = machine().compile(hello.name, hello.source.encode())

    def call() -> None:
        machine().run(hello.kind, hello.name, bytecode, b"Alice", ("caller", "Caller"), ("self", "Self"))

    phases: dict[str, Callable[[], object]] = {
        "making and closing a Lua state (lupa)": lambda: flavour.runtime(MEMORY_BYTES),
        "… and our prelude": machine,
        "… and the script": call,
    }
    return [[name, f"{_time(phase) * MICROSECONDS:.0f}"] for name, phase in phases.items()]


def _time(phase: Callable[[], object]) -> float:
    times = []
    for _ in range(ROUNDS):
        begun = time.perf_counter()
        for _ in range(PHASE_CALLS):
            phase()
        times.append((time.perf_counter() - begun) / PHASE_CALLS)
    return statistics.median(times)
