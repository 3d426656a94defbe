"""The console when an answer comes late: it repaints nothing that was chosen or typed since, and nothing that was typed is lost."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, Request, expect
from tests.web.axe import complaints
from tests.web.browser import PATIENCE_MS, go_to, launched
from tests.web.late import PAINTED, late
from tests.web.served import Served, served

pytestmark = pytest.mark.asyncio(loop_scope="module")

ANN = "12D3KooWD3eckifWpRn9wQpMG9R9hX3sD158z7EqHWmweQAJU5SA"
BOB = "12D3KooWEyoppNCUx8Yx66oV9fJnriXwCcXwDDUA2kj6vnc6iDEp"
POSTS = {"name": "posts", "columns": [{"name": "title", "type": "text", "required": True}]}
NO_GUARD = "window.onbeforeunload === null"
BOX = "Message; ! begins a command"
TIME = 1764000000000
COUNT_GONE = """() => {
  window.gone = 0;
  const look = () => document.querySelector("h3") || window.gone++;
  new MutationObserver(look).observe(document.querySelector("main"), { childList: true, subtree: true });
}"""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browser() -> AsyncIterator[Browser]:
    async with launched() as one:
        yield one


@pytest_asyncio.fixture(loop_scope="module")
async def up(tmp_path: Path) -> AsyncIterator[Served]:
    """A peer with two commands, two tables, and two conversations."""
    (tmp_path / "site/lua").mkdir(parents=True)
    for name in ("first", "second"):
        (tmp_path / f"site/lua/{name}.lua").write_text(f"function handle(args) return '{name} ' .. args end\n")
        (tmp_path / "site" / ("one.txt" if name == "first" else "two.txt")).write_text(f"of {name}")
    (tmp_path / "schemas").mkdir()
    for name in ("posts", "shelves"):
        (tmp_path / f"schemas/{name}.json").write_text(json.dumps(POSTS | {"name": name}))
    async with served(tmp_path) as one:
        for peer in (ANN, BOB):
            await one.peer.chat.receive(peer, f"id {peer}", f"from {peer[-4:]}", TIME)
        yield one


@pytest_asyncio.fixture(loop_scope="module")
async def page(browser: Browser, up: Served) -> AsyncIterator[Page]:
    """The console, on its first page."""
    context = await browser.new_context()
    context.set_default_timeout(PATIENCE_MS)
    try:
        one = await context.new_page()
        await one.goto(up.web.console)
        await expect(one.locator("#link")).to_have_text("Live")
        yield one
    finally:
        await context.close()


def says(**wanted: object) -> Callable[[Request], bool]:
    """Whether a request's body holds these values."""
    return lambda request: wanted.items() <= (request.post_data_json or {}).items()


async def write(page: Page, text: str) -> None:
    """Replace what stands in the editor."""
    await page.locator(".cm-content").click()
    await page.keyboard.press("ControlOrMeta+a")
    await page.keyboard.insert_text(text)


async def leaves(page: Page, name: str) -> None:
    await page.evaluate("(name) => { location.hash = `#/${name}`; }", name)


# Scripts


async def test_the_script_opened_at_load_does_not_replace_the_one_chosen(page: Page) -> None:
    async with late(page, "**/scripts/read", says(name="first")) as answer:
        await go_to(page, "scripts")
        await answer.asked()
        await page.get_by_role("link", name="!second").click()
        await expect(page.get_by_role("heading", name="!second")).to_be_visible()
        await write(page, "-- mine")
        await page.get_by_label("Arguments").fill("Ann")
        await answer.comes()
        await expect(page.get_by_role("heading", name="!second")).to_be_visible()
        await expect(page.locator(".cm-content")).to_have_text("-- mine")
        await expect(page.get_by_label("Arguments")).to_have_value("Ann")
        assert page.url.endswith("#/scripts?kind=command&name=second")


async def test_a_script_that_comes_late_does_not_take_what_was_written_since(page: Page) -> None:
    await go_to(page, "scripts?kind=command&name=first")
    await expect(page.locator(".cm-content")).to_contain_text("first")  # else it never comes: the answer about the second is late
    async with late(page, "**/scripts/read", says(name="second")) as answer:
        await page.get_by_role("link", name="!second").click()
        await answer.asked()
        await write(page, "-- written since")
        await answer.comes()
        await page.get_by_role("dialog").get_by_role("button", name="Cancel").click()
        await expect(page.get_by_role("heading", name="!first")).to_be_visible()
        await expect(page.locator(".cm-content")).to_have_text("-- written since")


async def test_saving_writing_on_and_saving_is_no_conflict_with_oneself(page: Page, up: Served) -> None:
    await go_to(page, "scripts?kind=command&name=first")
    file = up.folder / "site/lua/first.lua"
    async with late(page, "**/scripts/save") as answer:
        await write(page, "function handle() return 'one' end")
        await page.keyboard.press("ControlOrMeta+s")
        await answer.asked()
        await write(page, "function handle() return 'two' end")
        await page.keyboard.press("ControlOrMeta+s")
        await page.evaluate(PAINTED)
        await answer.comes()
        await expect(page.locator(".toast")).to_have_count(2)
        assert file.read_text() == "function handle() return 'two' end"
        await expect(page.locator(".script-work [role=status]")).to_have_text("Saved and live.")
        await expect(page.get_by_role("dialog")).to_have_count(0)


@pytest.mark.parametrize("elsewhere", ["another script", "another page"])
async def test_what_could_not_be_saved_is_kept_for_its_script(page: Page, elsewhere: str) -> None:
    await go_to(page, "scripts?kind=command&name=first")
    async with late(page, "**/scripts/save", refused="no room") as answer:
        await write(page, "-- of first")
        await page.keyboard.press("ControlOrMeta+s")
        await answer.asked()
        if elsewhere == "another page":
            await leaves(page, "home")
            await expect(page.locator(".page-home h1")).to_be_visible()
        else:
            await page.get_by_role("link", name="!second").click()
            await expect(page.get_by_role("heading", name="!second")).to_be_visible()
        await answer.comes()
        await expect(page.locator(".toast.bad")).to_have_text("!first is not saved: no room. Your text is kept: open the script again.")
        await expect(page.get_by_text("-- of first")).to_have_count(0)
        await go_to(page, "scripts?kind=command&name=second")
        await page.get_by_role("link", name="!first").click()
        await expect(page.locator(".cm-content")).to_have_text("-- of first")
        await expect(page.get_by_text("Not saved.")).to_be_visible()


async def test_a_file_of_the_site_that_comes_late_does_not_take_what_was_written_since(page: Page) -> None:
    await go_to(page, "site?file=one.txt")
    async with late(page, "**/site/read", says(path="two.txt")) as answer:
        await page.get_by_role("link", name="two.txt").click()
        await answer.asked()
        await write(page, "written since")
        await answer.comes()
        await page.get_by_role("dialog").get_by_role("button", name="Cancel").click()
        await expect(page.get_by_role("heading", name="one.txt")).to_be_visible()
        await expect(page.locator(".cm-content")).to_have_text("written since")


async def test_a_file_of_the_site_that_could_not_be_saved_is_kept(page: Page) -> None:
    await go_to(page, "site?file=one.txt")
    async with late(page, "**/site/save", refused="no room") as answer:
        await write(page, "of one")
        await page.keyboard.press("ControlOrMeta+s")
        await answer.asked()
        await page.get_by_role("link", name="two.txt").click()
        await expect(page.get_by_role("heading", name="two.txt")).to_be_visible()
        await answer.comes()
        await expect(page.locator(".toast.bad")).to_contain_text("one.txt is not saved: no room")
        await page.get_by_role("link", name="one.txt").click()
        await expect(page.locator(".cm-content")).to_have_text("of one")


# A page that was left


async def test_a_page_that_was_left_takes_neither_guard_nor_address_of_the_next(page: Page) -> None:
    async with late(page, "**/scripts/read", says(name="first")) as answer:
        await go_to(page, "scripts")
        await answer.asked()
        await go_to(page, "settings")
        await page.get_by_label("lua.max_memory_mb").fill("20")
        await answer.comes()
        assert page.url.endswith("#/settings")
        await leaves(page, "home")
        await expect(page.get_by_role("dialog")).to_contain_text("Leave without saving?")
        await page.get_by_role("button", name="Cancel").click()
        await expect(page.get_by_label("lua.max_memory_mb")).to_have_value("20")


async def test_a_page_that_was_left_guards_nothing_any_more(page: Page) -> None:
    await go_to(page, "scripts?kind=command&name=first")
    async with late(page, "**/scripts/save") as answer:
        await write(page, "-- on its way")
        await page.keyboard.press("ControlOrMeta+s")
        await answer.asked()
        assert not await page.evaluate(NO_GUARD), "closing the tab now would lose it"
        await go_to(page, "home")
        await answer.comes()
        assert await page.evaluate(NO_GUARD)


async def test_the_dialogs_of_a_page_go_with_it(page: Page) -> None:
    await go_to(page, "data?table=posts")
    await page.get_by_role("button", name="Add a row").click()
    await go_to(page, "home")
    await expect(page.get_by_role("dialog")).to_have_count(0)


# Chat


async def test_a_refused_message_does_not_go_into_another_conversation(page: Page) -> None:
    await go_to(page, f"chat?peer={ANN}")
    box = page.get_by_label(BOX)
    async with late(page, "**/chat/send", refused="the message is too large") as answer:
        await box.fill("for Ann alone")
        await box.press("Enter")
        await answer.asked()
        await page.locator(f"nav a[title='{BOB}']").click()
        await box.fill("draft for Bob")
        await answer.comes()
        await expect(page.locator(".toast.bad")).to_contain_text("the message is too large")
        await expect(box).to_have_value("draft for Bob")
        await page.locator(f"nav a[title='{ANN}']").click()
        await expect(box).to_have_value("for Ann alone")
        await expect(page.locator(".talk-card [role=status]")).to_contain_text("the message is too large")
        await page.locator(f"nav a[title='{BOB}']").click()
        await expect(box).to_have_value("draft for Bob")
        await expect(page.locator(".talk-card [role=status]")).to_be_empty()


async def test_a_refused_message_does_not_replace_what_is_written_by_then(page: Page) -> None:
    await go_to(page, f"chat?peer={ANN}")
    box = page.get_by_label(BOX)
    async with late(page, "**/chat/send", refused="no room") as answer:
        await box.fill("one")
        await box.press("Enter")
        await answer.asked()
        await box.fill("two")
        await answer.comes()
        await expect(box).to_have_value("two")
        await expect(page.locator(".talk-card [role=status]")).to_contain_text("no room. The message: one")
        assert await complaints(page) == []
        await page.get_by_role("button", name="Put it back").click()
        await expect(box).to_have_value("two\none")


async def test_a_message_refused_after_the_page_was_left_is_told_and_kept(page: Page) -> None:
    await go_to(page, f"chat?peer={ANN}")
    async with late(page, "**/chat/send", refused="no room") as answer:
        await page.get_by_label(BOX).fill("for Ann alone")
        await page.get_by_label(BOX).press("Enter")
        await answer.asked()
        await go_to(page, "home")
        await answer.comes()
        await expect(page.locator(".toast.bad")).to_contain_text("no room. The text is kept in that conversation.")
        await go_to(page, f"chat?peer={BOB}")
        await expect(page.get_by_label(BOX)).to_have_value("")
        await page.locator(f"nav a[title='{ANN}']").click()
        await expect(page.get_by_label(BOX)).to_have_value("for Ann alone")


async def test_earlier_messages_come_once_and_into_their_own_conversation(page: Page, up: Served) -> None:
    for number in range(251):
        await up.peer.chat.say(up.peer.owner, f"message {number}")
    await go_to(page, "chat")
    more = page.get_by_role("button", name="Earlier messages")
    async with late(page, "**/chat/messages", lambda request: "before" in (request.post_data or "")) as answer:
        await more.click()
        await answer.asked()
        await page.locator(f"nav a[title='{BOB}']").click()
        await page.locator(f"nav a[title='{up.peer.identity.peer_id}']").click()
        await expect(page.locator(".bubble")).to_have_count(200)
        await answer.comes()
        await expect(page.locator(".bubble")).to_have_count(200)
    async with late(page, "**/chat/messages", lambda request: "before" in (request.post_data or "")) as answer:
        await more.click()
        await answer.asked()
        await more.dispatch_event("click")
        await answer.comes()
        await expect(page.locator(".bubble")).to_have_count(251)
        await page.evaluate("new Promise((done) => setTimeout(done, 200))")
        await expect(page.locator(".bubble")).to_have_count(251)


# Settings


async def test_what_is_written_while_settings_are_saved_stays_and_is_saved_next(page: Page, up: Served) -> None:
    await go_to(page, "settings")
    async with late(page, "**/api/console/settings", lambda request: request.method == "POST") as answer:
        await page.get_by_label("lua.max_memory_mb").fill("20")
        save = page.get_by_role("button", name="Save")
        await save.click()
        await answer.asked()
        await page.get_by_label("profile.label").fill("Freda")
        await save.click()  # nothing yet: it would be a conflict with oneself
        await answer.comes()
        await expect(page.get_by_label("profile.label")).to_have_value("Freda")
        await expect(page.get_by_role("dialog")).to_have_count(0)
        await expect(page.get_by_text("1 change not saved.")).to_be_visible()
        await save.click()
        await expect(page.get_by_text("No changes.")).to_be_visible()
    settings = json.loads((up.folder / "goop.json").read_text())
    assert (settings["lua"]["max_memory_mb"], settings["profile"]["label"]) == (20, "Freda")


async def test_the_place_in_a_setting_that_is_written_is_kept_when_a_save_ends(page: Page) -> None:
    await go_to(page, "settings")
    async with late(page, "**/api/console/settings", lambda request: request.method == "POST") as answer:
        await page.get_by_label("lua.max_memory_mb").fill("20")
        await page.keyboard.press("Enter")
        await answer.asked()
        label = page.get_by_label("profile.label")
        await label.fill("Fred")
        await label.press("Home")
        await answer.comes()
        await expect(label).to_be_focused()
        await page.keyboard.type("Al")
        await expect(label).to_have_value("AlFred")


# Data


async def test_a_row_that_is_refused_late_is_still_there_to_be_mended(page: Page) -> None:
    await go_to(page, "data?table=posts")
    await page.get_by_role("button", name="Add a row").click()
    async with late(page, "**/data/do", says(op="insert"), refused="no room") as answer:
        await page.get_by_label("title, text").fill("Long thought about")
        await page.get_by_role("button", name="Add", exact=True).click()
        await answer.asked()
        await expect(page.get_by_role("dialog")).to_be_visible()
        await answer.comes()
    await expect(page.get_by_role("dialog").get_by_role("alert")).to_have_text("no room")
    await expect(page.get_by_label("title, text")).to_have_value("Long thought about")
    await page.get_by_role("button", name="Add", exact=True).click()
    await expect(page.get_by_role("button", name="title of row 1: change")).to_have_text("Long thought about")


async def test_a_row_goes_into_the_table_it_was_written_for(page: Page, up: Served) -> None:
    await go_to(page, "data?table=posts")
    await page.get_by_role("button", name="Add a row").click()
    async with late(page, "**/data/do", says(op="insert")) as answer:
        await page.get_by_label("title, text").fill("of posts")
        await page.get_by_role("button", name="Add", exact=True).click()
        await answer.asked()
        await page.keyboard.press("Escape")
        await page.get_by_role("link", name="shelves").click()
        await expect(page.get_by_role("heading", name="shelves")).to_be_visible()
        await answer.comes()
        await expect(page.get_by_role("heading", name="shelves")).to_be_visible()
        await expect(page.get_by_text("No rows")).to_be_visible()


# Runs, groups, listening, network


async def test_the_run_opened_last_is_the_one_that_is_shown(page: Page, up: Served) -> None:
    for name in ("first", "second"):
        await up.peer.engine.command(up.peer.owner, f"!{name}")
    await go_to(page, "runs")
    async with late(page, "**/api/console/runs/1") as answer:
        await page.get_by_role("button", name="!first").click()
        await answer.asked()
        await page.get_by_role("button", name="!second").click()
        await expect(page.get_by_role("heading", name="!second, run 2")).to_be_visible()
        await answer.comes()
        await expect(page.get_by_role("heading", name="!second, run 2")).to_be_visible()
        await page.get_by_role("button", name="Close").click()
    async with late(page, "**/api/console/runs/1") as answer:
        await page.get_by_role("button", name="!first").click()
        await answer.asked()
        await page.get_by_label("Text").fill("sec")
        await answer.comes()
        await expect(page.get_by_role("heading", name="!first, run 1")).to_be_visible()
        await expect(page.get_by_label("Text")).to_be_focused()


async def test_log_lines_are_not_mixed_with_runs_while_they_are_on_their_way(page: Page, up: Served) -> None:
    (up.folder / "site/lua/logs.lua").write_text("function handle(args) goop.log.info('line of ' .. args) return '' end")
    await up.peer.catalog.scan()
    await up.peer.engine.command(up.peer.owner, "!logs one")
    await go_to(page, "runs")
    await expect(page.locator(".rows .line")).to_have_count(1)
    async with late(page, "**/api/console/lines?*") as answer:
        await page.get_by_role("tab", name="Log lines").click()
        await answer.asked()
        await up.peer.engine.command(up.peer.owner, "!logs two")
        await page.evaluate("new Promise((done) => setTimeout(done, 1000))")  # longer than what ran is waited for
        assert await page.locator(".rows .line.log").count() == 0, "these are the runs still"
        await answer.comes()
        await expect(page.locator(".rows .line")).to_have_count(2)
        assert sorted(await page.locator(".rows .line .mono").all_inner_texts()) == ["line of one", "line of two"]


async def test_a_group_that_was_made_does_not_vanish(page: Page) -> None:
    await go_to(page, "groups")
    async with late(page, "**/api/console/groups") as answer:
        await answer.asked()  # it is asked for now and then
        await page.get_by_label("Name").fill("Chess")
        await page.get_by_role("button", name="Create").click()
        await expect(page.get_by_role("heading", name="Chess")).to_be_visible()
        await page.get_by_label("Name").fill("Go")
        await page.evaluate(COUNT_GONE)
        await answer.comes()
        assert await page.evaluate("gone") == 0
        await expect(page.get_by_label("Name")).to_have_value("Go")


async def test_the_name_of_a_session_is_kept_while_it_is_written(page: Page, up: Served) -> None:
    await go_to(page, "listen")
    await page.get_by_label("Name").fill("Friday")
    async with page.expect_response("**/api/console/listen") as answered:
        up.peer.listening.counts.notify(0)
    await (await answered.value).finished()
    await page.evaluate(PAINTED)
    await expect(page.get_by_label("Name")).to_have_value("Friday")
    await expect(page.get_by_label("Name")).to_be_focused()


async def test_a_session_that_was_opened_does_not_vanish(page: Page, up: Served) -> None:
    await go_to(page, "listen")
    async with late(page, "**/api/console/listen") as answer:
        up.peer.listening.counts.notify(0)
        await answer.asked()
        await page.get_by_role("button", name="Open a session").click()
        await expect(page.get_by_text("Nothing is loaded: choose a file.")).to_be_visible()
        await answer.comes()
        await expect(page.get_by_text("Nothing is loaded: choose a file.")).to_be_visible()


async def test_an_address_that_is_written_while_another_is_asked_stays(page: Page) -> None:
    await go_to(page, "network")
    box = page.get_by_label("Address")
    async with late(page, "**/network/connect", instead={"label": "Ann", "peer": ANN}) as answer:
        await box.fill("/ip4/192.0.2.7/tcp/4001/p2p/one")
        await box.press("Enter")
        await answer.asked()
        await box.fill("/ip4/192.0.2.8/tcp/4001/p2p/two")
        await answer.comes()
        await expect(page.get_by_text("Connected to Ann")).to_be_visible()
        await expect(box).to_have_value("/ip4/192.0.2.8/tcp/4001/p2p/two")
