"""Finding a way to a peer: all its addresses, one after the other with a small head start, the first that works wins. Those that lead
through a relay come after the others have had their time.

The library would dial one address of each kind only, the first it knows, and bar the peer for a minute when that fails. Trio side.
"""

from __future__ import annotations

import contextlib
import re
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterable, Sequence
from functools import partial
from typing import Final

import trio
from libp2p.network.swarm import Swarm
from libp2p.peer.id import ID
from libp2p.security.noise.exceptions import PeerIDMismatchesPubkey
from multiaddr import Multiaddr

from goop2.net.address import CIRCUIT
from goop2.net.circuits import FAULTS, Circuits
from goop2.net.limits import ADDRESSES_MAX, CIRCUIT_HEAD_START_SECONDS, CIRCUITS_TRIED, DIAL_SECONDS, FORGETTING_AT_KEYS, HEAD_START_SECONDS

Dial = Callable[[], Awaitable[object]]
_OTHER: Final = re.compile(r"remote_peer_id_from_pubkey=(\w+)")
"""In the text of libp2p 0.8.1, security/noise/patterns.py, which has the id nowhere else."""


class AddressBook:
    """Where peers have been said to be; the newest word first. Bounded: strangers say a lot."""

    def __init__(self) -> None:
        self._transports: OrderedDict[str, list[str]] = OrderedDict()

    def add(self, peer: str, transports: Iterable[str]) -> None:
        known = self._transports.pop(peer, [])
        self._transports[peer] = list(dict.fromkeys([*transports, *known]))[:ADDRESSES_MAX]
        if len(self._transports) > FORGETTING_AT_KEYS:
            self._transports.popitem(last=False)

    def drop(self, peer: str, transport: str) -> None:
        """Forget one address; a peer without any is forgotten."""
        left = [each for each in self._transports.get(peer, ()) if each != transport]
        if left:
            self._transports[peer] = left
        else:
            self._transports.pop(peer, None)

    def of(self, peer: str) -> tuple[str, ...]:
        """`/ip4/192.0.2.7/tcp/4001`, the most promising first."""
        return tuple(self._transports.get(peer, ()))


async def dial(swarm: Swarm, circuits: Circuits, peer: ID, transports: Sequence[str]) -> bool:
    """Return whether there is a connection to the peer now, within DIAL_SECONDS, and as long through a relay after its wait.

    Who answers in the peer's place is noted in `circuits.others`.
    """
    if swarm.get_connections(peer):
        return True
    direct = [transport for transport in transports if not transport.endswith(CIRCUIT)]
    through = [transport for transport in transports if transport.endswith(CIRCUIT)][:CIRCUITS_TRIED]
    with trio.move_on_after(DIAL_SECONDS + (CIRCUIT_HEAD_START_SECONDS if through else 0)) as scope:
        async with trio.open_nursery() as nursery:
            tried = trio.Event()
            nursery.start_soon(_directly, [partial(_dial_one, swarm, circuits, peer, each) for each in direct], scope, tried)
            if through:
                with trio.move_on_after(CIRCUIT_HEAD_START_SECONDS):
                    await tried.wait()
            await _in_turn([partial(circuits.dial, peer, each) for each in through], scope)
    return bool(swarm.get_connections(peer))


async def _directly(dials: Sequence[Dial], everything: trio.CancelScope, tried: trio.Event) -> None:
    with trio.move_on_after(DIAL_SECONDS):
        await _in_turn(dials, everything)
    tried.set()


async def _dial_one(swarm: Swarm, circuits: Circuits, peer: ID, transport: str) -> None:
    try:
        await swarm.dial_addr(Multiaddr(transport), peer)
    except FAULTS as error:
        if other := _other(error):
            circuits.others[str(peer), transport] = other
        raise


def _other(error: BaseException) -> str:
    """Return the id that whoever answered a dial has proved, where it was another than the one wanted; "" otherwise."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, PeerIDMismatchesPubkey) and (found := _OTHER.search(str(cause))):
            return found[1]
        cause = cause.__cause__ or cause.__context__
    return ""


async def _in_turn(dials: Sequence[Dial], everything: trio.CancelScope) -> None:
    async with trio.open_nursery() as nursery:
        for each in dials:
            failed = trio.Event()
            nursery.start_soon(_try, each, failed, everything)
            with trio.move_on_after(HEAD_START_SECONDS):
                await failed.wait()


async def _try(dial_it: Dial, failed: trio.Event, everything: trio.CancelScope) -> None:
    with contextlib.suppress(*FAULTS):
        await dial_it()
        everything.cancel()
    failed.set()
