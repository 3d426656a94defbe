"""Who may write next: scripts in the order they came, the peer before them, and one second of lock time for each call."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import msgspec
import pytest
from tests.scripting.workshop import OPERATION_RULES, invocation_of, open_pool, script_of, setup_of, stranger

from goop2.sandbox.data_calls import DataCalls
from goop2.sandbox.messages import Invoke
from goop2.scripting.invocation import ErrorCode, Outcome
from goop2.scripting.limits import InvocationLimits
from goop2.scripting.pool import Pool
from goop2.services.chat.message_store import MessageStore
from goop2.storage.database import FILE, Database, open_database
from goop2.storage.errors import BusyError, LockTimeSpentError
from goop2.storage.limits import LOCK_MAX_SECONDS
from goop2.storage.migrations import open_folder
from goop2.storage.write_queue import FILE as QUEUE_FILE
from goop2.storage.write_queue import FOLDER, Rank, WriteQueue, open_queue
from goop2.storage.write_turn import LOCK_TIME_SPENT

MAKE = """
function call()
  goop.schema.create("hogt", {{name = "a", type = "integer"}})
  return goop.schema.insert("hogt", {a = 1})
end
"""
SET = """
function call() return {error = goop.kv.set("a", 1)} end
"""
INSERTS = """
function call()
  for i = 1, 3000 do
    local id, err = goop.schema.insert("hogt", {a = i})
    if err then error(err) end
  end
  return true
end
"""


class Site:
    """A pool of workers on a database, and a keeper of messages beside it."""

    def __init__(self, pool: Pool, keeper: MessageStore) -> None:
        self.pool = pool
        self.keeper = keeper

    async def call(self, source: str, caller: str, seconds: float = 20.0, **params: float) -> Outcome:
        script = script_of(source, "function", "f")
        return await self.pool.run(invocation_of(script, stranger(caller), seconds, msgspec.json.encode(params)))


@contextlib.contextmanager
def hogs(folder: Path, hold: float) -> Iterator[None]:
    """Three scripts, each in a process of its own, in transactions of `hold` seconds one after the other."""
    pids = []
    for _ in range(3):
        pid = os.fork()
        if pid == 0:
            database = open_database(folder / FILE, rank=Rank.SCRIPT)
            while True:
                database.turn.begin_invocation()
                database.begin()
                database.changed("UPDATE t SET x = x + 1")
                time.sleep(hold)
                database.commit()
        pids.append(pid)
    time.sleep(0.5)  # until each of them has its turn now and then
    try:
        yield
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    (tmp_path / "data").mkdir()
    database, _ = open_folder(tmp_path, tmp_path / "site/lua")
    database.rows("CREATE TABLE t (x)")
    database.rows("INSERT INTO t VALUES (0)")
    setup = msgspec.structs.replace(setup_of(), database=bytes(tmp_path / FILE), kv_enabled=True)
    keeper = MessageStore(tmp_path / FILE)
    await keeper.open()
    try:
        async with open_pool(InvocationLimits(workers=32, timeout_seconds=30.0), setup) as pool:
            site = Site(pool, keeper)
            made = await site.call(MAKE, "owner")
            assert made.code is ErrorCode.OK, made
            yield site
    finally:
        await keeper.close()
        database.close()


async def test_another_scripts_write_waits_for_each_writer_before_it_once(site: Site, tmp_path: Path) -> None:
    with hogs(tmp_path, 0.15):
        for _ in range(4):
            begun = time.monotonic()
            assert (await site.call(SET, "other")).payload == b"[]"
            assert time.monotonic() - begun < 1.1


async def test_a_message_is_kept_before_the_scripts_that_wait(site: Site, tmp_path: Path) -> None:
    with hogs(tmp_path, 0.15):
        for number in range(4):
            begun = time.monotonic()
            await site.keeper.add("peer", "peer", "hello", number)
            assert time.monotonic() - begun < 0.5


async def test_a_message_waits_for_one_transaction_of_the_longest_kind(site: Site, tmp_path: Path) -> None:
    with hogs(tmp_path, LOCK_MAX_SECONDS):
        for number in range(3):
            begun = time.monotonic()
            await site.keeper.add("peer", "peer", "hello", number)
            assert time.monotonic() - begun < 1.5


def test_a_call_has_the_lock_for_one_second_in_all_and_is_told_so(folder: Path) -> None:
    database = open_database(folder / FILE, rank=Rank.SCRIPT)
    database.changed("CREATE TABLE t (x)")
    for _ in range(2):
        database.turn.begin_invocation()
        for _ in range(4):
            database.begin()
            time.sleep(0.3)  # it holds the lock for so long
            database.commit()
        for write in (database.begin, lambda: database.changed("INSERT INTO t VALUES (1)")):
            with pytest.raises(LockTimeSpentError, match="for 1 s in all, the most one call may"):
                write()
        with pytest.raises(LockTimeSpentError), database.atomic():
            pass
        assert database.scalar("SELECT count(*) FROM t") == 0
    database.close()


def test_every_function_that_writes_says_that_the_time_is_spent(folder: Path) -> None:
    database, _ = open_folder(folder, folder / "site/lua")
    data = DataCalls(folder / FILE, kv_enabled=True, rules=OPERATION_RULES)
    data.begin(Invoke("function", "f", b"", None, b"", "caller", "Caller", 5.0), time.monotonic())

    def done(operation: str, *arguments: bytes) -> object:
        name = operation.encode()
        return data(name, data.entries[name], arguments)[-1]

    done("schema.create", b"t", b'[{"name":"a","type":"integer"}]')
    done("schema.insert", b"t", b"a", 1)  # type: ignore[arg-type]
    data._database.turn._lock_seconds = LOCK_MAX_SECONDS
    said = {
        done("kv.set", b"a", b"1"),
        done("kv.del", b"a"),
        done("db.exec", b"DELETE FROM t"),
        done("db.begin"),
        done("schema.create", b"u", b'[{"name":"a","type":"integer"}]'),
        done("schema.insert", b"t", b"a", 1),  # type: ignore[arg-type]
        done("schema.update", b"t", 1, b"a", 2),  # type: ignore[arg-type]
        done("schema.delete", b"t", 1),  # type: ignore[arg-type]
    }
    assert said == {LOCK_TIME_SPENT.encode()}
    assert done("db.scalar", b"SELECT a FROM t") == 1
    database.close()


async def test_three_thousand_single_inserts_pass_in_one_call(site: Site) -> None:
    assert (await site.call(INSERTS, "author")).payload == b"true"


async def test_waiting_for_others_is_not_counted(site: Site, tmp_path: Path) -> None:
    with hogs(tmp_path, 0.15):
        source = 'function call() for i = 1, 6 do local err = goop.kv.set("a", i) if err then error(err) end end return true end'
        assert (await site.call(source, "patient")).payload == b"true"


async def test_a_script_killed_in_the_queue_or_with_the_lock_holds_up_nobody(site: Site, tmp_path: Path) -> None:
    for _ in range(3):
        with hogs(tmp_path, 30.0):
            pass
        begun = time.monotonic()
        assert (await site.call(SET, "other")).payload == b"[]"
        assert time.monotonic() - begun < 1.0


# The queue itself.


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / FOLDER).mkdir()
    return tmp_path


@contextlib.contextmanager
def another_process(folder: Path, *, seconds: float) -> Iterator[None]:
    """A script of another process that holds the queue for so long."""
    ready, told = os.pipe()
    pid = os.fork()
    if pid == 0:
        queue = open_queue(folder / FILE)
        assert queue is not None
        queue.enter()
        os.write(told, b"x")
        time.sleep(seconds)  # it holds the lock for so long
        os._exit(0)
    os.read(ready, 1)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        os.close(ready)
        os.close(told)


def queue_of(folder: Path) -> WriteQueue:
    queue = open_queue(folder / FILE)
    assert queue is not None
    return queue


def test_a_script_waits_for_the_one_before_it(folder: Path) -> None:
    queue = queue_of(folder)
    with another_process(folder, seconds=0.3):
        begun = time.monotonic()
        queue.enter()
        assert time.monotonic() - begun > 0.2
    queue.leave()
    queue.close()


def test_a_script_at_the_front_waits_while_the_peer_wants_to_write(folder: Path) -> None:
    peer = queue_of(folder)
    peer.shut_gate()
    pid = os.fork()
    if pid == 0:
        queue_of(folder).enter()
        os._exit(0)
    time.sleep(0.2)  # who does not wait at the gate would be gone
    assert os.waitpid(pid, os.WNOHANG) == (0, 0)
    peer.open_gate()
    assert os.waitpid(pid, 0)[1] == 0
    peer.close()


def test_without_a_folder_or_with_something_else_in_its_place_there_is_no_queue_and_the_database_opens(tmp_path: Path) -> None:
    assert open_queue(tmp_path / FILE) is None
    (tmp_path / FOLDER).mkdir()
    (tmp_path / FOLDER / QUEUE_FILE).symlink_to("/etc/passwd")
    assert open_queue(tmp_path / FILE) is None
    (tmp_path / FOLDER / QUEUE_FILE).unlink()
    os.mkfifo(tmp_path / FOLDER / QUEUE_FILE)
    assert open_queue(tmp_path / FILE) is None
    open_database(tmp_path / FILE).close()


def test_the_file_is_the_owners_alone(folder: Path) -> None:
    queue_of(folder).close()
    assert (folder / FOLDER / QUEUE_FILE).stat().st_mode & 0o777 == 0o600


def test_a_callers_operation_on_a_table_is_not_starved_by_scripts(folder: Path) -> None:
    """It has no place in the queue, and shuts the gate after a while."""
    holder = open_database(folder / FILE)
    stranger = open_database(folder / FILE, rank=Rank.STRANGER)
    stranger.rows("CREATE TABLE t (x)")
    holder.begin()
    stranger.bound(time.monotonic() + 0.6)
    with pytest.raises(BusyError):
        stranger.begin()
    assert stranger.turn.queue is not None
    assert not stranger.turn.queue._gate_shut  # open again: it gave up
    holder.rollback()
    for database in (holder, stranger):
        database.close()


def test_the_lock_time_of_a_script_counts_transactions_and_single_writes(folder: Path) -> None:
    database: Database = open_database(folder / FILE, rank=Rank.SCRIPT)
    database.changed("CREATE TABLE t (x)")
    database.begin()
    time.sleep(0.1)  # it holds the lock for so long
    database.rollback()
    assert 0.1 <= database.turn.lock_seconds < LOCK_MAX_SECONDS
    before = database.turn.lock_seconds
    database.scalar("SELECT count(*) FROM t")
    assert database.turn.lock_seconds == before
    database.close()


SAYS_WHY = 'function call() local err = goop.kv.set("a", 1) return {error = err} end'


async def test_every_script_hears_that_another_program_holds_the_lock(site: Site, tmp_path: Path) -> None:
    """Those behind the first too, though their time is over before the first has asked for as long as it may."""
    other = open_database(tmp_path / FILE)
    other.begin()
    patience = [4.0, *[2.0] * 4, *[3.0] * 3]
    said = await asyncio.gather(*(site.call(SAYS_WHY, f"caller{number}", seconds) for number, seconds in enumerate(patience)))
    other.rollback()
    other.close()
    assert all(b"the database is busy" in outcome.payload for outcome in said), said
    begun = time.monotonic()
    assert (await site.call(SET, "next")).payload == b"[]"
    assert time.monotonic() - begun < 1.0


async def test_a_script_at_the_front_hears_of_another_program_while_the_peer_waits_too(site: Site, tmp_path: Path) -> None:
    other, peer = open_database(tmp_path / FILE), open_database(tmp_path / FILE)
    assert peer.turn.queue is not None
    other.begin()
    peer.turn.queue.shut_gate()
    outcome = await site.call(SAYS_WHY, "caller", 1.0)
    for database in (other, peer):
        database.close()
    assert b"the database is busy" in outcome.payload, outcome
