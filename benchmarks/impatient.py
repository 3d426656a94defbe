"""Connections whose clients ask, give up when the answer takes too long, and come again at once with a new connection.

Run as `python -m benchmarks.impatient PORT HOST CONNECTIONS SECONDS`; every connection is another test visitor of the site HOST. Prints
answers, refusals (503) and hang-ups a second. One process on uvloop with bare protocols: it shares the machine with the peer it asks.
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections import Counter
from typing import cast

import uvloop

PATIENCE_SECONDS = 1.0
AGAIN_SECONDS = 0.01
"""Before a client whose connection was refused by the kernel tries again."""
WARM_PART = 3
"""One part in so many of the time goes before the counting: all connections are there by then."""
BODY = b'{"function":"hello","params":{}}'
ANSWERED, REFUSED, GAVE_UP = "answered", "refused", "gave up"


class Client(asyncio.Protocol):
    """One connection, which asks again and again."""

    def __init__(self, crowd: Crowd, host: str) -> None:
        head = f"POST /api/data/lua/call HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\nContent-Length: {len(BODY)}\r\n\r\n"
        self._request = head.encode() + BODY
        self._crowd = crowd
        self._host = host
        self._received = b""
        self._patience: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the connection that was made (asyncio.Protocol)."""
        self._transport = cast(asyncio.Transport, transport)
        self._ask()

    def _ask(self) -> None:
        self._received = b""
        self._transport.write(self._request)
        self._patience = asyncio.get_running_loop().call_later(PATIENCE_SECONDS, self._give_up)

    def _give_up(self) -> None:
        self._crowd.seen[GAVE_UP] += 1
        self._transport.abort()

    def data_received(self, data: bytes) -> None:
        """Take what has come (asyncio.Protocol)."""
        self._received += data
        head, whole, body = self._received.partition(b"\r\n\r\n")
        head = head.lower()
        if not whole or len(body) < int(head.partition(b"content-length: ")[2].split(b"\r\n")[0]):
            return
        self._forget()
        self._crowd.seen[ANSWERED if head.startswith(b"http/1.1 200") else REFUSED] += 1
        if b"connection: close" in head:
            self._transport.close()
        else:
            self._ask()

    def connection_lost(self, exc: Exception | None) -> None:
        """Take note that the connection has ended (asyncio.Protocol)."""
        del exc
        self._forget()
        self._crowd.come(self._host)

    def _forget(self) -> None:
        if self._patience is not None:
            self._patience.cancel()


class Crowd:
    """All of them, and what they saw."""

    def __init__(self, port: int) -> None:
        self.seen: Counter[str] = Counter()
        self._port = port
        self._coming: set[asyncio.Task[None]] = set()

    def come(self, host: str) -> None:
        """Open a connection, now and whenever the last one has ended."""
        task = asyncio.get_running_loop().create_task(self._open(host))
        self._coming.add(task)
        task.add_done_callback(self._coming.discard)

    async def _open(self, host: str) -> None:
        while True:
            try:
                await asyncio.get_running_loop().create_connection(lambda: Client(self, host), "127.0.0.1", self._port)
            except OSError:
                await asyncio.sleep(AGAIN_SECONDS)
            else:
                return


async def main(port: int, host: str, connections: int, seconds: float) -> None:
    """Count requests for so many seconds, after a while in which nothing counts."""
    crowd = Crowd(port)
    for number in range(connections):
        crowd.come(f"i{number}.{host}")
    await asyncio.sleep(seconds / WARM_PART)
    crowd.seen.clear()
    began = time.perf_counter()
    await asyncio.sleep(seconds)
    passed = time.perf_counter() - began
    print(*(round(crowd.seen[what] / passed, 1) for what in (ANSWERED, REFUSED, GAVE_UP)))


if __name__ == "__main__":
    uvloop.run(main(int(sys.argv[1]), sys.argv[2], int(sys.argv[3]), float(sys.argv[4])))
