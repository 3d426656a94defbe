"""The blog: a site without a line of Lua, by the REST API that api.json declares."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from playwright.async_api import Browser, expect
from tests.folder.templates.sites import address, looking, site_of
from tests.web.served import Served

pytestmark = pytest.mark.asyncio(loop_scope="module")

TITLES = [
    "Welcome",
    "On small tools",
    "Three tags, three lists",
    "A week without a cloud",
    "The lighthouse keeper’s cat",
    "How a post gets here",
]


@pytest_asyncio.fixture(scope="module", loop_scope="module", params=["blog", "demo"])
async def up(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Served]:
    async with site_of(tmp_path_factory.mktemp("blog"), request.param) as one:
        yield one


async def test_the_owner_begins_with_samples_and_readers_list_filter_page_and_read(browser: Browser, up: Served) -> None:
    async with looking(browser, address(up, "blog")) as owner:
        await owner.page.get_by_role("button", name="Add some sample posts").click()
        await expect(owner.page.locator("#posts h2")).to_have_text(TITLES[:4])
    async with looking(browser, address(up, "blog", "ann")) as seen:
        page = seen.page
        await expect(page.locator("#posts h2")).to_have_text(TITLES[:4])
        await expect(page.get_by_role("button", name="Newer")).to_be_disabled()
        await page.get_by_role("button", name="Older").click()
        await expect(page.locator("#posts h2")).to_have_text(TITLES[4:])
        await expect(page.get_by_role("button", name="Older")).to_be_disabled()
        await page.get_by_role("button", name="Newer").click()
        await expect(page.locator("#posts h2")).to_have_text(TITLES[:4])

        await page.get_by_role("link", name="How-tos").click()
        await expect(page.locator("#posts h2")).to_have_text(["Three tags, three lists", "How a post gets here"])
        await page.get_by_role("link", name="How a post gets here").click()
        await expect(page.locator("#post h2")).to_have_text("How a post gets here")
        await expect(page.locator("#post .text p")).to_have_count(2)
        await page.go_back()
        await expect(page.locator("#posts h2")).to_have_count(2)
        await page.goto(f"{address(up, 'blog', 'ann')}#/post/nosuch")
        await expect(page.locator("#post h2")).to_have_text("There is no such post")


async def test_the_owner_writes_changes_and_removes_a_post(browser: Browser, up: Served) -> None:
    async with looking(browser, address(up, "blog")) as seen:
        page = seen.page
        await page.get_by_role("button", name="Write").click()
        await page.get_by_label("Title").fill("Überall <b>Wölfe</b>!")
        await page.get_by_label("Tag", exact=True).select_option("Story")
        await page.get_by_label("Text; an empty").fill("First.\n\n<script>document.title = 'caught'</script>")
        await page.get_by_role("button", name="Publish").click()
        await expect(page.locator("#post h2")).to_have_text("Überall <b>Wölfe</b>!")
        assert page.url.endswith("#/post/uberall-b-wolfe-b")
        await expect(page.locator("#post .text p").nth(1)).to_have_text("<script>document.title = 'caught'</script>")

        await page.get_by_role("button", name="Edit").click()
        await page.get_by_label("Title").fill("Wolves")
        await page.get_by_role("button", name="Publish").click()
        await expect(page.locator("#post h2")).to_have_text("Wolves")
        assert await page.title() == "Notes from here"

        await page.get_by_role("button", name="Remove").click()
        await page.get_by_role("button", name="OK", exact=True).click()
        await expect(page.locator("#list")).to_be_visible()
        await expect(page.get_by_role("link", name="Wolves")).to_have_count(0)


async def test_a_visitor_sees_no_editor_and_is_refused_without_one(browser: Browser, up: Served) -> None:
    async with looking(browser, address(up, "blog", "bob"), refuses=True) as seen:
        await expect(seen.page.get_by_role("navigation", name="Tags")).to_be_visible()
        for name in ("Write", "Edit", "Remove", "Add some sample posts"):
            await expect(seen.page.get_by_role("button", name=name)).to_be_hidden()
        post = json.dumps({"slug": "mine", "title": "Mine", "tag": "note", "text": "."})
        code = await seen.page.evaluate(f"() => Goop.api.insert('posts', {post}).then(() => 'done', (error) => error.code)")
        assert code == "forbidden"


async def test_an_address_that_was_cut_is_no_post_and_says_so(browser: Browser, up: Served) -> None:
    async with looking(browser, f"{address(up, 'blog', 'eve')}#/post/%") as seen:
        await expect(seen.page.locator("#post h2")).to_have_text("There is no such post")
        await seen.page.evaluate("location.hash = '#/post/'")
        await expect(seen.page.locator("#list")).to_be_visible()


async def test_what_api_json_does_not_name_cannot_be_asked_for(browser: Browser, up: Served) -> None:
    async with looking(browser, address(up, "blog", "eve"), refuses=True) as seen:
        asked = "(what) => Goop.api.list(what).then(() => 'done', (error) => error.code)"
        assert await seen.page.evaluate(asked, "guestbook") in ("not_found", "forbidden")
        assert await seen.page.evaluate(asked, "posts") in ("bad_request", "forbidden")
