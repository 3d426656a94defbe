"""Every example of the SDK's reference in docs/pages.md runs, on the owner's own page."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser
from tests.web.browser import launched
from tests.web.sdk_pages import SCRIPTS, STYLES, Watched, bare
from tests.web.served import Served, served

pytestmark = pytest.mark.asyncio(loop_scope="module")

REFERENCE = (Path(__file__).parents[2] / "docs/pages.md").read_text().partition("## The SDK by example")[2]
EXAMPLES = re.findall(r"^```js\n(.*?)^```", REFERENCE, re.MULTILINE | re.DOTALL)
POSTS = {
    "name": "posts",
    "columns": [
        {"name": "title", "type": "text", "required": True},
        {"name": "slug", "type": "text"},
        {"name": "published", "type": "integer"},
    ],
}
SETTINGS = {"name": "settings", "columns": [{"name": "key", "type": "text", "key": True}, {"name": "value", "type": "text"}]}
RUN = """async (example) => {
  const el = document.querySelector("main").appendChild(document.createElement("div"));
  const AsyncFunction = (async () => {}).constructor;
  try {
    await new AsyncFunction("el", "hostId", example)(el, location.pathname.split("/")[2]);
    return "";
  } catch (error) {
    return String(error.stack);
  }
}"""
API = {
    "posts": {
        "table": "posts",
        "slug": "slug",
        "get": True,
        "list": {"order": "_id", "limit": 10},
        "insert": True,
        "update": True,
        "delete": True,
    },
    "settings": {"table": "settings", "map": {"key": "key", "value": "value"}},
}
BLOG = 'call = goop.route{ list = function() return goop.orm("posts"):list() end }'


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browser() -> AsyncIterator[Browser]:
    async with launched() as one:
        yield one


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def up(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Served]:
    folder = tmp_path_factory.mktemp("examples")
    (folder / "schemas").mkdir()
    for schema in (POSTS, SETTINGS):
        (folder / f"schemas/{schema['name']}.json").write_text(json.dumps(schema))
    (folder / "site/partials").mkdir(parents=True)
    (folder / "site/partials/card.html").write_text("<article>{{title}}{{#each tags}}<i>{{.}}</i>{{/each}}</article>")
    (folder / "site/api.json").write_text(json.dumps(API))
    (folder / "site/sdk.html").write_text(bare(*SCRIPTS, *STYLES))
    async with served(folder, functions={"blog": BLOG}) as one:
        await one.peer.tables.perform(
            "insert", one.peer.owner, {"table": "posts", "data": {"title": "First", "slug": "first", "published": 1}}
        )
        yield one


async def test_each_example_runs(browser: Browser, up: Served) -> None:
    """All in one page, each in an element of its own: a page for each would take a second."""
    assert len(EXAMPLES) > 35
    context = await browser.new_context()
    try:
        one = Watched(await context.new_page())
        await one.page.goto(f"http://{up.site}{up.front}sdk.html")
        for example in EXAMPLES:
            failed = await one.page.evaluate(RUN, example)
            assert failed == "", example
        # Sending to a peer asks for a network, and the peer of this test is on none.
        refused = ["/api/chat/broadcast: 503", "/api/mq/send: 503", "/api/mq/send: 503"]
        assert [fault for fault in one.faults if not fault.startswith("Failed to load resource")] == refused
    finally:
        await context.close()
