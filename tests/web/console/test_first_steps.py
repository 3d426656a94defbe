"""A new peer's first minutes in a browser: the start page's chat box, and the steps on Home, ticked as they are done."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import pytest
from playwright.async_api import Page, expect
from tests.web.axe import complaints
from tests.web.browser import go_to, launched, opened

from goop2.app import open_peer, serve_peer
from goop2.folder.creation import create

pytestmark = pytest.mark.asyncio


async def send(page: Page, text: str, reply: str) -> None:
    await page.get_by_label("A command").fill(text)
    await page.get_by_role("button", name="Send").click()
    await expect(page.locator("#said li").last).to_have_text(reply)


async def test_the_four_steps_are_ticked_as_they_are_done(tmp_path: Path) -> None:
    folder = tmp_path / "p"
    create(folder, "Fred")
    settings = json.loads((folder / "goop.json").read_text())
    (folder / "goop.json").write_text(json.dumps({**settings, "viewer": {"http_addr": "127.0.0.1:0"}}))
    for script in (folder / "site/lua").rglob("*.lua"):
        os.utime(script, (1, 1))
    async with (
        open_peer(folder, {}, history=True, watch=True) as peer,
        serve_peer(peer) as web,
        launched() as browser,
        opened(browser, web.console) as console,
        opened(browser, web.site) as site,
    ):
        done = console.locator(".first-steps .done strong")
        await expect(console.locator(".first-steps li")).to_have_count(4)
        await expect(done).to_have_count(0)
        assert await complaints(console) == []
        # The owner's own page: the box is there, and works as it comes.
        await expect(site.get_by_label("A command")).to_have_value("!hello Alice")
        await send(site, "!hello Alice", "Hello, Alice!")
        await send(site, "!nosuch", "Unknown command: nosuch")
        assert await complaints(site) == []
        await expect(done).to_have_text(["Run a command"])
        hello = folder / "site/lua/hello.lua"
        hello.write_text(hello.read_text().replace("Hello, ", "Hi, "))
        os.utime(hello, (time.time() + 5, time.time() + 5))
        await expect(done).to_have_text(["Run a command", "Change a script"])
        await peer.engine.call(peer.owner, "game-new")
        await expect(done).to_have_text(["Run a command", "Change a script", "Keep something in a table"])
        visitor = web.site.replace("://", "://ann.")
        await site.goto(visitor)
        await send(site, "!hello Bob", "Hi, Bob!")
        await expect(console.locator(".first-steps")).to_have_count(0)
        await go_to(console, "home")


@pytest.mark.parametrize("width", [1280, 390])
async def test_steps_can_be_hidden_and_the_box_fits_a_phone(tmp_path: Path, width: int) -> None:
    folder = tmp_path / "p"
    create(folder, "Fred")
    environment = {"GOOP2_VIEWER_HTTP_ADDR": "127.0.0.1:0"}
    async with (
        open_peer(folder, environment) as peer,
        serve_peer(peer) as web,
        launched() as browser,
        opened(browser, web.console) as page,
    ):
        await page.set_viewport_size({"width": width, "height": 800})
        await page.get_by_role("button", name="Hide these").click()
        await expect(page.locator(".first-steps")).to_have_count(0)
        await page.reload()
        await expect(page.locator("h1")).to_be_visible()
        await expect(page.locator(".first-steps")).to_have_count(0)
        await page.goto(web.site)
        await expect(page.get_by_label("A command")).to_be_visible()
        assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")
