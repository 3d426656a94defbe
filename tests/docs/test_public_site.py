"""The public site is made of the same pages, and a reader's browser fetches nothing from elsewhere. `make site` makes it and runs this."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from tests.docs.examples import DOCS, ROOT
from tests.web.browser import launched
from tools import public_site

SITE = ROOT / "build/public/site"


@pytest.fixture(scope="module")
def site() -> Path:
    """Return the folder of the site, made anew."""
    if not os.environ.get("GOOP2_SITE"):
        pytest.skip("make site makes it: that takes some seconds")
    done = subprocess.run([sys.executable, "tools/public_site.py"], cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return SITE


def test_every_page_is_there(site: Path) -> None:
    pages = {str(page.relative_to(DOCS).with_suffix(".html")) for page in DOCS.rglob("*.md")}
    assert pages == {str(page.relative_to(site)) for page in site.rglob("*.html")} - {"404.html"}


async def test_a_page_fetches_nothing_from_elsewhere(site: Path) -> None:
    fetched: list[str] = []
    async with launched() as browser:
        page = await browser.new_page(viewport={"width": 1280, "height": 800})
        page.on("request", lambda request: fetched.append(request.url))
        for name in ("index.html", "tutorial.html", "how-to/poll.html"):
            await page.goto((site / name).as_uri(), wait_until="load")
            await page.wait_for_timeout(200)  # what scripts fetch after the page has loaded
    assert [address for address in fetched if not address.startswith(("file:", "data:", "blob:"))] == []
    assert len(fetched) > 10


def test_a_link_out_of_the_documentation_is_only_text(tmp_path: Path) -> None:
    text = "[a](../README.md) [b](data.md)\n\n<!-- call: {} => 1 -->\n```html\n<!-- kept -->\n```\n"
    made = public_site.public(text, tmp_path)
    assert made == "a [b](data.md)\n\n```html\n<!-- kept -->\n```\n"
