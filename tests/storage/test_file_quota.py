"""How large data.db may become: a limit for scripts and callers, a margin for the peer's own tables, and a word to the owner in time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from goop2.storage.database import Database, open_database
from goop2.storage.errors import DatabaseFileError, QuotaError, StorageError
from goop2.storage.file_quota import LARGER_MARGIN_BYTES, OWN_MARGIN_BYTES, FileCare, Quota, quota_of, size_warning
from goop2.storage.guard import EXEC
from goop2.storage.limits import MEGABYTE_BYTES

Opener = Callable[[FileCare], Database]


@pytest.fixture
def opened(path: Path) -> Iterator[Opener]:
    databases: list[Database] = []

    def open_(care: FileCare) -> Database:
        databases.append(open_database(path, care=care))
        return databases[-1]

    yield open_
    for database in databases:
        database.close()


def fill(database: Database) -> None:
    """Add a megabyte at a time until it is refused."""
    for _ in range(100):
        database.change(EXEC, "INSERT INTO t VALUES (zeroblob(1000000))")


def test_a_script_fills_the_database_to_its_limit_and_deleting_makes_room(opened: Opener, path: Path) -> None:
    faults: list[DatabaseFileError] = []
    database = opened(FileCare(4 * MEGABYTE_BYTES, faults.append))
    database.rows("CREATE TABLE t (x)")
    with pytest.raises(QuotaError, match=r"storage\.max_mb"):
        fill(database)
    database.rows("PRAGMA wal_checkpoint(TRUNCATE)")
    assert path.stat().st_size <= 4 * MEGABYTE_BYTES
    assert [type(fault) for fault in faults] == [QuotaError]
    assert database.change(EXEC, "DELETE FROM t") > 0
    assert database.change(EXEC, "INSERT INTO t VALUES (zeroblob(1000000))") == 1


def test_the_peers_own_tables_go_on_when_scripts_have_filled_theirs(opened: Opener) -> None:
    quota = Quota(3 * MEGABYTE_BYTES)
    scripts, peer = opened(FileCare(quota.callers)), opened(FileCare(quota.own))
    scripts.rows("CREATE TABLE t (x)")
    with pytest.raises(QuotaError):
        fill(scripts)
    peer.rows("CREATE TABLE _mine (x)")
    peer.rows("INSERT INTO _mine VALUES (zeroblob(1000000))")
    assert quota.own - quota.callers == OWN_MARGIN_BYTES


def test_a_database_that_is_larger_already_may_grow_by_a_margin_and_it_is_said(path: Path) -> None:
    path.write_bytes(bytes(3 * MEGABYTE_BYTES))
    quota = quota_of(path, 2)
    assert quota == Quota(3 * MEGABYTE_BYTES + LARGER_MARGIN_BYTES, raised=True)
    assert size_warning(path, quota).startswith("data.db has 3 MB, more than storage.max_mb allows")


def test_the_owner_is_told_from_four_fifths_of_the_limit(path: Path) -> None:
    path.write_bytes(bytes(8 * MEGABYTE_BYTES - 1))
    assert size_warning(path, quota_of(path, 10)) == ""
    path.write_bytes(bytes(8 * MEGABYTE_BYTES))
    assert size_warning(path, quota_of(path, 10)) == "data.db has 8 of the 10 MB of storage.max_mb: delete rows or raise the setting"


def test_no_file_has_no_size(path: Path) -> None:
    assert quota_of(path, 5) == Quota(5 * MEGABYTE_BYTES)
    assert size_warning(path, quota_of(path, 5)) == ""


def test_a_connection_whose_file_is_lost_runs_no_statement(opened: Opener) -> None:
    why = ""
    database = opened(FileCare(unusable=lambda: why))
    database.rows("CREATE TABLE t (x)")
    why = "data.db was removed"
    with pytest.raises(StorageError, match=r"data\.db was removed"):
        database.rows("SELECT 1")
