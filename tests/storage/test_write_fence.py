"""The fence around data.db: what is written while the lease is held, and nothing after it, decided at the commit."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from goop2.storage.database import FILE, Database, open_database
from goop2.storage.errors import DatabaseError, FencedError
from goop2.storage.guard import SCRIPT_WRITES, Role
from goop2.storage.write_fence import FenceKeeper, now_ns, open_fence, remove_fence

SECOND = 1_000_000_000
SCRIPT = Role(SCRIPT_WRITES, "goop.db.exec")


@pytest.fixture
def keeper(tmp_path: Path) -> FenceKeeper:
    keeper = FenceKeeper(tmp_path)
    keeper.hold_until(now_ns() + 3600 * SECOND)
    return keeper


@pytest.fixture
def database(tmp_path: Path, keeper: FenceKeeper) -> Database:
    assert not keeper.is_up()
    database = open_database(tmp_path / FILE)
    database.rows("CREATE TABLE notes (x)")
    return database


def notes(database: Database) -> list[object]:
    return [x for (x,) in database.rows("SELECT x FROM notes")]


def test_a_write_goes_on_while_the_lease_is_held_and_not_after_it(database: Database, keeper: FenceKeeper) -> None:
    database.change(SCRIPT, "INSERT INTO notes VALUES (1)")
    keeper.close()
    with pytest.raises(FencedError, match="does not hold its lease now, so nothing was written"):
        database.change(SCRIPT, "INSERT INTO notes VALUES (2)")
    assert notes(database) == [1]
    keeper.hold_until(now_ns() + SECOND * 60)
    database.change(SCRIPT, "INSERT INTO notes VALUES (3)")
    assert notes(database) == [1, 3]


def test_a_transaction_that_began_in_time_is_undone_when_its_commit_comes_too_late(database: Database, keeper: FenceKeeper) -> None:
    database.begin()
    database.change(SCRIPT, "INSERT INTO notes VALUES (1)")
    keeper.hold_until(now_ns() - 1)
    with pytest.raises(FencedError):
        database.commit()
    assert (database.in_transaction, notes(database)) == (False, [])


def test_another_process_s_connection_sees_the_same_moment(database: Database, keeper: FenceKeeper, tmp_path: Path) -> None:
    child = os.fork()
    if not child:  # with a connection of its own, as a worker has
        other = open_database(tmp_path / FILE)
        keeper.close()
        try:
            other.change(SCRIPT, "INSERT INTO notes VALUES (2)")
        except FencedError:
            os._exit(7)
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
    with pytest.raises(FencedError):
        database.change(SCRIPT, "INSERT INTO notes VALUES (3)")


def test_a_fence_of_an_earlier_start_of_the_machine_is_up(tmp_path: Path, keeper: FenceKeeper) -> None:
    fence = open_fence(tmp_path / FILE)
    assert fence is not None
    assert not fence.is_up()
    with (tmp_path / "data/lease").open("r+b") as file:
        file.seek(16)
        file.write(b"another start...")
    assert fence.is_up()


def test_a_folder_without_a_lease_has_no_fence_and_a_damaged_one_is_told(tmp_path: Path, keeper: FenceKeeper) -> None:
    remove_fence(tmp_path)
    assert open_fence(tmp_path / FILE) is None
    for damaged in (b"", b"x" * 32):
        (tmp_path / "data/lease").write_bytes(damaged)
        with pytest.raises(DatabaseError, match="is damaged: remove it"):
            open_database(tmp_path / FILE)
