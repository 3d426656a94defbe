"""HTML and JavaScript of the documentation, in a real browser: the pages open without an error, and scripts compile."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from playwright.async_api import Browser
from tests.docs.examples import ROOT, Block, all_blocks
from tests.docs.peer import reference_peer
from tests.web.browser import launched, opened
from tests.web.served import Served

pytestmark = pytest.mark.asyncio(loop_scope="module")
PAGES_SHOWN = [block for block in all_blocks("html") if not {"part", "not run", "file", "below"} & set(block.marks)]
SCRIPTS = all_blocks("js") + [block for block in all_blocks("html") if block not in PAGES_SHOWN]
INLINE = re.compile(r"<script[^>]*>(.*?)</script>", re.DOTALL)
TYPES = (ROOT / "src/goop2/web/sdk/goop.d.ts").read_text("utf-8")
API = {"posts": {"table": "posts", "slug": "title", "get": True, "list": True}}
FUNCTIONS = {"score-quiz": "function call(request) return { score = #(request.params.answers or {}) } end"}
COMPILES = "source => { new (Object.getPrototypeOf(async function () {}).constructor)(source); }"
"""A script of a module may wait at its top, as the body of such a function."""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def peer(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Served]:
    folder = tmp_path_factory.mktemp("peer")
    async with reference_peer(folder, FUNCTIONS) as up:
        (folder / "site/api.json").write_text(json.dumps(API))
        yield up


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browser() -> AsyncIterator[Browser]:
    async with launched() as started:
        yield started


@pytest.mark.parametrize("block", PAGES_SHOWN, ids=lambda block: block.place)
async def test_a_page_opens_without_an_error(block: Block, peer: Served, browser: Browser) -> None:
    (peer.folder / "site/example.html").write_text(f"<!doctype html><title>Example</title>\n{block.text}")
    errors: list[str] = []
    async with opened(browser, "about:blank") as page:
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on("requestfailed", lambda request: errors.append(request.url))
        page.on("response", lambda response: errors.append(response.url) if response.status == 404 and "/sdk/" in response.url else None)
        await page.goto(f"http://{peer.site}{peer.front}example.html", wait_until="load")
    assert errors == []


@pytest.mark.parametrize("block", SCRIPTS, ids=lambda block: block.place)
async def test_a_script_compiles_and_names_functions_of_the_sdk(block: Block, browser: Browser) -> None:
    source = block.text if block.language == "js" else "\n".join(INLINE.findall(block.text))
    source = re.sub(r"^ *import .*$", "", source.replace("…", ""), flags=re.MULTILINE)
    async with opened(browser, "about:blank") as page:
        await page.evaluate(COMPILES, source)
    named = set(re.findall(r"\bGoop\.([a-z]+)\.([a-zA-Z]+)\b", block.text))
    assert [f"Goop.{part}.{name}" for part, name in named if not re.search(rf"\b{name}\b", TYPES)] == []
