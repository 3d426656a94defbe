"""What is counted, from runs made by hand: by kind and status, minute by minute, within bounds."""

from __future__ import annotations

import pytest

from goop2.storage.run_record import Run
from goop2.web.console.metering import MINUTES_KEPT, RunMeter


def _run(started: float = 0.0, milliseconds: float = 1.0, *, script: str = "hello", status: str = "ok", memory_bytes: int = 1000) -> Run:
    return Run(1, "function", script, "ann", status, "", None, started, milliseconds, 0.0, memory_bytes)


def test_a_minute_knows_statuses_memory_and_how_long_each_script_took() -> None:
    meter = RunMeter()
    for milliseconds in range(1, 101):
        meter.add(_run(60.0, float(milliseconds)))
    meter.add(_run(61.0, 500.0, script="slow", status="timeout", memory_bytes=9000))
    (minute,) = meter.minutes(100.0)
    assert (minute.at, minute.statuses, minute.memory_bytes) == (60, {"ok": 100, "timeout": 1}, 9000)
    hello, slow = minute.latencies
    assert [hello.p50, hello.p95, slow.p50] == pytest.approx([50, 95, 500], rel=0.1)


def test_a_run_counts_in_the_minute_it_ended() -> None:
    meter = RunMeter()
    meter.add(_run(59.0, 2000.0))
    assert [minute.at for minute in meter.minutes(60.0)] == [60]


def test_what_is_kept_does_not_grow_for_ever() -> None:
    meter = RunMeter()
    for number in range(3 * MINUTES_KEPT):
        meter.add(_run(number * 60.0))
    assert len(meter.minutes(3 * MINUTES_KEPT * 60.0 - 1)) == MINUTES_KEPT
    assert meter.minutes(1e9) == []


def test_a_clock_set_back_loses_no_run() -> None:
    meter = RunMeter()
    meter.add(_run(6000.0))
    meter.add(_run(60.0))
    assert [minute.statuses for minute in meter.minutes(6000.0)] == [{"ok": 2}]


def test_the_histogram_puts_a_run_at_its_bound() -> None:
    meter = RunMeter()
    for milliseconds in (1.0, 1.1, 61_000.0):
        meter.add(_run(0.0, milliseconds))
    histogram = meter.histograms["function", "ok"]
    assert (histogram.counts[0], histogram.counts[1], histogram.counts[-1]) == (1, 1, 1)
    assert histogram.seconds == pytest.approx(61.0021)
