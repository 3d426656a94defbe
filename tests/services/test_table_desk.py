"""The owner's desk: its connections open when they are used, and what is asked is bounded."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from goop2.services import table_desk
from goop2.services.table_desk import DESIGN_CHANGES, TableDesk, open_desk
from goop2.storage.database import FILE, open_database
from goop2.storage.errors import StorageError
from goop2.storage.registry_schema import create_schema
from goop2.storage.table_browser import RowFilter, RowsWanted

COLUMNS = [{"name": "title", "type": "text"}, {"name": "body", "type": "text"}]


@pytest_asyncio.fixture
async def desk(tmp_path: Path) -> AsyncIterator[TableDesk]:
    database = open_database(tmp_path / FILE)
    create_schema(database)
    database.close()
    async with open_desk(tmp_path) as opened:
        yield opened


async def test_a_table_goes_through_its_life(desk: TableDesk) -> None:
    await desk.design("create", {"table": "posts", "columns": COLUMNS})
    await desk.design("add-column", {"table": "posts", "column": {"name": "likes", "type": "integer"}})
    await desk.design("rename-column", {"table": "posts", "column": "likes", "new": "score"})
    await desk.design("allow", {"table": "posts", "policies": {"read": "local"}})
    await desk.design("rename", {"table": "posts", "new": "articles"})
    (table,) = await desk.tables()
    assert (table.name, table.policies["read"]) == ("articles", "local")
    with pytest.raises(StorageError, match='type "score" to go on; nothing was dropped'):
        await desk.design("drop-column", {"table": "articles", "column": "score", "confirm": "Score"})
    await desk.design("drop-column", {"table": "articles", "column": "score", "confirm": "score"})
    with pytest.raises(StorageError, match='type "articles" to go on'):
        await desk.design("drop", {"table": "articles"})
    await desk.design("drop", {"table": "articles", "confirm": "articles"})
    assert await desk.tables() == []


@pytest.mark.parametrize("change", [*DESIGN_CHANGES, "nosuch", ""])
async def test_a_change_without_its_keys_is_a_sentence(desk: TableDesk, change: str) -> None:
    for request in ({}, {"table": 5, "column": [], "new": {}, "policies": 1, "columns": "x", "access": 3}):
        with pytest.raises(StorageError):
            await desk.design(change, request)


async def test_rows_counts_and_sql_come_from_one_database(desk: TableDesk) -> None:
    await desk.design("create", {"table": "posts", "columns": COLUMNS})
    assert (await desk.write_sql("INSERT INTO posts (_owner, title) VALUES ('me', 'One')")).changed == 1
    assert (await desk.rows(RowsWanted(table="posts"))).rows[0][:2] == [1, "me"]
    assert await desk.count(RowsWanted(table="posts")) == 1
    assert (await desk.facet(RowsWanted(table="posts"), "title")).values[0].value == "One"
    assert (await desk.read_sql("SELECT title FROM posts")).rows == [["One"]]
    assert [step.text for step in await desk.explain("SELECT title FROM posts")] == ["SCAN posts"]
    await desk.save_query("all", "SELECT title FROM posts")
    assert [each.name for each in await desk.queries()] == ["all"]
    await desk.forget_query("all")
    assert await desk.queries() == []


async def test_counting_that_takes_too_long_gives_no_number_and_holds_no_page(desk: TableDesk, monkeypatch: pytest.MonkeyPatch) -> None:
    await desk.design("create", {"table": "posts", "columns": COLUMNS})
    numbers = "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n WHERE x < 50000)"
    await desk.write_sql(f"{numbers} INSERT INTO posts (_owner, title) SELECT 'me', x FROM n")
    monkeypatch.setattr(table_desk, "COUNT_SECONDS", -1.0)
    assert await desk.count(RowsWanted(table="posts", filters=(RowFilter("title", "contains", "x"),))) is None
    assert len((await desk.rows(RowsWanted(table="posts"))).rows) == 50


async def test_whoever_asks_too_much_at_once_is_told_so(desk: TableDesk, monkeypatch: pytest.MonkeyPatch) -> None:
    await desk.design("create", {"table": "posts", "columns": COLUMNS})
    monkeypatch.setattr(table_desk, "WAITING_MAX", 2)
    answers = await asyncio.gather(*(desk.count(RowsWanted(table="posts")) for _ in range(5)), return_exceptions=True)
    assert answers[:2] == [0, 0]
    assert all("too much is asked" in str(each) for each in answers[2:])
