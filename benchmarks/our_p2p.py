"""A peer of ours that asks another: `python -m benchmarks.our_p2p new|kept ADDRESS SECONDS AT_ONCE` prints calls of `hello` a second.

`new`: each over a stream of its own, as peers without kept streams get them; `kept`: as it calls. `… files ADDRESS COUNT` prints
megabytes a second of a file of the peer's site, `… dial ADDRESS COUNT` milliseconds, `… layers ADDRESS kept SECONDS AT_ONCE` and
`… layers ADDRESS files COUNT` where this side's time goes, as JSON.
"""

from __future__ import annotations

import asyncio
import json
import logging
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import msgspec
import structlog
import uvloop

from benchmarks.layers import sampled
from goop2.app import join, open_peer
from goop2.folder.identity import ephemeral
from goop2.net.address import parse
from goop2.net.host import open_host
from goop2.net.limits import ANSWER_SECONDS
from goop2.peers.network import PeerNetwork
from goop2.protocols import data

MEGABYTE = 1e6


async def main(kind: str, address: str, *arguments: str) -> None:
    """Open a peer, connect, and ask."""
    if kind == "dial":
        print(await dial(address, int(arguments[0])), flush=True)
        return
    with tempfile.TemporaryDirectory() as name:
        (Path(name) / "goop.json").write_text("{}")
        async with open_peer(Path(name), {}) as peer, join(peer, 0, listen_on="127.0.0.1", near_by=False) as network:
            other = parse(address)
            await network.host.connect(other.peer, [other])
            if kind == "layers":
                with sampled() as counted:
                    await measured(network, other.peer, *arguments)
                print(json.dumps(counted, separators=(",", ":")).replace(" ", "_"), flush=True)
            else:
                print(await measured(network, other.peer, kind, *arguments), flush=True)


async def measured(network: PeerNetwork, peer: str, kind: str, *arguments: str) -> float:
    """The figure of one kind of exchange."""
    if kind == "files":
        return await files(network, peer, int(arguments[0]))
    return await calls({"new": over_new, "kept": as_it_calls}[kind](network, peer), *map(float, arguments))


Call = Callable[[], Awaitable[data.Answer]]


def as_it_calls(network: PeerNetwork, peer: str) -> Call:
    """Return a call as the peer makes it, over a kept stream where there is one."""
    return lambda: network.client.call(peer, "hello")


def over_new(network: PeerNetwork, peer: str) -> Call:
    """A call over a stream of its own."""
    question = data.request(data.DataRequest("lua-call", function="hello", params=msgspec.Raw(b"{}")))

    async def call() -> data.Answer:
        return data.answered(await network.host.ask(peer, data.PROTOCOL, question, data.answer_reader(), ANSWER_SECONDS))

    return call


async def dial(address: str, count: int) -> float:
    """Return the median of so many dials in milliseconds: TCP, Noise, and until the other side has said what it is."""
    other, seconds = parse(address), []
    async with open_host(ephemeral(), 0, None, "127.0.0.1") as host:
        for _ in range(count):
            begun = time.perf_counter()
            await host.connect(other.peer, [other])
            (connection,) = host.connections()
            await connection.identify_done.wait()
            seconds.append(time.perf_counter() - begun)
            assert connection.identified is not None
            await host.disconnect(other.peer)
    return statistics.median(seconds) * 1000


async def calls(call: Call, seconds: float, at_once: float) -> float:
    """Return how many calls a second are answered with so many at once."""
    count, begun = 0, time.perf_counter()

    async def keep_calling() -> None:
        nonlocal count
        while time.perf_counter() - begun < seconds:
            answer = await call()
            assert isinstance(answer, data.SuccessAnswer), answer
            count += 1

    await asyncio.gather(*(keep_calling() for _ in range(int(at_once))))
    return count / (time.perf_counter() - begun)


async def files(network: PeerNetwork, peer: str, count: int) -> float:
    """Megabytes a second, one file after another."""
    begun, size = time.perf_counter(), 0
    for _ in range(count):
        async with network.client.file(peer, "/large.bin") as answer:
            async for piece in answer.pieces:
                size += len(piece)
    return size / MEGABYTE / (time.perf_counter() - begun)


if __name__ == "__main__":
    # The figure is the last word on standard output, where log lines would go too.
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    uvloop.run(main(*sys.argv[1:]))
