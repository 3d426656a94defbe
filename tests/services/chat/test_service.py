"""Chat with a real engine and a real database: kept before it is acknowledged, answered by the engine, nobody's work in its way."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path

import apsw
import pytest

from goop2.app import open_peer
from goop2.scripting.invocation import Caller
from goop2.services.chat.limits import PER_CALLER_A_MINUTE, PER_ID_IN_A_CROWD_A_MINUTE, PER_ORIGIN_A_MINUTE
from goop2.services.chat.service import (
    CONTENT_MAX_BYTES,
    DELIVERED,
    FAILED,
    SENT,
    SHOWN,
    ChatError,
    ChatRefusedError,
    ChatReply,
    UndeliveredError,
)
from goop2.services.peer import Peer
from goop2.storage.errors import StorageError
from goop2.storage.messages import StoredMessage

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


def said(messages: list[StoredMessage]) -> list[tuple[str, str]]:
    return [(message.sender, message.content) for message in messages]


async def test_a_command_of_another_peer_is_kept_answered_and_the_answer_kept(peer: Peer) -> None:
    wire = Wire()
    peer.chat.attach(wire.carry, Caller)
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
        raise UndeliveredError("Alice is not here")

    heard: list[ChatReply] = []
    peer.chat.subscribe(heard.append)
    peer.chat.attach(unreachable, Caller)
    message = await peer.chat.send(ALICE, "hi")
    assert message.state == f"{FAILED}: Alice is not here"
    assert [(each.message.state, each.changed) for each in heard] == [("sending", False), (message.state, True)]
    peer.chat.attach(Wire().carry, Caller)
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


async def test_a_stranger_can_write_so_much_a_minute(peer: Peer) -> None:
    for number in range(PER_CALLER_A_MINUTE):
        await peer.chat.receive(ALICE, str(number), "hi", 1)
    with pytest.raises(ChatRefusedError, match="too many messages") as refusal:
        await peer.chat.receive(ALICE, "one more", "hi", 1)
    assert refusal.value.code == "rate_limited"
    assert 0 < refusal.value.retry_after_seconds <= 60
    await peer.chat.receive("another", "id", "hi", 1)
    assert (peer.chat.refusals.count, peer.chat.refusals.last_reason) == (1, str(refusal.value))


async def test_many_ids_of_one_network_have_what_one_network_has(peer: Peer) -> None:
    """Strangers elsewhere are heard, and somebody honest behind the same router a little, however many ids a flood has."""
    flood, ids = "2001:db8::/64", 10
    taken = 0
    for number in range(2 * PER_ORIGIN_A_MINUTE):
        with contextlib.suppress(ChatRefusedError):
            await peer.chat.receive(f"eve{number % ids}", str(number), "x", 1, flood)
            taken += 1
    assert taken == PER_ORIGIN_A_MINUTE + ids * PER_ID_IN_A_CROWD_A_MINUTE
    assert await peer.chat.receive(ALICE, "id", "!hello", 1, "192.0.2.7")
    assert await peer.chat.receive("ann", "id", "hello?", 1, flood)
    with pytest.raises(ChatRefusedError):
        await peer.chat.receive("eve0", "one more", "x", 1, flood)


async def flooded(peer: Peer, ids: int, messages: int, network: str = "192.0.2.66") -> None:
    """Keep so many messages of a kilobyte, past the limits a minute."""
    for number in range(messages):
        who = f"eve{number % ids}"
        await peer.chat._store.add(who, who, f"{number} " + "x" * 1000, 1, charged=(who, network))


def small_budgets(monkeypatch: pytest.MonkeyPatch, **sizes: int) -> None:
    for name, size in sizes.items():
        monkeypatch.setattr(f"goop2.services.chat.quotas.{name}", size)


async def test_a_flood_takes_the_place_of_its_own_oldest_messages(peer: Peer, monkeypatch: pytest.MonkeyPatch) -> None:
    small_budgets(monkeypatch, SENDER_BYTES=20_000)
    await peer.chat.receive(ALICE, "id", "hi", 1, "192.0.2.7")
    await flooded(peer, 1, 50)
    kept = await peer.chat.messages("eve0")
    assert [message.content.split()[0] for message in kept] == [str(number) for number in range(37, 50)]
    assert said(await peer.chat.messages(ALICE)) == [(ALICE, "hi")]
    assert peer.chat.removed == 37


async def test_a_flood_of_many_ids_takes_no_honest_message(peer: Peer, monkeypatch: pytest.MonkeyPatch) -> None:
    """As ten ids of one address filled the chat for ever (security/chat_flood.py)."""
    small_budgets(monkeypatch, SENDER_BYTES=20_000, ORIGIN_BYTES=50_000, STRANGERS_BYTES=100_000)
    wire = Wire()
    peer.chat.attach(wire.carry, Caller)
    for number in range(10):
        await peer.chat.receive(ALICE, str(number), "an honest stranger", 1, "192.0.2.7")
    await peer.chat.receive("bob", "1", "a friend", 1, "192.0.2.8")
    await peer.chat.send("bob", "the owner's own")
    for network in range(5):
        await flooded(peer, 10, 100, f"198.51.100.{network}")
    assert len(await peer.chat.messages(ALICE)) == 10
    assert [each.content for each in await peer.chat.messages("bob")] == ["a friend", "the owner's own"]
    assert await peer.chat.receive(ALICE, "later", "!hello", 1, "192.0.2.7")
    await asyncio.wait_for(wire.came.wait(), 5)


async def test_what_the_flood_holds_is_bounded_in_the_file_too(peer: Peer, monkeypatch: pytest.MonkeyPatch) -> None:
    small_budgets(monkeypatch, SENDER_BYTES=20_000, ORIGIN_BYTES=50_000, STRANGERS_BYTES=100_000)
    for network in range(4):
        await flooded(peer, 10, 100, f"198.51.100.{network}")
    assert peer.database.scalar("SELECT sum(length(content)) FROM _chat_messages") <= 100_000  # type: ignore[operator]
    for table in ("_py_chat", "_py_chat_budget"):
        assert peer.database.scalar(f"SELECT count(*) FROM {table} WHERE message NOT IN (SELECT id FROM _chat_messages)") == 0


async def test_the_owners_own_messages_are_in_no_strangers_budget(peer: Peer, monkeypatch: pytest.MonkeyPatch) -> None:
    small_budgets(monkeypatch, SENDER_BYTES=5_000, CONTACTS_BYTES=5_000)
    peer.chat.attach(Wire().carry, Caller)
    for number in range(10):
        await peer.chat.send("eve0", f"own {number}" + "x" * 1000)
    await flooded(peer, 1, 20)
    own = [each for each in await peer.chat.messages("eve0") if each.sender == peer.identity.peer_id]
    assert len(own) == 10


async def test_replies_of_scripts_are_in_the_budget_of_whoever_asked(peer: Peer, monkeypatch: pytest.MonkeyPatch) -> None:
    small_budgets(monkeypatch, SENDER_BYTES=3_000)
    wire = Wire()
    peer.chat.attach(wire.carry, Caller)
    for number in range(8):
        await peer.chat.receive(ALICE, str(number), "!hello", 1)
        wire.came.clear()
        await asyncio.wait_for(wire.came.wait(), 5)
    await peer.chat.conversations()  # behind the last reply
    assert len(await peer.chat.messages(ALICE)) <= 5
    assert peer.database.scalar("SELECT count(*) FROM _py_chat_budget WHERE sender = ?", (ALICE,)) == len(await peer.chat.messages(ALICE))


async def test_what_a_flood_left_before_this_version_makes_room_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "goop.json").write_text("{}")
    async with open_peer(tmp_path, {}) as peer:
        own = peer.identity.peer_id
        for _ in range(200):
            peer.database.rows("INSERT INTO _chat_messages (peer_id, from_id, content, ts) VALUES (?1, ?1, ?2, 1)", ("eve", "x" * 1000))
            peer.database.rows("INSERT INTO _chat_messages (peer_id, from_id, content, ts) VALUES ('ann', ?, 'own', 1)", (own,))
    small_budgets(monkeypatch, SENDER_BYTES=20_000, ORIGIN_BYTES=50_000, STRANGERS_BYTES=100_000)
    async with open_peer(tmp_path, {}) as peer:
        assert len(await peer.chat.messages("eve")) <= 100_000 // 1000
        assert len(await peer.chat.messages("ann")) == 200


async def test_a_conversation_can_be_deleted(peer: Peer) -> None:
    peer.chat.attach(Wire().carry, Caller)
    await peer.chat.receive(ALICE, "1", "hi", 1)
    await peer.chat.receive("bob", "1", "hi", 1)
    await peer.chat.send("bob", "hello")
    await peer.chat.receive("eve", "1", "hi", 1)
    assert await peer.chat.forget(ALICE) == 1
    assert await peer.chat.forget(ALICE) == 0
    assert await peer.chat.forget_strangers() == 1
    assert [who for who, _, _ in await peer.chat.conversations()] == ["bob"]
    assert peer.database.scalar("SELECT count(*) FROM _py_chat_budget") == 1
    assert await peer.chat.receive(ALICE, "1", "hi again", 1), "what was deleted is no repeat"


def damage(database: Path, *names: str) -> None:
    """Write rubbish over the first page of these tables and indexes."""
    with closing(apsw.Connection(str(database))) as closed:
        closed.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        size = int(str(closed.execute("PRAGMA page_size").fetchall()[0][0]))
        found = [closed.execute("SELECT rootpage FROM sqlite_schema WHERE name = ?", (name,)).fetchall()[0][0] for name in names]
        roots = [int(str(root)) for root in found]
    with database.open("r+b") as file:
        for root in roots:
            file.seek((root - 1) * size)
            file.write(b"\xde\xad" * (size // 2))


async def test_a_damaged_page_of_the_chat_stops_no_start(tmp_path: Path) -> None:
    (tmp_path / "site/lua").mkdir(parents=True)
    (tmp_path / "goop.json").write_text(json.dumps({"lua": {"enabled": True}}))
    (tmp_path / "site/lua/hello.lua").write_text("function handle(args) return 'Hello' end")
    async with open_peer(tmp_path, {}) as peer:
        await flooded(peer, 1, 50)
    damage(tmp_path / "data.db", "_chat_messages")
    async with open_peer(tmp_path, {}) as peer:
        with pytest.raises(StorageError, match="damaged"):
            await peer.chat.receive(ALICE, "1", "hi", 1)
        assert (await peer.engine.command(peer.owner, "!hello")).text == "Hello"
        assert peer.chat.refusals.count == 1


async def test_damage_that_is_found_at_the_start_is_said_and_stops_nothing(tmp_path: Path) -> None:
    (tmp_path / "goop.json").write_text("{}")
    async with open_peer(tmp_path, {}) as peer:
        await flooded(peer, 1, 50)
        await peer.grouping.create("Before", "chat")  # the tables of groups are made with the first one
    damage(tmp_path / "data.db", "_py_chat_budget", "_py_chat_budget_of", "_groups")
    async with open_peer(tmp_path, {}) as peer:
        assert [warning for warning in peer.warnings if "messages are not kept, and refused" in warning]
        assert [warning for warning in peer.warnings if "groups are not kept" in warning]
        with pytest.raises(StorageError, match="damaged"):
            await peer.chat.receive(ALICE, "1", "hi", 1)
        with pytest.raises(StorageError, match="groups cannot be saved"):
            await peer.grouping.create("Friends", "chat")


async def test_conversations_come_latest_first(peer: Peer) -> None:
    for who, content in (("a", "1"), ("b", "2"), ("a", "3")):
        await peer.chat.receive(who, content, content, 1)
    assert [(who, number, last.content) for who, number, last in await peer.chat.conversations()] == [("a", 2, "3"), ("b", 1, "2")]


async def test_no_script_stands_before_a_message(peer: Peer) -> None:
    """One script holds the write lock for most of its second, another reads without end, while messages come."""
    running = [asyncio.create_task(peer.engine.call(peer.owner, name, b"{}")) for name in ("slow", "hold", "slow", "hold")]
    await asyncio.sleep(0.1)  # until the scripts run
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
    peer.chat.attach(Wire().carry, Caller, lambda to, ids: told.append((to, list(ids))))
    await peer.chat.receive(ALICE, "id-1", "hi", 1)
    await peer.chat.receive(ALICE, "id-2", "there", 2)
    await peer.chat.send(ALICE, "hello")
    for _ in range(2):
        peer.chat.shown(await peer.chat.messages(ALICE))
        await peer.chat._store.page(ALICE)  # behind the marking
        await asyncio.sleep(0)
    assert told == [(ALICE, ["id-1", "id-2"])]
    assert [each.state for each in await peer.chat.messages(ALICE)] == [SHOWN, SHOWN, SENT]


async def test_that_a_page_has_a_message_may_be_known_before_that_it_was_taken(peer: Peer) -> None:
    async def carry(to: str, wire_id: str, _content: str, _timestamp: int) -> None:
        await peer.chat.delivered(to, wire_id)

    states: list[str] = []
    peer.chat.attach(carry, Caller)
    peer.chat.subscribe(lambda said: states.append(said.message.state))
    await peer.chat.send(ALICE, "hi")
    assert [each.state for each in await peer.chat.messages(ALICE)] == [DELIVERED]
    assert states == ["sending", DELIVERED]


async def test_commands_that_wait_for_their_answers_keep_no_message_out(peer: Peer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("goop2.services.chat.service.ANSWERING_MAX", 1)
    never = asyncio.Event()

    async def carry(*_of: object) -> None:
        await never.wait()

    peer.chat.attach(carry, Caller)
    assert await peer.chat.receive(ALICE, "id-1", "!hello", 1)
    with pytest.raises(ChatRefusedError, match="too many commands"):
        await peer.chat.receive(ALICE, "id-2", "!hello", 2)
    assert await peer.chat.receive(ALICE, "id-3", "are you there?", 3)
