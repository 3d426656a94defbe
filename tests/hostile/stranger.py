"""A stranger on the network that means harm: `python -m tests.hostile.stranger ATTACK ADDRESS`.

Says `begun` each time it begins, and goes on until it is killed: what the peer refuses does not stop it. It is a host of ours that keeps
none of our limits.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import socket
import sys
import time
from collections.abc import AsyncIterator, Callable, Coroutine

from tests.net.hosts import LOOPBACK, new_identity

from goop2.net import frames, muxer, negotiation
from goop2.net.address import parse
from goop2.net.connection import Connection
from goop2.net.host import open_host
from goop2.net.limits import HostLimits
from goop2.net.muxer import MuxedStream
from goop2.net.transport import SocketTransport

DATA, KEPT, SITE, MQ = (f"/goop/{name}/1.0.0" for name in ("data", "data-keep", "site", "mq"))
PIECE = b"x" * 65536
SOURCE = f"127.66.{secrets.randbelow(255)}.{secrets.randbelow(254) + 1}"
"""A stranger has an address of its own, which is what the peer counts connections by."""


@contextlib.asynccontextmanager
async def connected(address: str) -> AsyncIterator[Connection]:
    """A connection from SOURCE."""
    other = parse(address)
    opened = socket.socket()
    opened.setblocking(False)
    opened.bind((SOURCE, 0))
    async with open_host(new_identity(), 0, HostLimits(bytes_per_minute_and_peer=1 << 60), LOOPBACK) as host:
        await asyncio.get_running_loop().sock_connect(opened, (LOOPBACK, int(other.transport.rpartition("/")[2])))
        connection = await host.upgrade(SocketTransport(opened), opened_by_us=True, expected=other.peer)
        print("begun", flush=True)
        yield connection


async def spoken(connection: Connection, protocol: str) -> MuxedStream:
    """A stream that speaks a protocol."""
    stream = connection.open()
    await negotiation.choose(stream, (protocol,))
    return stream


async def opens_streams(address: str) -> None:
    """Ten thousand, and closes none."""
    async with connected(address) as connection:
        for _ in range(10_000):
            connection.open()
            await asyncio.sleep(0)
        await connection.closed.wait()


async def negotiates_streams(address: str) -> None:
    """As many as it can have that speak a protocol and say nothing."""
    async with connected(address) as connection, asyncio.TaskGroup() as tasks:
        for each in range(10_000):
            tasks.create_task(spoken(connection, (DATA, KEPT, SITE, MQ)[each % 4]))
            await asyncio.sleep(0.001)  # so that what is answered meanwhile is heard


async def sends_a_line_without_end(address: str) -> None:
    """A gigabyte."""
    async with connected(address) as connection:
        stream = await spoken(connection, DATA)
        for _ in range(1 << 14):
            await stream.write(PIECE)


async def drips(address: str) -> None:
    """One byte a second, on many streams."""
    async with connected(address) as connection:
        streams = [await spoken(connection, (DATA, KEPT, SITE, MQ)[each % 4]) for each in range(60)]
        while True:
            for stream in streams:
                with contextlib.suppress(Exception):
                    await stream.write(b"x")
            await asyncio.sleep(1)


async def reads_no_answer(address: str) -> None:
    """Asks for what is large, again and again, and takes none of it."""
    async with connected(address) as connection, asyncio.TaskGroup() as tasks:

        async def ask() -> None:
            stream = await spoken(connection, SITE)
            await stream.write(b"GET /film.bin\n")

        for _ in range(10_000):
            tasks.create_task(ask())
            await asyncio.sleep(0.01)  # as fast as a film is asked for without a pause


async def ignores_windows(address: str) -> None:
    """Sends what the peer has no room for."""
    while True:
        with contextlib.suppress(Exception):
            async with connected(address) as connection:
                stream = await spoken(connection, MQ)
                stream.send_window = 1 << 40
                for _ in range(1 << 14):
                    await stream.write(PIECE)


async def floods_frames(address: str) -> None:
    """Pings, each to be answered."""
    async with connected(address) as connection:
        ping = frames.write(frames.PING, frames.SYN, 0, 7) * 2000
        while connection.is_open:
            connection.muxer.post(ping)
            await asyncio.sleep(0)


async def connects_and_says_nothing(address: str) -> None:
    """More connections than there are places, each held at another step."""
    port = int(parse(address).transport.rpartition("/")[2])
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
        await asyncio.sleep(0.01)
        del held[:-400]


ATTACKS: dict[str, Callable[[str], Coroutine[object, object, None]]] = {
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
    vars(muxer)["STREAMS_PER_DIRECTION"] = 1_000_000
    while True:
        with contextlib.suppress(Exception):
            asyncio.run(ATTACKS[sys.argv[1]](sys.argv[2]))
        time.sleep(0.1)
