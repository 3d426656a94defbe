"""The console and the SDK in the browser's language, and in the one that was chosen."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, expect
from tests.web.axe import complaints
from tests.web.browser import PATIENCE_MS, go_to, launched
from tests.web.served import Served, served

pytestmark = pytest.mark.asyncio(loop_scope="module")

ENGLISH = re.compile(r"\b(the|and|this|with|settings|scripts are|nothing)\b", re.IGNORECASE)
SHOWN = "main h1, main h2, main button, #nav a"
FLASHES = """
  window.seen = [];
  const look = () => seen.push(document.body?.innerText || "");
  new MutationObserver(look).observe(document, { subtree: true, childList: true, characterData: true });
"""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browser() -> AsyncIterator[Browser]:
    async with launched() as one:
        yield one


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def up(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Served]:
    folder = tmp_path_factory.mktemp("peer")
    (folder / "site").mkdir()
    (folder / "site/ask.html").write_text('<!doctype html><div id="ask"></div><script src="/sdk/goop-component-dialog.js"></script>')
    async with served(folder) as one:
        yield one


async def page_in(browser: Browser, address: str, locale: str) -> tuple[Page, list[str]]:
    """Return a page of a browser of that language, and the list of what it asked for and complained of."""
    context = await browser.new_context(locale=locale, viewport={"width": 390, "height": 800})
    context.set_default_timeout(PATIENCE_MS)
    page = await context.new_page()
    said: list[str] = []
    page.on("request", lambda request: said.append(request.url) if "/languages/" in request.url else None)
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("console", lambda message: said.append(message.text) if message.type in ("error", "warning") else None)
    await page.add_init_script(FLASHES)
    await page.goto(address)
    return page, said


async def test_the_console_speaks_the_browsers_language_and_then_the_chosen_one(browser: Browser, up: Served) -> None:
    page, said = await page_in(browser, up.web.console, "de-AT")
    await expect(page.locator("#link")).to_have_attribute("data-state", "live")
    await expect(page.locator("html")).to_have_attribute("lang", "de")
    await expect(page.locator("#nav a").first).to_have_text("Start")
    assert not [text for text in await page.evaluate("seen") if re.search(r"One moment|Skip to|\bSettings\b", text)], "no flash of English"
    assert {url.rpartition("/")[2] for url in said} == {"de.json"}, "only the chosen language, and no complaint"
    await go_to(page, "settings")
    assert not [text for text in await page.locator(SHOWN).all_inner_texts() if ENGLISH.search(text)]
    assert await complaints(page) == []
    assert await page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
    await page.get_by_label("Sprache der Konsole").select_option("es")
    await expect(page.locator("html")).to_have_attribute("lang", "es")
    await expect(page.get_by_role("heading", level=1)).to_have_text("Ajustes")
    await page.reload()
    await expect(page.locator("html")).to_have_attribute("lang", "es")
    await expect(page.locator("#nav a").first).to_have_text("Inicio")
    said.clear()
    await page.get_by_label("Idioma de la consola").select_option("en")
    await expect(page.get_by_role("heading", level=1)).to_have_text("Settings")
    assert said == []
    await page.context.close()


async def test_a_browser_of_another_language_gets_english(browser: Browser, up: Served) -> None:
    page, said = await page_in(browser, up.web.console, "fi-FI")
    await expect(page.locator("#nav a").first).to_have_text("Home")
    await expect(page.locator("html")).to_have_attribute("lang", "en")
    assert said == []
    await page.context.close()


async def test_a_component_speaks_the_browsers_language_and_the_pages_texts_win(browser: Browser, up: Served) -> None:
    page, said = await page_in(browser, f"http://{up.site}{up.front}ask.html", "es-MX")
    german = await up.ask("/sdk/goop-component-dialog.js", accept_language="de")
    assert b"Abbrechen" in german.body
    assert "accept-language" in german.headers["vary"]
    assert b"Abbrechen" not in (await up.ask("/sdk/goop-component-dialog.js?lang=en", accept_language="de")).body
    buttons = await page.evaluate("""() => {
      Goop.ui.dialog("ask").confirm("?");
      const own = [...document.querySelectorAll("#ask button")].map((one) => one.textContent);
      document.getElementById("ask").replaceChildren();
      Goop.ui.dialog("ask").prompt({ title: "?", okText: "Venga" });
      const given = [Goop.text("Cancel"), (Goop.texts.Cancel = "No", Goop.text("Cancel"))];
      return [own, document.querySelector("#ask .gc-dialog-ok").textContent, ...given];
    }""")
    assert buttons == [["Cancelar", "Aceptar"], "Venga", "Cancelar", "No"]
    assert said == []
    await page.context.close()
