"""Finding a way to a peer: all its addresses, one after the other with a small head start, the first that works wins.

The library would dial one address of each kind only, the first it knows, and bar the peer for a minute when that fails. Trio side.
"""

from __future__ import annotations

import contextlib
from collections import OrderedDict
from collections.abc import Iterable, Sequence

import trio
from libp2p.network.exceptions import SwarmException
from libp2p.network.swarm import Swarm
from libp2p.peer.id import ID
from multiaddr import Multiaddr

from goop2.p2p.limits import ADDRESSES_MAX, DIAL_SECONDS, FORGETTING_AT_KEYS, HEAD_START_SECONDS


class AddressBook:
    """Where peers have been said to be; the newest word first. Bounded: strangers say a lot."""

    def __init__(self) -> None:
        self._transports: OrderedDict[str, list[str]] = OrderedDict()

    def add(self, peer: str, transports: Iterable[str]) -> None:
        known = self._transports.pop(peer, [])
        self._transports[peer] = list(dict.fromkeys([*transports, *known]))[:ADDRESSES_MAX]
        if len(self._transports) > FORGETTING_AT_KEYS:
            self._transports.popitem(last=False)

    def of(self, peer: str) -> tuple[str, ...]:
        """`/ip4/192.0.2.7/tcp/4001`, the most promising first."""
        return tuple(self._transports.get(peer, ()))


async def dial(swarm: Swarm, peer: ID, transports: Sequence[str]) -> bool:
    """Whether there is a connection to the peer now, within DIAL_SECONDS."""
    if swarm.get_connections(peer):
        return True
    with trio.move_on_after(DIAL_SECONDS) as scope:
        async with trio.open_nursery() as nursery:
            for transport in transports:
                failed = trio.Event()
                nursery.start_soon(_try, swarm, peer, transport, failed, scope)
                with trio.move_on_after(HEAD_START_SECONDS):
                    await failed.wait()
    return bool(swarm.get_connections(peer))


async def _try(swarm: Swarm, peer: ID, transport: str, failed: trio.Event, everything: trio.CancelScope) -> None:
    with contextlib.suppress(SwarmException, ValueError):
        await swarm.dial_addr(Multiaddr(transport), peer)
        everything.cancel()
    failed.set()
