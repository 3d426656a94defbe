"""Answers that come late: a request of a page is carried out, and its answer is held until a test lets it go."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from urllib.parse import urlsplit, urlunsplit

from playwright.async_api import Page, Request, Route
from tests.web.browser import PATIENCE_MS

PAINTED = "new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))"
Which = Callable[[Request], bool]


class Late:
    """An answer that is held."""

    def __init__(self, page: Page, refused: str, instead: object) -> None:
        self._page = page
        self._refused = refused
        self._instead = instead
        self._request: Request | None = None
        self._asked = asyncio.Event()
        self._let_go = asyncio.Event()

    async def asked(self) -> None:
        """Wait until the page has asked."""
        await asyncio.wait_for(self._asked.wait(), PATIENCE_MS / 1000)

    async def comes(self) -> None:
        """Let the answer go, and wait until the page has painted what it makes of it."""
        await self.asked()
        async with self._page.expect_event("requestfinished", lambda request: request == self._request):
            self._let_go.set()
        await self._page.evaluate(PAINTED)

    async def take(self, route: Route) -> None:
        """Hold this one."""
        self._request = route.request
        if self._refused or self._instead:
            self._asked.set()
            await self._let_go.wait()
            refusal = {"code": "bad_request", "message": self._refused}
            await route.fulfill(status=400 if self._refused else 200, json=self._instead or refusal)
            return
        place = urlsplit(route.request.url)  # Playwright's own client finds no *.localhost
        url = urlunsplit(place._replace(netloc=f"127.0.0.1:{place.port}"))
        response = await route.fetch(url=url, headers={**await route.request.all_headers(), "host": place.netloc})
        self._asked.set()
        await self._let_go.wait()
        await route.fulfill(response=response)

    @property
    def is_taken(self) -> bool:
        """Whether a request is held already."""
        return self._request is not None


@asynccontextmanager
async def late(
    page: Page, path: str, which: Which = lambda _request: True, *, refused: str = "", instead: object = None
) -> AsyncIterator[Late]:
    """Hold the answer to the next request for `path` that `which` says yes to.

    It is not carried out where `refused` says why, or `instead` is the answer.
    """
    held = Late(page, refused, instead)

    async def take(route: Route) -> None:
        if held.is_taken or not which(route.request):
            await route.fallback()
        else:
            await held.take(route)

    await page.route(path, take)
    try:
        yield held
    finally:
        held._let_go.set()
        await page.unroute(path, take)
