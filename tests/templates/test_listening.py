"""Listening together: the host's page plays, a visitor's hears it, and the commands do the same."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from playwright.async_api import Browser, expect
from tests.listen.sounds import wav
from tests.templates.sites import address, site_of
from tests.web.axe import complaints
from tests.web.browser import opened
from tests.web.served import Served

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module", params=["listening", "demo"])
async def up(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Served]:
    async with site_of(tmp_path_factory.mktemp("listening"), request.param) as one:
        wav(one.folder / "song.wav", 30)
        yield one


async def test_the_host_plays_and_a_visitor_hears(browser: Browser, up: Served) -> None:
    async with opened(browser, address(up, "listening")) as host, opened(browser, address(up, "listening", "ann")) as ann:
        await expect(host.get_by_role("heading", name="You are the host")).to_be_visible()
        await expect(ann.get_by_role("heading", name="You are the host")).to_be_hidden()
        assert await complaints(host) == []
        await host.get_by_label("File").fill("nothing.wav")
        await host.get_by_role("button", name="Load and play").click()
        await expect(host.get_by_text("nothing.wav is no file here")).to_be_visible()
        await host.get_by_label("File").fill("song.wav")
        await host.get_by_role("button", name="Load and play").click()
        await expect(ann.get_by_role("heading", name="song")).to_be_visible()
        await ann.get_by_role("button", name="Listen", exact=True).click()
        await ann.wait_for_timeout(1500)
        assert await complaints(ann) == []
        assert await ann.evaluate("!document.getElementById('audio').paused")
        await host.get_by_role("button", name="End").click()
        await expect(ann.get_by_role("heading", name="Nothing plays")).to_be_visible()


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
