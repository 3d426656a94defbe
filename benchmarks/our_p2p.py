"""A peer of ours that asks another: `python -m benchmarks.our_p2p ADDRESS SECONDS AT_ONCE` prints calls of `hello` a second.

`… file ADDRESS PATH` prints megabytes a second of a file of its site.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
import time
from pathlib import Path

import uvloop

from goop2.network import Network, join
from goop2.p2p.address import parse
from goop2.p2p.protocols.data import Success
from goop2.peer import open_peer

MEGABYTE = 1e6


async def main(address: str, then: str, *arguments: str) -> None:
    """Open a peer, connect, and ask."""
    with tempfile.TemporaryDirectory() as name:
        (Path(name) / "goop.json").write_text("{}")
        async with open_peer(Path(name), {}) as peer, join(peer, 0, listen_on="127.0.0.1", near_by=False) as network:
            other = parse(address)
            await network.host.connect(other.peer, [other])
            figure = await (file(network, other.peer, arguments[0]) if then == "file" else calls(network, other.peer, then, *arguments))
            print(figure, flush=True)


async def calls(network: Network, peer: str, seconds: str, at_once: str) -> float:
    """Calls a second."""
    count, begun = 0, time.perf_counter()

    async def keep_calling() -> None:
        nonlocal count
        while time.perf_counter() - begun < float(seconds):
            answer = await network.calling.call(peer, "hello")
            assert isinstance(answer, Success), answer
            count += 1

    await asyncio.gather(*(keep_calling() for _ in range(int(at_once))))
    return count / (time.perf_counter() - begun)


async def file(network: Network, peer: str, path: str) -> float:
    """Megabytes a second."""
    begun, size = time.perf_counter(), 0
    async with network.calling.file(peer, path) as answer:
        async for piece in answer.pieces:
            size += len(piece)
        assert size == answer.size
    return size / MEGABYTE / (time.perf_counter() - begun)


if __name__ == "__main__":
    uvloop.run(main(*sys.argv[1:]))
