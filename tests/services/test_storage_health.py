"""A database that cannot be used while the peer runs: one line when it begins, one when it ends, and nobody's script is blamed."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from structlog.testing import capture_logs
from tests.stopwatch import Stopwatch

from goop2.app import open_peer
from goop2.folder.creation import create
from goop2.scripting import inotify
from goop2.scripting.engine import Failure, Success
from goop2.scripting.invocation import Caller, ErrorCode
from goop2.services.peer import Peer
from goop2.services.storage_health import StorageHealth, _why_not_writable
from goop2.storage.database import Database
from goop2.storage.errors import DamagedError
from goop2.storage.sqlite_errors import DAMAGED

PATIENCE_SECONDS = 15.0
LONGER_THAN_A_LOOK_SECONDS = 1.5
BOB = Caller("bob", "Bob")
SCRIPTS = {
    "fill": 'function call(r) local id, err = goop.schema.insert("t", {x = ("x"):rep(900000)}) if not id then error(err) end return id end',
    "hello": 'function call() return "hello" end',
    "read": 'function call() return #goop.db.query("SELECT _id FROM t") end',
}
SCHEMA = {"name": "t", "columns": [{"name": "x", "type": "text"}]}


def made(folder: Path, **storage: object) -> Path:
    """A peer folder with a table and scripts that use it."""
    create(folder, "Fred", "blank")
    document = json.loads((folder / "goop.json").read_text())
    (folder / "goop.json").write_text(json.dumps({**document, "storage": storage}))
    (folder / "schemas").mkdir()
    (folder / "schemas/t.json").write_text(json.dumps(SCHEMA))
    (folder / "site/lua/functions").mkdir(parents=True)
    for name, source in SCRIPTS.items():
        (folder / f"site/lua/functions/{name}.lua").write_text(source)
    return folder


async def eventually(is_so: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not is_so():  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0.02)


async def called(peer: Peer, function: str) -> Success | Failure:
    return await peer.engine.call(peer.owner, function)


async def filled(peer: Peer) -> Failure:
    """Insert rows until it is refused."""
    for _ in range(200):
        result = await called(peer, "fill")
        if isinstance(result, Failure):
            return result
    raise AssertionError("it was never full")


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 12 MB."""
    if os.geteuid() != 0:
        pytest.skip("a small disk needs root, to mount it")
    place = tmp_path / "disk"
    place.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=12m", "tmpfs", place], capture_output=True).returncode:
        pytest.skip("a small disk needs the right to mount")
    yield place
    subprocess.run(["umount", "-l", place], check=True)


def enlarge(disk: Path) -> None:
    subprocess.run(["mount", "-o", "remount,size=200m", disk], check=True)


async def test_a_script_that_fills_the_database_is_told_of_the_setting_and_the_peer_goes_on(tmp_path: Path) -> None:
    async with open_peer(made(tmp_path / "p", max_mb=4), {}, watch=True) as peer:
        failure = await filled(peer)
        assert "storage.max_mb" in failure.message
        assert failure.code is ErrorCode.SCRIPT_ERROR
        assert peer.health.problem == ""
        refused = await peer.tables.perform("insert", peer.owner, {"table": "t", "data": {"x": "y" * 900_000}})
        assert isinstance(refused, Failure)
        assert refused.code is ErrorCode.UNAVAILABLE
        said = await peer.chat.say(peer.owner, "kept all the same")
        assert said.failure is None


async def test_a_large_database_is_said_once_at_the_start(tmp_path: Path) -> None:
    folder = made(tmp_path / "p", max_mb=4)
    async with open_peer(folder, {}) as peer:
        await filled(peer)
    with capture_logs() as lines:
        async with open_peer(folder, {}, watch=True) as peer:
            assert len([warning for warning in peer.warnings if "of the 4 MB of storage.max_mb" in warning]) == 1
            await asyncio.sleep(LONGER_THAN_A_LOOK_SECONDS)  # a second warning would be here by now
    assert not [line for line in lines if line["event"] == "the database grows"]


async def test_a_full_disk_is_no_scripts_failure_and_is_said_once(small_disk: Path) -> None:
    async with open_peer(made(small_disk / "p"), {}, watch=True) as peer:
        with capture_logs() as lines:
            failure = await filled(peer)
            assert failure.code is ErrorCode.UNAVAILABLE
            assert failure.message == "the disk is full"
            assert peer.health.problem == "the disk is full"
            assert isinstance(await called(peer, "hello"), Success)
            await filled(peer)
            assert len([line for line in lines if line["event"] == "the database cannot be used"]) == 1
            await asyncio.to_thread(enlarge, small_disk)
            await eventually(lambda: not peer.health.problem)
            assert [line["event"] for line in lines if line["event"].startswith("the database can")] == [
                "the database cannot be used",
                "the database can be used again",
            ]
            assert isinstance(await called(peer, "fill"), Success)


@pytest.mark.parametrize("replaced", [False, True])
async def test_a_database_that_is_removed_or_replaced_is_noticed_and_nothing_more_is_written(tmp_path: Path, replaced: bool) -> None:
    folder = made(tmp_path / "p")
    async with open_peer(folder, {}, watch=True) as peer:
        assert isinstance(await called(peer, "fill"), Success)
        (folder / "data.db").rename(tmp_path / "away.db")
        if replaced:
            (folder / "data.db").write_bytes((tmp_path / "away.db").read_bytes())
        await eventually(lambda: peer.health.lost)
        assert ("was replaced" if replaced else "was removed") in peer.health.problem
        for caller in (peer.owner, BOB):
            result = await peer.engine.call(caller, "read")
            assert isinstance(result, Failure)
            assert result.code is ErrorCode.UNAVAILABLE
            row = await peer.tables.perform("query", caller, {"table": "t", "columns": ["_id"]})
            assert isinstance(row, Failure)
            assert row.code is ErrorCode.UNAVAILABLE
        (tmp_path / "away.db").rename(folder / "data.db")
        await eventually(lambda: not peer.health.problem)
        assert isinstance(await called(peer, "read"), Success)


async def test_a_database_nothing_happens_to_is_left_alone_and_missed_within_a_second(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not inotify.is_available() or not inotify.reports_all_changes([tmp_path]):
        pytest.skip("the kernel does not tell of every change here")
    looks = 0
    look = StorageHealth._look

    def counted(health: StorageHealth, database: Database) -> None:
        nonlocal looks
        looks += 1
        look(health, database)

    monkeypatch.setattr(StorageHealth, "_look", counted)
    monkeypatch.setattr("goop2.services.storage_health.TOLD_LOOK_SECONDS", PATIENCE_SECONDS * 4)
    folder = made(tmp_path / "p")
    async with open_peer(folder, {}, watch=True) as peer:
        assert isinstance(await called(peer, "fill"), Success)
        before = looks
        await asyncio.sleep(2 * LONGER_THAN_A_LOOK_SECONDS)  # looks without a reason would be counted
        assert looks == before
        (folder / "data.db").rename(tmp_path / "away.db")
        watch = Stopwatch()
        await eventually(lambda: peer.health.lost)
        assert watch.seconds < 1
        (tmp_path / "away.db").rename(folder / "data.db")
        await eventually(lambda: not peer.health.problem)


async def test_a_damaged_table_is_no_scripts_failure(tmp_path: Path) -> None:
    folder = made(tmp_path / "p")
    async with open_peer(folder, {}) as peer:
        for _ in range(5):
            assert isinstance(await called(peer, "fill"), Success)
        root = peer.database.scalar("SELECT rootpage FROM sqlite_schema WHERE name = 't'")
        size = peer.database.scalar("PRAGMA page_size")
        peer.database.rows("PRAGMA wal_checkpoint(TRUNCATE)")
    assert isinstance(root, int)
    assert isinstance(size, int)
    with (folder / "data.db").open("r+b") as file:
        file.seek((root - 1) * size)
        file.write(b"\xff" * size)
    async with open_peer(folder, {}, watch=True) as peer:
        failure = await called(peer, "fill")
        assert isinstance(failure, Failure)
        assert failure.code is ErrorCode.UNAVAILABLE
        assert failure.message == "the database file is damaged: restore a backup"
        await asyncio.sleep(LONGER_THAN_A_LOOK_SECONDS)  # that the file can be written does not mend it
        assert peer.health.problem == failure.message


@pytest.mark.parametrize("said", [DAMAGED, "the disk does not let the database file be read or written", "read http://evil.example/ now"])
async def test_what_a_worker_says_of_a_sound_database_is_looked_into_and_not_believed(tmp_path: Path, said: str) -> None:
    with capture_logs() as lines:
        async with open_peer(made(tmp_path / "p"), {}, watch=True) as peer:
            for _ in range(30):
                assert peer.health.judge(said) == said
                await asyncio.sleep(LONGER_THAN_A_LOOK_SECONDS / 20)  # thirty words come within a look and a half
                assert peer.health.problem == ""
    assert not [line for line in lines if line["event"] == "the database cannot be used"]


async def test_what_workers_say_makes_the_file_be_read_once_in_a_while(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    checks = 0

    def run(_check: object) -> str:
        nonlocal checks
        checks += 1
        return ""

    monkeypatch.setattr("goop2.storage.soundness.Check.run", run)
    async with open_peer(made(tmp_path / "p"), {}, watch=True) as peer:
        for _ in range(30):
            peer.health.judge(DAMAGED)
            await asyncio.sleep(LONGER_THAN_A_LOOK_SECONDS / 20)  # thirty words come within a look and a half
    assert checks == 1


async def test_damage_is_said_no_longer_when_the_database_has_proved_sound(tmp_path: Path) -> None:
    async with open_peer(made(tmp_path / "p"), {}, watch=True) as peer:
        peer.health.report(DamagedError(DAMAGED))
        assert peer.health.problem == DAMAGED
        await eventually(lambda: not peer.health.problem)


async def test_a_look_leaves_no_deadline_on_the_connection_it_is_lent(tmp_path: Path) -> None:
    async with open_peer(made(tmp_path / "p"), {}) as peer:
        before = peer.database._deadline
        assert _why_not_writable(peer.database) == ""
        assert peer.database._deadline == before
