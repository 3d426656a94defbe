"""The console in a real browser: its pages work, are kind to everybody, stay quick, and load little."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Browser, Page, Route, expect
from tests.web.browser import PATIENCE_MS, UNSEEN, go_to, launched, opened
from tests.web.console.controls.test_groups import grouped
from tests.web.console.controls.test_listen import plays
from tests.web.served import Served, served

from goop2.services.chat.limits import PER_CALLER_A_MINUTE
from goop2.services.chat.service import ChatError
from goop2.web.console.tab_codes import FILE as TABS

pytestmark = pytest.mark.asyncio(loop_scope="module")

PAGES = (
    "home", "scripts", "schedules", "site", "chat", "runs", "data", "listen", "groups", "rooms", "files", "network", "cluster", "secrets",
    "settings",
)  # fmt: skip
LOOKS = (("light", 1280), ("dark", 1280), ("light", 390), ("dark", 390))
FIRST_PAINT_SCRIPT_BYTES = 100_000
CHATTY = 'function call(request) for i = 1, 200 do goop.log.info("line " .. i .. " of " .. (request.params.name or "it")) end end'
OTHER = "12D3KooWD3eckifWpRn9wQpMG9R9hX3sD158z7EqHWmweQAJU5SA"
POSTS = {
    "name": "posts",
    "columns": [
        {"name": "title", "type": "text", "required": True},
        {"name": "state", "type": "enum", "values": [{"key": "new", "label": "New"}, {"key": "old", "label": "Old"}]},
        {"name": "likes", "type": "integer"},
    ],
}
GREET = """--- Greets whoever asks
function handle(args)
  goop.log.info("greeting " .. args)
  goop.kv.set("last", args)
  goop.log.warn("<b>bold</b>")
  return "Hello, " .. args .. "!"
end
"""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browser() -> AsyncIterator[Browser]:
    async with launched() as one:
        yield one


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def up(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Served]:
    folder = tmp_path_factory.mktemp("peer")
    (folder / "site/lua/functions").mkdir(parents=True)
    (folder / "site/lua/greet.lua").write_text(GREET)
    (folder / "site/lua/functions/chatty.lua").write_text(CHATTY)
    (folder / "schemas").mkdir()
    (folder / "schemas/posts.json").write_text(json.dumps(POSTS))
    async with served(folder, lua={"kv_enabled": True}) as one:
        for number in range(60):
            row = {"title": f"Post {number}", "state": "old" if number % 2 else "new", "likes": number}
            await one.peer.tables.perform("insert", one.peer.owner, {"table": "posts", "data": row})
        await one.peer.chat.say(one.peer.owner, "!greet Ann")
        await one.peer.chat.receive(OTHER, "id-1", "<b>Good evening</b>", 1764000000000)
        await one.peer.engine.command(one.peer.owner, "!greet Ann")
        await one.call("fails")
        await one.call("hello", host=one.visitor("ann"))
        await plays(one)
        await grouped(one)
        yield one


@pytest.mark.parametrize("name", PAGES)
@pytest.mark.parametrize(("scheme", "width"), LOOKS)
async def test_each_page_looks_well_to_everybody(browser: Browser, up: Served, name: str, scheme: str, width: int) -> None:
    """axe-core finds nothing, nothing is wider than a phone; with GOOP2_SCREENSHOTS=<folder> each is a picture."""
    context = await browser.new_context(color_scheme="dark" if scheme == "dark" else "light", viewport={"width": width, "height": 900})
    context.set_default_timeout(PATIENCE_MS)
    try:
        page = await context.new_page()
        faults: list[str] = []
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.on("console", lambda message: faults.append(message.text) if message.type == "error" else None)
        await page.goto(up.web.console)
        await go_to(page, name)
        if name == "runs":
            await expect(page.locator(".drawing canvas")).to_have_count(3)
            await page.get_by_role("button", name="!greet").first.click()
            await expect(page.locator(".waterfall")).to_be_visible()
        if name == "scripts":
            await page.get_by_role("link", name="!greet").click()
            await expect(page.locator(".cm-content")).to_be_visible()
            await page.get_by_label("Arguments").fill("Ann")
            await page.get_by_role("button", name="Run it").click()
            await expect(page.get_by_text("Hello, Ann!")).to_be_visible()
        found = (await Axe().run(page)).response["violations"]
        assert [(one["id"], [node["html"] for node in one["nodes"]]) for one in found] == []
        assert await page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
        await expect(page.locator("#nav [aria-current]")).to_be_in_viewport(ratio=0.9)
        assert faults == []
        folder = os.environ.get("GOOP2_SCREENSHOTS")
        if folder and (scheme, width) != ("dark", 390):
            await page.evaluate("scrollTo(0, 0)")
            await page.screenshot(
                path=Path(folder) / f"console-{name}-{scheme}{'-phone' if width < 500 else ''}.png", animations="disabled"
            )
    finally:
        await context.close()


async def test_the_first_page_loads_little_script(browser: Browser, up: Served) -> None:
    sizes: dict[str, int] = {}
    async with opened(browser, "about:blank") as page:

        async def weigh(response: object) -> None:
            sizes[response.url] = len(await response.body())  # type: ignore[attr-defined]

        page.on("response", lambda response: asyncio.ensure_future(weigh(response)) if response.request.resource_type == "script" else None)
        await page.goto(up.web.console)
        await expect(page.get_by_role("heading", level=1)).to_have_text("Fred")
        await page.wait_for_load_state("load")
    assert any(address.endswith("/console.js") for address in sizes)
    assert sum(sizes.values()) < FIRST_PAINT_SCRIPT_BYTES


async def test_the_keyboard_goes_everywhere(browser: Browser, up: Served) -> None:
    async with opened(browser, up.web.console) as page:
        await expect(page.get_by_role("heading", level=1)).to_have_text("Fred")
        await page.keyboard.press("Tab")
        await expect(page.get_by_role("link", name="Skip to the page")).to_be_focused()
        await page.keyboard.press("Enter")
        await expect(page.get_by_role("main")).to_be_focused()
        await page.keyboard.press("g")
        await page.keyboard.press("r")
        await expect(page.get_by_role("heading", level=1)).to_have_text("Runs & logs")
        await page.keyboard.press("Control+k")
        await page.get_by_role("combobox", name="Go to").fill("nowhere")
        await expect(page.get_by_text("No place is called that.")).to_be_visible()
        await page.keyboard.press("Enter")
        await expect(page.get_by_role("heading", level=1)).to_have_text("Runs & logs")
        await page.keyboard.press("Control+k")
        await page.get_by_role("combobox", name="Go to").fill("sett")
        await page.keyboard.press("Enter")
        await expect(page.get_by_role("heading", level=1)).to_have_text("Settings")


async def test_colours_are_chosen_and_kept(browser: Browser, up: Served) -> None:
    async with opened(browser, up.web.console) as page:
        background = "getComputedStyle(document.documentElement).backgroundColor"
        light = await page.evaluate(background)
        switch = page.get_by_role("button", name="colours: change")
        await switch.click()
        await switch.click()
        dark = await page.evaluate(background)
        assert dark != light
        await page.reload()
        assert await page.evaluate(background) == dark


async def test_home_tells_what_needs_its_owner(browser: Browser, up: Served) -> None:
    async with opened(browser, up.web.console) as page:
        await expect(page.get_by_text("broken:1:")).to_be_visible()
        await expect(page.get_by_text(up.peer.identity.peer_id, exact=True)).to_be_visible()
        names = set()
        for _ in range(2):
            async with page.expect_popup() as opening:
                await page.get_by_role("button", name="Open as a visitor").click()
            visited = await opening.value
            await expect(visited.locator("h1")).to_have_text("Front page")
            names.add(visited.url)
        assert len(names) == 2, "each time it is somebody new"
        assert up.web.site not in names


async def test_a_run_opens_to_its_lines_and_host_calls_as_text(browser: Browser, up: Served) -> None:
    async with opened(browser, up.web.console) as page:
        await go_to(page, "runs?script=greet")
        await page.get_by_role("button", name="!greet").first.click()
        await expect(page.locator(".waterfall")).to_contain_text("goop.kv.set")
        await expect(page.locator(".lines")).to_contain_text("<b>bold</b>")
        assert await page.locator(".lines b").count() == 0


async def test_runs_come_live_and_are_filtered(browser: Browser, up: Served) -> None:
    async with opened(browser, up.web.console) as page:
        await go_to(page, "runs?script=echo&status=ok")
        await expect(page.get_by_text("No runs match these filters")).to_be_visible()
        await expect(page.locator("#link")).to_have_text("Live")
        await up.call("echo")
        await up.call("hello")
        await expect(page.get_by_text("1 run", exact=True)).to_be_visible()


async def test_a_thousand_log_lines_do_not_stick_the_page(browser: Browser, up: Served) -> None:
    async with opened(browser, up.web.console) as page:
        await go_to(page, "runs?view=logs&script=chatty")
        await expect(page.locator("#link")).to_have_text("Live")
        await page.evaluate("""() => {
            window.longest = 0;
            let last = performance.now();
            const tick = (now) => { window.longest = Math.max(window.longest, now - last); last = now; requestAnimationFrame(tick); };
            requestAnimationFrame(tick);
        }""")
        for _ in range(6):
            await up.call("chatty")
        await expect(page.get_by_text("1,200 log lines")).to_be_visible()
        rows = await page.locator(".rows .line").count()
        assert 0 < rows < 60, "only what is in sight is in the page"
        await page.locator(".rows").evaluate("(box) => { box.scrollTop = box.scrollHeight; }")
        await expect(page.locator(".rows .line").last).to_contain_text("line 1 of it")
        assert await page.evaluate("longest") < 1000


async def test_goop_is_completed_with_its_documentation(browser: Browser, up: Served) -> None:
    page = await (await browser.new_context()).new_page()
    page.set_default_timeout(PATIENCE_MS)
    await page.goto(up.web.console)
    await go_to(page, "scripts?kind=command&name=greet")
    await page.locator(".cm-content").click()
    await page.keyboard.press("ControlOrMeta+Home")
    await page.keyboard.type("goop.kv.s")
    await expect(page.locator(".cm-tooltip-autocomplete")).to_contain_text("set")
    await expect(page.locator(".cm-completionInfo")).to_contain_text("error")


async def console_page(browser: Browser, up: Served, name: str) -> Page:
    page = await (await browser.new_context()).new_page()
    page.set_default_timeout(PATIENCE_MS)
    await page.goto(up.web.console)
    await go_to(page, name)
    return page


async def test_a_cell_is_edited_in_its_place_and_a_wrong_value_is_refused(browser: Browser, up: Served) -> None:
    page = await console_page(browser, up, "data?table=posts")
    await expect(page.get_by_text("1 to 50 of 60")).to_be_visible()
    await page.get_by_role("button", name="Next", exact=True).click()
    await expect(page.get_by_text("51 to 60 of 60")).to_be_visible()
    await page.get_by_role("button", name="likes of row 51: change").click()
    await page.get_by_label("likes, integer").fill("many")
    await page.get_by_role("button", name="Save").click()
    await expect(page.get_by_role("dialog").get_by_text('posts.likes takes a whole number, not "many"')).to_be_visible()
    await expect(page.get_by_label("likes, integer")).to_have_value("many")
    await page.get_by_label("likes, integer").fill("4711")
    await page.get_by_role("button", name="Save").click()
    await expect(page.get_by_role("button", name="likes of row 51: change")).to_have_text("4711")
    await expect(page.get_by_role("button", name="likes of row 51: change")).to_be_focused()
    await page.get_by_role("button", name="title", exact=False).first.click()  # sorted by title
    await expect(page.locator("th[aria-sort=ascending]")).to_contain_text("title")
    await expect(page.locator("th[aria-sort=ascending] button")).to_be_focused()


async def test_rows_are_added_removed_and_taken_out(browser: Browser, up: Served) -> None:
    page = await console_page(browser, up, "data?table=posts")
    await page.get_by_role("button", name="Add a row").click()
    await page.get_by_label("title, text").fill('A "quoted", one')
    await page.get_by_role("button", name="Add", exact=True).click()
    await expect(page.get_by_text("of 61")).to_be_visible()
    async with page.expect_download() as download:
        await page.get_by_role("button", name="CSV").click()
    text = await asyncio.to_thread(Path(str(await (await download.value).path())).read_text)
    assert text.splitlines()[0].startswith("_id,title,state,likes,_owner")
    assert '"A ""quoted"", one"' in text
    assert len(text.splitlines()) == 62
    await page.get_by_role("button", name="Next", exact=True).click()
    await page.get_by_role("button", name="Remove row 61").click()
    await page.get_by_role("button", name="Remove", exact=True).click()
    await expect(page.get_by_text("of 60")).to_be_visible()


async def test_chat_completes_commands_and_shows_what_others_say_as_text(browser: Browser, up: Served) -> None:
    page = await console_page(browser, up, "chat")
    box = page.get_by_label("Message; ! begins a command")
    await box.press_sequentially("!gr")
    await expect(page.get_by_role("option", name="!greet Greets whoever asks")).to_be_visible()
    await box.press("Tab")
    await box.press_sequentially("Zoe")
    await box.press("Enter")
    await expect(page.locator(".bubble", has_text="Hello, Zoe!")).to_be_visible()
    await page.get_by_role("link", name="12D3Ko").click()
    await expect(page.get_by_text("<b>Good evening</b>").first).to_be_visible()
    await box.fill("Who are you?")
    await box.press("Enter")
    await expect(page.get_by_text("failed: this peer is not on the network")).to_be_visible()
    await up.peer.chat.receive(OTHER, "id-2", "It is me", 1764000000001)
    await expect(page.get_by_text("It is me").first).to_be_visible()


async def test_what_the_owner_says_to_the_own_peer_stands_on_the_right_and_replies_on_the_left(browser: Browser, tmp_path: Path) -> None:
    (tmp_path / "site/lua").mkdir(parents=True)
    (tmp_path / "site/lua/greet.lua").write_text("function handle(args) return 'Hello, ' .. args end")
    async with served(tmp_path) as up:
        await up.peer.chat.say(up.peer.owner, "a note to myself")
        await up.peer.chat.say(up.peer.owner, "!greet Ann")
        page = await console_page(browser, up, "chat")
        await expect(page.locator(".mine .bubble")).to_have_text(["a note to myself", "!greet Ann"])
        await expect(page.locator(".theirs .bubble")).to_have_text(["Hello, Ann"])
        await expect(page.locator(".theirs p")).not_to_contain_text("reply")


async def test_a_conversation_is_deleted_after_a_question(browser: Browser, tmp_path: Path) -> None:
    async with served(tmp_path) as up:
        await up.peer.chat.receive(OTHER, "id-1", "a flood", 1764000000000)
        await up.peer.chat.receive("12D3KooAnother", "id-1", "another flood", 1764000000000)
        page = await console_page(browser, up, f"chat?peer={OTHER}")
        await expect(page.locator(".bubble", has_text="a flood")).to_be_visible()
        await page.get_by_role("button", name="Delete conversation", exact=True).click()
        await page.get_by_role("button", name="Delete", exact=True).click()
        await expect(page.locator(".bubble")).to_have_count(0)
        assert [who for who, _, _ in await up.peer.chat.conversations()] == ["12D3KooAnother"]
        await page.get_by_role("button", name="Delete conversations I never wrote in").click()
        await page.get_by_role("button", name="Delete", exact=True).click()
        await expect(page.get_by_text("another flood")).to_have_count(0)
        assert await up.peer.chat.conversations() == []


async def test_home_says_when_messages_of_others_were_refused(browser: Browser, tmp_path: Path) -> None:
    async with served(tmp_path) as up:
        for number in range(PER_CALLER_A_MINUTE):
            await up.peer.chat.receive(OTHER, str(number), "hi", 1)
        with pytest.raises(ChatError):
            await up.peer.chat.receive(OTHER, "one more", "hi", 1)
        page = await console_page(browser, up, "home")
        await expect(page.get_by_text("A message from another peer was refused")).to_be_visible()
        await expect(page.get_by_text("too many messages")).to_be_visible()


async def test_whoever_reads_earlier_messages_stays_there_when_one_comes(browser: Browser, tmp_path: Path) -> None:
    async with served(tmp_path) as up:
        for number in range(4):
            await up.peer.chat.receive(OTHER, f"old-{number}", f"message {number}" + "\n." * 20, 1764000000000 + number)
        page = await console_page(browser, up, f"chat?peer={OTHER}")
        said = page.get_by_role("log", name="Messages")
        await expect(page.locator(".bubble", has_text="message 3")).to_be_in_viewport()
        await said.evaluate("(box) => { box.scrollTop = 0; }")
        await up.peer.chat.receive(OTHER, "new", "just now", 1764000001000)
        await expect(page.locator(".bubble", has_text="just now")).to_be_attached()
        await expect(page.locator(".bubble", has_text="message 0")).to_be_in_viewport()


async def test_a_message_that_comes_while_a_conversation_is_read_is_not_lost(browser: Browser, tmp_path: Path) -> None:
    async with served(tmp_path) as up:
        await up.peer.chat.receive(OTHER, "id-1", "before", 1764000000000)
        page = await console_page(browser, up, "chat")
        await expect(page.locator("#link")).to_have_text("Live")

        async def late(route: Route) -> None:
            response = await route.fetch()
            await up.peer.chat.receive(OTHER, "id-2", "meanwhile", 1764000000001)
            await expect(page.locator(".bubble", has_text="meanwhile")).to_be_visible()
            await route.fulfill(response=response)

        await page.route("**/chat/messages", late)
        await page.get_by_role("link", name="12D3Ko").click()
        await expect(page.locator(".bubble")).to_have_text(["before", "meanwhile"])


async def test_before_the_network_is_up_its_page_says_so(browser: Browser, up: Served) -> None:
    page = await console_page(browser, up, "network")
    await expect(page.get_by_text("This peer is not on the network. “goop2 peer” connects")).to_be_visible()
    await page.get_by_label("Address").fill("/ip4/192.0.2.7/tcp/4001/p2p/nonsense")
    await page.get_by_role("button", name="Connect").click()
    await expect(page.get_by_role("status").filter(has_text="not on the network yet")).to_be_visible()


async def test_a_conversation_in_which_nothing_was_said_says_so_until_something_is(browser: Browser, tmp_path: Path) -> None:
    async with served(tmp_path) as up:
        page = await console_page(browser, up, "chat")
        await expect(page.get_by_text("Begin with ! to run a command")).to_be_visible()
        await page.get_by_label("Message; ! begins a command").fill("!nosuch")
        await page.keyboard.press("Enter")
        await expect(page.get_by_text("Unknown command: nosuch").first).to_be_visible()
        await expect(page.get_by_text("Begin with ! to run a command")).to_be_hidden()
        await up.peer.chat.receive(OTHER, "id-1", "hello", 1764000000000)
        await page.get_by_role("link", name="12D3Ko").click()
        await expect(page.locator(".bubble", has_text="hello")).to_be_visible()
        await expect(page.get_by_text("No messages yet.")).to_be_hidden()
        await page.get_by_role("link", name="Write to another peer").click()
        await expect(page.get_by_role("heading", level=1)).to_have_text("Network")


@pytest.mark.parametrize("width", [800, 1000, 1240, 1260, 1280, 1920])
async def test_all_pages_are_in_sight_where_there_is_room(browser: Browser, tmp_path: Path, width: int) -> None:
    async with served(tmp_path, profile={"label": "W" * 80}) as up:
        context = await browser.new_context(viewport={"width": width, "height": 800})
        page = await context.new_page()
        await page.goto(up.web.console)
        await expect(page.locator("#link")).to_have_text("Live")
        for name in ("Home", "Settings"):
            await expect(page.locator("#nav").get_by_role("link", name=name)).to_be_in_viewport(ratio=1)
        assert await page.locator("#nav").evaluate("(nav) => nav.scrollWidth - nav.clientWidth") <= 0
        assert await page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
        await context.close()


async def test_a_page_that_waits_for_its_peer_says_so_and_one_that_does_not_stays_still(browser: Browser, up: Served) -> None:
    page = await console_page(browser, up, "home")
    let_go = asyncio.Event()

    async def late(route: Route) -> None:
        await let_go.wait()
        await route.continue_()

    await page.route("**/api/console/settings", late)
    await page.evaluate("location.hash = '#/settings'")
    await expect(page.get_by_text("One moment…")).to_be_visible()
    let_go.set()
    await expect(page.get_by_role("heading", level=1)).to_have_text("Settings")
    await expect(page.get_by_text("One moment…")).to_have_count(0)


@pytest.mark.parametrize("width", [390, 1280])
async def test_a_peer_that_is_away_or_does_not_know_the_tab_is_told_with_what_to_do(browser: Browser, tmp_path: Path, width: int) -> None:
    """The new address may be opened in the same tab, where only what stands after the # changes."""
    context = await browser.new_context(viewport={"width": width, "height": 800})
    context.set_default_timeout(PATIENCE_MS)
    page = await context.new_page()
    sign, trouble = page.locator("#link"), page.locator("#trouble")
    async with served(tmp_path) as up:
        await page.goto(up.web.console)
        await expect(sign).to_have_text("Live")
        await expect(trouble).to_be_empty()
    await expect(trouble).to_contain_text("The peer does not answer, so this page may be out of date.", timeout=PATIENCE_MS)
    await expect(sign).to_be_visible()
    (tmp_path / TABS).unlink()
    async with served(tmp_path, viewer={"http_addr": f"127.0.0.1:{up.port}"}) as again:
        await expect(trouble).to_contain_text("Open the address that the peer has printed", timeout=PATIENCE_MS)
        assert await page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
        if width > 1000:
            await expect(page.get_by_role("link", name="Settings")).to_be_in_viewport(ratio=0.9)
        await page.evaluate("(address) => { location.href = address; }", again.web.console)
        await expect(sign).to_have_text("Live")
        await expect(trouble).to_be_empty()
        assert "token" not in page.url
    await context.close()


async def test_ten_tabs_of_the_console_all_load_and_miss_nothing(browser: Browser, tmp_path: Path) -> None:
    """A browser keeps six connections to an origin; a stream in each tab would leave none."""
    context = await browser.new_context()
    context.set_default_timeout(PATIENCE_MS)
    await context.add_init_script(UNSEEN)
    async with served(tmp_path) as up:
        try:
            pages = []
            for _ in range(10):
                page = await context.new_page()
                await page.goto(up.web.console)
                await go_to(page, "runs?script=who")
                await expect(page.locator("#link")).to_have_text("Live")
                await page.evaluate("() => look(false)")
                pages.append(page)
            await up.call("who")
            for page in pages:
                await page.evaluate("() => look(true)")
                await expect(page.locator(".rows .line").first).to_contain_text("who")
                await page.evaluate("() => look(false)")
        finally:
            await context.close()
