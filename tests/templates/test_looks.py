"""What every page of a template owes whoever looks at it: clear to all, still, light, from its own peer, wide or narrow, by day or night."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from urllib.parse import urlsplit

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, expect
from tests.templates.sites import SCRIPT_MAX_BYTES, SHIFT_MAX, address, looking, site_of
from tests.web.axe import complaints
from tests.web.screenshots import picture
from tests.web.served import Served

pytestmark = pytest.mark.asyncio(loop_scope="module")

WIDTHS = (390, 1280)
Scene = Callable[[Page], Awaitable[None]]


async def front(page: Page) -> None:
    await expect(page.get_by_role("link", name="Ann")).to_have_attribute("href", f"http://ann.{urlsplit(page.url).netloc}/")


async def quiz(page: Page) -> None:
    await expect(page.locator("fieldset")).to_have_count(5)


async def quiz_scored(page: Page) -> None:
    for place, letter in enumerate("DACAB"):
        await page.locator(f"input[name=q{place}][value={letter}]").check()
    await page.get_by_role("button", name="Score my answers").click()
    await expect(page.locator("#result")).to_have_text("3 of 5")


async def lobby(page: Page) -> None:
    await expect(page.locator("#games li")).to_have_count(2)


async def game(page: Page) -> None:
    await page.get_by_role("button", name="Watch").click()
    await expect(page.locator("#status")).to_have_text("visitor-bob’s turn")


SCENES: dict[str, tuple[str, Scene]] = {
    "demo": ("", front),
    "quiz": ("quiz", quiz),
    "quiz-scored": ("quiz", quiz_scored),
    "tictactoe": ("tictactoe", lobby),
    "tictactoe-game": ("tictactoe", game),
}
"""Picture → the page, and what is done there first."""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def up(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Served]:
    """The demo, with some life in it."""
    async with site_of(tmp_path_factory.mktemp("demo"), "demo") as one:
        await one.call("new-game", host=one.visitor("cleo"))
        game_id = (await one.call("new-game", host=one.visitor("ann"))).json["game_id"]
        await one.call("join-game", {"game_id": game_id}, host=one.visitor("bob"))
        for who, position in (("ann", 4), ("bob", 0), ("ann", 2)):
            await one.call("move", {"game_id": game_id, "position": position}, host=one.visitor(who))
        yield one


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("name", SCENES)
async def test_a_page_is_clear_and_still_and_fits(browser: Browser, up: Served, name: str, width: int, dark: bool) -> None:
    template, scene = SCENES[name]
    async with looking(browser, address(up, template) if template else up.web.site, dark=dark, width=width) as seen:
        await scene(seen.page)
        await picture(seen.page, f"{name}-{width}-{'dark' if dark else 'light'}")
        assert await complaints(seen.page) == []
        assert await seen.page.evaluate("document.documentElement.scrollWidth") <= width
        assert await seen.page.evaluate("window.shifted") <= SHIFT_MAX
        assert await seen.script_bytes() < SCRIPT_MAX_BYTES
        assert {urlsplit(one.url).netloc for one in seen.responses} == {urlsplit(seen.page.url).netloc}
