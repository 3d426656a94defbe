"""Limits, counted. Time is a number the tests turn."""

from __future__ import annotations

import contextlib
from functools import partial

import pytest
from tests.clock import Clock

from goop2.net.admission import Admission, AdmissionError, ByteBudget, ConcurrencyLimit, Lingering, TokenBucket
from goop2.net.limits import FORGETTING_AT_KEYS, PEERS_OF_A_NETWORK, HostLimits


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_a_minutes_worth_may_come_at_once_and_then_as_fast_as_the_limit_says(clock: Clock) -> None:
    meter = TokenBucket(60, clock)
    assert [meter.take("ann") for _ in range(61)] == [True] * 60 + [False]
    clock.now += 2
    assert [meter.take("ann") for _ in range(3)] == [True, True, False]


def test_what_was_used_comes_back_by_the_time_that_has_passed(clock: Clock) -> None:
    clock.now = 3
    meter = TokenBucket(60, clock)
    assert meter.take("ann", 60)
    clock.now = 10
    assert [meter.take("ann", 7), meter.take("ann")] == [True, False]


def test_who_has_all_of_a_minute_again_is_forgotten_within_a_second(clock: Clock) -> None:
    meter = TokenBucket(600, clock)
    meter.take("ann")
    clock.now += 1
    meter.take("bob")
    assert len(meter) == 1


def test_each_has_a_minute_of_its_own(clock: Clock) -> None:
    meter = TokenBucket(1, clock)
    assert [meter.take("ann"), meter.take("bob"), meter.take("ann")] == [True, True, False]


def test_what_is_refused_is_not_counted(clock: Clock) -> None:
    meter = TokenBucket(10, clock)
    assert [meter.take("ann", 8), meter.take("ann", 8), meter.take("ann", 2)] == [True, False, True]


def test_a_million_names_leave_little_behind_and_nothing_after_a_minute(clock: Clock) -> None:
    meter = TokenBucket(60, clock)
    for number in range(100_000):
        meter.take(f"stranger-{number}")
        clock.now += 0.0001
    assert len(meter) <= FORGETTING_AT_KEYS
    clock.now += 60
    meter.take("ann")
    assert len(meter) == 1


def test_open_things_have_a_limit_in_total_and_each() -> None:
    open_ = ConcurrencyLimit("streams", 3, 2)
    with open_.one("ann"), open_.one("ann"):
        with pytest.raises(AdmissionError, match="ann has 2 streams open"), open_.one("ann"):
            pass
        with open_.one("bob"), pytest.raises(AdmissionError, match="3 streams are open"), open_.one("eve"):
            pass
    assert len(open_) == 0
    assert not open_._open


def test_what_is_done_makes_room_for_what_is_done_later() -> None:
    lingering, ended = Lingering(3, 2), []
    with contextlib.ExitStack() as stack:

        def stays(who: str, name: str) -> None:
            stack.enter_context(lingering.one(who, lambda: ended.append(name)))

        stays("ann", "ann's first")
        stays("bob", "bob's first")
        stays("ann", "ann's second")
        assert ended == []
        stays("ann", "ann's third")
        assert ended == ["ann's first"]
        stays("eve", "eve's first")
        assert ended == ["ann's first", "bob's first"]
        assert len(lingering) == 3
    assert len(lingering) == 0
    assert not lingering._open


def test_whoever_has_as_many_as_one_may_have_ends_its_own_first_while_there_is_room_for_others() -> None:
    lingering = Lingering(9, 2)
    ended: list[str] = []
    with contextlib.ExitStack() as stack:
        for name in ("first", "second", "third"):
            stack.enter_context(lingering.one("ann", partial(ended.append, name)))
        assert ended == ["first"]


def test_memory_is_held_once_for_all() -> None:
    memory = ByteBudget(10)
    assert [memory.hold(6), memory.hold(6), memory.hold(4)] == [True, False, True]
    memory.free(6)
    assert memory.hold(6)


def test_whoever_knocks_too_often_is_not_let_in_however_short_each_visit(clock: Clock) -> None:
    admission = Admission(HostLimits(handshakes_per_minute_and_address=2), clock)
    for _ in range(2):
        with admission.connection("192.0.2.7"):
            pass
    with pytest.raises(AdmissionError, match=r"192\.0\.2\.7 connects too often"), admission.connection("192.0.2.7"):
        pass
    with admission.connection("192.0.2.8"):
        pass


def test_whoever_opens_streams_too_fast_is_refused_however_short_each(clock: Clock) -> None:
    admission = Admission(HostLimits(streams_per_minute_and_peer=2), clock)
    for _ in range(2):
        with admission.stream("ann"):
            pass
    with pytest.raises(AdmissionError, match="ann asks too often"), admission.stream("ann"):
        pass


def test_many_ids_of_one_network_have_what_one_network_has(clock: Clock) -> None:
    admission = Admission(HostLimits(streams=100, streams_per_peer=2, streams_per_network=3, streams_per_minute_and_peer=2), clock)
    with contextlib.ExitStack() as stack:
        for number in range(3):
            stack.enter_context(admission.stream(f"eve{number}", "2001:db8::/64"))
        with pytest.raises(AdmissionError, match="2001:db8::/64 has 3 streams open"), admission.stream("eve4", "2001:db8::/64"):
            pass
        stack.enter_context(admission.stream("ann", "192.0.2.7"))
    taken = 0
    for number in range(20):
        with contextlib.suppress(AdmissionError), admission.stream(f"new{number}", "2001:db8::/64"):
            taken += 1
    assert taken == 2 * PEERS_OF_A_NETWORK - 4
    assert not admission.received("ann", PEERS_OF_A_NETWORK * HostLimits().bytes_per_minute_and_peer, "192.0.2.7")


def test_a_handshake_that_is_not_done_gives_way_when_places_run_out(clock: Clock) -> None:
    admission = Admission(HostLimits(connections=3, connections_per_address=3), clock)
    ended: list[str] = []
    with contextlib.ExitStack() as stack:
        done = stack.enter_context(admission.connection("ann", partial(ended.append, "ann")))
        done()
        for name in ("eve 1", "eve 2"):
            stack.enter_context(admission.connection("eve", partial(ended.append, name)))
        stack.enter_context(admission.connection("bob", partial(ended.append, "bob")))()
        assert ended == ["eve 1"]
        stack.enter_context(admission.connection("cid", partial(ended.append, "cid")))()
        assert ended == ["eve 1", "eve 2"]
        with pytest.raises(AdmissionError), admission.connection("dan", partial(ended.append, "dan")):
            pass
        assert len(admission._connections) == 3
    assert len(admission._connections) == 0


def test_a_network_at_its_bound_loses_its_own_handshakes_first(clock: Clock) -> None:
    admission = Admission(HostLimits(connections=10, connections_per_address=2), clock)
    ended: list[str] = []
    with contextlib.ExitStack() as stack:
        stack.enter_context(admission.connection("ann", partial(ended.append, "ann")))
        for name in ("eve 1", "eve 2", "eve 3"):
            stack.enter_context(admission.connection("eve", partial(ended.append, name)))
    assert ended == ["eve 1"]
