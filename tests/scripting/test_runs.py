"""What happened: the ring of runs, its log lines, and who is told."""

from __future__ import annotations

import logging
import tracemalloc
from typing import Any

import pytest
import structlog
from structlog.testing import capture_logs

from goop2.scripting.limits import LOG_LINES_MAX, LOG_MAX_BYTES
from goop2.scripting.runs import RunLog, Runs
from goop2.storage.run_record import OK, HostCallRecord, Run


def run_of(number: int = 1, **changes: Any) -> Run:
    values: dict[str, Any] = {
        "id": number,
        "kind": "command",
        "script": "hello",
        "caller": "ann",
        "status": OK,
        "message": "",
        "line": None,
        "started": 1_700_000_000.0,
        "milliseconds": 1.5,
        "waited_milliseconds": 0.25,
        "memory_bytes": 40_000,
    }
    return Run(**values | changes)


def ids(runs: list[Run]) -> list[int]:
    return [run.id for run in runs]


def test_the_newest_runs_come_first() -> None:
    runs = Runs()
    for number in range(5):
        runs.add(run_of(number))
    assert ids(runs.recent(3)) == [4, 3, 2]
    assert ids(runs.recent(99)) == [4, 3, 2, 1, 0]
    assert runs.recent(0) == []
    assert runs.recent(-1) == []


def test_runs_are_found_by_script_kind_status_and_caller() -> None:
    runs = Runs()
    runs.add(run_of(1))
    runs.add(run_of(2, kind="function"))
    runs.add(run_of(3, status="timeout", caller="bob"))
    runs.add(run_of(4, script="bye"))
    assert ids(runs.recent(9, script="hello")) == [3, 2, 1]
    assert ids(runs.recent(9, script="hello", kind="command")) == [3, 1]
    assert ids(runs.recent(9, status="timeout")) == [3]
    assert ids(runs.recent(1, caller="ann")) == [4]
    assert runs.recent(9, script="hello", caller="eve") == []


def test_ids_count_from_one() -> None:
    runs = Runs()
    assert [runs.new_id(), runs.new_id()] == [1, 2]


def test_the_ring_keeps_a_number_of_runs() -> None:
    runs = Runs(kept=3)
    for number in range(10):
        runs.add(run_of(number))
    assert ids(runs.recent(9)) == [9, 8, 7]


def test_the_ring_keeps_a_number_of_bytes() -> None:
    runs = Runs(max_bytes=10_000)
    for number in range(10):
        runs.add(run_of(number, log=(("info", "x" * 3000),)))
    assert ids(runs.recent(9)) == [9, 8]
    assert runs.kept_bytes <= 10_000


def test_the_names_of_host_calls_count_for_a_worker_may_invent_them() -> None:
    runs = Runs()
    for number in range(30):
        invented = tuple(HostCallRecord(f"{number}.{call}".ljust(4096, "x"), 0.0, 0.0) for call in range(250))
        runs.add(run_of(number, calls=invented))
    assert len(runs.recent(99)) < 17


def test_the_newest_run_is_kept_however_large_it_is() -> None:
    runs = Runs(max_bytes=10)
    runs.add(run_of(1))
    runs.add(run_of(2))
    assert ids(runs.recent(9)) == [2]


def test_the_ring_counts_about_what_it_takes() -> None:
    def full(number: int) -> Run:
        return run_of(
            number,
            script=f"script-{number}",
            caller=f"12D3KooWStranger{number:040d}",
            started=number + 0.5,
            milliseconds=number + 0.25,
            waited_milliseconds=number + 0.125,
            memory_bytes=number + 1_000_000,
            calls=tuple(HostCallRecord(f"kv.get{number}{call}", call + number / 7, call + number / 9) for call in range(5)),
            log=tuple(("info", f"{number} {line} grüße" * 10) for line in range(20)),
        )

    runs = Runs()
    tracemalloc.start()
    with capture_logs() as logs:
        for number in range(500):
            runs.add(full(number))
            logs.clear()
    taken, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert 0.7 * taken < runs.kept_bytes < 1.5 * taken


def test_log_lines_go_to_the_log_with_script_caller_and_level() -> None:
    with capture_logs() as logs:
        Runs().add(run_of(log=(("info", "a"), ("warn", "b"), ("error", "c")), truncated=True))
    lines = [line for line in logs if line["event"] == "script log"]
    assert [(line["log_level"], line["text"]) for line in lines] == [("info", "a"), ("warning", "b"), ("error", "c")]
    assert {(line["script"], line["caller"], line["kind"]) for line in lines} == {("hello", "ann", "command")}
    assert [line["kept_lines"] for line in logs if line["event"] == "script log cut"] == [3]


def test_a_failed_run_is_one_log_line_with_status_message_and_line() -> None:
    with capture_logs() as logs:
        Runs().add(run_of(status="script_error", message="hello:3: no city", line=3))
    assert len(logs) == 1
    expected = {"event": "run failed", "status": "script_error", "message": "hello:3: no city", "line": 3, "script": "hello"}
    assert expected.items() <= logs[0].items()


@pytest.fixture
def _quiet() -> Any:
    before = structlog.get_config()["wrapper_class"]
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.INFO))
    yield
    structlog.configure(wrapper_class=before)


@pytest.mark.usefixtures("_quiet")
def test_a_run_that_went_well_is_silent_unless_the_log_wants_details() -> None:
    with capture_logs() as logs:
        Runs().add(run_of())
    assert logs == []


def test_a_run_that_went_well_is_a_detail() -> None:
    with capture_logs() as logs:
        Runs().add(run_of())
    assert [(line["event"], line["log_level"]) for line in logs] == [("run", "debug")]


def test_a_subscriber_hears_of_every_run_until_it_stops() -> None:
    runs = Runs()
    heard: list[Run] = []
    stop = runs.subscribe(heard.append)
    runs.add(run_of(1))
    stop()
    runs.add(run_of(2))
    assert ids(heard) == [1]


def log_of(*texts: str) -> RunLog:
    log = RunLog()
    for text in texts:
        log.append("info", text)
    return log


def test_a_log_keeps_two_hundred_lines_and_marks_the_cut() -> None:
    texts = [str(number) for number in range(LOG_LINES_MAX)]
    assert not log_of(*texts).truncated
    cut = log_of(*texts, "one too many")
    assert cut.truncated
    assert [text for _, text in cut.lines] == texts


def test_a_log_keeps_sixty_four_kilobytes_and_cuts_between_characters() -> None:
    log = RunLog()
    log.append("info", "x" * (LOG_MAX_BYTES - 3))
    log.append("warn", "éé")
    log.append("error", "")
    assert log.truncated
    assert [(level, text) for level, text in log.lines][1:] == [("warn", "é")]


def test_a_log_that_fits_exactly_is_not_cut() -> None:
    full = "x" * LOG_MAX_BYTES
    assert not log_of(full, "").truncated
    assert log_of(full, "y").truncated
