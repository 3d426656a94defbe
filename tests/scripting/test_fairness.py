"""Who may hold how many workers, by a clock of our own. What follows for real workers is in test_pool.py and benchmarks/fairness.py."""

from __future__ import annotations

import msgspec
import pytest

from goop2.scripting.fairness import OWNER_TENANT, Fairness
from goop2.scripting.limits import NEWCOMER_SECONDS, InvocationLimits

LIMITS = InvocationLimits(workers=16)
WARM = 2


class Call(msgspec.Struct, eq=False):
    """A call that waits."""

    accepted: float


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def fairness(clock: Clock) -> Fairness[Call]:
    return Fairness(LIMITS, warm_workers=WARM, queue_max=256, clock=clock)


def use(fairness: Fairness[Call], tenant: str, seconds: float) -> None:
    """A call of that length, from its begin to its end."""
    fairness.take(tenant)
    fairness.release(tenant, seconds)


def test_strangers_never_hold_the_owners_worker(fairness: Fairness[Call]) -> None:
    for number in range(LIMITS.workers * 2):
        use(fairness, f"s{number}", 0.01)
        if fairness.may_run(f"s{number}"):
            fairness.take(f"s{number}")
    assert fairness.strangers == LIMITS.workers - 1
    assert not fairness.may_run("another")
    assert fairness.may_run(OWNER_TENANT)


def test_one_stranger_holds_its_share_at_most(fairness: Fairness[Call]) -> None:
    use(fairness, "eve", 0.01)
    held = 0
    while fairness.may_run("eve"):
        fairness.take("eve")
        held += 1
    assert held == LIMITS.workers_per_caller
    fairness.release("eve", 0.01)
    assert fairness.may_run("eve")


def test_a_heavy_caller_leaves_the_kept_workers_to_light_ones(fairness: Fairness[Call]) -> None:
    for name in ("heavy", "light"):
        use(fairness, name, 30.0 if name == "heavy" else 0.01)
    for number in range(LIMITS.workers - 1 - LIMITS.workers_reserved):
        fairness.take(f"s{number}")
    assert not fairness.may_run("heavy")
    assert fairness.may_run("light")


def test_a_newcomer_has_a_kept_worker_after_a_moment_when_it_asks_for_one_thing(fairness: Fairness[Call], clock: Clock) -> None:
    for number in range(LIMITS.workers - 1 - LIMITS.workers_reserved):
        fairness.take(f"s{number}")
    fairness.queue.offer("new", Call(clock.now))
    assert not fairness.may_run("new")
    clock.now += 2 * NEWCOMER_SECONDS
    assert fairness.may_run("new")
    fairness.queue.offer("new", Call(clock.now))
    assert not fairness.may_run("new")


def test_a_heavy_call_starts_only_when_other_idle_workers_stay(fairness: Fairness[Call]) -> None:
    use(fairness, "heavy", 30.0)
    assert not fairness.may_start("heavy", 1)
    assert fairness.may_start("heavy", 1 + min(LIMITS.workers_reserved, WARM))
    assert not fairness.may_start(OWNER_TENANT, 0)
    assert fairness.may_start(OWNER_TENANT, 1)


def test_what_was_held_is_charged(fairness: Fairness[Call]) -> None:
    use(fairness, "eve", 0.01)
    assert fairness.may_start("eve", 1)
    use(fairness, "eve", 30.0)
    assert not fairness.may_start("eve", 1)
    assert fairness.owner_holds_none
