"""Which runs are kept one by one: a busy script and a flood of refused calls leave summaries."""

from __future__ import annotations

import itertools

import pytest
from tests.storage.runs_made import STARTED, refused, run_of

from goop2.storage.run_limits import ONE_BY_ONE_PER_SECOND, REFUSED_KEYS_MAX, REFUSED_ONE_BY_ONE
from goop2.storage.run_sampling import RunSampling


@pytest.fixture
def sampling() -> RunSampling:
    ids = itertools.count(1000)
    return RunSampling(lambda: next(ids))


def test_successes_beyond_the_most_of_a_second_are_counted_and_the_slowest_is_shown(sampling: RunSampling) -> None:
    kept = [sampling.keeps(run_of(number, started=STARTED, milliseconds=number % 250)) for number in range(300)]
    assert sum(kept) == ONE_BY_ONE_PER_SECOND
    (summary,) = sampling.summaries(STARTED)
    assert (summary.count, summary.id, summary.milliseconds) == (300 - ONE_BY_ONE_PER_SECOND, 249, 249)
    assert list(sampling.summaries(STARTED)) == []


def test_each_script_and_each_second_has_its_own_share(sampling: RunSampling) -> None:
    for script, kind, second in itertools.product(("a", "b"), ("command", "function"), (0.0, 1.0)):
        runs = (run_of(1, script=script, kind=kind, started=STARTED + second) for _ in range(ONE_BY_ONE_PER_SECOND))
        assert all(map(sampling.keeps, runs))


def test_runs_that_end_out_of_order_begin_no_second_anew(sampling: RunSampling) -> None:
    kept = [sampling.keeps(run_of(number, started=STARTED - number % 2)) for number in range(1000)]
    assert sum(kept) <= 2 * ONE_BY_ONE_PER_SECOND


def test_a_clock_that_was_set_back_does_not_end_the_keeping(sampling: RunSampling) -> None:
    assert sum(sampling.keeps(run_of(number, started=STARTED)) for number in range(300)) == ONE_BY_ONE_PER_SECOND
    assert sampling.keeps(run_of(1, started=STARTED - 3600))


def test_refused_calls_beyond_the_most_of_a_minute_share_a_summary_that_names_no_caller(sampling: RunSampling) -> None:
    minute = STARTED - STARTED % 60
    kept = [sampling.keeps_refused(refused(number, started=minute + 1, caller=f"v{number}")) for number in range(30)]
    assert sum(kept) == REFUSED_ONE_BY_ONE
    (first,) = sampling.summaries(minute + 2)
    assert (first.count, first.script, first.status, first.caller, first.started, first.refused) == (
        10,
        "hello",
        "rate_limited",
        "",
        minute,
        True,
    )
    assert list(sampling.summaries(minute + 2)) == []
    sampling.keeps_refused(refused(31, started=minute + 3))
    (second,) = sampling.summaries(minute + 4)
    assert (second.id, second.count) == (first.id, 11)
    assert sampling.keeps_refused(refused(32, started=minute + 60))


def test_names_that_strangers_make_up_share_one_summary(sampling: RunSampling) -> None:
    kept = [sampling.keeps_refused(refused(number, script=f"x{number}", status="not_found", started=STARTED)) for number in range(5000)]
    assert sum(kept) == REFUSED_KEYS_MAX
    (summary,) = sampling.summaries(STARTED)
    assert (summary.script, summary.count) == ("", 5000 - REFUSED_KEYS_MAX)


def test_what_is_over_is_forgotten(sampling: RunSampling) -> None:
    sampling.keeps(run_of(1, started=STARTED))
    sampling.keeps_refused(refused(2, started=STARTED))
    assert list(sampling.summaries(STARTED + 120)) == []
    assert not sampling._seconds
    assert not sampling._minutes
