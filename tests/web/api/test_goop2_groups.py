"""Groups as pages of Goop2 ask for them (existing-sites.md, section 3): every endpoint, its events, and what is refused in a sentence."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import pytest_asyncio
from tests.web.api.test_groups import HOST, OTHER, Net, attached, visiting
from tests.web.served import Answer, Served, served

from goop2.protocols import topics

pytestmark = pytest.mark.asyncio(loop_scope="module")

ANN = OTHER
PATIENCE_SECONDS = 10


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def up(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Served]:
    async with served(tmp_path_factory.mktemp("goop2-groups")) as one:
        yield one


@pytest_asyncio.fixture(loop_scope="module")
async def net(up: Served) -> AsyncIterator[Net]:
    async with attached(up) as net:
        yield net


async def post(up: Served, what: str, at: str = "", **body: Any) -> Answer:
    path = f"/api/groups/{what}" if what else "/api/groups"
    return await up.ask(path, host=at, method="POST", body=json.dumps(body).encode(), accept="application/json")


async def made(up: Served, **more: Any) -> str:
    answer = (await post(up, "", name="Team", group_type="template", group_context="board", max_members=4, **more)).json
    assert answer["status"] == "created"
    return str(answer["id"])


async def hosted(up: Served) -> dict[str, Any]:
    (group,) = (await up.ask("/api/groups")).json
    return dict(group)


@asynccontextmanager
async def stream(up: Served, at: str = "") -> AsyncIterator[asyncio.StreamReader]:
    reader, writer = await asyncio.open_connection("127.0.0.1", up.port)
    writer.write(f"GET /api/groups/events HTTP/1.1\r\nHost: {at or up.site}\r\n\r\n".encode())
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            await reader.readuntil(b"event: connected\ndata: {}\n")
        yield reader
    finally:
        writer.close()


async def event(reader: asyncio.StreamReader, kind: str) -> dict[str, Any]:
    """The next event of this kind; its data says the same."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        await reader.readuntil(f"event: {kind}\ndata: ".encode())
        found = json.loads(await reader.readuntil(b"\n"))
    assert found["type"] == kind
    return dict(found)


async def test_a_hosted_group_is_listed_with_context_roles_and_members(up: Served, net: Net) -> None:
    group = await made(up)
    up.peer.grouping.received(ANN, _said(group, "join", {}))
    listed = await hosted(up)
    own = up.peer.identity.peer_id
    assert listed.pop("created_at").count(":") == 2
    (member,) = listed.pop("members")
    assert (member["peer_id"], member["role"], type(member["joined_at"]), member["name"]) == (ANN, "viewer", int, "")
    assert listed == {
        **{"id": group, "name": "Team", "owner": own, "group_type": "template", "group_context": "board", "max_members": 4},
        **{"default_role": "viewer", "roles": [], "volatile": False, "member_count": 1},
        **{"host_joined": False, "host_in_group": False, "host_can_join": True},
    }


async def test_the_host_sets_roles_bounds_and_names(up: Served, net: Net) -> None:
    group = await made(up)
    up.peer.grouping.received(ANN, _said(group, "join", {}))
    for what, body in (
        ("set-roles", {"roles": ["author", "viewer"]}),
        ("set-role", {"peer_id": ANN, "role": "author"}),
        ("set-default-role", {"role": "author"}),
        ("max-members", {"max_members": 9}),
        ("meta", {"name": "Team two", "group_context": "blog"}),
    ):
        assert (await post(up, what, group_id=group, **body)).json == {"status": "ok"}, what
    listed = await hosted(up)
    assert listed["members"][0]["role"] == "author"
    assert [listed[key] for key in ("roles", "default_role", "max_members", "name", "group_context")] == [
        *(["author", "viewer"], "author", 9, "Team two", "blog"),
    ]
    metas = [json.loads(each.payload) for each in net.sent if each.topic == f"group:{group}:meta"]
    assert (metas[-1]["group_name"], metas[-1]["group_context"], metas[-1]["max_members"]) == ("Team two", "blog", 9)
    assert (await post(up, "join-own", group_id=group)).json == {"status": "joined"}
    listed = await hosted(up)
    assert (listed["host_joined"], listed["host_can_join"], listed["members"][-1]["role"]) == (True, False, "owner")
    assert (await post(up, "leave-own", group_id=group)).json == {"status": "left"}
    assert (await post(up, "kick", group_id=group, peer_id=ANN)).json == {"status": "kicked"}
    assert (await hosted(up))["members"] == []


@pytest.mark.parametrize(
    ("what", "body", "status", "why"),
    [
        ("set-role", {"peer_id": ANN, "role": ""}, 400, "a role is empty; it has 1 to 64 characters"),
        ("set-role", {"peer_id": ANN, "role": "x" * 999}, 400, "a role has 999 characters"),
        ("set-role", {"peer_id": HOST, "role": "viewer"}, 404, "is no member of the group 'Team'"),
        ("set-role", {"peer_id": ANN}, 400, 'the body should be {"group_id": group, "peer_id": peer, "role": role}'),
        ("set-default-role", {}, 400, "a role is empty"),
        ("set-roles", {"roles": ["x"] * 2 + [f"r{number}" for number in range(40)]}, 400, "a group has at most 32 roles; these are 41"),
        ("max-members", {"max_members": 5000}, 400, "max_members is 5000; allowed is 0"),
        ("meta", {}, 400, "nothing to change is given"),
        ("meta", {"group_context": "x" * 201}, 400, "a group's context has 201 characters"),
        ("rejoin", {"host_peer_id": HOST}, 404, "is not joined: join it"),
        ("subscriptions/remove", {"host_peer_id": HOST}, 404, "is not joined"),
        ("leave-own", {}, 404, "this peer is not on the list of the group 'Team'"),
    ],
)
async def test_what_cannot_be_is_refused_in_a_sentence(
    up: Served, net: Net, what: str, body: dict[str, Any], status: int, why: str
) -> None:
    group = await made(up)
    up.peer.grouping.received(ANN, _said(group, "join", {}))
    answer = await post(up, what, **{"group_id": group, **body})
    assert (answer.status, why in answer.json["message"]) == (status, True), answer.json
    assert (await post(up, what, **{**body, "group_id": "nosuch"})).status in (400, 404)
    assert (await hosted(up))["members"][0]["role"] == "viewer"


async def test_subscriptions_are_listed_joined_again_and_removed(up: Served, net: Net) -> None:
    assert (await post(up, "join", host_peer_id=HOST, group_id="g1")).json == {"status": "joined"}
    net.say(HOST, "g1", "members", {"members": [{"peer_id": up.peer.identity.peer_id, "role": "author"}, {"peer_id": ANN}]})
    answer = (await up.ask("/api/groups/subscriptions")).json
    (one,) = answer["subscriptions"]
    assert (one["host_peer_id"], one["group_id"], one["group_name"], one["role"], one["member_count"]) == (HOST, "g1", "g1", "author", 2)
    assert one["subscribed_at"].count(":") == 2
    assert answer["active_groups"] == [{"group_id": "g1", "host_peer_id": HOST}]
    assert (await post(up, "rejoin", host_peer_id=HOST, group_id="g1")).json == {"status": "joined"}
    assert [each.topic for each in net.sent].count("group:g1:join") == 2
    assert (await post(up, "send", payload={"a": 1})).json == {"status": "sent"}, "the current group"
    assert (await post(up, "subscriptions/remove", host_peer_id=HOST, group_id="g1")).json == {"status": "removed"}
    assert (await post(up, "join", host_peer_id=HOST, group_id="g2")).json == {"status": "joined"}
    assert (await post(up, "leave")).json == {"status": "left"}
    assert (await up.ask("/api/groups/subscriptions")).json == {"subscriptions": None, "active_groups": []}
    nothing = await post(up, "leave")
    assert (nothing.status, nothing.json["message"]) == (404, "no group is joined: join one first")


async def test_favourites_of_another_program_are_told_to_the_owner_though_they_are_not_here(up: Served, net: Net) -> None:
    up.peer.grouping.favorites = frozenset((ANN, up.peer.identity.peer_id))
    (one,) = (await up.ask("/api/peers")).json
    assert (one["ID"], one["Favorite"], one["Offline"], one["online"]) == (ANN, True, True, False)
    assert [each["Favorite"] for each in (await up.ask("/api/peers", host=visiting(up))).json] == [False]
    up.peer.grouping.favorites = frozenset()


async def test_events_have_the_names_and_payloads_that_pages_of_goop2_read(up: Served, net: Net) -> None:
    async with stream(up) as events, stream(up, visiting(up)) as theirs:
        group = await made(up)
        up.peer.grouping.received(ANN, _said(group, "join", {}))
        members = await event(events, "members")
        assert [(each["peer_id"], each["role"]) for each in members["payload"]["members"]] == [(ANN, "viewer")]
        up.peer.grouping.received(ANN, _said(group, "msg", {"move": "e4"}))
        assert await event(events, "msg") == {"type": "msg", "group": group, "from": ANN, "payload": {"move": "e4"}}
        assert (await post(up, "send", group_id=group, payload={"move": "e5"})).json == {"status": "sent"}
        assert (await event(events, "msg"))["payload"] == {"move": "e5"}, "a host sees its own messages"
        await post(up, "join", host_peer_id=HOST, group_id="g1")
        for one in (events, theirs):
            welcome = await event(one, "welcome")
            assert (welcome["group"], welcome["from"], welcome["payload"]["group_name"]) == ("g1", HOST, "g1")
        await post(up, "join", host_peer_id=HOST, group_id="full1")
        assert (await event(theirs, "error"))["payload"] == {"code": "full", "message": "no room"}
        up.peer.grouping.invited(ANN, topics.Invite("i1", "Club", ANN, "chess"))
        invited = await event(events, "invite")
        assert (invited["from"], invited["payload"]["group_name"], invited["payload"]["group_type"]) == (ANN, "Club", "chess")
        net.say(HOST, "g1", "close", {"type": "close", "group": "g1"})
        assert (await event(theirs, "close"))["group"] == "g1"


def _said(group: str, type_: str, payload: object) -> topics.Group:
    said = topics.read(topics.group_topic(group, type_), json.dumps(payload).encode())
    assert isinstance(said, topics.Group)
    return said
