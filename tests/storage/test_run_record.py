"""The record of a run, and which levels of log lines are asked for."""

from __future__ import annotations

import pytest
from tests.storage.runs_made import failed, refused, run_of

from goop2.storage.run_record import level_mask, wanted_mask


def test_a_call_that_was_turned_away_is_no_failure_unless_its_script_is_broken() -> None:
    runs = (run_of(), failed(), refused(), refused(status="script_error"))
    assert [run.is_failure for run in runs] == [False, True, False, True]


@pytest.mark.parametrize(
    ("level", "found"), [("info", [True, True, True, False]), ("warn", [False, True, True, False]), ("error", [False, False, True, False])]
)
def test_who_asks_for_a_level_gets_the_worse_ones_too(level: str, found: list[bool]) -> None:
    masks = [level_mask(((each, "x"),)) for each in ("info", "warn", "error")]
    assert [bool(mask & wanted_mask(level)) for mask in [*masks, level_mask(())]] == found
