"""The file of runs: what is written is found again, what is too much goes, and what the file is never ends the peer."""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import apsw
import pytest
from tests.storage.runs_made import STARTED, failed, refused, run_of

from goop2.storage.limits import MEGABYTE_BYTES
from goop2.storage.run_database import FILE, ReadOnlyRunDatabase, RunDatabase, RunFileError
from goop2.storage.run_limits import DAY_SECONDS, RunLimits
from goop2.storage.run_record import HostCallRecord, Run, RunFilter

LIMITS = RunLimits(keep_days=36_500)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / FILE


@pytest.fixture
def runs(file: Path) -> Iterator[RunDatabase]:
    database = RunDatabase(file, LIMITS)
    yield database
    database.close()


def ids(found: list[Run]) -> list[int]:
    return [run.id for run in found]


WHOLE = run_of(
    5,
    status="script_error",
    message="hello:3: Ä",
    line=3,
    calls=(HostCallRecord("db.query", 0.5, 1.25, "SELECT * FROM t", 3, 1000), HostCallRecord("kv.get", 2.0, 0.1, "key")),
    log=(("info", 'said "x"'), ("error", "line\nbreak")),
    truncated=True,
    caller_kind="visitor",
    caller_label="Ann",
    version=b"\x01\xff",
    argument=b'{"a": "\xff"}',
    argument_bytes=9000,
    answer=b"{}",
    answer_bytes=2,
    traceback="hello:3: in function 'call'",
)


def test_a_run_is_found_as_it_was_written_after_the_file_was_closed(file: Path) -> None:
    database = RunDatabase(file, LIMITS)
    database.add([WHOLE])
    database.close()
    again = RunDatabase(file, LIMITS)
    assert again.get(5) == WHOLE
    assert again.get(6) is None
    assert again.last_id == 5
    again.close()


def test_a_list_of_runs_is_without_what_only_an_opened_one_shows(runs: RunDatabase) -> None:
    runs.add([WHOLE])
    (found,) = runs.find(RunFilter())
    assert (found.message, found.argument_bytes, found.argument, found.log, found.calls) == (WHOLE.message, 9000, b"", (), ())


FOUND: dict[str, tuple[dict[str, Any], list[int]]] = {
    "everything": ({}, [6, 5, 4, 3, 2, 1]),
    "a script": ({"script": "bye"}, [2]),
    "a kind": ({"kind": "command"}, [3]),
    "a caller": ({"caller": "12D3"}, [3]),
    "a caller as lists shorten it": ({"caller": "visi…nn"}, [6, 5, 4, 2, 1]),
    "nobody, by a pattern that is none": ({"caller": "*"}, []),
    "ok": ({"status": "ok"}, [5, 3, 2, 1]),
    "failed": ({"status": "failed"}, [4]),
    "turned away": ({"status": "refused"}, [6]),
    "a class": ({"status": "rate_limited"}, [6]),
    "since": ({"since": STARTED + 4}, [6, 5, 4]),
    "after": ({"after": 4}, [6, 5]),
    "before": ({"before": 3}, [2, 1]),
    "a level": ({"level": "warn"}, [5, 1]),
    "the worst level": ({"level": "error"}, [5]),
    "any level": ({"level": "info"}, [5, 2, 1]),
    "text of an error": ({"text": "NO SUCH"}, [4]),
    "text of a log line": ({"text": 'say "ÄH"'}, [1]),
    "text of an argument": ({"text": "alice"}, [2]),
    "text of an answer": ({"text": "welcome"}, [3]),
    "text of a label": ({"text": "bobby"}, [5]),
    "ASCII text of a log line": ({"text": 'SAY "'}, [1]),
    "a character": ({"text": "ä"}, [1]),
    "text and status": ({"text": "hello", "status": "ok"}, [5, 3, 1]),
    "text that SQL might take for its own": ({"text": "%"}, []),
}


@pytest.mark.parametrize(("asked", "expected"), FOUND.values(), ids=FOUND)
def test_runs_are_found_by(runs: RunDatabase, asked: dict[str, Any], expected: list[int]) -> None:
    runs.add(
        [
            run_of(1, log=(("info", "x"), ("warn", 'Say "äh"'))),
            run_of(2, script="bye", argument=b'{"name": "Alice"}', log=(("info", "x"),)),
            run_of(3, kind="command", caller="12D3", answer=b"Welcome"),
            failed(4),
            run_of(5, caller_label="Bobby", log=(("error", "x"),)),
            refused(6),
        ]
    )
    assert ids(runs.find(RunFilter(**asked))) == expected


def test_only_so_many_are_found_as_are_asked_for(runs: RunDatabase) -> None:
    runs.add(run_of(number) for number in range(1, 9))
    assert ids(runs.find(RunFilter(), 2)) == [8, 7]
    assert runs.find(RunFilter(), 0) == []
    assert runs.find(RunFilter(), -1) == []


def test_successes_go_before_failures_where_there_are_too_many(file: Path) -> None:
    runs = RunDatabase(file, RunLimits(keep_days=36_500, keep_count=3))
    runs.add([run_of(1), failed(2), run_of(3), failed(4), run_of(5)])
    assert ids(runs.find(RunFilter())) == [5, 4, 2]
    runs.add([failed(6), failed(7)])
    assert ids(runs.find(RunFilter())) == [7, 6, 4]
    runs.close()


def test_runs_that_are_too_old_go_whatever_they_are(file: Path) -> None:
    now = time.time()
    runs = RunDatabase(file, LIMITS)
    runs.add([failed(1, started=now - 3 * DAY_SECONDS), failed(2, started=now - DAY_SECONDS), run_of(3, started=now)])
    runs.close()
    runs = RunDatabase(file, RunLimits(keep_days=2))
    assert ids(runs.find(RunFilter())) == [3, 2]
    runs.trim(now + 2 * DAY_SECONDS - 60)
    assert ids(runs.find(RunFilter())) == [3]
    runs.close()


def test_the_file_stays_below_its_size_and_the_newest_stay(file: Path) -> None:
    runs = RunDatabase(file, RunLimits(keep_days=36_500, max_bytes=4 * MEGABYTE_BYTES))
    for first in range(0, 2000, 100):
        runs.add([failed(1 + first), *(run_of(2 + first + number, answer=os.urandom(2000)) for number in range(99))])
        size = sum(each.stat().st_size for each in file.parent.glob("runs.db*") if not each.name.endswith("-shm"))
        assert size <= 4 * MEGABYTE_BYTES
    found = ids(runs.find(RunFilter()))
    assert found[0] == 2000
    assert len(runs.find(RunFilter(status="failed"))) == 20
    assert 500 < len(found) < 1500
    runs.close()


def test_a_summary_takes_the_place_of_the_one_before(runs: RunDatabase) -> None:
    runs.add([refused(7, count=2)])
    runs.add([refused(7, count=32)])
    assert [(run.id, run.count) for run in runs.find(RunFilter())] == [(7, 32)]


def test_runs_of_another_process_get_ids_of_their_own(runs: RunDatabase) -> None:
    runs.add([run_of(1)])
    runs.adopt([failed(1), run_of(5)])
    assert [(run.id, run.status) for run in runs.find(RunFilter())] == [(5, "ok"), (2, "script_error"), (1, "ok")]


def test_a_run_that_another_process_wrote_under_the_same_id_is_kept_under_another(runs: RunDatabase) -> None:
    runs.adopt([failed(1), refused(2, count=5)])
    runs.add([run_of(1), run_of(2)])
    assert [(run.id, run.status) for run in runs.find(RunFilter())] == [
        (202, "rate_limited"),
        (102, "script_error"),
        (2, "ok"),
        (1, "ok"),
    ]


def test_failures_are_counted_by_script_with_the_last_one(runs: RunDatabase) -> None:
    runs.add(
        [
            failed(1),
            failed(2, script="bye"),
            failed(3, started=STARTED + 50),
            run_of(4),
            refused(5, count=30),
            refused(6, count=2, started=STARTED + 60),
            refused(8, status="not_found", started=STARTED),
            failed(7, started=STARTED - 1),
        ]
    )
    turned_away, hello, bye, unknown = runs.failures(STARTED)
    assert (turned_away.script, turned_away.refused, turned_away.count, turned_away.status) == ("hello", True, 32, "rate_limited")
    assert (unknown.status, unknown.count) == ("not_found", 1)
    assert (hello.script, hello.refused, hello.count, hello.last_id, hello.line, hello.last_at) == ("hello", False, 2, 3, 17, STARTED + 50)
    assert (bye.script, bye.count) == ("bye", 1)


def test_only_its_owner_may_read_it(runs: RunDatabase, file: Path) -> None:
    runs.add([run_of(1)])
    assert {stat.S_IMODE(each.stat().st_mode) for each in file.parent.glob("runs.db*")} == {0o600}


def test_a_link_in_its_place_is_refused(file: Path, tmp_path: Path) -> None:
    file.parent.mkdir()
    (tmp_path / "elsewhere").touch()
    file.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(RunFileError, match=r"runs are not kept in .*runs\.db: runs\.db is a link"):
        RunDatabase(file, LIMITS)
    assert (tmp_path / "elsewhere").stat().st_size == 0


@pytest.mark.parametrize("content", [b"no database at all" * 100, b"SQLite format 3\0" + b"\xff" * 4096])
def test_a_damaged_file_is_said_with_what_to_do(file: Path, content: bytes) -> None:
    file.parent.mkdir()
    file.write_bytes(content)
    with pytest.raises(RunFileError, match=r"runs\.db: .*move it away, and a new one is begun"):
        RunDatabase(file, LIMITS)
    assert file.read_bytes() == content


def test_a_file_of_another_version_is_left_alone(file: Path) -> None:
    file.parent.mkdir()
    other = apsw.Connection(str(file))
    other.execute("CREATE TABLE theirs (x); PRAGMA user_version = 99")
    other.close()
    with pytest.raises(RunFileError, match="was not written by this version of goop2"):
        RunDatabase(file, LIMITS)


def test_rows_that_are_not_ours_are_passed_over(runs: RunDatabase, file: Path) -> None:
    runs.add([run_of(1), run_of(2)])
    other = apsw.Connection(str(file))
    other.execute("UPDATE runs SET log = '{', status = NULL WHERE id = 1")
    other.execute("INSERT INTO runs (id, log) VALUES (3, '[[1]]')")
    other.close()
    assert ids(runs.find(RunFilter(), whole=True)) == [2]


@pytest.mark.parametrize("column", ["log", "calls"])
def test_a_row_nested_without_end_is_passed_over(runs: RunDatabase, file: Path, column: str) -> None:
    runs.add([WHOLE])
    with apsw.Connection(str(file)) as other:
        other.execute(f"UPDATE runs SET {column} = ?", ("[" * 100_000,))
    assert runs.get(5) is None


def test_no_trigger_of_the_file_runs(runs: RunDatabase, file: Path) -> None:
    other = apsw.Connection(str(file))
    other.execute("CREATE TRIGGER theirs AFTER INSERT ON runs BEGIN DELETE FROM runs; END")
    other.close()
    runs.add([run_of(1)])
    assert ids(runs.find(RunFilter())) == [1]


def test_a_command_reads_it_beside_the_peer_and_changes_nothing(runs: RunDatabase, file: Path) -> None:
    runs.add([run_of(1)])
    reading = ReadOnlyRunDatabase(file)
    runs.add([run_of(2)])
    assert ids(reading.find(RunFilter())) == [2, 1]
    with pytest.raises(RunFileError):
        reading.add([run_of(3)])
    reading.close()


def test_a_file_that_is_not_there_cannot_be_read(file: Path) -> None:
    with pytest.raises(RunFileError):
        ReadOnlyRunDatabase(file)
    assert not file.exists()
