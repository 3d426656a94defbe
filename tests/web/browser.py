"""A real browser: Debian's Chromium through Playwright, nothing of it from the net. Tests skip where there is none.

Where Debian's headless shell is installed it is used: the same engine without the window around it. A page of the console takes a third
of the processor's time there. What keeps strangers' pages apart, and what plays sound, is tried in the whole browser (`whole`).
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import pytest
from playwright.async_api import Browser, Page, async_playwright, expect

WHOLE = ("chromium", "chromium-browser", "google-chrome")
NAMES = ("chromium-headless-shell", *WHOLE)
FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
PATIENCE_MS = 15_000
expect.set_options(timeout=PATIENCE_MS)
UNSEEN = """
  let hidden = false;
  Object.defineProperty(document, "hidden", { get: () => hidden });
  window.look = (seen) => { hidden = !seen; document.dispatchEvent(new Event("visibilitychange")); };
  window.streams = [];
  const Source = EventSource;
  window.EventSource = function (address) { const made = new Source(address); streams.push(made); return made; };
"""
"""Headless pages are always looked at, unless they are told otherwise."""


def executable(names: Sequence[str] = NAMES) -> str:
    """Path of the first Chromium of these; skips the test where there is none."""
    found = os.environ.get("GOOP2_TEST_BROWSER") or next(filter(None, map(shutil.which, names)), None)
    if found is None:
        pytest.skip("no Chromium here: as root `make system` installs it, else install the package chromium")
    return found


def whole() -> str:
    """Path of the Chromium that people use."""
    return executable(WHOLE)


@asynccontextmanager
async def launched(path: str = "", flags: Sequence[str] = ()) -> AsyncIterator[Browser]:
    """The browser, or the one at `path`, with `flags` besides ours; gone afterwards."""
    path = path or executable()
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=path, args=[*FLAGS, *flags])
        try:
            yield browser
        finally:
            await browser.close()


@asynccontextmanager
async def opened(browser: Browser, address: str) -> AsyncIterator[Page]:
    """A page in a profile of its own."""
    context = await browser.new_context()
    context.set_default_timeout(PATIENCE_MS)
    try:
        page = await context.new_page()
        await page.goto(address)
        yield page
    finally:
        await context.close()


async def go_to(page: Page, name: str) -> None:
    """A page of the console, by its name and what stands behind a `?` or a `/`."""
    await page.evaluate("(name) => { location.hash = `#/${name}`; }", name)
    await expect(page.locator(f".page-{re.split('[?/]', name)[0]} h1")).to_be_visible()
