"""The console's Rooms page, of two owners: a room is opened, joined, written in and closed, each step seen by the other at once."""

from __future__ import annotations

import json

import pytest
from playwright.async_api import Browser, Locator, expect
from tests.web.browser import PATIENCE_MS
from tests.web.console.controls.test_groups import HOSTILE, Owner, browser, owners
from tests.web.served import served

from goop2.protocols.rooms import RoomMessage, RoomPayload
from goop2.web.console.controls.rooms import MEMBERS_SHOWN

pytestmark = pytest.mark.asyncio(loop_scope="module")
__all__ = ["browser", "owners"]


async def to_rooms(owner: Owner) -> None:
    await owner.page.keyboard.press("g")
    await owner.page.keyboard.press("m")
    await expect(owner.page.get_by_role("heading", level=1)).to_have_text("Rooms")


def talk(owner: Owner) -> Locator:
    return owner.page.get_by_role("log", name="Messages")


async def test_a_room_from_its_opening_to_its_end(owners: tuple[Owner, Owner]) -> None:
    ann, bob = owners
    for one in owners:
        await to_rooms(one)
        await expect(one.page.get_by_text("This peer is in no room.")).to_be_visible()
    await ann.page.get_by_text("Open a room").click()
    await ann.page.get_by_label("Name").fill("Lounge")
    await ann.page.get_by_label("Description").fill("For all")
    await ann.press("Open it")
    await expect(ann.page.get_by_role("heading", name="Lounge")).to_be_visible()
    await expect(ann.page.locator(".talk-card")).to_contain_text("For all. Here: this peer.")
    room = ann.up.peer.rooms.rooms()[0].group.id
    await bob.page.get_by_text("Join by its id").click()
    await bob.page.get_by_label("Peer that hosts it").fill(ann.id)
    await bob.page.get_by_label("Id of the room").fill(room)
    await bob.press("Join")
    await expect(bob.page.get_by_role("heading", name="Lounge")).to_be_visible()
    await expect(ann.page.locator(".talk-card")).to_contain_text("Here: this peer, Bob")
    await bob.page.get_by_label("Message", exact=True).fill("Hello Ann")
    await bob.page.keyboard.press("Enter")
    await expect(talk(ann)).to_contain_text("Hello Ann")
    await expect(talk(bob).locator(".mine")).to_contain_text("Hello Ann")
    await ann.page.get_by_label("Message", exact=True).fill("Hello Bob")
    await ann.press("Send")
    await expect(talk(bob).locator(".theirs")).to_contain_text("Hello Bob")
    await expect(talk(bob).locator(".theirs")).to_contain_text("Ann")
    await bob.page.reload()
    await expect(talk(bob).locator(".bubble")).to_have_text(["Hello Ann", "Hello Bob"])
    await ann.press("Close", "Close it")
    await expect(ann.page.get_by_text("This peer is in no room.")).to_be_visible()
    await expect(bob.page.get_by_text("This peer is in no room.")).to_be_visible()


async def test_what_is_refused_is_said_and_the_text_is_still_there(owners: tuple[Owner, Owner]) -> None:
    ann, bob = owners
    await to_rooms(ann)
    await ann.page.get_by_text("Open a room").click()
    await ann.page.get_by_label("Name").fill(" ")
    await ann.press("Open it")
    await expect(ann.page.get_by_role("status").filter(has_text="1 to 200 characters")).to_be_visible()
    group = await ann.up.peer.grouping.create("Chess", "template")
    await to_rooms(bob)
    await bob.page.get_by_text("Join by its id").click()
    await bob.page.get_by_label("Peer that hosts it").fill(ann.id)
    await bob.page.get_by_label("Id of the room").fill(group.id)
    await bob.press("Join")
    await expect(bob.page.get_by_role("status").filter(has_text="the group 'Chess' is no chat room")).to_be_visible()
    await ann.up.peer.rooms.create("Lounge")
    await expect(ann.page.get_by_role("heading", name="Lounge")).to_be_visible()
    await ann.page.route("**/rooms/do", lambda route: route.fulfill(status=503, json={"code": "unavailable", "message": "not now"}))
    await ann.page.get_by_label("Message", exact=True).fill("Keep me")
    await ann.press("Send")
    await expect(ann.page.get_by_role("status").filter(has_text="not now")).to_be_visible()
    await expect(ann.page.get_by_label("Message", exact=True)).to_have_value("Keep me")


async def test_names_and_messages_are_text(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> None:
    async with served(tmp_path_factory.mktemp("peer"), functions={}) as up:
        room = await up.peer.rooms.create(f"Lounge{HOSTILE}", HOSTILE)
        said = RoomPayload(action="msg", message=RoomMessage("1-x", up.peer.identity.peer_id, HOSTILE, HOSTILE, 1))
        up.peer.rooms.received(up.peer.identity.peer_id, room.group.id, said)
        page = await (await browser.new_context()).new_page()
        page.set_default_timeout(PATIENCE_MS)
        await page.goto(up.web.console)
        await expect(page.locator("main h1")).to_be_visible()
        await page.evaluate("location.hash = '#/rooms'")
        await expect(page.locator(".bubble")).to_contain_text("onerror")
        assert await page.locator("main img").count() == 0
        assert await page.locator("[data-owned]").count() == 0
        await page.context.close()


async def test_the_controls_want_the_key_and_know_their_actions(tmp_path_factory: pytest.TempPathFactory) -> None:
    async with served(tmp_path_factory.mktemp("peer"), functions={}) as up:
        key = up.web.token.text
        assert (await up.ask("/api/console/rooms", host=up.console)).status == 403
        for path, body, status, said in (
            ("do", {"action": "burn"}, 400, "rooms have no action 'burn'; they have create, close"),
            ("do", {"action": "close", "room": "nosuch"}, 404, "room not found: nosuch"),
            ("do", {"action": "join", "room": "g", "host": "h"}, 503, "not on the network yet"),
            ("messages", {"room": "nosuch", "host": "h"}, 404, "room not found: nosuch"),
        ):
            text = json.dumps(body).encode()
            answer = await up.ask(f"/api/console/rooms/{path}", host=up.console, method="POST", body=text, authorization=f"Bearer {key}")
            assert (answer.status, said in answer.json["message"]) == (status, True), answer.json
        assert MEMBERS_SHOWN < 1024
