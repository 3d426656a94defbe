"""Chat rooms from pages: the owner's make and end them, a visited site's are in rooms of its own peer, visitors in none."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Page
from tests.web.api.test_groups import HOST, OTHER, Net, visiting
from tests.web.browser import launched, opened
from tests.web.served import Answer, Served, served

from goop2.net.address import peer_id
from goop2.protocols import rooms, topics

PATIENCE_SECONDS = 10
pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def up(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Served]:
    async with served(tmp_path_factory.mktemp("rooms")) as one:
        yield one


@pytest_asyncio.fixture(loop_scope="module")
async def net(up: Served) -> AsyncIterator[Net]:
    net = Net(up)
    up.peer.grouping.attach(net.post, net.carry, peer_id)
    yield net
    for room in up.peer.rooms.rooms():
        if room.group.host == up.peer.identity.peer_id:
            await up.peer.rooms.end(room.group.id)
        else:
            await up.peer.rooms.leave(room.group.id, room.group.host)
    up.peer.grouping.detach()


async def post(up: Served, what: str, at: str = "", **body: Any) -> Answer:
    return await up.ask(f"/api/chat/rooms/{what}", host=at, method="POST", body=json.dumps(body).encode(), accept="application/json")


async def state(up: Served, room: str, at: str = "") -> Answer:
    return await up.ask(f"/api/chat/rooms/state?group_id={room}", host=at, accept="application/json")


def joins(up: Served, host: str, group: str) -> None:
    """As if this peer were let into a room of that host."""
    up.peer.grouping.groups.join(host, group)
    welcome = {"group_name": "Den", "group_type": "chat", "members": [{"peer_id": host}, {"peer_id": up.peer.identity.peer_id}]}
    said = topics.read(topics.group_topic(group, "welcome"), json.dumps(welcome).encode())
    assert isinstance(said, topics.Group)
    up.peer.grouping.received(host, said)


async def heard(page: Page, event: list[str]) -> None:
    """Wait until the page has heard of it."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while event not in await page.evaluate("heard"):
            await page.wait_for_timeout(50)


async def test_the_owner_opens_a_room_speaks_and_closes_it(up: Served, net: Net) -> None:
    made = (await post(up, "create", name="Lounge", description="For all", max_members=5, context="club")).json
    own = up.peer.identity.peer_id
    assert (made["name"], made["description"], [member["peer_id"] for member in made["members"]]) == ("Lounge", "For all", [own])
    assert (await post(up, "send", group_id=made["id"], text="Hello")).json["status"] == "sent"
    answer = (await state(up, made["id"])).json
    assert {key: answer["room"][key] for key in ("id", "name", "description")} == {key: made[key] for key in ("id", "name", "description")}
    (message,) = answer["messages"]
    assert (message["from"], message["text"]) == (own, "Hello")
    assert message["id"] == f"{message['id'].partition('-')[0]}-{own[:8]}"
    assert [one["id"] for one in (await up.ask("/api/chat/rooms")).json] == [made["id"]]
    assert (await post(up, "close", group_id=made["id"])).json == {"status": "closed"}
    gone = await state(up, made["id"])
    assert (gone.status, gone.json["message"]) == (404, f"room not found: {made['id']}")


@pytest.mark.parametrize(
    ("what", "body", "status", "why"),
    [
        ("send", {"group_id": "nosuch", "text": "hi"}, 404, "room not found: nosuch"),
        ("leave", {"group_id": "nosuch"}, 404, "room not found"),
        ("close", {"group_id": "nosuch"}, 404, "room not found"),
        ("create", {"name": " "}, 400, "1 to 200 characters"),
        ("create", {"name": "x", "description": "d" * 501}, 400, "a description has 501 characters; the most is 500"),
        ("send", {"text": "hi"}, 400, 'the body should be {"group_id": group, "text": text}'),
    ],
)
async def test_what_cannot_be_is_refused_in_a_sentence(
    up: Served, net: Net, what: str, body: dict[str, Any], status: int, why: str
) -> None:
    answer = await post(up, what, **body)
    assert (answer.status, why in answer.json["message"]) == (status, True), answer.json


async def test_a_visited_page_is_in_rooms_of_its_own_peer_alone(up: Served, net: Net) -> None:
    joins(up, HOST, "r1")
    joins(up, OTHER, "r2")
    theirs = visiting(up)
    assert [one["id"] for one in (await up.ask("/api/chat/rooms", host=theirs)).json] == ["r1"]
    assert (await state(up, "r2", theirs)).status == 404
    assert (await post(up, "send", theirs, group_id="r2", text="hi")).status == 404
    assert (await post(up, "leave", theirs, group_id="r2")).status == 404
    assert (await post(up, "join", theirs, host_peer_id=OTHER, group_id="r2")).status == 403
    assert (await post(up, "create", theirs, name="Theirs")).status == 403
    assert (await post(up, "send", theirs, group_id="r1", text="hi")).json["status"] == "sent"
    assert (net.sent[-1].peer, net.sent[-1].topic) == (HOST, "chat.room:r1:msg")


async def test_pages_hear_what_is_said_in_rooms_that_are_theirs(up: Served, net: Net) -> None:
    page_text = '<!doctype html><title>R</title><script src="/sdk/goop-chatroom.js"></script>'
    (up.folder / "site/rooms.html").write_text(page_text)
    async with launched() as browser, AsyncExitStack() as stack:
        own = await stack.enter_async_context(opened(browser, f"http://{up.site}/rooms.html"))
        theirs = await stack.enter_async_context(opened(browser, f"http://{visiting(up)}/"))
        await theirs.add_script_tag(url="/sdk/goop-chatroom.js")
        for page in (own, theirs):
            await page.evaluate(
                "var heard = []; Goop.chatroom.subscribe((room, action, data) => heard.push([room, action, data.message?.text || '']));"
                "new Promise((done) => setTimeout(done, 300))"
            )
        joins(up, HOST, "r1")
        made = await own.evaluate("Goop.chatroom.create('Lounge', 'All')")
        await own.evaluate("(id) => Goop.chatroom.send(id, 'mine')", made["id"])
        said = rooms.RoomPayload(action="msg", message=rooms.RoomMessage("1-x", OTHER, "Bob", "of the host", 1))
        up.peer.rooms.received(HOST, "r1", said)
        up.peer.rooms.received(HOST, "r1", said)
        for page, room, text in ((own, made["id"], "mine"), (own, "r1", "of the host"), (theirs, "r1", "of the host")):
            await heard(page, [room, "msg", text])
        assert [text for _, action, text in await theirs.evaluate("heard") if action == "msg"] == ["of the host"], (
            "once, and of its peer alone"
        )
        assert (await theirs.evaluate("Goop.chatroom.state('r1')"))["messages"][0]["from_name"] == "Bob"
        await own.evaluate("(id) => Goop.chatroom.close(id)", made["id"])
        await heard(own, [made["id"], "close", ""])
