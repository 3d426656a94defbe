"""A session of another peer, heard by ours: the host speaks only the wire format."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from tests.net.hosts import LOOPBACK, connect, loopback_host, until
from tests.services.listen.sounds import wav
from tests.wire_host import SESSION, WireHost
from tests.wire_listener import line

from goop2.app import join, open_peer
from goop2.net.faults import NetworkError, StreamBrokenError
from goop2.net.stream import Stream
from goop2.peers import followed_session, outbox
from goop2.peers.network import PeerNetwork
from goop2.services.groups import service
from goop2.services.listen.operations import followed
from goop2.services.listen.session import ListenError
from goop2.services.peer import Peer


@dataclass
class Pair:
    peer: Peer
    network: PeerNetwork
    wire: WireHost

    async def join(self) -> None:
        await self.network.followed.join(self.wire.host.peer_id, SESSION)

    async def join_paused(self) -> dict[str, Any]:
        """Where a track is loaded; and told of it to the end."""
        await self.wire.load("Song", 200.0)
        self.wire.position = 5.0
        await self.join()
        return await self.until(position=5.0)

    def state(self) -> dict[str, Any] | None:
        return followed(self.peer.listening.following)

    async def until(self, **wanted: object) -> dict[str, Any]:
        """The session once its play state, or itself, has these."""

        def has() -> bool:
            state = self.state() or {}
            return all({**state, **state.get("play_state", {})}.get(key) == value for key, value in wanted.items())

        await until(has)
        return self.state() or {}


@pytest.fixture
async def pair(tmp_path: Path) -> AsyncIterator[Pair]:
    folder = tmp_path / "peer"
    folder.mkdir()
    (folder / "goop.json").write_text(json.dumps({"lua": {"enabled": True}}))
    wav(folder / "own.wav", 1)
    async with AsyncExitStack() as stack:
        peer = await stack.enter_async_context(open_peer(folder, {}))
        host = await stack.enter_async_context(loopback_host())
        network = await stack.enter_async_context(join(peer, 0, listen_on=LOOPBACK, near_by=False))
        await connect(host, network.host)
        wire = WireHost(host)
        await wire.open()
        yield Pair(peer, network, wire)


async def heard(pair: Pair) -> bytes:
    async with pair.network.followed.sound() as sound:
        return b"".join([piece async for piece in sound.pieces])


async def test_a_listener_hears_all_the_host_does(pair: Pair) -> None:
    await pair.join()
    state = pair.state()
    assert state is not None
    assert state.pop("play_state")["playing"] is False
    assert state == {"id": SESSION, "name": "Over there", "role": "listener", "listeners": 1, "host": pair.wire.host.peer_id}
    await pair.wire.load("Song", 200.0)
    await pair.wire.control("play", position=0.0)
    state = await pair.until(playing=True)
    assert state["track"] == {"name": "Song", "duration": 200.0, "bitrate": 705_600, "format": "wav"}
    await pair.wire.control("seek", position=100.0)
    await until(lambda: pair.peer.listening.following.at() >= 100)
    await pair.wire.control("sync", position=150.0)
    await until(lambda: pair.peer.listening.following.at() >= 150)
    await pair.wire.control("pause", position=151.0)
    state = await pair.until(playing=False)
    assert state["play_state"]["position"] == 151
    await pair.wire.control("close")
    await until(lambda: pair.state() is None)
    await until(lambda: pair.wire.members == [])


async def test_who_comes_late_is_where_the_host_is(pair: Pair) -> None:
    await pair.wire.load("Song", 200.0)
    pair.wire.playing, pair.wire.position = True, 77.5
    await pair.join()
    state = await pair.until(playing=True)
    assert 77.5 <= state["play_state"]["position"] < 97.5


async def test_who_joins_a_go_peer_that_plays_has_track_and_sound_with_its_next_word(pair: Pair) -> None:
    pair.wire.is_go = True
    await pair.wire.load("Song", 200.0)
    pair.wire.playing, pair.wire.position = True, 77.5
    await pair.join()
    await pair.wire.sync()
    state = await pair.until(playing=True)
    assert state["track"] == {"name": "Song", "duration": 200.0, "bitrate": 705_600, "format": "wav"}
    assert 77.5 <= state["play_state"]["position"] < 97.5
    assert await heard(pair) == pair.wire.sound
    run = pair.peer.listening.following.followed
    pair.wire.position = pair.peer.listening.following.at()
    await pair.wire.sync()
    await pair.wire.control("seek", position=150.0)
    await until(lambda: pair.peer.listening.following.at() >= 150)
    now = pair.peer.listening.following.followed
    assert run is not None
    assert now is not None
    assert now.run == run.run + 1, "the sync of the same track interrupts nothing, the seek does"
    pair.wire.track = {**(pair.wire.track or {}), "name": "Next"}
    pair.wire.position = 3.0
    await pair.wire.sync()
    await until(lambda: (pair.state() or {})["track"]["name"] == "Next")
    assert 3 <= pair.peer.listening.following.at() < 23


@pytest.mark.parametrize("by", ["control", "group"])
async def test_a_session_its_host_has_closed_is_not_joined_again_and_the_owner_can_host(pair: Pair, by: str) -> None:
    pair.wire.is_go = True
    peer = pair.wire.host.peer_id
    invite = {"group_id": SESSION, "group_name": "Evening", "host_peer_id": peer, "group_type": "listen", "volatile": True}
    await pair.wire.send(pair.network.host.peer_id, "group.invite", invite)
    await pair.join()
    if by == "control":
        await pair.wire.control("close")
    else:
        await pair.wire.close()
    await until(lambda: pair.state() is None)
    assert await pair.network.followed.session_of(peer) is None, "the invitation is to what is over"
    with pytest.raises(ListenError, match="is over: its host has closed it"):
        await pair.join()
    await pair.peer.listening.create("Mine")
    await pair.peer.listening.close()
    await pair.wire.send(pair.network.host.peer_id, "group.invite", invite)
    await until(lambda: not pair.network.followed.is_over(peer, SESSION))
    assert await pair.network.followed.session_of(peer) is not None
    await pair.join()


async def test_scripts_are_told_that_this_peer_listens_and_leave_by_closing(pair: Pair) -> None:
    scripts = pair.peer.folder / "site/lua"
    lines = ("play()", "pause()", "seek(3)", "close()")
    sources = {f"do{number}": f"return tostring(goop.listen.{line})" for number, line in enumerate(lines)}
    sources |= {name: f"local _, err = goop.listen.{name}('own.wav') return err" for name in ("load", "create")}
    sources["role"] = "local group = goop.listen.state() return group and group.role or 'none'"
    scripts.mkdir(parents=True)
    for name, source in sources.items():
        (scripts / f"{name}.lua").write_text(f"function handle() {source} end")
    await pair.peer.catalog.scan()

    async def says(name: str) -> str:
        return (await pair.peer.engine.command(pair.peer.owner, f"!{name}")).text

    assert await says("role") == "none"
    await pair.join()
    assert await says("role") == "listener"
    for refused in ("do0", "do1", "do2", "load", "create"):
        assert "Over there, which its host plays" in await says(refused), refused
    assert await says("do3") == "nil"
    assert await says("role") == "none"
    await until(lambda: pair.wire.members == [])


async def test_a_host_has_one_session_its_own_or_anothers(pair: Pair) -> None:
    await pair.peer.listening.create("Mine")
    with pytest.raises(ListenError, match="Mine"):
        await pair.join()
    assert pair.wire.got == []


async def test_a_host_that_lets_nobody_in_is_named(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    pair.wire.full = True
    with pytest.raises(ListenError, match="no room"):
        await pair.join()
    monkeypatch.setattr(service, "JOIN_SECONDS", 0.2)
    pair.wire.full, pair.wire.silent = False, True
    with pytest.raises(ListenError, match="does not answer"):
        await pair.join()
    with pytest.raises(ListenError, match="no session's id"):
        await pair.network.followed.join(pair.wire.host.peer_id, "game-1")
    pair.wire.silent = False
    await pair.join()


async def test_the_sound_comes_through(pair: Pair) -> None:
    await pair.wire.load("Song", 200.0)
    pair.wire.playing, pair.wire.position = True, 20.0
    await pair.join()
    await pair.until(playing=True)
    async with pair.network.followed.sound() as sound:
        assert sound.format == "wav"
        assert 20 <= sound.beginning() < 40
        assert b"".join([piece async for piece in sound.pieces]) == pair.wire.sound
    assert pair.wire.asked == [f"LISTEN {SESSION}\n".encode()]


async def test_a_pause_ends_the_sound_though_the_host_goes_on_sending(pair: Pair) -> None:
    await pair.join_paused()
    await pair.wire.control("play", position=0.0)
    await pair.until(playing=True)
    pair.wire.held.clear()
    async with pair.network.followed.sound() as sound:
        assert await anext(sound.pieces) == pair.wire.sound
        await pair.wire.control("pause", position=1.0)
        await pair.until(playing=False)
        assert [piece async for piece in sound.pieces] == []


@pytest.mark.parametrize(
    ("header", "why"),
    [
        (b"OK wav\n", "protocol"),
        (b"OK wav 12 -3\n", "protocol"),
        (b"OK wav 99999999999999 30.00\n", "protocol"),
        (b"OK wav 705600 999999999.00\n", "protocol"),
        (b"OK ../../etc 705600 30.00\n", "protocol"),
        (b"<html>" + b"x" * 5000, "protocol"),
        (b"\xff\xfe\x00\n", "protocol"),
        (b"OK html 705600 30.00\n", "no browser"),
        (b"ERR no track\n", "no track"),
    ],
)
async def test_a_header_that_is_none_is_said_and_nothing_of_it_reaches_a_page(pair: Pair, header: bytes, why: str) -> None:
    await pair.join_paused()
    pair.wire.header = header
    with pytest.raises((ListenError, NetworkError), match=why):
        await heard(pair)


async def test_a_host_that_sends_no_sound_ends_the_wait(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    await pair.join_paused()
    monkeypatch.setattr(followed_session, "SILENCE_SECONDS", 0.2)
    pair.wire.held.clear()
    with pytest.raises(StreamBrokenError):
        await heard(pair)
    monkeypatch.setattr(followed_session, "HEADER_SECONDS", 0.2)
    pair.wire.header = None
    with pytest.raises(StreamBrokenError):
        await heard(pair)


async def test_what_is_no_word_of_a_session_changes_nothing(pair: Pair) -> None:
    before = await pair.join_paused()
    topic = f"group:{SESSION}:msg"
    me = pair.network.host.peer_id
    for payload in (
        {"app_type": "listen", "listen": {"action": "seek", "position": -4}},
        {"app_type": "listen", "listen": {"action": "seek", "position": 1e300}},
        {"app_type": "listen", "listen": {"action": "explode"}},
        {"app_type": "listen", "listen": 7},
        {"app_type": "chess"},
        [1, 2],
        "play",
    ):
        await pair.wire.send(me, topic, payload)
    after = pair.state()
    assert after is not None
    assert {**after["play_state"], "updated_at": 0} == {**before["play_state"], "updated_at": 0}


async def test_somebody_else_cannot_speak_for_the_host(pair: Pair) -> None:
    await pair.join_paused()
    async with loopback_host() as stranger:
        await connect(stranger, pair.network.host)
        other = WireHost(stranger)
        other.members = [pair.network.host.peer_id]
        await other.control("play", position=50.0)
        await other.close()
    state = pair.state()
    assert state is not None
    assert state["play_state"]["playing"] is False


async def test_a_host_that_has_vanished_ends_the_session(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is in nobody's presence and says no goodbye: it takes no message any more."""
    monkeypatch.setattr(followed_session, "QUIET_SECONDS", 0.1)
    monkeypatch.setattr(outbox, "PATIENCE_SECONDS", 0.5)
    folder = tmp_path / "other"
    folder.mkdir()
    (folder / "goop.json").write_text("{}")
    async with AsyncExitStack() as stack:
        peer = await stack.enter_async_context(open_peer(folder, {}))
        network = await stack.enter_async_context(join(peer, 0, listen_on=LOOPBACK, near_by=False))
        async with loopback_host() as host:
            await connect(host, network.host)
            wire = WireHost(host)
            await wire.open()
            await network.followed.join(host.peer_id, SESSION)
            await until(lambda: any(topic.endswith(":ping") for _, topic, _ in wire.got))
            assert followed(peer.listening.following) is not None
        await until(lambda: followed(peer.listening.following) is None)


async def test_a_session_is_found_by_an_invitation_of_its_host(pair: Pair) -> None:
    host, me = pair.wire.host.peer_id, pair.network.host.peer_id
    await pair.wire.host.serve("/goop/data/1.0.0", _knows_no_such_operation)
    assert await pair.network.followed.session_of(host) is None
    invite = {"group_id": SESSION, "group_name": "Over there", "host_peer_id": host, "app_type": "listen", "volatile": True}
    for forged in ({"host_peer_id": me}, {"group_id": "listen-"}):
        await pair.wire.send(me, "group.invite", {**invite, **forged})
    assert await pair.network.followed.session_of(host) is None
    await pair.wire.send(me, "group.invite", invite)
    offered = await pair.network.followed.session_of(host)
    assert offered is not None
    assert (offered.id, offered.name) == (SESSION, "Over there")
    await pair.join()
    pair.network.followed.leave()
    assert await pair.network.followed.session_of(host) == offered, "a page that is loaded again finds it again"


async def _knows_no_such_operation(stream: Stream) -> None:
    await line(stream)
    await stream.finish(b'{"ok": false, "error": "unknown op"}\n')


async def test_two_of_ours_hear_each_other(pair: Pair, tmp_path: Path) -> None:
    listening = pair.peer.listening
    folder = tmp_path / "other"
    folder.mkdir()
    (folder / "goop.json").write_text("{}")
    async with AsyncExitStack() as stack:
        other = await stack.enter_async_context(open_peer(folder, {}))
        network = await stack.enter_async_context(join(other, 0, listen_on=LOOPBACK, near_by=False))
        await connect(network.host, pair.network.host)
        host = pair.network.host.peer_id
        assert await network.followed.session_of(host) is None
        session = (await listening.create("Evening")).id
        await listening.load("own.wav")
        offered = await network.followed.session_of(host)
        assert offered is not None
        assert (offered.id, offered.track is not None) == (session, True)
        await network.followed.join(host, session)
        heard = Pair(other, network, pair.wire)
        await heard.until(playing=False)
        await listening.play()
        await heard.until(playing=True)
        async with network.followed.sound() as sound:
            whole = b"".join([piece async for piece in sound.pieces])
        assert whole.startswith(b"RIFF")
        await listening.close()
        await until(lambda: followed(other.listening.following) is None)
