"""The web side as browsers meet it: pages that call scripts, the SDK, and pages that try what they must not."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Route, expect
from tests.web.axe import complaints
from tests.web.browser import PATIENCE_MS, UNSEEN, launched, opened, whole
from tests.web.http.test_site_ports import SAFARI
from tests.web.served import Served, served

from goop2.web.http import origins
from goop2.web.http.responses import DATA_HEADERS, PAGE_HEADERS

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
    async with launched(whole()) as one:
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
    address = f"http://{up.site}/" + under.format(peer=up.peer.identity.peer_id) + "quiz.html"
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
        for without in ("null", "undefined"):  # a mistake rejects, and never throws at once
            assert await page.evaluate(f"() => Goop.data.find('nosuch', {without}).catch((error) => error.code)") == "not_found"


async def test_the_owner_changes_files_from_a_page_and_nobody_else(browser: Browser, up: Served) -> None:
    change = "() => Goop.site.upload('drop/a b.txt', 'dropped').catch((error) => error.code)"
    async with opened(browser, up.web.site + "sdk.html") as page:
        uploaded = await page.evaluate(change)
        assert (uploaded["ok"], uploaded["status"], uploaded["path"]) == (True, "uploaded", "drop/a b.txt")
        assert [one["path"] for one in await page.evaluate("() => Goop.site.files()") if "drop" in one["path"]] == ["drop/a b.txt"]
        assert await page.evaluate("() => Goop.site.read('drop/a b.txt')") == "dropped"
        assert await page.evaluate("() => Goop.site.read('drop/nosuch').catch(({ code, status }) => [code, status])") == ["not_found", 404]
        assert await page.evaluate("() => Goop.site.upload('lua/evil.lua', 'x').catch((error) => error.code)") == "bad_request"
        assert await page.evaluate("() => Goop.site.remove('drop/a b.txt')") == {"ok": True, "status": "deleted"}
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
        assert (heard["from"], heard["content"], heard["type"]) == (up.peer.identity.peer_id, "Hello, Ann!", "direct")
        await asyncio.sleep(0.2)  # a message to the wrong page would be here by now
        assert await other.evaluate("() => heard") == []


HEAR = "() => { window.heard = []; Goop.chat.subscribe(({content}) => heard.push(content)); return Goop.heard(); }"
OPEN_STREAMS = "() => streams.filter((one) => one.readyState !== 2).length"


async def test_a_page_has_one_stream_whatever_listens(browser: Browser, up: Served) -> None:
    async with opened(browser, "about:blank") as page:
        await page.add_init_script(UNSEEN)
        await page.goto(up.web.site + "sdk.html")
        await page.evaluate(
            "() => { window.ends = [Goop.chat.subscribe(() => {}), Goop.peers.subscribe(() => {}), Goop.chat.subscribe(() => {})]; }"
        )
        assert await page.evaluate("() => Goop.heard().then(() => streams.length)") == 1
        await page.evaluate("() => ends.forEach((end) => { end(); end(); })")
        assert await page.evaluate(OPEN_STREAMS) == 0
        await page.evaluate(
            "(peer) => { Goop.chat.subscribe(() => {})(); return Goop.chat.send(peer, '!greet Ann'); }", up.peer.identity.peer_id
        )
        await page.evaluate(HEAR)
        await page.evaluate("(peer) => Goop.chat.send(peer, '!greet Bob')", up.peer.identity.peer_id)
        await page.wait_for_function("() => heard.length")
        assert await page.evaluate("() => heard") == ["Hello, Bob!"], "what was said while nobody listened is past"


async def test_a_page_that_was_refused_its_stream_asks_again(browser: Browser, up: Served) -> None:
    async with opened(browser, up.web.site + "sdk.html") as page:
        await page.clock.install()
        await page.route("**/api/events", lambda route: route.fulfill(status=503), times=1)
        await page.evaluate("() => { window.reply = new Promise((told) => Goop.chat.subscribe(told)); return Goop.heard(); }")
        await page.clock.fast_forward(6000)
        await page.evaluate("() => Goop.heard()")
        await page.evaluate("(peer) => Goop.chat.send(peer, '!greet Ann')", up.peer.identity.peer_id)
        assert await page.evaluate("() => reply.then(({ content }) => content)") == "Hello, Ann!"


async def test_twelve_tabs_of_a_site_all_load_and_miss_nothing(browser: Browser, up: Served) -> None:
    """A browser keeps six connections to an origin; a stream in each tab would leave none."""
    context = await browser.new_context()
    context.set_default_timeout(PATIENCE_MS)
    try:
        await context.add_init_script(UNSEEN)
        pages = []
        for _ in range(12):
            page = await context.new_page()
            await page.goto(f"http://{up.visitor('tabs')}/sdk.html")
            await page.evaluate(HEAR)
            await page.evaluate("() => look(false)")
            pages.append(page)
        await pages[0].evaluate("(peer) => Goop.chat.send(peer, '!greet Ann')", up.peer.identity.peer_id)
        open_streams = [await page.evaluate(OPEN_STREAMS) for page in pages]
        assert 1 <= sum(open_streams) <= 4
        for page in pages:
            await page.evaluate("() => look(true)")
            await page.wait_for_function("() => heard.length === 1 && heard[0] === 'Hello, Ann!'")
            await page.evaluate("() => look(false)")
    finally:
        await context.close()


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


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_a_page_that_is_not_there_can_be_read_in_every_light(browser: Browser, up: Served, scheme: Literal["light", "dark"]) -> None:
    page = await browser.new_page(color_scheme=scheme)
    await page.goto(f"{up.web.site}nosuch")
    await expect(page.get_by_role("heading", name="There is nothing here")).to_be_visible()
    assert [one for one in await complaints(page) if "color-contrast" in one] == []
    await page.context.close()


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
        await expect(page.get_by_role("main")).to_contain_text("Open the address that was printed when the peer started")


LOOKED_AT = """
  <link rel="stylesheet" href="{from}/style.css"><img src="{from}/picture.svg"><p style="font-family: theirs">Text</p>
  <style>@font-face { font-family: theirs; src: url("{from}/font.woff2"); }</style><audio src="{from}/sound.mp3" preload="auto"></audio>
"""
ACTING = """
  <script src="{from}/script.js"></script><iframe src="{from}/frame.html"></iframe><object data="{from}/object.svg"></object>
  <script>fetch("{from}/fetched").catch(() => {}); navigator.sendBeacon("{from}/beacon", "x"); new EventSource("{from}/events");
  import("{from}/module.mjs").catch(() => {});</script>
"""


async def _asked_of(browser: Browser, address: str, other: str) -> set[str]:
    """What the page at `address` asks of `other`, by name."""
    asked = set()
    async with opened(browser, "about:blank") as page:

        async def answer(route: Route) -> None:
            asked.add(route.request.url.rpartition("/")[2])
            await route.fulfill(body="", headers={"Access-Control-Allow-Origin": "*"})

        await page.route(f"{other}/**", answer)
        await page.goto(address, wait_until="networkidle")
    return asked


@pytest.mark.parametrize("visitor", ["", "ann"])
async def test_a_page_shows_pictures_from_elsewhere_and_lets_nothing_from_there_act(browser: Browser, up: Served, visitor: str) -> None:
    other = "https://pictures.example"
    (up.folder / "site/elsewhere.html").write_text("<!doctype html>" + (LOOKED_AT + ACTING).replace("{from}", other))
    asked = await _asked_of(browser, f"http://{up.visitor(visitor) if visitor else up.site}/elsewhere.html", other)
    assert asked == {"style.css", "picture.svg", "font.woff2", "sound.mp3"}


async def test_a_page_asks_nothing_of_what_has_no_certificate(browser: Browser, up: Served) -> None:
    router = "http://192.168.1.1"
    (up.folder / "site/router.html").write_text("<!doctype html>" + (LOOKED_AT + ACTING).replace("{from}", router))
    assert await _asked_of(browser, f"http://{up.site}/router.html", router) == set()


async def test_the_consoles_pages_could_not_load_from_elsewhere(browser: Browser, up: Served) -> None:
    async with opened(browser, up.web.console) as page:
        blocked = await page.evaluate("""() => new Promise((told) => {
          document.addEventListener("securitypolicyviolation", (event) => told(event.effectiveDirective));
          document.body.append(Object.assign(new Image(), { src: "https://pictures.example/x.svg" }));
        })""")
        assert blocked == "img-src"


def _targets(up: Served) -> dict[str, Any]:
    return {"console": f"http://{up.console}", "site": f"http://{up.site}", "peer": up.peer.identity.peer_id}


@dataclass
class Loot:
    """What came of an attack."""

    got: dict[str, str]
    framed: list[str]
    """Pages of ours that stood in a frame of the hostile page."""
    ran: int
    """Scripts that ran for it."""
    changed: bool


async def _attack(browser: Browser, up: Served, address: str) -> Loot:
    runs_before = len(up.peer.runs)
    async with opened(browser, address) as page:
        result = await page.evaluate("(targets) => attack(targets)", _targets(up))
        framed = [text for text in [await frame.content() for frame in page.frames[1:]] if "Front page" in text or "/console.js" in text]
    assert result["tried"] >= 20
    return Loot(result["got"], framed, len(up.peer.runs) - runs_before, (up.folder / "site/owned.html").exists())


NOTHING = Loot({}, [], 0, changed=False)


@asynccontextmanager
async def another_program(host: str) -> AsyncIterator[str]:
    """The hostile page as another program on this machine serves it: nothing of ours governs it. Gives its address."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        body = b"<!doctype html><title>Evil</title><body><script>" + (PAGES / "hostile.js").read_bytes() + b"</script></body>"
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield f"http://{host}:{server.sockets[0].getsockname()[1]}/"


async def test_a_strangers_code_on_a_site_reaches_neither_console_nor_owner(browser: Browser, up: Served) -> None:
    """The page comes from an origin of ours, whose caller is no owner; its author is a stranger."""
    assert await _attack(browser, up, f"http://{up.visitor('mallory')}/hostile.html") == NOTHING


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
async def test_a_page_of_another_program_on_this_machine_reaches_nothing(browser: Browser, up: Served, host: str) -> None:
    """`localhost` with another port even counts as the same site."""
    async with another_program(host) as address:
        assert await _attack(browser, up, address) == NOTHING


async def test_a_strangers_code_at_a_port_of_its_own_reaches_neither_console_nor_owner(browser: Browser, up: Served) -> None:
    """As in Safari, which knows no `*.localhost`: the console leads to `http://localhost:<port>`."""
    context = await browser.new_context(user_agent=SAFARI)
    context.set_default_timeout(PATIENCE_MS)
    try:
        page = await context.new_page()
        await page.goto(up.web.console)
        async with page.expect_popup() as opening:
            await page.get_by_role("button", name="Open as a visitor").click()
        visited = await opening.value
        await expect(visited.locator("h1")).to_have_text("Front page")
        place = urlsplit(visited.url)
    finally:
        await context.close()
    assert (place.hostname, place.port == up.port) == ("localhost", False)
    assert await _attack(browser, up, f"http://{place.netloc}/hostile.html") == NOTHING


DEFENCES = {
    "resources": (b"cross-origin-resource-policy",),
    "frames": (b"x-frame-options", b"content-security-policy"),
    "opener": (b"cross-origin-opener-policy",),
}


@pytest.fixture
def without(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., None]]:
    """Takes defences away: `asking`, what requests are refused for, and those of DEFENCES, headers of answers."""
    lists = [DATA_HEADERS, *{id(headers): headers for headers in PAGE_HEADERS.values()}.values()]
    kept = [list(headers) for headers in lists]

    def take_away(*names: str) -> None:
        if "asking" in names:
            anybody = lambda listener, asking: origins._origin(listener, asking.host.lower(), asking.local_address) or origins._NOT_OURS  # noqa: E731
            monkeypatch.setattr(origins, "_decide", anybody)
        gone = {header for name in names for header in DEFENCES.get(name, ())}
        for headers in lists:
            headers[:] = [(name, value) for name, value in headers if name not in gone]

    yield take_away
    for headers, before in zip(lists, kept, strict=True):
        headers[:] = before


async def test_the_hostile_pages_would_reach_much_if_they_were_let(browser: Browser, up: Served, without: Callable[..., None]) -> None:
    """Each defence is what holds them: without it they get something."""
    async with another_program("localhost") as address:
        without("opener")
        assert {"open the console and keep hold of it", "open the owner's site and keep hold of it"} <= set(
            (await _attack(browser, up, address)).got
        )
        without("asking")
        assert (await _attack(browser, up, address)).ran >= 4
        without("resources")
        assert {"load the console's script", "load a picture of the site"} <= set((await _attack(browser, up, address)).got)
        without("frames")
        assert (await _attack(browser, up, address)).framed
