"""What neighbours may take of a peer by gossip: each bound, by its name, between real hosts."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine

import pytest
from structlog.testing import capture_logs
from tests.net.gossip.authors import TOPIC, Author
from tests.net.gossip.members import LISTENS, acquainted, member, own, raw
from tests.net.hosts import SECONDS, connect, loopback_host, until

from goop2.net.gossip import intake as intake_module
from goop2.net.gossip import neighbour as neighbour_module
from goop2.net.gossip import service as module
from goop2.net.gossip.messages import sign
from goop2.net.gossip.router import IGNORED_SECONDS, MALFORMED
from goop2.net.gossip.rpc import CONTROL, Control, write_control, write_messages
from goop2.net.limits import GOSSIP_FAULTS_PER_MINUTE, GOSSIP_MESSAGE_MAX_BYTES, GOSSIP_RPC_MAX_BYTES
from goop2.protocols.protobuf import DelimitedReader, content, delimited, number, read_varint, varint


async def test_all_together_are_heard_so_often_a_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(intake_module, "GOSSIP_MESSAGES_PER_MINUTE", 3)
    async with asyncio.timeout(SECONDS), member() as ann, member() as bob, member() as carol:
        await acquainted(ann, bob)
        await acquainted(carol, bob)
        for _ in range(3):
            await ann.gossip.publish(b"ann")
            await carol.gossip.publish(b"carol")
        await until(lambda: len(bob.heard) >= 3)
        await asyncio.sleep(0.3)  # what is beyond the bound would be here by now
        assert len(bob.heard) == 3


async def test_who_sends_garbage_again_and_again_is_ignored_for_a_while_and_told_of_a_few_times() -> None:
    async with asyncio.timeout(SECONDS), member() as bob, loopback_host() as eve:
        await connect(eve, bob.host)
        with capture_logs() as lines:
            for _ in range(GOSSIP_FAULTS_PER_MINUTE // MALFORMED + 5):
                await raw(eve, bob.host, delimited(b"\xff\xff\xff no protobuf"))
        assert len([line for line in lines if line["event"] == "a neighbour's gossip ended"]) == GOSSIP_FAULTS_PER_MINUTE // MALFORMED + 1
        refused = await raw(eve, bob.host, LISTENS, write_messages((own(eve),)))
        await until(lambda: refused.muxed.was_reset)
        assert (bob.gossip.neighbours(), bob.heard) == ((), [])
        bob.gossip._router._ignored[eve.peer_id] -= IGNORED_SECONDS
        await raw(eve, bob.host, LISTENS)
        await until(lambda: eve.peer_id in bob.gossip.neighbours())


async def test_half_an_rpc_is_held_for_so_long_and_all_together_so_much(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "GOSSIP_RPC_SECONDS", 0.3)
    half = varint(50_000) + bytes(20_000)
    async with asyncio.timeout(SECONDS), member() as bob, loopback_host() as eve, loopback_host() as mallory:
        bob.gossip._unread._most = 30_000
        await connect(eve, bob.host)
        await connect(mallory, bob.host)
        first = await raw(eve, bob.host, half)
        second = await raw(mallory, bob.host, half)
        await until(lambda: second.muxed.was_reset)
        assert 0 < bob.gossip._unread.held <= 20_003
        await until(lambda: first.muxed.was_reset)
        assert bob.gossip._unread.held == 0


async def test_rpcs_of_a_neighbour_are_read_no_faster_than_they_may_come(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "GOSSIP_RPCS_PER_MINUTE", 60)
    async with asyncio.timeout(SECONDS), member() as ann, member() as bob, loopback_host() as eve:
        await connect(eve, bob.host)
        with capture_logs() as lines:
            await raw(eve, bob.host, b"\x00" * 10_000, write_messages((own(eve),)))
            await acquainted(ann, bob)
            await ann.gossip.publish(b"hello")
            await until(lambda: bob.heard == [(ann.host.peer_id, b"hello")])
        assert [line["event"] for line in lines].count("a neighbour floods gossip") == 1


async def turns_during(work: Coroutine[object, object, object]) -> int:
    """How often others had their turn."""
    task = asyncio.create_task(work)
    turns = 0
    while not task.done():
        await asyncio.sleep(0)
        turns += 1
    await task
    return turns


async def test_an_rpc_of_many_messages_lets_others_have_their_turn() -> None:
    many = write_messages([sign(Author().seed, b"%d" % each, each, TOPIC).write() for each in range(200)])
    async with asyncio.timeout(SECONDS), member() as bob:
        turns = await turns_during(bob.gossip._take("neighbour", many[read_varint(many)[1] :]))
        assert len(bob.heard) == 200
        assert turns > 200 // module.AT_ONCE


@pytest.mark.parametrize("rpc", [b"\x00", LISTENS, write_control(Control(graft=True), TOPIC)], ids=["empty", "subscription", "graft"])
async def test_many_rpcs_let_others_have_their_turn(rpc: bytes) -> None:
    reader = DelimitedReader("an RPC", GOSSIP_RPC_MAX_BYTES)
    reader.feed(rpc * 500)
    async with asyncio.timeout(SECONDS), member() as bob:
        assert await turns_during(bob.gossip._take_all("neighbour", reader)) > 500 // module.AT_ONCE


async def test_a_message_that_is_too_long_is_not_heard() -> None:
    async with asyncio.timeout(SECONDS), member() as ann, member() as bob:
        await acquainted(ann, bob)
        await ann.gossip.publish(b"x" * (GOSSIP_MESSAGE_MAX_BYTES + 1))
        await ann.gossip.publish(b"short")
        await until(lambda: bool(bob.heard))
        assert [payload for _, payload in bob.heard] == [b"short"]


async def test_an_author_is_heard_so_often_a_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(intake_module, "AUTHOR_MESSAGES_PER_MINUTE", 3)
    async with asyncio.timeout(SECONDS), member() as ann, member() as bob, member() as carol:
        await acquainted(ann, bob)
        await acquainted(carol, bob)
        for each in range(6):
            await ann.gossip.publish(b"%d" % each)
        await carol.gossip.publish(b"carol")
        await until(lambda: (carol.host.peer_id, b"carol") in bob.heard and len(bob.heard) >= 4)
        await asyncio.sleep(0.3)  # what is beyond the bound would be here by now
        assert [author for author, _ in bob.heard].count(ann.host.peer_id) == 3


async def test_a_neighbour_hands_on_so_much_a_minute_whoever_the_authors_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(intake_module, "NEIGHBOUR_MESSAGES_PER_MINUTE", 3)
    async with asyncio.timeout(SECONDS), member() as ann, member() as bob:
        await acquainted(ann, bob)
        for each in range(6):
            await ann.gossip.publish(b"%d" % each)
        await until(lambda: len(bob.heard) >= 3)
        await asyncio.sleep(0.3)  # what is beyond the bound would be here by now
        assert len(bob.heard) == 3


async def test_controls_of_a_neighbour_are_read_up_to_so_many_bytes_a_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "GOSSIP_CONTROL_BYTES_PER_MINUTE", 50)
    graft = write_control(Control(graft=True), TOPIC)
    async with asyncio.timeout(SECONDS), member() as bob, loopback_host() as eve:
        await connect(eve, bob.host)
        with capture_logs() as lines:
            await raw(eve, bob.host, LISTENS, graft, write_control(Control((b"x" * 46,)), TOPIC), graft)
        assert [line["event"] for line in lines].count("a neighbour floods gossip") == 1
        assert bob.gossip._router.mesh == {eve.peer_id}


async def test_other_topics_of_a_stranger_are_not_remembered() -> None:
    prunes = b"".join(content(4, content(1, f"topic-{each}".encode())) for each in range(50))
    subscribed = b"".join(content(1, number(1, 1) + content(2, f"topic-{each}".encode())) for each in range(50))
    async with asyncio.timeout(SECONDS), member() as bob, loopback_host() as eve:
        await connect(eve, bob.host)
        await raw(eve, bob.host, delimited(subscribed + content(CONTROL, prunes)))
        assert bob.gossip.neighbours() == ()
        assert bob.gossip._router.back_offs == {}


async def test_a_neighbour_that_does_not_read_misses_the_newest_and_gets_our_own_words_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(neighbour_module, "GOSSIP_QUEUE_BYTES", 1000)
    async with asyncio.timeout(SECONDS), member() as ann, member() as bob:
        await acquainted(ann, bob)
        (ours,) = ann.gossip._neighbours.values()
        await until(lambda: ours._stream is not None)
        assert ours._stream is not None
        window, ours._stream.muxed.send_window = ours._stream.muxed.send_window, 0
        for each in range(50):
            message = sign(ann.host.identity.seed, b"%d" % each, each, TOPIC)
            ours.push(write_messages((message.write(),)), handed_on=each % 2 == 1)
        waiting = (ours._first._bytes, ours._then._bytes)
        ours._stream.muxed.grow(window)
        await until(lambda: ours._blocked is None)
        await asyncio.sleep(0.1)  # what was thrown away would be here by now
        heard = [int(payload) for _, payload in bob.heard]
    assert 500 < min(waiting) <= max(waiting) <= 1000
    assert 4 < len(heard) < 20
    assert heard == sorted(heard, key=lambda each: (each % 2, each))
