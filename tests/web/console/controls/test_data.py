"""The console's page of tables, where values are not those of every day: beyond a browser's numbers, empty, or late."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Route, expect
from tests.web.browser import PATIENCE_MS, launched
from tests.web.console.test_app import POSTS, console_page
from tests.web.served import Served, served

from goop2.scripting.engine import Success

pytestmark = pytest.mark.asyncio(loop_scope="module")

BIG = 2**53 + 1


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browser() -> AsyncIterator[Browser]:
    async with launched() as one:
        yield one


@pytest_asyncio.fixture(loop_scope="module")
async def filed(tmp_path: Path) -> AsyncIterator[Served]:
    """A peer with the tables posts, of one row with an integer that a browser's number cannot hold, and shelves, of one with a NULL."""
    (tmp_path / "schemas").mkdir()
    (tmp_path / "schemas/posts.json").write_text(json.dumps(POSTS))
    (tmp_path / "schemas/shelves.json").write_text(json.dumps(POSTS | {"name": "shelves"}))
    async with served(tmp_path) as up:
        for table, data in (("posts", {"title": "One", "likes": BIG}), ("shelves", {"title": "", "likes": None})):
            await up.peer.tables.perform("insert", up.peer.owner, {"table": table, "data": data})
        yield up


async def _likes(up: Served) -> object:
    found = await up.peer.tables.perform("query", up.peer.owner, {"table": "posts"})
    assert isinstance(found, Success)
    return json.loads(found.json)[0]["likes"]


async def test_an_integer_beyond_a_browsers_numbers_is_saved_exactly(browser: Browser, filed: Served) -> None:
    page = await console_page(browser, filed, "data?table=posts")
    await page.get_by_role("button", name="likes of row 1: change").click()
    await page.get_by_label("likes, integer").fill(str(BIG + 2))
    await page.get_by_role("button", name="Save").click()
    await expect(page.get_by_role("button", name="likes of row 1: change")).to_have_text(str(BIG + 2))
    assert await _likes(filed) == str(BIG + 2)


async def test_rows_that_come_late_never_stand_under_another_table(browser: Browser, filed: Served) -> None:
    page = await console_page(browser, filed, "data?table=shelves")
    await expect(page.get_by_role("heading", name="shelves")).to_be_visible()
    asked, let_go = asyncio.Event(), asyncio.Event()

    async def late(route: Route) -> None:
        if (route.request.post_data_json or {}).get("table") == "posts":
            asked.set()
            await let_go.wait()
        await route.continue_()

    await page.route("**/data/rows", late)
    await page.get_by_role("link", name="posts").click()
    await asyncio.wait_for(asked.wait(), PATIENCE_MS / 1000)
    await page.get_by_role("link", name="shelves").click()
    await expect(page.get_by_role("heading", name="shelves")).to_be_visible()
    async with page.expect_response(lambda response: response.url.endswith("/data/rows")) as answered:
        let_go.set()
    await (await answered.value).finished()
    await page.evaluate("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
    await expect(page.get_by_role("heading", name="shelves")).to_be_visible()
    await expect(page.get_by_role("button", name="title of row 1: change")).to_have_text("")


async def test_csv_tells_an_empty_text_from_null(browser: Browser, filed: Served) -> None:
    page = await console_page(browser, filed, "data?table=shelves")
    async with page.expect_download() as download:
        await page.get_by_role("button", name="CSV").click()
    text = await asyncio.to_thread(Path(str(await (await download.value).path())).read_text)
    assert text.splitlines()[1].startswith('1,"",,,')
