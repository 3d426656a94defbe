"""What two owners do with each other's peers in their browsers: the same steps, however the peers have found each other.

Each step is a function of `(visitor, host)`; the host's site is the demo's.
"""

from __future__ import annotations

import re
import time
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Final

from playwright.async_api import Browser, Page, expect
from tests.cli.command import PATIENCE_SECONDS
from tests.e2e.peers import Running
from tests.web.browser import opened


@dataclass(frozen=True)
class Owner:
    """A peer and its owner's browser, which is on the peer's machine."""

    peer: Running
    browser: Browser

    def looks_at(self, address: str) -> AbstractAsyncContextManager[Page]:
        """A page, until the block is left."""
        return opened(self.browser, address)

    def visits(self, other: Owner, path: str = "") -> AbstractAsyncContextManager[Page]:
        """A page of another peer's site."""
        return self.looks_at(self.peer.visiting(other.peer, path))

    async def chats(self, page: Page, other: Owner) -> None:
        """The console's Chat page, with another peer."""
        await page.evaluate("(peer) => { location.hash = `#/chat?peer=${peer}`; }", other.peer.id)
        await expect(page.get_by_role("textbox", name="Message")).to_be_visible()


Step = Callable[[Owner, Owner], Awaitable[None]]


async def meets(visitor: Owner, host: Owner) -> None:
    """Neither was told of the other's label: the consoles show both, and pages of the visitor too."""
    for one, other in ((visitor, host), (host, visitor)):
        end = time.monotonic() + PATIENCE_SECONDS
        while other.peer.label not in (seen := one.peer.sees()):
            assert time.monotonic() < end, f"{one.peer.label} sees {seen}"
    async with visitor.looks_at(visitor.peer.console) as page:
        await page.evaluate("location.hash = '#/network'")
        await expect(page.get_by_text(host.peer.label, exact=True).first).to_be_visible()


async def scores_the_quiz(visitor: Owner, host: Owner) -> None:
    """Over there, as who the visitor is."""
    key = re.findall(r'answer = "([A-D])"', (host.peer.folder / "site/lua/functions/score-quiz.lua").read_text())
    async with visitor.visits(host, "quiz/") as page:
        for place, letter in enumerate(key):
            await page.locator(f"input[name=q{place}][value={letter}]").check()
        await page.get_by_role("button", name="Score it").click()
        await expect(page.locator("#result")).to_have_text("5 of 5")
        viewer = await page.evaluate("fetch('/api/identity').then((answer) => answer.json())")
        assert viewer["id"] == visitor.peer.id


async def plays_to_the_end(visitor: Owner, host: Owner) -> None:
    """The host wins."""
    async with host.looks_at(f"{host.peer.site}tictactoe/") as b, visitor.visits(host, "tictactoe/") as a:
        await b.get_by_role("button", name="New game").click()
        await a.get_by_role("button", name="Join: ").click()
        for mover, other, position in ((b, a, 0), (a, b, 4), (b, a, 1), (a, b, 8)):
            await expect(mover.locator("#status")).to_have_text("Your turn")
            await mover.locator(f"#board button >> nth={position}").click()
            await expect(other.locator("#status")).to_have_text("Your turn")
        await b.locator("#board button >> nth=2").click()
        await expect(b.locator("#status")).to_have_text("You won!")
        await expect(a.locator("#status")).to_have_text("You lost")


async def reads_the_blog(visitor: Owner, host: Owner) -> None:
    """Which only its owner writes."""
    async with host.looks_at(f"{host.peer.site}blog/") as own:
        post = {"slug": "far", "title": "From afar", "text": "Text", "summary": "Far", "tag": "note", "author": "Bob"}
        added = await own.evaluate("(post) => Goop.api.insert('posts', post)", post)
        assert added["id"]
    async with visitor.visits(host, "blog/") as page:
        await expect(page.get_by_text("From afar").first).to_be_visible()
        another = "{slug: 'x', title: 'x', text: 'x', tag: 'note'}"
        code = await page.evaluate(f"Goop.api.insert('posts', {another}).then(() => '', (error) => error.code)")
        assert code in ("forbidden", "bad_request")


async def chats(visitor: Owner, host: Owner) -> None:
    """A command is answered by the host's script; a message stands as taken, and as read once the host's owner looks."""
    async with visitor.looks_at(visitor.peer.console) as page:
        await visitor.chats(page, host)
        talk, text = page.get_by_role("log"), page.get_by_role("textbox", name="Message")
        await text.fill("!hello Alice")
        await text.press("Enter")
        await expect(talk.locator(".mine").last).to_contain_text("!hello Alice")
        await expect(talk.locator(".mine").last).to_contain_text("✓")
        await expect(talk.locator(".theirs").last).to_contain_text("Hello, Alice!")
        await text.fill("are you there?")
        await text.press("Enter")
        sent = talk.locator(".mine", has_text="are you there?").last
        await expect(sent).to_contain_text("✓")
        await expect(sent).not_to_contain_text("✓✓")
        async with host.looks_at(host.peer.console) as theirs:
            await host.chats(theirs, visitor)
            await expect(theirs.locator(".theirs").last).to_contain_text("are you there?")
            await expect(sent).to_contain_text("✓✓")
            answer = theirs.get_by_role("textbox", name="Message")
            await answer.fill("I am!")
            await answer.press("Enter")
            await expect(talk.locator(".theirs").last).to_contain_text("I am!")
            await expect(theirs.locator(".mine").last).to_contain_text("✓✓")


STEPS: Final[tuple[Step, ...]] = (meets, scores_the_quiz, plays_to_the_end, reads_the_blog, chats)
