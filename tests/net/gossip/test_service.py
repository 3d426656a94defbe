"""Gossip between real hosts: what is signed arrives, what is forged or too much does not, and nothing a stranger sends ends it."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
from tests.net.gossip.authors import TOPIC, Author
from tests.net.gossip.members import LISTENS, Member, acquainted, member, own, raw
from tests.net.hosts import SECONDS, connect, loopback_host, read_all, until

from goop2.net.address import parse
from goop2.net.connection import Connection
from goop2.net.gossip import neighbour as neighbour_module
from goop2.net.gossip import open_gossip
from goop2.net.gossip import service as module
from goop2.net.gossip.messages import GossipMessage, sign
from goop2.net.gossip.neighbour import PROTOCOLS
from goop2.net.gossip.router import Router
from goop2.net.gossip.rpc import CONTROL, Control, write_messages
from goop2.net.host import Connected, Host
from goop2.net.limits import GOSSIP_RPC_MAX_BYTES
from goop2.net.stream import Stream
from goop2.protocols import peer_ids
from goop2.protocols.protobuf import content, delimited, number, varint


def forged(message: GossipMessage, signature: bytes = b"x" * 64) -> bytes:
    return message.signed + content(5, signature)


async def test_what_one_says_another_hears_with_its_authors_name() -> None:
    async with asyncio.timeout(SECONDS), member() as ann, member() as bob:
        await acquainted(ann, bob)
        await ann.gossip.publish(b"hello")
        await until(lambda: bob.heard == [(ann.host.peer_id, b"hello")])
        assert ann.heard == []


async def test_what_one_says_is_heard_before_there_is_a_mesh(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Router, "heartbeat", lambda _router: None)
    monkeypatch.setattr(Router, "_welcome", lambda _router, _peer: None)
    async with asyncio.timeout(SECONDS), member() as ann, member() as bob:
        await acquainted(ann, bob)
        await ann.gossip.publish(b"goodbye")
        await until(lambda: bob.heard == [(ann.host.peer_id, b"goodbye")])


async def test_numbers_go_up_over_restarts() -> None:
    async with asyncio.timeout(SECONDS), member() as ann, member() as bob:
        before = time.time_ns()
        await acquainted(ann, bob)
        await ann.gossip.publish(b"hello")
        await until(lambda: bool(bob.heard))
        assert before - 10**9 * SECONDS < ann.gossip._number <= time.time_ns()


async def test_who_leaves_has_said_everything_however_long_that_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LAST_WORDS_SECONDS", SECONDS)
    async with asyncio.timeout(SECONDS), member() as bob:
        async with member() as ann:
            await acquainted(ann, bob)
            (ours,) = ann.gossip._neighbours.values()
            await until(lambda: ours._stream is not None)
            assert ours._stream is not None
            window, ours._stream.muxed.send_window = ours._stream.muxed.send_window, 5
            await ann.gossip.publish(b"one thing more")
            await ann.gossip.publish(b"goodbye")
            asyncio.get_running_loop().call_later(0.3, ours._stream.muxed.grow, window)
        await until(lambda: [payload for _, payload in bob.heard] == [b"one thing more", b"goodbye"])


@contextlib.asynccontextmanager
async def late_reader(waits: Callable[[Host, Stream], Awaitable[None]]) -> AsyncIterator[asyncio.Future[bytes]]:
    """A neighbour that waits with its reading, and what it heard. Inside the block somebody has said goodbye to it and gone."""
    heard: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
    async with asyncio.timeout(SECONDS), loopback_host() as late:

        async def read_late(stream: Stream) -> None:
            await waits(late, stream)
            heard.set_result(await read_all(stream))

        await late.serve(PROTOCOLS[0], read_late)
        async with member() as ann:
            await connect(late, ann.host)
            stream = await late.open(ann.host.peer_id, PROTOCOLS[0])
            await stream.write(LISTENS)
            await until(lambda: late.peer_id in ann.gossip.neighbours() and late.peer_id in ann.gossip._router.mesh)
            await ann.gossip.publish(b"goodbye")
        yield heard
        stream.reset()


async def test_last_words_are_heard_by_who_reads_them_when_we_are_gone() -> None:
    async def waits(late: Host, _stream: Stream) -> None:
        await until(lambda: not late.peers())

    async with late_reader(waits) as heard:
        assert b"goodbye" in await heard


async def test_the_connection_stays_for_a_moment_while_last_words_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LAST_WORDS_SECONDS", SECONDS)
    connected: list[Connected] = []

    async def waits(late: Host, stream: Stream) -> None:
        await until(lambda: stream.muxed.read_ended)
        await asyncio.sleep(0.2)  # the other side notices the end of the stream
        connected.extend(late.peers())

    async with late_reader(waits) as heard:
        assert b"goodbye" in await heard
        assert connected


async def test_it_is_handed_on_by_whoever_is_between_unless_it_is_not_worth_it() -> None:
    async with asyncio.timeout(SECONDS), member() as ann, member() as between, member() as bob:
        await acquainted(ann, between)
        await acquainted(between, bob)
        await ann.gossip.publish(b"not to be handed on")
        await ann.gossip.publish(b"hello")
        await until(lambda: (ann.host.peer_id, b"hello") in bob.heard)
        assert (ann.host.peer_id, b"not to be handed on") in between.heard
        assert bob.heard == [(ann.host.peer_id, b"hello")]


async def test_who_missed_a_message_is_offered_it_and_asks_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "HEARTBEAT_SECONDS", 0.05)
    async with asyncio.timeout(SECONDS), member() as ann, member() as between, member() as bob:
        await acquainted(ann, between)
        await acquainted(between, bob)
        # Bob is in nobody's mesh.
        between.gossip._router.control(bob.host.peer_id, Control(prune=60))
        between.gossip._router.drain()
        await ann.gossip.publish(b"hello")
        await until(lambda: bob.heard == [(ann.host.peer_id, b"hello")])


async def test_a_message_in_anothers_name_is_not_heard() -> None:
    async with asyncio.timeout(SECONDS), member() as bob, loopback_host() as eve:
        await connect(eve, bob.host)
        victim = Author()
        key = peer_ids.key_message(peer_ids.public_key_of(eve.peer_id))
        unsigned = victim.says(b"not signed").signed
        by_another = forged(victim.says(b"signed by another"), sign(eve.identity.seed, b"signed by another", 1, TOPIC).signature)
        sent = [write_messages((each,)) for each in (unsigned, forged(victim.says(b"forged")), by_another + content(6, key), own(eve))]
        await raw(eve, bob.host, *sent)
        await until(lambda: bool(bob.heard))
        assert bob.heard == [(eve.peer_id, b"own")]


GARBAGE = [
    write_messages((content(1, b"") + content(2, b"forged"),)),
    write_messages((content(1, b"\x12\x20" + bytes(32)) + content(5, b"x") + content(6, b"nonsense"),)),
    write_messages((content(1, b"\xff" * 40) + content(5, b"x"),)),
    delimited(b"\xff\xff\xff no protobuf"),
    b"\xff" * 11,
    b"\xff\xff\xff\xff\x7f",
    delimited(content(CONTROL, b"\xff\xff")),
    delimited(content(CONTROL, content(4, content(1, TOPIC.encode()) + number(3, 2**63)))),
    varint(GOSSIP_RPC_MAX_BYTES + 1) + b"x" * 100,
    b"\x00" * 1000,
]


@pytest.mark.parametrize("garbage", GARBAGE)
async def test_garbage_ends_nothing(garbage: bytes) -> None:
    async with asyncio.timeout(SECONDS), member() as ann, member() as bob, loopback_host() as eve:
        await connect(eve, bob.host)
        await raw(eve, bob.host, garbage)
        await acquainted(ann, bob)
        await ann.gossip.publish(b"hello")
        await until(lambda: bob.heard == [(ann.host.peer_id, b"hello")])


async def test_what_cannot_be_read_ends_its_stream_and_nothing_else() -> None:
    async with asyncio.timeout(SECONDS), member() as bob, loopback_host() as eve:
        await connect(eve, bob.host)
        broken = await raw(eve, bob.host, LISTENS, delimited(b"\xff\xff\xff no protobuf"))
        await until(lambda: broken.muxed.was_reset)
        await until(lambda: eve.peer_id not in bob.gossip.neighbours())
        assert eve.is_connected(bob.host.peer_id)
        await raw(eve, bob.host, LISTENS)
        await until(lambda: eve.peer_id in bob.gossip.neighbours())


async def test_a_newer_stream_of_a_neighbour_takes_the_place_of_an_older_one() -> None:
    async with asyncio.timeout(SECONDS), member() as bob, loopback_host() as eve:
        await connect(eve, bob.host)
        first = await raw(eve, bob.host, LISTENS)
        await until(lambda: eve.peer_id in bob.gossip.neighbours())
        second = await raw(eve, bob.host, LISTENS)
        await until(lambda: first.muxed.was_reset)
        assert bob.gossip.neighbours() == (eve.peer_id,)
        second.reset()
        await until(lambda: bob.gossip.neighbours() == ())
        await raw(eve, bob.host, LISTENS)
        await until(lambda: eve.peer_id in bob.gossip.neighbours())
        await raw(eve, bob.host, b"\x00")
        # What it said on the older one is over with that.
        await until(lambda: bob.gossip.neighbours() == ())


async def test_a_stream_that_ends_is_opened_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(neighbour_module, "RETRY_FIRST_SECONDS", 0.1)
    async with asyncio.timeout(SECONDS), member() as ann, member() as bob:
        await acquainted(ann, bob)
        bob.gossip._incoming[ann.host.peer_id].reset()
        await until(lambda: not ann.gossip._router.mesh)
        await until(lambda: ann.host.peer_id in bob.gossip.neighbours() and bool(ann.gossip._router.mesh))
        await ann.gossip.publish(b"hello")
        await until(lambda: bob.heard == [(ann.host.peer_id, b"hello")])


async def test_a_mistake_while_a_stream_is_opened_is_not_the_last_try(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(neighbour_module, "RETRY_FIRST_SECONDS", 0.1)
    open_on = Host.open_on
    fails = [True, True]

    async def mistaken(host: Host, connection: Connection, *protocols: str) -> Stream:
        if fails:
            fails.pop()
            raise ValueError("a mistake of ours")
        return await open_on(host, connection, *protocols)

    monkeypatch.setattr(Host, "open_on", mistaken)
    async with asyncio.timeout(SECONDS), member() as ann, member() as bob:
        await acquainted(ann, bob)
        await ann.gossip.publish(b"hello")
        await until(lambda: bob.heard == [(ann.host.peer_id, b"hello")])


async def test_a_stream_through_a_relay_moves_to_a_direct_connection() -> None:
    async with asyncio.timeout(SECONDS), member() as ann, member() as bob:
        await acquainted(ann, bob)
        (ours,) = ann.gossip._neighbours.values()
        (relayed,) = ann.host.connections(bob.host.peer_id)
        await until(lambda: ours._stream is not None)
        relayed.is_relayed = True
        direct = await ann.host.dial_address(bob.host.peer_id, parse(bob.host.addresses[0]).transport)
        await until(lambda: ours._stream is not None and ours._stream.connection is direct)
        await until(lambda: bob.host.peer_id in ann.gossip._router.mesh)
        await ann.gossip.publish(b"hello")
        await until(lambda: bob.heard == [(ann.host.peer_id, b"hello")])


async def test_a_gossip_that_begins_late_is_met_at_once() -> None:
    async with asyncio.timeout(SECONDS), member() as ann, loopback_host() as host:
        await connect(host, ann.host)
        await asyncio.sleep(0.1)  # the other one has asked, and found nobody who knows the protocol
        bob = Member(host)
        async with open_gossip(host, TOPIC, bob.hear) as bob.gossip:
            await until(lambda: bob.host.peer_id in ann.gossip.neighbours() and ann.host.peer_id in bob.gossip.neighbours())
            await ann.gossip.publish(b"hello")
            await until(lambda: bob.heard == [(ann.host.peer_id, b"hello")])


async def test_a_peer_that_is_gone_leaves_nothing_behind() -> None:
    async with asyncio.timeout(SECONDS), member() as ann:
        async with member() as bob:
            await acquainted(ann, bob)
            ann.gossip.listeners_changed.clear()
        await until(lambda: not ann.gossip._neighbours and not ann.gossip._incoming and ann.gossip._router.is_idle)
        assert ann.gossip.listeners_changed.is_set()


async def test_there_is_no_heartbeat_while_there_is_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "HEARTBEAT_SECONDS", 0.01)
    beats = 0

    def beat(_router: Router) -> None:
        nonlocal beats
        beats += 1

    monkeypatch.setattr(Router, "heartbeat", beat)
    async with asyncio.timeout(SECONDS), member() as ann:
        await ann.gossip.publish(b"to nobody")
        await asyncio.sleep(0.2)  # heartbeats that went on would be counted
        alone = beats
        async with member() as bob:
            await acquainted(ann, bob)
            await until(lambda: beats > 5)
    assert alone == 0


async def test_a_heartbeat_that_fails_is_not_the_last(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "HEARTBEAT_SECONDS", 0.05)
    fails = True

    def beat(_router: Router) -> None:
        nonlocal fails
        if fails:
            fails = False
            raise ValueError("a mistake of ours")

    monkeypatch.setattr(Router, "heartbeat", beat)
    async with asyncio.timeout(SECONDS), member() as ann, member() as bob:
        await acquainted(ann, bob)
        await until(lambda: not fails)
        await ann.gossip.publish(b"hello")
        await until(lambda: bob.heard == [(ann.host.peer_id, b"hello")])


async def test_who_sends_gossip_is_answered_whatever_it_says_it_speaks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Host, "supports", lambda *_: False)
    answered = asyncio.Event()

    async def hear(_stream: Stream) -> None:
        answered.set()

    async with asyncio.timeout(SECONDS), member() as bob, loopback_host() as eve:
        await eve.serve(PROTOCOLS[0], hear)
        await connect(eve, bob.host)
        await asyncio.sleep(0.2)  # an answer before its time would be here by now
        before = answered.is_set()
        await raw(eve, bob.host, LISTENS)
        await answered.wait()
    assert not before


async def test_a_gossip_that_ends_ends_its_streams_and_takes_no_more() -> None:
    async with asyncio.timeout(SECONDS), loopback_host() as host, loopback_host() as eve:
        bob = Member(host)
        async with open_gossip(host, TOPIC, bob.hear) as bob.gossip:
            await connect(eve, host)
            stream = await raw(eve, host, LISTENS)
            await until(lambda: bob.gossip.neighbours() == (eve.peer_id,))
        await until(lambda: stream.muxed.was_reset)
        late = await raw(eve, host, LISTENS)
        await until(lambda: late.muxed.was_reset)
        assert bob.gossip.neighbours() == ()
