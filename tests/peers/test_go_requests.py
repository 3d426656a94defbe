"""What a Go peer asks beside the site and the data, played from network.md alone: calls, diagnosis, and to look after a circuit."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from structlog.testing import capture_logs
from tests.net.hosts import connect, loopback_host, until
from tests.peers.test_network import Joined, joined
from tests.wire_listener import WireListener

from goop2.net.host import Host
from goop2.peers.diagnosis import Diagnosis
from goop2.peers.discovery.reservations import RelayReservation

DIAG, REFRESH = "/goop/diag/1.0.0", "/goop/relay-refresh/1.0.0"


@pytest.fixture
async def two(tmp_path: Path) -> AsyncIterator[tuple[Joined, WireListener]]:
    async with AsyncExitStack() as stack:
        ours = await joined(stack, tmp_path / "ours", "Ours")
        gopher = WireListener(await stack.enter_async_context(loopback_host()))
        await gopher.open()
        await connect(gopher.host, ours.network.host)
        yield ours, gopher


async def asked(by: Host, peer: str, protocol: str) -> dict[str, Any]:
    async with await by.open(peer, protocol) as stream:
        content = b""
        while piece := await stream.read():
            content += piece
    found: dict[str, Any] = json.loads(content)
    return found


async def test_a_call_is_hung_up_once_and_the_owner_is_told(two: tuple[Joined, WireListener]) -> None:
    ours, gopher = two
    offer = {"type": "call-request", "channel_id": "rt-1", "video": True}
    for _ in range(3):
        await gopher.send(ours.id, "call:rt-1", offer)
    await until(lambda: any(topic == "call:rt-1" for _, topic, _ in gopher.got))
    await gopher.send(ours.id, "call:rt-1", {"type": "call-hangup"})
    await asyncio.sleep(0.2)  # a second answer would be here by now
    assert gopher.got == [(ours.id, "call:rt-1", {"type": "call-hangup", "channel_id": "rt-1"})]
    assert [call.peer for call in ours.peer.missed_calls.recent()] == [gopher.host.peer_id]


async def test_a_stranger_is_told_no_more_than_identify_tells(two: tuple[Joined, WireListener]) -> None:
    ours, gopher = two
    told = await asked(gopher.host, ours.id, DIAG)
    assert told == {"peer_id": ours.id, "addresses": list(ours.network.addresses()), "relay": {"has_circuit": False, "log": []}}
    assert await asked(gopher.host, ours.id, REFRESH) == {"ok": False, "has_circuit": False}


async def test_a_relay_of_ours_is_told_more_and_has_its_circuit_looked_after() -> None:
    async with loopback_host() as ours, loopback_host() as relay, loopback_host() as stranger:
        reservation = RelayReservation(SimpleNamespace(url="http://x"), ours, lambda: None)  # type: ignore[arg-type]
        reservation.relay, reservation.addresses = relay.peer_id, ("/ip4/192.0.2.1/tcp/1/p2p-circuit",)
        reservation._note("a reservation is made")
        await Diagnosis(ours, [reservation], lambda: ("/ip4/192.0.2.2/tcp/1",)).attach()
        for one in (relay, stranger):
            await connect(one, ours)
        told = await asked(relay, ours.peer_id, DIAG)
        assert (told["relay"]["has_circuit"], told["connections"], told["addresses"]) == (True, 2, ["/ip4/192.0.2.2/tcp/1"])
        assert told["relay"]["log"][0].endswith(" a reservation is made")
        assert stranger.peer_id not in json.dumps(told), "not even a relay learns who else is connected"
        assert "connections" not in await asked(stranger, ours.peer_id, DIAG)
        assert (await asked(stranger, ours.peer_id, REFRESH))["ok"] is False
        assert not reservation._wanted.is_set(), "a stranger makes nobody reserve"
        assert await asked(relay, ours.peer_id, REFRESH) == {"ok": True, "has_circuit": True, "recovering": True}
        assert reservation._wanted.is_set()
        reservation._wanted.clear()
        assert (await asked(relay, ours.peer_id, REFRESH))["recovering"]
        assert not reservation._wanted.is_set(), "nor does a relay, again and again"


async def test_a_message_dropped_as_a_repeat_is_logged_once_with_both_ids(two: tuple[Joined, WireListener]) -> None:
    ours, gopher = two
    room = await ours.peer.rooms.create("Lounge")
    await gopher.send(ours.id, f"group:{room.group.id}:join", {"type": "join", "group": room.group.id})
    await until(lambda: bool(ours.peer.rooms.room(room.group.id).group.members[1:]))
    said = {"action": "msg", "message": {"id": "1-x", "from": gopher.host.peer_id, "from_name": "G", "text": "hi", "timestamp": 1}}
    with capture_logs() as logged:
        for _ in range(3):
            await gopher.send(ours.id, f"chat.room:{room.group.id}:msg", said)
    repeats = [entry for entry in logged if entry["event"] == "a repeated message of a room is dropped"]
    assert [(entry["peer"], entry["id"], len(entry["carried_by"])) for entry in repeats] == [(gopher.host.peer_id, "'1-x'", 38)]
    with capture_logs() as logged:
        for _ in range(3):
            message = {"type": "msg", "id": "the same", "seq": 1, "topic": "chat", "payload": {"content": "hi"}}
            async with await gopher.host.open(ours.id, "/goop/mq/1.0.0") as stream:
                await stream.finish(json.dumps(message).encode() + b"\n")
                assert b'"ack"' in await stream.read()
    dropped = [(entry["peer"], entry["id"]) for entry in logged if entry["event"] == "a repeated message is dropped"]
    assert dropped == [(gopher.host.peer_id, "'the same'")]
    assert len(await ours.peer.chat.messages(gopher.host.peer_id)) == 1
