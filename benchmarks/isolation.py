"""What `lua.isolation: "call"` costs beside "worker", the text of its setting: two peers side by side, measured in turns.

Run as `python -m benchmarks.isolation [ROUNDS]`; prints each round and the medians: milliseconds of one call after another, and calls a
second with AT_ONCE under way. The ratio holds on a loaded machine, where the numbers do not.
"""

from __future__ import annotations

import contextlib
import logging
import statistics
import sys

import structlog
import uvloop

from benchmarks.ours import bench_peer, caller_of, median_latency, throughput
from benchmarks.workloads import WORKLOADS

WORKERS = 4
AT_ONCE = 8
SECONDS = 1.5
"""Of each measurement; a hundred calls and more."""
ROUNDS = 5
KINDS = ("worker", "call")


async def measure(rounds: int) -> None:
    """Print the rounds and their medians."""
    hello = next(workload for workload in WORKLOADS if workload.name == "hello")
    latencies: dict[str, list[float]] = {kind: [] for kind in KINDS}
    rates: dict[str, list[float]] = {kind: [] for kind in KINDS}
    async with contextlib.AsyncExitStack() as stack:
        calls = {kind: caller_of(await stack.enter_async_context(bench_peer(WORKERS, isolation=kind)), hello) for kind in KINDS}
        for number in range(1, rounds + 1):
            for kind in KINDS:
                latencies[kind].append(1000 * await median_latency(calls[kind], SECONDS))
                rates[kind].append(await throughput(calls[kind], AT_ONCE, SECONDS))
            _print(f"round {number}", {kind: latencies[kind][-1] for kind in KINDS}, {kind: rates[kind][-1] for kind in KINDS})
    _print("median", {kind: statistics.median(latencies[kind]) for kind in KINDS}, {kind: statistics.median(rates[kind]) for kind in KINDS})


def _print(name: str, latency: dict[str, float], rate: dict[str, float]) -> None:
    one, other = KINDS
    print(
        f"{name}: {latency[one]:.2f} ms and {latency[other]:.2f} ms a call ({latency[other] / latency[one]:.1f} times), "
        f"{rate[one]:.0f} and {rate[other]:.0f} calls a second ({rate[one] / rate[other]:.1f} times fewer)"
    )


if __name__ == "__main__":
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    uvloop.run(measure(int(sys.argv[1]) if len(sys.argv) > 1 else ROUNDS))
