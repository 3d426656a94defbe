"""What a template owes whoever looks at its pages: clear to all, still, light, from its own peer, wide or narrow, by day or night."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from urllib.parse import urlsplit

import pytest
import pytest_asyncio
from mutagen.id3 import APIC, ID3, TIT2
from playwright.async_api import Browser, Page, expect
from tests.folder.templates.sites import SCRIPT_MAX_BYTES, SHIFT_MAX, address, looking, site_of
from tests.folder.templates.test_listening import png
from tests.services.listen.sounds import mp3
from tests.web.axe import complaints
from tests.web.screenshots import picture
from tests.web.served import Served

pytestmark = pytest.mark.asyncio(loop_scope="module")

WIDTHS = (390, 1280)
PICTURED = {(1280, False): "wide", (390, True): "phone"}
Scene = Callable[[Page], Awaitable[None]]


async def front(page: Page) -> None:
    await expect(page.get_by_role("link", name="Ann")).to_have_attribute(
        "href", f"http://ann.{urlsplit(page.url).netloc}{urlsplit(page.url).path}"
    )


async def quiz(page: Page) -> None:
    await expect(page.locator("fieldset")).to_have_count(5)


async def quiz_scored(page: Page) -> None:
    for place, letter in enumerate("DACAB"):
        await page.locator(f"input[name=q{place}][value={letter}]").check()
    await page.get_by_role("button", name="Score it").click()
    await expect(page.locator("#result")).to_have_text("3 of 5")


async def lobby(page: Page) -> None:
    await expect(page.locator("#games li")).to_have_count(2)


async def game(page: Page) -> None:
    await page.get_by_role("button", name="Watch").click()
    await expect(page.locator("#status")).to_have_text("visitor-bob’s turn")


async def guestbook(page: Page) -> None:
    await expect(page.locator(".entry")).to_have_count(3)


async def blog(page: Page) -> None:
    await expect(page.locator("#posts h2")).to_have_count(4)


async def listening(page: Page) -> None:
    await expect(page.get_by_role("heading", name="Low tide")).to_be_visible()
    await page.evaluate("document.getElementById('cover').decode()")


async def post(page: Page) -> None:
    await page.get_by_role("link", name="On small tools").click()
    await expect(page.locator("#post h2")).to_have_text("On small tools")


async def editor(page: Page) -> None:
    await blog(page)
    await page.get_by_role("button", name="Write").click()
    await page.get_by_label("Title").fill("On folders")


SCENES: dict[str, tuple[str, Scene]] = {
    "demo": ("", front),
    "blog": ("blog", blog),
    "blog-post": ("blog", post),
    "blog-editor": ("blog", editor),
    "guestbook": ("guestbook", guestbook),
    "listening": ("listening", listening),
    "quiz": ("quiz", quiz),
    "quiz-scored": ("quiz", quiz_scored),
    "tictactoe": ("tictactoe", lobby),
    "tictactoe-game": ("tictactoe", game),
}
"""Picture → the page, and what is done there first."""
SIGNED = {
    "ann": ("Ann", "I came by boat and left by train. The blog made me miss it."),
    "bob": ("Bob", "Lost to Ann at tic-tac-toe. Twice.\nI blame the board."),
    "": ("Fred", "Welcome, both of you!"),
}
"""Visitor → what they leave in the guestbook."""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def up(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Served]:
    """The demo, with some life in it."""
    async with site_of(tmp_path_factory.mktemp("demo"), "demo") as one:
        await one.call("new-game", host=one.visitor("cleo"))
        game_id = (await one.call("new-game", host=one.visitor("ann"))).json["game_id"]
        await one.call("join-game", {"game_id": game_id}, host=one.visitor("bob"))
        for who, position in (("ann", 4), ("bob", 0), ("ann", 2)):
            await one.call("move", {"game_id": game_id, "position": position}, host=one.visitor(who))
        await written(one)
        await played(one)
        yield one


async def written(up: Served) -> None:
    """Posts and entries, by the same doors pages use."""
    for row in json.loads((up.folder / "site/blog/samples.json").read_text()):
        await insert(up, "posts", {**row, "author": "Fred"})
    for visitor, (name, message) in SIGNED.items():
        await insert(up, "guestbook", {"name": name, "message": message}, visitor)


async def played(up: Served) -> None:
    """A song with a picture, paused in its midst."""
    mp3(up.folder / "song.mp3", [9] * 8000)
    tags = ID3()  # type: ignore[no-untyped-call]
    for frame in (APIC(3, "image/png", 3, "", png(64, 64)), TIT2(3, "Low tide")):  # type: ignore[no-untyped-call]
        tags.add(frame)  # type: ignore[no-untyped-call]
    tags.save(up.folder / "song.mp3")
    await up.peer.listening.create("Friday evening")
    await up.peer.listening.load("song.mp3")
    await up.peer.listening.seek(83)


async def insert(up: Served, table: str, row: dict[str, str], visitor: str = "") -> None:
    body = json.dumps({"table": table, "data": row}).encode()
    answered = await up.ask("/api/data/insert", host=up.visitor(visitor) if visitor else "", method="POST", body=body)
    assert answered.status == 200, answered.body


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("name", SCENES)
async def test_a_page_is_clear_and_still_and_fits(browser: Browser, up: Served, name: str, width: int, dark: bool) -> None:
    template, scene = SCENES[name]
    async with looking(browser, address(up, template) if template else up.web.site, dark=dark, width=width, slow=True) as seen:
        await scene(seen.page)
        if (width, dark) in PICTURED:
            await picture(seen.page, f"{name}-{PICTURED[width, dark]}")
        assert await complaints(seen.page) == []
        assert await seen.page.evaluate("document.documentElement.scrollWidth") <= width
        assert await seen.page.evaluate("window.shifted") <= SHIFT_MAX
        assert await seen.script_bytes() < SCRIPT_MAX_BYTES
        assert {urlsplit(one.url).netloc for one in seen.responses} == {urlsplit(seen.page.url).netloc}
