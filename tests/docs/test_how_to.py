"""Each recipe works: one peer has the files of all of them, and each is used as it says."""

from __future__ import annotations

import asyncio
import base64
import json
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, expect
from tests.docs.commands import shell
from tests.docs.examples import DOCS, blocks
from tests.docs.peer import service
from tests.web.browser import launched
from tests.web.served import Served, served

pytestmark = pytest.mark.asyncio(loop_scope="module")
RECIPES = sorted((DOCS / "how-to").glob("*.md"))
ELSEWHERE = frozenset(("secrets", "spreadsheet", "backup-drill", "several-machines"))
"""Recipes of commands alone: tests/docs/test_commands.py runs theirs. Several machines are those of tests/e2e."""
RED_DOT = base64.b64decode("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAIAAACQd1PeAAAADElEQVR4nGP4z8AAAAMBAQDJ/pLvAAAAAElFTkSuQmCC")


@dataclass
class Site:
    """The peer with every recipe, and a browser."""

    up: Served
    browser: Browser

    async def open(self, name: str, visitor: str = "") -> Page:
        """Open a page of the site, as the owner or as a test visitor."""
        page = await self.browser.new_page()
        page.on("pageerror", lambda error: pytest.fail(f"{name}: {error}"))
        host = self.up.visitor(visitor) if visitor else self.up.site
        await page.goto(f"http://{host}{self.up.front}{name}")
        return page

    async def call(self, function: str, params: object = None, visitor: str = "") -> object:
        """Call a data function; return what it gives."""
        answer = await self.up.call(function, params, host=self.up.visitor(visitor) if visitor else "")
        assert answer.status == 200, answer.body
        return answer.json

    async def add(self, table: str, row: dict[str, object], visitor: str = "") -> int:
        """Add a row; return the status of the answer."""
        body = json.dumps({"table": table, "data": row}).encode()
        host = self.up.visitor(visitor) if visitor else ""
        return (await self.up.ask("/api/data/insert", host=host, method="POST", body=body, content_type="application/json")).status

    async def read(self, table: str, visitor: str = "") -> int:
        """Ask for the rows of a table; return the status of the answer."""
        host = self.up.visitor(visitor) if visitor else ""
        body = json.dumps({"table": table}).encode()
        return (await self.up.ask("/api/data/query", host=host, method="POST", body=body, content_type="application/json")).status


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def site(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Site]:
    folder = tmp_path_factory.mktemp("peer")
    with service() as host:
        for recipe in RECIPES:
            for block in blocks(recipe):
                if path := block.marks.get("file"):
                    assert not (folder / path).exists(), f"two recipes have {path}"
                    (folder / path).parent.mkdir(parents=True, exist_ok=True)
                    (folder / path).write_text(block.text.replace("https://api.example.com", f"http://{host}"))
        lua = {"kv_enabled": True, "http_enabled": True, "http_allow": [host], "timeout_seconds": 10, "max_workers": 2}
        async with served(folder, functions={}, lua=lua) as up, launched() as browser:
            assert [each.name for each in up.peer.catalog.listing() if each.state != "ok"] == []
            yield Site(up, browser)


async def test_every_recipe_has_a_test_and_is_short() -> None:
    tests = {name.removeprefix("test_").replace("_", "-") for name in globals() if name.startswith("test_")}
    assert {recipe.stem for recipe in RECIPES} - ELSEWHERE <= tests
    assert [recipe.name for recipe in RECIPES if len(recipe.read_text().splitlines()) > 100] == []


async def test_counter(site: Site) -> None:
    for number in ("1", "2"):
        page = await site.open("counter.html", "ann")
        await expect(page.locator("#visits")).to_have_text(number)


async def test_poll(site: Site) -> None:
    for visitor, choice, shown in (
        ("ann", "Tea", "tea: 1"),
        ("bo", "Tea", "tea: 2"),
        ("bo", "Coffee", "You have voted already, or this is no choice."),
    ):
        page = await site.open("poll.html", visitor)
        await page.get_by_role("button", name=choice).click()
        await expect(page.locator("#result")).to_have_text(shown)
    assert await site.read("votes", "ann") == 404


async def test_contact_form(site: Site) -> None:
    page = await site.open("contact.html", "ann")
    await page.get_by_label("Your name").fill("Ann")
    await page.get_by_label("Your message").fill("Hello")
    await page.get_by_role("button").click()
    await expect(page.locator("#answer")).to_have_text("Thank you!")
    assert (await site.read("letters", "ann"), await site.read("letters")) == (403, 200)


async def test_leaderboard(site: Site) -> None:
    page = await site.open("leaderboard.html", "ann")
    await page.get_by_role("button").click()
    await expect(page.locator("#best")).to_have_text(re.compile("visitor.*: [1-6]"))
    assert await site.call("score", {"points": 5}, "bo") != await site.call("score", {"points": 9}, "bo")
    best = await site.call("score", {"points": 2}, "bo")
    assert isinstance(best, dict)
    assert best["best"][0]["points"] == 9


async def test_news_feed(site: Site) -> None:
    page = await site.open("news.html", "ann")
    await expect(page.get_by_role("link", name="Second")).to_have_attribute("href", "https://example.com/2")


async def test_pagination(site: Site) -> None:
    for number in range(12):
        assert await site.add("notes", {"text": f"note {number}"}) == 200
    page = await site.open("notes.html", "ann")
    await expect(page.get_by_role("listitem")).to_have_count(10)
    await page.get_by_role("button").click()
    await expect(page.get_by_role("listitem")).to_have_count(12)
    await expect(page.get_by_role("button")).to_be_hidden()


async def test_uploads(site: Site) -> None:
    page = await site.open("gallery.html")
    await page.get_by_label("Picture").set_input_files({"name": "dot.png", "mimeType": "image/png", "buffer": RED_DOT})
    await page.get_by_label("Caption").fill("A dot")
    await page.get_by_role("button", name="Add").click()
    await expect(page.get_by_role("img", name="A dot")).to_be_visible()
    seen = await site.open("gallery.html", "ann")
    await expect(seen.get_by_role("img", name="A dot")).to_be_visible()
    await seen.get_by_label("Picture").set_input_files({"name": "other.png", "mimeType": "image/png", "buffer": RED_DOT})
    await seen.get_by_role("button", name="Add").click()
    await expect(seen.locator("#answer")).not_to_be_empty()
    assert not (site.up.folder / "site/photos/other.png").exists()


async def test_live_updates(site: Site) -> None:
    page = await site.open("live.html", "ann")
    await expect(page.locator("#news")).to_be_empty()
    assert await site.add("news", {"text": "It works"}) == 200
    await expect(page.get_by_text("It works")).to_be_visible()


async def test_moderation(site: Site) -> None:
    assert "approved" in str(await site.call("comments", {"action": "add", "text": "First!"}, "ann"))
    assert await site.call("comments", {"action": "list"}, "bo") == []
    refused = await site.up.call("comments", {"action": "approve", "id": 1}, host=site.up.visitor("ann"))
    assert "only the site owner" in refused.json["message"]
    waiting = await site.call("comments", {"action": "waiting"})
    assert isinstance(waiting, list)
    await site.call("comments", {"action": "approve", "id": waiting[0]["_id"]})
    assert "First!" in str(await site.call("comments", {"action": "list"}, "bo"))


async def test_theming(site: Site) -> None:
    page = await site.open("themed.html", "ann")
    await page.get_by_role("button").click()
    await expect(page.get_by_text("Saved")).to_have_css("background-color", "rgb(255, 250, 253)")


async def test_game_for_two(site: Site) -> None:
    said = [
        await site.call("rps", {"move": move}, who) for who, move in (("ann", "rock"), ("ann", "paper"), ("bo", "paper"), ("bo", "lamp"))
    ]
    assert [each["said"] for each in said if isinstance(each, dict)] == [
        "Now another player.",
        "Wait for another player.",
        "You win.",
        "rock, paper or scissors?",
    ]
    assert await site.read("rounds", "bo") == 404


async def test_members_area(site: Site) -> None:
    assert await site.call("members") == {"news": "We meet on Sunday.", "role": "owner"}
    refused = await site.up.call("members", host=site.up.visitor("ann"))
    assert refused.json["message"].endswith("This is for members.")
    assert await site.read("minutes", "ann") == 403


async def test_search(site: Site) -> None:
    for title in ("The Hobbit", "100% Wool", "Emma"):
        assert await site.add("books", {"title": title, "author": "Somebody"}) == 200
    page = await site.open("search.html", "ann")
    for typed, shown in (("hob", ["The Hobbit, Somebody"]), ("%", ["100% Wool, Somebody"])):
        await page.get_by_label("Find a book").fill(typed)
        await expect(page.get_by_role("listitem")).to_have_text(shown)


async def test_answer_chat(site: Site) -> None:
    page = await site.open("ask.html", "ann")
    await page.get_by_role("button").click()
    await expect(page.get_by_text("closed", exact=True)).to_be_visible()


async def test_without_lua(site: Site) -> None:
    assert await site.add("articles", {"slug": "one", "title": "The first"}) == 200
    page = await site.open("articles.html", "ann")
    await expect(page.get_by_role("heading", name="The first")).to_be_visible()


async def test_schedules(site: Site) -> None:
    assert await site.add("visits", {"page": "front"}, "ann") == 200
    listed = {each.name: each for each in site.up.peer.catalog.listing()}
    assert listed["clean-up"].state == "ok"
    answer = await site.up.call("clean-up", host=site.up.visitor("ann"))
    assert answer.status != 200, "nobody calls run from outside"
    (schedule,) = [each for each in site.up.peer.schedules.listing() if each.name == "clean-up"]
    assert "30 3 * * *" in str(schedule)


async def test_tests(site: Site) -> None:
    code, printed = await asyncio.to_thread(shell, f"goop2 lua test {site.up.folder}", site.up.folder)
    assert code == 0, printed
    assert "a ticket costs twelve" in printed
    assert "nobody gets five" in printed
