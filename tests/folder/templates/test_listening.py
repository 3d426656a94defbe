"""Listening together: the host's page plays, a visitor's hears it, and the commands do the same."""

from __future__ import annotations

import asyncio
import struct
import zlib
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from mutagen.id3 import APIC, ID3
from playwright.async_api import Browser, Page, expect
from tests.folder.templates.sites import address, site_of
from tests.services.listen.sounds import encoded, noise, wav
from tests.web.axe import complaints
from tests.web.browser import PATIENCE_MS, opened
from tests.web.served import Served

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module", params=["listening", "demo"])
async def up(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Served]:
    async with site_of(tmp_path_factory.mktemp("listening"), request.param) as one:
        wav(one.folder / "song.wav", 30)
        yield one


async def until(page: Page, condition: str) -> None:
    """Wait until an expression is true; the site's policy keeps Playwright's own way of waiting out."""
    async with asyncio.timeout(PATIENCE_MS / 1000):
        while not await page.evaluate(condition):
            await page.wait_for_timeout(100)


async def test_the_host_plays_and_a_visitor_hears(browser: Browser, up: Served) -> None:
    async with opened(browser, address(up, "listening")) as host, opened(browser, address(up, "listening", "ann")) as ann:
        await expect(host.get_by_role("heading", name="You are the host")).to_be_visible()
        await expect(ann.get_by_role("heading", name="You are the host")).to_be_hidden()
        assert await complaints(host) == []
        await host.get_by_role("button", name="Load and play").click()
        await expect(host.get_by_role("heading", name="Nothing plays")).to_be_visible()  # no file, no session
        await host.get_by_label("File").fill("nothing.wav")
        await host.get_by_role("button", name="Load and play").click()
        await expect(host.get_by_text("nothing.wav is no file here")).to_be_visible()
        await host.get_by_label("File").fill("song.wav")
        await host.get_by_role("button", name="Load and play").click()
        await expect(ann.get_by_role("heading", name="song")).to_be_visible()
        await ann.get_by_role("button", name="Listen", exact=True).click()
        await until(ann, "!document.getElementById('audio').paused")
        assert await complaints(ann) == []
        await expect(host.get_by_text("Listening together, 1 listening")).to_be_visible()
        await host.get_by_label("Position").fill("20")
        await expect(ann.get_by_text("0:20 of 0:30")).to_be_visible()
        await host.get_by_role("button", name="Pause").click()
        await expect(ann.get_by_text("The host has paused.")).to_be_visible()
        await host.get_by_role("button", name="Back 10 s").click()
        await expect(ann.get_by_text("0:10 of 0:30")).to_be_visible()
        await ann.get_by_role("button", name="Stop listening").click()
        await expect(host.get_by_text("Listening together, 0 listening")).to_be_visible()
        await host.get_by_role("button", name="End").click()
        await expect(ann.get_by_role("heading", name="Nothing plays")).to_be_visible()


async def test_the_picture_in_a_file_is_its_cover_and_bars_follow_the_sound_in_step(browser: Browser, up: Served) -> None:
    encoded(noise(up.folder / "noise.wav", 30), up.folder / "noise.mp3", "-V", "4")
    tags = ID3(up.folder / "noise.mp3")  # type: ignore[no-untyped-call]
    tags.add(APIC(3, "image/png", 3, "", png(8, 8)))  # type: ignore[no-untyped-call]
    tags.save()
    await up.peer.listening.create("Evening")
    await up.peer.listening.load("noise.mp3")
    await up.peer.listening.seek(5)
    await up.peer.listening.play()
    async with opened(browser, address(up, "listening", "ann")) as ann:
        await expect(ann.locator("#cover")).to_be_visible()
        assert (
            await ann.evaluate("document.getElementById('cover').decode().then(() => document.getElementById('cover').naturalWidth)") == 8
        )
        await ann.get_by_role("button", name="Listen", exact=True).click()
        loud = "Math.max(...[...document.querySelectorAll('.level i')].map((bar) => Number(bar.style.getPropertyValue('--loud'))))"
        await until(ann, f"{loud} >= 0.2")
        await until(ann, "Goop.listen.hearing(audio) === 'playing' && Math.abs(Goop.listen.position() - Goop.listen.heard(audio)) <= 0.15")
    await up.peer.listening.close()


WEBKIT_SAYS = "Object.defineProperty(audio, 'readyState', { get: () => 2 }); 0"
WEBKIT_BEGINS_ANEW = """() => {
  let rate = 1;
  window.rates = 0;
  Object.defineProperty(audio, "playbackRate", {
    get: () => rate,
    set(wanted) {
      if (wanted === rate) return;
      rate = wanted;
      rates++;
      audio.currentTime -= 0.4;
    },
  });
}"""


@pytest.mark.parametrize("pretend", ["says that it has no more", "begins anew for another rate"])
async def test_a_browser_like_webkit_is_in_step_and_says_so(browser: Browser, up: Served, pretend: str) -> None:
    """WebKit says of sound that is heard that it has no more of it, and loses time for each change of the rate."""
    await up.peer.listening.create("Evening")
    await up.peer.listening.load("song.wav")
    await up.peer.listening.play()
    try:
        async with opened(browser, address(up, "listening", "ann")) as ann:
            if pretend == "begins anew for another rate":
                await ann.evaluate(WEBKIT_BEGINS_ANEW)
            await ann.get_by_role("button", name="Listen", exact=True).click()
            await until(ann, "Goop.listen.hearing(audio) === 'playing'")
            if pretend == "says that it has no more":
                await ann.evaluate(WEBKIT_SAYS)
            else:
                await ann.evaluate("audio.currentTime -= 0.2; 0")  # so that it wants another rate
            await ann.wait_for_timeout(3000)
            await expect(ann.locator("#how")).to_be_empty()
            await until(ann, "Math.abs(Goop.listen.position() - Goop.listen.heard(audio)) <= 0.15")
            if pretend == "begins anew for another rate":
                before = await ann.evaluate("rates")
                await ann.wait_for_timeout(3000)
                assert await ann.evaluate("rates") <= before + 2, "it keeps its rate by now"
    finally:
        await up.peer.listening.close()


SLOW_TO_JUMP = """() => {
  const native = (name) => Object.getOwnPropertyDescriptor(HTMLMediaElement.prototype, name);
  const { get, set } = native("currentTime");
  window.waiting = 0;
  window.jumps = 0;
  Object.defineProperty(audio, "paused", { get: () => !waiting && native("paused").get.call(audio) });
  Object.defineProperty(audio, "currentTime", {
    get: () => get.call(audio),
    set(wanted) {
      jumps++;
      clearTimeout(waiting);
      HTMLMediaElement.prototype.pause.call(audio);
      set.call(audio, wanted);
      waiting = setTimeout(() => { waiting = 0; HTMLMediaElement.prototype.play.call(audio); }, 1600);
    },
  });
}"""


async def test_a_browser_that_is_slow_to_jump_is_let_arrive(browser: Browser, up: Served) -> None:
    """It is not sent on again while it waits for the sound of the place it was sent to."""
    wav(up.folder / "long.wav", 120)
    await up.peer.listening.create("Evening")
    await up.peer.listening.load("long.wav")
    await up.peer.listening.play()
    try:
        async with opened(browser, address(up, "listening", "ann")) as ann:
            await ann.get_by_role("button", name="Listen", exact=True).click()
            await until(
                ann, "Goop.listen.hearing(audio) === 'playing' && Math.abs(Goop.listen.position() - Goop.listen.heard(audio)) <= 0.15"
            )
            await ann.evaluate(SLOW_TO_JUMP)
            await up.peer.listening.seek(60)
            await until(ann, "jumps && !waiting && !(Math.abs(Goop.listen.position() - Goop.listen.heard(audio)) > 0.15)")
            assert await ann.evaluate("jumps") <= 2
    finally:
        await up.peer.listening.close()


def png(width: int, height: int) -> bytes:
    """A picture: dusk over water."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    rows = [bytes((31 + 200 * y // height, 107, 74 + 120 * (height - y) // height)) * width for y in range(height)]
    pixels = b"".join(b"\0" + row for row in rows)
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(pixels)) + chunk(b"IEND", b"")


async def test_the_commands_play_pause_and_tell(up: Served) -> None:
    async def says(line: str) -> str:
        return (await up.peer.engine.command(up.peer.owner, line)).text

    assert await says("!np") == "Nothing plays"
    assert "no session is open" in await says("!pause")
    assert await says("!play nothing.mp3") == "nothing.mp3 is no file here"
    assert await says("!play song.wav") == "Playing song"
    assert (await says("!np")).startswith("song, playing at 0:0")
    assert await says("!pause") == "Paused"
    assert (await says("!np")).startswith("song, paused at 0:0")
    assert await says("!play") == "Playing song"
    await up.peer.listening.close()
