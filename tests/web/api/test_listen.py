"""Listening from pages: who may do what over HTTP, and three players in a real browser in step with the host."""

# mypy: disable-error-code="no-untyped-call"

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, closing
from pathlib import Path

import pytest
import pytest_asyncio
from mutagen.id3 import APIC, ID3
from playwright.async_api import Page, Route
from tests.services.listen.sounds import FRAME_SECONDS, encoded, mp3, mp3_frame, noise, wav
from tests.web.browser import launched, opened, whole
from tests.web.served import Served, served

from goop2.web.api import listen

pytestmark = pytest.mark.asyncio(loop_scope="module")

PAGE = """<!doctype html><html lang="en"><meta charset="utf-8"><title>Listening</title>
<script src="/sdk/goop-listen.js"></script><audio muted></audio></html>"""
IN_STEP_SECONDS = 0.15
SLOW_SECONDS = 1.8
"""Until a file begins to come: more than a player gives it at first and then jumps for."""
PATIENCE_SECONDS = 120  # on a machine that is busy with other browsers
LOOKS = 4


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def up(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Served]:
    folder = tmp_path_factory.mktemp("listen")
    wav(folder / "track.wav", 60)
    async with served(folder) as one:
        (folder / "site/listen.html").write_text(PAGE)
        yield one


async def control(up: Served, action: str, host: str = "", **more: object) -> tuple[int, object]:
    body = json.dumps({"action": action, **more}).encode()
    answer = await up.ask("/api/listen/control", host=host, method="POST", body=body)
    return answer.status, answer.json


async def test_the_owner_controls_and_everybody_hears(up: Served) -> None:
    ann = up.visitor("ann")
    assert (await up.ask("/api/listen/state", host=ann)).json is None
    assert (await control(up, "create", ann, name="Mine"))[0] == 403
    assert (await control(up, "play"))[0] == 400
    assert (await control(up, "nosuch"))[0] == 400
    assert (await control(up, "create", name="Evening"))[0] == 200
    status, group = await control(up, "load", path="track.wav")
    assert status == 200
    assert isinstance(group, dict)
    assert group["track"] == {"name": "track", "duration": 60.0, "bitrate": 705600, "format": "wav"}
    shown = (await up.ask("/api/listen/state", host=ann)).json
    assert shown["track"] == group["track"]
    assert str(up.folder) not in json.dumps(shown)

    audio = f"/api/listen/audio?session={group['id']}"
    part = await up.ask(audio, host=ann, range="bytes=0-3")
    assert (part.status, part.body) == (206, b"RIFF")
    assert part.headers["content-type"].startswith("audio/")
    assert (await up.ask("/api/listen/audio?session=listen-0", host=ann)).status == 404
    assert (await control(up, "close"))[0] == 200
    assert (await up.ask(audio, host=ann)).status == 404


async def test_an_mp3_begins_at_the_frame_of_a_second(up: Served) -> None:
    """Of varying bitrate: a guess by bytes, which is what browsers do, would be seconds off."""
    frames = [5] * 400 + [14] * 400
    mp3(up.folder / "vbr.mp3", frames)
    await control(up, "create", name="Evening")
    _, group = await control(up, "load", path="vbr.mp3")
    assert isinstance(group, dict)
    for wanted in (0.0, 3.3, 10.4, 10.5, 17.77, 20.8):
        query = f"session={group['id']}&from={wanted}"
        began = (await up.ask(f"/api/listen/began?{query}")).json["position"]
        assert 0 <= wanted - began <= 0.11
        frame = round(began / FRAME_SECONDS)
        whole = await up.ask(f"/api/listen/audio?{query}")
        assert (whole.status, len(whole.body)) == (200, sum(len(mp3_frame(index)) for index in frames[frame:]))
        part = await up.ask(f"/api/listen/audio?{query}", range="bytes=100-199")
        assert (part.status, part.body) == (206, whole.body[100:200])
        assert part.headers["content-range"] == f"bytes 100-199/{len(whole.body)}"
    for odd in ("", "x", "-1", "nan", "inf", "1e9"):
        answer = await up.ask(f"/api/listen/audio?session={group['id']}&from={odd}", range="bytes=0-3")
        assert answer.body == mp3_frame(5)[:4]
    await control(up, "close")


async def test_the_picture_of_a_track_is_shown_and_nothing_else_as_one(up: Served) -> None:
    ann = up.visitor("ann")
    picture = b"\x89PNG\r\n\x1a\n" + bytes(100)
    await control(up, "create", name="Evening")
    for name, content, shown in (("cover", picture, True), ("svg", b"<svg onload='alert(1)'/>", False), ("big", picture * 50_000, False)):
        mp3(up.folder / f"{name}.mp3", [9] * 50)
        tags = ID3()
        tags.add(APIC(3, "image/svg+xml", 3, "", content))
        tags.save(up.folder / f"{name}.mp3")
        _, group = await control(up, "load", path=f"{name}.mp3")
        assert isinstance(group, dict)
        assert group["cover"] is shown
        address = f"/api/listen/cover?session={group['id']}"
        answer = await up.ask(address, host=ann)
        assert answer.status == (200 if shown else 404)
        if shown:
            again = await up.ask(address, host=ann, if_none_match=answer.headers["etag"])
            assert again.status == 304
            assert (answer.headers["content-type"], answer.body) == ("image/png", picture)
            assert answer.headers["content-security-policy"] == "default-src 'none'"
    await control(up, "close")
    assert (await up.ask(address, host=ann)).status == 404


async def test_only_the_owner_sees_which_files_there_are(up: Served) -> None:
    (up.folder / "music/.hidden").mkdir(parents=True)
    for name in ("music/b.ogg", "music/.hidden/no.mp3", "music/A.FLAC", "music/words.txt", "data/no.mp3", "site/lua/no.mp3"):
        (up.folder / name).write_bytes(b"")
    (up.folder / "music/link").symlink_to("/")
    answer = await up.ask("/api/listen/files")
    assert [file for file in answer.json["files"] if file.startswith("music")] == ["music/A.FLAC", "music/b.ogg"]
    assert not [file for file in answer.json["files"] if "no.mp3" in file]
    assert (await up.ask("/api/listen/files", host=up.visitor("ann"))).json == {"files": None}


async def test_a_changed_file_is_not_sent_as_what_was_loaded(up: Served) -> None:
    wav(up.folder / "soon.wav", 5)
    await control(up, "create", name="Evening")
    _, group = await control(up, "load", path="soon.wav")
    assert isinstance(group, dict)
    wav(up.folder / "soon.wav", 6)
    answer = await up.ask(f"/api/listen/audio?session={group['id']}")
    assert (answer.status, answer.json["message"]) == (404, "soon.wav has changed since it was loaded: load it again")
    (up.folder / "soon.wav").unlink()
    assert (await up.ask(f"/api/listen/began?session={group['id']}&from=1")).status == 404
    await control(up, "close")


async def test_a_page_that_never_reads_costs_what_a_connection_holds(up: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[int] = []
    real = listen._FileFrom.read

    def counted(file: listen._FileFrom, size: int) -> bytes:
        read.append(size)
        return real(file, size)

    monkeypatch.setattr(listen._FileFrom, "read", counted)
    mp3(up.folder / "large.mp3", [14] * 50_000)
    await control(up, "create", name="Evening")
    _, group = await control(up, "load", path="large.mp3")
    assert isinstance(group, dict)
    with closing(socket.create_connection(("127.0.0.1", up.port))) as connection:
        connection.sendall(f"GET /api/listen/audio?session={group['id']} HTTP/1.1\r\nHost: {up.visitor('ann')}\r\n\r\n".encode())
        before = -1
        while before != sum(read) or not read:
            before = sum(read)
            await asyncio.sleep(0.5)
    assert sum(read) < 10_000_000 < (up.folder / "large.mp3").stat().st_size
    await control(up, "close")


async def all_with_the_host(up: Served, pages: list[Page]) -> None:
    """Wait until every player is where the host is, and is there again half a second later."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        for page in pages:
            in_step = 0
            while in_step < 2:
                in_step = in_step + 1 if await off(up, page) <= IN_STEP_SECONDS else 0
                await page.wait_for_timeout(500 if in_step else 100)


async def off(up: Served, page: Page) -> float:
    """Seconds between the host and a player, the least of some looks: what a look itself takes only adds. For ever when it is still."""
    return min([await _off(up, page) for _ in range(LOOKS)])


async def _off(up: Served, page: Page) -> float:
    paused, at = await page.evaluate("(audio => [audio.paused, Goop.listen.heard(audio)])(document.querySelector('audio'))")
    state = up.peer.listening.state()
    assert state is not None
    return float("inf") if paused else abs(state.position - float(at))


async def test_three_listeners_are_where_the_host_is_also_after_a_seek_and_a_break(up: Served) -> None:
    await control(up, "create", name="Evening")
    await control(up, "load", path="track.wav")
    await control(up, "play")
    async with launched(whole()) as browser, AsyncExitStack() as stack:
        pages = [
            await stack.enter_async_context(opened(browser, f"http://{up.visitor(name)}/listen.html")) for name in ("ann", "bob", "cid")
        ]
        for page in pages:
            await page.evaluate("Goop.listen.join(document.querySelector('audio'))")
        await all_with_the_host(up, pages)
        assert up.peer.listening.listeners() == 3
        await control(up, "seek", seconds=40)
        await all_with_the_host(up, pages)
        await pages[0].context.set_offline(True)
        await pages[0].wait_for_timeout(1500)
        await pages[0].context.set_offline(False)
        await all_with_the_host(up, pages)
        await control(up, "pause")
        async with asyncio.timeout(10):
            for page in pages:
                while not await page.evaluate("document.querySelector('audio').paused"):
                    await page.wait_for_timeout(50)
        await pages[0].evaluate("Goop.listen.leave(document.querySelector('audio'))")
    await control(up, "close")


async def until(page: Page, what: str) -> None:
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not await page.evaluate(what):
            await page.wait_for_timeout(50)


@asynccontextmanager
async def playing(up: Served, file: str, at: float) -> AsyncIterator[None]:
    """A session that plays the file from that second on."""
    await control(up, "create", name="Evening")
    assert (await control(up, "load", path=file))[0] == 200
    await control(up, "seek", seconds=at)
    await control(up, "play")
    try:
        yield
    finally:
        await control(up, "close")


ONSET = """async () => {
  const audio = document.querySelector("audio"), context = new AudioContext(), look = context.createAnalyser();
  audio.muted = false;
  look.fftSize = 256;
  const source = context.createMediaElementSource(audio);
  source.connect(look);
  await context.resume();
  Goop.listen.join(audio);
  const samples = new Float32Array(look.fftSize);
  while (Goop.listen.position() < 330) {
    look.getFloatTimeDomainData(samples);
    if (samples.some((sample) => Math.abs(sample) > 0.05)) return Goop.listen.position();
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  return -1;
}"""
"""Where the host is when this page first hears something."""


@pytest.mark.parametrize("begins", [270.0, 288.0])
async def test_what_is_heard_of_an_mp3_of_varying_bitrate_is_what_the_host_plays(up: Served, begins: float) -> None:
    """Five minutes of silence, then noise at five times the bitrate. A player's own clock says nothing of that: it believes the browser's
    guess, which was three seconds off here."""
    noise(up.folder / "noise.wav", 60)
    encoded(up.folder / "noise.wav", up.folder / "noise.mp3", "-b", "320", "-t", "--nores")
    silence = mp3(up.folder / "vbr.mp3", [5] * int(300 / FRAME_SECONDS))
    ID3(up.folder / "noise.mp3").delete(up.folder / "noise.mp3")
    silence.write_bytes(silence.read_bytes() + (up.folder / "noise.mp3").read_bytes())
    flags = "--autoplay-policy=no-user-gesture-required", "--mute-audio"
    async with (
        launched(whole(), flags) as browser,
        opened(browser, f"http://{up.visitor('ann')}/listen.html") as page,
        playing(up, "vbr.mp3", begins),
    ):
        async with asyncio.timeout(330 - begins + PATIENCE_SECONDS):
            assert await page.evaluate(ONSET) == pytest.approx(300, abs=IN_STEP_SECONDS)


async def test_a_browser_that_wants_a_click_first_gets_one(up: Served) -> None:
    """Nothing is evaluated in the page before: a test's word counts as a click."""
    script = "const audio = document.querySelector('audio'); audio.addEventListener('goop-listen', (event) => console.log(event.detail));"
    loud = PAGE.replace("<audio muted></audio>", f"<audio></audio><script>{script} Goop.listen.join(audio);</script>")
    (up.folder / "site/loud.html").write_text(loud)
    flags = "--autoplay-policy=document-user-activation-required", "--mute-audio"
    async with playing(up, "track.wav", 5), launched(whole(), flags) as browser, opened(browser, "about:blank") as page:
        said: list[str] = []
        page.on("console", lambda line: said.append(line.text) if line.type == "log" else None)
        async with page.expect_console_message(lambda line: line.text == "blocked"):
            await page.goto(f"http://{up.visitor('ann')}/loud.html")
        async with page.expect_console_message(lambda line: line.text == "playing"):
            await page.mouse.click(5, 5)
        await all_with_the_host(up, [page])
        async with page.expect_console_message(lambda line: line.text == "paused"):
            await control(up, "pause")
        assert [each for each in said if each != "loading"] == ["blocked", "playing", "paused"]
        await page.evaluate("Goop.listen.leave(audio)")
        assert await page.evaluate("Goop.listen.hearing(audio)") == "left"


RATES = """async () => {
  const audio = document.querySelector("audio"), rates = new Set();
  while (Goop.listen.position() - Goop.listen.heard(audio) < 0.2) {
    audio.playbackRate = 0.5;  // it falls behind
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  audio.playbackRate = 1;  // no further: until the player's next look it would lose as much again
  window.jumps = 0;
  audio.addEventListener("seeking", () => jumps++);
  audio.addEventListener("loadstart", () => jumps++);
  while (Math.abs(Goop.listen.position() - Goop.listen.heard(audio)) > 0.05) {
    await new Promise((resolve) => setTimeout(resolve, 50));
    rates.add(audio.playbackRate);
  }
  return [...rates];
}"""
"""The rates at which this page makes up for a fifth of a second, and in `jumps` whether it went there at once instead."""


@pytest.mark.parametrize("file", ["track.wav", "track.mp3"])
async def test_a_small_difference_is_made_up_for_by_the_rate_alone(up: Served, file: str) -> None:
    encoded(up.folder / "track.wav", up.folder / "track.mp3", "-V", "2")
    async with playing(up, file, 2), launched(whole()) as browser, opened(browser, f"http://{up.visitor('ann')}/listen.html") as page:
        await page.evaluate("Goop.listen.join(document.querySelector('audio'))")
        await all_with_the_host(up, [page])
        async with asyncio.timeout(PATIENCE_SECONDS):
            rates = await page.evaluate(RATES)
        assert await page.evaluate("jumps") == 0
        assert 1 < max(rates) <= 1.06
        await all_with_the_host(up, [page])


async def test_an_mp3_is_followed_through_a_pause_a_seek_and_another_track(up: Served) -> None:
    encoded(up.folder / "track.wav", up.folder / "track.mp3", "-V", "2")
    mp3(up.folder / "next.mp3", [9] * 2000)
    async with (
        launched(whole()) as browser,
        opened(browser, f"http://{up.visitor('ann')}/listen.html") as page,
        playing(up, "track.mp3", 5),
    ):
        await page.evaluate("Goop.listen.join(document.querySelector('audio'))")
        await all_with_the_host(up, [page])
        await control(up, "pause")
        await until(page, "document.querySelector('audio').paused")
        await control(up, "seek", seconds=2)
        await control(up, "play")
        await all_with_the_host(up, [page])
        await control(up, "load", path="next.mp3")
        await control(up, "play")
        await all_with_the_host(up, [page])
        assert await page.evaluate("Goop.listen.hearing(document.querySelector('audio'))") == "playing"


async def test_a_page_whose_player_failed_or_whose_host_was_away_comes_back(up: Served) -> None:
    async with (
        playing(up, "track.wav", 5),
        launched(whole()) as browser,
        opened(browser, f"http://{up.visitor('ann')}/listen.html") as page,
    ):
        await page.route("**/api/listen/audio**", lambda route: route.abort())
        await page.evaluate("Goop.listen.join(document.querySelector('audio'))")
        await until(page, "document.querySelector('audio').error !== null")
        await page.unroute("**/api/listen/audio**")
        await all_with_the_host(up, [page])
        await page.route("**/api/listen/state", lambda route: route.abort())
        await control(up, "seek", seconds=30)  # the page is told that something happened, and cannot ask what
        await page.wait_for_timeout(500)  # its questions fail meanwhile
        await page.unroute("**/api/listen/state")
        await all_with_the_host(up, [page])


async def test_who_has_gone_counts_no_more(up: Served, tmp_path: Path) -> None:
    await asyncio.sleep(0.2)  # the ends of the browsers' connections are heard
    assert up.peer.listening.listeners() == 0


async def test_an_mp3_that_is_slow_to_come_is_asked_for_with_more_time_and_begins(up: Served) -> None:
    """It would be too late each time by as much."""
    mp3(up.folder / "slow.mp3", [9] * 6000)

    async def slow(route: Route) -> None:
        await asyncio.sleep(SLOW_SECONDS)  # the slow line that is tried
        await route.continue_()

    async with playing(up, "slow.mp3", 5), launched(whole()) as browser, opened(browser, f"http://{up.visitor('ann')}/listen.html") as page:
        await page.route("**/api/listen/audio**", slow)
        await page.evaluate("Goop.listen.join(document.querySelector('audio'))")
        await all_with_the_host(up, [page])
