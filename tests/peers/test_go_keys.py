"""Beside a peer with payload keys as a real Go peer has them: from a first start, over restarts, and with a folder that came from one."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import sqlite3
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, closing
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from nacl.public import PrivateKey
from tests.go_sealer import GoSealer, go_sealer
from tests.net.hosts import LOOPBACK, connect, new_identity, until
from tests.peers.test_network import Joined
from tests.peers.test_payload_encryption import file, joined
from tests.services.listen.sounds import wav

from goop2.app import join, open_peer
from goop2.config import payload_keys
from goop2.folder.identity import Identity, load_or_create
from goop2.net.faults import NetworkError
from goop2.peers import client
from goop2.peers.client import NoRoomError
from goop2.protocols import data

MB = 1024 * 1024


@dataclass
class Meeting:
    """A folder of ours and a Go peer, each started as often as a test likes."""

    folder: Path
    identity: Identity = field(default_factory=new_identity)
    key: PrivateKey = field(default_factory=PrivateKey.generate)
    known: dict[str, str] = field(default_factory=dict)

    @asynccontextmanager
    async def ours(self) -> AsyncIterator[Joined]:
        async with AsyncExitStack() as stack:
            if not self.folder.exists():
                yield await joined(stack, self.folder)
                return
            peer = await stack.enter_async_context(open_peer(self.folder, {}))
            yield Joined(peer, await stack.enter_async_context(join(peer, 0, listen_on=LOOPBACK, near_by=False)))

    @asynccontextmanager
    async def both(self) -> AsyncIterator[tuple[Joined, GoSealer]]:
        async with self.ours() as ours, go_sealer(self.identity, self.key, self.known) as go:
            await connect(go.host, ours.network.host)
            yield ours, go


@pytest.fixture
def meeting(tmp_path: Path) -> Meeting:
    return Meeting(tmp_path / "alice")


def knows(ours: Joined, go: GoSealer) -> bool:
    return ours.network.client._key_ring.box(go.id) is not None and go.box(ours.id) is not None


async def talk(ours: Joined, go: GoSealer, text: str) -> None:
    """Messages, calls and sites, sealed both ways."""
    await until(lambda: knows(ours, go))
    assert (await go.send(ours.id, "chat", {"content": f"{text} from Go"}))["type"] == "ack"
    assert f"{text} from Go" in [each.content for each in await ours.peer.chat.messages(go.id)]
    assert (await ours.peer.chat.send(go.id, text)).state == "sent"
    assert go.chats()[-1] == (text, True)
    assert await go.ask(ours.id, op="lua-call", function="who", params={"a": 1}) == (
        {"ok": True, "data": {"id": go.id, "params": {"a": 1}}},
        True,
    )
    answer = await ours.network.client.call(go.id, "score")
    assert isinstance(answer, data.SuccessAnswer)
    assert json.loads(answer.json) == {"from": "Go"}
    assert await go.get(ours.id, "/") == (b"EOK text/html; charset=utf-8 72", b"<h1>alice</h1>", True)
    assert await file(ours, go.id) == (True, "text/html; charset=utf-8", 11, b"<h1>Go</h1>")
    assert all(sealed for _, _, sealed in go.asked)
    assert go.lost == 0


async def test_from_a_first_start_of_both_and_after_a_restart_of_either_and_both(meeting: Meeting) -> None:
    async with meeting.ours() as ours:
        async with go_sealer(meeting.identity, meeting.key, meeting.known) as go:
            await connect(go.host, ours.network.host)
            await talk(ours, go, "first")
        async with go_sealer(meeting.identity, meeting.key, meeting.known) as go:
            await connect(go.host, ours.network.host)
            await talk(ours, go, "Go restarted")
    async with meeting.both() as (ours, go):
        await talk(ours, go, "we restarted")


async def test_a_go_peer_that_asks_first_is_not_told_our_key_before_its_own(meeting: Meeting) -> None:
    async with meeting.both() as (ours, go):
        assert (await go.send(ours.id, "identity", {}))["type"] == "ack"
        await talk(ours, go, "asked first")
        told = [payload["publicKey"] for topic, payload, _ in go.heard if topic == "identity.response"]
        assert told[-1] == meeting.known[ours.id]


def from_go(meeting: Meeting, *, keys_of_others: bool) -> None:
    """The folder as another Go peer used it, known to the one that is met by its key."""
    meeting.folder.mkdir()
    (meeting.folder / "goop.json").write_text(json.dumps({"lua": {"enabled": True}, "profile": {"label": "alice"}}))
    (meeting.folder / "site/lua/functions").mkdir(parents=True)
    (meeting.folder / "site/lua/functions/who.lua").write_text(
        "function call(request) return {id = goop.peer.id, params = request.params} end"
    )
    (meeting.folder / "site/index.html").write_text("<h1>alice</h1>")
    made, _ = payload_keys.make(meeting.folder)
    meeting.known[load_or_create(meeting.folder).peer_id] = made.public_text
    with closing(sqlite3.connect(meeting.folder / "data.db")) as database, database:
        extra = ", public_key TEXT" if keys_of_others else ""
        database.execute(f"CREATE TABLE _peer_cache (peer_id TEXT PRIMARY KEY, content TEXT, addrs TEXT{extra})")
        row = [
            meeting.identity.peer_id,
            "Go",
            "[]",
            *([base64.b64encode(bytes(meeting.key.public_key)).decode()] if keys_of_others else []),
        ]
        database.execute(f"INSERT INTO _peer_cache VALUES ({', '.join('?' * len(row))})", row)
    database.close()


@pytest.mark.parametrize("keys_of_others", [True, False], ids=["with the keys of others", "without"])
async def test_with_a_folder_that_came_from_go_whose_key_others_know(meeting: Meeting, keys_of_others: bool) -> None:
    from_go(meeting, keys_of_others=keys_of_others)
    async with meeting.both() as (ours, go):
        if keys_of_others:
            assert (await go.send(ours.id, "chat", {"content": "at once"}))["type"] == "ack"
        else:
            refused = await go.send(ours.id, "chat", {"content": "at once"})
            assert (refused["type"], refused["error"]) == ("refused", "this peer cannot decrypt what was encrypted for it")
        await talk(ours, go, "moved")
    async with meeting.both() as (ours, go):
        await talk(ours, go, "moved and restarted")


async def test_a_view_in_the_place_of_the_keys_of_others_is_not_read(meeting: Meeting) -> None:
    from_go(meeting, keys_of_others=True)
    with closing(sqlite3.connect(meeting.folder / "data.db")) as database, database:
        database.execute("DROP TABLE _peer_cache")
        endless = (
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i AS peer_id, 'x' AS public_key FROM n WHERE i < 0"
        )
        database.execute(f"CREATE VIEW _peer_cache AS {endless}")
    database.close()
    async with meeting.both() as (ours, go):
        await talk(ours, go, "moved")


async def test_45_mb_pass_sealed_both_ways(meeting: Meeting) -> None:
    big = os.urandom(45 * MB)
    async with meeting.both() as (ours, go):
        await until(lambda: knows(ours, go))
        (ours.peer.folder / "site/big.bin").write_bytes(big)
        header, content, sealed = await go.get(ours.id, "/big.bin")
        assert (header[:4], sealed, content == big) == (b"EOK ", True, True)
        go.files["/big.bin"] = big
        encrypted, _, size, content = await file(ours, go.id, "/big.bin")
        assert (encrypted, size, content == big) == (True, len(big), True)


async def test_refusals_say_the_true_reason_and_the_key_stays(meeting: Meeting) -> None:
    async with meeting.both() as (ours, go):
        await until(lambda: knows(ours, go))
        assert (await go.get(ours.id, "/none.html"))[0] == b"ERR not found"
        with pytest.raises(NetworkError, match=r"gives no /none\.html: not found"):
            await file(ours, go.id, "/none.html")
        refused, sealed = await go.ask(ours.id, op="lua-call", function="none", params={})
        assert (refused["code"], sealed) == ("not_found", True)
        # A limit that is checked before anything is opened answers plain.
        go.call = lambda _asked: b'{"ok":false,"error":"rate limit exceeded"}'
        seal, go.sealed = go.sealed, lambda _peer, _content: None  # type: ignore[method-assign,assignment]
        answer = await ours.network.client.call(go.id, "score")
        assert isinstance(answer, data.FailureAnswer)
        assert answer.error == "rate limit exceeded"
        go.sealed = seal  # type: ignore[method-assign]
        await talk_again(ours, go)


async def talk_again(ours: Joined, go: GoSealer) -> None:
    go.call = lambda _asked: b'{"ok":true,"data":1}'
    answer = await ours.network.client.call(go.id, "score")
    assert isinstance(answer, data.SuccessAnswer)
    assert go.asked[-1][2] is True, "a refusal for another reason is not the key's fault"


async def test_a_go_peer_that_has_lost_our_key_is_told_it_again(meeting: Meeting) -> None:
    async with meeting.both() as (ours, go):
        await talk(ours, go, "first")
        go.known.clear()
        answer = await ours.network.client.call(go.id, "score")
        assert isinstance(answer, data.SuccessAnswer), "plain, at once"
        await until(lambda: go.box(ours.id) is not None)
        assert (await go.send(ours.id, "chat", {"content": "sealed again"}))["type"] == "ack"
        go.lost = 0
        go.asked.clear()
        await talk(ours, go, "again")


async def test_what_a_go_peer_seals_though_it_was_asked_plain_is_read(meeting: Meeting) -> None:
    async with meeting.both() as (ours, go):
        await until(lambda: knows(ours, go))
        ours.network.client._key_ring.refused(go.id)
        assert ours.network.client._key_ring.box(go.id) is None
        answer = await ours.network.client.call(go.id, "score")
        assert isinstance(answer, data.SuccessAnswer)
        assert (await file(ours, go.id))[3] == b"<h1>Go</h1>"


async def test_a_file_there_is_no_memory_for_is_not_the_other_sides_fault(meeting: Meeting, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "ENCRYPTED_FILES_BYTES", 10)
    async with meeting.both() as (ours, go):
        await until(lambda: knows(ours, go))
        with pytest.raises(NoRoomError, match="too many large files come encrypted at the same time"):
            await file(ours, go.id)
        assert knows(ours, go)


async def test_sound_is_sealed_both_ways(meeting: Meeting) -> None:
    async with meeting.both() as (ours, go):
        await until(lambda: knows(ours, go))
        wav(ours.peer.folder / "short.wav", 1.5)
        group = (await ours.peer.listening.create("Evening")).id
        await ours.peer.listening.load("short.wav")
        await ours.peer.listening.play()
        header, sound = await go.listen(ours.id, group)
        assert header.startswith(b"EAOK wav ")
        assert sound.startswith(b"RIFF")
        await ours.peer.listening.close()
        session = "listen-0123456789abcdef"
        joining = {"group_name": "There", "group_type": "listen", "members": [{"peer_id": go.id, "role": "owner", "joined_at": 1}]}
        track = {"name": "Song", "duration": 30.0, "bitrate": 705600, "format": "wav", "is_stream": False}
        join_ = asyncio.create_task(ours.network.followed.join(go.id, session))
        await until(lambda: any(topic == f"group:{session}:join" and sealed for topic, _, sealed in go.heard))
        await go.send(ours.id, f"group:{session}:welcome", joining)
        await join_
        for action, more in (("load", {"track": track}), ("play", {"position": 0.0})):
            said = {"action": action, "queue_index": 0, "queue_total": 1, **more}
            await go.send(ours.id, f"group:{session}:msg", {"app_type": "listen", "listen": said})
        async with ours.network.followed.sound() as sound_of_go:
            assert b"".join([piece async for piece in sound_of_go.pieces]) == go.sound
