"""Tables as whoever asks from outside gets them: under policy, in turn, never in each other's way."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path

import apsw
import pytest
from structlog.testing import capture_logs

from goop2.scripting.engine import Failure, Success
from goop2.scripting.invocation import Caller, ErrorCode
from goop2.services.tables import BUSY, CROWDED, LATE, STOPPED, STRANGER_SECONDS, WAITING_MAX, Tables, read_request
from goop2.storage.data_operations import TABLE_OPERATIONS
from goop2.storage.limits import VISITOR_SECONDS
from goop2.storage.migrations import open_folder
from goop2.storage.typed_tables import Owner, TypedTables

OWNER = Caller("owner-id", owner=True)
ALICE = Caller("alice-id", email="alice@example.org")
BOB = Caller("bob-id")
SLOW = " + ".join(["length(hex(randomblob(1000000)))"] * 150) + " < 0"
"""A second and more for a row, in few of SQLite's own steps."""


@pytest.fixture
async def tables(tmp_path: Path) -> AsyncIterator[Tables]:
    database, _ = open_folder(tmp_path, tmp_path)
    typed = TypedTables(database)
    columns = [{"name": "body", "type": "text"}, {"name": "points", "type": "integer"}, {"name": "raw", "type": "blob"}]
    typed.create("posts", columns, {"access": {"insert": "email"}})
    typed.create("diary", columns, {"access": dict.fromkeys(("read", "insert", "update", "delete"), "local")})
    typed.create("club", columns, {"access": {"read": "group"}})
    for points in range(12):
        typed.insert("posts", {"body": f"post {points}", "points": points}, Owner("owner-id"))
    typed.insert("posts", {"points": 2**53 + 1, "raw": b"\x00\xff"}, Owner("alice-id"))
    tables = Tables(tmp_path / "data.db", lambda peer: {"group": "" if peer == "alice-id" else None})
    await tables.open()
    yield tables
    await tables.close()
    database.close()


async def ask(tables: Tables, operation: str, caller: Caller, **request: object) -> object:
    """The answer, or the class of the failure."""
    result = await tables.perform(operation, caller, request)
    return json.loads(result.json) if isinstance(result, Success) else result.code.value


async def test_answers_are_json_as_values_cross_the_wall(tables: Tables) -> None:
    rows = await ask(tables, "query", BOB, table="posts", where="raw IS NOT NULL", columns=["points", "raw", "body"])
    assert rows == [{"points": str(2**53 + 1), "raw": "AP8=", "body": None}]


async def test_the_policy_is_the_callers(tables: Tables) -> None:
    data = {"body": "new"}
    assert [await ask(tables, "insert", caller, table="posts", data=data) for caller in (BOB, ALICE)] == [
        "forbidden",
        {"status": "inserted", "id": 14},
    ]
    assert await ask(tables, "update", ALICE, table="posts", id=1, data=data) == "not_found"
    assert await ask(tables, "update", ALICE, table="posts", id=14, data=data) == {"status": "updated"}
    assert [await ask(tables, "count", caller, table="diary") for caller in (BOB, OWNER)] == ["not_found", {"count": 0}]
    assert [await ask(tables, "count", caller, table="club") for caller in (BOB, ALICE)] == ["forbidden", {"count": 0}]
    assert await ask(tables, "delete-table", ALICE, table="posts") == "forbidden"
    assert await ask(tables, "nosuch", OWNER) == "bad_request"


async def test_every_operation_answers_whatever_the_request(tables: Tables) -> None:
    for operation in TABLE_OPERATIONS:
        for request in ({}, {"table": 5}, {"table": "posts", "where": 5, "data": [], "id": "x", "column": {}, "args": "x"}):
            result = await tables.perform(operation, BOB, request)
            assert isinstance(result, Success) or result.code.value in ("bad_request", "not_found", "forbidden"), (operation, request)


async def test_text_that_cannot_be_read_is_answered_and_told_the_owner_once(tables: Tables, tmp_path: Path) -> None:
    with closing(apsw.Connection(str(tmp_path / "data.db"))) as other:
        other.execute("UPDATE posts SET body = CAST(x'4a6f73e9' AS TEXT) WHERE _id = 3")
    with capture_logs() as logged:
        for _ in range(2):
            assert await ask(tables, "pluck", BOB, table="posts", column="body", where="_id IN (3, 4)") == ["Jos\ufffd", "post 3"]
    assert [line["event"][:43] for line in logged] == ["table posts, row 3, column body: the text i"]


@pytest.mark.slow
async def test_a_query_that_takes_long_is_ended_and_the_owner_does_not_wait_for_it(tables: Tables) -> None:
    begun = time.monotonic()
    slow = asyncio.create_task(tables.perform("query", BOB, {"table": "posts", "where": SLOW}))
    await asyncio.sleep(0.05)  # until the query runs
    assert await ask(tables, "count", OWNER, table="posts") == {"count": 13}
    assert not slow.done()
    outcome = await slow
    assert isinstance(outcome, Failure)
    assert outcome.code is ErrorCode.TIMEOUT
    assert time.monotonic() - begun < 8 * VISITOR_SECONDS, "unended it takes that for a few rows, and there are thirteen"


async def test_no_single_function_of_a_query_may_work_for_long(tables: Tables) -> None:
    for caller in (BOB, OWNER):
        where = "instr(hex(zeroblob(1000000)), hex(zeroblob(500000)) || '1')"
        answer = await tables.perform("count", caller, {"table": "posts", "where": where})
        assert isinstance(answer, Failure)
        assert "instr of so long values is not done here" in answer.message


async def test_who_asks_once_does_not_wait_behind_who_asks_a_hundred_times(tables: Tables) -> None:
    done: list[str] = []

    async def one(caller: Caller, name: str) -> None:
        await tables.perform("count", caller, {"table": "posts"})
        done.append(name)

    many = [asyncio.create_task(one(BOB, "bob")) for _ in range(100)]
    await asyncio.sleep(0)
    await one(ALICE, "alice")
    assert done.index("alice") <= 2
    await asyncio.gather(*many)


@pytest.mark.slow
async def test_a_crowd_nobody_knows_with_slow_queries_keeps_nobody_waiting_beyond_its_time(tables: Tables) -> None:
    """Also where one row alone takes a second."""
    crowd = [
        asyncio.create_task(tables.perform("query", Caller(f"new-{number}"), {"table": "posts", "where": SLOW})) for number in range(20)
    ]
    await asyncio.sleep(0.05)  # until the queries run
    begun = time.monotonic()
    assert await ask(tables, "count", BOB, table="posts") == {"count": 13}
    assert time.monotonic() - begun < STRANGER_SECONDS
    outcomes = await asyncio.gather(*crowd)
    assert CROWDED in outcomes
    assert not any(isinstance(outcome, Success) for outcome in outcomes)


async def test_more_than_may_wait_are_turned_away_at_once(tables: Tables) -> None:
    asked = [asyncio.create_task(tables.perform("count", BOB, {"table": "posts"})) for _ in range(WAITING_MAX + 20)]
    outcomes = await asyncio.gather(*asked)
    assert outcomes.count(BUSY) in range(10, 21)
    assert sum(isinstance(outcome, Success) for outcome in outcomes) >= WAITING_MAX


async def test_an_operation_past_its_time_is_not_done(tables: Tables, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("goop2.services.tables.STRANGER_SECONDS", -1.0)
    assert await tables.perform("insert", ALICE, {"table": "posts", "data": {"body": "late"}}) == LATE
    assert await ask(tables, "count", OWNER, table="posts") == {"count": 13}


async def test_who_waits_at_the_end_is_told(tmp_path: Path) -> None:
    open_folder(tmp_path, tmp_path)[0].close()
    tables = Tables(tmp_path / "data.db")
    await tables.open()
    waiting = [asyncio.create_task(tables.perform("tables", BOB, {})) for _ in range(50)]
    await asyncio.sleep(0)
    await tables.close()
    outcomes = await asyncio.gather(*waiting)
    assert STOPPED in outcomes
    assert all(isinstance(outcome, Success) or outcome == STOPPED for outcome in outcomes)
    assert await tables.perform("tables", OWNER, {}) == STOPPED


@pytest.mark.parametrize("body", [b"{", b"[]", b"5", b'"x"', b"\xff", b"[" * 100_000])
def test_a_request_that_is_no_object_is_told_so(body: bytes) -> None:
    assert isinstance(read_request(body), Failure)


def test_a_request_without_body_is_an_empty_one() -> None:
    assert read_request(b"") == {}
