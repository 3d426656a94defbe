"""Gossip between real hosts: what is signed arrives, what is forged or too much does not, and nothing a stranger sends ends it."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
import trio
from libp2p.crypto.rsa import create_new_key_pair
from libp2p.custom_types import TProtocol
from libp2p.peer.id import ID
from libp2p.pubsub.pb import rpc_pb2
from libp2p.pubsub.pubsub import Pubsub
from libp2p.utils import encode_varint_prefixed
from tests.net.hosts import SECONDS, connect, loopback_host, new_identity, read_all, until

from goop2.net import gossip as module
from goop2.net.gossip import PROTOCOLS, Gossip, open_gossip
from goop2.net.host import Connected, Host
from goop2.net.limits import FORGETTING_AT_KEYS, GOSSIP_MESSAGE_MAX_BYTES
from goop2.net.stream import Stream

TOPIC = "test.topic"


class Member:
    """A host that listens, and what it heard."""

    def __init__(self, host: Host) -> None:
        self.host = host
        self.heard: list[tuple[str, bytes]] = []
        self.gossip: Gossip

    def hear(self, author: str, payload: bytes) -> bool:
        self.heard.append((author, payload))
        return not payload.startswith(b"not to be handed on")


@contextlib.asynccontextmanager
async def member() -> AsyncIterator[Member]:
    async with loopback_host() as host:
        one = Member(host)
        async with open_gossip(host, TOPIC, one.hear) as one.gossip:
            await until(lambda: one.gossip._pubsub is not None)
            yield one


async def acquainted(one: Member, other: Member) -> None:
    await connect(one.host, other.host)
    await until(lambda: other.host.peer_id in one.gossip.neighbours() and one.host.peer_id in other.gossip.neighbours())


async def raw(sender: Host, receiver: Host, *sent: bytes) -> None:
    """Bytes on a gossip stream of our own making."""

    async def write() -> None:
        stream = await sender._host.new_stream(ID.from_string(receiver.peer_id), [TProtocol(PROTOCOLS[0])])
        with contextlib.suppress(Exception):  # it may be reset at any byte
            for piece in sent:
                await stream.write(piece)
            await trio.sleep(0.2)

    await guest.call(write)


def rpc(*messages: rpc_pb2.Message) -> bytes:
    return encode_varint_prefixed(rpc_pb2.RPC(publish=list(messages)).SerializeToString())


LISTENS = encode_varint_prefixed(rpc_pb2.RPC(subscriptions=[rpc_pb2.RPC.SubOpts(subscribe=True, topicid=TOPIC)]).SerializeToString())


def message(author: bytes, data: bytes = b"forged", number: int = 1, **more: Any) -> rpc_pb2.Message:
    return rpc_pb2.Message(data=data, topicIDs=[TOPIC], from_id=author, seqno=number.to_bytes(8, "big"), **more)


async def test_what_one_says_another_hears_with_its_authors_name() -> None:
    async with asyncio.timeout(SECONDS), member() as ann, member() as bob:
        await acquainted(ann, bob)
        await ann.gossip.publish(b"hello")
        await until(lambda: bob.heard == [(ann.host.peer_id, b"hello")])
        assert ann.heard == []


async def test_what_one_says_is_heard_before_there_is_a_mesh(monkeypatch: pytest.MonkeyPatch) -> None:
    async def no_heartbeat(_router: object) -> None:
        await trio.sleep_forever()

    async def not_taken_in(*_arguments: object) -> None:
        pass

    monkeypatch.setattr(module._Router, "heartbeat", no_heartbeat)
    monkeypatch.setattr(module._Router, "on_peer_subscribed", not_taken_in)
    async with asyncio.timeout(SECONDS), member() as ann, member() as bob:
        await acquainted(ann, bob)
        await ann.gossip.publish(b"goodbye")
        await until(lambda: bob.heard == [(ann.host.peer_id, b"goodbye")])


async def test_who_leaves_has_said_everything_however_long_that_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    write = Pubsub.write_msg

    async def slowly(*arguments: Any) -> bool:
        await trio.sleep(0.1)
        return await write(*arguments)

    monkeypatch.setattr(Pubsub, "write_msg", slowly)
    monkeypatch.setattr(module, "LAST_WORDS_SECONDS", SECONDS)
    async with asyncio.timeout(SECONDS), member() as bob:
        async with member() as ann:
            await acquainted(ann, bob)
            await until(lambda: bool(ann.gossip._pubsub and ann.gossip._pubsub.peers))
            await ann.gossip.publish(b"one thing more")
            await ann.gossip.publish(b"goodbye")
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
            await until(lambda: late.peer_id in ann.gossip.neighbours() and bool(ann.gossip._pubsub and ann.gossip._pubsub.peers))
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
        await asyncio.sleep(0.2)
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


async def test_a_message_in_anothers_name_is_not_heard() -> None:
    victim = ID.from_string(new_identity().peer_id).to_bytes()
    async with asyncio.timeout(SECONDS), member() as bob, loopback_host() as eve:
        await connect(eve, bob.host)
        signed = message(victim, b"signed by another")
        signed.signature = eve._host.get_private_key().sign(b"libp2p-pubsub:" + signed.SerializeToString())
        signed.key = eve._host.get_public_key().serialize()
        own = message(ID.from_string(eve.peer_id).to_bytes(), b"own")
        own.signature = eve._host.get_private_key().sign(b"libp2p-pubsub:" + own.SerializeToString())
        await raw(eve, bob.host, rpc(message(victim)), rpc(message(victim, signature=b"x" * 64)), rpc(signed), rpc(own))
        await until(lambda: bool(bob.heard))
        assert bob.heard == [(eve.peer_id, b"own")]


async def test_an_author_whose_id_does_not_hold_its_key_is_not_heard() -> None:
    keys = create_new_key_pair(2048)
    async with asyncio.timeout(SECONDS), member() as ann, member() as bob, loopback_host() as eve:
        await connect(eve, bob.host)
        await acquainted(ann, bob)
        signed = message(ID.from_pubkey(keys.public_key).to_bytes())
        signed.signature = keys.private_key.sign(b"libp2p-pubsub:" + signed.SerializeToString())
        signed.key = keys.public_key.serialize()
        await raw(eve, bob.host, rpc(signed))
        await ann.gossip.publish(b"hello")
        await until(lambda: bool(bob.heard))
        assert bob.heard == [(ann.host.peer_id, b"hello")]


async def test_all_together_are_heard_so_often_a_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "GOSSIP_MESSAGES_PER_MINUTE", 3)
    async with asyncio.timeout(SECONDS), member() as ann, member() as bob, member() as carol:
        await acquainted(ann, bob)
        await acquainted(carol, bob)
        for _ in range(3):
            await ann.gossip.publish(b"ann")
            await carol.gossip.publish(b"carol")
        await until(lambda: len(bob.heard) >= 3)
        await asyncio.sleep(0.3)
        assert len(bob.heard) == 3


@pytest.mark.parametrize(
    "garbage",
    [
        rpc(message(b"")),
        rpc(message(b"\x12\x20" + bytes(32), signature=b"x", key=b"nonsense")),
        rpc(message(b"\xff" * 40, signature=b"x")),
        encode_varint_prefixed(b"\xff\xff\xff no protobuf"),
        b"\xff" * 11,
        b"\xff\xff\xff\xff\x7f",
        encode_varint_prefixed(
            rpc_pb2.RPC(control=rpc_pb2.ControlMessage(prune=[rpc_pb2.ControlPrune(topicID=TOPIC, backoff=2**63)])).SerializeToString()
        ),
    ],
)
async def test_garbage_ends_nothing(garbage: bytes) -> None:
    async with asyncio.timeout(SECONDS), member() as ann, member() as bob, loopback_host() as eve:
        before = bob.gossip._pubsub
        await connect(eve, bob.host)
        await raw(eve, bob.host, garbage)
        await acquainted(ann, bob)
        await ann.gossip.publish(b"hello")
        await until(lambda: bob.heard == [(ann.host.peer_id, b"hello")])
        assert bob.gossip._pubsub is before


async def test_a_message_that_is_too_long_is_not_heard() -> None:
    async with asyncio.timeout(SECONDS), member() as ann, member() as bob:
        await acquainted(ann, bob)
        await ann.gossip.publish(b"x" * (GOSSIP_MESSAGE_MAX_BYTES + 1))
        await ann.gossip.publish(b"short")
        await until(lambda: bool(bob.heard))
        assert [payload for _, payload in bob.heard] == [b"short"]


async def test_an_author_is_heard_so_often_a_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "AUTHOR_MESSAGES_PER_MINUTE", 3)
    async with asyncio.timeout(SECONDS), member() as ann, member() as bob, member() as carol:
        await acquainted(ann, bob)
        await acquainted(carol, bob)
        for number in range(6):
            await ann.gossip.publish(b"%d" % number)
        await carol.gossip.publish(b"carol")
        await until(lambda: (carol.host.peer_id, b"carol") in bob.heard and len(bob.heard) >= 4)
        await asyncio.sleep(0.3)
        assert [author for author, _ in bob.heard].count(ann.host.peer_id) == 3


async def test_a_neighbour_hands_on_so_much_a_minute_whoever_the_authors_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "NEIGHBOUR_MESSAGES_PER_MINUTE", 3)
    async with asyncio.timeout(SECONDS), member() as ann, member() as bob:
        await acquainted(ann, bob)
        for number in range(6):
            await ann.gossip.publish(b"%d" % number)
        await until(lambda: len(bob.heard) >= 3)
        await asyncio.sleep(0.3)
        assert len(bob.heard) == 3


async def test_other_topics_of_a_stranger_are_not_remembered() -> None:
    control = rpc_pb2.ControlMessage(prune=[rpc_pb2.ControlPrune(topicID=f"topic-{number}") for number in range(50)])
    subscribed = [rpc_pb2.RPC.SubOpts(subscribe=True, topicid=f"topic-{number}") for number in range(50)]
    flood = encode_varint_prefixed(rpc_pb2.RPC(control=control, subscriptions=subscribed).SerializeToString())
    async with asyncio.timeout(SECONDS), member() as bob, loopback_host() as eve:
        await connect(eve, bob.host)
        await raw(eve, bob.host, flood)
        pubsub = bob.gossip._pubsub
        assert pubsub is not None
        assert set(pubsub.peer_topics) <= {TOPIC}
        assert set(pubsub.router.back_off) <= {TOPIC}  # type: ignore[attr-defined]


async def test_a_service_that_fails_begins_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "RENEW_SECONDS", 0.5)
    async with asyncio.timeout(SECONDS), member() as ann, member() as bob:
        await acquainted(ann, bob)
        failing = bob.gossip._pubsub
        assert failing is not None

        async def fail() -> None:
            raise ValueError("a mistake of the library")

        async def run() -> None:
            assert failing is not None
            failing.manager.run_task(fail)

        await guest.call(run)
        await until(lambda: bob.gossip._pubsub not in (None, failing))
        while not bob.heard:
            await ann.gossip.publish(b"hello")
            await asyncio.sleep(0.1)


@pytest.mark.parametrize("more", [0, 1])
async def test_back_offs_that_are_over_are_forgotten_once_there_are_many(more: int) -> None:
    """Each neighbour that leaves the mesh has one, and a name costs a stranger a handshake; one that still runs is kept."""
    router = module._Router(TOPIC)
    now = time.time()
    peers = [ID(f"peer {number}".encode()) for number in range(FORGETTING_AT_KEYS + more)]
    running = peers[::1000]
    router.back_off = {TOPIC: {peer: int(now + (60 if peer in running else -60)) for peer in peers}}
    await router.handle_rpc(rpc_pb2.RPC(), peers[0])
    assert set(router.back_off[TOPIC]) == set(running if more else peers)


async def test_what_a_stranger_says_of_other_topics_forgets_back_offs_too() -> None:
    """A message that is not looked at is as good an occasion as any."""
    router = module._Router(TOPIC)
    router.back_off = {TOPIC: {ID(f"peer {number}".encode()): 1 for number in range(FORGETTING_AT_KEYS + 1)}}
    other = rpc_pb2.RPC(control=rpc_pb2.ControlMessage(graft=[rpc_pb2.ControlGraft(topicID="other")]))
    await router.handle_rpc(other, ID(b"somebody"))
    assert router.back_off == {TOPIC: {}}
