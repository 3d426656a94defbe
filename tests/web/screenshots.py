"""Pages as pictures for the documentation. Tests take them always, and keep them only when asked: GOOP2_SCREENSHOTS=1."""

from __future__ import annotations

import os
from pathlib import Path

from playwright.async_api import Page

FOLDER = Path(__file__).parents[2] / "docs/screenshots"
ASKED = "GOOP2_SCREENSHOTS"


async def picture(page: Page, name: str) -> None:
    """The page as a whole, or what a dialog leaves of it, as docs/screenshots/<name>.png."""
    whole = await page.locator("dialog[open]").count() == 0
    taken = await page.screenshot(full_page=whole, animations="disabled", caret="hide")
    if os.environ.get(ASKED):
        FOLDER.mkdir(parents=True, exist_ok=True)
        (FOLDER / f"{name}.png").write_bytes(taken)
