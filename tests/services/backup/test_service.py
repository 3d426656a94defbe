"""The backup of a running peer, with the real Litestream: what is copied, what is told when something fails, and who may write."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import sqlite3
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, closing
from pathlib import Path

import pytest

from goop2.config import Settings
from goop2.config.replica_place import parse_place
from goop2.config.settings import BackupSettings
from goop2.services.backup import limits, service, state
from goop2.services.backup.program import BackupError, find
from goop2.services.backup.restoring import check_empty, restore_into
from goop2.services.backup.service import Backup, open_backup
from goop2.services.backup.terms import Place

PATIENCE_SECONDS = 30.0
PEER = "12D3KooWExample"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A peer folder with a database of one table."""
    peer = tmp_path / "peer"
    (peer / "site").mkdir(parents=True)
    (peer / "data").mkdir()
    (peer / "goop.json").write_text("{}")
    (peer / "site/index.html").write_text("hello")
    write(peer, "CREATE TABLE _tables (name TEXT)", "CREATE TABLE notes (text TEXT)")
    return peer


def write(folder: Path, *statements: str) -> None:
    connection = sqlite3.connect(folder / "data.db")
    connection.execute("PRAGMA journal_mode=wal")
    for statement in statements:
        connection.execute(statement)
    connection.commit()
    connection.close()


def settings(tmp_path: Path) -> Settings:
    return Settings(backup=BackupSettings(to=f"file://{tmp_path}/place"))


@asynccontextmanager
async def backing_up(folder: Path, tmp_path: Path, environment: dict[str, str] | None = None) -> AsyncIterator[Backup]:
    """Make the backup of a folder until the block is left."""
    async with open_backup(folder, os.environ if environment is None else environment) as backup:
        backup.begin(settings(tmp_path), PEER, "Ann")
        yield backup


async def until(backup: Backup, condition: Callable[[], bool]) -> None:
    """Wait for a condition."""
    end = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < end, backup.status
        await asyncio.sleep(0.02)


def restored(tmp_path: Path, name: str) -> Path:
    """Restore what is at the place, as the newest term has it."""
    place = Place(find(), parse_place(f"file://{tmp_path}/place"))
    target = tmp_path / name
    target.mkdir()
    restore_into(target, place, place.newest())
    return target


def notes_in(folder: Path) -> list[str]:
    with closing(sqlite3.connect(folder / "data.db")) as connection:
        return [text for (text,) in connection.execute("SELECT text FROM notes")]


async def test_rows_and_files_arrive_and_what_is_written_last_too(folder: Path, tmp_path: Path) -> None:
    async with backing_up(folder, tmp_path) as backup:
        write(folder, "INSERT INTO notes VALUES ('first')")
        (folder / "site/later.html").write_text("later")
        status = await backup.copy_now()
        assert (status.problem, status.left_out, status.copied_at is not None) == ("", [], True)
        first = await asyncio.to_thread(restored, tmp_path, "first")
        write(folder, "INSERT INTO notes VALUES ('last')")
    assert notes_in(first) == ["first"]
    assert (first / "site/later.html").read_text() == "later"
    assert notes_in(restored(tmp_path, "second")) == ["first", "last"]


async def test_a_litestream_that_is_killed_is_started_again(folder: Path, tmp_path: Path) -> None:
    async with backing_up(folder, tmp_path) as backup:
        await backup.copy_now()
        pid = backup.status.pid
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
        await until(backup, lambda: bool(backup.status.problem))
        assert backup.status.problem.startswith("Litestream was ended by the signal 9, and is started again")
        await until(backup, lambda: backup.status.pid not in (None, pid) and not backup.status.problem)
        write(folder, "INSERT INTO notes VALUES ('after')")
    assert notes_in(restored(tmp_path, "new")) == ["after"]


async def test_a_missing_litestream_is_told_and_nothing_else_happens(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.executable", str(tmp_path / "python"))
    async with backing_up(folder, tmp_path, {"PATH": str(tmp_path)}) as backup:
        await until(backup, lambda: bool(backup.status.problem))
        assert backup.status.problem.startswith("the program Litestream is missing: install Litestream")
        monkeypatch.setattr(service, "FILES_LOOK_UNTOLD_SECONDS", 0.1)
        with pytest.raises(BackupError, match="missing"):
            await backup.copy_now()


async def test_a_place_that_cannot_be_written_is_told(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service, "LATE_SECONDS", 0.5)
    (tmp_path / "place").write_text("a file in its way")
    async with backing_up(folder, tmp_path) as backup:
        await until(backup, lambda: bool(backup.status.problem))
        assert "not a directory" in backup.status.problem.lower()
        with pytest.raises(BackupError, match="not a directory"):
            await backup.copy_now()


async def test_another_folder_does_not_write_to_the_same_place(folder: Path, tmp_path: Path) -> None:
    async with backing_up(folder, tmp_path) as backup:
        await backup.copy_now()
    shutil.copytree(folder, tmp_path / "copy")
    before = sorted(path for path in (tmp_path / "place").rglob("*"))
    async with backing_up(tmp_path / "copy", tmp_path) as copy:
        await until(copy, lambda: bool(copy.status.problem))
        assert "another folder makes its backup at" in copy.status.problem
        assert f'"goop2 backup {tmp_path}/copy --take-over"' in copy.status.problem
        assert sorted(path for path in (tmp_path / "place").rglob("*")) == before


async def test_a_folder_that_was_taken_over_from_stops_and_both_terms_stay_whole(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "TERM_LOOK_SECONDS", 0.5)
    async with backing_up(folder, tmp_path) as old:
        await old.copy_now()
        shutil.copytree(folder, tmp_path / "copy")
        write(tmp_path / "copy", "INSERT INTO notes VALUES ('of the copy')")
        async with backing_up(tmp_path / "copy", tmp_path) as copy:
            await until(copy, lambda: bool(copy.status.problem))
            await copy.copy_now(take_over=True)
            write(folder, "INSERT INTO notes VALUES ('of the old one')")
            await until(old, lambda: "another folder" in old.status.problem)
    assert notes_in(restored(tmp_path, "new")) == ["of the copy"]
    assert (state.load(folder).term, state.load(tmp_path / "copy").term) == (1, 2)


async def test_a_place_that_was_emptied_is_filled_again(folder: Path, tmp_path: Path) -> None:
    write(folder, "INSERT INTO notes VALUES ('first')")
    async with backing_up(folder, tmp_path) as backup:
        await backup.copy_now()
    shutil.rmtree(tmp_path / "place")
    async with backing_up(folder, tmp_path) as backup:
        write(folder, "INSERT INTO notes VALUES ('second')")
        await backup.copy_now()
    assert notes_in(restored(tmp_path, "new")) == ["first", "second"]


async def test_a_database_that_was_replaced_while_no_peer_ran_is_copied_anew(folder: Path, tmp_path: Path) -> None:
    async with backing_up(folder, tmp_path) as backup:
        await backup.copy_now()
    for name in ("data.db", "data.db-wal", "data.db-shm"):
        (folder / name).unlink(missing_ok=True)
    write(folder, "CREATE TABLE _tables (name TEXT)", "CREATE TABLE notes (text TEXT)", "INSERT INTO notes VALUES ('replaced')")
    async with backing_up(folder, tmp_path) as backup:
        await backup.copy_now()
    assert notes_in(restored(tmp_path, "new")) == ["replaced"]


async def test_litestream_is_not_led_elsewhere_by_a_link_that_came_with_a_folder(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (folder / ".data.db-litestream").symlink_to(tmp_path / "elsewhere")
    async with backing_up(folder, tmp_path) as backup:
        await until(backup, lambda: "is a link" in backup.status.problem)
    assert list((tmp_path / "elsewhere").iterdir()) == []


async def test_two_litestreams_never_run_for_one_folder(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("goop2.services.backup.litestream._LOCK_SECONDS", 0.2)
    async with backing_up(folder, tmp_path) as first, backing_up(folder, tmp_path) as second:
        await first.copy_now()
        await until(second, lambda: "still runs" in second.status.problem)
        assert second.status.pid is None


def test_a_folder_with_a_file_in_it_is_not_restored_into(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("")
    with pytest.raises(BackupError, match="is not empty, and nothing is restored over other files"):
        check_empty(tmp_path)
    with pytest.raises(BackupError, match="is a file"):
        check_empty(tmp_path / "a")
    check_empty(tmp_path / "new")


def test_without_a_place_nothing_runs(folder: Path) -> None:
    backup = Backup(folder)
    backup.begin(Settings(), PEER, "Ann")
    assert (backup.status.place, backup.status.pid) == ("", None)
    assert limits.STOP_SECONDS > limits.LAST_COPY_SECONDS
