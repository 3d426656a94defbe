"""A mother of peers that come so far in an exchange and no further, for test_killed_in_phase.py.

Run as `python -m tests.hostile.stops_in_phase`. Each line on stdin is SIDE, PHASE, FOLDER and ADDRESS with tabs between: it forks a peer
with the identity in FOLDER that is asked (callee) or asks the peer at ADDRESS (caller). On stdout: its `pid N`, the callee's `address A`,
`acknowledged` for each message, `reached` when it is where it stops, and `ended` when it is gone. Forking saves the imports.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any, Final, NoReturn

import structlog
from tests.net.hosts import LOOPBACK

from goop2.app import join, open_peer
from goop2.folder.identity import load_or_create
from goop2.net.address import parse
from goop2.net.host import Host, open_host
from goop2.net.stream import Stream
from goop2.net.upgrade import Upgrader
from goop2.peers.client import PeerClient
from goop2.protocols import data, site

PHASES: Final = ("dialling", "negotiating", "unanswered", "file", "data", "message")
"""TCP connected and nothing said; the encryption not agreed on; a request not answered; a file half sent; an answer half sent; a message
kept and not acknowledged."""
MESSAGES: Final = ("one", "two", "three")
"""Sent and acknowledged before the last."""
LAST: Final = "last"
RESEND: Final = "resend"
"""A phase of its own: the last message comes again, and is acknowledged."""
FILE: Final = "film.bin"
FILE_BYTES: Final = 8 * 1024 * 1024


def say(line: str) -> None:
    os.write(1, f"{line}\n".encode())


async def stop() -> NoReturn:
    """Here."""
    say("reached")
    await asyncio.Event().wait()
    raise AssertionError


async def stop_whatever_is_given(*_arguments: object, **_keywords: object) -> NoReturn:
    await stop()


@contextlib.asynccontextmanager
async def a_host(folder: Path) -> AsyncIterator[Host]:
    async with open_host(load_or_create(folder), 0, None, LOOPBACK) as host:
        yield host


# Who is asked.


async def be_asked(phase: str, folder: Path) -> None:
    if phase == "dialling":
        await accept_and_say_nothing(load_or_create(folder).peer_id)
    elif phase == "message":
        await keep_and_not_acknowledge(folder)
    if phase == "negotiating":
        Upgrader._secure = stop_whatever_is_given  # type: ignore[method-assign]
    async with a_host(folder) as host:
        await host.serve(data.KEPT_PROTOCOL, {"unanswered": answer_nothing, "data": answer_half}.get(phase, answer_nothing))
        await host.serve(site.PROTOCOL, send_half_a_file)
        say(f"address {host.addresses[0]}")
        await asyncio.Event().wait()


async def accept_and_say_nothing(peer: str) -> None:
    with socket.create_server((LOOPBACK, 0)) as listening:
        say(f"address /ip4/{LOOPBACK}/tcp/{listening.getsockname()[1]}/p2p/{peer}")
        accepted, _ = listening.accept()
        with accepted:
            await stop()


async def answer_nothing(stream: Stream) -> None:
    await stream.line(data.request_reader())
    await stop()


async def answer_half(stream: Stream) -> None:
    await stream.line(data.request_reader())
    await stream.write(b'{"ok":true,"data":"half of')
    await stop()


async def send_half_a_file(stream: Stream) -> None:
    await stream.line(site.request_reader())
    await stream.write(site.header("video/mp4", FILE_BYTES) + bytes(FILE_BYTES // 64))
    await stop()


async def keep_and_not_acknowledge(folder: Path) -> None:
    async with open_peer(folder, {}) as peer:
        receive = peer.chat.receive

        async def receive_and_stop(sender: str, wire_id: str, content: str, timestamp: int | None, origin: str = "") -> bool:
            new = await receive(sender, wire_id, content, timestamp, origin)
            if content == LAST:
                await stop()
            return new

        vars(peer.chat)["receive"] = receive_and_stop
        async with join(peer, 0, listen_on=LOOPBACK, near_by=False) as network:
            say(f"address {network.host.addresses[0]}")
            await asyncio.Event().wait()


# Who asks.


async def ask(phase: str, folder: Path, address: str) -> None:
    if phase == "dialling":
        with socket.create_connection((LOOPBACK, int(parse(address).transport.rsplit("/", 1)[1]))):
            await stop()
    if phase == "negotiating":
        Upgrader._secure = stop_whatever_is_given  # type: ignore[method-assign]
    async with a_host(folder) as host:
        other = parse(address)
        await host.connect(other.peer, [other])
        await ASKING[phase](host, other.peer)
        await stop()


def asking_for(function: str) -> Callable[[Host, str], Awaitable[None]]:
    async def ask_for(host: Host, peer: str) -> None:
        stream = await host.open(peer, data.KEPT_PROTOCOL)
        await stream.write(data.request(data.DataRequest("lua-call", function=function)))
        if function == "large":
            await stream.read()
        KEPT_ALIVE.append(stream)

    return ask_for


async def ask_for_a_file(host: Host, peer: str) -> None:
    stream = await host.open(peer, site.PROTOCOL)
    await stream.write(site.request(f"/{FILE}"))
    await stream.read()
    KEPT_ALIVE.append(stream)


async def send(host: Host, peer: str) -> None:
    for each in MESSAGES:
        await PeerClient(host).chat(peer, each, 1, each)
        say("acknowledged")
    say("reached")  # the last is on its way, as far as this side can tell
    await PeerClient(host).chat(peer, LAST, 1, LAST)


async def send_the_last_again(host: Host, peer: str) -> None:
    await PeerClient(host).chat(peer, LAST, 1, LAST)
    say("acknowledged")


KEPT_ALIVE: list[Any] = []
ASKING: Final[dict[str, Callable[[Host, str], Awaitable[None]]]] = {
    "unanswered": asking_for("hello"),
    "file": ask_for_a_file,
    "data": asking_for("large"),
    "message": send,
    RESEND: send_the_last_again,
}


def be_a_peer(side: str, phase: str, folder: Path, address: str) -> NoReturn:
    try:
        # Not by the mother: she may come to it when the peer has reached its phase, and what is said before it is passed over.
        say(f"pid {os.getpid()}")
        asyncio.run(be_asked(phase, folder) if side == "callee" else ask(phase, folder, address))
    finally:
        os._exit(1)


def main() -> None:
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    for line in sys.stdin:
        side, phase, folder, address = line.rstrip("\n").split("\t")
        child = os.fork()
        if child == 0:
            be_a_peer(side, phase, Path(folder), address)
        os.waitpid(child, 0)
        say("ended")


if __name__ == "__main__":
    main()
