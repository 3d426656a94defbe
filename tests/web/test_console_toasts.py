"""What the console says for a moment lies on nothing that is pressed next."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, expect
from tests.web.browser import PATIENCE_MS, go_to, launched
from tests.web.served import Served, served

pytestmark = pytest.mark.asyncio(loop_scope="module")

PRESSED = "a[href], button, input, select, textarea, summary, [contenteditable='true']"
COVERED = """(pressed) => {
  const meet = (one, other) => one.left < other.right && other.left < one.right && one.top < other.bottom && other.top < one.bottom;
  const toast = document.querySelector(".toast, .goop-toast").getBoundingClientRect();
  const names = [...document.querySelectorAll(pressed)].filter((one) => one.checkVisibility() && meet(one.getBoundingClientRect(), toast));
  return names.map((one) => one.outerHTML.slice(0, 80));
}"""
AT_ITS_MIDDLE = """async () => {
  await (SAY);
  const toast = document.querySelector(".toast, .goop-toast");
  const { left, top, width, height } = toast.getBoundingClientRect();
  const met = document.elementFromPoint(left + width / 2, top + height / 2);
  return [toast.contains(met) ? "the toast" : met.outerHTML.slice(0, 80), [left, top, width, height]];
}"""
GREET = "function handle(args) return 'Hello, ' .. args .. '!' end\n"
CORNER = """() => {
  document.body.innerHTML = "<button style='position: fixed; right: 0; bottom: 0; width: 50vw; height: 50vh'>Next</button>";
}"""
FULL = """() => {
  document.body.replaceChildren(...Array.from({ length: 3 }, () => Object.assign(document.createElement("button"), {
    textContent: "Press me", onclick: () => { window.pressed = (window.pressed || 0) + 1; }, style: "width: 100%; height: 33vh" })));
}"""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browser() -> AsyncIterator[Browser]:
    async with launched() as one:
        yield one


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def up(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Served]:
    folder = tmp_path_factory.mktemp("peer")
    (folder / "site/lua").mkdir(parents=True)
    (folder / "site/lua/greet.lua").write_text(GREET)
    (folder / "site/sdk.html").write_text((Path(__file__).parent / "pages/sdk.html").read_text())
    async with served(folder) as one:
        yield one


async def becomes_clear(page: Page) -> None:
    """Wait until the toast that is shown lies on nothing: it looks for another place a few times a second."""
    async with asyncio.timeout(PATIENCE_MS / 1000):
        while await page.evaluate(COVERED, PRESSED) != []:
            await page.wait_for_timeout(50)


@pytest.mark.parametrize(("width", "height"), [(1280, 900), (1280, 640), (900, 1200), (390, 844)])
async def test_what_was_saved_is_tried_at_once(browser: Browser, up: Served, width: int, height: int) -> None:
    context = await browser.new_context(viewport={"width": width, "height": height})
    context.set_default_timeout(PATIENCE_MS)
    try:
        page = await context.new_page()
        await page.goto(up.web.console)
        await go_to(page, "scripts?kind=command&name=greet")
        await page.locator(".cm-content").click()
        await page.keyboard.press("ControlOrMeta+End")
        await page.keyboard.insert_text("-- more\n")
        await page.get_by_label("Arguments").fill("Ann")
        await page.get_by_role("button", name="Run it").scroll_into_view_if_needed()
        await page.locator(".cm-content").press("ControlOrMeta+s")
        await expect(page.locator(".toast")).to_have_text("Saved and live.")
        await expect(page.locator(".toast")).to_be_in_viewport(ratio=1)
        assert await page.evaluate(COVERED, PRESSED) == []
        await page.get_by_role("button", name="Run it").scroll_into_view_if_needed()
        await becomes_clear(page)
        await page.get_by_role("button", name="Run it").click()
        await expect(page.get_by_text("Hello, Ann!")).to_be_visible()
        await expect(page.locator(".toast")).to_be_visible()
    finally:
        await context.close()


async def test_where_all_is_full_a_word_lets_clicks_through(browser: Browser, up: Served) -> None:
    """In the console and on the own pages alike."""
    for address, say in (
        (up.web.console, "import('/shell/toasts.js').then(({ toast }) => toast('Said'))"),
        (f"{up.web.site}sdk.html", "Goop.ui.toast('Said')"),
    ):
        page = await browser.new_page()
        await page.goto(address)
        await page.wait_for_load_state("load")
        if "sdk" in address:
            await page.evaluate(FULL)
        else:
            await expect(page.locator("#link")).to_have_text("Live")
            await page.evaluate("document.querySelector('main').replaceChildren()")
        # In one go: a word is gone by itself, and a busy machine may come back only then.
        meets, box = await page.evaluate(AT_ITS_MIDDLE.replace("SAY", say))
        assert meets != "the toast", json.dumps(box)
        await page.context.close()


async def test_a_word_on_a_page_lies_on_nothing_that_is_pressed(browser: Browser, up: Served) -> None:
    page = await browser.new_page(viewport={"width": 800, "height": 600})
    await page.goto(f"{up.web.site}sdk.html")
    await page.evaluate(CORNER)
    await page.evaluate("Goop.ui.toast('Saved')")
    assert await page.evaluate(COVERED, PRESSED) == []
    await page.evaluate("""() => { document.querySelector("button").style.width = "100vw"; }""")
    await becomes_clear(page)
    await page.context.close()
