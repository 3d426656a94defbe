"""Pages that load files of the SDK, and what a browser says against them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib import resources
from urllib.parse import urlsplit

from playwright.async_api import Browser, ConsoleMessage, Page
from tests.web.browser import PATIENCE_MS

from goop2.web.http.assets import Assets

SDK = resources.files("goop2.web").joinpath("sdk")
SERVED = Assets("sdk").sizes()
"""File → bytes as a browser gets it."""
ERROR = 400
"""Statuses from here on are errors."""
OURS = frozenset({"goop-live.js"})
"""Put into pages by the peer itself."""
SCRIPTS = tuple(sorted(name for name in SERVED if name.endswith(".js") and name not in OURS))
STYLES = tuple(sorted(name for name in SERVED if name.endswith(".css")))
COMPONENTS = tuple(name for name in SCRIPTS if name.startswith("goop-component-"))


def loading(*names: str) -> str:
    """The tags that load these files."""
    tags = {"js": '<script src="/sdk/{}"></script>', "css": '<link rel="stylesheet" href="/sdk/{}">'}
    return "\n".join(tags[name.rpartition(".")[2]].format(name) for name in names)


def bare(*names: str, body: str = "") -> str:
    """A page that does nothing but load these files."""
    head = f'<meta charset="utf-8"><title>SDK</title>{loading(*names)}'
    return f'<!doctype html><html lang="en"><head>{head}</head><body><main><h1>SDK</h1>{body}</main></body></html>'


class Watched:
    """A page, and what went wrong on it: messages in the console, errors nobody caught, requests that failed."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.faults: list[str] = []
        page.on("console", self._said)
        page.on("pageerror", lambda error: self.faults.append(str(error)))
        page.on("requestfailed", lambda request: self._failed(request.url, str(request.failure)))
        page.on("response", lambda response: self._failed(response.url, str(response.status) if response.status >= ERROR else ""))

    def _said(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.faults.append(message.text)

    def _failed(self, url: str, why: str) -> None:
        # A stream, or a picture that nobody waits for any more, is ended by the page that goes.
        if why and why != "net::ERR_ABORTED":
            self.faults.append(f"{urlsplit(url).path}: {why}")


@asynccontextmanager
async def watched(browser: Browser, address: str, **context: object) -> AsyncIterator[Watched]:
    """A page in a profile of its own; nothing may have gone wrong on it when the block is left."""
    profile = await browser.new_context(**context)  # type: ignore[arg-type]
    profile.set_default_timeout(PATIENCE_MS)
    try:
        one = Watched(await profile.new_page())
        await one.page.goto(address)
        yield one
        assert not one.faults, one.faults
    finally:
        await profile.close()
