"""The console's page of secrets: no value is in the page before it is asked for."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser, expect
from tests.web.axe import complaints
from tests.web.browser import launched
from tests.web.console.test_app import console_page
from tests.web.late import late
from tests.web.served import Served, served

pytestmark = pytest.mark.asyncio(loop_scope="module")

SECRET = "secret-4711"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browser() -> AsyncIterator[Browser]:
    async with launched() as one:
        yield one


@pytest_asyncio.fixture(loop_scope="module")
async def up(tmp_path: Path) -> AsyncIterator[Served]:
    (tmp_path / "site/lua").mkdir(parents=True)
    (tmp_path / "site/lua/weather.lua").write_text("function handle() return goop.kv.get('api_key') end")
    async with served(tmp_path, lua={"kv_enabled": True}) as one:
        await one.peer.script_keys.put("command", "weather", "api_key", SECRET)
        yield one


async def test_a_value_is_hidden_until_it_is_asked_for(browser: Browser, up: Served) -> None:
    page = await console_page(browser, up, "secrets")
    await expect(page.get_by_text("api_key")).to_be_visible()
    assert SECRET not in await page.content()
    await page.get_by_role("button", name="Show api_key of !weather").click()
    await expect(page.get_by_text(SECRET)).to_be_visible()
    assert await complaints(page) == []
    await page.get_by_role("button", name="Show api_key of !weather").click()
    await expect(page.get_by_text(SECRET)).to_have_count(0)


async def test_a_value_that_comes_late_does_not_show_what_was_hidden_again(browser: Browser, up: Served) -> None:
    page = await console_page(browser, up, "secrets")
    toggle = page.get_by_role("button", name="Show api_key of !weather")
    async with late(page, "**/secrets/show") as answer:
        await toggle.click()
        await answer.asked()
        await toggle.click()
        await answer.comes()
    assert SECRET not in await page.content()


async def test_values_are_added_changed_and_forgotten(browser: Browser, up: Served) -> None:
    page = await console_page(browser, up, "secrets")
    await page.get_by_role("button", name="Change api_key of !weather").click()
    await page.get_by_label("Value, a text").fill("another")
    await page.get_by_role("button", name="Save").click()
    await expect(page.get_by_role("dialog")).to_have_count(0)
    assert (await up.peer.engine.command(up.peer.owner, "!weather")).text == "another"
    await page.get_by_role("button", name="Add a value").click()
    await page.get_by_label("Script", exact=True).select_option("hello")
    await page.get_by_label("Key", exact=True).fill("greeting")
    await page.get_by_label("Value, a text").fill("x" * 70_000)
    await page.get_by_role("button", name="Save").click()
    await expect(page.get_by_role("alert")).to_contain_text("65536 bytes")
    await page.get_by_label("Value, a text").fill("Hi")
    await page.get_by_role("button", name="Save").click()
    await expect(page.get_by_role("heading", name="hello")).to_be_visible()
    await page.get_by_role("button", name="Forget greeting of hello").click()
    await page.get_by_role("dialog").get_by_role("button", name="Forget").click()
    await expect(page.get_by_role("heading", name="hello")).to_have_count(0)
    assert [each.key for each in await up.peer.script_keys.keys()] == ["api_key"]
