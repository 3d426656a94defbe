"""Run inside a network namespace: a relay, or a peer that is reached through one, without the rest of goop2. Prints JSON lines.

    relay ADDRESS                        is a relay: {"address"}
    callee RELAY [SECONDS]               keeps a place and answers: {"address": through the relay}, then {"ways"} whenever they change;
                                         SECONDS: for one try of a hole
    reached SERVER                       finds out where it is reached: {"reachable", "addresses"} whenever that changes
    caller ADDRESS SECONDS               asks the callee at once, and when it is connected directly or the time is over: {"ways", "answer"}

`ways` are the connections to the other peer: ["relayed"], ["direct", "relayed"] …; an answer is what the other side calls our origin.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
from collections.abc import Callable, Coroutine

import structlog
from tests.net.hosts import new_identity

from goop2.net.address import CIRCUIT, parse
from goop2.net.connection import Connection
from goop2.net.dial_back import open_dial_back
from goop2.net.hole_punching import open_hole_punching
from goop2.net.host import Host, open_host
from goop2.net.reachability import open_reachability
from goop2.net.relay import open_relay
from goop2.net.stream import Stream
from goop2.peers.discovery.discovery import real_addresses

ORIGIN = "/test/origin"
PORT = 4001


def say(**what: object) -> None:
    print(json.dumps(what), flush=True)


def ways(host: Host, peer: str) -> list[str]:
    return sorted("relayed" if each.is_relayed else "direct" for each in host.connections(peer) if each.is_open)


async def tell_origin(stream: Stream) -> None:
    """Answer with where the other side comes from."""
    await stream.finish(stream.origin.encode())


async def be_relay(address: str) -> None:
    async with open_host(new_identity(), PORT) as host, open_relay(host, lambda: [where]):
        await open_dial_back(host)
        where = f"/ip4/{address}/tcp/{host.port}/p2p/{host.peer_id}"
        say(address=where)
        await asyncio.Event().wait()


async def be_callee(relay: str, seconds: str = "") -> None:
    async with open_host(new_identity(), PORT) as host, open_hole_punching(host) as puncher:
        puncher.try_seconds = float(seconds or puncher.try_seconds)
        await host.serve(ORIGIN, tell_origin)

        def changed(connection: Connection) -> None:
            if connection.peer != parse(relay).peer:
                say(ways=ways(host, connection.peer), peer=connection.peer, remote=connection.remote)

        host.watch(changed, changed)
        await host.reserve(parse(relay).peer, [parse(relay)])
        say(address=f"{relay}{CIRCUIT}/p2p/{host.peer_id}")
        await asyncio.Event().wait()


async def be_reached(server: str) -> None:
    async with open_host(new_identity(), PORT) as host, open_reachability(host) as known:
        known.watch(lambda: say(reachable=known.is_reachable, addresses=known.addresses))
        known.look_seconds = 1.0
        await host.connect(parse(server).peer, [parse(server)])
        await asyncio.Event().wait()


async def be_caller(address: str, seconds: str) -> None:
    peer = parse(address).peer
    direct = asyncio.Event()

    def connected(connection: Connection) -> None:
        if connection.peer == peer and not connection.is_relayed:
            direct.set()

    async def asked(host: Host) -> str:
        async with await host.open(peer, ORIGIN) as stream:
            await stream.finish()
            return (await stream.read()).decode()

    async with open_host(new_identity(), PORT) as host, open_hole_punching(host):
        host.announce(lambda: real_addresses(host))  # as a whole peer does: who is in the open can be dialled there at once
        host.watch(connected)
        await host.connect(peer, [parse(address)])
        say(ways=ways(host, peer), answer=await asked(host))
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(direct.wait(), float(seconds))
        say(ways=ways(host, peer), answer=await asked(host))


WHAT: dict[str, Callable[..., Coroutine[None, None, None]]] = {
    "relay": be_relay,
    "callee": be_callee,
    "reached": be_reached,
    "caller": be_caller,
}
structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
asyncio.run(WHAT[sys.argv[1]](*sys.argv[2:]))
