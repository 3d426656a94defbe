"""Our templates as another program's viewer shows them: below /p/<id>/, with its endpoints and the SDK files that all its versions have.

The SDK here is written from existing-sites.md alone. Whatever else a page asks for is not there, and fails the test.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.async_api import Browser, Page, Route, expect
from tests.folder.templates.sites import site_of
from tests.folder.templates.test_listening import png
from tests.web.browser import PATIENCE_MS
from tests.web.served import Served

from goop2.folder.content_types import content_type

pytestmark = pytest.mark.asyncio(loop_scope="module")

VIEWER = "http://127.0.0.1:9"
"""Nobody listens there: every request is answered here."""
SDK = {
    "goop-data.js": """
globalThis.Goop = globalThis.Goop || {};
(function () {
  const host = (/^\\/p\\/([^/]+)/.exec(location.pathname) || [])[1];
  const ask = async (op, body) => {
    const headers = { "Content-Type": "application/json" };
    const response = await fetch(`/api/p/${host}/data/${op}`, { method: "POST", headers, body: JSON.stringify(body) });
    if (!response.ok) throw new Error(await response.text());
    return response.json();
  };
  Goop.data = {
    query: (table, options = {}) => ask("query", { table, ...options }),
    insert: (table, data) => ask("insert", { table, data }),
    update: (table, id, data) => ask("update", { table, id, data }),
    remove: (table, id) => ask("delete", { table, id }),
    call: (name, params) => ask("lua/call", { function: name, params: params || {} }),
  };
})();""",
    "goop-identity.js": """
(function () {
  let known;
  const get = async () => known || (known = await (await fetch("/api/self")).json());
  Goop.identity = { get, id: async () => (await get()).id, label: async () => (await get()).label, email: async () => (await get()).email };
})();""",
}
DROPPED = ("order", "fields")
"""What that program does not pass on to another peer."""


class Viewer:
    """Answers a page as that program would, for a visitor of the site; `missing` are addresses it does not have."""

    def __init__(self, up: Served) -> None:
        self._up = up
        self._peer = up.peer.identity.peer_id
        self.missing: list[str] = []
        self.address = f"{VIEWER}/p/{self._peer}/"

    async def answer(self, route: Route) -> None:
        path = urlsplit(route.request.url).path
        found = await self._found(path, route.request.post_data_buffer or b"")
        if found is None:
            self.missing.append(path)
            await route.fulfill(status=404, body="not found")
            return
        status, type_, body = found
        await route.fulfill(status=status, content_type=type_, body=body)

    async def _found(self, path: str, sent: bytes) -> tuple[int, str, bytes] | None:
        if path.startswith("/sdk/"):
            text = SDK.get(path.removeprefix("/sdk/"))
            return (200, "text/javascript", text.encode()) if text else None
        if path == "/api/self":
            return 200, "application/json", json.dumps({"id": "visitor-ann", "label": "Ann", "email": "", "avatar_hash": ""}).encode()
        if path.startswith(f"/api/p/{self._peer}/data/"):
            return await self._data(path.rpartition("/data/")[2], json.loads(sent))
        if path.startswith(f"/p/{self._peer}/"):
            file = self._up.folder / "site" / path.removeprefix(f"/p/{self._peer}/")
            file = file / "index.html" if path.endswith("/") else file
            return (200, content_type(file.name), file.read_bytes()) if file.is_file() else None
        return None

    async def _data(self, op: str, asked: dict[str, object]) -> tuple[int, str, bytes]:
        body = json.dumps({key: value for key, value in asked.items() if key not in DROPPED}).encode()
        answer = await self._up.ask(f"/api/data/{op}", host=self._up.visitor("ann"), method="POST", body=body)
        if answer.status != 200:
            return answer.status, "text/plain", answer.json["message"].encode()
        return 200, "application/json", b"null" if answer.body == b"[]" else answer.body


@asynccontextmanager
async def shown(browser: Browser, folder: Path, template: str) -> AsyncIterator[tuple[Served, Page]]:
    """The template in the other viewer. An error of the page, or an address that is not there, fails the test."""
    async with site_of(folder, template) as up:
        context = await browser.new_context(locale="en-GB", timezone_id="UTC")
        context.set_default_timeout(PATIENCE_MS)
        page, viewer, errors = await context.new_page(), Viewer(up), list[str]()
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on("console", lambda line: errors.append(line.text) if line.type == "error" else None)
        await page.route("**/*", viewer.answer)
        await page.goto(viewer.address)
        try:
            yield up, page
        finally:
            await context.close()
        assert (viewer.missing, errors) == ([], [])


async def guestbook(up: Served, page: Page) -> None:
    for message in ("I came by boat.", "Then I left."):
        await page.get_by_label("Your name").fill("Ann")
        await page.get_by_label("Your message").fill(message)
        await page.get_by_role("button", name="Sign the book").click()
        await expect(page.locator(".entry").first).to_contain_text(message)
    await expect(page.locator(".entry")).to_contain_text(["Then I left.", "I came by boat."])
    await expect(page.get_by_role("status").last).to_have_text("Thank you!")
    await page.get_by_role("button", name="Remove the entry of Ann").first.click()
    await page.get_by_role("dialog").get_by_role("button", name="OK").click()
    await expect(page.locator(".entry")).to_have_count(1)


async def blog(up: Served, page: Page) -> None:
    await expect(page.locator("#list li")).to_have_count(0)
    row = {"slug": "first", "title": "The first", "text": "Hello.", "tag": "note"}
    body = json.dumps({"function": "api", "params": {"action": "insert", "resource": "posts", "data": row}}).encode()
    assert (await up.ask("/api/data/lua/call", method="POST", body=body)).status == 200
    await page.reload()
    await page.get_by_role("link", name="The first").click()
    await expect(page.get_by_role("main")).to_contain_text("Hello.")
    await expect(page.get_by_role("button", name="Write")).to_be_hidden()


async def tictactoe(up: Served, page: Page) -> None:
    await page.get_by_role("button", name="New game").click()
    await expect(page.locator("#game")).to_be_visible()
    await page.goto(f"{page.url.split('#')[0]}#999")
    await expect(page.get_by_role("status").filter(has_text="That game is not there any more.")).to_be_visible()
    await expect(page.locator("#games li")).to_have_count(1)


async def quiz(up: Served, page: Page) -> None:
    await page.get_by_role("radio").first.check()
    await page.get_by_role("button", name="Score it").click()
    await expect(page.locator("#result")).to_contain_text("of 5")


async def listening(up: Served, page: Page) -> None:
    await expect(page.get_by_text("This program plays sessions on a page of its own")).to_be_visible()
    await expect(page.get_by_role("button", name="Listen")).to_be_hidden()


async def todo(up: Served, page: Page) -> None:
    await asked(up, "todo", "add", title="Fix the gate")
    await page.reload()
    await expect(page.get_by_label("Fix the gate")).to_be_disabled()


async def poll(up: Served, page: Page) -> None:
    await asked(up, "poll", "ask", question="Tea or coffee?", choices="Tea\nCoffee")
    await page.reload()
    await page.get_by_role("link", name="Tea or coffee?").click()
    await page.get_by_label("Coffee").check()
    await page.get_by_role("button", name="Answer").click()
    await expect(page.locator("#bars dt.mine")).to_contain_text("Coffee (your answer)1 · 100 %")


async def rooms(up: Served, page: Page) -> None:
    await asked(up, "rooms", "open", name="Lounge")
    await page.reload()
    await page.get_by_role("link", name="Enter Lounge").click()
    await page.get_by_label("Message").fill("Hello")
    await page.get_by_role("button", name="Send").click()
    await expect(page.locator("#log .said")).to_have_text("Hello")


async def kanban(up: Served, page: Page) -> None:
    await asked(up, "kanban", "add", title="Paint", lane="todo")
    await asked(up, "kanban", "open", open=True)
    await page.reload()
    await page.get_by_role("button", name="Move: Paint").click()
    await page.get_by_label("Lane").select_option("Done")
    await page.get_by_role("button", name="Save").click()
    await expect(page.locator("#done h3")).to_have_text("Paint")


async def photos(up: Served, page: Page) -> None:
    (up.folder / "site/images").mkdir()
    (up.folder / "site/images/a.jpg").write_bytes(png(8, 8))
    await asked(up, "photos", "add", path="images/a.jpg", caption="A square", width=8, height=8)
    await page.reload()
    await page.get_by_role("link", name="A square").click()
    await page.wait_for_url("**/images/a.jpg")


async def asked(up: Served, function: str, action: str, **params: object) -> None:
    answer = await up.call(function, {"action": action, **params})
    assert answer.status == 200, answer.body


NEW = (todo, poll, rooms, kanban, photos)


async def test_templates_with_helpers_work_in_another_programs_viewer(browser: Browser, tmp_path: Path) -> None:
    """All in one peer, each in a folder of its site."""
    async with shown(browser, tmp_path / "peer", "demo") as (up, page):
        front = page.url
        for use in NEW:
            await page.goto(f"{front}{use.__name__}/")
            await use(up, page)


@pytest.mark.parametrize("use", [guestbook, blog, tictactoe, quiz, listening])
async def test_a_template_works_in_another_programs_viewer(
    browser: Browser, tmp_path: Path, use: Callable[[Served, Page], Awaitable[None]]
) -> None:
    async with shown(browser, tmp_path / "peer", use.__name__) as (up, page):
        await use(up, page)
