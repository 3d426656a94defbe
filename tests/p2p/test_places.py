"""Who gets a place and a circuit at a relay. Time is a number the tests turn."""

from __future__ import annotations

import contextlib

import pytest

from goop2.p2p.limits import FORGETTING_AT_KEYS
from goop2.p2p.places import Places, RelayLimits
from goop2.p2p.protocols import circuit
from goop2.p2p.protocols.circuit import Refusal


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def places(clock: Clock, **limits: float) -> Places:
    return Places(RelayLimits(**limits), clock)  # type: ignore[arg-type]


def refused(attempt: contextlib.AbstractContextManager[None]) -> int:
    with pytest.raises(Refusal) as refusal, attempt:
        pass
    return refusal.value.status


def test_a_place_lasts_and_is_renewed(clock: Clock) -> None:
    here = places(clock, place_seconds=100)
    assert here.reserve("ann") == 100
    clock.now += 60
    here.reserve("bob")
    here.reserve("ann")
    clock.now += 60
    assert here.peers() == ("bob", "ann")
    clock.now += 40
    assert len(here) == 0
    assert refused(here.circuit("eve", "ann")) == circuit.NO_RESERVATION


def test_ten_thousand_who_want_a_place_are_held_to_the_bound(clock: Clock) -> None:
    here = places(clock)
    taken = 0
    for number in range(10_000):
        with contextlib.suppress(Refusal):
            here.reserve(f"peer{number}")
            taken += 1
    assert taken == len(here) == RelayLimits().places
    assert len(here._asked) <= FORGETTING_AT_KEYS
    here.drop("peer0")
    here.reserve("late")


def test_circuits_are_counted_at_both_ends_and_in_all(clock: Clock) -> None:
    here = places(clock, circuits=3, circuits_per_peer=2)
    for peer in ("ann", "bob", "cid"):
        here.reserve(peer)
    with here.circuit("eve", "ann"), here.circuit("eve", "bob"):
        assert refused(here.circuit("eve", "cid")) == circuit.LIMIT, "eve has two"
        with here.circuit("fay", "ann"):
            assert here.circuits == 3
            assert refused(here.circuit("gus", "ann")) == circuit.LIMIT, "ann has two"
            assert refused(here.circuit("gus", "bob")) == circuit.LIMIT, "there are three"
    assert here.circuits == 0
    with here.circuit("gus", "ann"):
        pass


def test_a_refused_circuit_leaves_nothing_counted(clock: Clock) -> None:
    here = places(clock, circuits_per_peer=1)
    here.reserve("ann")
    with here.circuit("eve", "ann"):
        for number in range(10):
            refused(here.circuit(f"peer{number}", "ann"))
        assert here.circuits == 1


def test_asking_is_metered_by_who_asks(clock: Clock) -> None:
    here = places(clock, asked_per_minute_and_peer=3)
    for _ in range(3):
        here.reserve("ann")
    with pytest.raises(Refusal):
        here.reserve("ann")
    assert refused(here.circuit("ann", "ann")) == circuit.LIMIT
    here.reserve("bob")
    clock.now += 20
    here.reserve("ann")
