"""A peer that is alone looks after nobody, and begins when there is somebody."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, cast

import pytest
from tests.net.hosts import until

from goop2.net.address import PeerAddress
from goop2.net.faults import UnreachableError
from goop2.peers.discovery import redialer as module
from goop2.peers.discovery.peers_file import RememberedPeers
from goop2.peers.discovery.redialer import Redialer
from goop2.peers.discovery.roster import Roster
from goop2.peers.discovery.troubles import Troubles
from goop2.protocols import peer_ids
from goop2.protocols.presence import Presence

OWN, OTHER = (peer_ids.peer_of(bytes([number]) * 32) for number in (1, 2))
LOOK_SECONDS = 0.01


class Alone:
    """A host that reaches nobody."""

    peer_id = OWN
    relays: frozenset[str] = frozenset()

    def __init__(self) -> None:
        self.looks = 0
        self.dialled: list[str] = []
        self.connected: Callable[[object], object] = lambda _: None

    def watch(self, connected: Callable[[object], object]) -> Callable[[], None]:
        self.connected = connected
        return lambda: None

    def peers(self) -> tuple[object, ...]:
        self.looks += 1
        return ()

    def knows(self, _addresses: object) -> None:
        pass

    async def connect(self, peer: str, _addresses: object = ()) -> None:
        self.dialled.append(peer)
        raise UnreachableError("nobody is there")


@asynccontextmanager
async def alone(folder: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[tuple[Alone, Redialer, Roster]]:
    monkeypatch.setattr(module, "LOOK_SECONDS", LOOK_SECONDS)
    host, roster = Alone(), Roster(OWN, time.monotonic)
    redialer = Redialer(cast(Any, host), roster, RememberedPeers(folder), Troubles())
    running = asyncio.create_task(redialer.run())
    await asyncio.sleep(20 * LOOK_SECONDS)  # looks without a reason would be counted
    assert host.looks == 1, "nobody to look after"
    yield host, redialer, roster
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    await redialer.close()


async def test_somebody_who_is_found_is_dialled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with alone(tmp_path, monkeypatch) as (host, redialer, _), asyncio.timeout(5):
        redialer.found([PeerAddress(OTHER, "/ip4/127.0.0.1/tcp/1")])
        await until(lambda: bool(host.dialled))


async def test_a_connection_that_comes_and_an_announcement_are_looked_after(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with alone(tmp_path, monkeypatch) as (host, _, roster), asyncio.timeout(5):
        host.connected(object())
        await until(lambda: host.looks >= 2)
        await asyncio.sleep(5 * LOOK_SECONDS)  # looks that are under way come to their end
        looks = host.looks
        roster.hearsay(Presence("online", OTHER))
        await until(lambda: host.looks >= looks + 5)  # until it is offline
