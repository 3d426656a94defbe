"""A session hosted here, heard by a listener that speaks only the wire format."""

from __future__ import annotations

import asyncio
import json
import time
import tracemalloc
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.net.hosts import LOOPBACK, connect, loopback_host, until
from tests.services.listen.sounds import FRAME_SECONDS, mp3, wav
from tests.wire_listener import WireListener

from goop2.app import join, open_peer
from goop2.peers import hosted_session
from goop2.peers.network import PeerNetwork
from goop2.services.listen import pacing
from goop2.services.listen.boundaries import SoundRange
from goop2.services.listen.pacing import LEAD_SECONDS
from goop2.services.peer import Peer

WAV_HEAD = 44
BYTES_PER_SECOND = 88_200
NAP_SECONDS = 0.3
SYNCED_SECONDS = 0.2
FAST = 240


@dataclass
class Pair:
    peer: Peer
    network: PeerNetwork
    wire: WireListener

    @property
    def host(self) -> str:
        return self.peer.identity.peer_id

    async def join(self, group: str) -> None:
        await self.wire.send(self.host, f"group:{group}:join", {"type": "join", "group": group, "from": self.wire.host.peer_id})


@pytest.fixture
async def pair(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Pair]:
    assert hosted_session.SYNC_SECONDS == 5
    monkeypatch.setattr(hosted_session, "SYNC_SECONDS", SYNCED_SECONDS)
    folder = tmp_path / "peer"
    folder.mkdir()
    (folder / "goop.json").write_text(json.dumps({"lua": {"enabled": True}}))
    wav(folder / "long.wav", 30)
    wav(folder / "short.wav", 1.5)
    async with AsyncExitStack() as stack:
        peer = await stack.enter_async_context(open_peer(folder, {}))
        host = await stack.enter_async_context(loopback_host())
        network = await stack.enter_async_context(join(peer, 0, listen_on=LOOPBACK, near_by=False))
        await connect(host, network.host)
        wire = WireListener(host)
        await wire.open()
        yield Pair(peer, network, wire)


async def test_a_listener_is_let_in_and_hears_all_the_host_does(pair: Pair) -> None:
    listening = pair.peer.listening
    group = (await listening.create("Evening")).id
    await pair.join(group)
    await until(lambda: bool(pair.wire.got))
    sender, topic, welcome = pair.wire.got[0]
    assert (sender, topic) == (pair.host, f"group:{group}:welcome")
    assert (welcome["group_name"], welcome["app_type"], welcome["volatile"]) == ("Evening", "listen", True)
    assert [member["peer_id"] for member in welcome["members"]] == [pair.host, pair.wire.host.peer_id]
    assert listening.listeners() == 1
    await listening.load("long.wav")
    await listening.play()
    await listening.seek(12.5)
    await listening.pause()
    await listening.close()
    await until(lambda: any(topic == f"group:{group}:close" for _, topic, _ in pair.wire.got))
    said = [(each["action"], each.get("position")) for each in await pair.wire.said(group, 5) if each["action"] != "sync"]
    assert [action for action, _ in said] == ["load", "play", "seek", "pause", "close"]
    assert said[2][1] == pytest.approx(12.5, abs=0.1)
    assert said[3][1] == pytest.approx(12.5, abs=1)


async def test_who_comes_late_is_told_what_is_loaded_and_where_it_is(pair: Pair) -> None:
    listening = pair.peer.listening
    group = (await listening.create("Evening")).id
    await listening.load("long.wav")
    await listening.seek(7.25)
    await pair.join(group)
    load, pause = await pair.wire.said(group, 2)
    track = {"name": "long", "duration": 30.0, "bitrate": 705_600, "format": "wav", "is_stream": False}
    assert (load["action"], load["track"]) == ("load", track)
    assert (pause["action"], pause["position"]) == ("pause", 7.25)
    assert (pause["queue_index"], pause["queue_total"]) == (0, 1)
    topics = [topic for _, topic, _ in pair.wire.got]
    assert topics.index(f"group:{group}:welcome") < topics.index(f"group:{group}:msg")


async def test_where_everybody_is_is_said_again_while_it_plays(pair: Pair) -> None:
    listening = pair.peer.listening
    group = (await listening.create("Evening")).id
    await listening.load("long.wav")
    await listening.play()
    await pair.join(group)
    await until(lambda: sum('"sync"' in json.dumps(payload) for _, _, payload in pair.wire.got) >= 2)
    syncs = [each for each in await pair.wire.said(group, 4) if each["action"] == "sync"]
    synced = [each["position"] for each in syncs]
    track = {"name": "long", "duration": 30.0, "bitrate": 705_600, "format": "wav", "is_stream": False}
    assert all((each["track"], each["queue_total"]) == (track, 1) for each in syncs), "others take the track from here"
    assert 0 < synced[0] < synced[1] < 30
    await listening.pause()
    await until(lambda: pair.wire.got[-1][2]["listen"]["action"] == "pause")
    count = len(pair.wire.got)
    await asyncio.sleep(3 * SYNCED_SECONDS)  # a pause that is not heeded would send some
    assert len(pair.wire.got) == count


async def test_the_sound_comes_from_the_current_position_at_the_pace_it_is_heard(pair: Pair) -> None:
    listening = pair.peer.listening
    group = (await listening.create("Evening")).id
    await listening.load("short.wav")
    await listening.seek(0.5)
    await listening.play()
    header, sound = await pair.wire.hear(pair.host, f"LISTEN {group}\n".encode())
    assert header == b"OK wav 705600 1.50"
    assert sound[:4] == b"RIFF"
    assert 0 < len(sound) - WAV_HEAD <= BYTES_PER_SECOND
    whole = (pair.peer.folder / "short.wav").read_bytes()
    assert whole.endswith(sound[WAV_HEAD:])


async def test_a_listener_that_is_removed_hears_no_more(pair: Pair) -> None:
    listening = pair.peer.listening
    group = (await listening.create("Evening")).id
    await listening.load("long.wav")
    await listening.play()
    await pair.join(group)
    await until(lambda: listening.listeners() == 1)
    hearing = asyncio.create_task(pair.wire.hear(pair.host, f"LISTEN {group}\n".encode()))
    await pair.wire.said(group, 2)
    await pair.peer.grouping.remove(group, pair.wire.host.peer_id)
    _, sound = await hearing
    assert len(sound) < 15 * BYTES_PER_SECOND
    assert listening.listeners() == 0
    await until(lambda: pair.wire.got[-1][1] == f"group:{group}:close")
    why = {"code": "removed", "message": "the host has removed this peer"}
    assert pair.wire.got[-1][2] == {"type": "close", "group": group, "from": pair.host, "payload": why}
    assert await pair.wire.hear(pair.host, f"LISTEN {group}\n".encode()) == (b"ERR not found", b"")


async def test_the_end_of_a_stream_is_the_pause(pair: Pair) -> None:
    listening = pair.peer.listening
    group = (await listening.create("Evening")).id
    await listening.load("long.wav")
    await listening.play()
    async with await pair.wire.host.open(pair.host, "/goop/listen/1.0.0") as stream:
        await stream.finish(f"LISTEN {group}\n".encode())
        got = len(await stream.read())
        await listening.pause()
        while piece := await stream.read():
            got += len(piece)
    assert got < (LEAD_SECONDS + 5) * BYTES_PER_SECOND


async def test_paused_there_is_a_header_and_the_end(pair: Pair) -> None:
    listening = pair.peer.listening
    group = (await listening.create("Evening")).id
    assert await pair.wire.hear(pair.host, f"LISTEN {group}\n".encode()) == (b"ERR no track", b"")
    await listening.load("long.wav")
    assert await pair.wire.hear(pair.host, f"LISTEN {group}\n".encode()) == (b"OK wav 705600 30.00", b"")


@pytest.mark.parametrize(
    ("request_", "answer"),
    [
        (b"LISTEN listen-0123456789abcdef\n", b"ERR not found"),
        (b"LISTEN what\n", b"ERR not found"),
        (b"LISTEN ../goop.json\n", b"ERR not found"),
        (b"LISTEN\n", b"ERR bad request"),
        (b"LISTEN " + b"x" * 300 + b"\n", b"ERR bad request"),
        (b"GET /\n", b"ERR bad request"),
    ],
)
async def test_what_is_no_session_has_no_sound(pair: Pair, request_: bytes, answer: bytes) -> None:
    await pair.peer.listening.create("Evening")
    assert await pair.wire.hear(pair.host, request_) == (answer, b"")


async def test_a_listener_that_never_reads_costs_a_bounded_number_of_bytes(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    """A session of an hour, all of it due at once: what is read of the file is a window and a piece."""
    read: list[int] = []
    real = pacing._piece

    def counted(sound: SoundRange, at: int, size: int) -> bytes:
        read.append(size)
        return real(sound, at, size)

    monkeypatch.setattr(pacing, "_piece", counted)
    monkeypatch.setattr(pacing, "LEAD_SECONDS", 3600.0)
    mp3(pair.peer.folder / "hour.mp3", [14] * 100_000)
    listening = pair.peer.listening
    group = (await listening.create("Evening")).id
    await listening.load("hour.mp3")
    await listening.play()
    async with await pair.wire.host.open(pair.host, "/goop/listen/1.0.0") as stream:
        await stream.finish(f"LISTEN {group}\n".encode())
        await until(lambda: len(read) > 1)
        before = -1
        while before != sum(read):
            before = sum(read)
            await asyncio.sleep(NAP_SECONDS)
        assert sum(read) < 4 * 1024 * 1024
        stream.reset()


async def test_an_hour_leaves_the_memory_as_it_was(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    """By a clock that goes FAST times as fast, with a listener who is told where everybody is and reads what it is sent."""
    begun = time.monotonic()
    monkeypatch.setattr(pacing, "STEP_SECONDS", pacing.STEP_SECONDS / FAST)
    monkeypatch.setattr(pair.peer.listening, "_clock", lambda: (time.monotonic() - begun) * FAST)
    mp3(pair.peer.folder / "hour.mp3", [5] * int(3600 / FRAME_SECONDS))
    listening = pair.peer.listening
    group = (await listening.create("Evening")).id
    await pair.join(group)
    await listening.load("hour.mp3")
    await pair.wire.hear(pair.host, f"LISTEN {group}\n".encode())  # its frames are known from then on
    await listening.play()
    most: dict[int, int] = {}
    """Tenth of the hour → the most that was held in it."""
    async with await pair.wire.host.open(pair.host, "/goop/listen/1.0.0") as stream:
        await stream.finish(f"LISTEN {group}\n".encode())
        tracemalloc.start()
        try:
            while await stream.read():
                state = listening.state()
                assert state is not None
                tenth = int(state.position / 360)
                most[tenth] = max(most.get(tenth, 0), tracemalloc.get_traced_memory()[0])
                pair.wire.got.clear()
        finally:
            tracemalloc.stop()
    assert max(most) == 9
    assert most[9] - most[sorted(most)[len(most) // 3]] < 300_000


async def test_a_peer_has_a_few_streams_and_no_more(pair: Pair) -> None:
    listening = pair.peer.listening
    group = (await listening.create("Evening")).id
    await listening.load("long.wav")
    await listening.play()
    async with AsyncExitStack() as stack:
        for _ in range(hosted_session.STREAMS_PER_PEER):
            stream = await stack.enter_async_context(await pair.wire.host.open(pair.host, "/goop/listen/1.0.0"))
            await stream.finish(f"LISTEN {group}\n".encode())
            assert await stream.read()
        assert await pair.wire.hear(pair.host, f"LISTEN {group}\n".encode()) == (b"ERR bad request", b"")


async def test_a_host_that_leaves_says_so(pair: Pair, tmp_path: Path) -> None:
    folder = tmp_path / "leaving"
    folder.mkdir()
    (folder / "goop.json").write_text("{}")
    wav(folder / "tone.wav", 1)
    async with open_peer(folder, {}) as peer:
        async with join(peer, 0, listen_on=LOOPBACK, near_by=False) as network:
            await connect(pair.wire.host, network.host)
            group = (await peer.listening.create("Short")).id
            await pair.wire.send(peer.identity.peer_id, f"group:{group}:join", {"type": "join", "group": group})
            await until(lambda: peer.listening.listeners() == 1)
        await until(lambda: any(topic == f"group:{group}:close" for _, topic, _ in pair.wire.got))
        assert [each["action"] for each in await pair.wire.said(group, 1)] == ["close"]
        assert peer.listening.listeners() == 0
