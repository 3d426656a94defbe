"""Groups of real peers over libp2p: who is a member may what the policy `group` says, over restarts, and nobody else."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from tests.net.hosts import LOOPBACK, connect, loopback_host, until
from tests.wire_listener import WireListener

from goop2.app import join, open_peer
from goop2.net.faults import AddressError, NetworkError, UnreachableError
from goop2.peers.network import PeerNetwork
from goop2.protocols import data, topics
from goop2.services.groups import service as module
from goop2.services.groups.errors import InvalidGroupError, JoinRefusedError, TooManyGroupsError, UnknownGroupError, UnknownMemberError
from goop2.services.groups.limits import HOSTED_MAX
from goop2.services.groups.records import GroupChange
from goop2.services.groups.service import GroupService
from goop2.services.peer import Peer
from goop2.storage import groups

HOLD = """
import sqlite3, sys
database = sqlite3.connect(sys.argv[1], isolation_level=None)
database.execute("BEGIN IMMEDIATE")
print("held", flush=True)
sys.stdin.read()
"""
WRITE_LOCK_SECONDS = 4.0
"""Less than the five seconds the peer waits for it."""

SCORES = {
    "name": "scores",
    "columns": [{"name": "points", "type": "integer"}],
    "access": {"read": "group", "insert": "group", "update": "owner", "delete": "owner"},
}


@dataclass
class Joined:
    peer: Peer
    network: PeerNetwork

    @property
    def id(self) -> str:
        return self.peer.identity.peer_id

    @property
    def grouping(self) -> GroupService:
        return self.peer.grouping


@asynccontextmanager
async def up(folder: Path, port: int = 0) -> AsyncIterator[Joined]:
    (folder / "schemas").mkdir(parents=True, exist_ok=True)
    (folder / "schemas/scores.json").write_text(json.dumps(SCORES))
    (folder / "goop.json").write_text("{}")
    async with open_peer(folder, {}) as peer, join(peer, port, listen_on=LOOPBACK, near_by=False) as network:
        yield Joined(peer, network)


@pytest.fixture
async def three(tmp_path: Path) -> AsyncIterator[tuple[Joined, Joined, Joined]]:
    """A host, and two others connected to it."""
    async with AsyncExitStack() as stack:
        host, ann, eve = [await stack.enter_async_context(up(tmp_path / name)) for name in ("host", "ann", "eve")]
        for other in (ann, eve):
            await connect(other.network.host, host.network.host)
        yield host, ann, eve


async def ask(by: Joined, of: Joined, op: str, **request: object) -> object:
    asked = data.requested(json.dumps({"op": op, "table": "scores", **request}).encode())
    answer = await by.network.client.ask(of.id, asked)
    return json.loads(answer.json) if isinstance(answer, data.SuccessAnswer) else answer.code


async def insert(by: Joined, of: Joined) -> object:
    found = await ask(by, of, "insert", data={"points": 3})
    return found["status"] if isinstance(found, dict) else found


async def test_a_member_may_insert_a_stranger_may_not_and_one_that_left_no_longer(three: tuple[Joined, Joined, Joined]) -> None:
    host, ann, eve = three
    group = await host.grouping.create("Game", "template")
    other = await host.grouping.create("Another", "chess")
    assert await insert(ann, host) == "forbidden"
    known = await ann.grouping.join(host.id, group.id)
    await eve.grouping.join(host.id, other.id)
    assert (known.name, known.kind, known.members) == ("Game", "template", (ann.id,))
    assert await insert(ann, host) == "inserted"
    assert await insert(eve, host) == "forbidden", "of a group of another type"
    assert await ask(eve, host, "query") == "forbidden"
    assert await ask(ann, host, "role") == {
        **{"role": "viewer", "permissions": None},
        **{"read": "all", "insert": "all", "update": "own", "delete": "own"},
    }
    ann.grouping.leave(host.id, group.id)
    await until(lambda: not host.grouping.groups.is_member(ann.id))
    assert await insert(ann, host) == "forbidden"


async def test_a_removed_member_may_no_more_and_comes_back_by_an_invitation_alone(three: tuple[Joined, Joined, Joined]) -> None:
    host, ann, eve = three
    group = (await host.grouping.create("Game", "template")).id
    for one in (ann, eve):
        await one.grouping.join(host.id, group)
    ends: list[GroupChange] = []
    ann.grouping.groups.subscribe(lambda change: ends.append(change) if change.what == "ended" else None)
    await host.grouping.remove(group, ann.id)
    assert (await insert(ann, host), await insert(eve, host)) == ("forbidden", "inserted")
    await until(lambda: bool(ends))
    assert ends[0].refused.message == "the host has removed this peer"
    await until(lambda: eve.grouping.groups.joined()[0].members == (eve.id,))
    with pytest.raises(JoinRefusedError, match=r"does not let this peer into the group .*: the host has removed this peer"):
        await ann.grouping.join(host.id, group)
    with pytest.raises(UnknownMemberError):
        await host.grouping.remove(group, ann.id)
    await host.grouping.invite(group, ann.id)
    await ann.grouping.join(host.id, group)
    assert await insert(ann, host) == "inserted"


async def test_nobody_becomes_a_member_by_what_it_claims(three: tuple[Joined, Joined, Joined]) -> None:
    """The sender in an envelope, and the members in a list, are anybody's word."""
    host, ann, _ = three
    group = (await host.grouping.create("Game", "template")).id
    async with loopback_host() as stranger:
        await connect(stranger, host.network.host)
        wire = WireListener(stranger)
        await wire.open()
        await wire.send(host.id, f"group:{group}:join", {"type": "join", "group": group, "from": ann.id})
        await wire.send(host.id, f"group:{group}:members", {"members": [{"peer_id": ann.id}]})
        await wire.send(host.id, f"group:{group}:leave", {"type": "leave", "group": group, "from": ann.id})
        assert host.grouping.groups.members_since(group) == {}
        await ann.grouping.join(host.id, group)
        for type_ in ("leave", "close"):
            await wire.send(host.id, f"group:{group}:{type_}", {"type": type_, "group": group, "from": ann.id})
            await wire.send(host.id, f"group:{group}:{type_}", {"type": type_, "group": group, "from": host.id})
        heard: list[GroupChange] = []
        host.grouping.groups.subscribe(heard.append)
        await wire.send(host.id, f"group:{group}:msg", {"from": ann.id})
        assert heard == []
    assert await insert(ann, host) == "inserted"


async def test_messages_go_to_all_and_the_host_knows_from_whom(three: tuple[Joined, Joined, Joined]) -> None:
    host, ann, eve = three
    group = (await host.grouping.create("Game", "template")).id
    heard: dict[str, list[tuple[str, bytes]]] = {}
    for one in three:
        into = heard.setdefault(one.id, [])
        one.grouping.groups.subscribe(
            lambda change, into=into: into.append((change.sender, change.payload)) if change.what == "msg" else None  # type: ignore[misc]
        )
    for one in (ann, eve):
        await one.grouping.join(host.id, group)
    ann.grouping.send(host.id, group, b'{"move":1}')
    await until(lambda: bool(heard[eve.id]))
    host.grouping.send(host.id, group, b'{"move":2}')
    await until(lambda: len(heard[eve.id]) == 2 and len(heard[ann.id]) == 1)
    assert heard == {
        host.id: [(ann.id, b'{"move":1}'), (host.id, b'{"move":2}')],
        ann.id: [(host.id, b'{"move":2}')],
        eve.id: [(host.id, b'{"move":1}'), (host.id, b'{"move":2}')],
    }


async def test_a_full_group_and_one_that_is_none_are_said(three: tuple[Joined, Joined, Joined], monkeypatch: pytest.MonkeyPatch) -> None:
    host, ann, eve = three
    group = (await host.grouping.create("Two", "template", 1)).id
    await ann.grouping.join(host.id, group)
    with pytest.raises(JoinRefusedError, match="1 members"):
        await eve.grouping.join(host.id, group)
    with pytest.raises(UnknownGroupError, match="no such group"):
        await eve.grouping.join(host.id, "nosuch")
    monkeypatch.setattr(module, "JOIN_SECONDS", 0.3)
    monkeypatch.setattr(host.grouping, "received", lambda *_: None)
    with pytest.raises(UnreachableError, match="does not answer"):
        await eve.grouping.join(host.id, group)
    with pytest.raises(AddressError, match="'nobody' is not a peer's id"):
        await eve.grouping.join("nobody", group)
    assert eve.grouping.groups.joined() == ()
    for name, kind, most in (
        ("", "template", 0),
        ("x" * 300, "template", 0),
        ("x", "", 0),
        ("x", "template", -1),
        ("x", "template", 10**9),
    ):
        with pytest.raises(InvalidGroupError):
            await host.grouping.create(name, kind, most)


async def test_an_invitation_comes_from_the_host_alone(three: tuple[Joined, Joined, Joined], monkeypatch: pytest.MonkeyPatch) -> None:
    host, ann, eve = three
    group = (await host.grouping.create("Game", "template")).id
    await connect(eve.network.host, ann.network.host)
    forged = json.dumps({"group_id": group, "group_name": "Mine", "host_peer_id": host.id, "app_type": "template"}).encode()
    await eve.network.client.send(ann.id, topics.INVITE, forged)
    await host.grouping.invite(group, ann.id)
    assert [(one.host, one.group, one.name, one.type) for one in ann.grouping.invites()] == [(host.id, group, "Game", "template")]
    await ann.grouping.join(host.id, group)
    assert ann.grouping.invites() == ()
    monkeypatch.setattr(module, "INVITES_PER_PEER_MAX", 2)
    for number in range(5):
        await eve.network.client.send(ann.id, topics.INVITE, json.dumps({"group_id": f"g{number}"}).encode())
    ann.grouping.leave(host.id, group)
    await host.grouping.invite(group, ann.id)
    assert [one.group for one in ann.grouping.invites()] == ["g3", "g4", group]
    with pytest.raises(UnknownGroupError):
        await host.grouping.invite("nosuch", ann.id)


async def test_a_group_and_its_members_are_there_after_a_restart_of_either(tmp_path: Path) -> None:
    async with AsyncExitStack() as stack:
        async with up(tmp_path / "host") as host:
            group = (await host.grouping.create("Game", "template", 5)).id
            await host.grouping.create("Gone", "template", volatile=True)
            closed = (await host.grouping.create("Closed", "template")).id
            await host.grouping.end(closed)
            async with up(tmp_path / "ann") as ann:
                await connect(ann.network.host, host.network.host)
                await ann.grouping.join(host.id, group)
            port = host.network.host.port
        host = await stack.enter_async_context(up(tmp_path / "host", port))
        assert [(one.name, one.max_members, one.away) for one in host.grouping.groups.hosted()] == [("Game", 5, (ann.id,))]
        ann = await stack.enter_async_context(up(tmp_path / "ann"))
        assert [(one.name, one.joined) for one in ann.grouping.groups.joined()] == [("Game", False)]
        assert host.grouping.groups.is_member(ann.id)
        # Being connected is a sign of life, and asks again by itself.
        await connect(ann.network.host, host.network.host)
        ann.network.roster.alive(host.id)
        await until(lambda: host.grouping.groups.hosted()[0].members == (ann.id,))
        assert await insert(ann, host) == "inserted"


async def test_who_was_removed_is_out_after_a_restart_of_either(tmp_path: Path) -> None:
    async with AsyncExitStack() as stack:
        async with up(tmp_path / "host") as host:
            group = (await host.grouping.create("Game", "template")).id
            async with up(tmp_path / "ann") as ann:
                await connect(ann.network.host, host.network.host)
                await ann.grouping.join(host.id, group)
            await until(lambda: host.grouping.groups.hosted()[0].members == ())
            await host.grouping.remove(group, ann.id)
        host = await stack.enter_async_context(up(tmp_path / "host"))
        ann = await stack.enter_async_context(up(tmp_path / "ann"))
        assert [one.id for one in ann.grouping.groups.joined()] == [group], "it was not there to hear of it"
        await connect(ann.network.host, host.network.host)
        ann.network.roster.alive(host.id)
        await until(lambda: ann.grouping.groups.joined() == ())
        assert not host.grouping.groups.is_member(ann.id)
        await ann.grouping.save()
    async with up(tmp_path / "ann") as ann:
        assert ann.grouping.groups.joined() == ()


async def test_an_invitation_waits_over_a_restart_and_is_taken_or_refused(tmp_path: Path) -> None:
    async with up(tmp_path / "host") as host:
        chess, go, gone = [(await host.grouping.create(name, "template")).id for name in ("Chess", "Go", "Gone")]
        async with up(tmp_path / "ann") as ann:
            await connect(ann.network.host, host.network.host)
            for group in (chess, go, gone):
                await host.grouping.invite(group, ann.id)
        await host.grouping.end(gone)
        async with up(tmp_path / "ann") as ann:
            await connect(ann.network.host, host.network.host)
            assert [one.name for one in ann.grouping.invites()] == ["Chess", "Go", "Gone"]
            await ann.grouping.join(host.id, chess)
            ann.grouping.leave(host.id, chess)
            ann.grouping.refuse(host.id, go)
            with pytest.raises(UnknownGroupError, match="no invitation"):
                ann.grouping.refuse(host.id, go)
            with pytest.raises(UnknownGroupError, match="no such group"):
                await ann.grouping.join(host.id, gone)
            assert ann.grouping.invites() == (), "what was taken, refused, or is no more is asked for no longer"
    async with up(tmp_path / "ann") as ann:
        assert ann.grouping.invites() == ()


async def test_the_group_of_a_listening_session_ends_with_the_session_alone(three: tuple[Joined, Joined, Joined]) -> None:
    host, _, _ = three
    await host.peer.listening.create("Radio")
    session = host.grouping.groups.hosted()[0].id
    with pytest.raises(InvalidGroupError, match="end that"):
        await host.grouping.end(session)
    await host.peer.listening.close()
    assert host.grouping.groups.hosted() == ()


async def test_nothing_is_asked_without_a_network_and_groups_are_made_all_the_same(tmp_path: Path) -> None:
    (tmp_path / "goop.json").write_text("{}")
    async with open_peer(tmp_path, {}) as peer:
        group = await peer.grouping.create("Game", "template")
        with pytest.raises(NetworkError, match="not on the network yet"):
            await peer.grouping.join("12D3KooW", "x")
        with pytest.raises(NetworkError, match="not on the network yet"):
            peer.grouping.send(peer.identity.peer_id, group.id, b"1")
    async with open_peer(tmp_path, {}) as peer:
        assert [one.id for one in peer.grouping.groups.hosted()] == [group.id]


async def test_a_command_beside_the_peer_writes_nothing_over_its_groups(tmp_path: Path) -> None:
    (tmp_path / "goop.json").write_text("{}")
    async with open_peer(tmp_path, {}) as running:
        async with open_peer(tmp_path, {}):
            await running.grouping.create("Chess", "club")
        async with open_peer(tmp_path, {}) as later:
            assert [one.name for one in later.grouping.groups.hosted()] == ["Chess"]


async def test_what_needs_no_writing_does_not_wait_for_the_write_lock(tmp_path: Path) -> None:
    (tmp_path / "goop.json").write_text("{}")
    async with open_peer(tmp_path, {}):
        pass
    # Another process: locks of one process do not keep itself out.
    holder = await asyncio.create_subprocess_exec(sys.executable, "-c", HOLD, tmp_path / "data.db", stdin=PIPE, stdout=PIPE)
    assert holder.stdin is not None
    assert holder.stdout is not None
    assert await holder.stdout.readline() == b"held\n"
    began = time.monotonic()
    async with open_peer(tmp_path, {}) as peer:
        assert peer.warnings == ()
    assert time.monotonic() - began < WRITE_LOCK_SECONDS
    holder.stdin.close()
    await holder.wait()


async def test_thousands_of_groups_are_not_hosted(tmp_path: Path) -> None:
    (tmp_path / "goop.json").write_text("{}")
    async with open_peer(tmp_path, {}) as peer:
        for number in range(HOSTED_MAX):
            await peer.grouping.create(f"Game {number}", "template")
        with pytest.raises(TooManyGroupsError, match="close one"):
            await peer.grouping.create("One more", "template")


async def test_members_that_come_and_go_fast_are_written_a_few_times(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "goop.json").write_text("{}")
    written: list[int] = []
    real = groups.write

    def counted(*given: Any) -> None:
        written.append(1)
        real(*given)

    monkeypatch.setattr(groups, "write", counted)
    async with open_peer(tmp_path, {}) as peer:
        group = (await peer.grouping.create("Game", "template")).id
        written.clear()
        for number in range(200):
            said = topics.read(f"group:{group}:join", b'{"type":"join"}')
            assert isinstance(said, topics.Group)
            peer.grouping.received(f"peer{number}", said)
            await asyncio.sleep(0)
        assert len(written) <= 2
    async with open_peer(tmp_path, {}) as peer:
        assert len(peer.grouping.groups.hosted()[0].away) == 200
