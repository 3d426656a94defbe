"""The clock by which nodes are lost: only echoes of the server turn it."""

from __future__ import annotations

from tests.clock import Clock

from goop2.cluster.limits import ECHO_STEP_MAX_SECONDS
from goop2.cluster.loss_clock import LossClock


def test_it_goes_on_with_each_echo() -> None:
    clock = Clock()
    loss = LossClock(clock)
    loss.echoed()
    for _ in range(5):
        clock.now += 0.2
        loss.echoed()
    assert abs(loss.seconds - 1.0) < 1e-9


def test_it_stands_still_without_echoes() -> None:
    clock = Clock()
    loss = LossClock(clock)
    loss.echoed()
    clock.now += 3600
    assert loss.seconds == 0.0


def test_a_machine_that_stood_still_has_missed_one_step_at_most() -> None:
    clock = Clock()
    loss = LossClock(clock)
    loss.echoed()
    clock.now += 3600
    loss.echoed()
    assert loss.seconds == ECHO_STEP_MAX_SECONDS


def test_the_time_without_a_connection_does_not_count() -> None:
    clock = Clock()
    loss = LossClock(clock)
    loss.echoed()
    loss.stand_still()
    clock.now += 0.3
    loss.echoed()
    assert loss.seconds == 0.0
