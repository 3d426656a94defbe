"""The Site page: files edited, made, dropped, renamed and deleted, and nothing lost between two tabs; templates applied and taken back."""

from __future__ import annotations

import io
import tarfile
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser, FilePayload, Page, expect
from tests.services.templates.clubhouse import template
from tests.web.axe import complaints
from tests.web.browser import PATIENCE_MS, go_to, launched
from tests.web.served import Served, served

pytestmark = pytest.mark.asyncio(loop_scope="module")

FILES = {"css/style.css": "body { color: red }", "notes.md": "# Notes", "data.json": "{}", "big.bin": "\0"}
DROP = """([path, name, text, folder]) => {
  const data = new DataTransfer();
  data.items.add(new File([text], name, { type: "text/plain" }));
  const target = folder ? document.querySelector(`[data-folder="${folder}"]`) : document.querySelector(path);
  const how = { dataTransfer: data, bubbles: true, cancelable: true };
  for (const kind of ["dragenter", "dragover", "drop"]) target.dispatchEvent(new DragEvent(kind, how));
}"""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browser() -> AsyncIterator[Browser]:
    async with launched() as one:
        yield one


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def up(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Served]:
    """One peer for all tests; each uses files of its own."""
    folder = tmp_path_factory.mktemp("peer")
    for path, text in FILES.items():
        (folder / "site" / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / "site" / path).write_text(text)
    async with served(folder) as one:
        yield one


async def opened_at(browser: Browser, up: Served, address: str, width: int = 1280, *, dark: bool = False) -> Page:
    context = await browser.new_context(viewport={"width": width, "height": 900}, color_scheme="dark" if dark else "light")
    context.set_default_timeout(PATIENCE_MS)
    page = await context.new_page()
    page.on("pageerror", lambda error: pytest.fail(str(error)))
    await page.goto(up.web.console)
    await go_to(page, address)
    return page


async def write(page: Page, text: str) -> None:
    await page.locator(".cm-content").click()
    await page.keyboard.press("ControlOrMeta+a")
    await page.keyboard.insert_text(text)


async def upload(page: Page, name: str, text: bytes) -> None:
    file: FilePayload = {"name": name, "mimeType": "application/octet-stream", "buffer": text}
    await page.locator("input[type=file]").set_input_files(file)


def content(up: Served, path: str) -> str:
    return (up.folder / "site" / path).read_text()


async def test_a_file_is_edited_by_the_keyboard(browser: Browser, up: Served) -> None:
    page = await opened_at(browser, up, "site?file=css/style.css")
    await expect(page.get_by_role("heading", name="css/style.css")).to_be_visible()
    await write(page, "body { color: green }")
    await expect(page.locator(".script-work [role=status]")).to_have_text("Not saved.")
    await page.keyboard.press("ControlOrMeta+s")
    await expect(page.locator(".script-work [role=status]")).to_have_text("Saved. Visitors see it.")
    assert content(up, "css/style.css") == "body { color: green }"
    await page.keyboard.press("Escape")
    await expect(page.locator(".editor")).to_be_focused()
    assert await complaints(page) == []
    await page.context.close()


async def test_two_tabs_lose_nothing(browser: Browser, up: Served) -> None:
    one, other = [await opened_at(browser, up, "site?file=notes.md") for _ in range(2)]
    await write(one, "# One")
    await write(other, "# Other")
    await one.get_by_role("button", name="Save").click()
    await expect(one.locator(".script-work [role=status]")).to_have_text("Saved. Visitors see it.")
    await other.get_by_role("button", name="Save").click()
    await expect(other.get_by_role("dialog")).to_contain_text("was changed meanwhile")
    await other.get_by_role("button", name="Cancel").click()
    assert content(up, "notes.md") == "# One"
    await expect(other.locator(".cm-content")).to_contain_text("# Other")
    await other.get_by_role("button", name="Save").click()  # told, and meant
    await expect(other.locator(".script-work [role=status]")).to_have_text("Saved. Visitors see it.")
    assert content(up, "notes.md") == "# Other"
    await write(one, "# One again")
    await one.get_by_role("button", name="Save").click()
    await one.get_by_role("button", name="Load the file").click()
    await expect(one.locator(".cm-content")).to_have_text("# Other")
    for page in (one, other):
        await page.context.close()


async def test_a_file_is_made_renamed_and_deleted(browser: Browser, up: Served) -> None:
    page = await opened_at(browser, up, "site")
    await page.get_by_role("button", name="New file").click()
    await page.get_by_role("dialog").get_by_role("textbox").fill("pages/about.html")
    await page.get_by_role("button", name="Create").click()
    await expect(page.get_by_role("heading", name="pages/about.html")).to_be_visible()
    assert content(up, "pages/about.html").startswith("<!doctype html>")
    await page.get_by_role("button", name="Rename").click()
    await page.get_by_role("dialog").get_by_role("textbox").fill("about.html")
    await page.get_by_role("dialog").get_by_role("button", name="Rename").click()
    await expect(page.get_by_role("heading", name="about.html", exact=True)).to_be_visible()
    assert not (up.folder / "site/pages").exists()
    await page.get_by_role("button", name="Rename").click()
    await page.get_by_role("dialog").get_by_role("textbox").fill("index.html")
    await page.get_by_role("dialog").get_by_role("button", name="Rename").click()
    await expect(page.get_by_role("dialog").get_by_role("alert")).to_contain_text("there is a file 'index.html' already")
    await page.get_by_role("button", name="Cancel").click()
    await page.get_by_role("button", name="Delete").click()
    await page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    await expect(page.get_by_role("link", name="about.html")).to_have_count(0)
    assert "Front page" in content(up, "index.html")
    await page.context.close()


@pytest.mark.parametrize("path", ["lua/x.lua", ".hidden", "../goop.json", "css/../../x", "a//b"])
async def test_a_refused_name_is_a_sentence_in_the_dialog(browser: Browser, up: Served, path: str) -> None:
    page = await opened_at(browser, up, "site")
    await page.get_by_role("button", name="New file").click()
    await page.get_by_role("dialog").get_by_role("textbox").fill(path)
    await page.get_by_role("button", name="Create").click()
    await expect(page.get_by_role("dialog").get_by_role("alert")).to_contain_text("is no place for a file of the site")
    await page.context.close()


async def test_files_are_dropped_and_nothing_is_replaced_unasked(browser: Browser, up: Served) -> None:
    page = await opened_at(browser, up, "site")
    await expect(page.get_by_role("link", name="data.json")).to_be_visible()
    await page.evaluate(DROP, [".site-bench", "dropped.txt", "one", ""])
    await expect(page.get_by_role("link", name="dropped.txt")).to_be_visible()
    await page.evaluate(DROP, ["", "inner.css", "b{}", "css"])
    await expect(page.get_by_role("heading", name="css/inner.css")).to_be_visible()
    await page.evaluate(DROP, [".site-bench", "dropped.txt", "two", ""])
    await page.get_by_role("dialog").get_by_role("button", name="Cancel").click()
    assert content(up, "dropped.txt") == "one"
    await page.evaluate(DROP, [".site-bench", "dropped.txt", "three", ""])
    await page.get_by_role("dialog").get_by_role("button", name="Replace").click()
    await expect(page.get_by_role("heading", name="dropped.txt")).to_be_visible()
    await expect(page.locator(".cm-content")).to_have_text("three")
    assert content(up, "dropped.txt") == "three"
    await upload(page, "b.txt", b"chosen")
    await expect(page.get_by_role("link", name="b.txt")).to_be_visible()
    await page.context.close()


async def test_a_preview_follows_what_is_saved(browser: Browser, up: Served) -> None:
    page = await opened_at(browser, up, "site?file=index.html")
    async with page.context.expect_page() as waiting:
        await page.get_by_role("button", name="Preview", exact=True).click()
    preview = await waiting.value
    await expect(preview.get_by_role("heading")).to_have_text("Front page")
    assert await preview.evaluate("window.opener === null")
    await preview.reload()  # the first one may have been before the peer followed
    await write(page, "<h1>Changed</h1>")
    await page.keyboard.press("ControlOrMeta+s")
    await expect(preview.get_by_role("heading")).to_have_text("Changed")
    await page.context.close()


async def test_what_is_no_text_is_said(browser: Browser, up: Served) -> None:
    page = await opened_at(browser, up, "site?file=big.bin")
    await expect(page.locator(".script-work [role=status]")).to_contain_text("no UTF-8 text")
    await expect(page.get_by_role("button", name="Save")).to_be_hidden()
    await page.context.close()


async def test_a_template_is_read_agreed_to_applied_and_taken_back(browser: Browser, up: Served, tmp_path: Path) -> None:
    template(tmp_path, {"schemas/draft.json": None})
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        archive.add(tmp_path / "club", "club")
    before = {path.name for path in (up.folder / "site").iterdir()}
    page = await opened_at(browser, up, "site/templates")
    await upload(page, "club.tar.gz", packed.getvalue())
    plan = page.locator(".plan-card")
    await expect(plan).to_contain_text("Pages and scripts of Clubhouse run with your rights")
    await expect(plan).to_contain_text("functions/board.lua: anyone who can open the site has it run")
    assert await complaints(page) == []
    await expect(page.get_by_role("button", name="Apply Clubhouse")).to_be_disabled()
    await page.get_by_label("I have read this, and agree").check()
    await page.get_by_role("button", name="Apply Clubhouse").click()
    await expect(page.get_by_role("heading", name="Clubhouse is the site now")).to_be_visible()
    assert content(up, "index.html") == "<h1>Club</h1>"
    await page.get_by_role("button", name="Undo the last template").click()
    await expect(plan).to_contain_text("Take back Clubhouse")
    await page.get_by_role("button", name="Undo", exact=True).click()
    await expect(page.get_by_role("heading", name="Clubhouse is taken back")).to_be_visible()
    assert {path.name for path in (up.folder / "site").iterdir()} == before
    await upload(page, "bad.tar.gz", b"PK")
    await expect(page.get_by_role("alert")).to_contain_text("the archive is damaged, or no .tar.gz")
    await page.context.close()


@pytest.mark.parametrize("address", ["site?file=css/style.css", "site/templates"])
@pytest.mark.parametrize("dark", [False, True])
async def test_on_a_phone_nothing_is_wider_and_all_can_use_it(browser: Browser, up: Served, address: str, dark: bool) -> None:
    page = await opened_at(browser, up, address, 390, dark=dark)
    if "templates" in address:
        await page.get_by_role("button", name="Look at guestbook").click()
        await expect(page.locator(".plan-card")).to_be_visible()
    else:
        await expect(page.locator(".cm-content")).to_be_visible()
    assert await page.evaluate("document.documentElement.scrollWidth") <= 390
    assert await complaints(page) == []
    await page.context.close()
