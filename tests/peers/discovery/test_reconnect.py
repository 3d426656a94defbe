"""Whom to dial and when. Time is a number the tests turn, and chance is none."""

from __future__ import annotations

import itertools

import pytest
from tests.clock import Clock

from goop2.net.limits import CONNECTIONS_SOUGHT, DIALS_AT_ONCE, REDIALLED_MAX, RETRY_MAX_SECONDS
from goop2.peers.discovery.reconnect import RedialSchedule

DAY = 24 * 3600.0


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def peers(clock: Clock) -> RedialSchedule:
    return RedialSchedule(clock, lambda: 1.0)


def tries(peers: RedialSchedule, clock: Clock, seconds: float) -> list[float]:
    """When `ann`, who never answers, is dialled."""
    began, at = clock.now, []
    while clock.now - began < seconds:
        for peer in peers.due(()):
            at.append(clock.now - began)
            peers.failed(peer)
        clock.now += 0.5
    return at


def test_the_wait_doubles_up_to_a_minute(peers: RedialSchedule, clock: Clock) -> None:
    peers.known("ann")
    at = tries(peers, clock, 300)
    assert [after - before for before, after in itertools.pairwise(at)] == [1, 2, 4, 8, 16, 32, 60, 60, 60]


def test_half_of_the_wait_is_chance(clock: Clock) -> None:
    peers = RedialSchedule(clock, lambda: 0.0)
    peers.known("ann")
    assert tries(peers, clock, 4) == [0, 0.5, 1.5, 3.5]


def test_a_known_peer_is_forgotten_after_a_day(peers: RedialSchedule, clock: Clock) -> None:
    peers.known("ann")
    clock.now += DAY - 1
    assert peers.due(()) == ["ann"]
    peers.failed("ann")
    clock.now += 1
    assert peers.due(()) == []
    assert len(peers) == 0


def test_a_peer_somebody_told_of_is_forgotten_after_a_minute(peers: RedialSchedule, clock: Clock) -> None:
    peers.told_of("ann")
    assert len(tries(peers, clock, 120)) == 6


def test_a_peer_that_was_reached_and_lost_is_dialled_after_a_second_and_for_a_day(peers: RedialSchedule, clock: Clock) -> None:
    peers.told_of("ann")
    assert peers.due(()) == ["ann"]
    peers.reached("ann")
    clock.now += DAY / 2
    assert peers.due(["ann"]) == []
    peers.lost("ann")
    assert peers.due(()) == []
    clock.now += 1
    assert peers.due(()) == ["ann"]


def test_a_peer_is_dialled_once_at_a_time(peers: RedialSchedule, clock: Clock) -> None:
    peers.known("ann")
    assert peers.due(()) == ["ann"]
    clock.now += RETRY_MAX_SECONDS
    assert peers.due(()) == []


def test_new_reason_ends_the_wait(peers: RedialSchedule, clock: Clock) -> None:
    peers.known("ann")
    tries(peers, clock, 300)
    assert peers.due(()) == []
    peers.at_once("ann")
    peers.at_once("a stranger")
    assert peers.due(()) == ["ann"]


def test_few_are_dialled_at_a_time_and_those_told_of_keep_no_known_one_waiting(peers: RedialSchedule) -> None:
    for number in range(100):
        peers.told_of(f"invented-{number}")
    peers.known("ann")
    due = peers.due(())
    assert len(due) == DIALS_AT_ONCE
    assert due[0] == "ann"


def test_with_enough_connections_nobody_is_sought(peers: RedialSchedule) -> None:
    peers.known("ann")
    assert peers.due([f"peer-{number}" for number in range(CONNECTIONS_SOUGHT)]) == []


def test_invented_peers_push_out_no_known_one(peers: RedialSchedule) -> None:
    peers.known("ann")
    for number in range(10_000):
        peers.told_of(f"invented-{number}")
    assert len(peers) == REDIALLED_MAX
    assert "ann" in peers.due(())
