"""The history of a peer: on disk within a second and at every stop, and never in anybody's way."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from structlog.testing import capture_logs
from tests.storage.runs_made import failed, refused, run_of

from goop2.storage import run_database, run_history
from goop2.storage.errors import DatabaseClosedError
from goop2.storage.run_database import FILE, RunDatabase, RunFileError
from goop2.storage.run_history import RunHistory
from goop2.storage.run_limits import ONE_BY_ONE_PER_SECOND, RunLimits
from goop2.storage.run_record import Run, RunFilter

LIMITS = RunLimits(keep_days=36_500)


@pytest.fixture
async def history(tmp_path: Path) -> AsyncIterator[RunHistory]:
    history = RunHistory(tmp_path, LIMITS)
    await history.open()
    yield history
    await history.close()


def on_disk(folder: Path) -> list[int]:
    database = run_database.ReadOnlyRunDatabase(folder / FILE)
    try:
        return [run.id for run in database.find(RunFilter())]
    finally:
        database.close()


async def test_a_run_is_on_disk_within_a_second(history: RunHistory, tmp_path: Path) -> None:
    history.add(run_of(1))
    end = time.monotonic() + 1.0
    while on_disk(tmp_path) != [1]:
        assert time.monotonic() < end
        await asyncio.sleep(0.05)


async def test_what_waits_at_a_stop_is_on_disk_and_ids_count_on(tmp_path: Path) -> None:
    history = RunHistory(tmp_path, LIMITS)
    await history.open()
    history.add(run_of(history.new_id()))
    history.add(failed(history.new_id()))
    await history.close()
    await history.close()
    again = RunHistory(tmp_path, LIMITS)
    await again.open()
    assert again.new_id() == 3
    assert [run.id for run in await again.find(RunFilter())] == [2, 1]
    await again.close()


async def test_a_run_that_has_just_ended_is_found(history: RunHistory) -> None:
    history.add(failed(1))
    assert await history.get(1) == failed(1)
    assert await history.get(2) is None
    assert [each.count for each in await history.failures(0)] == [1]


async def test_busy_scripts_and_refused_calls_leave_summaries(history: RunHistory) -> None:
    for _ in range(300):
        history.add(run_of(history.new_id(), started=5.0))
        history.add(refused(history.new_id(), started=5.0))
    found = await history.find(RunFilter())
    assert sum(run.count for run in found if run.refused) == 300
    assert sum(run.count for run in found if not run.refused) == 300
    assert len(found) < ONE_BY_ONE_PER_SECOND + 50


async def test_without_a_folder_the_last_runs_are_kept_in_memory(tmp_path: Path) -> None:
    for history in (RunHistory(None), RunHistory(tmp_path, RunLimits(keep_count=0))):
        await history.open()
        for number in range(1, 1200):
            history.add(failed(number))
        assert (len(await history.find(RunFilter())), history.problem) == (1000, "")
        await history.close()
    assert os.listdir(tmp_path) == []  # noqa: PTH208 - in an event loop


async def test_a_damaged_file_is_said_once_and_the_peer_runs_on(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / FILE).write_bytes(b"no database" * 1000)
    history = RunHistory(tmp_path, LIMITS)
    with capture_logs() as said:
        await history.open()
        history.add(run_of(1))
        assert [run.id for run in await history.find(RunFilter())] == [1]
    assert len(said) == 1
    assert "move it away" in history.problem
    await history.close()
    assert (tmp_path / FILE).read_bytes() == b"no database" * 1000


async def test_a_file_that_can_be_used_again_gets_what_was_kept_meanwhile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run_history, "RETRY_SECONDS", 0.0)
    (tmp_path / "data").mkdir()
    (tmp_path / FILE).write_bytes(b"no database" * 1000)
    history = RunHistory(tmp_path, LIMITS)
    await history.open()
    history.add(run_of(1))
    await history.flush()
    (tmp_path / FILE).unlink()
    history.add(run_of(2))
    await history.flush()
    assert history.problem == ""
    assert on_disk(tmp_path) == [2, 1]
    await history.close()


async def test_a_disk_that_fills_up_costs_the_history_and_nothing_else(history: RunHistory, monkeypatch: pytest.MonkeyPatch) -> None:
    history.add(run_of(1))
    await history.flush()

    def full(self: RunDatabase, runs: list[Run]) -> None:
        if self.path is not None:
            raise RunFileError("runs are not kept in data/runs.db: the disk is full")
        written.extend(runs)

    written: list[Run] = []
    monkeypatch.setattr(RunDatabase, "add", full)
    history.add(failed(2))
    await history.flush()
    assert history.problem == "runs are not kept in data/runs.db: the disk is full"
    assert [run.id for run in written] == [2]


async def test_a_disk_that_hangs_bounds_what_waits(history: RunHistory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run_history, "PENDING_MAX", 5)
    for number in range(10):
        history.add(failed(number + 1))
        history.add(run_of(100 + number, started=5.0))
        history.new_id()
    found = await history.find(RunFilter())
    assert history.lost == 7
    assert sum(run.count for run in found if run.status == "ok") == 10
    assert len(found) == 6


async def test_two_processes_beside_each_other_keep_both_runs(tmp_path: Path) -> None:
    both = [RunHistory(tmp_path, LIMITS, beside=True) for _ in range(2)]
    for history in both:
        await history.open()
    for history in both:
        history.add(run_of(history.new_id()))
    for history in both:
        await history.close()
    assert on_disk(tmp_path) == [2, 1]


async def test_a_command_beside_the_peer_takes_no_run_of_its(history: RunHistory, tmp_path: Path) -> None:
    beside = RunHistory(tmp_path, LIMITS, beside=True)
    await beside.open()
    beside.add(failed(beside.new_id()))
    await beside.close()
    first = history.new_id()
    history.add(run_of(first))
    await history.flush()
    assert sorted(on_disk(tmp_path)) == [1, 101]
    assert history.new_id() == 102


async def test_whoever_asks_is_answered_although_runs_never_cease(history: RunHistory) -> None:
    busy = True

    async def keep_busy() -> None:
        while busy:
            history.add(failed(history.new_id()))
            await asyncio.sleep(0)

    running = asyncio.create_task(keep_busy())
    await asyncio.sleep(0.01)  # until there is always one to write
    async with asyncio.timeout(5):
        assert await history.find(RunFilter(), 1)
    busy = False
    await running


async def test_who_asks_and_goes_away_takes_no_run_along(history: RunHistory, tmp_path: Path) -> None:
    for number in range(1, 6):
        history.add(failed(number))
        asking = asyncio.create_task(history.find(RunFilter()))
        await asyncio.sleep(0)
        asking.cancel()
        await asyncio.gather(asking, return_exceptions=True)
    await history.flush()
    assert on_disk(tmp_path) == [5, 4, 3, 2, 1]


async def test_what_ends_just_when_a_write_is_done_is_written_too(history: RunHistory, tmp_path: Path) -> None:
    numbers = range(1, 41)
    for number in numbers:
        history.add(failed(number))
        writing = history._writing
        while writing is not None and not writing.done():  # noqa: ASYNC110 (an event would come a round too late)
            await asyncio.sleep(0)  # until it is done, and its callback has not run
        await history.flush()
        assert number in on_disk(tmp_path)
        history.add(failed(number + 100))
        history._flush()


async def test_nothing_is_asked_of_a_history_that_is_closed(history: RunHistory) -> None:
    await history.close()
    history.add(run_of(1))
    with pytest.raises(DatabaseClosedError):
        await history.find(RunFilter())


@pytest.mark.skipif(os.geteuid() == 0, reason="nothing is forbidden to root")
async def test_a_folder_that_cannot_be_written_to_is_said(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir(mode=0o500)
    history = RunHistory(tmp_path, LIMITS)
    await history.open()
    assert "Permission denied" in history.problem
    await history.close()
