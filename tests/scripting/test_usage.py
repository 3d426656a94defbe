"""What callers have used of the workers: charged by seconds, fading, bounded."""

from __future__ import annotations

import pytest
from tests.clock import Clock

from goop2.scripting.limits import ACCOUNT_HALF_LIFE_SECONDS, ACCOUNTS_MAX, LIGHT_WORKER_SECONDS
from goop2.scripting.usage import Accounts, Standing


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_a_caller_is_new_until_it_is_charged(clock: Clock) -> None:
    accounts = Accounts(clock)
    assert accounts.standing("ann") is Standing.NEW
    accounts.charge("ann", 0.001)
    assert accounts.standing("ann") is Standing.LIGHT


def test_a_caller_is_charged_by_seconds_and_not_by_calls(clock: Clock) -> None:
    accounts = Accounts(clock)
    for _ in range(200):
        accounts.charge("ann", 0.001)
    accounts.charge("eve", LIGHT_WORKER_SECONDS)
    assert accounts.standing("ann") is Standing.LIGHT
    assert accounts.standing("eve") is Standing.HEAVY


def test_half_of_a_charge_is_forgotten_after_the_half_life(clock: Clock) -> None:
    accounts = Accounts(clock)
    accounts.charge("eve", 5.0)
    clock.now += ACCOUNT_HALF_LIFE_SECONDS
    assert accounts.charged("eve") == pytest.approx(2.5)
    clock.now += 2 * ACCOUNT_HALF_LIFE_SECONDS
    assert accounts.standing("eve") is Standing.LIGHT


def test_light_callers_count_alike_in_the_queue_and_heavy_ones_by_what_they_used(clock: Clock) -> None:
    accounts = Accounts(clock)
    accounts.charge("ann", LIGHT_WORKER_SECONDS / 2)
    accounts.charge("eve", 5.0)
    assert [accounts.queue_charge(caller) for caller in ("new", "ann", "eve")] == [0.0, 0.0, 5.0]


def test_a_clock_that_stands_still_charges_nothing_negative(clock: Clock) -> None:
    accounts = Accounts(clock)
    accounts.charge("ann", -1.0)
    assert accounts.charged("ann") == 0.0


def test_strangers_without_end_cost_bounded_memory_and_do_not_make_a_heavy_caller_forgotten(clock: Clock) -> None:
    accounts = Accounts(clock)
    accounts.charge("eve", 5.0)
    for number in range(3 * ACCOUNTS_MAX):
        accounts.charge(f"stranger-{number}", 0.001)
    assert len(accounts) == ACCOUNTS_MAX
    assert accounts.standing("eve") is Standing.HEAVY
