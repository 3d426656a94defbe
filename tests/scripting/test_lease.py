"""A lent worker: the operations on the database of a call that runs on another machine."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
from tests.scripting.workshop import HELLO, OPERATION_RULES, OWNER, invocation_of, open_pool, script_of, setup_of

from goop2.sandbox.messages import DataAnswer, DataCall, Return, Scalar
from goop2.scripting.fairness import OWNER_TENANT
from goop2.scripting.invocation import ErrorCode, Outcome
from goop2.scripting.job import Lease
from goop2.scripting.limits import InvocationLimits
from goop2.scripting.pool import Pool
from goop2.scripting.worker import WorkerProcess
from goop2.storage.database import open_database

FUNCTION = script_of("function call(request) return 1 end", "function", "score")


class Lent:
    """A lease as a far runner holds it."""

    def __init__(self, pool: Pool, seconds: float = 5.0) -> None:
        self.worker: asyncio.Future[WorkerProcess] = asyncio.get_running_loop().create_future()
        self.answers: asyncio.Queue[DataAnswer] = asyncio.Queue()
        lease = Lease(invocation_of(FUNCTION, OWNER, seconds), self.worker.set_result, self.answers.put_nowait)
        self.outcome: asyncio.Task[Outcome] = asyncio.ensure_future(pool.lend(OWNER_TENANT, lease, time.monotonic() + seconds))

    async def ask(self, operation: bytes, *arguments: Scalar) -> DataAnswer:
        (await self.worker).send(DataCall(operation, arguments))
        return await self.answers.get()

    async def give_back(self) -> Outcome:
        (await self.worker).send(Return())
        return await self.outcome


@asynccontextmanager
async def data_pool(folder: Path, workers: int = 1) -> AsyncIterator[Pool]:
    (folder / "data").mkdir()
    database = open_database(folder / "data.db", guarded=False)
    database.rows("CREATE TABLE moves (x)")
    database.close_last()
    setup = msgspec.structs.replace(setup_of(), database=bytes(folder / "data.db"), operations=OPERATION_RULES)
    async with open_pool(InvocationLimits(workers=workers), setup) as pool:
        yield pool


async def test_a_lent_worker_does_operations_one_at_a_time(tmp_path: Path) -> None:
    async with data_pool(tmp_path) as pool:
        lent = Lent(pool)
        assert (await lent.ask(b"db.exec", b"INSERT INTO moves VALUES (?)", 7)).values == (1,)
        assert (await lent.ask(b"db.scalar", b"SELECT x FROM moves")).values == (7,)
        assert (await lent.give_back()).code is ErrorCode.OK
        assert (await pool.run(invocation_of(HELLO, argument=b"you"))).payload == b"Hello, you!"  # the same worker, free again


async def test_a_transaction_left_open_is_undone(tmp_path: Path) -> None:
    async with data_pool(tmp_path) as pool:
        lent = Lent(pool)
        assert (await lent.ask(b"db.begin")).in_transaction
        await lent.ask(b"db.exec", b"INSERT INTO moves VALUES (1)")
        await lent.give_back()
        again = Lent(pool)
        assert (await again.ask(b"db.scalar", b"SELECT count(*) FROM moves")).values == (0,)


async def test_the_alarm_frees_the_lock_though_nobody_gives_it_back(tmp_path: Path) -> None:
    async with data_pool(tmp_path) as pool:
        lent = Lent(pool)
        await lent.ask(b"db.begin")
        outcome = await lent.outcome
        assert (outcome.code, b"longer than a second" in outcome.payload) == (ErrorCode.SCRIPT_ERROR, True)


async def test_a_lease_ends_at_its_deadline(tmp_path: Path) -> None:
    async with data_pool(tmp_path) as pool:
        lent = Lent(pool, seconds=0.3)
        await lent.ask(b"db.scalar", b"SELECT 1")
        assert (await lent.outcome).code is ErrorCode.TIMEOUT


async def test_nothing_but_the_database_is_to_be_had_there(tmp_path: Path) -> None:
    async with data_pool(tmp_path) as pool:
        lent = Lent(pool)
        for operation in (b"log", b"http.get", b"site.read", b"nonsense"):
            assert (await lent.ask(operation, b"x")).shape == b"!"
