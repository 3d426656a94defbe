"""The console in every state: empty, asking, refusing, full of what strangers wrote. Clear to all, still, no wider than a phone."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, Route, ViewportSize, expect
from tests.folder.templates.sites import SHIFT_MAX, WATCH_SHIFTS
from tests.web.axe import complaints
from tests.web.browser import PATIENCE_MS, launched
from tests.web.console.controls.test_groups import grouped
from tests.web.console.test_app import PAGES
from tests.web.served import Served, served

pytestmark = pytest.mark.asyncio(loop_scope="module")

PHONE: ViewportSize = {"width": 375, "height": 812}
SLOW_SECONDS = 0.15
OTHER = "12D3KooWD3eckifWpRn9wQpMG9R9hX3sD158z7EqHWmweQAJU5SA"
OWNED = "document.documentElement.dataset.owned = 1"
HOSTILE = f'<script>{OWNED}</script><img src=x onerror="{OWNED}">'
BACKWARDS = "\u05e9\u05dc\u05d5\u05dd \u202eevil gpj.exe"
ENDLESS = "W" * 5000
POSTS = {
    "name": "posts",
    "columns": [
        {"name": "title", "type": "text", "required": True},
        {"name": "a_column_with_a_name_that_goes_on_and_on", "type": "integer"},
        {"name": "state", "type": "enum", "values": [{"key": "new", "label": "New"}, {"key": "old", "label": "Old"}]},
    ],
}
ECHO = f"--- {HOSTILE} {'very ' * 60}long\nfunction handle(args) goop.log.warn(args) goop.kv.set('k', 1) return args end"
State = Callable[[Page], Awaitable[None]]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browser() -> AsyncIterator[Browser]:
    async with launched() as one:
        yield one


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def full(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Served]:
    """A peer full of what strangers and careless owners write."""
    folder = tmp_path_factory.mktemp("peer")
    (folder / "site/lua").mkdir(parents=True)
    for name in ("echo", "n" * 64):
        (folder / f"site/lua/{name}.lua").write_text(ECHO)
    (folder / "schemas").mkdir()
    (folder / "schemas/posts.json").write_text(json.dumps(POSTS))
    async with served(folder, lua={"kv_enabled": True}, profile={"label": HOSTILE + BACKWARDS + ENDLESS[:500]}) as up:
        for text in (HOSTILE, BACKWARDS, ENDLESS):
            await up.peer.tables.perform("insert", up.peer.owner, {"table": "posts", "data": {"title": text}})
            await up.peer.chat.receive(OTHER, f"id {text[:9]}", text, 1764000000000)
            await up.peer.engine.command(up.peer.owner, f"!echo {text[:3000]}")
        await up.call("fails")
        await grouped(up, HOSTILE + BACKWARDS + ENDLESS[:300])
        yield up


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def empty(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Served]:
    """A peer in which nothing is yet."""
    async with served(tmp_path_factory.mktemp("peer"), functions={}) as up:
        yield up


async def _go(page: Page, address: str) -> None:
    await page.evaluate("(address) => { location.hash = `#/${address}`; }", address)
    await expect(page.locator(f".page-{address.split('?')[0]} h1")).to_be_visible()


def at(address: str, *names: str, then: str = "") -> State:
    """The page at `address` once the buttons `names` were pressed one after the other, and `then`, a selector, is to be seen."""

    async def come(page: Page) -> None:
        await _go(page, address)
        for name in names:
            await page.get_by_role("button", name=name, exact=not name.startswith("!")).first.click()
        if then:
            await expect(page.locator(then).first).to_be_visible()

    return come


async def trying(page: Page) -> None:
    await _go(page, "scripts?kind=command&name=echo")
    await page.get_by_label("Arguments").fill(HOSTILE + ENDLESS[:2000])
    await page.get_by_role("button", name="Run it").click()
    await expect(page.locator(".outcome pre").first).to_contain_text(HOSTILE)


async def completing(page: Page) -> None:
    await _go(page, "chat")
    box = page.get_by_label("Message; ! begins a command")
    await box.press_sequentially("!")
    await box.press("ArrowDown")
    await expect(page.get_by_role("option", selected=True)).to_contain_text("!nnn")


async def log_lines(page: Page) -> None:
    await _go(page, "runs?view=logs")
    await expect(page.locator(".rows .line").first).to_be_visible()


async def not_saved(page: Page) -> None:
    await _go(page, "settings")
    await page.get_by_label("lua.timeout_seconds").fill("99")
    await page.get_by_role("button", name="Save").click()
    await expect(page.locator(".foot .level-error")).to_be_visible()


async def leaving(page: Page) -> None:
    await not_saved(page)
    await page.evaluate("location.hash = '#/home'")
    await expect(page.locator("dialog[open]")).to_be_visible()


async def choosing_a_place(page: Page) -> None:
    await page.keyboard.press("Control+k")
    await expect(page.locator(".palette")).to_be_visible()


async def joining(page: Page) -> None:
    await _go(page, "groups")
    await page.get_by_text("Join by its id").click()
    await expect(page.get_by_label("Id of the group")).to_be_visible()


async def before_plots(page: Page) -> None:
    """What draws them is not here yet, and never will be."""

    async def never(_route: Route) -> None:
        pass

    await page.route("**/vendor/uPlot.iife.min.js", never)
    await _go(page, "runs")
    await expect(page.locator(".drawing").first).to_be_attached()


def of_a_group(what: str) -> State:
    async def come(page: Page) -> None:
        await _go(page, "groups")
        await page.locator("main").get_by_text(what, exact=True).first.click()
        await expect(page.locator("dialog[open]")).to_be_visible()

    return come


async def no_group(page: Page) -> None:
    await _go(page, "groups")
    await page.get_by_label("Name").fill(" ")
    await page.get_by_role("button", name="Create").click()
    await expect(page.get_by_text("a group's name and its type have")).to_be_visible()


FULL: dict[str, State] = {
    "home": at("home", then=".hero"),
    "a place to go": choosing_a_place,
    "a script is tried": trying,
    "a broken script": at("scripts?kind=function&name=broken", then=".cm-lint-marker-error"),
    "a new script": at("scripts", "New command", then="dialog[open]"),
    "a script is deleted": at("scripts?kind=command&name=echo", "Delete", then="dialog[open]"),
    "chat with another": at(f"chat?peer={OTHER}", then=".bubble"),
    "commands are completed": completing,
    "a run": at("runs", "!echo", then=".waterfall"),
    "log lines": log_lines,
    "no run fits": at("runs?text=nothing-has-this", then="text=No runs match these filters"),
    "rows": at("data?table=posts", then=".cell"),
    "a cell is changed": at("data?table=posts", "title of row 3: change", then="dialog[open]"),
    "a row is refused": at("data?table=posts", "Add a row", "Add", then="dialog[open]"),
    "a row is removed": at("data?table=posts", "Remove row 1", then="dialog[open]"),
    "settings are refused": not_saved,
    "a page is left": leaving,
    "runs before they are drawn": before_plots,
    "groups": at("groups", then=".members"),
    "a group is joined by its id": joining,
    "a member is removed": of_a_group("Remove"),
    "nobody can be invited": of_a_group("Invite"),
    "a group is not made": no_group,
}
EMPTY: dict[str, State] = {name: at(name) for name in PAGES}


async def _late(route: Route) -> None:
    await asyncio.sleep(SLOW_SECONDS)  # the slow line that is tried
    await route.continue_()


async def _look(browser: Browser, up: Served, state: State, *, dark: bool) -> None:
    context = await browser.new_context(viewport=PHONE, is_mobile=True, has_touch=True, color_scheme="dark" if dark else "light")
    context.set_default_timeout(PATIENCE_MS)
    try:
        await context.add_init_script(WATCH_SHIFTS)
        page = await context.new_page()
        await page.route("**/api/console/[!e]*", _late)
        await page.goto(up.web.console)
        await expect(page.locator("main h1")).to_be_visible()
        await state(page)
        assert await complaints(page) == []
        assert await page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
        assert await page.evaluate("window.shifted") <= SHIFT_MAX
        assert await page.locator("[data-owned]").count() == 0
    finally:
        await context.close()


@pytest.mark.parametrize("name", FULL)
async def test_a_full_page_is_clear_and_still_and_fits(browser: Browser, full: Served, name: str) -> None:
    await _look(browser, full, FULL[name], dark=len(name) % 2 == 0)


@pytest.mark.parametrize("name", EMPTY)
async def test_an_empty_page_is_clear_and_still_and_fits(browser: Browser, empty: Served, name: str) -> None:
    await _look(browser, empty, EMPTY[name], dark=len(name) % 2 == 0)


async def test_the_header_is_as_high_before_the_long_label_came(browser: Browser, full: Served) -> None:
    page = await (await browser.new_context(viewport=PHONE, is_mobile=True, has_touch=True)).new_page()
    asked = asyncio.Event()

    async def held(route: Route) -> None:
        await asked.wait()
        await route.continue_()

    await page.route("**/api/console/who", held)
    await page.goto(full.web.console)
    before = await page.evaluate("document.querySelector('.top').offsetHeight")
    asked.set()
    await expect(page.locator("#label")).to_contain_text("script")
    assert await page.evaluate("document.querySelector('.top').offsetHeight") == before
    await page.context.close()


async def test_who_comes_without_the_key_finds_a_page_clear_to_all(browser: Browser, empty: Served) -> None:
    page = await (await browser.new_context(viewport=PHONE)).new_page()
    await page.goto(f"http://{empty.console}/")
    await expect(page.get_by_role("heading", name="The console is locked")).to_be_visible()
    assert await complaints(page) == []
