"""Everything that looks around now and then wakes up at the same moments."""

from __future__ import annotations

import asyncio

import pytest

from goop2.config.ticks import seconds_to_tick


@pytest.mark.parametrize(("now", "period", "expected"), [(10.0, 1.0, 1.0), (10.25, 1.0, 0.75), (10.25, 2.0, 1.75), (10.95, 1.0, 1.05)])
async def test_a_tick_is_a_whole_multiple_and_never_next_to_nothing(
    now: float, period: float, expected: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(asyncio.get_running_loop(), "time", lambda: now)
    ticks = seconds_to_tick(period)
    monkeypatch.undo()
    assert ticks == pytest.approx(expected)
