"""The console around its pages: tabs over restarts, addresses that lead nowhere, Ctrl+K, settings in force, the documentation."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, expect
from tests.web.axe import complaints
from tests.web.browser import PATIENCE_MS, go_to, launched
from tests.web.late import late
from tests.web.served import Served, served

from goop2.web.console.documents import summaries
from goop2.web.console.tab_codes import FILE

pytestmark = pytest.mark.asyncio(loop_scope="module")

LOOKS = (("light", 1280), ("dark", 1280), ("light", 390), ("dark", 390))
POSTS = {"name": "posts", "columns": [{"name": "title", "type": "text", "required": True}]}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browser() -> AsyncIterator[Browser]:
    async with launched() as one:
        yield one


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def up(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Served]:
    folder = tmp_path_factory.mktemp("peer")
    (folder / "site/lua").mkdir(parents=True)
    (folder / "site/lua/greet.lua").write_text("--- Greets whoever asks\nfunction handle(args) return 'Hello, ' .. args end\n")
    (folder / "schemas").mkdir()
    (folder / "schemas/posts.json").write_text(json.dumps(POSTS))
    async with served(folder) as one:
        await one.peer.engine.command(one.peer.owner, "!greet Aurora")
        yield one


async def page_of(browser: Browser, address: str, width: int = 1280, *, dark: bool = False) -> Page:
    context = await browser.new_context(viewport={"width": width, "height": 800}, color_scheme="dark" if dark else "light")
    context.set_default_timeout(PATIENCE_MS)
    page = await context.new_page()
    await page.goto(address)
    return page


async def is_well(page: Page) -> None:
    assert await complaints(page) == []
    assert await page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0


# Over restarts


async def test_a_tab_goes_on_after_a_restart_and_keeps_what_is_not_saved(browser: Browser, tmp_path: Path) -> None:
    (tmp_path / "site/lua").mkdir(parents=True)
    (tmp_path / "site/lua/greet.lua").write_text("function handle(args) return args end\n")
    async with served(tmp_path) as up:
        page = await page_of(browser, up.web.console)
        await go_to(page, "scripts?kind=command&name=greet")
        await expect(page.locator("#link")).to_have_text("Live")
        await page.locator(".cm-content").click()
        await page.keyboard.insert_text("-- not saved\n")
    await expect(page.locator("#link")).to_have_text("Not reached")
    address: dict[str, object] = {"http_addr": f"127.0.0.1:{up.port}"}
    for _ in range(2):
        async with served(tmp_path, viewer=address) as again:
            await expect(page.locator("#link")).to_have_text("Live")
            await expect(page.locator("#trouble")).to_be_empty()
            await expect(page.locator(".cm-content")).to_contain_text("-- not saved")
            await page.keyboard.press("ControlOrMeta+s")
            await expect(page.locator(".toast.good")).to_have_text("Saved and live.")
            await again.call("who")
            await page.locator(".cm-content").click()
            await page.keyboard.insert_text("-- not saved\n")
    async with served(tmp_path, viewer=address):
        page.on("dialog", lambda dialog: dialog.accept())
        await page.reload()
        await expect(page.locator("#link")).to_have_text("Live")
        await expect(page.locator(".cm-content")).to_be_visible()
    await page.context.close()


async def test_a_tab_whose_code_is_gone_is_told_what_to_do(browser: Browser, tmp_path: Path) -> None:
    async with served(tmp_path) as up:
        page = await page_of(browser, up.web.console)
        await expect(page.locator("#link")).to_have_text("Live")
        await go_to(page, "runs")
    (tmp_path / FILE).unlink()
    async with served(tmp_path, viewer={"http_addr": f"127.0.0.1:{up.port}"}) as again:
        await expect(page.locator("#trouble")).to_contain_text("goop2 console DIR --open")
        await page.evaluate("(address) => { location.href = address; }", again.web.browser_addresses()["open"])
        await expect(page.locator("#link")).to_have_text("Live")
        assert "code" not in page.url
    await page.context.close()


async def test_a_code_that_was_used_is_refused_in_words(browser: Browser, up: Served) -> None:
    address = up.web.browser_addresses()["open"]
    page = await page_of(browser, address)
    await expect(page.locator("#link")).to_have_text("Live")
    other = await page_of(browser, address)
    await expect(other.get_by_role("heading", name="The console is locked")).to_be_visible()
    await expect(other.get_by_text("this link was used already")).to_be_visible()
    await is_well(other)
    await page.context.close()
    await other.context.close()


# Addresses


@pytest.mark.parametrize("address", ["nowhere", "home/7", "settings/lua", "%3Cb%3E", "runs1"])
async def test_an_address_that_leads_nowhere_says_so(browser: Browser, up: Served, address: str) -> None:
    page = await page_of(browser, up.web.console, 390)
    await expect(page.locator("#link")).to_have_attribute("data-state", "live")
    await page.evaluate("(address) => { location.hash = `#/${address}`; }", address)
    await expect(page.get_by_role("heading", name="There is no such page")).to_be_visible()
    await expect(page.locator("#nav [aria-current]")).to_have_count(0)
    await is_well(page)
    await page.locator("main").get_by_role("link", name="Chat").click()
    await expect(page.get_by_role("heading", level=1)).to_have_text("Chat")
    await page.context.close()


# Ctrl+K


@pytest.mark.parametrize(
    ("typed", "option", "then"),
    [
        ("greet", "!greet", "#/scripts?kind=command&name=greet"),
        ("echo", "echo", "#/scripts?kind=function&name=echo"),
        ("posts", "posts", "#/data?table=posts"),
        ("timeout", "Seconds a call may take", "#/settings?of=lua.timeout_seconds"),
        ("1", "Run 1", "#/runs/1"),
        ("aurora", "Run 1: !greet", "#/runs/1"),
        ("chat", "Chat", "#/chat"),
    ],
)
async def test_ctrl_k_finds(browser: Browser, up: Served, typed: str, option: str, then: str) -> None:
    page = await page_of(browser, up.web.console)
    await expect(page.locator("#link")).to_have_text("Live")
    await page.keyboard.press("Control+k")
    await page.get_by_role("combobox", name="Go to").press_sequentially(typed)
    await expect(page.get_by_role("option", name=re.compile(f"^{re.escape(option)}")).first).to_be_visible()
    await is_well(page)
    await page.keyboard.press("Enter")
    await page.wait_for_url(lambda url: url.partition("#")[2].startswith(then[1:]))
    await expect(page.locator(".palette")).to_have_count(0)
    await page.context.close()


async def test_places_that_come_late_leave_what_is_chosen(browser: Browser, up: Served) -> None:
    page = await page_of(browser, up.web.console)
    await expect(page.locator("#link")).to_have_text("Live")
    async with late(page, "**/api/console/places") as answer:
        await page.keyboard.press("Control+k")
        await page.get_by_role("combobox", name="Go to").press_sequentially("e")
        await page.keyboard.press("ArrowDown")
        chosen = await page.get_by_role("option", selected=True).inner_text()
        await answer.comes()
        await expect(page.get_by_role("option", name="!greet")).to_be_visible()
        assert await page.get_by_role("option", selected=True).inner_text() == chosen
    await page.context.close()


# Settings


async def test_a_setting_that_is_refused_is_marked_at_its_place(browser: Browser, up: Served) -> None:
    page = await page_of(browser, up.web.console, 390)
    await go_to(page, "settings")
    field = page.get_by_label("lua.timeout_seconds")
    await field.fill("99")
    await page.get_by_role("button", name="Save").click()
    await expect(field).to_have_attribute("aria-invalid", "true")
    await expect(field).to_be_focused()
    await expect(field).to_be_in_viewport()
    await expect(page.locator(".setting.refused .level-error")).to_contain_text("allowed is a number from 1 to 60")
    await is_well(page)
    await field.fill("6")
    await expect(field).not_to_have_attribute("aria-invalid", "true")
    await page.get_by_role("button", name="Undo").click()
    await page.context.close()


async def test_settings_take_effect_without_a_restart_and_the_others_say_that_they_wait(browser: Browser, tmp_path: Path) -> None:
    async with served(tmp_path) as up:
        page, other = await page_of(browser, up.web.console), await page_of(browser, up.web.console)
        await go_to(page, "settings")
        await go_to(other, "settings")
        await page.get_by_label("profile.label").fill("Freda")
        await page.get_by_label("lua.max_workers").fill("3")
        await expect(page.get_by_text("2 changes not saved. 1 change of these will wait for a restart.")).to_be_visible()
        await page.get_by_role("button", name="Save").click()
        await expect(page.locator("#label")).to_have_text("Freda")
        await expect(page.get_by_text("waits for a restart", exact=True)).to_have_count(1)
        await expect(other.locator("#label")).to_have_text("Freda")
        await expect(other.get_by_label("profile.label")).to_have_value("Freda")
        assert (await up.call("who")).json["label"] == "Freda"
        await page.context.close()
        await other.context.close()


async def test_a_setting_is_found_among_many(browser: Browser, up: Served) -> None:
    page = await page_of(browser, up.web.console)
    await go_to(page, "settings?of=runs.keep_days")
    await expect(page.get_by_label("runs.keep_days")).to_be_focused()
    await page.get_by_label("Find a setting").fill("rendezvous port")
    await expect(page.locator(".setting:visible")).to_have_count(1)
    await is_well(page)
    await page.get_by_label("Find a setting").fill("nothing like that")
    await expect(page.get_by_text("No setting has this")).to_be_visible()
    await page.context.close()


async def test_a_peer_that_nobody_would_start_again_has_no_restart_button(browser: Browser, up: Served) -> None:
    page = await page_of(browser, up.web.console)
    await go_to(page, "settings")
    await expect(page.get_by_role("button", name="Restart the peer")).to_have_count(0)
    await page.context.close()


# The documentation


@pytest.mark.parametrize(("scheme", "width"), LOOKS)
async def test_the_documentation_is_read_offline(browser: Browser, up: Served, scheme: str, width: int) -> None:
    page = await page_of(browser, f"http://{up.console}/docs/", width, dark=scheme == "dark")
    faults: list[str] = []
    page.on("console", lambda message: faults.append(message.text) if message.type == "error" else None)
    await expect(page.get_by_role("heading", level=1)).to_have_text("Documentation")
    await is_well(page)
    await page.locator("main").get_by_role("link", name="The console").click()
    await expect(page.get_by_role("heading", level=1)).to_have_text("The console")
    await is_well(page)
    await page.locator("main").get_by_role("link", name="would ask first").or_(page.locator("main a[href*='#']")).first.click()
    await expect(page.locator(":target")).to_be_in_viewport()
    assert faults == []
    await page.context.close()


async def _ids(page: Page, address: str) -> set[str]:
    answer = await page.goto(address)
    assert answer is not None
    assert answer.status == 200
    return set(await page.evaluate("[...document.querySelectorAll('[id]')].map((one) => one.id)"))


async def test_every_page_of_the_documentation_is_clean_and_its_links_lead_somewhere(browser: Browser, up: Served) -> None:
    page = await page_of(browser, f"http://{up.console}/docs/")
    faults: list[str] = []
    page.on("console", lambda message: faults.append(message.text) if message.type == "error" else None)
    links: dict[str, set[str]] = {}
    for each in summaries():
        links[f"/docs/{each.name}"] = await _ids(page, f"http://{up.console}/docs/{each.name}")
    links["/docs/index"] = links["/docs/"] = await _ids(page, f"http://{up.console}/docs/index")
    assert faults == []
    for each in summaries():
        await page.goto(f"http://{up.console}/docs/{each.name}")
        for href in await page.evaluate("[...document.querySelectorAll('main a')].map((one) => one.getAttribute('href'))"):
            file, _, part = href.partition("#")
            target = links.get(file or f"/docs/{each.name}")
            assert href.startswith("http") or "." in file or (target is not None and (not part or part in target)), (each.name, href)
    await page.context.close()
