"""Who gets a place and a circuit at a relay. Time is a number the tests turn."""

from __future__ import annotations

import contextlib

import pytest
from tests.clock import Clock

from goop2.net.limits import FORGETTING_AT_KEYS
from goop2.net.reservations import RelayLimits, RelayReservations
from goop2.protocols import circuit
from goop2.protocols.circuit import RelayRefusedError

HOME = "203.0.113.7"


@pytest.fixture
def clock() -> Clock:
    return Clock()


def places(clock: Clock, **limits: float) -> RelayReservations:
    return RelayReservations(RelayLimits(**limits), clock)  # type: ignore[arg-type]


def refused(attempt: contextlib.AbstractContextManager[None]) -> int:
    with pytest.raises(RelayRefusedError) as refusal, attempt:
        pass
    return refusal.value.status


def test_a_place_lasts_and_is_renewed(clock: Clock) -> None:
    here = places(clock, place_seconds=100)
    assert here.reserve("ann", HOME) == 100
    clock.now += 60
    here.reserve("bob", HOME)
    here.reserve("ann", HOME)
    clock.now += 60
    assert here.peers() == ("bob", "ann")
    clock.now += 40
    assert len(here) == 0
    assert refused(here.circuit("eve", "ann", HOME)) == circuit.NO_RESERVATION


def test_ten_thousand_who_want_a_place_are_held_to_the_bound(clock: Clock) -> None:
    here = places(clock)
    taken = 0
    for number in range(10_000):
        with contextlib.suppress(RelayRefusedError):
            here.reserve(f"peer{number}", f"192.0.2.{number}")
            taken += 1
    assert taken == len(here) == RelayLimits().places
    assert len(here._asked) <= FORGETTING_AT_KEYS
    here.drop("peer0")
    here.reserve("late", HOME)


def test_circuits_are_counted_at_both_ends_and_in_all(clock: Clock) -> None:
    here = places(clock, circuits=3, circuits_per_peer=2)
    for peer in ("ann", "bob", "cid"):
        here.reserve(peer, HOME)
    with here.circuit("eve", "ann", HOME), here.circuit("eve", "bob", HOME):
        assert refused(here.circuit("eve", "cid", HOME)) == circuit.LIMIT, "eve has two"
        with here.circuit("fay", "ann", HOME):
            assert here.circuits == 3
            assert refused(here.circuit("gus", "ann", HOME)) == circuit.LIMIT, "ann has two"
            assert refused(here.circuit("gus", "bob", HOME)) == circuit.LIMIT, "there are three"
    assert here.circuits == 0
    with here.circuit("gus", "ann", HOME):
        pass


def test_a_refused_circuit_leaves_nothing_counted(clock: Clock) -> None:
    here = places(clock, circuits_per_peer=1)
    here.reserve("ann", HOME)
    with here.circuit("eve", "ann", HOME):
        for number in range(10):
            refused(here.circuit(f"peer{number}", "ann", HOME))
        assert here.circuits == 1


def test_asking_is_metered_by_who_asks(clock: Clock) -> None:
    here = places(clock, asked_per_minute_and_peer=3)
    for _ in range(3):
        here.reserve("ann", HOME)
    with pytest.raises(RelayRefusedError):
        here.reserve("ann", HOME)
    assert refused(here.circuit("ann", "ann", HOME)) == circuit.LIMIT
    here.reserve("bob", HOME)
    clock.now += 20
    here.reserve("ann", HOME)


def test_one_address_takes_neither_all_places_nor_all_circuits(clock: Clock) -> None:
    here = places(clock, places_per_address=2, circuits_per_address=2)
    for peer in ("ann", "bob", "ann"):
        here.reserve(peer, HOME)
    with pytest.raises(RelayRefusedError):
        here.reserve("cid", HOME)
    here.reserve("cid", "198.51.100.1")
    with here.circuit("eve", "ann", HOME), here.circuit("fay", "bob", HOME):
        assert refused(here.circuit("gus", "cid", HOME)) == circuit.LIMIT
        with here.circuit("gus", "cid", "198.51.100.1"):
            pass


def test_nobody_keeps_a_peer_busy_alone(clock: Clock) -> None:
    here = places(clock)
    here.reserve("ann", HOME)
    with here.circuit("eve", "ann", HOME), here.circuit("eve", "ann", HOME):
        assert refused(here.circuit("eve", "ann", HOME)) == circuit.LIMIT
        with here.circuit("fay", "ann", HOME):
            pass
