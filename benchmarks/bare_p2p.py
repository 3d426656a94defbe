"""Bare py-libp2p doing what a call of a data function does on the wire: a new stream, a line of JSON each way. Trio alone, no asyncio.

`python -m benchmarks.bare_p2p serve` prints its address and answers until it is ended; `… ask ADDRESS SECONDS AT_ONCE` prints exchanges
a second.
"""

from __future__ import annotations

import secrets
import sys
import time

import trio
from libp2p import new_host
from libp2p.abc import IHost
from libp2p.crypto.ed25519 import create_new_key_pair
from libp2p.crypto.x25519 import create_new_key_pair as create_new_noise_key_pair
from libp2p.custom_types import TProtocol
from libp2p.network.stream.net_stream import NetStream
from libp2p.peer.peerinfo import info_from_p2p_addr
from libp2p.security.noise.transport import PROTOCOL_ID as NOISE
from libp2p.security.noise.transport import Transport as NoiseTransport
from libp2p.stream_muxer.yamux.yamux import PROTOCOL_ID as YAMUX
from libp2p.stream_muxer.yamux.yamux import Yamux
from multiaddr import Multiaddr

PROTOCOL = TProtocol("/goop/data/1.0.0")
REQUEST = b'{"op":"lua-call","function":"hello","params":{}}\n'
ANSWER = b'{"ok":true,"data":"Hello, there"}\n'
READ_BYTES = 65536


def host() -> IHost:
    """As ours is secured and muxed."""
    keys = create_new_key_pair(secrets.token_bytes(32))
    noise = NoiseTransport(keys, noise_privkey=create_new_noise_key_pair().private_key)
    return new_host(key_pair=keys, sec_opt={NOISE: noise}, muxer_opt={TProtocol(YAMUX): Yamux})


async def line(stream: NetStream) -> bytes:
    """A line, whole."""
    got = b""
    while not got.endswith(b"\n"):
        got += await stream.read(READ_BYTES)
    return got


async def answer(stream: NetStream) -> None:
    """One exchange."""
    await line(stream)
    await stream.write(ANSWER)
    await stream.close()


async def serve() -> None:
    """Until it is ended."""
    this = host()
    async with this.run([Multiaddr("/ip4/127.0.0.1/tcp/0")]):
        this.set_stream_handler(PROTOCOL, answer)  # type: ignore[arg-type]
        print(f"{this.get_addrs()[0]}", flush=True)
        await trio.sleep_forever()


async def ask(address: str, seconds: float, at_once: int) -> None:
    """As many exchanges as it takes."""
    this = host()
    count = 0
    async with this.run([Multiaddr("/ip4/127.0.0.1/tcp/0")]):
        info = info_from_p2p_addr(Multiaddr(address))
        await this.connect(info)
        begun = time.perf_counter()

        async def keep_asking() -> None:
            nonlocal count
            while time.perf_counter() - begun < seconds:
                stream = await this.new_stream(info.peer_id, [PROTOCOL])
                await stream.write(REQUEST)
                await line(stream)  # type: ignore[arg-type]
                await stream.close()
                count += 1

        async with trio.open_nursery() as nursery:
            for _ in range(at_once):
                nursery.start_soon(keep_asking)
        print(count / (time.perf_counter() - begun), flush=True)


if __name__ == "__main__":
    if sys.argv[1] == "serve":
        trio.run(serve)
    else:
        trio.run(ask, sys.argv[2], float(sys.argv[3]), int(sys.argv[4]))
