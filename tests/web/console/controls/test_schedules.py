"""The console's page of schedules."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser, expect
from tests.web.axe import complaints
from tests.web.browser import launched
from tests.web.console.test_app import console_page
from tests.web.served import Served, served

pytestmark = pytest.mark.asyncio(loop_scope="module")

SCRIPTS = {
    "tidy": "--- Tidies up.\n--- @every 15m\nfunction run(event) return event.by end",
    "mail": "--- @cron 0 8 * * 1-5\nfunction run()\n  error('no mail today')\nend",
}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browser() -> AsyncIterator[Browser]:
    async with launched() as one:
        yield one


@pytest_asyncio.fixture(loop_scope="module")
async def up(tmp_path: Path) -> AsyncIterator[Served]:
    async with served(tmp_path, history=True, functions=SCRIPTS) as one:
        yield one


async def test_a_schedule_is_run_paused_and_resumed(browser: Browser, up: Served) -> None:
    page = await console_page(browser, up, "schedules")
    await expect(page.get_by_text("@every 15m", exact=True)).to_be_visible()
    assert await complaints(page) == []
    await page.get_by_role("button", name="Run tidy now").click()
    await expect(page.locator(".toast")).to_contain_text("tidy ran.")
    await page.get_by_role("button", name="Run mail now").click()
    await expect(page.locator(".schedule", has_text="mail").locator(".level-error")).to_contain_text("no mail today")
    await page.get_by_role("button", name="Pause tidy").click()
    await expect(page.get_by_text("Does not run by itself.")).to_be_visible()
    assert up.peer.schedules.listing()[1].paused
    await page.get_by_role("button", name="Resume tidy").click()
    await expect(page.get_by_role("button", name="Pause tidy")).to_be_visible()
    # Its runs, and one of them whole: run again, and back in the script.
    await expect(page.get_by_role("link", name="Runs of mail")).to_have_attribute("href", "#/runs?kind=schedule&script=mail")
    await page.locator(".schedule", has_text="mail").locator("a[href^='#/runs/']").click()
    await expect(page.get_by_role("heading", name="mail, run")).to_be_visible()
    await expect(page.get_by_role("link", name="Open the script at line 3")).to_have_attribute(
        "href", "#/scripts?kind=function&name=mail&line=3"
    )
    before = len(up.peer.runs.recent(100))
    await page.get_by_role("button", name="Run again").click()
    await expect(page.get_by_role("heading", name="mail, run")).to_be_visible()
    assert len(up.peer.runs.recent(100)) == before + 1
