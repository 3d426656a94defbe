"""Hosts that take part in a topic, for tests."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

from tests.net.gossip.authors import TOPIC
from tests.net.hosts import connect, loopback_host, until

from goop2.net.gossip import Gossip, open_gossip
from goop2.net.gossip.messages import sign
from goop2.net.gossip.neighbour import PROTOCOLS
from goop2.net.gossip.rpc import write_subscription
from goop2.net.host import Host
from goop2.net.stream import Stream

LISTENS = write_subscription(TOPIC)


class Member:
    """A host that listens, and what it heard."""

    def __init__(self, host: Host) -> None:
        self.host = host
        self.heard: list[tuple[str, bytes]] = []
        self.gossip: Gossip

    def hear(self, author: str, payload: bytes) -> bool:
        self.heard.append((author, payload))
        return not payload.startswith(b"not to be handed on")


@contextlib.asynccontextmanager
async def member() -> AsyncIterator[Member]:
    async with loopback_host() as host:
        one = Member(host)
        async with open_gossip(host, TOPIC, one.hear) as one.gossip:
            yield one


async def acquainted(one: Member, other: Member) -> None:
    await connect(one.host, other.host)
    await until(lambda: other.host.peer_id in one.gossip.neighbours() and one.host.peer_id in other.gossip.neighbours())


async def raw(sender: Host, receiver: Host, *sent: bytes) -> Stream:
    """Bytes on a gossip stream of our own making."""
    stream = await sender.open(receiver.peer_id, PROTOCOLS[0])
    with contextlib.suppress(Exception):  # it may be reset at any byte
        for piece in sent:
            await stream.write(piece)
        await asyncio.sleep(0.1)  # so that it is read before it is reset
    return stream


def own(host: Host, data: bytes = b"own") -> bytes:
    return sign(host.identity.seed, data, 1, TOPIC).write()
