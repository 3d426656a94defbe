"""Many callers at once: some ask a short question once a second, others keep connections busy with an endless script.

Run as `python -m benchmarks.crowd PORT HOST INNOCENTS SECONDS CALLERS CONNECTIONS`; every caller is a test visitor of the site HOST, with
connections of its own. Prints median, 99th percentile and maximum of the short calls in milliseconds, counted from when each was due,
and how many failed. A process of its own.
"""

from __future__ import annotations

import asyncio
import random
import statistics
import sys
import time

MILLISECONDS = 1000.0
PERCENTILES = 100
ANSWER_SECONDS = 20.0


class Caller:
    """One connection of one test visitor."""

    def __init__(self, port: int, host: str, function: str) -> None:
        body = b'{"function":"%s","params":{}}' % function.encode()
        head = f"POST /api/data/lua/call HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        self._request = head.encode() + body
        self._port = port

    async def connect(self) -> None:
        """Open the connection over which all requests go."""
        self._reader, self._writer = await asyncio.open_connection("127.0.0.1", self._port)

    async def ask(self) -> bool:
        """Ask once; return whether the answer was 200."""
        self._writer.write(self._request)
        async with asyncio.timeout(ANSWER_SECONDS):
            head = await self._reader.readuntil(b"\r\n\r\n")
            length = int(head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0])
            await self._reader.readexactly(length)
        return head.startswith(b"HTTP/1.1 200")


async def innocent(caller: Caller, end: float, latencies: list[float], failed: list[None]) -> None:
    """Ask once a second until `end`."""
    await caller.connect()
    due = time.perf_counter() + random.random()
    while due < end:
        await asyncio.sleep(max(0.0, due - time.perf_counter()))
        if await caller.ask():
            latencies.append(time.perf_counter() - due)
        else:
            failed.append(None)
        due += 1.0


async def hostile(caller: Caller) -> None:
    """Ask for the endless script as soon as the last one has timed out."""
    await caller.connect()
    while True:
        await caller.ask()


async def main(port: int, host: str, innocents: int, seconds: float, callers: int, connections: int) -> None:
    """Run the crowd for so many seconds, and print what the innocent ones have seen."""
    latencies: list[float] = []
    failed: list[None] = []
    end = time.perf_counter() + seconds
    names = [f"hostile{number}.{host}" for number in range(callers) for _ in range(connections)]
    loops = [asyncio.create_task(hostile(Caller(port, name, "loop"))) for name in names]
    await asyncio.gather(*(innocent(Caller(port, f"i{number}.{host}", "hello"), end, latencies, failed) for number in range(innocents)))
    for loop in loops:
        loop.cancel()
    p99 = statistics.quantiles(latencies, n=PERCENTILES)[-1]
    print(*(round(figure * MILLISECONDS, 2) for figure in (statistics.median(latencies), p99, max(latencies))), len(failed))


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), sys.argv[2], int(sys.argv[3]), float(sys.argv[4]), int(sys.argv[5]), int(sys.argv[6])))
