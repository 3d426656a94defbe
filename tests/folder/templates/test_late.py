"""Templates when an answer comes late: it replaces nothing that was chosen or typed since, and what was typed is never lost."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.async_api import Browser, expect
from tests.folder.templates.sites import address, looking, site_of
from tests.web.late import late

pytestmark = pytest.mark.asyncio(loop_scope="module")

ASKED = "**/api/data/*"
CALLED = "**/api/data/lua/call"


async def test_a_post_that_is_refused_is_still_there_to_be_mended(browser: Browser, tmp_path: Path) -> None:
    async with site_of(tmp_path, "blog") as up, looking(browser, address(up, "blog"), refuses=True) as seen:
        page = seen.page
        await page.get_by_role("button", name="Write").click()
        await page.get_by_label("Title").fill("Long thought about")
        await page.get_by_label("Text; an empty").fill("Every word of it")
        async with late(page, CALLED, lambda one: '"insert"' in (one.post_data or ""), refused="the disk is full") as answer:
            await page.get_by_role("button", name="Publish").click()
            await answer.asked()
            await answer.comes()
        await expect(page.get_by_role("dialog").get_by_role("alert")).to_have_text("the disk is full")
        await expect(page.get_by_label("Text; an empty")).to_have_value("Every word of it")
        await page.get_by_role("button", name="Publish").click()
        await expect(page.locator("#post h2")).to_have_text("Long thought about")
        await expect(page.get_by_role("dialog")).to_have_count(0)


async def test_whoever_went_on_reading_is_not_taken_to_a_post_that_comes_late(browser: Browser, tmp_path: Path) -> None:
    async with site_of(tmp_path, "blog") as up, looking(browser, address(up, "blog")) as seen:
        page = seen.page
        await page.get_by_role("button", name="Write").click()
        await page.get_by_label("Title").fill("Mine")
        await page.get_by_label("Text; an empty").fill("Text")
        async with late(page, CALLED, lambda one: '"insert"' in (one.post_data or "")) as answer:
            await page.get_by_role("button", name="Publish").click()
            await answer.asked()
            await page.keyboard.press("Escape")
            await page.get_by_role("link", name="Stories").click()
            await expect(page.get_by_role("link", name="Stories")).to_have_attribute("aria-current", "page")
            await answer.comes()
            assert page.url.endswith("#/tag/stories")


async def test_an_entry_whose_change_is_refused_keeps_what_was_written(browser: Browser, tmp_path: Path) -> None:
    async with site_of(tmp_path, "guestbook") as up, looking(browser, address(up, "guestbook"), refuses=True) as seen:
        page = seen.page
        await page.get_by_label("Your name").fill("Ann")
        await page.get_by_label("Your message").fill("Hello")
        await page.get_by_role("button", name="Sign the book").click()
        await page.get_by_role("button", name="Edit the entry of Ann").click()
        async with late(page, "**/api/data/update", refused="the disk is full") as answer:
            await page.get_by_label("Message", exact=True).fill("Written anew")
            await page.get_by_role("button", name="Save").click()
            await answer.comes()
        await expect(page.get_by_role("dialog").get_by_role("alert")).to_have_text("the disk is full")
        await expect(page.get_by_label("Message", exact=True)).to_have_value("Written anew")
        await page.get_by_role("button", name="Save").click()
        await expect(page.locator(".entry .text")).to_have_text("Written anew")


async def test_a_message_that_is_written_while_another_is_signed_stays(browser: Browser, tmp_path: Path) -> None:
    async with site_of(tmp_path, "guestbook") as up, looking(browser, address(up, "guestbook")) as seen:
        page = seen.page
        await page.get_by_label("Your name").fill("Ann")
        await page.get_by_label("Your message").fill("One")
        async with late(page, "**/api/data/insert") as answer:
            await page.get_by_role("button", name="Sign the book").click()
            await answer.asked()
            await page.get_by_role("button", name="Sign the book").click()  # pressed twice: it is signed once
            await page.get_by_label("Your message").fill("Two")
            await answer.comes()
            await expect(page.locator(".entry .text")).to_have_text(["One"])
            await expect(page.get_by_label("Your message")).to_have_value("Two")


async def test_a_score_that_comes_after_a_new_start_is_not_shown(browser: Browser, tmp_path: Path) -> None:
    async with site_of(tmp_path, "quiz") as up, looking(browser, address(up, "quiz")) as seen:
        page = seen.page
        async with late(page, CALLED) as answer:
            await page.locator("input[name=q0]").first.check()
            await page.locator("#quiz [type=submit]").click()
            await answer.asked()
            await page.locator("#quiz [type=reset]").click()
            await answer.comes()
            await expect(page.locator("#result")).to_be_empty()
            assert await page.locator(".right, .wrong").count() == 0


async def test_whoever_went_back_to_the_lobby_is_not_taken_into_a_game_that_comes_late(browser: Browser, tmp_path: Path) -> None:
    async with site_of(tmp_path, "tictactoe") as up, looking(browser, address(up, "tictactoe")) as seen:
        page = seen.page
        await expect(page.locator("#lobby")).to_be_visible()
        async with late(page, CALLED, lambda one: "new-game" in (one.post_data or "")) as answer:
            await page.locator("#new").click()
            await answer.asked()
            await page.evaluate("location.hash = '#4711'")
            await answer.comes()
            assert page.url.endswith("#4711") or page.url.endswith("#"), "that game is not there, and so it is the lobby"
