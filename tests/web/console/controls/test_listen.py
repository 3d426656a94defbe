"""The console's Listening page: the owner opens a session, plays a file, moves in it, sees who listens, and ends it."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, expect
from tests.services.listen.sounds import mp3, wav
from tests.web.browser import PATIENCE_MS, launched, opened
from tests.web.served import Served, served

pytestmark = pytest.mark.asyncio(loop_scope="module")

OTHER = "12D3KooWD3eckifWpRn9wQpMG9R9hX3sD158z7EqHWmweQAJU5SA"


async def plays(up: Served) -> None:
    """A session as it may look, for a picture: paused in a track, with listeners and files to choose from."""
    (up.folder / "music").mkdir()
    for name in ("Evening walk", "Low tide", "Night bus", "Rain on tin"):
        mp3(up.folder / f"music/{name}.mp3", [9] * 8000)
    await up.peer.listening.create("Friday evening")
    await up.peer.listening.load("music/Low tide.mp3")
    await up.peer.listening.seek(83)
    up.peer.listening.serves(lambda: ["visitor-ann", "visitor-bob", "visitor-bob", OTHER])


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browser() -> AsyncIterator[Browser]:
    async with launched() as one:
        yield one


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def up(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Served]:
    folder = tmp_path_factory.mktemp("peer")
    (folder / "music").mkdir()
    wav(folder / "music/tone.wav", 60)
    wav(folder / "<b>odd.wav", 1)
    (folder / "broken.mp3").write_bytes(b"no sound")
    async with served(folder) as one:
        yield one


async def listening(browser: Browser, up: Served) -> Page:
    page = await (await browser.new_context()).new_page()
    page.set_default_timeout(PATIENCE_MS)
    await page.goto(up.web.console)
    await expect(page.locator("main h1")).to_be_visible()
    await page.keyboard.press("g")
    await page.keyboard.press("l")
    await expect(page.get_by_role("heading", level=1)).to_have_text("Listening")
    return page


def position(up: Served) -> float:
    state = up.peer.listening.state()
    assert state is not None
    return state.position


async def test_a_session_from_its_opening_to_its_end(browser: Browser, up: Served) -> None:
    page = await listening(browser, up)
    await page.get_by_label("Name").fill("Friday")
    await page.get_by_role("button", name="Open a session").click()
    await expect(page.get_by_text("Nothing is loaded: choose a file.")).to_be_visible()
    await page.get_by_role("button", name="Play broken.mp3").click()
    await expect(page.get_by_text("broken.mp3 is broken, or no audio file")).to_be_visible()
    await page.get_by_label("Find, or a path").fill("TONE")
    await expect(page.locator(".files li")).to_have_count(1)
    await page.get_by_role("button", name="Play music/tone.wav").click()
    await expect(page.get_by_text("playing", exact=True)).to_be_visible()
    await page.get_by_label("Position").fill("40")
    await expect(page.get_by_text("0:40 of 1:00")).to_be_visible()
    assert 40 <= position(up) < 55
    pause = page.get_by_role("button", name="Pause")
    await pause.focus()
    await page.keyboard.press("Enter")
    await expect(page.get_by_text("paused", exact=True)).to_be_visible()
    await expect(page.get_by_role("button", name="Play", exact=True)).to_be_focused()
    before = position(up)
    await page.get_by_role("button", name="Back 10 s").click()
    await expect(page.locator(".place .mono")).not_to_have_text(f"0:{int(before)} of 1:00")
    assert position(up) == pytest.approx(before - 10, abs=0.5)
    await page.get_by_role("button", name="End the session").click()
    await page.get_by_role("button", name="End it").click()
    await expect(page.get_by_text("No session is open")).to_be_visible()
    assert up.peer.listening.state() is None


async def test_what_happens_elsewhere_and_who_listens_is_seen_at_once(browser: Browser, up: Served) -> None:
    page = await listening(browser, up)
    await expect(page.locator("#link")).to_have_text("Live")
    await up.peer.listening.create("By a script")
    await up.peer.listening.load("music/tone.wav")
    await expect(page.get_by_text("By a script")).to_be_visible()
    await expect(page.get_by_text("Nobody yet.")).to_be_visible()
    (up.folder / "site/hear.html").write_text(
        '<!doctype html><title>Hear</title><script src="/sdk/goop-listen.js"></script><audio muted></audio>'
    )
    async with opened(browser, f"http://{up.visitor('ann')}/hear.html") as ann:
        await ann.evaluate("Goop.listen.subscribe(() => {}); 0")
        await ann.evaluate("Goop.listen.join(document.querySelector('audio'))")
        await expect(page.get_by_text("visitor-ann")).to_be_visible()
    await expect(page.get_by_text("Nobody yet.")).to_be_visible()
    await up.peer.listening.close()


async def test_a_file_may_be_called_anything(browser: Browser, up: Served) -> None:
    page = await listening(browser, up)
    await expect(page.locator(".files")).to_contain_text("<b>odd.wav")
    assert await page.locator(".files b").count() == 0
    await page.get_by_label("Find, or a path").fill("/etc/passwd")
    await page.get_by_role("button", name="Play this path").click()
    await expect(page.get_by_text("/etc/passwd lies outside the peer's folder")).to_be_visible()
    await up.peer.listening.close()


async def test_the_controls_want_the_key(up: Served) -> None:
    for path in ("listen", "listen/files"):
        assert (await up.ask(f"/api/console/{path}", host=up.console)).status == 403
    assert (await up.ask("/api/console/listen/control", host=up.console, method="POST", body=b'{"action":"play"}')).status == 403
