"""Goop.group as pages of Goop2 call it, beside our own order of arguments: both are told apart by what is given."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Page
from tests.web.api.test_groups import HOST, OTHER, Net
from tests.web.browser import launched, opened
from tests.web.served import Served, served

from goop2.net.address import peer_id

pytestmark = pytest.mark.asyncio(loop_scope="module")

PAGE = """<!doctype html><html lang="en"><meta charset="utf-8"><title>G</title><script src="/sdk/goop-group.js"></script>
<script>var heard = []; var why = (promise) => promise.then(() => "", (error) => `${error.code}: ${error.message}`);</script></html>"""
GROUP = "0123456789abcdef"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def opened_page(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[tuple[Served, Net, Page]]:
    async with AsyncExitStack() as stack:
        up = await stack.enter_async_context(served(tmp_path_factory.mktemp("sdk-groups")))
        net = Net(up)
        up.peer.grouping.attach(net.post, net.carry, peer_id)
        (up.folder / "site/groups.html").write_text(PAGE)
        browser = await stack.enter_async_context(launched())
        yield up, net, await stack.enter_async_context(opened(browser, f"http://{up.site}/groups.html"))


def payloads(net: Net, group: str) -> list[Any]:
    return [json.loads(each.payload) for each in net.sent if each.topic == f"group:{group}:msg"]


async def test_joining_sending_and_leaving_take_both_orders(opened_page: tuple[Served, Net, Page]) -> None:
    up, net, page = opened_page
    assert "group is missing" in await page.evaluate("why(Goop.group.send({ a: 1 }))")
    assert "payload is missing" in await page.evaluate("why(Goop.group.send('g1'))")
    joined = await page.evaluate(f"Goop.group.join('{HOST}', 'g1')")
    assert (joined["status"], joined["id"], joined["host"]) == ("joined", "g1", HOST)
    assert (await page.evaluate(f"Goop.group.join('g2', '{OTHER}')"))["host"] == OTHER
    for call in (f"send('g1', 1, '{HOST}')", "send({ two: 2 }, 'g1')", "send('three', 'g1')"):
        assert await page.evaluate(f"Goop.group.{call}") == {"status": "sent"}
    for call in ("send([4])", "send('five')"):
        await page.evaluate(f"Goop.group.{call}")
    assert (payloads(net, "g1"), payloads(net, "g2")) == ([1, {"two": 2}, "three"], [[4], "five"])
    listed = await page.evaluate("Goop.group.subscriptions()")
    assert [one["group_id"] for one in listed["subscriptions"]] == ["g1", "g2"]
    assert await page.evaluate("Goop.group.leave()") == {"status": "left"}
    assert [group.id for group in up.peer.grouping.groups.joined()] == ["g1"]
    await page.evaluate("Goop.group.leave('g1')")
    assert await page.evaluate("Goop.group.subscriptions()") == {"subscriptions": [], "active_groups": []}


async def test_a_host_makes_a_group_and_its_roles_and_hears_what_happens(opened_page: tuple[Served, Net, Page]) -> None:
    up, net, page = opened_page
    made = await page.evaluate("Goop.group.create('Game', 'chess', 3)")
    assert (made["status"], made["type"], made["max_members"]) == ("created", "chess", 3)
    id_ = made["id"]
    await page.evaluate("Goop.group.subscribe(() => heard.push('replaced')); 0")
    await page.evaluate("var listening = Goop.group.subscribe((event) => heard.push(event)); Goop.heard().then(() => 0)")
    assert await page.evaluate("(id) => Goop.group.joinOwn(id)", id_) == {"status": "joined"}
    net.say(HOST, id_, "join", {"type": "join"})
    for call in (f"setRole('{id_}', '{HOST}', 'author')", f"setDefaultRole('{id_}', 'author')", f"setRoles('{id_}', ['author', 'viewer'])"):
        assert await page.evaluate(f"Goop.group.{call}") == {"status": "ok"}
    assert "'writer' is none of them" in await page.evaluate(f"why(Goop.group.setRole('{id_}', '{HOST}', 'writer'))")
    (listed,) = await page.evaluate("Goop.group.list()")
    assert {one["peer_id"]: one["role"] for one in listed["members"]} == {up.peer.identity.peer_id: "owner", HOST: "author"}
    await page.evaluate("(id) => Goop.group.send({ move: 'e4' }, id)", id_)
    await page.wait_for_function("heard.some((event) => event.type === 'msg')")
    heard = await page.evaluate("heard")
    assert "replaced" not in heard
    assert heard[-1] == {
        "type": "msg",
        "group": id_,
        "host": up.peer.identity.peer_id,
        "from": up.peer.identity.peer_id,
        "payload": {"move": "e4"},
    }
    members = [event["payload"]["members"] for event in heard if event["type"] == "members"]
    assert {one["peer_id"]: one["role"] for one in members[-1]} == {up.peer.identity.peer_id: "owner", HOST: "author"}
    assert await page.evaluate("(id) => Goop.group.leaveOwn(id)", id_) == {"status": "left"}
    await page.evaluate("listening.close()")
    assert await page.evaluate("(id) => Goop.group.close(id)", id_) == {"status": "closed"}
