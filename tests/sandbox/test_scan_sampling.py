"""The first runs of each script in a second have their scans counted, as many as the history keeps one by one."""

from __future__ import annotations

import pytest

from goop2.sandbox.scan_sampling import ScanSampling
from goop2.storage.run_limits import ONE_BY_ONE_PER_SECOND


def test_the_first_runs_of_each_script_in_each_second_are_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1000.0
    monkeypatch.setattr("time.time", lambda: now)
    sampling = ScanSampling()
    taken = [sampling.takes("function", "busy") for _ in range(ONE_BY_ONE_PER_SECOND + 5)]
    assert taken == [True] * ONE_BY_ONE_PER_SECOND + [False] * 5
    assert sampling.takes("function", "quiet"), "each script has a number of its own"
    assert sampling.takes("command", "busy"), "so has a command of the same name"
    now = 1001.0
    assert sampling.takes("function", "busy")
