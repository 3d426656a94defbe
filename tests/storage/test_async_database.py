"""The database for asyncio: one thread, one connection, one operation at a time."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path

import apsw
import pytest

from goop2.storage.async_database import AsyncDatabase
from goop2.storage.database import Database, open_database
from goop2.storage.errors import DatabaseClosedError, DatabaseError, StorageError
from goop2.storage.registry_schema import make_missing

NAME = "goop2-test"


def create_schema(database: Database) -> None:
    make_missing(database, ("CREATE TABLE IF NOT EXISTS notes (number INTEGER)",))


def count(database: Database) -> object:
    return database.scalar("SELECT count(*) FROM notes")


def add(database: Database) -> None:
    database.changed("INSERT INTO notes VALUES (1)")


def threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name.startswith(NAME)]


def files(database: Path) -> list[str]:
    return sorted(file.name for file in database.parent.iterdir())


class Brake:
    """An operation that goes on until it is let go."""

    def __init__(self) -> None:
        self.begun, self.let_go = threading.Event(), threading.Event()

    def __call__(self, database: Database) -> None:
        self.begun.set()
        assert self.let_go.wait(10)
        add(database)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "data.db"


@pytest.fixture
async def database(file: Path) -> AsyncIterator[AsyncDatabase]:
    database = AsyncDatabase(NAME, lambda: open_database(file), create_schema)
    yield database
    await database.close()


async def brake(database: AsyncDatabase) -> tuple[Brake, asyncio.Future[None]]:
    """Return an operation that is under way, and its future."""
    operation = Brake()
    future = database.run(operation)
    assert await asyncio.to_thread(operation.begun.wait, 10)
    return operation, future


async def test_operations_are_done_in_order_by_one_thread_that_is_not_the_event_loops(database: AsyncDatabase) -> None:
    done: list[tuple[int, threading.Thread]] = []

    def note(number: int, _database: Database) -> None:
        done.append((number, threading.current_thread()))

    await asyncio.gather(*(database.run(partial(note, number)) for number in range(50)))
    assert [number for number, _ in done] == list(range(50))
    assert {thread for _, thread in done} == set(threads())
    assert len(threads()) == 1
    assert threading.current_thread() not in threads()


async def test_the_event_loop_runs_while_an_operation_is_under_way(database: AsyncDatabase) -> None:
    operation, future = await brake(database)
    await asyncio.sleep(0)
    assert not future.done()
    operation.let_go.set()
    await future


async def test_nothing_is_opened_before_it_is_asked_for(database: AsyncDatabase, file: Path) -> None:
    assert (database.is_open, files(file), threads()) == (False, [], [])
    await database.open()
    assert (database.is_open, "data.db" in files(file)) == (True, True)


async def test_an_opening_twice_prepares_once(file: Path) -> None:
    prepared: list[Database] = []
    database = AsyncDatabase(NAME, lambda: open_database(file), prepared.append)
    await database.open()
    await database.open()
    await database.close()
    assert len(prepared) == 1


async def test_what_an_operation_raises_comes_to_its_caller_and_the_next_is_done(database: AsyncDatabase) -> None:
    with pytest.raises(StorageError, match="no such table: nosuch"):
        await database.run(lambda database: database.changed("INSERT INTO nosuch VALUES (1)"))
    assert await database.run(count) == 0


async def test_what_cannot_be_opened_says_so_and_is_tried_again(database: AsyncDatabase, file: Path) -> None:
    await asyncio.to_thread(file.mkdir)
    for future in (database.open(), database.run(count)):
        with pytest.raises(DatabaseError, match="cannot be opened as a database"):
            await future
    assert not database.is_open
    await asyncio.to_thread(file.rmdir)
    assert await database.run(count) == 0


async def test_a_connection_that_cannot_be_prepared_is_closed_again(file: Path) -> None:
    opened: list[Database] = []
    wrong = [True]

    def prepare(connection: Database) -> None:
        opened.append(connection)
        if wrong:
            raise StorageError("not today")

    database = AsyncDatabase(NAME, lambda: open_database(file), prepare)
    with pytest.raises(StorageError, match="not today"):
        await database.open()
    assert not database.is_open
    with pytest.raises(apsw.ConnectionClosedError):
        opened[0].scalar("SELECT 1")
    wrong.clear()
    await database.open()
    assert len(opened) == 2
    await database.close()


async def test_closing_waits_for_what_was_given_before_and_ends_the_thread(database: AsyncDatabase, file: Path) -> None:
    operation, under_way = await brake(database)
    waiting = database.run(add)
    closing = asyncio.create_task(database.close())
    await asyncio.sleep(0)
    assert not closing.done()
    operation.let_go.set()
    await closing
    assert under_way.done()
    assert waiting.done()
    assert (database.is_open, threads()) == (False, [])
    other = open_database(file)
    assert count(other) == 2
    other.close()


async def test_after_closing_nothing_is_begun(database: AsyncDatabase) -> None:
    await database.open()
    closing = asyncio.create_task(database.close())
    await asyncio.sleep(0)
    with pytest.raises(DatabaseClosedError, match="the peer is stopping"):
        database.run(add)
    await closing
    await database.close()
    with pytest.raises(DatabaseClosedError):
        database.open()


async def test_closing_what_was_never_opened_makes_no_file(file: Path) -> None:
    database = AsyncDatabase(NAME, lambda: open_database(file))
    await database.close()
    assert (files(file), threads()) == ([], [])


async def test_a_cancelled_operation_that_has_not_begun_is_not_done(database: AsyncDatabase) -> None:
    operation, under_way = await brake(database)
    waiting = database.run(add)
    waiting.cancel()
    await asyncio.sleep(0)  # the event loop tells the thread in its next turn
    operation.let_go.set()
    await under_way
    assert await database.run(count) == 1


async def test_a_shielded_operation_is_done_although_its_caller_was_cancelled(database: AsyncDatabase) -> None:
    async def ask() -> None:
        await asyncio.shield(database.run(add))

    operation, under_way = await brake(database)
    caller = asyncio.create_task(ask())
    await asyncio.sleep(0)
    caller.cancel()
    operation.let_go.set()
    await under_way
    assert caller.cancelled()
    assert await database.run(count) == 2


async def test_a_cancelled_closing_closes_all_the_same(database: AsyncDatabase) -> None:
    operation, under_way = await brake(database)
    (thread,) = threads()
    closing = asyncio.create_task(database.close())
    await asyncio.sleep(0)
    closing.cancel()
    await asyncio.gather(closing, return_exceptions=True)
    operation.let_go.set()
    await under_way
    await asyncio.to_thread(thread.join, 10)
    assert (thread.is_alive(), database.is_open) == (False, False)
