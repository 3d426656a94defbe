"""Somebody who does what the tutorial says sees what it says, from an empty folder to the end."""

from __future__ import annotations

import asyncio
import os
import re
import signal
from collections.abc import Awaitable, Callable
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.async_api import Browser, Page, expect
from tests.cli.command import on_any_port, start
from tests.docs.commands import done
from tests.docs.examples import DOCS
from tests.docs.test_commands import pattern
from tests.docs.walk import Step, steps
from tests.web.browser import launched

from goop2.scripting.limits import RELOAD_LIVE_SECONDS

PAGE = DOCS / "tutorial.md"
WIDTH, HEIGHT = 720, 520
"""Of the pictures, in pixels: what a page of the documentation shows without a frame around it."""
END = "</main>"


class Reader:
    """Somebody with an editor, a terminal and a browser."""

    def __init__(self, folder: Path, site: str, browser: Browser) -> None:
        self.folder = folder
        self.peer = folder / "supper"
        self.site = site
        self._browser = browser
        self._page: Page | None = None

    async def page(self, visitor: str = "") -> Page:
        """Return the site's page, opened anew for somebody else."""
        if self._page is None or visitor:
            self._page = await self._browser.new_page(viewport={"width": WIDTH, "height": HEIGHT}, device_scale_factor=1)
            await self._page.goto(self.site.replace("http://", f"http://{visitor}.") if visitor else self.site)
        return self._page

    async def do(self, step: Step) -> None:
        """Do one step of the page."""
        await DOES[step.kind](self, step)

    async def type(self, step: Step) -> None:
        code, printed = await asyncio.to_thread(done, step.about, self.folder)
        assert code == 0, (step, printed)
        assert re.fullmatch(pattern(step.text), printed.strip(), re.DOTALL), (step, printed)

    async def file(self, step: Step) -> None:
        path = self.peer / step.about
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(step.text)
        await asyncio.sleep(RELOAD_LIVE_SECONDS)  # as long as the documentation says
        if step.about.startswith("schemas/"):
            await self._until(lambda: "guests" in done("goop2 data supper tables", self.folder)[1])

    async def below(self, step: Step) -> None:
        text = self.index.read_text()
        assert step.about in text
        assert text.count(END) == 1
        self.index.write_text(text.replace(f"    {END}", f"{step.text}    {END}"))

    async def replace(self, step: Step) -> None:
        text = self.index.read_text()
        assert text.count(step.about) == 1
        self.index.write_text(text.replace(step.about, step.text.strip()))

    async def visit(self, step: Step) -> None:
        await self.page(step.about)

    async def sign_up(self, step: Step) -> None:
        page = await self.page()
        name, seats = step.about.split(", ")
        # Pages that the owner has open reload by themselves (--live); a visitor's do not.
        if urlsplit(page.url).netloc.startswith("ann."):
            await page.reload()
        await page.get_by_label("Name").fill(name)
        await page.get_by_label("Seats").fill(seats)
        await page.get_by_role("button", name="Sign up").click()

    async def see(self, step: Step) -> None:
        await expect((await self.page()).get_by_text(step.about)).to_be_visible()

    async def gone(self, step: Step) -> None:
        page = await self.page()
        await expect(page.get_by_label("Name")).to_be_visible()
        await expect(page.get_by_text(step.about)).to_have_count(0)

    async def picture(self, step: Step) -> None:
        taken = await (await self.page()).screenshot(animations="disabled", caret="hide")
        assert f"tutorial/{step.about}.png" in PAGE.read_text()
        if os.environ.get("GOOP2_SCREENSHOTS"):
            (DOCS / f"tutorial/{step.about}.png").write_bytes(taken)

    @property
    def index(self) -> Path:
        """Return the file of the front page."""
        return self.peer / "site/index.html"

    async def _until(self, holds: Callable[[], bool]) -> None:
        async with asyncio.timeout(20):
            while not await asyncio.to_thread(holds):  # noqa: ASYNC110 (another process makes the table)
                await asyncio.sleep(0.1)


DOES: dict[str, Callable[[Reader, Step], Awaitable[None]]] = {
    "type": Reader.type,
    "file": Reader.file,
    "below": Reader.below,
    "replace": Reader.replace,
    "as": Reader.visit,
    "sign up": Reader.sign_up,
    "see": Reader.see,
    "gone": Reader.gone,
    "picture": Reader.picture,
}


async def test_the_tutorial_leads_from_an_empty_folder_to_its_end(tmp_path: Path) -> None:
    told = list(steps(PAGE))
    started = next(number for number, step in enumerate(told) if step.kind == "start")
    (init, run), rest = told[:started], told[started + 1 :]
    assert run.about == "goop2 peer supper --live"
    async with launched() as browser:
        await Reader(tmp_path, "", browser).do(init)
        on_any_port(tmp_path / "supper")
        with start("peer", tmp_path / "supper", "--live") as peer:
            assert peer.stdout is not None
            line = (await asyncio.to_thread(peer.stdout.readline)).decode()
            assert re.fullmatch(pattern(run.text.replace("8780", "…")), line.strip()), line
            site = re.search(r"site: (\S+)", line)
            assert site is not None
            reader = Reader(tmp_path, site[1], browser)
            for step in rest:
                await reader.do(step)
            peer.send_signal(signal.SIGINT)
            assert await asyncio.to_thread(peer.wait, 20) == 0


@pytest.mark.parametrize("picture", sorted((DOCS / "tutorial").glob("*.png")), ids=lambda path: path.name)
def test_a_picture_is_small_and_shown(picture: Path) -> None:
    assert picture.stat().st_size < 60_000
    assert f"tutorial/{picture.name}" in PAGE.read_text()
