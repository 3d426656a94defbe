"""Invariant: whatever neighbours send, in whatever order, the router stays within its bounds and sends what can be read."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.clock import Clock
from tests.net.gossip.authors import TOPIC, Author
from tests.net.hosts import SECONDS, connect, loopback_host, until
from tests.protocols.nearly import nearly

from goop2.net.gossip import open_gossip
from goop2.net.gossip.caches import SeenCache
from goop2.net.gossip.intake import Intake
from goop2.net.gossip.neighbour import PROTOCOLS
from goop2.net.gossip.router import DEGREE, DEGREE_HIGH, Router
from goop2.net.gossip.rpc import CONTROL, Control, read_control, read_rpc, write_control, write_messages, write_subscription
from goop2.net.limits import GOSSIP_BACK_OFF_MAX_SECONDS, GOSSIP_IDS_PER_HEARTBEAT
from goop2.protocols.errors import RemoteProtocolError
from goop2.protocols.protobuf import content, delimited, read_varint

AUTHORS = [Author() for _ in range(3)]
SAID = [author.says(b"%d" % number) for number in range(3) for author in AUTHORS]
IDS = st.sampled_from([message.id for message in SAID] + [message.id[2:] for message in SAID]) | st.binary(max_size=50)
PEERS = st.integers(0, 20).map(lambda number: f"peer {number}")
CONTROLS = st.builds(
    Control,
    st.lists(IDS, max_size=3).map(tuple),
    st.lists(IDS, max_size=3).map(tuple),
    st.booleans(),
    st.none() | st.integers(0, 2**64 - 1),
)
Step = Callable[[Router, Clock], object]


def _pass(seconds: float) -> Step:
    def step(router: Router, clock: Clock) -> None:
        clock.now += seconds
        router.heartbeat()

    return step


STEPS: st.SearchStrategy[Step] = st.one_of(
    st.builds(lambda peer, outbound: lambda router, _: router.reach(peer, outbound), PEERS, st.booleans()),
    st.builds(lambda peer, listens: lambda router, _: router.listen(peer, listens), PEERS, st.booleans()),
    st.builds(lambda peer: lambda router, _: router.lose(peer), PEERS),
    st.builds(lambda peer, control: lambda router, _: router.control(peer, control), PEERS, CONTROLS),
    st.builds(lambda peer, message: lambda router, _: router.forward(message, peer), PEERS, st.sampled_from(SAID)),
    st.sampled_from(SAID).map(lambda message: lambda router, _: router.publish(message)),
    st.builds(lambda peer, points: lambda router, _: router.fault(peer, points), PEERS, st.integers(1, 100)),
    st.floats(0, 200).map(_pass),
)


@given(st.lists(STEPS, max_size=60))
def test_whatever_happens_the_router_keeps_its_bounds(steps: list[Step]) -> None:
    clock = Clock()
    router = Router(TOPIC, SeenCache(120, 5, clock), clock, Random(1))
    for step in steps:
        step(router, clock)
        reached = {peer for peer, neighbour in router._neighbours.items() if neighbour.reached and neighbour.listens}
        assert {peer for peer in router.mesh | router.fanout.keys() if peer not in router._neighbours} == set()
        assert router.fanout.keys() <= reached
        assert not router.mesh & router.fanout.keys()
        assert sum(not router._is_outbound(peer) for peer in router.mesh) <= DEGREE_HIGH
        assert len(router.fanout) <= DEGREE
        assert all(until <= clock.now + GOSSIP_BACK_OFF_MAX_SECONDS for until in router.back_offs.values())
        assert not any(router.ignores(peer) for peer in router.mesh | set(router.listeners))
        for each in router.drain():
            bare = each.frame[read_varint(each.frame)[1] :]
            control = read_control(read_rpc(bare).control, TOPIC)
            assert len(control.iwant) <= GOSSIP_IDS_PER_HEARTBEAT
            assert not (control.graft and control.prune is not None)


RPCS = [frame[read_varint(frame)[1] :] for frame in (write_subscription(TOPIC), write_messages([each.write() for each in SAID[:3]]))]
RPCS.append(content(CONTROL, b"".join(content(field, content(1, TOPIC.encode())) for field in (1, 3, 4))))


@given(st.lists(st.binary(max_size=100) | nearly(RPCS), max_size=10))
def test_whatever_a_neighbour_sends_is_taken_or_breaks_the_protocol(rpcs: list[bytes]) -> None:
    clock = Clock()
    said = {(message.author_id, message.data) for message in SAID}
    heard: list[tuple[str, bytes]] = []

    def hear(author: str, payload: bytes) -> bool:
        heard.append((author, payload))
        return True

    intake = Intake(TOPIC, b"", hear, clock)
    router = Router(TOPIC, intake.seen, clock, Random(1))
    router.reach("neighbour", False)
    for data in rpcs:
        try:
            rpc = read_rpc(data)
            for each in rpc.messages:
                message = intake.take("neighbour", each)
                if message is not None:
                    router.forward(message, "neighbour")
            router.control("neighbour", read_control(rpc.control, TOPIC))
        except RemoteProtocolError:
            continue
    assert len(heard) == len(set(heard))
    assert set(heard) <= said


@pytest.mark.parametrize("seed", range(4))
async def test_noise_on_many_streams_takes_nothing_from_honest_neighbours(seed: int) -> None:
    dice = Random(seed)
    right = [write_subscription(TOPIC), write_messages([SAID[0].write()]), write_control(Control(graft=True, prune=5), TOPIC)]
    heard: list[bytes] = []

    def hear(_author: str, payload: bytes) -> bool:
        heard.append(payload)
        return True

    async with (
        asyncio.timeout(SECONDS),
        loopback_host() as ours,
        loopback_host() as honest,
        loopback_host() as eve,
        open_gossip(ours, TOPIC, hear),
        open_gossip(honest, TOPIC, lambda *_: True) as friend,
    ):
        await connect(eve, ours)
        await connect(honest, ours)
        await until(lambda: ours.peer_id in friend.neighbours())
        for _ in range(20):
            stream = await eve.open(ours.peer_id, PROTOCOLS[dice.randrange(2)])
            noise = bytearray(b"".join(dice.choices([*right, dice.randbytes(50), delimited(dice.randbytes(30))], k=5)))
            for _ in range(3):
                noise[dice.randrange(len(noise))] = dice.randrange(256)
            await stream.write(bytes(noise))
            await (stream.finish() if dice.random() < 0.5 else asyncio.sleep(0))
        await friend.publish(b"still here")
        await until(lambda: b"still here" in heard)
