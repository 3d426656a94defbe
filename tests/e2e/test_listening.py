"""Two peers in two processes: Bob plays, and pages of his site in Alice's browser hear it through her peer."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page
from tests.cli.command import goop2
from tests.e2e.peers import Running, running
from tests.services.listen.sounds import encoded, wav
from tests.web.browser import launched, opened, whole

pytestmark = pytest.mark.asyncio(loop_scope="module")

PAGE = """<!doctype html><html lang="en"><meta charset="utf-8"><title>Hear</title>
<script src="/sdk/goop-listen.js"></script><audio muted></audio>
<script>var said = []; const audio = document.querySelector("audio");
var began = () => Goop.listen.join(audio).then(() => said.push("in"), (error) => said.push(error.message));
var at = () => (audio.paused || audio.readyState < 3 ? -99 : Goop.listen.heard(audio));</script></html>"""
NEAR_SECONDS = 0.3
"""Two pages, each beside its own peer's clock, looked at one after the other."""
PATIENCE_SECONDS = 60


@pytest.fixture
def two(tmp_path: Path) -> Iterator[tuple[Running, Running]]:
    """Alice, who listens, and Bob, who plays."""
    with running(tmp_path / "alice", "Alice") as alice, running(tmp_path / "bob", "Bob") as bob:
        wav(bob.folder / "song.wav", 60)
        (bob.folder / "site/hear.html").write_text(PAGE)
        assert goop2("connect", alice.folder, bob.address).returncode == 0
        yield alice, bob


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browser() -> AsyncIterator[Browser]:
    async with launched(whole()) as one:
        yield one


async def control(page: Page, action: str, **more: object) -> Any:
    return await page.evaluate("([action, more]) => Goop.listen.control(action, more)", [action, more])


async def until(page: Page, what: str, wanted: object = True) -> None:
    async with asyncio.timeout(PATIENCE_SECONDS):
        while (found := await page.evaluate(what)) != wanted:
            del found
            await page.wait_for_timeout(100)


async def in_step(alice: Page, bob: Page) -> None:
    """Wait until what Alice hears is what Bob plays, twice."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        times = 0
        while times < 2:
            times = times + 1 if await _off(alice, bob) <= NEAR_SECONDS else 0
            await alice.wait_for_timeout(300)


async def _off(alice: Page, bob: Page) -> float:
    looks = []
    for _ in range(4):
        heard = await alice.evaluate("at()")
        looks.append(abs(await bob.evaluate("Goop.listen.position()") - heard))
    return float(min(looks))


async def test_a_host_that_is_killed_ends_it_for_who_listens(browser: Browser, two: tuple[Running, Running]) -> None:
    alice, bob = two
    async with opened(browser, f"{bob.site}hear.html") as host, opened(browser, alice.visiting(bob, "hear.html")) as page:
        await control(host, "create", name="Evening")
        await control(host, "load", path="song.wav")
        await control(host, "play")
        await page.evaluate("began(); 0")
        await until(page, "said.join()", "in")
        await until(page, "!audio.paused")
        bob.process.send_signal(signal.SIGKILL)
        bob.process.wait()
        await until(page, "Goop.listen.state()", None)
        await until(page, "audio.paused")


@pytest.mark.parametrize("format_", ["mp3", "flac"])
async def test_a_session_is_heard_on_the_visited_site(browser: Browser, two: tuple[Running, Running], format_: str) -> None:
    alice, bob = two
    if format_ != "wav":
        encoded(bob.folder / "song.wav", bob.folder / f"song.{format_}")
    async with opened(browser, f"{bob.site}hear.html") as host, opened(browser, alice.visiting(bob, "hear.html")) as page:
        await host.evaluate("Goop.listen.subscribe(() => {}); 0")
        await page.evaluate("began(); 0")
        await control(host, "create", name="Evening")
        await control(host, "load", path=f"song.{format_}")
        await control(host, "seek", seconds=10)
        await control(host, "play")
        await until(page, "said.join()", "in")
        await in_step(page, host)
        await control(host, "seek", seconds=30)
        await in_step(page, host)
        await control(host, "pause")
        await until(page, "audio.paused")
        await control(host, "play")
        await in_step(page, host)
        state = await page.evaluate("Goop.listen.state()")
        assert (state["name"], state["role"], state["track"]["name"]) == ("Evening", "listener", "Somebody – The Title")
        assert (await host.evaluate("Goop.listen.state()"))["listeners"] >= 1
        await control(host, "close")
        await until(page, "Goop.listen.state()", None)
        await until(page, "audio.paused")
