"""Chat with a real engine and a real database: kept before it is acknowledged, answered by the engine, nobody's work in its way."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path

import apsw
import pytest

from goop2.chat.chat import CONTENT_MAX_BYTES, DELIVERED, FAILED, PER_CALLER_A_MINUTE, SENT, SHOWN, ChatError, Said, Undelivered
from goop2.peer import Peer, open_peer
from goop2.scripting.invocation import Caller
from goop2.storage.messages import Message

ALICE = "12D3KooWD3eckifWpRn9wQpMG9R9hX3sD158z7EqHWmweQAJU5SA"
ACK_SECONDS = 2.0
"""So long the sender of a message waits for its acknowledgement (network.md)."""
HOLD = """
function call()
  goop.db.transaction(function()
    goop.db.exec("INSERT INTO t (x) VALUES (1)")
    local t = os.clock()
    while os.clock() < t + 0.8 do end
  end)
end
"""
SLOW = 'function call() return goop.db.query("WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT count(*) FROM n") end'


@pytest.fixture
async def peer(tmp_path: Path) -> AsyncIterator[Peer]:
    (tmp_path / "site/lua/functions").mkdir(parents=True)
    (tmp_path / "goop.json").write_text(json.dumps({"lua": {"enabled": True}}))
    (tmp_path / "site/lua/hello.lua").write_text("function handle(args) return 'Hello, ' .. goop.peer.id .. args end")
    (tmp_path / "site/lua/functions/hold.lua").write_text(HOLD)
    (tmp_path / "site/lua/functions/slow.lua").write_text(SLOW)
    async with open_peer(tmp_path, {}) as peer:
        peer.database.rows("CREATE TABLE t (x)")
        yield peer


class Wire:
    """What the network would have been asked to carry."""

    def __init__(self) -> None:
        self.carried: list[tuple[str, str]] = []
        self.came = asyncio.Event()

    async def carry(self, peer: str, wire_id: str, content: str, timestamp: int) -> None:
        assert wire_id
        assert timestamp
        self.carried.append((peer, content))
        self.came.set()


def said(messages: list[Message]) -> list[tuple[str, str]]:
    return [(message.sender, message.content) for message in messages]


async def test_a_command_of_another_peer_is_kept_answered_and_the_answer_kept(peer: Peer) -> None:
    wire = Wire()
    peer.chat.join(wire.carry, Caller)
    assert await peer.chat.receive(ALICE, "id-1", "!hello you", 1764000000000)
    await asyncio.wait_for(wire.came.wait(), 5)
    assert wire.carried == [(ALICE, f"Hello, {ALICE}you")]
    kept = await peer.chat.messages(ALICE)
    assert said(kept) == [(ALICE, "!hello you"), (peer.identity.peer_id, f"Hello, {ALICE}you")]
    assert kept[0].timestamp == 1764000000000


async def test_a_repeat_is_known_by_sender_and_id_and_not_answered_again(peer: Peer) -> None:
    assert await peer.chat.receive(ALICE, "id-1", "hi", 1)
    assert not await peer.chat.receive(ALICE, "id-1", "hi", 1)
    assert await peer.chat.receive("another", "id-1", "hi", 1)
    assert said(await peer.chat.messages(ALICE)) == [(ALICE, "hi")]


async def test_a_message_is_committed_when_it_is_acknowledged(peer: Peer, tmp_path: Path) -> None:
    await peer.chat.receive(ALICE, "id-1", "hi", 1)
    with closing(apsw.Connection(str(tmp_path / "data.db"))) as beside:
        assert list(beside.execute("SELECT peer_id, from_id, content, ts FROM _chat_messages")) == [(ALICE, ALICE, "hi", 1)]


async def test_what_cannot_be_delivered_is_kept_with_the_reason(peer: Peer) -> None:
    async def unreachable(*_: object) -> None:
        raise Undelivered("Alice is not here")

    heard: list[Said] = []
    peer.chat.subscribe(heard.append)
    peer.chat.join(unreachable, Caller)
    message = await peer.chat.send(ALICE, "hi")
    assert message.state == f"{FAILED}: Alice is not here"
    assert [(each.message.state, each.changed) for each in heard] == [("sending", False), (message.state, True)]
    peer.chat.join(Wire().carry, Caller)
    assert (await peer.chat.send(ALICE, "hi again")).state == SENT
    assert [each.state for each in await peer.chat.messages(ALICE)] == [message.state, SENT]


async def test_without_a_network_the_owner_is_told(peer: Peer) -> None:
    assert (await peer.chat.send(ALICE, "hi")).state == f"{FAILED}: this peer is not on the network"


@pytest.mark.parametrize("content", ["", "  \n", "x" * (CONTENT_MAX_BYTES + 1)])
async def test_a_message_that_is_none_or_too_long_is_refused(peer: Peer, content: str) -> None:
    for refused in (peer.chat.receive(ALICE, "id", content, 1), peer.chat.send(ALICE, content)):
        with pytest.raises(ChatError):
            await refused
    assert await peer.chat.conversations() == []


async def test_a_stranger_can_write_so_much_a_minute_and_fill_no_disk(peer: Peer, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(PER_CALLER_A_MINUTE):
        await peer.chat.receive(ALICE, str(number), "hi", 1)
    with pytest.raises(ChatError, match="too many messages"):
        await peer.chat.receive(ALICE, "one more", "hi", 1)
    await peer.chat.receive("another", "id", "hi", 1)
    monkeypatch.setattr("goop2.chat.chat.STRANGERS_MAX_CHARACTERS", 100)
    with pytest.raises(ChatError, match="no more messages"):
        await peer.chat.say(Caller("visitor"), "hi")
    await peer.chat.say(peer.owner, "hi")


async def test_conversations_come_latest_first(peer: Peer) -> None:
    for who, content in (("a", "1"), ("b", "2"), ("a", "3")):
        await peer.chat.receive(who, content, content, 1)
    assert [(who, number, last.content) for who, number, last in await peer.chat.conversations()] == [("a", 2, "3"), ("b", 1, "2")]


async def test_no_script_stands_before_a_message(peer: Peer) -> None:
    """One script holds the write lock for most of its second, another reads without end, while messages come."""
    running = [asyncio.create_task(peer.engine.call(peer.owner, name, b"{}")) for name in ("slow", "hold", "slow", "hold")]
    await asyncio.sleep(0.1)
    for number in range(10):
        begun = time.monotonic()
        await peer.chat.receive(ALICE, str(number), f"message {number}", 1)
        assert time.monotonic() - begun < ACK_SECONDS
    assert len(await peer.chat.messages(ALICE)) == 10
    for task in running:
        task.cancel()
    await asyncio.gather(*running, return_exceptions=True)


async def test_what_waits_is_kept_before_the_end(tmp_path: Path) -> None:
    (tmp_path / "site/lua").mkdir(parents=True)
    (tmp_path / "goop.json").write_text("{}")
    async with open_peer(tmp_path, {}) as peer:
        waiting = [asyncio.create_task(peer.chat.receive(ALICE, str(number), "hi", 1)) for number in range(20)]
        await asyncio.sleep(0)
    assert all(await asyncio.gather(*waiting))
    with closing(apsw.Connection(str(tmp_path / "data.db"))) as beside:
        assert list(beside.execute("SELECT count(*) FROM _chat_messages")) == [(20,)]


async def test_a_message_a_page_has_is_told_to_its_sender_once(peer: Peer) -> None:
    told: list[tuple[str, list[str]]] = []
    peer.chat.join(Wire().carry, Caller, lambda to, ids: told.append((to, list(ids))))
    await peer.chat.receive(ALICE, "id-1", "hi", 1)
    await peer.chat.receive(ALICE, "id-2", "there", 2)
    await peer.chat.send(ALICE, "hello")
    for _ in range(2):
        peer.chat.shown(await peer.chat.messages(ALICE))
        await peer.chat._keeper.page(ALICE)  # behind the marking
        await asyncio.sleep(0)
    assert told == [(ALICE, ["id-1", "id-2"])]
    assert [each.state for each in await peer.chat.messages(ALICE)] == [SHOWN, SHOWN, SENT]


async def test_that_a_page_has_a_message_may_be_known_before_that_it_was_taken(peer: Peer) -> None:
    async def carry(to: str, wire_id: str, _content: str, _timestamp: int) -> None:
        await peer.chat.delivered(to, wire_id)

    states: list[str] = []
    peer.chat.join(carry, Caller)
    peer.chat.subscribe(lambda said: states.append(said.message.state))
    await peer.chat.send(ALICE, "hi")
    assert [each.state for each in await peer.chat.messages(ALICE)] == [DELIVERED]
    assert states == ["sending", DELIVERED]
