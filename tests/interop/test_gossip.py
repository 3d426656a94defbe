"""GossipSub of ours among go-, js- and py-libp2p: said both ways, handed on between two, and asked for where it was missed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest
from tests.interop.others import Build, Other, go_peer, js_peer, py_peer, running
from tests.net.gossip.members import Member
from tests.net.hosts import loopback_host, until

from goop2.net.address import parse
from goop2.net.gossip import open_gossip
from goop2.net.gossip.router import Router

TOPIC = "interop.topic"
MESH_SECONDS = 2.5
"""Two heartbeats of the others: so long a mesh takes to form."""
EACH = pytest.mark.parametrize("build", [go_peer, js_peer, py_peer], ids=["go-libp2p", "js-libp2p", "py-libp2p"])


@asynccontextmanager
async def ours() -> AsyncIterator[Member]:
    async with loopback_host() as host:
        one = Member(host)
        async with open_gossip(host, TOPIC, one.hear) as one.gossip:
            yield one


async def meet(other: Other, member: Member) -> None:
    await other.subscribe(TOPIC)
    await other.connect(member.host.addresses[0])
    await until(lambda: other.id in member.gossip.neighbours() and other.id in member.gossip._router.mesh)


def leave_mesh(member: Member, other: Other) -> None:
    """By both sides' count: what is said between them from now on is offered and asked for."""
    member.gossip._router._prune([other.id])
    member.gossip._write()


@EACH
async def test_what_is_said_is_heard_both_ways_once(build: Build, tmp_path: Path) -> None:
    """In any order: go-libp2p checks several messages at a time."""
    async with running(build(tmp_path)) as other, ours() as member:
        await meet(other, member)
        await member.gossip.publish(b"first")
        # Now it knows that we listen.
        assert await other.came(TOPIC) == (member.host.peer_id, b"first")
        said = [b"%d" % number for number in range(30)]
        for each in said:
            await member.gossip.publish(each)
            await other.publish(TOPIC, each)
        await until(lambda: len(member.heard) >= len(said))
        came = [await other.came(TOPIC) for _ in said]
        await asyncio.sleep(MESH_SECONDS)  # a second copy would be here by now
        assert sorted(member.heard) == sorted((other.id, each) for each in said)
        assert sorted(came) == sorted((member.host.peer_id, each) for each in said)
        assert other.all_that_came(TOPIC) == []


@EACH
async def test_we_meet_whoever_dialled(build: Build, tmp_path: Path) -> None:
    async with running(build(tmp_path)) as other, ours() as member:
        await other.subscribe(TOPIC)
        host = member.host
        await host.connect(other.id, [parse(other.address)])
        await until(lambda: other.id in member.gossip._router.mesh)
        await member.gossip.publish(b"hello")
        assert await other.came(TOPIC) == (host.peer_id, b"hello")


async def test_what_one_says_is_handed_on_to_the_other_and_back(tmp_path: Path) -> None:
    async with AsyncExitStack() as stack:
        go = await stack.enter_async_context(running(go_peer(tmp_path)))
        js = await stack.enter_async_context(running(js_peer(tmp_path)))
        member = await stack.enter_async_context(ours())
        await meet(go, member)
        await meet(js, member)
        await asyncio.sleep(MESH_SECONDS)  # until their meshes stand, which they do not tell
        await go.publish(TOPIC, b"of go")
        assert await js.came(TOPIC) == (go.id, b"of go")
        await js.publish(TOPIC, b"of js")
        assert await go.came(TOPIC) == (js.id, b"of js")
        assert sorted(member.heard) == sorted([(go.id, b"of go"), (js.id, b"of js")])


@pytest.mark.parametrize(("between", "beyond"), [(go_peer, js_peer), (js_peer, go_peer)], ids=["go-libp2p offers", "js-libp2p offers"])
async def test_what_we_missed_is_offered_and_asked_for_once(
    between: Build, beyond: Build, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[bytes] = []
    take_offer = Router._take_offer

    def noted(router: Router, peer: str, neighbour: object, ids: tuple[bytes, ...]) -> None:
        take_offer(router, peer, neighbour, ids)  # type: ignore[arg-type]
        asked.extend(router._pending[peer].iwant if peer in router._pending else ())

    monkeypatch.setattr(Router, "_take_offer", noted)
    async with AsyncExitStack() as stack:
        middle = await stack.enter_async_context(running(between(tmp_path)))
        far = await stack.enter_async_context(running(beyond(tmp_path)))
        member = await stack.enter_async_context(ours())
        await meet(middle, member)
        await far.subscribe(TOPIC)
        await far.connect(middle.address)
        await asyncio.sleep(MESH_SECONDS)  # until their meshes stand, which they do not tell
        leave_mesh(member, middle)
        await asyncio.sleep(MESH_SECONDS)  # until it counts as left
        await far.publish(TOPIC, b"from afar")
        await until(lambda: member.heard == [(far.id, b"from afar")])
        await asyncio.sleep(MESH_SECONDS)  # a second copy would be here by now
        assert len(asked) == 1
        assert member.heard == [(far.id, b"from afar")]


@EACH
async def test_what_another_missed_is_offered_and_given(build: Build, tmp_path: Path) -> None:
    async with AsyncExitStack() as stack:
        other = await stack.enter_async_context(running(build(tmp_path)))
        member = await stack.enter_async_context(ours())
        friend = await stack.enter_async_context(ours())
        await meet(other, member)
        await friend.host.connect(member.host.peer_id, [parse(member.host.addresses[0])])
        await until(lambda: friend.host.peer_id in member.gossip._router.mesh)
        leave_mesh(member, other)
        await friend.gossip.publish(b"handed on")
        assert await other.came(TOPIC) == (friend.host.peer_id, b"handed on")
        assert member.gossip._router.mesh == {friend.host.peer_id}
