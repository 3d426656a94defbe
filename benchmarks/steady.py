"""A client that asks at a steady rate, whatever the answers do: how long a caller waits who does not wait for others.

Run as `python -m benchmarks.steady PORT HOST PER_SECOND SECONDS < BODY`; posts the body to /api/data/lua/call and prints the latencies'
median, 99th percentile and maximum in milliseconds, each counted from when the request was due. A process of its own.
"""

from __future__ import annotations

import asyncio
import statistics
import sys
import time

CONNECTIONS = 32
MILLISECONDS = 1000.0
PERCENTILES = 100


class Client(asyncio.Protocol):
    """A connection with one request under way at a time; whoever comes meanwhile waits his turn."""

    def __init__(self, request: bytes) -> None:
        self._request = request
        self._waiting: list[float] = []
        self._got = b""
        self.latencies: list[float] = []
        self.transport: asyncio.Transport | None = None
        self.answered = asyncio.Event()
        """Set while nothing is under way."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the connection that was made (asyncio.Protocol)."""
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def ask(self, due: float) -> None:
        """A request that was due at `due`."""
        self._waiting.append(due)
        self.answered.clear()
        if len(self._waiting) == 1:
            self._send()

    def _send(self) -> None:
        assert self.transport is not None
        self.transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        """asyncio.Protocol. The answers are short and their length is told."""
        self._got += data
        head, found, body = self._got.partition(b"\r\n\r\n")
        if not found or len(body) < int(head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0]):
            return
        assert head.startswith(b"HTTP/1.1 200"), head
        self._got = b""
        self.latencies.append(time.perf_counter() - self._waiting.pop(0))
        if self._waiting:
            self._send()
        else:
            self.answered.set()


async def main(port: int, host: str, per_second: float, seconds: float, body: bytes) -> None:
    """Ask so many times a second for so many seconds; print median, 99th percentile and longest of the latencies, in ms."""
    head = f"POST /api/data/lua/call HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    loop = asyncio.get_running_loop()
    clients = [(await loop.create_connection(lambda: Client(head.encode() + body), "127.0.0.1", port))[1] for _ in range(CONNECTIONS)]
    begun, number = time.perf_counter(), 0
    while (now := time.perf_counter() - begun) < seconds:
        while number / per_second <= now:
            clients[number % CONNECTIONS].ask(begun + number / per_second)
            number += 1
        await asyncio.sleep(1 / per_second)
    await asyncio.gather(*(client.answered.wait() for client in clients))
    latencies = [latency * MILLISECONDS for client in clients for latency in client.latencies]
    for client in clients:
        assert client.transport is not None
        client.transport.close()
    print(statistics.median(latencies), statistics.quantiles(latencies, n=PERCENTILES)[-1], max(latencies))


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), sys.argv[2], float(sys.argv[3]), float(sys.argv[4]), sys.stdin.buffer.read()))
