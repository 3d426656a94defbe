"""The rate limiter. Time is a number the tests turn."""

from __future__ import annotations

import math
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.clock import Clock

from goop2.scripting import rate_limit as rate_module
from goop2.scripting.rate_limit import RateLimiter


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_a_caller_may_call_as_often_as_the_limit_says_and_is_then_told_how_long_to_wait(clock: Clock) -> None:
    rate = RateLimiter(3, 100, clock)
    for _ in range(3):
        assert rate.check("ann", "command/hello", None) is None
        clock.now += 10
    assert rate.check("ann", "command/hello", None) == 30


def test_whoever_waits_as_long_as_told_is_let_in(clock: Clock) -> None:
    rate = RateLimiter(1, 100, clock)
    rate.check("ann", "command/hello", None)
    clock.now += 0.1
    wait = rate.check("ann", "command/hello", None)
    assert wait is not None
    clock.now += wait
    assert rate.check("ann", "command/hello", None) is None


def test_the_minute_slides_so_there_is_no_burst_at_its_turn(clock: Clock) -> None:
    rate = RateLimiter(2, 100, clock)
    rate.check("ann", "command/hello", None)
    clock.now += 59
    rate.check("ann", "command/hello", None)
    clock.now += 1
    assert rate.check("ann", "command/hello", None) is None
    assert rate.check("ann", "command/hello", None) == 59


def test_a_refused_call_does_not_count(clock: Clock) -> None:
    rate = RateLimiter(1, 100, clock)
    rate.check("ann", "command/hello", None)
    clock.now += 59
    assert rate.check("ann", "command/hello", None) == 1
    clock.now += 1
    assert rate.check("ann", "command/hello", None) is None


@pytest.mark.parametrize("other", [("bob", "command/hello"), ("ann", "command/bye"), ("ann", "function/hello")])
def test_another_caller_or_script_or_kind_has_a_minute_of_its_own(clock: Clock, other: tuple[str, str]) -> None:
    rate = RateLimiter(1, 100, clock)
    rate.check("ann", "command/hello", None)
    assert rate.check(*other, None) is None


def test_an_address_is_limited_whatever_ids_come_from_it(clock: Clock) -> None:
    rate = RateLimiter(2, 100, clock)
    assert [rate.check(f"visitor-{number}", "command/hello", None, "10.0.0.7") for number in range(3)] == [None, None, 60]
    assert rate.check("visitor-9", "command/hello", None, "10.0.0.8") is None


def test_a_call_from_an_address_counts_once_for_everybody(clock: Clock) -> None:
    rate = RateLimiter(100, 2, clock)
    assert [rate.check(f"visitor-{number}", "command/hello", None, f"10.0.0.{number}") for number in range(3)] == [None, None, 60]


def test_all_callers_together_have_one_minute(clock: Clock) -> None:
    rate = RateLimiter(30, 2, clock)
    rate.check("ann", "command/hello", None)
    clock.now += 5
    rate.check("bob", "command/hello", None)
    assert rate.check("eve", "function/score", None) == 55


def test_both_limits_must_have_room_so_the_longer_wait_is_told(clock: Clock) -> None:
    rate = RateLimiter(1, 2, clock)
    rate.check("bob", "command/hello", None)
    clock.now += 5
    rate.check("ann", "command/hello", None)
    assert rate.check("eve", "command/hello", None) == 55
    assert rate.check("ann", "command/hello", None) == 60


def test_a_rate_limit_of_the_script_takes_the_place_of_the_callers_but_not_of_the_global_one(clock: Clock) -> None:
    rate = RateLimiter(1, 3, clock)
    assert [rate.check("ann", "command/busy", 5) for _ in range(4)] == [None, None, None, 60]
    clock.now += 60
    assert [rate.check("ann", "command/rare", 2) for _ in range(3)] == [None, None, 60]


def test_a_script_exempt_from_limits_neither_meets_them_nor_uses_them_up(clock: Clock) -> None:
    rate = RateLimiter(1, 1, clock)
    assert [rate.check("ann", "command/free", 0) for _ in range(100)] == [None] * 100
    assert len(rate) == 0
    assert rate.check("ann", "command/hello", None) is None
    assert rate.check("ann", "command/free", 0) is None


def test_a_limit_that_an_edit_lowered_holds_at_once(clock: Clock) -> None:
    rate = RateLimiter(30, 100, clock)
    for _ in range(4):
        rate.check("ann", "command/hello", 10)
        clock.now += 1
    assert rate.check("ann", "command/hello", 2) == 58


@pytest.mark.slow
def test_a_million_strangers_leave_nothing_behind(clock: Clock) -> None:
    rate = RateLimiter(30, 120, clock)
    for number in range(1_000_000):
        rate.check(f"stranger-{number}", "command/hello", None)
        clock.now += 0.001
        if number % 100_000 == 0:
            assert len(rate) <= 120
    clock.now += 60
    rate.check("ann", "command/free", None)
    assert len(rate) == 1
    assert len(rate._ends) == 1


def test_a_call_of_the_last_minute_costs_little_memory(clock: Clock) -> None:
    """It was a kilobyte."""
    rate = RateLimiter(30, 1_000_000, clock)
    tracemalloc.start()
    try:
        for number in range(20_000):
            rate.check(f"stranger-{number}", "command/hello", None, f"10.0.{number // 256}.{number % 256}")
        assert tracemalloc.get_traced_memory()[0] / 20_000 < 400
    finally:
        tracemalloc.stop()


def test_a_crowd_without_end_shares_counts_and_is_bounded(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rate_module, "RATE_KEYS_MAX", 100)
    rate = RateLimiter(30, 1_000_000, clock)
    assert rate.check("ann", "command/hello", 1) is None
    for number in range(10_000):
        rate.check(f"stranger-{number}", "command/hello", None)
    assert len(rate._ends) <= 200
    assert rate.check("ann", "command/hello", 1) == 60
    clock.now += 60
    assert rate.check("ann", "command/hello", 1) is None
    assert (len(rate), len(rate._ends)) == (1, 1)


Call = tuple[float, str, str, int | None]

calls = st.lists(
    st.tuples(
        st.sampled_from([0.0, 0.1, 1.0, 7.3, 30.0, 59.9, 60.0, 61.0]),
        st.sampled_from(["ann", "bob", "eve"]),
        st.sampled_from(["command/a", "function/a"]),
        st.sampled_from([None, None, 0, 1, 2, 5]),
    ),
    max_size=60,
)


@given(calls, st.integers(1, 4), st.integers(1, 8))
def test_it_agrees_with_counting_by_hand(sequence: list[Call], per_caller: int, global_: int) -> None:
    clock = Clock()
    rate = RateLimiter(per_caller, global_, clock)
    accepted: list[tuple[float, str, str]] = []
    for pause, caller, script, override in sequence:
        clock.now += pause
        wait = rate.check(caller, script, override)
        if override == 0:
            assert wait is None
            continue
        assert wait == expected_wait(accepted, clock.now, caller, script, override or per_caller, global_)
        if wait is None:
            accepted.append((clock.now, caller, script))
    assert len(rate) <= global_


def expected_wait(accepted: list[tuple[float, str, str]], now: float, caller: str, script: str, limit: int, global_: int) -> float | None:
    """The naive answer: try every moment at which something leaves the minute."""
    moments = [now, *sorted(start + 60 for start, _, _ in accepted if start + 60 > now)]
    for moment in moments:
        counted = [(c, s) for start, c, s in accepted if start + 60 > moment]
        if len(counted) < global_ and counted.count((caller, script)) < limit:
            return moment - now if moment > now else None
    return math.inf


def test_the_limit_that_is_met_is_named_that_of_a_script_before_that_of_all_callers(clock: Clock) -> None:
    rate = RateLimiter(1, 2, clock)
    rate.check("ann", "function/score", None)
    assert rate.limit_met("score", None) == "1 a minute for score"
    assert rate.limit_met("score", 7) == "7 a minute for score"
    rate.check("bob", "function/score", None)
    assert rate.limit_met("score", 7) == "2 a minute for all scripts"
    rate.use(1, 1)
    assert rate.limit_met("score", None) == "1 a minute for all scripts"
