"""How a run is said on a terminal."""

from __future__ import annotations

import os
import time

import pytest
from tests.clock import Clock
from tests.storage.runs_made import failed, refused, run_of

from goop2.cli.run_lines import LINES_PER_SECOND, RunLines, caller_shown, details_of, line_of, milliseconds


@pytest.fixture(autouse=True)
def utc(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(os.environ, "TZ", "UTC")
    time.tzset()


def test_a_failure_is_one_line_with_time_script_caller_class_error_duration_and_number() -> None:
    run = failed(1002, started=1_700_000_045.9)
    assert line_of(run) == "22:14:05  hello  visitor-ann  script_error  line 17: no such field  1.5 ms  run 1002"
    assert line_of(run, dated=True).startswith("2023-11-14 22:14:05  hello")


def test_a_run_that_went_well_has_no_error() -> None:
    assert line_of(run_of(7, kind="command", milliseconds=1234.0)).endswith("!hello  visitor-ann  ok  1.2 s  run 7")


def test_a_summary_says_how_many_it_stands_for() -> None:
    line = line_of(refused(9, count=32, caller="", message="rate limit exceeded: 30 a minute for hello"))
    assert line.endswith("hello  several callers  rate_limited  rate limit exceeded: 30 a minute for hello  32 times  run 9")


@pytest.mark.parametrize(
    ("caller", "kind", "label", "shown"),
    [
        ("12D3KooWS8N32fFJAWG7h64DotiGS7tMTkAH3SSFzeuKKmfsMTg9", "owner", "Me", "owner"),
        ("12D3KooWS8N32fFJAWG7h64DotiGS7tMTkAH3SSFzeuKKmfsMTg9", "peer", "owner", "owner (12D3KooWS8N3…fsMTg9)"),
        ("12D3KooWS8N32fFJAWG7h64DotiGS7tMTkAH3SSFzeuKKmfsMTg9", "peer", "", "12D3KooWS8N3…fsMTg9"),
        ("visitor-1", "visitor", "visitor-1", "visitor-1"),
    ],
)
def test_nobody_but_the_owner_is_called_so_alone(caller: str, kind: str, label: str, shown: str) -> None:
    assert caller_shown(run_of(caller=caller, caller_kind=kind, caller_label=label)) == shown


def test_what_strangers_wrote_cannot_steer_the_terminal_or_begin_a_line() -> None:
    run = failed(1, script="a\x1b[2J", caller_label="x\ny", log=(("warn", "one\n\x1b[31mtwo"),), traceback="a\x1b:1: in f")
    text = "\n".join([line_of(run), *details_of(run)])
    assert "\x1b" not in text
    assert [line[:8] for line in text.split("\n")][1:] == ["    at a", "    warn", "      \N{REPLACEMENT CHARACTER}["]


def test_a_cut_log_is_told() -> None:
    assert list(details_of(run_of(1, log=(("info", ""),), truncated=True))) == ["    info: ", "    … the script logged more than is kept"]


@pytest.mark.parametrize(("count", "shown"), [(0.04, "0.0 ms"), (9.94, "9.9 ms"), (12.4, "12 ms"), (2100.0, "2.1 s")])
def test_durations(count: float, shown: str) -> None:
    assert milliseconds(count) == shown


def test_a_running_peer_says_failures_and_with_verbose_every_run() -> None:
    runs = [run_of(1), failed(2), refused(3), refused(4, status="script_error")]
    for verbose, expected in ((False, ["run 2", "run 4"]), (True, ["run 1", "run 2", "run 3", "run 4"])):
        said: list[str] = []
        lines = RunLines(said.append, verbose=verbose, clock=Clock())
        for run in runs:
            lines.show(run)
        assert [line[-5:] for line in said] == expected


def test_a_flood_of_failures_does_not_flood_the_terminal() -> None:
    said: list[str] = []
    clock = Clock()
    lines = RunLines(said.append, verbose=False, clock=clock)
    for number in range(500):
        lines.show(failed(number))
    assert len(said) == LINES_PER_SECOND
    clock.now += 1.0
    lines.show(failed(501))
    assert said[-2:][0] == f'{500 - LINES_PER_SECOND} more failures are not shown here; "goop2 logs" lists them'
    assert said[-1].endswith("run 501")
