"""A peer made from a template, served, and looked at by its owner and by visitors in a real browser."""

from __future__ import annotations

import asyncio
import json
import os
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import apsw
from playwright.async_api import Browser, Page, Response, Route
from tests.web.browser import PATIENCE_MS
from tests.web.served import Served

from goop2.app import open_peer, serve_peer
from goop2.folder.creation import create

PHONE_BELOW = 600
"""Pixels across; a phone lays scrollbars over the page."""
GATHERING_SECONDS = 0.3
"""For all to have come to the lock. When somebody has not, a test says less than it could, and no more."""
SLOW_SECONDS = 0.2
"""Until data comes, on a slow line: long enough to see the page without it."""
SCRIPT_MAX_BYTES = 100_000
SHIFT_MAX = 0.02
"""Cumulative layout shift; 0.1 is what is called good."""
WATCH_SHIFTS = """
window.shifted = 0;
new PerformanceObserver((list) => { for (const one of list.getEntries()) if (!one.hadRecentInput) window.shifted += one.value; })
  .observe({ type: "layout-shift", buffered: true });
"""


@asynccontextmanager
async def site_of(folder: Path, template: str) -> AsyncIterator[Served]:
    """The template as a peer of Fred's, up on a free port."""
    create(folder, "Fred", template)
    settings = json.loads((folder / "goop.json").read_text())
    (folder / "goop.json").write_text(json.dumps({**settings, "viewer": {"http_addr": "127.0.0.1:0"}}))
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GOOP2_")}
    async with open_peer(folder, environment) as peer, serve_peer(peer) as web:
        yield Served(folder, peer, web)


def address(up: Served, template: str, visitor: str = "") -> str:
    """The template's page, as its owner or a visitor opens it: at the root of its own peer, in a folder of the demo."""
    host = up.visitor(visitor) if visitor else up.site
    return f"http://{host}/{template}/" if (up.folder / "site" / template).is_dir() else f"http://{host}/"


@asynccontextmanager
async def all_at_once(up: Served) -> AsyncIterator[None]:
    """Whoever writes meanwhile waits, having read what it reads before it writes; afterwards they go on together."""
    with closing(apsw.Connection(str(up.folder / "data.db"))) as database:
        database.execute("BEGIN IMMEDIATE")
        try:
            yield
            await asyncio.sleep(GATHERING_SECONDS)  # until they all stand before the lock
        finally:
            database.execute("COMMIT")


@dataclass
class Seen:
    """What a page was sent and said meanwhile."""

    page: Page
    responses: list[Response] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)

    def watch(self) -> None:
        """From now on."""
        self.page.on("response", lambda response: self.responses.append(response))
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.on("console", lambda line: self.errors.append(line.text) if line.type == "error" else None)

    async def bodies(self) -> str:
        """Everything that came, as one text. A redirect's body is not shown to the browser either."""
        whole = [response for response in self.responses if response.status not in (302, 304)]
        return "\n".join([(await response.body()).decode("utf-8", "replace") for response in whole])

    async def script_bytes(self) -> int:
        """Bytes of scripts, before compression."""
        sizes = [len(await one.body()) for one in self.responses if urlsplit(one.url).path.endswith((".js", ".mjs"))]
        return sum(sizes)


@asynccontextmanager
async def looking(
    browser: Browser, where: str, *, dark: bool = False, width: int = 1280, refuses: bool = False, slow: bool = False
) -> AsyncIterator[Seen]:
    """The page at `where`, in a profile of its own. An error in the browser's console fails the test; `refuses`: but for refusals.

    `slow`: data comes late.
    """
    context = await browser.new_context(
        color_scheme="dark" if dark else "light",
        viewport={"width": width, "height": 800},
        is_mobile=width < PHONE_BELOW,
        locale="en-GB",
        timezone_id="UTC",
    )
    context.set_default_timeout(PATIENCE_MS)
    try:
        await context.add_init_script(WATCH_SHIFTS)
        seen = Seen(await context.new_page())
        seen.watch()
        if slow:
            await seen.page.route(re.compile(r"/api/|\.json$"), _late)
        await seen.page.goto(where, wait_until="networkidle" if "tictactoe" not in where else "load")
        yield seen
        errors = [error for error in seen.errors if not (refuses and error.startswith("Failed to load resource"))]
        assert not errors, errors
    finally:
        await context.close()


async def _late(route: Route) -> None:
    await asyncio.sleep(SLOW_SECONDS)  # the slow line that is tried
    await route.continue_()
