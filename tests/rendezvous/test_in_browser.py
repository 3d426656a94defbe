"""The server's page in a real browser: it is live, and what strangers call themselves stays text."""

from __future__ import annotations

import httpx
from tests.net.hosts import new_identity
from tests.web.browser import PATIENCE_MS, launched, opened

from goop2.config import Address
from goop2.rendezvous.server import open_rendezvous

NAMES = ("Alice", "Bob's kitchen radio", "<img src=x onerror=alert(1)><script>alert(2)</script>")


async def test_the_page_shows_who_comes_without_being_loaded_again_and_runs_nothing_of_theirs() -> None:
    async with open_rendezvous(Address("127.0.0.1", 0)) as url, launched() as browser, opened(browser, url) as page:
        said: list[str] = []
        page.on("console", lambda message: said.append(message.text))
        page.on("dialog", lambda dialog: said.append(dialog.message))
        await page.get_by_text("Nobody yet").wait_for(timeout=PATIENCE_MS)
        async with httpx.AsyncClient(base_url=url) as client:
            for name in NAMES:
                await client.post("/publish", json={"type": "online", "peerId": new_identity().peer_id, "content": name})
        await page.locator("li:nth-child(3)").wait_for(timeout=PATIENCE_MS)
        assert set(await page.locator(".label").all_inner_texts()) == set(NAMES)
        assert await page.title() == "3 peers · Goop2 rendezvous"
        assert said == []
