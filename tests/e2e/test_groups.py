"""Two peers in two processes: a page of Bob's site in Alice's browser joins Bob's group, and messages go both ways."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Page
from tests.cli.command import goop2
from tests.e2e.peers import Running, made, running
from tests.web.browser import launched, opened

PAGE = """<!doctype html><html lang="en"><meta charset="utf-8"><title>Group</title>
<script src="/sdk/goop-group.js"></script><script src="/sdk/goop-data.js"></script>
<script>var heard = []; Goop.group.subscribe((event) => heard.push(event));
var code = (promise) => promise.then(() => "", (error) => error.code);</script></html>"""
MOVES = {
    "name": "moves",
    "columns": [{"name": "move", "type": "text"}],
    "access": {"read": "open", "insert": "group", "update": "owner", "delete": "owner"},
}
PATIENCE_SECONDS = 30


@pytest.fixture
def two(tmp_path: Path) -> Iterator[tuple[Running, Running]]:
    """Alice, who visits, and Bob, who hosts."""
    made(tmp_path / "bob", "Bob")
    (tmp_path / "bob/schemas").mkdir(exist_ok=True)
    (tmp_path / "bob/schemas/moves.json").write_text(json.dumps(MOVES))
    with running(tmp_path / "alice", "Alice") as alice, running(tmp_path / "bob", "Bob") as bob:
        (bob.folder / "site/group.html").write_text(PAGE)
        assert goop2("connect", alice.folder, bob.address).returncode == 0
        yield alice, bob


async def message(page: Page) -> dict[str, Any]:
    """The newest message the page has heard, once there is one."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not (found := await page.evaluate("heard.filter((event) => event.type === 'msg')")):
            await page.wait_for_timeout(50)
    newest: dict[str, Any] = found[-1]
    return newest


async def test_a_page_joins_and_both_sides_hear_each_other(two: tuple[Running, Running]) -> None:
    alice, bob = two
    async with (
        launched() as browser,
        opened(browser, f"{bob.site}group.html") as host,
        opened(browser, alice.visiting(bob, "group.html")) as page,
    ):
        group = await host.evaluate("Goop.group.create('Chess', { max_members: 1 })")
        assert await page.evaluate("code(Goop.group.join('nosuch'))") == "not_found"
        insert = "code(Goop.data.insert('moves', { move: 'e4' }))"
        assert await page.evaluate(insert) == "forbidden"
        joined = await page.evaluate("(id) => Goop.group.join(id)", group["id"])
        assert (joined["name"], joined["host"], joined["members"]) == ("Chess", bob.id, [alice.id])
        assert await page.evaluate(insert) == ""
        await page.evaluate("(id) => Goop.group.send(id, { move: 'e4' })", group["id"])
        said = await message(host)
        assert (said["from"], said["payload"]) == (alice.id, {"move": "e4"})
        await host.evaluate("(id) => Goop.group.send(id, { move: 'e5' })", group["id"])
        assert (await message(page))["payload"] == {"move": "e5"}
        (known,) = (await page.evaluate("Goop.group.subscriptions()"))["subscriptions"]
        assert (known["group_id"], known["host_peer_id"], known["role"]) == (group["id"], bob.id, "viewer")
        assert await page.evaluate("code(Goop.group.create('Mine'))") == "forbidden"
        await page.evaluate("(id) => Goop.group.leave(id)", group["id"])
        assert await page.evaluate("(id) => code(Goop.group.send(id, 1))", group["id"]) == "not_found"
        async with asyncio.timeout(PATIENCE_SECONDS):
            while await page.evaluate(insert) == "":
                await page.wait_for_timeout(50)
        assert await page.evaluate(insert) == "forbidden"
        owners = {row["_owner"] for row in await host.evaluate("Goop.data.query('moves')")}
        assert owners == {alice.id}
