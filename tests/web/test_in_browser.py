"""The web side as browsers meet it: pages that call scripts, the SDK, and pages that try what they must not."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Browser, expect
from tests.web.browser import launched, opened
from tests.web.served import Served, served

pytestmark = pytest.mark.asyncio(loop_scope="module")

PAGES = Path(__file__).parent / "pages"
SCORE = """local right = { "B", "B" }
function call(request)
  local score = 0
  for index, answer in ipairs(right) do
    if request.params.answers[index] == answer then score = score + 1 end
  end
  return { score = score, total = #right }
end
"""
GREET = 'function handle(args) return "Hello, " .. args .. "!" end'


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browser() -> AsyncIterator[Browser]:
    async with launched() as one:
        yield one


@pytest.fixture(scope="module", autouse=True)
def _pages(up: Served) -> None:
    site = up.folder / "site"
    for page in PAGES.iterdir():
        (site / page.name).write_text(page.read_text())
    (site / "hostile.html").write_text('<!doctype html><title>Mine</title><body><script src="hostile.js"></script></body>')
    (site / "dot.svg").write_text('<svg xmlns="http://www.w3.org/2000/svg" width="1" height="1"/>')


@pytest_asyncio.fixture(scope="module", loop_scope="module", autouse=True)
async def _scripts(up: Served) -> None:
    (up.folder / "site/lua/functions/score.lua").write_text(SCORE)
    (up.folder / "site/lua/greet.lua").write_text(GREET)
    await up.peer.catalog.scan()


@pytest.mark.parametrize("under", ["", "p/{peer}/"], ids=["at the root", "under the peer's path"])
async def test_a_quiz_is_scored_by_lua_and_its_answers_stay_with_the_peer(browser: Browser, up: Served, under: str) -> None:
    address = up.web.site + under.format(peer=up.peer.identity.peer_id) + "quiz.html"
    async with opened(browser, address) as page:
        await page.get_by_label("4").check()
        await page.get_by_label("Sydney").check()
        await page.get_by_role("button").click()
        await expect(page.locator("output")).to_have_text("1 of 2")
        statuses = await page.evaluate(
            "() => Promise.all(['lua/functions/score.lua', '%6cua/functions/score.lua', 'site/lua/functions/score.lua']"
            ".map(async (path) => (await fetch('/' + path)).status))"
        )
        assert statuses == [404, 404, 404]


async def test_an_error_carries_its_class_status_script_and_line(browser: Browser, up: Served) -> None:
    async with opened(browser, up.web.site + "sdk.html") as page:
        told = await page.evaluate(
            "() => Goop.data.call('fails').catch("
            "  ({name, message, code, status, script, line}) => ({name, message, code, status, script, line}))"
        )
        assert told == {
            "name": "GoopError",
            "message": "fails:3: no such game",
            "code": "script_error",
            "status": 500,
            "script": "fails",
            "line": 3,
        }
        assert (
            await page.evaluate("() => Goop.data.call('absent').catch((error) => error instanceof Goop.Error && error.code)") == "not_found"
        )


async def test_the_sdk_knows_the_viewer_the_functions_and_the_files(browser: Browser, up: Served) -> None:
    async with opened(browser, up.web.site + "sdk.html") as page:
        assert await page.evaluate("() => Goop.identity.label()") == "Fred"
        assert {"name": "fails", "description": "Fails"} in await page.evaluate("() => Goop.data.functions()")
        files = await page.evaluate("() => Goop.site.files()")
        assert "quiz.html" in [file["path"] for file in files]
        assert not [file["path"] for file in files if "lua" in file["path"]]
        assert await page.evaluate("() => Goop.api.get('posts', {slug: 'x'}).catch((error) => error.code)") == "not_found"


async def test_the_owner_changes_files_from_a_page_and_nobody_else(browser: Browser, up: Served) -> None:
    change = "() => Goop.site.upload('drop/a b.txt', 'dropped').catch((error) => error.code)"
    async with opened(browser, up.web.site + "sdk.html") as page:
        assert await page.evaluate(change) == {"ok": True}
        assert await page.evaluate("() => Goop.site.read('drop/a b.txt')") == "dropped"
        assert await page.evaluate("() => Goop.site.upload('lua/evil.lua', 'x').catch((error) => error.code)") == "bad_request"
        assert await page.evaluate("() => Goop.site.remove('drop/a b.txt')") == {"ok": True}
    async with opened(browser, f"http://{up.visitor('ann')}/sdk.html") as page:
        assert await page.evaluate(change) == "forbidden"


async def test_the_sdk_is_importable_as_modules(browser: Browser, up: Served) -> None:
    async with opened(browser, up.web.site + "module.html") as page:
        await expect(page.locator("output")).to_have_text("Hello, Fred!")


async def test_a_command_from_a_page_is_answered_to_it_alone(browser: Browser, up: Served) -> None:
    subscribe = "() => { window.heard = []; Goop.chat.subscribe((message) => heard.push(message)); }"
    ann, bob = (f"http://{up.visitor(name)}/sdk.html" for name in ("ann", "bob"))
    async with opened(browser, ann) as page, opened(browser, bob) as other:
        await other.evaluate(subscribe)
        await page.evaluate(subscribe)
        await page.evaluate("(peer) => Goop.chat.send(peer, '!greet Ann')", up.peer.identity.peer_id)
        await page.wait_for_function("() => heard.length === 1")
        heard = (await page.evaluate("() => heard"))[0]
        assert (heard["from"], heard["content"], heard["type"]) == (up.peer.identity.peer_id, "Hello, Ann!", "chat")
        await asyncio.sleep(0.2)
        assert await other.evaluate("() => heard") == []


async def test_questions_are_asked_and_answered(browser: Browser, up: Served) -> None:
    async with opened(browser, up.web.site + "sdk.html") as page:
        await page.evaluate("() => Goop.ui.toast({title: 'Saved', message: '<b>all</b> of it'})")
        await expect(page.get_by_role("status")).to_have_text("Saved<b>all</b> of it")
        for question, button, answer in (("confirm('Really?')", "OK", True), ("confirm('Really?')", "Cancel", False)):
            await page.evaluate(f"() => {{ window.answer = Goop.ui.{question}; }}")
            await page.get_by_role("button", name=button).click()
            assert await page.evaluate("() => answer") is answer
        await page.evaluate("() => { window.answer = Goop.ui.prompt({title: 'Name', value: 'Ann'}); }")
        await page.get_by_role("textbox", name="Name").fill("Bob")
        await page.keyboard.press("Enter")
        assert await page.evaluate("() => answer") == "Bob"
        await page.evaluate("() => { window.answer = Goop.ui.prompt('Name'); }")
        await page.keyboard.press("Escape")
        assert await page.evaluate("() => answer") is None


async def test_a_page_follows_what_its_owner_saves(browser: Browser, tmp_path: Path) -> None:
    async with served(tmp_path, live=True) as up, opened(browser, up.web.site) as page:
        await expect(page.locator("h1")).to_have_text("Front page")
        (tmp_path / "site/index.html").write_text("<!doctype html><h1>Mended</h1>")
        await expect(page.locator("h1")).to_have_text("Mended")


async def test_the_console_opens_with_its_token_and_hides_it(browser: Browser, up: Served) -> None:
    async with opened(browser, up.web.console) as page:
        await expect(page.get_by_role("heading", level=1)).to_have_text("Fred")
        assert "token" not in page.url
        await page.reload()
        await expect(page.get_by_role("heading", level=1)).to_have_text("Fred")
        async with page.expect_popup() as opening:
            await page.get_by_role("link", name="Open the site").click()
        await expect((await opening.value).locator("h1")).to_have_text("Front page")
    async with opened(browser, f"http://{up.console}/") as page:
        await expect(page.get_by_role("main")).to_contain_text("open the address printed when the peer started")


def _targets(up: Served) -> dict[str, Any]:
    return {"console": f"http://{up.console}", "site": up.web.site.rstrip("/"), "peer": up.peer.identity.peer_id}


async def _attack(browser: Browser, up: Served, address: str) -> None:
    calls_before = len(up.peer.runs)
    async with opened(browser, address) as page:
        result = await page.evaluate("(targets) => attack(targets)", _targets(up))
    assert result["tried"] >= 20
    assert result["got"] == {}
    assert len(up.peer.runs) == calls_before, "a script ran for a page that must not call it"
    assert not (up.folder / "site/owned.html").exists()


async def test_a_strangers_code_on_a_site_reaches_neither_console_nor_owner(browser: Browser, up: Served) -> None:
    """The page comes from an origin of ours, whose caller is no owner; its author is a stranger."""
    await _attack(browser, up, f"http://{up.visitor('mallory')}/hostile.html")


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
async def test_a_page_of_another_program_on_this_machine_reaches_nothing(browser: Browser, up: Served, host: str) -> None:
    """Nothing of ours governs it, and `localhost` with another port even counts as the same site."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        body = b"<!doctype html><title>Evil</title><body><script>" + (PAGES / "hostile.js").read_bytes() + b"</script></body>"
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        await _attack(browser, up, f"http://{host}:{server.sockets[0].getsockname()[1]}/")
