"""The console's button Test: what failed, where, and what ran for it."""

from __future__ import annotations

from pathlib import Path

from playwright.async_api import expect
from tests.web.axe import complaints
from tests.web.browser import go_to, launched, opened
from tests.web.served import served

TESTS = """
test("hello", function() expect(call("hello", {name = "Ann"})).equals("Hello, Ann!") end)
test("who", function()
  expect(call("who", {}, {as = "ann"})).equals({id = "bob", label = "a label long enough to be compared line by line, sixty bytes"})
end)
"""


async def test_the_button_runs_the_tests_and_shows_what_failed(tmp_path: Path) -> None:
    async with served(tmp_path) as up, launched() as browser, opened(browser, up.web.console) as page:
        await go_to(page, "scripts")
        await page.get_by_role("button", name="Test", exact=True).click()
        await expect(page.get_by_role("alert")).to_contain_text("has no file of tests")
        (tmp_path / "tests").mkdir()
        (tmp_path / "tests/all_test.lua").write_text(TESTS)
        await page.get_by_role("button", name="Run them again").click()
        await expect(page.locator(".tests .badge")).to_have_text("1 failed")
        await expect(page.locator(".tests .list")).to_contain_text("tests/all_test.lua:4")
        await expect(page.locator(".tests .list")).to_contain_text("who {} as ann")
        assert await complaints(page) == []
        assert up.peer.runs.recent(10) == []  # they ran in a peer of their own
