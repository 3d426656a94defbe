"""Many visitors of one site, each with a name of its own: they ask for what the templates' pages ask for, at a steady rate altogether.

Run as `python -m proof.visitors PORT HOST VISITORS PER_SECOND SECONDS HOSTILE`. Prints one JSON object: how many asked, the first failures,
and median and 99th percentile in milliseconds, counted from when a request was due. HOSTILE visitors beside them call an endless script all
the time. A process of its own, which asks nobody but 127.0.0.1.
"""

from __future__ import annotations

import asyncio
import json
import random
import statistics
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

CONNECTIONS: Final = 64
"""A browser lets several pages share a few; all of ours share these."""
ANSWER_SECONDS: Final = 20.0
PERCENTILES: Final = 100
MILLISECONDS: Final = 1000.0
FAILURES_TOLD: Final = 5


@dataclass(frozen=True)
class Question:
    """What a page asks, and how often of a hundred times."""

    share: int
    method: str
    path: str
    body: bytes = b""

    def sent(self, host: str) -> bytes:
        """Return the request of a visitor."""
        head = f"{self.method} {self.path} HTTP/1.1\r\nHost: {host}\r\nAccept: application/json\r\nContent-Type: application/json\r\n"
        return head.encode() + b"Content-Length: %d\r\n\r\n" % len(self.body) + self.body


def _call(share: int, function: str, params: str = "{}") -> Question:
    return Question(share, "POST", "/api/data/lua/call", b'{"function":"%s","params":%s}' % (function.encode(), params.encode()))


QUESTIONS: Final = (
    _call(35, "greet"),
    _call(15, "score-quiz", '{"answers":["D","A","C","B","A"]}'),
    _call(10, "visit"),
    Question(15, "POST", "/api/data/query", b'{"table":"guestbook","limit":20}'),
    Question(5, "POST", "/api/data/insert", b'{"table":"guestbook","data":{"name":"A visitor","message":"I was here."}}'),
    Question(10, "GET", "/index.html"),
    Question(10, "GET", "/guestbook/guestbook.js"),
)
ENDLESS: Final = _call(0, "endless")


@dataclass
class Seen:
    """What the visitors have seen: how long each answer took, and what failed."""

    latencies: list[float] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)


class Connection:
    """One connection, opened anew when the other side has closed it."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def ask(self, request: bytes) -> tuple[int, bytes]:
        """Return status and body of the answer."""
        async with asyncio.timeout(ANSWER_SECONDS):
            if self._streams is None:
                self._streams = await asyncio.open_connection("127.0.0.1", self._port)
            reader, writer = self._streams
            writer.write(request)
            head = (await reader.readuntil(b"\r\n\r\n")).lower()
            length = head.partition(b"content-length: ")[2].split(b"\r\n")[0]
            body = await reader.readexactly(int(length)) if length else b""
            if b"connection: close" in head:
                writer.close()
                self._streams = None
            return int(head.split()[1]), body


def _visitors(host: str, count: int) -> Iterator[str]:
    """Yield the host that stands for each visitor, again and again."""
    while True:
        for number in range(count):
            yield f"i{number}.{host}"


async def _steadily(port: int, host: str, visitors: int, per_second: float, end: float, seen: Seen) -> None:
    """Ask as often as said until `end`, whatever the answers do."""
    idle: asyncio.Queue[Connection] = asyncio.Queue()
    for _ in range(CONNECTIONS):
        idle.put_nowait(Connection(port))
    names, chance, due = _visitors(host, visitors), random.Random(visitors), time.perf_counter()
    shares = [question.share for question in QUESTIONS]
    async with asyncio.TaskGroup() as tasks:
        while due < end:
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
            (question,) = chance.choices(QUESTIONS, shares)
            tasks.create_task(_one(idle, question, next(names), due, seen))
            due += 1 / per_second


async def _one(idle: asyncio.Queue[Connection], question: Question, host: str, due: float, seen: Seen) -> None:
    connection = await idle.get()
    try:
        status, body = await connection.ask(question.sent(host))
        if status >= 300:
            seen.failures.append(f"{question.path}: {status} {body[:200].decode('utf-8', 'replace')}")
    except (OSError, EOFError, TimeoutError) as error:
        seen.failures.append(f"{question.path}: {type(error).__name__} {error}")
        connection = Connection(connection._port)
    finally:
        idle.put_nowait(connection)
    seen.latencies.append(time.perf_counter() - due)


async def _endlessly(port: int, host: str) -> None:
    connection = Connection(port)
    while True:
        try:
            await connection.ask(ENDLESS.sent(host))
        except (OSError, EOFError, TimeoutError):
            connection = Connection(port)


async def main(port: int, host: str, visitors: int, per_second: float, seconds: float, hostile: int) -> None:
    """Ask for so long, and print what was seen."""
    seen = Seen()
    attackers = [asyncio.create_task(_endlessly(port, f"h{number}.{host}")) for number in range(hostile)]
    await _steadily(port, host, visitors, per_second, time.perf_counter() + seconds, seen)
    for attacker in attackers:
        attacker.cancel()
    figures = [latency * MILLISECONDS for latency in seen.latencies]
    print(
        json.dumps(
            {
                "asked": len(figures),
                "failed": len(seen.failures),
                "failures": seen.failures[:FAILURES_TOLD],
                "median": round(statistics.median(figures), 2),
                "p99": round(statistics.quantiles(figures, n=PERCENTILES)[-1], 2),
            }
        )
    )


if __name__ == "__main__":
    _, port_, host_, visitors_, per_second_, seconds_, hostile_ = sys.argv
    asyncio.run(main(int(port_), host_, int(visitors_), float(per_second_), float(seconds_), int(hostile_)))
