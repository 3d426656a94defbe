"""Groups from pages: the owner's own pages act as the peer, a visited site's in its own peer's groups alone, visitors not at all."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Page
from tests.net.hosts import new_identity
from tests.web.browser import launched, opened
from tests.web.served import Answer, Served, served

from goop2.net.address import peer_id
from goop2.protocols import topics
from goop2.services.groups.limits import JOINED_PER_HOST_MAX, PAYLOAD_MAX_BYTES
from goop2.services.groups.records import Outgoing
from goop2.web.http.peer_host import host_label

pytestmark = pytest.mark.asyncio(loop_scope="module")

HOST, OTHER = new_identity().peer_id, new_identity().peer_id
CALLS = ("subscriptions", "join", "leave", "send", "create", "close", "invite", "remove", "refuse", "invites")
OWNERS = ("create", "close", "invite", "remove", "refuse", "invites")


class Net:
    """Takes what is sent, and lets in whoever asks a group called g…"""

    def __init__(self, up: Served) -> None:
        self.up = up
        self.sent: list[Outgoing] = []

    def post(self, outgoing: Iterable[Outgoing]) -> None:
        for each in outgoing:
            self.sent.append(each)
            _, group, type_ = each.topic.split(":")
            if type_ == "join" and group.startswith("g"):
                asyncio.get_running_loop().call_soon(self.say, each.peer, group, "welcome", {"group_name": group, "app_type": "template"})
            elif type_ == "join" and group.startswith("full"):
                asyncio.get_running_loop().call_soon(self.say, each.peer, group, "error", {"code": "full", "message": "no room"})

    async def carry(self, peer: str, topic: str, payload: bytes) -> None:
        self.sent.append(Outgoing(peer, topic, payload))

    def say(self, sender: str, group: str, type_: str, payload: object) -> None:
        said = topics.read(topics.group_topic(group, type_), json.dumps(payload).encode())
        assert isinstance(said, topics.Group)
        self.up.peer.grouping.received(sender, said)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def up(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Served]:
    async with served(tmp_path_factory.mktemp("groups")) as one:
        yield one


@asynccontextmanager
async def attached(up: Served) -> AsyncIterator[Net]:
    """Attach the groups of a peer to a network that only notes what is sent; what was joined and hosted is left and ended afterwards."""
    net = Net(up)
    up.peer.grouping.attach(net.post, net.carry, peer_id)
    yield net
    for group in up.peer.grouping.groups.joined():
        up.peer.grouping.leave(group.host, group.id)
    for hosted in up.peer.grouping.groups.hosted():
        await up.peer.grouping.end(hosted.id)
    up.peer.grouping.detach()


@pytest_asyncio.fixture(loop_scope="module")
async def net(up: Served) -> AsyncIterator[Net]:
    async with attached(up) as net:
        yield net


def visiting(up: Served, peer: str = HOST) -> str:
    return f"{host_label(peer)}.localhost:{up.port}"


async def ask(up: Served, what: str, at: str = "", **body: Any) -> Answer:
    """By a page at that origin, the own site's without one."""
    return await up.ask(f"/api/group/{what}", host=at, method="POST", body=json.dumps(body).encode())


async def test_the_owner_makes_a_group_invites_speaks_and_ends_it(up: Served, net: Net) -> None:
    made = (await ask(up, "create", name="Game", max_members=2)).json
    assert made == {
        **{"id": made["id"], "host": up.peer.identity.peer_id, "name": "Game", "type": "template", "max_members": 2},
        **{"volatile": False, "joined": True, "members": [], "away": []},
    }
    assert (await ask(up, "subscriptions")).json == [made]
    assert (await ask(up, "join", group=made["id"])).json == made
    assert (await ask(up, "invite", group=made["id"], peer=HOST)).status == 200
    assert (net.sent[-1].peer, net.sent[-1].topic) == (HOST, "group.invite")
    net.say(HOST, made["id"], "join", {"type": "join"})
    assert (await ask(up, "send", group=made["id"], payload={"move": 1})).status == 200
    assert net.sent[-1] == Outgoing(HOST, f"group:{made['id']}:msg", b'{"move":1}')
    assert (await ask(up, "remove", group=made["id"], peer=HOST)).status == 200
    assert net.sent[-1][:2] == (HOST, f"group:{made['id']}:close")
    assert (await ask(up, "remove", group=made["id"], peer=HOST)).status == 404
    assert (await ask(up, "subscriptions")).json == [made]
    net.say(OTHER, made["id"], "join", {"type": "join"})
    assert (await ask(up, "close", group=made["id"])).status == 200
    assert net.sent[-1][:2] == (OTHER, f"group:{made['id']}:close")
    assert (await ask(up, "subscriptions")).json == []


async def test_the_owner_is_in_groups_of_anybody(up: Served, net: Net) -> None:
    assert (await ask(up, "join", group="g1", host=HOST)).json["joined"] is True
    assert (await ask(up, "send", group="g1", host=HOST, payload="hello")).status == 200
    assert net.sent[-1] == Outgoing(HOST, "group:g1:msg", b'"hello"')
    assert (await ask(up, "leave", group="g1", host=HOST)).status == 200
    assert (await ask(up, "send", group="g1", host=HOST, payload=1)).status == 404


async def test_an_invitation_is_refused(up: Served, net: Net) -> None:
    up.peer.grouping.invited(HOST, topics.Invite("g9", "Come", HOST, "template"))
    assert (await ask(up, "refuse", group="g9", host=OTHER)).status == 404
    assert (await ask(up, "refuse", group="g9", host=HOST)).status == 200
    assert (await ask(up, "invites")).json == []


async def test_a_message_is_one_line_however_it_was_written(up: Served, net: Net) -> None:
    await ask(up, "join", group="g1", host=HOST)
    body = b'{"group": "g1", "host": "%s", "payload": {"a":\n\t [1,\r\n 2]}}' % HOST.encode()
    assert (await up.ask("/api/group/send", method="POST", body=body)).status == 200
    assert net.sent[-1].payload == b'{"a":[1,2]}'


async def test_what_goes_wrong_is_said(up: Served, net: Net) -> None:
    refused = await ask(up, "join", group="full", host=HOST)
    assert (refused.status, refused.json["code"]) == (403, "forbidden")
    assert "no room" in refused.json["message"]
    assert (await ask(up, "join", group="nosuch")).status == 404
    assert (await ask(up, "close", group="nosuch")).status == 404
    assert (await ask(up, "create", name="")).status == 400
    assert (await ask(up, "join", group="g1", host="nobody")).status == 400
    assert (await up.ask("/api/group/join", method="POST", body=b"[")).status == 400
    await ask(up, "join", group="g1", host=HOST)
    huge = await ask(up, "send", group="g1", host=HOST, payload="x" * PAYLOAD_MAX_BYTES)
    assert (huge.status, huge.json["code"]) == (400, "bad_request")
    up.peer.grouping.detach()
    assert (await ask(up, "send", group="g1", host=HOST, payload=1)).status == 503
    up.peer.grouping.attach(net.post, net.carry, peer_id)


async def test_a_visited_page_is_in_groups_of_its_own_peer_alone(up: Served, net: Net) -> None:
    page, mine = visiting(up), (await ask(up, "create", name="Mine")).json["id"]
    await ask(up, "join", group="g1", host=OTHER)
    assert (await ask(up, "join", page, group="g2")).json["host"] == HOST
    assert [group["id"] for group in (await ask(up, "subscriptions", page)).json] == ["g2"]
    before = len(net.sent)
    for what, body in (
        ("join", {"group": "g3", "host": OTHER}),
        ("send", {"group": "g1", "host": OTHER, "payload": 1}),
        ("leave", {"group": "g1", "host": OTHER}),
        ("send", {"group": mine, "host": up.peer.identity.peer_id, "payload": 1}),
        ("join", {"group": mine, "host": up.peer.identity.peer_id}),
    ):
        assert (await ask(up, what, page, **body)).status == 403, what
    assert (await ask(up, "send", page, group=mine, payload=1)).status == 404
    assert (await ask(up, "leave", page, group="g1")).status == 404
    for what in OWNERS:
        assert (await ask(up, what, page, name="Theirs", group=mine, peer=OTHER)).status == 403, what
    assert len(net.sent) == before
    assert len(up.peer.grouping.groups.hosted()) == 1
    assert (await ask(up, "send", page, group="g2", payload=1)).status == 200


async def test_a_visited_page_takes_a_few_places_and_no_more(up: Served, net: Net) -> None:
    statuses = [(await ask(up, "join", visiting(up), group=f"g{number}")).status for number in range(JOINED_PER_HOST_MAX + 2)]
    assert statuses == [200] * JOINED_PER_HOST_MAX + [400, 400]
    assert (await ask(up, "join", visiting(up, OTHER), group="g1")).status == 200


@pytest.mark.parametrize("what", CALLS)
async def test_a_visitor_of_the_own_site_is_in_no_group(up: Served, net: Net, what: str) -> None:
    group = await up.peer.grouping.create("Game", "template")
    answer = await ask(up, what, up.visitor("ann"), group=group.id, name="x", peer=HOST)
    assert (answer.status, answer.json["code"]) == (403, "forbidden")


async def heard(page: Page) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = await page.evaluate("heard")
    return found


async def until(page: Page, count: int) -> list[dict[str, Any]]:
    async with asyncio.timeout(20):
        while len(found := await heard(page)) < count:
            await page.wait_for_timeout(50)
    return found


async def test_pages_hear_what_is_theirs_to_hear(up: Served, net: Net) -> None:
    """The owner's page everything; a page of a visited site only its own peer's groups, in the same browser."""
    (up.folder / "site/groups.html").write_text('<!doctype html><title>G</title><script src="/sdk/goop-group.js"></script>')
    group = await up.peer.grouping.create("Game", "template")
    async with launched() as browser, AsyncExitStack() as stack:
        own = await stack.enter_async_context(opened(browser, f"http://{up.site}/groups.html"))
        # The site of a peer that is not here is a page that says so, at its origin; its SDK is ours.
        theirs = await stack.enter_async_context(opened(browser, f"http://{visiting(up)}/"))
        await theirs.add_script_tag(url="/sdk/goop-group.js")
        for page in (own, theirs):
            await page.evaluate("var heard = [], invited = []; Goop.group.subscribe((event) => heard.push(event)); 0")
            await page.evaluate("Goop.group.invited((event) => invited.push(event)); Goop.heard().then(() => 0)")
        joined = await theirs.evaluate("Goop.group.join('g1')")
        assert (joined["host"], joined["name"]) == (HOST, "g1")
        await own.evaluate(f"Goop.group.join('g1', '{OTHER}')")
        net.say(HOST, group.id, "join", {"type": "join"})
        net.say(HOST, group.id, "msg", {"of": "a member"})
        net.say(OTHER, "g1", "msg", {"of": "another host"})
        net.say(HOST, "g1", "msg", {"of": "the host"})
        up.peer.grouping.invited(HOST, topics.Invite("g7", "Come", HOST, "template"))
        assert [(each["type"], each["host"], each.get("from")) for each in await until(theirs, 2)] == [
            ("welcome", HOST, None),
            ("msg", HOST, None),
        ]
        events = await until(own, 6)
        said = [(each["host"], each.get("from"), each["payload"]) for each in events if each["type"] == "msg"]
        assert said == [
            (up.peer.identity.peer_id, HOST, {"of": "a member"}),
            (OTHER, None, {"of": "another host"}),
            (HOST, None, {"of": "the host"}),
        ]
        assert await own.evaluate("invited") == [{"host": HOST, "group": "g7", "name": "Come", "type": "template"}]
        assert await theirs.evaluate("invited") == []
        code = await theirs.evaluate(f"Goop.group.send('g1', 1, '{OTHER}').then(() => '', (error) => error.code)")
        assert code == "forbidden"
        assert await theirs.evaluate("Goop.group.create('Theirs').then(() => '', (error) => error.code)") == "forbidden"
