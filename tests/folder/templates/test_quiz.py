"""The quiz: scored by Lua, and its answers stay with the peer."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, expect
from tests.folder.templates.sites import address, looking, site_of
from tests.web.served import Served

pytestmark = pytest.mark.asyncio(loop_scope="module")

SCRIPT = "site/lua/functions/score-quiz.lua"
WRONG = "CBAAC"
"""None of them right."""


@pytest_asyncio.fixture(scope="module", loop_scope="module", params=["quiz", "demo"])
async def up(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Served]:
    async with site_of(tmp_path_factory.mktemp("quiz"), request.param) as one:
        yield one


def key(folder: Path) -> str:
    """The right letters."""
    return "".join(re.findall(r'answer = "([A-D])"', (folder / SCRIPT).read_text()))


async def answer(page: Page, letters: str) -> None:
    for place, letter in enumerate(letters):
        await page.locator(f"input[name=q{place}][value={letter}]").check()
    await page.get_by_role("button", name="Score it").click()


async def test_right_answers_are_counted_and_each_answer_gets_a_word(browser: Browser, up: Served) -> None:
    async with looking(browser, address(up, "quiz")) as seen:
        await answer(seen.page, key(up.folder)[:3] + WRONG[3:])
        await expect(seen.page.locator("#result")).to_have_text("3 of 5")
        await expect(seen.page.get_by_text("✓ Right.")).to_have_count(3)
        await expect(seen.page.get_by_text("✗ Not so.")).to_have_count(2)
        await seen.page.get_by_role("button", name="Start again").click()
        await expect(seen.page.locator("#result")).to_have_text("")
        await expect(seen.page.get_by_text("✓ Right.")).to_have_count(0)


async def test_what_was_not_answered_is_not_called_wrong(browser: Browser, up: Served) -> None:
    async with looking(browser, address(up, "quiz")) as seen:
        await answer(seen.page, key(up.folder)[:1] + WRONG[1:3])
        await expect(seen.page.locator("#result")).to_have_text("1 of 5")
        await expect(seen.page.get_by_text("✗ Not so.")).to_have_count(2)
        await expect(seen.page.get_by_text("– Not answered.")).to_have_count(2)


async def test_a_visitor_who_is_wrong_learns_no_answer_from_anything_that_was_sent(browser: Browser, up: Served) -> None:
    assert not any(wrong == right for wrong, right in zip(WRONG, key(up.folder), strict=True))
    async with looking(browser, address(up, "quiz", "ann")) as seen:
        await answer(seen.page, WRONG)
        await expect(seen.page.locator("#result")).to_have_text("0 of 5")
        sent = await seen.bodies()
    rights = re.findall(r'right = "([^"]+)"', (up.folder / SCRIPT).read_text())
    assert len(rights) == 5
    assert [text for text in (*rights, "answer =", '"answer"') if text in sent] == []


async def test_the_script_is_served_to_nobody(up: Served) -> None:
    for path in ("/lua/functions/score-quiz.lua", "/%6cua/functions/score-quiz.lua", "/site/lua/functions/score-quiz.lua"):
        assert (await up.ask(path)).status == 404


async def test_answers_that_are_no_list_are_refused_in_a_sentence(up: Served) -> None:
    answered = await up.call("score-quiz", {"answers": "DACBA"})
    assert (answered.status, answered.json["script"]) == (500, "score-quiz")
    assert "answers must be a list" in answered.json["message"]


async def test_there_is_an_answer_for_every_question(up: Served) -> None:
    scored = (await up.call("score-quiz", {"answers": list(key(up.folder))})).json
    assert (scored["score"], scored["total"], len(scored["feedback"])) == (5, 5, 5)
