"""The Scripts page as a place to work: checks while typing, trying out, the last arguments, versions, completion of tables."""

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

pytestmark = pytest.mark.asyncio(loop_scope="module")

GREET = 'function handle(args)\n  goop.log.info("greeting " .. args)\n  goop.kv.set("last", args)\n  return "Hello, " .. args .. "!"\nend\n'
POSTS = {"name": "posts", "columns": [{"name": "title", "type": "text", "required": True}, {"name": "likes", "type": "integer"}]}
MANY = 1000


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browser() -> AsyncIterator[Browser]:
    async with launched() as one:
        yield one


@pytest_asyncio.fixture(loop_scope="module")
async def up(tmp_path: Path) -> AsyncIterator[Served]:
    (tmp_path / "site/lua").mkdir(parents=True)
    (tmp_path / "site/lua/greet.lua").write_text(GREET)
    (tmp_path / "schemas").mkdir()
    (tmp_path / "schemas/posts.json").write_text(json.dumps(POSTS))
    async with served(tmp_path, lua={"kv_enabled": True}) as one:
        yield one


async def opened_at(browser: Browser, up: Served, address: str, width: int = 1280, *, dark: bool = False) -> Page:
    context = await browser.new_context(viewport={"width": width, "height": 900}, color_scheme="dark" if dark else "light")
    context.set_default_timeout(PATIENCE_MS)
    page = await context.new_page()
    await page.goto(up.web.console)
    await go_to(page, address)
    return page


async def write(page: Page, text: str) -> None:
    await page.locator(".cm-content").click()
    await page.keyboard.press("ControlOrMeta+a")
    await page.keyboard.insert_text(text)


async def test_the_keyboard_saves_runs_and_leaves(browser: Browser, up: Served) -> None:
    page = await opened_at(browser, up, "scripts?kind=command&name=greet")
    await page.get_by_label("Arguments").fill("Ann")
    await write(page, GREET.replace("Hello", "Hi"))
    await page.keyboard.press("ControlOrMeta+Enter")
    await expect(page.locator(".outcome pre").first).to_have_text("Hi, Ann!")
    await expect(page.locator(".outcome .lines")).to_contain_text("greeting Ann")
    await expect(page.locator(".outcome table")).to_contain_text("kv.set")
    assert "Hi, " in (up.folder / "site/lua/greet.lua").read_text()
    await page.keyboard.press("Escape")
    await expect(page.locator(".editor")).to_be_focused()
    await page.keyboard.press("Tab")
    assert await page.evaluate("!document.activeElement.closest('.cm-editor')")
    await page.get_by_label("Arguments").fill("Bob")
    await page.keyboard.press("ControlOrMeta+Enter")
    await expect(page.locator(".outcome pre").first).to_have_text("Hi, Bob!")
    await page.context.close()


async def test_escape_that_closes_a_list_leaves_the_focus_and_tab_in_the_editor(browser: Browser, up: Served) -> None:
    page = await opened_at(browser, up, "scripts?kind=command&name=greet")
    await write(page, "goop.k")
    await page.keyboard.press("Control+Space")
    await expect(page.locator(".cm-tooltip-autocomplete")).to_be_visible()
    await page.keyboard.press("Escape")
    await expect(page.locator(".cm-tooltip-autocomplete")).to_have_count(0)
    await expect(page.locator(".cm-content")).to_be_focused()
    await page.keyboard.press("Tab")
    await expect(page.locator(".cm-content")).to_be_focused()
    await page.context.close()


async def test_hovering_and_writing_a_call_says_what_a_function_takes(browser: Browser, up: Served) -> None:
    page = await opened_at(browser, up, "scripts?kind=command&name=greet")
    await page.locator(".cm-line", has_text="goop.kv.set").get_by_text("kv", exact=False).first.hover()
    line = page.locator(".cm-line", has_text="goop.kv.set")
    box = await line.bounding_box()
    assert box is not None
    await page.mouse.move(box["x"] + 60, box["y"] + box["height"] / 2)
    await expect(page.locator(".cm-goop-help")).to_contain_text("goop.kv.set(key, value?)")
    await write(page, "function handle(args)\n  goop.schema.insert(")
    await page.keyboard.type('"posts", ')
    await expect(page.locator(".cm-goop-help code")).to_contain_text("goop.schema.insert(table, row)")
    await expect(page.locator(".cm-goop-now")).to_have_text("row")
    assert await complaints(page) == []
    await page.keyboard.type("{ title = 'x', likes = 1 }")
    await expect(page.locator(".cm-goop-now")).to_have_text("row")
    await page.keyboard.press("End")
    await page.keyboard.type(")")
    await expect(page.locator(".cm-goop-help")).to_have_count(0)
    await page.context.close()


async def test_what_does_not_compile_is_not_run(browser: Browser, up: Served) -> None:
    page = await opened_at(browser, up, "scripts?kind=command&name=greet")
    await write(page, "function handle(args) return end end")
    await expect(page.locator(".cm-lint-marker-error")).to_be_visible()
    await page.keyboard.press("ControlOrMeta+Enter")
    await expect(page.locator(".toast")).to_contain_text("does not compile")
    await expect(page.locator(".outcome")).to_be_empty()
    await page.context.close()


async def test_callers_and_the_last_five_argument_sets(browser: Browser, up: Served) -> None:
    page = await opened_at(browser, up, "scripts?kind=function&name=who")
    box, who, go = (
        page.get_by_label("Parameters, as JSON"),
        page.get_by_role("combobox", name="Caller", exact=True),
        page.get_by_role("button", name="Run it"),
    )
    me = up.peer.identity.peer_id
    for number in range(7):
        await box.fill(f'{{"number": {number}}}')
        await go.click()
        await expect(page.locator(".outcome pre").first).to_contain_text(me)
        await expect(page.locator(".earlier li").first).to_contain_text(f'"number": {number}')
    await expect(page.locator(".earlier li")).to_have_count(5)
    await who.select_option("A visitor")
    await go.click()
    await expect(page.locator(".outcome pre").first).to_contain_text("visitor-")
    await who.select_option("Peer…")
    await page.get_by_label("Id of the peer").fill("12D3KooAnn")
    await page.get_by_label("Label").fill("Ann")
    await go.click()
    await expect(page.locator(".outcome pre").first).to_contain_text("12D3KooAnn")
    await page.get_by_role("link", name="hello", exact=True).click()
    await expect(page.locator(".earlier li")).to_have_count(0)
    await page.reload()
    await go_to(page, "scripts?kind=function&name=who")
    await expect(page.get_by_label("Id of the peer")).to_have_value("12D3KooAnn")
    await page.locator(".earlier li button").nth(2).click()
    await expect(box).to_have_value('{"number": 6}')
    await expect(who).to_have_value("owner")
    await page.context.close()


async def test_an_answer_that_comes_late_does_not_replace_a_later_one(browser: Browser, up: Served) -> None:
    page = await opened_at(browser, up, "scripts?kind=function&name=echo")
    box, go = page.get_by_label("Parameters, as JSON"), page.get_by_role("button", name="Run it")
    async with late(page, "**/scripts/try") as answer:
        await box.fill('{"a": 1}')
        await go.click()
        await answer.asked()
        await box.fill('{"b": 2}')
        await go.click()
        await expect(page.locator(".outcome pre").first).to_contain_text('"b": 2')
        await answer.comes()
        await expect(page.locator(".outcome pre").first).to_contain_text('"b": 2')
        await expect(box).to_have_value('{"b": 2}')
    await page.context.close()


async def test_hints_come_while_somebody_types_and_go_when_it_is_mended(browser: Browser, up: Served) -> None:
    page = await opened_at(browser, up, "scripts?kind=command&name=greet")
    await write(page, "-- 🐟\nfunction handle(args)\n  pritn(args)\n  return goop.db.scalar('SELECT 1')\nend\n")
    hints = page.locator(".hints li")
    await expect(hints).to_have_text(
        [
            "Line 3 undefined global pritn; did you mean print?",
            "Line 4 goop.db.scalar is for data functions alone: in a chat command it is nil",
        ]
    )
    await expect(page.locator(".cm-lintRange-warning").first).to_have_text("pritn")
    await hints.first.get_by_role("button", name="Line 3").click()
    await expect(page.locator(".cm-activeLine")).to_contain_text("pritn")
    assert await complaints(page) == []
    async with late(page, "**/scripts/check") as answer:
        await write(page, "function handle(args) pritn() end")
        await answer.asked()
        await write(page, "function handle(args) return args end")
        await answer.comes()
    await expect(hints).to_have_count(0)
    await expect(page.locator(".cm-lintRange-warning")).to_have_count(0)
    await page.context.close()


async def test_versions_are_compared_and_put_back(browser: Browser, up: Served) -> None:
    page = await opened_at(browser, up, "scripts?kind=command&name=greet")
    for word in ("Hi", "Servus"):
        await write(page, GREET.replace("Hello", word))
        await page.keyboard.press("ControlOrMeta+s")
        await expect(page.get_by_text("Saved and live.", exact=True).first).to_be_visible()
        await expect(page.get_by_role("button", name="Save", exact=True)).to_be_disabled()
    await page.get_by_role("button", name="Versions").click()
    versions = page.locator(".versions .scrolls button")
    await expect(versions).to_have_count(3)
    await versions.last.click()
    await expect(page.locator(".diff .gone")).to_contain_text('"Hello, "')
    await expect(page.locator(".diff .new")).to_contain_text('"Servus, "')
    assert await complaints(page) == []
    await page.get_by_role("button", name="Restore this version").click()
    await expect(page.locator(".cm-content")).to_contain_text('"Hello, "')
    await expect(page.locator(".script-work > [role=status]")).to_have_text("Saved and live.")
    assert (up.folder / "site/lua/greet.lua").read_text() == GREET
    assert (await up.peer.engine.command(up.peer.owner, "!greet Ann")).text == "Hello, Ann!"
    await page.context.close()


async def test_tables_and_columns_are_completed(browser: Browser, up: Served) -> None:
    page = await opened_at(browser, up, "scripts?kind=function&name=echo")
    offered = page.locator(".cm-tooltip-autocomplete")
    for text, option in (
        ('goop.schema.find("po', "posts"),
        ('goop.db.query("SELECT * FROM po', "posts"),
        ('goop.db.query("SELECT * FROM posts WHERE tit', "title"),
        ('goop.schema.find("posts", { where = "lik', "likes"),
        ('goop.schema.insert("posts", { tit', "title"),
    ):
        await write(page, "")
        await page.keyboard.type(text)
        await page.keyboard.press("Control+Space")
        await expect(offered.get_by_role("option", name=re.compile(f"^{option}"))).to_be_visible()
    await page.context.close()


async def test_a_thousand_scripts_scroll_in_their_own_list_and_are_found(browser: Browser, tmp_path: Path) -> None:
    place = tmp_path / "site/lua/functions"
    place.mkdir(parents=True)
    functions = {f"fn-{number:04}": "function call() return 1 end" for number in range(MANY)}
    async with served(tmp_path, functions=functions) as up:
        page = await opened_at(browser, up, "scripts?kind=function&name=fn-0900")
        await expect(page.get_by_role("heading", name="fn-0900")).to_be_visible()
        assert await page.evaluate("document.documentElement.scrollHeight") < 2500
        await expect(page.get_by_role("link", name="fn-0900")).to_be_in_viewport()
        await page.get_by_label("Find a script").fill("fn-0123")
        await expect(page.locator(".script-list li")).to_have_count(1)
        await page.keyboard.press("ArrowDown")
        await page.keyboard.press("Enter")
        await expect(page.get_by_role("heading", name="fn-0123")).to_be_visible()
        await page.context.close()


async def test_a_script_that_is_not_there_is_said(browser: Browser, up: Served) -> None:
    page = await opened_at(browser, up, "scripts?kind=command&name=nothing")
    await expect(page.get_by_role("heading", name="There is no such script")).to_be_visible()
    await page.context.close()


@pytest.mark.parametrize(("dark", "width"), [(False, 1280), (True, 1280), (False, 390), (True, 390)])
async def test_the_find_panel_looks_like_the_rest(browser: Browser, up: Served, dark: bool, width: int) -> None:
    page = await opened_at(browser, up, "scripts?kind=command&name=greet", width, dark=dark)
    await page.locator(".cm-content").click()
    await page.keyboard.press("ControlOrMeta+f")
    await expect(page.locator(".cm-search")).to_be_visible()
    colours = "(one) => [getComputedStyle(one).color, getComputedStyle(one).backgroundColor, getComputedStyle(one).backgroundImage]"
    ink, back, image = await page.locator(".cm-search .cm-button").first.evaluate(colours)
    assert (ink, image) == (await page.locator("body").evaluate("(one) => getComputedStyle(one).color"), "none")
    assert back != ink
    assert await complaints(page) == []
    assert await page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
    await page.context.close()
