"""In which order a peer's addresses are tried. The clock jumps: nothing here waits."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import cast

import pytest
from tests.net.jumping_loop import run

from goop2.net.connection import Connection
from goop2.net.dialling import Dialling
from goop2.net.faults import UnreachableError
from goop2.net.limits import CIRCUIT_HEAD_START_SECONDS, CIRCUITS_TRIED, DIAL_SECONDS, HEAD_START_SECONDS
from goop2.net.noise_handshake import OtherPeerError

DIRECT = "/ip4/192.0.2.7/tcp/4001"
SECOND = "/ip4/192.0.2.8/tcp/4001"
PEER = "12D3KooWDpJ7As7BWAwRMfu1VU2WCqNjvq387JEYKDBj4kx6nXTN"


def through(number: int) -> str:
    return f"/ip4/192.0.2.{number}/tcp/4001/p2p/{PEER}/p2p-circuit"


class Net:
    """What is dialled when, and how long it takes; None: it fails at once."""

    def __init__(self, takes: Callable[[str], float | None]) -> None:
        self.takes = takes
        self.dialled: list[tuple[str, float]] = []
        self.connected: list[str] = []
        self.abandoned: list[str] = []
        self.seconds = 0.0
        self.others: dict[str, str] = {}

    async def dial(self, _peer: str, transport: str) -> Connection:
        loop = asyncio.get_running_loop()
        self.dialled.append((transport, loop.time()))
        seconds = self.takes(transport)
        if seconds is None:
            raise UnreachableError("nobody there")
        if seconds < 0:
            raise OtherPeerError("somebody else")
        try:
            await asyncio.sleep(seconds)  # as long as this address takes
        except asyncio.CancelledError:
            self.abandoned.append(transport)
            raise
        self.connected.append(transport)
        return cast(Connection, object())

    def finds(self, *transports: str) -> bool:
        """Whether there is a way."""
        found: list[Connection | None] = []

        async def main() -> None:
            search = Dialling(PEER, self.dial, self.dial)
            began = asyncio.get_running_loop().time()
            found.append(await search.run(transports))
            self.seconds = asyncio.get_running_loop().time() - began
            self.others = search.others
            assert len(asyncio.all_tasks()) == 1, "a dial goes on"

        run(main)
        return found[0] is not None


def test_the_first_that_answers_wins_and_the_others_are_given_up() -> None:
    net = Net(lambda transport: 5.0 if transport == DIRECT else 1.0)
    assert net.finds(DIRECT, SECOND)
    assert net.connected == [SECOND]
    assert net.abandoned == [DIRECT]
    (_, first), (_, second) = net.dialled
    assert second - first == pytest.approx(HEAD_START_SECONDS)


def test_an_address_that_fails_makes_room_for_the_next_at_once() -> None:
    net = Net(lambda transport: None if transport == DIRECT else 1.0)
    assert net.finds(DIRECT, SECOND)
    assert net.seconds == pytest.approx(1.0)


def test_a_relay_waits_while_the_peers_own_address_may_answer() -> None:
    net = Net(lambda transport: CIRCUIT_HEAD_START_SECONDS / 2)
    assert net.finds(through(1), DIRECT)
    assert net.connected == [DIRECT]
    assert [transport for transport, _ in net.dialled] == [DIRECT]


def test_a_relay_is_tried_at_once_when_the_peers_own_address_fails() -> None:
    net = Net(lambda transport: 1.0 if "circuit" in transport else None)
    assert net.finds(DIRECT, through(1))
    (_, first), (_, second) = net.dialled
    assert second - first < CIRCUIT_HEAD_START_SECONDS / 2
    assert net.connected == [through(1)]


def test_a_relay_is_tried_beside_an_address_that_does_not_answer() -> None:
    net = Net(lambda transport: 1.0 if "circuit" in transport else 1000.0)
    assert net.finds(DIRECT, through(1))
    assert net.dialled[1][1] - net.dialled[0][1] == pytest.approx(CIRCUIT_HEAD_START_SECONDS)


def test_so_many_relays_are_tried_and_no_more() -> None:
    net = Net(lambda transport: None)
    assert not net.finds(*map(through, range(1, 10)))
    assert len(net.dialled) == CIRCUITS_TRIED


def test_who_answers_in_the_peers_place_is_noted() -> None:
    net = Net(lambda transport: -1.0 if transport == DIRECT else None)
    assert not net.finds(DIRECT, SECOND)
    assert net.others == {DIRECT: "somebody else"}


def test_without_an_address_there_is_no_way_and_no_wait() -> None:
    net = Net(lambda transport: 1.0)
    assert not net.finds()
    assert net.seconds < 1


@pytest.mark.parametrize(
    ("ways", "seconds"), [((DIRECT,), DIAL_SECONDS), ((DIRECT, through(1)), DIAL_SECONDS + CIRCUIT_HEAD_START_SECONDS)]
)
def test_what_does_not_answer_is_given_up_in_time(ways: tuple[str, ...], seconds: float) -> None:
    net = Net(lambda transport: 1000.0)
    assert not net.finds(*ways)
    assert net.seconds == pytest.approx(seconds)
    assert sorted(net.abandoned) == sorted(ways)
