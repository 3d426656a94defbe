"""Bare py-libp2p doing what a call of a data function and a file of a site do on the wire. Trio alone, no asyncio.

It runs in the environment of tests/interop/python, and nothing of ours may import it.

`python -m benchmarks.bare_p2p serve FILE` prints its address and answers until it is ended; `… new|kept ADDRESS SECONDS AT_ONCE` prints
exchanges a second, each over a new stream or all of a task over one; `… files ADDRESS COUNT` prints megabytes a second.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import sys
import time
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

import trio
from libp2p import new_host
from libp2p.abc import IHost
from libp2p.crypto.ed25519 import create_new_key_pair
from libp2p.crypto.x25519 import create_new_key_pair as create_new_noise_key_pair
from libp2p.custom_types import TProtocol
from libp2p.network.stream.exceptions import StreamError
from libp2p.network.stream.net_stream import NetStream
from libp2p.peer.peerinfo import info_from_p2p_addr
from libp2p.security.noise.transport import PROTOCOL_ID as NOISE
from libp2p.security.noise.transport import Transport as NoiseTransport
from libp2p.stream_muxer.yamux.yamux import PROTOCOL_ID as YAMUX
from libp2p.stream_muxer.yamux.yamux import Yamux
from multiaddr import Multiaddr

NEW = TProtocol("/goop/data/1.0.0")
KEPT = TProtocol("/goop/data-keep/1.0.0")
FILE = TProtocol("/goop/site/1.0.0")
REQUEST = b'{"op":"lua-call","function":"hello","params":{}}\n'
ANSWER = b'{"ok":true,"data":"Hello, there"}\n'
PATH = b"GET /large.bin\n"
READ_BYTES = 65536
MEGABYTE = 1e6


def host() -> IHost:
    """As ours is secured and muxed."""
    keys = create_new_key_pair(secrets.token_bytes(32))
    noise = NoiseTransport(keys, noise_privkey=create_new_noise_key_pair().private_key)
    return new_host(key_pair=keys, sec_opt={NOISE: noise}, muxer_opt={TProtocol(YAMUX): Yamux})


async def line(stream: NetStream) -> bytes:
    """Return a whole line, with its end."""
    got = b""
    while not got.endswith(b"\n"):
        got += await stream.read(READ_BYTES)
    return got


async def answer(stream: NetStream) -> None:
    """Answer one request, and close the stream."""
    await line(stream)
    await stream.write(ANSWER)
    await stream.close()


async def keep_answering(stream: NetStream) -> None:
    """Answer one request after the other over one stream."""
    with contextlib.suppress(StreamError):
        while True:
            await line(stream)
            await stream.write(ANSWER)


async def send(path: str, stream: NetStream) -> None:
    """Send the file as it is read, piece by piece."""
    await line(stream)
    with open(path, "rb") as content:  # noqa: ASYNC230, PTH123 (as plainly as it goes)
        await stream.write(b"OK application/octet-stream %d\n" % os.fstat(content.fileno()).st_size)
        while piece := content.read(READ_BYTES):
            await stream.write(piece)
    await stream.close()


async def serve(file: str) -> None:
    """Serve the three protocols until the process is ended; print the address first."""
    this = host()
    async with this.run([Multiaddr("/ip4/127.0.0.1/tcp/0")]):
        for protocol, handler in ((NEW, answer), (KEPT, keep_answering), (FILE, partial(send, file))):
            this.set_stream_handler(protocol, handler)  # type: ignore[arg-type]
        print(f"{this.get_addrs()[0]}", flush=True)
        await trio.sleep_forever()


async def ask(kind: str, address: str, *arguments: str) -> None:
    """Connect, and print the figure."""
    this = host()
    async with this.run([Multiaddr("/ip4/127.0.0.1/tcp/0")]):
        info = info_from_p2p_addr(Multiaddr(address))
        await this.connect(info)
        measures: dict[str, Callable[..., Awaitable[float]]] = {"new": exchanges, "kept": exchanges_kept, "files": files}
        print(await measures[kind](partial(this.new_stream, info.peer_id), *arguments), flush=True)


Opened = Callable[[list[TProtocol]], Awaitable[Any]]


async def exchanges(opened: Opened, seconds: str, at_once: str) -> float:
    """A second, each over a stream of its own."""

    async def one() -> None:
        stream = await opened([NEW])
        await stream.write(REQUEST)
        await line(stream)
        await stream.close()

    return await repeated([one] * int(at_once), float(seconds))


async def exchanges_kept(opened: Opened, seconds: str, at_once: str) -> float:
    """A second, over as many streams as are under way."""

    def over(stream: NetStream) -> Callable[[], Awaitable[None]]:
        async def one() -> None:
            await stream.write(REQUEST)
            await line(stream)

        return one

    return await repeated([over(await opened([KEPT])) for _ in range(int(at_once))], float(seconds))


async def repeated(tasks: list[Callable[[], Awaitable[None]]], seconds: float) -> float:
    """How often a second they ended, all repeated at once."""
    count, begun = 0, time.perf_counter()

    async def keep_at(task: Callable[[], Awaitable[None]]) -> None:
        nonlocal count
        while time.perf_counter() - begun < seconds:
            await task()
            count += 1

    async with trio.open_nursery() as nursery:
        for task in tasks:
            nursery.start_soon(keep_at, task)
    return count / (time.perf_counter() - begun)


async def files(opened: Opened, count: str) -> float:
    """Megabytes a second, one file after another."""
    begun, total = time.perf_counter(), 0
    for _ in range(int(count)):
        stream = await opened([FILE])
        await stream.write(PATH)
        header, _newline, body = (await stream.read(READ_BYTES)).partition(b"\n")
        size, got = int(header.split()[-1]), len(body)
        while got < size:
            got += len(await stream.read(READ_BYTES))
        await stream.close()
        total += size
    return total / MEGABYTE / (time.perf_counter() - begun)


if __name__ == "__main__":
    if sys.argv[1] == "serve":
        trio.run(serve, sys.argv[2])
    else:
        trio.run(ask, *sys.argv[1:])
