"""What the owner changes in the console: settings and scripts, saved only when they are right and nobody else was there first."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser, expect
from tests.web.browser import PATIENCE_MS, go_to, launched, opened
from tests.web.served import served

pytestmark = pytest.mark.asyncio(loop_scope="module")

GREET = 'function handle(args) return "Hello, " .. args .. "!" end\n'


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browser() -> AsyncIterator[Browser]:
    async with launched() as one:
        yield one


async def test_a_setting_is_saved_and_a_bad_one_is_not(browser: Browser, tmp_path: Path) -> None:
    async with served(tmp_path, p2p={"theirs": 1}, identity={"key_file": "x"}) as up, opened(browser, up.web.console) as page:
        await go_to(page, "settings")
        before = (tmp_path / "goop.json").read_text()
        field = page.get_by_label("lua.timeout_seconds")
        await field.fill("99")
        await page.get_by_role("button", name="Save").click()
        await expect(page.locator(".foot").get_by_text("allowed is a number from 1 to 60")).to_be_visible()
        assert (tmp_path / "goop.json").read_text() == before
        await field.fill("7")
        await page.get_by_role("button", name="Save").click()
        await expect(page.get_by_text("No changes.")).to_be_visible()
        assert up.peer.settings.lua.timeout_seconds == 7, "it is in force without a restart"
        saved = json.loads((tmp_path / "goop.json").read_text())
        assert saved == json.loads(before) | {"lua": json.loads(before)["lua"] | {"timeout_seconds": 7}}
        assert (tmp_path / "goop.json.bak").read_text() == before


async def test_a_file_changed_meanwhile_is_not_overwritten(browser: Browser, tmp_path: Path) -> None:
    async with served(tmp_path) as up, opened(browser, up.web.console) as page:
        await go_to(page, "settings")
        document = json.loads((tmp_path / "goop.json").read_text())
        document["profile"]["label"] = "By hand"
        (tmp_path / "goop.json").write_text(json.dumps(document))
        await page.get_by_label("lua.max_memory_mb").fill("20")
        await page.get_by_role("button", name="Save").click()
        await page.get_by_role("button", name="Show the file").click()
        await expect(page.get_by_label("profile.label")).to_have_value("By hand")
        assert json.loads((tmp_path / "goop.json").read_text()) == document


async def test_a_script_is_edited_broken_at_line_3_and_mended_without_a_restart(browser: Browser, tmp_path: Path) -> None:
    """Its last good version answers meanwhile, and the page says so."""
    (tmp_path / "site/lua").mkdir(parents=True)
    (tmp_path / "site/lua/greet.lua").write_text(GREET)
    async with served(tmp_path, lua={"kv_enabled": True}) as up:
        page = await (await browser.new_context()).new_page()
        page.set_default_timeout(PATIENCE_MS)
        await page.goto(up.web.console)
        await go_to(page, "scripts?kind=command&name=greet")

        async def write(text: str) -> None:
            await page.locator(".cm-content").click()
            await page.keyboard.press("ControlOrMeta+a")
            await page.keyboard.insert_text(text)
            await page.keyboard.press("ControlOrMeta+s")

        async def says(arguments: str) -> str:
            return (await up.peer.engine.command(up.peer.owner, f"!greet {arguments}")).text

        await write("function handle(args)\n  return 'Hi, ' .. args\nend end\n")
        await expect(page.get_by_text("Line 3: ")).to_be_visible()
        await expect(page.get_by_text("The last version that compiled keeps running.")).to_be_visible()
        await expect(page.locator(".cm-lint-marker-error")).to_be_visible()
        await expect(page.get_by_text("older version runs", exact=True)).to_be_visible()
        assert await says("Ann") == "Hello, Ann!"
        assert "end end" in (tmp_path / "site/lua/greet.lua").read_text()
        await write("function handle(args)\n  return 'Hi, ' .. args\nend\n")
        await expect(page.get_by_text("Saved and live.").first).to_be_visible()
        assert await says("Ann") == "Hi, Ann"

        await page.get_by_label("Arguments").fill("<b>you</b>")
        await page.get_by_role("combobox", name="Caller", exact=True).select_option("Peer…")
        await page.get_by_label("Id of the peer").fill("visitor-x")
        await page.get_by_role("button", name="Run it").click()
        await expect(page.locator("pre", has_text="Hi, <b>you</b>")).to_be_visible()
        assert up.peer.runs.recent(1)[0].caller == "visitor-x"


async def test_a_script_is_made_and_a_change_from_outside_is_not_overwritten(browser: Browser, tmp_path: Path) -> None:
    async with served(tmp_path) as up:
        page = await (await browser.new_context()).new_page()
        page.set_default_timeout(PATIENCE_MS)
        await page.goto(up.web.console)
        await go_to(page, "scripts")
        await page.get_by_role("button", name="New command").click()
        await page.get_by_label("Name").fill("fresh")
        await page.get_by_role("button", name="Create").click()
        await expect(page.get_by_role("heading", name="!fresh")).to_be_visible()
        assert (await up.peer.engine.command(up.peer.owner, "!fresh Ann")).text == "Hello, Ann!"
        await page.locator(".cm-content").click()
        await page.keyboard.insert_text("-- mine\n")
        (tmp_path / "site/lua/fresh.lua").write_text("-- by an editor\nfunction handle() return 'outside' end\n")
        await page.keyboard.press("ControlOrMeta+s")
        await page.get_by_role("button", name="Load the file").click()
        await expect(page.locator(".cm-content")).to_contain_text("by an editor")
        assert (await up.peer.engine.command(up.peer.owner, "!fresh")).text == "outside"
