"""The guestbook: anybody signs, and an entry is its author's and the owner's."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, expect
from tests.folder.templates.sites import address, all_at_once, looking, site_of
from tests.web.axe import complaints
from tests.web.served import Served

pytestmark = pytest.mark.asyncio(loop_scope="module")

HOSTILE = "<img src=x onerror=\"document.title='caught'\"><b>bold</b>"


@pytest_asyncio.fixture(scope="module", loop_scope="module", params=["guestbook", "demo"])
async def up(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Served]:
    async with site_of(tmp_path_factory.mktemp("guestbook"), request.param) as one:
        yield one


async def sign(page: Page, name: str, message: str) -> None:
    await page.get_by_label("Your name").fill(name)
    await page.get_by_label("Your message").fill(message)
    await page.get_by_role("button", name="Sign the book").click()
    await expect(page.locator(".entry").first).to_contain_text(message)


def buttons(page: Page, name: str) -> list[str]:
    return [f"{what} the entry of {name}" for what in ("Edit", "Remove")]


async def refused(page: Page, asked: str) -> object:
    """The code a call of the page's is refused with."""
    return await page.evaluate(f"() => Goop.data.{asked}.then(() => 'done', (error) => error.code)")


async def test_two_sign_neither_touches_the_others_entry_and_the_owner_removes_both(browser: Browser, up: Served) -> None:
    ann, bob, fred = (address(up, "guestbook", name) for name in ("ann", "bob", ""))
    async with looking(browser, ann) as one, looking(browser, bob, refuses=True) as two, looking(browser, fred) as three:
        await sign(one.page, "Ann", "I came by boat.")
        await sign(two.page, "Bob", "I came on foot.")
        await expect(two.page.locator(".entry")).to_have_count(2)

        for name, there in (("Bob", True), ("Ann", False)):
            for button in buttons(two.page, name):
                await expect(two.page.get_by_role("button", name=button)).to_have_count(int(there))
        anns = await two.page.evaluate("() => Goop.data.query('guestbook', { where: \"name = 'Ann'\" }).then((rows) => rows[0]._id)")
        assert await refused(two.page, f"update('guestbook', {anns}, {{ message: 'mine now' }})") == "not_found"
        assert await refused(two.page, f"remove('guestbook', {anns})") == "not_found"

        await one.page.get_by_role("button", name="Edit the entry of Ann").click()
        await one.page.get_by_label("Message", exact=True).fill("I came by boat, twice.")
        await one.page.get_by_role("button", name="Save").click()
        await expect(one.page.get_by_text("I came by boat, twice.")).to_be_visible()

        await three.page.reload()
        for name in ("Ann", "Bob"):
            await three.page.get_by_role("button", name=f"Remove the entry of {name}").click()
            await three.page.get_by_role("button", name="OK", exact=True).click()
            await expect(three.page.get_by_role("button", name=f"Remove the entry of {name}")).to_have_count(0)
        await expect(three.page.get_by_text("The first page is still white.")).to_be_visible()


async def test_what_a_visitor_writes_is_text_and_nothing_else(browser: Browser, up: Served) -> None:
    async with looking(browser, address(up, "guestbook", "eve")) as seen:
        await sign(seen.page, "<i>Eve</i>", HOSTILE)
        await expect(seen.page.locator(".entry .text").first).to_have_text(HOSTILE)
        assert await seen.page.locator(".entry img, .entry b, .entry i").count() == 0
        assert await seen.page.title() == "Guestbook"


async def test_older_entries_come_when_asked_for(browser: Browser, up: Served) -> None:
    async with looking(browser, address(up, "guestbook")) as seen:
        await seen.page.evaluate(
            "async () => { for (let i = 0; i < 21; i++) await Goop.data.insert('guestbook', { name: 'Fred', message: `line ${i}` }); }"
        )
        await seen.page.reload()
        await expect(seen.page.locator(".entry")).to_have_count(20)
        await seen.page.get_by_role("button", name="Older entries").click()
        await expect(seen.page.get_by_text("line 0", exact=True)).to_be_visible()


async def test_entries_without_end_keep_nobody_from_reading_the_others(browser: Browser, up: Served) -> None:
    async with looking(browser, address(up, "guestbook", "eve")) as seen:
        await sign(seen.page, "Ida", "I was here before them")
        rows = await seen.page.evaluate(
            """async () => { for (const text of ["x".repeat(900_000), "\\0".repeat(100_000)])
                 for (let i = 0; i < 2; i++) await Goop.data.insert("guestbook", { name: "Eve", message: text });
               return (await Goop.data.query("guestbook", { where: "name = 'Eve'", columns: ["_id"] })).map((row) => row._id); }"""
        )
        await seen.page.reload()
        await expect(seen.page.locator(".entry .text").first).to_have_text("I was here before them")
        await seen.page.evaluate("async (rows) => { for (const id of rows) await Goop.data.remove('guestbook', id); }", rows)


async def visit(up: Served, who: str) -> dict[str, Any]:
    result: dict[str, Any] = (await up.call("visit", host=up.visitor(who))).json
    return result


async def test_visits_are_counted_once_a_visitor_and_name_nobody(up: Served) -> None:
    before = (await visit(up, "gus"))["count"]
    assert (await visit(up, "gus"))["count"] == before
    last = await visit(up, "hal")
    assert last["count"] == before + 1
    assert "gus" not in str(last)
    assert (last["me"], last["owner"]) == ("visitor-hal", False)
    assert (await up.call("visit")).json["owner"] is True


async def test_of_visits_at_once_none_is_lost(up: Served) -> None:
    before = (await visit(up, "ida"))["count"]
    async with all_at_once(up):
        visits = [asyncio.create_task(visit(up, f"at{number}")) for number in range(5)]
    await asyncio.gather(*visits)
    assert (await visit(up, "at4"))["count"] == before + 5  # who was among the last five is no new visit


async def test_an_entry_without_end_stays_in_its_place_and_is_read_by_the_keyboard(browser: Browser, up: Served) -> None:
    async with looking(browser, address(up, "guestbook", "long"), width=375) as seen:
        await seen.page.evaluate("() => Goop.data.insert('guestbook', { name: 'W'.repeat(500), message: 'W'.repeat(5000) })")
        await seen.page.reload()
        await expect(seen.page.locator(".entry .text").first).to_have_text("W" * 5000)
        assert await complaints(seen.page) == []
        assert await seen.page.evaluate("document.documentElement.scrollWidth") <= 375
        await seen.page.evaluate("() => Goop.data.query('guestbook').then((rows) => Goop.data.remove('guestbook', rows.at(-1)._id))")
