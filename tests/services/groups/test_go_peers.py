"""Groups of both kinds of peers: some are ours, some are played from network.md alone (tests/go_peer.py)."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from tests.go_peer import GoPeer
from tests.net.hosts import connect, loopback_host, until
from tests.services.groups.test_service import Joined, ask, insert, up

from goop2.protocols import topics
from goop2.storage import groups as storage
from goop2.storage.database import open_database

BOARD = {
    "name": "board",
    "columns": [{"name": "text", "type": "text"}],
    "access": {"read": "group", "insert": "group", "update": "group", "delete": "group"},
    "roles": {"author": {"read": True, "insert": True, "update": True}, "viewer": {"read": True}},
}


@pytest.fixture
async def mixed(tmp_path: Path) -> AsyncIterator[tuple[Joined, Joined, GoPeer, GoPeer]]:
    """Two of ours and two others, all connected."""
    async with AsyncExitStack() as stack:
        for name in ("host", "ann"):
            (tmp_path / name / "schemas").mkdir(parents=True)
            (tmp_path / name / "schemas/board.json").write_text(json.dumps(BOARD))
        host, ann = [await stack.enter_async_context(up(tmp_path / name)) for name in ("host", "ann")]
        others = [GoPeer(await stack.enter_async_context(loopback_host())) for _ in range(2)]
        for other in others:
            await other.open()
        every = [host.network.host, ann.network.host, *(other.host for other in others)]
        for index, one in enumerate(every):
            for another in every[index + 1 :]:
                await connect(one, another)
        yield host, ann, others[0], others[1]


async def test_four_peers_of_both_kinds_are_in_a_group_of_ours(mixed: tuple[Joined, Joined, GoPeer, GoPeer]) -> None:
    host, ann, kim, lee = mixed
    group = (await host.grouping.create("Board", "template", context="kanban")).id
    await ann.grouping.join(host.id, group)
    for other in (kim, lee):
        await other.join(host.id, group)
        await until(lambda other=other: bool(other.welcomes(group)))  # type: ignore[misc]
    welcome = lee.welcomes(group)[-1]
    assert {welcome[key] for key in ("app_type", "group_type")} == {"template"}
    assert (welcome["group_name"], welcome["group_context"], welcome["volatile"]) == ("Board", "kanban", False)
    assert {member["role"] for member in welcome["members"]} == {"viewer"}
    assert all(isinstance(member["joined_at"], int) for member in welcome["members"])
    await host.grouping.set_role(group, kim.id, "author")
    everybody = {ann.id: "viewer", kim.id: "author", lee.id: "viewer"}
    await until(lambda: lee.lists(group)[-1] == everybody and ann.grouping.groups.joined()[0].roles == everybody)
    await kim.send(host.id, f"group:{group}:msg", {"move": 1})
    await until(lambda: lee.got[-1][1:] == (f"group:{group}:msg", {"move": 1}))
    await kim.join(host.id, group)
    await until(lambda: len(kim.welcomes(group)) == 2)
    assert host.grouping.groups.roles(group) == everybody, "a second join changes nothing"
    await kim.send(host.id, f"group:{group}:leave", {"type": "leave", "group": group})
    await until(lambda: lee.lists(group)[-1] == {ann.id: "viewer", lee.id: "viewer"})


async def test_roles_of_the_template_group_open_tables_to_whom_the_host_gave_them(mixed: tuple[Joined, Joined, GoPeer, GoPeer]) -> None:
    host, ann, _, _ = mixed
    group = (await host.grouping.create("Board", "template")).id

    async def may(op: str, **more: object) -> bool:
        return await ask(ann, host, op, table="board", **more) != "forbidden"

    row = {"data": {"text": "hi"}}
    assert (await may("query"), await may("insert", **row)) == (False, False)
    await ann.grouping.join(host.id, group)
    assert (await may("query"), await may("insert", **row)) == (True, False)
    await host.grouping.set_role(group, ann.id, "author")
    assert (await may("insert", **row), await may("delete", id=1)) == (True, False)
    assert await ask(ann, host, "role", table="board") == {
        "role": "author",
        "permissions": {"read": True, "insert": True, "update": True, "delete": False},
        **{"read": "all", "insert": "all", "update": "own", "delete": "none"},
    }
    await host.grouping.set_role(group, ann.id, "nobody knows")
    assert (await may("query"), await may("insert", **row)) == (False, False), "a role no table names opens none"
    await host.grouping.remove(group, ann.id)
    assert not await may("query")
    assert await insert(ann, host) == "forbidden"


async def test_a_join_that_a_go_peer_loses_is_sent_again(mixed: tuple[Joined, Joined, GoPeer, GoPeer]) -> None:
    _, ann, kim, _ = mixed
    kim.hosts("lost", role="author")
    kim._deaf_until = asyncio.get_running_loop().time() + 1.5  # the clock of both is the monotonic one
    known = await ann.grouping.join(kim.id, "lost")
    assert len(kim.joins) == 2
    assert (known.name, known.kind, known.context, known.roles) == ("Go board", "template", "board", {ann.id: "author"})
    await kim.set_role("lost", ann.id, "editor")
    await until(lambda: ann.grouping.groups.joined()[0].roles == {ann.id: "editor"})


async def test_ours_and_another_are_in_a_group_of_a_go_peer(mixed: tuple[Joined, Joined, GoPeer, GoPeer]) -> None:
    host, ann, kim, lee = mixed
    kim.hosts("g")
    heard: list[bytes] = []
    ann.grouping.groups.subscribe(lambda change: heard.append(change.payload) if change.what == "msg" else None)
    for one in (host, ann):
        await one.grouping.join(kim.id, "g")
    await lee.join(kim.id, "g")
    await until(lambda: set(ann.grouping.groups.joined()[0].members) == {host.id, ann.id, lee.id})
    host.grouping.send(kim.id, "g", b'"from ours"')
    await until(lambda: heard == [b'"from ours"'] and lee.got[-1][2] == "from ours")
    await lee.send(kim.id, "group:g:msg", "from another")
    await until(lambda: heard[-1] == b'"from another"')


async def test_a_go_host_that_was_started_anew_within_a_moment_is_asked_again(mixed: tuple[Joined, Joined, GoPeer, GoPeer]) -> None:
    _, ann, kim, _ = mixed
    kim.hosts("g")
    await ann.grouping.join(kim.id, "g")
    for connection in ann.network.host.connections(kim.id):
        await connection.close()
    kim.forgets_members()
    await asyncio.sleep(1.1)  # what was asked for a moment ago is not asked for again
    await connect(kim.host, ann.network.host)
    await until(lambda: kim.groups["g"]["members"] == {ann.id: "viewer"})


async def test_what_is_too_much_is_refused_in_a_sentence_and_changes_nothing(mixed: tuple[Joined, Joined, GoPeer, GoPeer]) -> None:
    host, ann, kim, _ = mixed
    kim.hosts("g")
    await ann.grouping.join(kim.id, "g")
    before = ann.grouping.groups.joined()
    for type_, payload in (
        ("meta", {"group_name": "x", "group_context": "c" * 5000}),
        ("members", {"members": [{"peer_id": ann.id, "role": "r" * 5000}]}),
        ("members", {"members": [{"peer_id": f"p{number}"} for number in range(topics.MEMBERS_MAX + 1)]}),
    ):
        with pytest.raises(AssertionError):  # a refusal, no acknowledgement
            await kim.send(ann.id, f"group:g:{type_}", payload)
    assert ann.grouping.groups.joined() == before
    group = (await host.grouping.create("Board", "template")).id
    for _ in range(200):
        await kim.join(host.id, group)
    await until(lambda: bool(kim.welcomes(group)))
    await asyncio.sleep(0.5)  # more welcomes would be here by now
    assert len(kim.welcomes(group)) < 50, "a storm of joins is not answered"
    assert host.grouping.groups.roles(group) == {kim.id: "viewer"}


async def test_groups_of_a_folder_of_another_program_appear_and_are_asked_for(tmp_path: Path) -> None:
    async with AsyncExitStack() as stack:
        kim = GoPeer(await stack.enter_async_context(loopback_host()))
        await kim.open()
        kim.hosts("s1", role="author")
        async with up(tmp_path / "ann") as ann:
            own = ann.id
        before = storage.SavedGroups()
        now = storage.SavedGroups(
            hosted={"g1": storage.Hosted(id="g1", name="Moved", kind="template", members={kim.id: 5}, roles={kim.id: "author"})},
            joined={(kim.id, "s1"): storage.Subscription(host=kim.id, id="s1", name="Chess", kind="game", role="viewer", host_name="Kim")},
        )
        database = open_database(tmp_path / "ann/data.db", guarded=False)
        storage.write(database, before, now)
        database.close()
        ann = await stack.enter_async_context(up(tmp_path / "ann"))
        assert ann.id == own
        assert ann.grouping.groups.roles("g1") == {kim.id: "author"}
        (known,) = ann.grouping.groups.joined()
        assert (known.name, known.roles, known.joined, ann.grouping.host_name(kim.id)) == ("Chess", {own: "viewer"}, False, "Kim")
        await connect(ann.network.host, kim.host)
        await until(lambda: ann.grouping.groups.joined()[0].joined)
        assert ann.grouping.groups.joined()[0].roles == {own: "author"}
