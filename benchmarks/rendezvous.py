"""A rendezvous server with thousands of peers: what it takes of a core, what an event costs, and whether anybody is lost.

`goop2 rendezvous` runs as a user starts it. The peers are simulated by other processes, each peer with two connections as a real one has:
it posts an announcement every five seconds and reads the events. Every reader's events are counted; some readers are followed one by one:
how long they did not hear of a peer that was there. Too long is what other peers take for "gone".
"""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import random
import re
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess
from typing import Final, cast

import psutil
import uvloop

from benchmarks.report import table
from goop2.protocols import base58
from goop2.rendezvous.limits import SILENT_SECONDS

HEARTBEAT_SECONDS: Final = 5.0
MEASURED_SECONDS: Final = 30.0
SETTLED_SECONDS: Final = 15.0
"""From the last connection on: the lists of who is here are sent, and everybody has been handed on twice."""
FOLLOWED: Final = 12
"""Readers of each process whose every event is read."""
PROCESSES: Final = 2
CONNECTED_AT_ONCE: Final = 10
CONNECT_PAUSE_SECONDS: Final = 0.05
PERCENT: Final = 100.0
MICROSECONDS: Final = 1e6
MEGABYTE: Final = 2**20
_WHO: Final = re.compile(rb'"peerId":"(\w+)"')
_EVENT: Final = b"\ndata: "


@dataclass(frozen=True)
class Crowd:
    """The crowd that is simulated: so many peers, and how many others each asks for."""

    name: str
    peers: int
    asked_for: int = 0
    """Peers that each reader names; 0: everybody."""


CROWDS: Final = (
    Crowd("1,000 that hear everybody", 1000),
    Crowd("5,000 that ask for 50 each", 5000, 50),
    Crowd("2,000 that hear everybody", 2000),
)

INTRODUCTION = f"""`goop2 rendezvous` on loopback, and as many simulated peers as the line says: each has two connections,
announces itself every {HEARTBEAT_SECONDS:.0f} s and reads `/events`. The simulation runs on the same cores as the server. "Late" is the
longest time that one of {FOLLOWED * PROCESSES} followed readers did not hear of a peer that was there; from {SILENT_SECONDS:.0f} s on it
counts as gone, and "lost" says how many times that happened, and of how many pairs of a followed reader and a peer. The first two lines are
the targets; the last one is beyond them. A server that gets no processor for seconds is late too: the load of the machine is in the
last column."""


@dataclass
class Heard:
    """What the readers of one process have heard in the measured time."""

    events: int = 0
    bytes: int = 0
    posts: int = 0
    refused: int = 0
    ended: int = 0
    readers: int = 0
    pairs: int = 0
    lost: int = 0
    latest: float = 0.0
    cpu: float = 0.0


@dataclass
class _Reader(asyncio.Protocol):
    """A connection that reads events. Followed ones note who was heard when; the others count."""

    request: bytes
    heard: Heard
    expected: frozenset[bytes] | None
    seen: dict[bytes, float] = field(default_factory=dict)
    rest: bytes = b""
    began: bool = False
    measuring: bool = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Ask for the stream of events."""
        cast("asyncio.Transport", transport).write(self.request)

    def data_received(self, data: bytes) -> None:
        """Count the readers that are let in, and the bytes of events while it is measured."""
        if not self.began:
            self.began = True
            self.heard.readers += data.startswith(b"HTTP/1.1 200")
            self.heard.refused += not data.startswith(b"HTTP/1.1 200")
        if self.measuring:
            self.heard.events += data.count(_EVENT)
            self.heard.bytes += len(data)
        if self.expected is not None:
            now, text = time.monotonic(), self.rest + data
            for who in _WHO.findall(text):
                if self.measuring and who in self.seen:
                    self._gap(now - self.seen[who])
                self.seen[who] = now
            self.rest = text[-100:].rpartition(b"\n")[2] if not text.endswith(b"\n") else b""

    def begin(self) -> None:
        """Begin to measure; who was not heard yet counts from now."""
        self.measuring = True
        for who in self.expected or ():
            self.seen.setdefault(who, time.monotonic())

    def end(self) -> None:
        """Count who was silent until now."""
        self.measuring = False
        for who in self.expected or ():
            self.heard.pairs += 1
            self._gap(time.monotonic() - self.seen[who])

    def _gap(self, seconds: float) -> None:
        self.heard.latest = max(self.heard.latest, seconds)
        self.heard.lost += seconds >= SILENT_SECONDS


class _Poster(asyncio.Protocol):
    """A connection that posts an announcement every five seconds."""

    def __init__(self, peer: bytes, address: bytes, heard: Heard) -> None:
        self._peer, self._address, self._heard = peer, address, heard
        self._transport: asyncio.Transport | None = None

    def connection_lost(self, _error: Exception | None) -> None:
        """Note that the server has ended the connection."""
        self._heard.ended += 1

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Post announcements from now on."""
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is none of its classes
        self._post()

    def data_received(self, data: bytes) -> None:
        """Count the answers to the posts, taken or refused."""
        taken = data.count(b"HTTP/1.1 204")
        self._heard.posts += taken
        self._heard.refused += not taken

    def _post(self) -> None:
        if self._transport is None or self._transport.is_closing():
            return
        said = (
            b'{"type":"update","peerId":"%s","content":"peer of the crowd","addrs":["/ip4/192.0.2.7/tcp/4001","/ip4/10.1.2.3/tcp/4001",'
            b'"/ip6/2001:db8::7/tcp/4001"],"encryptionSupported":true,"ts":%d}' % (self._peer, int(time.time() * 1000))
        )
        head = b"POST /publish HTTP/1.1\r\nHost: x\r\nX-Forwarded-For: %s\r\nContent-Length: %d\r\n\r\n" % (self._address, len(said))
        self._transport.write(head + said)
        asyncio.get_running_loop().call_later(HEARTBEAT_SECONDS * random.uniform(0.97, 1.03), self._post)


def _peer(number: int) -> bytes:
    return base58.encode(b"\x00\x24\x08\x01\x12\x20" + number.to_bytes(32, "big")).encode()


async def _simulate(crowd: Crowd, process: int, port: int, line: Connection) -> None:
    """Be a share of the crowd; say when all are connected, measure when told, and send what was heard."""
    loop, heard, readers = asyncio.get_running_loop(), Heard(), list[_Reader]()
    chosen = random.Random(process)
    everybody = [_peer(number) for number in range(crowd.peers)]
    own = range(process, crowd.peers, PROCESSES)
    for count, number in enumerate(own):
        address = b"10.%d.%d.%d" % (number >> 16, (number >> 8) & 255, number & 255)
        names = chosen.sample(everybody, crowd.asked_for) if crowd.asked_for else everybody
        path = b"/events?peers=" + b",".join(names) if crowd.asked_for else b"/events"
        request = b"GET %s HTTP/1.1\r\nHost: x\r\nX-Forwarded-For: %s\r\n\r\n" % (path, address)
        reader = _Reader(request, heard, frozenset(names) if count < FOLLOWED else None)
        await loop.create_connection(lambda reader=reader: reader, "127.0.0.1", port)  # type: ignore[misc]
        poster = _Poster(everybody[number], address, heard)
        await loop.create_connection(lambda poster=poster: poster, "127.0.0.1", port)  # type: ignore[misc]
        readers.append(reader)
        if count % CONNECTED_AT_ONCE == 0:
            await asyncio.sleep(CONNECT_PAUSE_SECONDS)
    line.send("connected")
    await loop.run_in_executor(None, line.recv)
    heard.posts, cpu = 0, time.process_time()
    for reader in readers:
        reader.begin()
    await asyncio.sleep(MEASURED_SECONDS)
    for reader in readers:
        reader.end()
    heard.cpu = time.process_time() - cpu
    line.send(heard)
    await loop.run_in_executor(None, line.recv)


def _process(crowd: Crowd, process: int, port: int, line: Connection) -> None:
    uvloop.run(_simulate(crowd, process, port, line))


async def run() -> str:
    """Measure, and return the section of docs/benchmarks.md."""
    lines = [await asyncio.to_thread(_measured, crowd) for crowd in CROWDS]
    head = [
        "peers",
        "processor, % of a core",
        "simulation, %",
        "events/s",
        "µs an event",
        "MB/s",
        "late, s",
        "lost",
        "refused",
        "memory, MB",
    ]
    return "\n\n".join(["## A rendezvous with thousands of peers", INTRODUCTION, table(head, lines), _sum(lines)])


def _measured(crowd: Crowd) -> list[str]:
    """Run one crowd; return its line."""
    command = [sys.executable, "-m", "goop2", "rendezvous", "--http", "127.0.0.1:0"]
    if "--proxy" in subprocess.run([*command[:-2], "--help"], capture_output=True, text=True, check=True).stdout:
        command += ["--proxy", "127.0.0.1"]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    context = multiprocessing.get_context("spawn")
    crowds: list[SpawnProcess] = []
    try:
        assert server.stdout is not None
        port = int(re.search(r":(\d+)/", server.stdout.readline())[1])  # type: ignore[index]
        lines = [context.Pipe() for _ in range(PROCESSES)]
        crowds = [context.Process(target=_process, args=(crowd, number, port, lines[number][1])) for number in range(PROCESSES)]
        for each, (_, theirs) in zip(crowds, lines, strict=True):
            each.start()
            theirs.close()  # so that the end of a process ends the wait for it
        for ours, _ in lines:
            ours.recv()
        time.sleep(SETTLED_SECONDS)
        before, begun = psutil.Process(server.pid).cpu_times(), time.monotonic()
        for ours, _ in lines:
            ours.send("measure")
        heard = [ours.recv() for ours, _ in lines]
        after, seconds = psutil.Process(server.pid).cpu_times(), time.monotonic() - begun
        memory = psutil.Process(server.pid).memory_info().rss / MEGABYTE
        for ours, _ in lines:
            ours.send("end")
        for each in crowds:
            each.join()
    finally:
        for each in crowds:
            each.kill()
        server.send_signal(signal.SIGTERM)
        server.wait()
    cpu = after.user + after.system - before.user - before.system
    events = sum(each.events for each in heard)
    return [
        crowd.name,
        f"{PERCENT * cpu / seconds:.0f}",
        f"{PERCENT * sum(each.cpu for each in heard) / seconds:.0f}",
        f"{events / seconds:,.0f}",
        f"{MICROSECONDS * cpu / max(1, events):.2f}",
        f"{sum(each.bytes for each in heard) / seconds / MEGABYTE:.1f}",
        f"{max(each.latest for each in heard):.1f}",
        f"{sum(each.lost for each in heard)} of {sum(each.pairs for each in heard):,}",
        str(sum(each.refused for each in heard)),
        f"{memory:.0f}",
        f"{os.getloadavg()[0]:.1f}",
    ]


def _sum(lines: list[list[str]]) -> str:
    """Return what the cost of an event says of a hundred thousand peers."""
    cost = float(lines[0][4])
    asked = float(lines[1][4])
    return (
        "A hundred thousand peers that ask for 50 each are 500,000 events and 20,000 announcements a second; at "
        f"{asked:.1f} µs an event (announcements included) that is {asked * 0.5:.1f} cores, so as many servers that share what they hear. "
        f"If they heard everybody, it would be 10⁹ events a second, {cost * 1000:,.0f} cores and 250 GB/s, so a peer asks for those it "
        "knows."
    )
