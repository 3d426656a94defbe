"""In which order a peer's addresses are tried. Trio's clock jumps: nothing here waits."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import trio
from libp2p.network.exceptions import SwarmException
from libp2p.peer.id import ID
from multiaddr import Multiaddr
from trio.testing import MockClock

from goop2.net.dialling import dial
from goop2.net.limits import CIRCUIT_HEAD_START_SECONDS, CIRCUITS_TRIED, DIAL_SECONDS

DIRECT = "/ip4/192.0.2.7/tcp/4001"
RELAY = "12D3KooWDpJ7As7BWAwRMfu1VU2WCqNjvq387JEYKDBj4kx6nXTN"
PEER = ID.from_string(RELAY)


def through(number: int) -> str:
    return f"/ip4/192.0.2.{number}/tcp/4001/p2p/{RELAY}/p2p-circuit"


class Net:
    """Both swarm and circuits: what is dialled when, and how long it takes; None: it fails at once."""

    def __init__(self, takes: Callable[[str], float | None]) -> None:
        self.takes = takes
        self.dialled: list[tuple[str, float]] = []
        self.connected: list[str] = []

    def get_connections(self, _peer: ID) -> list[str]:
        return self.connected

    async def dial_addr(self, address: Multiaddr, _peer: ID) -> None:
        await self.dial(PEER, str(address))

    async def dial(self, _peer: ID, transport: str) -> None:
        self.dialled.append((transport, trio.current_time()))
        seconds = self.takes(transport)
        if seconds is None:
            raise SwarmException("nobody there")
        await trio.sleep(seconds)
        self.connected.append(transport)


def dialled(net: Any, *transports: str) -> bool:
    async def run() -> bool:
        return await dial(net, net, PEER, transports)

    return trio.run(run, clock=MockClock(autojump_threshold=0))


def test_a_relay_waits_while_the_peers_own_address_may_answer() -> None:
    net = Net(lambda transport: CIRCUIT_HEAD_START_SECONDS / 2)
    assert dialled(net, through(1), DIRECT)
    assert net.connected == [DIRECT]
    assert [transport for transport, _ in net.dialled] == [DIRECT]


def test_a_relay_is_tried_at_once_when_the_peers_own_address_fails() -> None:
    net = Net(lambda transport: 1.0 if "circuit" in transport else None)
    assert dialled(net, DIRECT, through(1))
    (_, first), (_, second) = net.dialled
    assert second - first < CIRCUIT_HEAD_START_SECONDS / 2
    assert net.connected == [through(1)]


def test_a_relay_is_tried_beside_an_address_that_does_not_answer() -> None:
    net = Net(lambda transport: 1.0 if "circuit" in transport else 1000.0)
    assert dialled(net, DIRECT, through(1))
    assert net.dialled[1][1] - net.dialled[0][1] == pytest.approx(CIRCUIT_HEAD_START_SECONDS)


def test_so_many_relays_are_tried_and_no_more() -> None:
    net = Net(lambda transport: None)
    assert not dialled(net, *map(through, range(1, 10)))
    assert len(net.dialled) == CIRCUITS_TRIED


@pytest.mark.parametrize(
    ("ways", "seconds"), [((DIRECT,), DIAL_SECONDS), ((DIRECT, through(1)), DIAL_SECONDS + CIRCUIT_HEAD_START_SECONDS)]
)
def test_what_does_not_answer_is_given_up_in_time(ways: tuple[str, ...], seconds: float) -> None:
    net = Net(lambda transport: 1000.0)
    ended = 0.0

    async def run() -> None:
        nonlocal ended
        began = trio.current_time()
        assert not await dial(net, net, PEER, ways)  # type: ignore[arg-type]
        ended = trio.current_time() - began

    trio.run(run, clock=MockClock(autojump_threshold=0))
    assert ended == pytest.approx(seconds)
