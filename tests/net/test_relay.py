"""A relay and peers that reach each other through it alone, over real connections on loopback."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest
import pytest_asyncio
from tests.net.hosts import SECONDS, asked, connect, echo, loopback_host, new_identity, until

from goop2.net import circuits
from goop2.net import stream as stream_module
from goop2.net.address import CIRCUIT, PeerAddress, parse
from goop2.net.faults import StreamBrokenError, UnreachableError
from goop2.net.host import Host
from goop2.net.limits import WINDOW_MAX_BYTES
from goop2.net.relay import Relay, open_relay
from goop2.net.reservations import RelayLimits
from goop2.net.stream import Stream
from goop2.protocols import circuit, peer_ids

ECHO = "/test/echo"


@dataclass
class Three:
    """A caller and a callee that know the relay and not each other."""

    relay_host: Host
    relay: Relay
    caller: Host
    callee: Host

    def through(self, peer: str, relay: Host | None = None) -> PeerAddress:
        host = relay or self.relay_host
        return parse(f"{host.addresses[0]}{CIRCUIT}/p2p/{peer}")

    async def meet(self) -> None:
        await self.callee.reserve(self.relay_host.peer_id, [parse(self.relay_host.addresses[0])])
        await self.caller.connect(self.callee.peer_id, [self.through(self.callee.peer_id)])


@contextlib.asynccontextmanager
async def three(limits: RelayLimits | None = None) -> AsyncIterator[Three]:
    async with (
        loopback_host() as relay_host,
        open_relay(relay_host, lambda: list(relay_host.addresses), limits) as relay,
        loopback_host() as caller,
        loopback_host() as callee,
    ):
        await callee.serve(ECHO, echo)
        yield Three(relay_host, relay, caller, callee)


@pytest_asyncio.fixture
async def parts() -> AsyncIterator[Three]:
    opened = three()
    async with opened as running:
        yield running


async def test_a_peer_that_cannot_be_dialled_is_reached_through_the_relay(parts: Three) -> None:
    with pytest.raises(UnreachableError):
        await parts.caller.connect(parts.callee.peer_id)
    await parts.meet()
    assert await asked(parts.caller, parts.callee, b"hello" * 1000) == b"hello" * 1000
    assert parts.callee.peers()[-1].peer == parts.caller.peer_id, "Noise runs from end to end: the callee sees who calls"
    assert parts.relay.reservations.circuits == 1
    await parts.caller.disconnect(parts.callee.peer_id)
    await until(lambda: parts.relay.reservations.circuits == 0)
    await until(lambda: parts.caller.relays == frozenset() and not parts.callee.is_connected(parts.caller.peer_id))


async def test_whoever_comes_through_a_relay_comes_from_it_and_else_from_a_network(parts: Three) -> None:
    origins: list[str] = []

    async def note(stream: Stream) -> None:
        origins.append(stream.origin)
        await echo(stream)

    await parts.callee.serve(ECHO, note)
    await parts.meet()
    await asked(parts.caller, parts.callee, b"hello")
    async with loopback_host() as near:
        await near.connect(parts.callee.peer_id, [parse(parts.callee.addresses[0])])
        await asked(near, parts.callee, b"hello")
    assert origins == [f"/p2p-circuit/{parts.relay_host.peer_id}", "127.0.0.1"]


async def test_a_peer_that_can_be_dialled_is_dialled(parts: Three) -> None:
    await parts.callee.reserve(parts.relay_host.peer_id, [parse(parts.relay_host.addresses[0])])
    ways = [parts.through(parts.callee.peer_id), parse(parts.callee.addresses[0])]
    await parts.caller.connect(parts.callee.peer_id, ways)
    assert parts.caller.relays == frozenset()
    assert await asked(parts.caller, parts.callee, b"hello") == b"hello"


async def test_both_call_each_other_over_one_circuit(parts: Three) -> None:
    await parts.meet()
    await parts.caller.serve(ECHO, echo)
    assert await asked(parts.callee, parts.caller, b"back") == b"back"
    assert parts.relay.reservations.circuits == 1


async def test_a_file_of_many_windows_passes_whole(parts: Three) -> None:
    await parts.meet()
    content = bytes(range(256)) * 20_000
    assert await asked(parts.caller, parts.callee, content) == content


async def test_who_has_no_place_is_not_reached(parts: Three) -> None:
    with pytest.raises(UnreachableError):
        await parts.caller.connect(parts.callee.peer_id, [parts.through(parts.callee.peer_id)])
    await parts.caller.connect(parts.relay_host.peer_id, [parse(parts.relay_host.addresses[0])])
    assert await refusal(parts.caller, parts.relay_host, circuit.connect(peer_ids.to_bytes(parts.callee.peer_id))) == circuit.NO_RESERVATION


async def test_a_place_ends_with_its_peers_connection(parts: Three) -> None:
    await parts.callee.reserve(parts.relay_host.peer_id, [parse(parts.relay_host.addresses[0])])
    assert len(parts.relay.reservations) == 1
    await parts.callee.disconnect(parts.relay_host.peer_id)
    await until(lambda: not parts.relay_host.is_connected(parts.callee.peer_id))
    await parts.caller.connect(parts.relay_host.peer_id, [parse(parts.relay_host.addresses[0])])
    assert await refusal(parts.caller, parts.relay_host, circuit.connect(peer_ids.to_bytes(parts.callee.peer_id))) == circuit.NO_RESERVATION
    assert len(parts.relay.reservations) == 0


async def test_the_end_of_the_relay_ends_what_it_carries(parts: Three) -> None:
    await parts.meet()
    await parts.relay_host.close()
    await until(lambda: not parts.caller.is_connected(parts.callee.peer_id) and not parts.callee.is_connected(parts.caller.peer_id))


async def test_a_relay_that_lies_about_who_calls_is_not_believed(parts: Three, monkeypatch: pytest.MonkeyPatch) -> None:
    bring, victim = circuit.bring, new_identity().peer_id
    monkeypatch.setattr(circuit, "bring", lambda _peer, seconds, most: bring(peer_ids.to_bytes(victim), seconds, most))
    await parts.meet()
    assert {each.peer for each in parts.callee.peers()} == {parts.relay_host.peer_id, parts.caller.peer_id}


async def test_a_relay_that_leads_to_somebody_else_leads_nowhere(parts: Three, monkeypatch: pytest.MonkeyPatch) -> None:
    async with loopback_host() as mallory:
        for each in (parts.callee, mallory):
            await each.reserve(parts.relay_host.peer_id, [parse(parts.relay_host.addresses[0])])
        bring = parts.relay._bring
        monkeypatch.setattr(parts.relay, "_bring", lambda source, _target, *bounds: bring(source, mallory.peer_id, *bounds))
        with pytest.raises(UnreachableError):
            await parts.caller.connect(parts.callee.peer_id, [parts.through(parts.callee.peer_id)])
        assert {each.peer for each in parts.caller.peers()} == {parts.relay_host.peer_id}
        await until(lambda: parts.relay.reservations.circuits == 0)


async def test_a_peer_that_gave_no_place_brings_nobody(parts: Three) -> None:
    await connect(parts.relay_host, parts.callee)
    async with await parts.relay_host.open(parts.callee.peer_id, circuit.STOP) as stream:
        await stream.write(circuit.bring(peer_ids.to_bytes(parts.caller.peer_id), 60, 1000))
        message = circuit.MessageReader().receive(await stream.read())
    assert message is not None
    with pytest.raises(circuit.RelayRefusedError) as refused:
        circuit.taken(message)
    assert refused.value.status == circuit.PERMISSION_DENIED


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"\xff\xff\xff\xff",
        b"\x80\x40" + b"x" * 100,
        circuit.hop_refusal(circuit.FAILED),
        circuit.take(),
        circuit.give_circuit(1, 1) + b"x" * 99,
    ],
    ids=["nothing", "no size", "too long", "refusal", "another answer", "no Noise"],
)
async def test_a_relay_that_answers_anything_is_an_unreachable_peer(answer: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(circuits, "RELAY_ANSWER_SECONDS", 1.0)
    async with loopback_host() as liar, loopback_host() as caller:
        await liar.serve(circuit.HOP, lambda stream: stream.finish(answer))
        nobody = new_identity().peer_id
        with pytest.raises(UnreachableError):
            await caller.connect(nobody, [parse(f"{liar.addresses[0]}{CIRCUIT}/p2p/{nobody}")])
        with pytest.raises(UnreachableError):
            await caller.reserve(liar.peer_id, [parse(liar.addresses[0])])
        assert caller.relays == frozenset()


async def test_a_relay_that_says_nothing_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(circuits, "RELAY_ANSWER_SECONDS", 0.3)
    silent = asyncio.Event()

    async def say_nothing(_stream: Stream) -> None:
        await silent.wait()

    async with loopback_host() as liar, loopback_host() as caller:
        await liar.serve(circuit.HOP, say_nothing)
        nobody = new_identity().peer_id
        with pytest.raises(UnreachableError):
            await asyncio.wait_for(caller.reserve(liar.peer_id, [parse(liar.addresses[0])]), SECONDS)
        with pytest.raises(UnreachableError):
            await caller.connect(nobody, [parse(f"{liar.addresses[0]}{CIRCUIT}/p2p/{nobody}")])
        assert caller.relays == frozenset()
        silent.set()


async def test_more_places_than_there_are_are_refused() -> None:
    async with three(RelayLimits(places=1)) as parts:
        where = [parse(parts.relay_host.addresses[0])]
        await parts.callee.reserve(parts.relay_host.peer_id, where)
        with pytest.raises(UnreachableError, match="gives no place: it has no place left"):
            await parts.caller.reserve(parts.relay_host.peer_id, where)
        await parts.callee.reserve(parts.relay_host.peer_id, where)
        assert len(parts.relay.reservations) == 1


async def test_who_asks_without_end_is_refused() -> None:
    async with three(RelayLimits(asked_per_minute_and_peer=5)) as parts:
        where = [parse(parts.relay_host.addresses[0])]
        for _ in range(5):
            await parts.callee.reserve(parts.relay_host.peer_id, where)
        with pytest.raises(UnreachableError, match="a limit is reached"):
            await parts.callee.reserve(parts.relay_host.peer_id, where)
        await parts.caller.reserve(parts.relay_host.peer_id, where)


async def test_more_circuits_to_one_peer_than_may_be_are_refused_and_the_first_goes_on() -> None:
    async with three(RelayLimits(circuits_per_peer=1)) as parts, loopback_host() as another:
        await parts.meet()
        with pytest.raises(UnreachableError):
            await another.connect(parts.callee.peer_id, [parts.through(parts.callee.peer_id)])
        assert await refusal(another, parts.relay_host, circuit.connect(peer_ids.to_bytes(parts.callee.peer_id))) == circuit.LIMIT
        assert await asked(parts.caller, parts.callee, b"hello") == b"hello"


async def test_a_circuit_carries_so_much_and_ends() -> None:
    async with three(RelayLimits(circuit_bytes=100_000)) as parts:
        await parts.meet()
        with pytest.raises(StreamBrokenError):
            await asked(parts.caller, parts.callee, b"x" * 1_000_000)
        await until(lambda: parts.relay.reservations.circuits == 0)


async def test_a_circuit_ends_in_time() -> None:
    async with three(RelayLimits(circuit_seconds=1)) as parts:
        await parts.meet()
        await until(lambda: parts.relay.reservations.circuits == 0)
        await until(lambda: not parts.caller.is_connected(parts.callee.peer_id))


async def test_a_slow_reader_ends_its_circuit_and_no_other_and_costs_two_windows(parts: Three, monkeypatch: pytest.MonkeyPatch) -> None:
    """A callee that takes the circuit and reads nothing: the relay waits for it, not for ever, and holds no more than the windows."""
    monkeypatch.setattr(stream_module, "WRITE_SECONDS", 1.0)
    end = asyncio.Event()

    async def take_and_read_nothing(stream: Stream) -> None:
        await stream.write(circuit.take())
        await end.wait()

    async with loopback_host() as frozen:
        await frozen.serve(circuit.STOP, take_and_read_nothing)
        for each in (frozen, parts.callee):
            await asked_for_a_place(each, parts.relay_host)
        await parts.caller.connect(parts.relay_host.peer_id, [parse(parts.relay_host.addresses[0])])
        async with await parts.caller.open(parts.relay_host.peer_id, circuit.HOP) as stream:
            await stream.write(circuit.connect(peer_ids.to_bytes(frozen.peer_id)))
            held = 0
            with contextlib.suppress(StreamBrokenError):
                for _ in range(200):
                    await asyncio.wait_for(stream.write(b"x" * 65536), 20)
                    held = max(held, parts.relay_host.admission.memory.held)
                pytest.fail("thirteen megabytes went to somebody who reads nothing")
            assert 0 < held <= 2 * WINDOW_MAX_BYTES
        await until(lambda: parts.relay.reservations.circuits == 0)
        end.set()
        await parts.meet()
        assert await asked(parts.caller, parts.callee, b"hello") == b"hello"


async def test_nobody_calls_through_itself_or_through_the_one_it_calls(parts: Three) -> None:
    for relay, peer in ((parts.caller, parts.callee), (parts.callee, parts.callee), (parts.relay_host, parts.caller)):
        with pytest.raises(UnreachableError):
            await parts.caller.connect(peer.peer_id, [parts.through(peer.peer_id, relay)])


async def asked_for_a_place(peer: Host, relay: Host) -> None:
    await peer.connect(relay.peer_id, [parse(relay.addresses[0])])
    async with await peer.open(relay.peer_id, circuit.HOP) as stream:
        await stream.write(circuit.reserve())
        message = circuit.MessageReader().receive(await stream.read())
    assert message is not None
    assert circuit.reserved(message) > 0


async def refusal(peer: Host, relay: Host, message: bytes) -> int:
    """The number of a relay's no."""
    async with await peer.open(relay.peer_id, circuit.HOP) as stream:
        await stream.write(message)
        answer = circuit.MessageReader().receive(await stream.read())
    assert answer is not None
    with pytest.raises(circuit.RelayRefusedError) as refused:
        circuit.connected(answer)
    return refused.value.status
