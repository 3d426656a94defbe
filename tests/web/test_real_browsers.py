"""Real Firefox and WebKit: the console, the SDK and the listening template, in a few flows each."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from selenium.webdriver.common.keys import Keys
from tests.folder.templates.sites import address, site_of
from tests.services.listen.sounds import encoded, wav
from tests.web.console.test_app import PAGES
from tests.web.real import Seen, firefox, seen, webkit
from tests.web.served import Served, served

pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.browser,
    pytest.mark.filterwarnings("ignore:setting remote_server_addr:DeprecationWarning"),  # selenium's own WebKitGTK does it
]

Opening = Callable[[], AbstractContextManager[Any]]
WEBKIT: Opening = partial(webkit, "C")
BROWSERS: dict[str, Opening] = {"firefox": firefox, "webkit": WEBKIT, "webkit in UTF-8": partial(webkit, "C.UTF-8")}
SDK = (Path(__file__).parent / "pages/sdk.html").read_text()
GREET = "function handle(args) goop.log.info('greeting') return 'Hello, ' .. args .. '!' end\n"
WIDE = {"name": "wide", "columns": [{"name": f"column_number_{number}", "type": "text"} for number in range(20)]}
IN_STEP_SECONDS = 0.15
OVERLAY_PIXELS = 12
"""A scrollbar that lies over what scrolls is about as thick."""
WATCH_FAULTS = """
  window.faults = [];
  for (const kind of ["error", "unhandledrejection"]) addEventListener(kind, (event) => faults.push(String(event.reason || event.message)));
"""
RUNS = "document.querySelector('.page-runs .card [role=status]').textContent"
BELOW = """
  const grid = document.querySelector(".grid");
  const end = grid.getBoundingClientRect().top + grid.clientTop + grid.clientHeight;
  return [grid.scrollWidth > grid.clientWidth, end - grid.querySelector("tbody .cell").getBoundingClientRect().bottom];
"""
ONLY_MOZ = """<script>
  delete HTMLMediaElement.prototype.captureStream;
  window.captured = 0;
  HTMLMediaElement.prototype.mozCaptureStream = function () { window.captured++; throw new Error("it would be silent from now on"); };
</script>"""


@pytest_asyncio.fixture(scope="module", loop_scope="module", params=list(BROWSERS))
async def browser(request: pytest.FixtureRequest) -> AsyncIterator[Seen]:
    async with seen(BROWSERS[request.param]) as one:
        yield one


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def up(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Served]:
    folder = tmp_path_factory.mktemp("peer")
    (folder / "site/lua").mkdir(parents=True)
    (folder / "site/lua/greet.lua").write_text(GREET)
    (folder / "site/sdk.html").write_text(SDK)
    (folder / "schemas").mkdir()
    (folder / "schemas/wide.json").write_text(json.dumps(WIDE))
    async with served(folder) as one:
        await one.peer.tables.perform("insert", one.peer.owner, {"table": "wide", "data": {"column_number_0": "the only row"}})
        yield one


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def listening(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Served]:
    async with site_of(tmp_path_factory.mktemp("listening"), "listening") as one:
        wav(one.folder / "song.wav", 60)
        encoded(one.folder / "song.wav", one.folder / "song.ogg")
        front = one.folder / "site/index.html"
        (one.folder / "site/moz.html").write_text(front.read_text().replace("<head>", f"<head>{ONLY_MOZ}"))
        await one.peer.listening.create("Evening")
        yield one


async def console(browser: Seen, up: Served, page: str) -> None:
    """A page of the console, once it hears what happens."""
    await browser.open("about:blank")
    await browser.open(up.web.console)
    await browser.until("document.getElementById('link')?.textContent === 'Live'")
    await browser.run("location.hash = `#/${arguments[0]}`", page)
    await browser.until("document.querySelector(`.page-${arguments[0].split('?')[0]} h1`) !== null", page)


async def test_the_console_shows_what_happens_and_a_script_is_changed_and_tried(browser: Seen, up: Served) -> None:
    await console(browser, up, "runs")
    await browser.shows("Fred")
    await up.call("hello")
    await browser.until("document.querySelector('.rows .line') !== null")

    (up.folder / "site/lua/greet.lua").write_text(GREET)
    await up.peer.catalog.scan()
    await browser.run("location.hash = '#/scripts?kind=command&name=greet'")
    await browser.write_into_editor("local mine ")
    await browser.until("document.querySelector('.toast.good')?.textContent === 'Saved and live.'")
    assert "local mine " in (up.folder / "site/lua/greet.lua").read_text()
    await browser.write(".trial textarea", "Ann")
    await browser.press("Run it")
    await browser.shows("Hello, Ann!")


async def test_every_page_of_the_console_opens_without_a_fault(browser: Seen, up: Served) -> None:
    await console(browser, up, "home")
    await browser.run(WATCH_FAULTS)
    for name in PAGES:
        await browser.run("location.hash = `#/${arguments[0]}`", name)
        await browser.until("document.querySelector(`.page-${arguments[0]} h1`) !== null", name)
        assert await browser.run("return document.querySelector('.problem:not([hidden])')") is None, name
        if name == "runs":
            await browser.until("document.querySelectorAll('.drawing canvas').length === 3")
    assert await browser.run("return faults") == []


async def test_both_of_two_tabs_hear_what_happens(browser: Seen, up: Served) -> None:
    """A browser may let the second fetch of an address wait for the first one's answer, and a stream's never ends."""
    await console(browser, up, "runs?script=who")
    first = await browser.new_tab()
    try:
        await console(browser, up, "runs?script=who")
        shown = await browser.until(RUNS)
        await up.call("who")
        await browser.until(f"{RUNS} !== arguments[0]", shown)
        shown = await browser.run(f"return {RUNS}")
    finally:
        await asyncio.to_thread(browser.driver.close)
        await browser.switch(first)
    await browser.until(f"{RUNS} === arguments[0]", shown)


async def test_the_only_row_of_a_table_can_be_pressed_beside_its_scrollbar(browser: Seen, up: Served) -> None:
    await console(browser, up, "data?table=wide")
    await browser.shows("the only row")
    free = await browser.run(BELOW)
    assert free[0], "it scrolls"
    assert free[1] >= OVERLAY_PIXELS
    await browser.press("column_number_0 of row 1: change")
    await browser.until("document.querySelector('dialog[open] textarea') !== null")


async def test_a_page_asks_its_peer_and_a_prompt_is_written_on_behind_its_value(browser: Seen, up: Served) -> None:
    await browser.open(f"{up.web.site}sdk.html")
    assert await browser.run("return Goop.data.call('hello', { name: 'Ann' })") == "Hello, Ann!"
    await browser.run("window.heard = []; Goop.chat.subscribe(({ content }) => heard.push(content)); return Goop.heard()")
    await browser.run("return Goop.chat.send(arguments[0], '!greet Bob')", up.peer.identity.peer_id)
    await browser.until("heard.includes('Hello, Bob!')")
    await browser.run("Goop.ui.prompt({ title: 'Name', value: 'Ann' }).then((answer) => { window.answer = answer; })")
    await browser.element("dialog[open] input")
    field = await asyncio.to_thread(lambda: browser.driver.switch_to.active_element)
    await asyncio.to_thread(field.send_keys, "abel", Keys.ENTER)
    await browser.until("window.answer === 'Annabel'")


@pytest.mark.parametrize("page", ["index.html", "moz.html"])
@pytest.mark.parametrize("song", ["song.wav", "song.ogg"])
async def test_a_page_hears_in_step_and_says_so(browser: Seen, listening: Served, song: str, page: str) -> None:
    """Also where the sound can be copied only by taking it from the player (Firefox before `captureStream`)."""
    await listening.peer.listening.load(song)
    await listening.peer.listening.seek(5)
    await listening.peer.listening.play()
    await browser.open(f"{address(listening, 'listening', 'ann')}{page}")
    try:
        await browser.until("!document.getElementById('hear').disabled")
        await browser.press("Listen")
        await browser.until("document.getElementById('how').textContent === '' && Goop.listen.hearing(audio) === 'playing'")
        await browser.until(f"Math.abs(Goop.listen.position() - Goop.listen.heard(audio)) <= {IN_STEP_SECONDS}")
        at = await browser.run("return audio.currentTime")
        await browser.until("audio.currentTime > arguments[0] + 0.5", at)
        assert await browser.run("return [document.getElementById('how').textContent, window.captured || 0]") == ["", 0]
    finally:
        await listening.peer.listening.pause()
