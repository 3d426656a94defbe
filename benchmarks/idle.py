"""A peer that has just started and waits: prints a line when it is up, ends with its standard input."""

from __future__ import annotations

import asyncio
import sys

import uvloop

from benchmarks.ours import bench_peer


async def main() -> None:
    """Until standard input ends."""
    async with bench_peer(8) as _:
        print("up", flush=True)
        await asyncio.to_thread(sys.stdin.read)


if __name__ == "__main__":
    uvloop.run(main())
