"""Two peers of ours, joined: who they are to each other, what each gets, and what a message leaves behind."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

import httpx
import msgspec
import pytest
from tests.e2e.peers import free_port
from tests.net.hosts import LOOPBACK, new_identity

from goop2.app import join, open_peer
from goop2.config import Address
from goop2.net.address import parse
from goop2.net.faults import AddressError, NetworkError, PortInUseError, UnreachableError
from goop2.peers.discovery.roster import HEARTBEAT_SECONDS
from goop2.peers.network import BROADCAST_AT_ONCE, PeerNetwork
from goop2.protocols import data, topics
from goop2.protocols.presence import Presence
from goop2.rendezvous.server import open_rendezvous
from goop2.services.chat.limits import PER_CALLER_A_MINUTE
from goop2.services.chat.service import CONTENT_MAX_BYTES
from goop2.services.peer import Peer
from goop2.storage.errors import DatabaseFileError

WHO = "function call() return {id = goop.peer.id, label = goop.peer.label} end"
SETTINGS = {"lua": {"enabled": True}}
POSTS = {"name": "posts", "columns": [{"name": "body", "type": "text"}], "access": {"insert": "open"}}
DIARY = {
    "name": "diary",
    "columns": [{"name": "body", "type": "text"}],
    "access": dict.fromkeys(("read", "insert", "update", "delete"), "local"),
}


@dataclass
class Joined:
    peer: Peer
    network: PeerNetwork

    @property
    def id(self) -> str:
        return self.peer.identity.peer_id


async def joined(stack: AsyncExitStack, folder: Path, label: str, **profile: object) -> Joined:
    (folder / "site/lua/functions").mkdir(parents=True)
    (folder / "schemas").mkdir()
    for table in (POSTS, DIARY):
        (folder / f"schemas/{table['name']}.json").write_text(json.dumps(table))
    (folder / "goop.json").write_text(json.dumps({**SETTINGS, "profile": {"label": label, "email": f"{label}@example.org", **profile}}))
    (folder / "site/lua/functions/who.lua").write_text(WHO)
    (folder / "site/lua/hello.lua").write_text("function handle(args) return 'Hello, ' .. args .. ' from ' .. goop.self.label end")
    (folder / "site/index.html").write_text(f"<h1>{label}</h1>")
    peer = await stack.enter_async_context(open_peer(folder, {}))
    return Joined(peer, await stack.enter_async_context(join(peer, 0, listen_on=LOOPBACK, near_by=False)))


@pytest.fixture
async def two(tmp_path: Path) -> AsyncIterator[tuple[Joined, Joined]]:
    async with AsyncExitStack() as stack:
        alice = await joined(stack, tmp_path / "alice", "alice")
        bob = await joined(stack, tmp_path / "bob", "bob")
        await alice.network.discovery.connect(parse(bob.network.host.addresses[0]))
        yield alice, bob


async def ask(by: Joined, of: Joined, op: str, **request: object) -> object:
    asked = data.requested(json.dumps({"op": op, **request}).encode())
    answer = await by.network.client.ask(of.id, asked)
    return json.loads(answer.json) if isinstance(answer, data.SuccessAnswer) else answer.code


async def test_a_caller_is_who_its_connection_proves(two: tuple[Joined, Joined]) -> None:
    alice, bob = two
    found = await ask(alice, bob, "lua-call", function="who", params={"id": bob.id})
    assert isinstance(found, dict)
    assert found["id"] == alice.id


async def test_the_site_and_the_label(two: tuple[Joined, Joined]) -> None:
    alice, bob = two
    assert await alice.network.client.label(bob.id) == "bob"
    async with alice.network.client.file(bob.id, "/") as file:
        assert b"".join([piece async for piece in file.pieces]) == b"<h1>bob</h1>"


async def test_tables_are_asked_under_their_policies(two: tuple[Joined, Joined]) -> None:
    alice, bob = two
    assert await ask(alice, bob, "insert", table="posts", data={"body": "of alice"}) == {"status": "inserted", "id": 1}
    await bob.peer.tables.perform("insert", bob.peer.owner, {"table": "posts", "data": {"body": "of bob"}})
    rows = await ask(alice, bob, "query", table="posts", columns=["body", "_owner"], where="_id >= ?", args=[1], order="_id")
    assert rows == [{"body": "of alice", "_owner": alice.id}, {"body": "of bob", "_owner": bob.id}]
    assert await ask(alice, bob, "update", table="posts", id=2, data={"body": "x"}) == "not_found"
    assert await ask(alice, bob, "query", table="diary") == "not_found"
    assert await ask(alice, bob, "delete-table", table="posts") == "forbidden"
    assert await ask(alice, bob, "query", table="posts", limit="many") == "bad_request"
    answer = await alice.network.client.ask(bob.id, data.DataRequest("query", table="posts", limit=msgspec.Raw(b"1e999")))
    assert isinstance(answer, data.FailureAnswer)
    assert answer.code == "bad_request"
    listed = await ask(alice, bob, "tables")
    assert isinstance(listed, list)
    assert [table["name"] for table in listed] == ["posts"]


async def test_a_command_in_a_message_is_answered_and_both_sides_keep_it(two: tuple[Joined, Joined]) -> None:
    alice, bob = two
    heard = asyncio.Event()
    alice.peer.chat.subscribe(lambda said: heard.set() if said.message.sender == bob.id else None)
    message = await alice.peer.chat.send(bob.id, "!hello there")
    assert message.state == "sent"
    await asyncio.wait_for(heard.wait(), 10)
    expected = [(alice.id, "!hello there"), (bob.id, "Hello, there from bob")]
    for one, other in ((alice, bob), (bob, alice)):
        assert [(each.sender, each.content) for each in await one.peer.chat.messages(other.id)] == expected


async def test_a_message_from_beyond_all_time_is_of_now(two: tuple[Joined, Joined]) -> None:
    alice, bob = two
    await alice.network.client.chat(bob.id, "hello", 2**60)
    (message,) = await bob.peer.chat.messages(alice.id)
    assert 0 < message.timestamp < 2**53 / 1000


async def test_a_peer_is_not_connected_to_itself_and_does_not_keep_that(two: tuple[Joined, Joined]) -> None:
    alice, _ = two
    with pytest.raises(AddressError, match=f"{alice.id} is this peer itself"):
        await alice.network.connect(alice.network.host.addresses[0])
    assert alice.id not in (alice.peer.folder / "data/peers.json").read_text()


async def test_whoever_is_away_is_looked_for_later_and_the_owner_told_so(two: tuple[Joined, Joined]) -> None:
    alice, _ = two
    away = f"/ip4/127.0.0.1/tcp/{free_port()}/p2p/{new_identity().peer_id}"
    with pytest.raises(UnreachableError, match=r"cannot be reached at .*; the address is kept and tried again"):
        await alice.network.connect(away)
    assert away.rpartition("/")[2] in (alice.peer.folder / "data/peers.json").read_text()


async def test_a_peer_that_has_gone_is_told_at_once_and_the_message_is_kept(tmp_path: Path) -> None:
    async with AsyncExitStack() as stack:
        alice = await joined(stack, tmp_path / "alice", "alice")
        async with AsyncExitStack() as short:
            bob = await joined(short, tmp_path / "bob", "bob")
            await alice.network.discovery.connect(parse(bob.network.host.addresses[0]))
        message = await asyncio.wait_for(alice.peer.chat.send(bob.id, "are you there?"), 10)
        assert message.state.startswith("failed: ")
        assert bob.id in message.state
        assert [each.content for each in await alice.peer.chat.messages(bob.id)] == ["are you there?"]


async def test_a_message_is_delivered_when_a_page_of_the_other_side_has_it(two: tuple[Joined, Joined]) -> None:
    alice, bob = two
    message = await alice.peer.chat.send(bob.id, "look")
    assert message.state == "sent"
    delivered = asyncio.Event()
    alice.peer.chat.subscribe(lambda said: delivered.set() if said.message.state == "delivered" else None)
    bob.peer.chat.shown(await bob.peer.chat.messages(alice.id))
    await asyncio.wait_for(delivered.wait(), 10)
    assert [each.state for each in await alice.peer.chat.messages(bob.id)] == ["delivered"]


async def test_a_broadcast_reaches_who_is_here_and_is_not_kept(two: tuple[Joined, Joined]) -> None:
    alice, bob = two
    heard: list[tuple[str, str]] = []
    bob.network.broadcasts.add(lambda each: heard.append((each.sender, each.content)))
    here = asyncio.Event()
    alice.network.roster.subscribe(lambda change: here.set())
    if not alice.network.roster.peers():
        await asyncio.wait_for(here.wait(), 10)
    assert await alice.network.broadcast("hello all", 1) == 1
    assert heard == [(alice.id, "hello all")]
    assert await bob.peer.chat.conversations() == []


async def test_whoever_says_more_to_everybody_than_anybody_reads_is_not_heard(two: tuple[Joined, Joined]) -> None:
    alice, bob = two
    heard: list[str] = []
    bob.network.broadcasts.add(lambda each: heard.append(each.content))

    async def say(text: str) -> None:
        await alice.network.client.send(bob.id, topics.BROADCAST, json.dumps({"content": text}).encode())

    for text in ("", "x" * (CONTENT_MAX_BYTES + 1)):
        with pytest.raises(NetworkError):
            await say(text)
    for number in range(PER_CALLER_A_MINUTE):
        await say(f"{number}")
    with pytest.raises(NetworkError):
        await say("one too many")
    assert heard == [f"{number}" for number in range(PER_CALLER_A_MINUTE)]


async def test_who_is_frozen_does_not_stand_before_the_others(two: tuple[Joined, Joined], monkeypatch: pytest.MonkeyPatch) -> None:
    alice, bob = two
    for number in range(BROADCAST_AT_ONCE - 1):
        alice.network.roster.signed(f"frozen{number}", Presence("online", f"frozen{number}", f"a{number}"))
    alice.network.roster.signed(bob.id, Presence("online", bob.id, "z", ts=2**60))
    reached: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    async def send(peer: str, _topic: str, _payload: bytes) -> None:
        if peer != bob.id:
            await asyncio.Event().wait()
        reached.set_result(peer)

    monkeypatch.setattr(alice.network.client, "send", send)
    speaking = asyncio.create_task(alice.network.broadcast("hello all", 1))
    assert await asyncio.wait_for(reached, 10) == bob.id
    speaking.cancel()
    await asyncio.gather(speaking, return_exceptions=True)


async def test_a_peer_is_at_its_own_server_and_at_the_one_in_the_wide_world(tmp_path: Path) -> None:
    async with AsyncExitStack() as stack:
        wide = await stack.enter_async_context(open_rendezvous(Address("127.0.0.1", 0)))
        own = free_port()
        folder = _empty(tmp_path / "alice")
        presence = {"rendezvous_wan": wide, "rendezvous_host": True, "rendezvous_port": own}
        (folder / "goop.json").write_text(json.dumps({"presence": presence}))
        alice = await stack.enter_async_context(open_peer(folder, {}))
        await stack.enter_async_context(join(alice, 0, listen_on=LOOPBACK, near_by=False))
        async with httpx.AsyncClient() as client:
            for url in (wide, f"http://127.0.0.1:{own}"):
                await until_shown(client, url, alice.identity.peer_id)


async def test_a_server_of_its_own_that_cannot_be_opened_is_told_and_the_peer_is_on_the_network(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async with AsyncExitStack() as stack:
        wide = await stack.enter_async_context(open_rendezvous(Address("127.0.0.1", 0)))
        taken = int(wide.rpartition(":")[2])
        folder = _empty(tmp_path / "alice")
        presence = {"rendezvous_wan": wide, "rendezvous_host": True, "rendezvous_port": taken}
        (folder / "goop.json").write_text(json.dumps({"presence": presence}))
        alice = await stack.enter_async_context(open_peer(folder, {}))
        await stack.enter_async_context(join(alice, 0, listen_on=LOOPBACK, near_by=False))
        async with httpx.AsyncClient() as client:
            await until_shown(client, wide, alice.identity.peer_id)
    told = capsys.readouterr().out
    assert f"127.0.0.1:{taken} is taken or cannot be listened on; set presence.rendezvous_port to another one" in told


async def until_shown(client: httpx.AsyncClient, url: str, peer: str) -> None:
    async with asyncio.timeout(20):
        while peer not in (await client.get(url)).text:  # noqa: ASYNC110 (a page)
            await asyncio.sleep(0.05)


async def test_a_port_that_is_taken_is_told(tmp_path: Path) -> None:
    async with AsyncExitStack() as stack:
        alice = await joined(stack, tmp_path / "alice", "alice")
        bob = await stack.enter_async_context(open_peer(_empty(tmp_path / "bob"), {}))
        with pytest.raises(PortInUseError, match=r"p2p\.listen_port"):
            async with join(bob, alice.network.host.port, listen_on=LOOPBACK, near_by=False):
                pass


def _empty(folder: Path) -> Path:
    folder.mkdir()
    (folder / "goop.json").write_text("{}")
    return folder


async def test_a_message_that_cannot_be_kept_is_refused_with_an_honest_sentence(
    two: tuple[Joined, Joined], monkeypatch: pytest.MonkeyPatch
) -> None:
    alice, bob = two

    def full(*_: object) -> None:
        raise DatabaseFileError("the disk is full")

    monkeypatch.setattr(bob.peer.chat._store, "_add", full)
    message, failure = await alice.peer.chat.deliver(bob.id, "hi")
    assert failure is not None
    assert (failure.code, failure.retry_after_seconds) == ("unavailable", 60)
    assert message.state == f"failed: {bob.id} does not take the message: this peer cannot keep the message now"
    assert bob.peer.chat.refusals.last_reason == "the disk is full"
    monkeypatch.undo()
    assert (await alice.peer.chat.send(bob.id, "hi")).state == "sent"


async def test_the_template_of_a_site_is_told_in_presence_at_once(two: tuple[Joined, Joined]) -> None:
    """Applied, taken back, and after a change of the label too: others need not wait for the next heartbeat."""
    alice, bob = two

    async def told(template: str) -> None:
        heard = asyncio.Event()
        end = alice.network.roster.subscribe(lambda change: heard.set())
        async with asyncio.timeout(HEARTBEAT_SECONDS - 1):
            while [each.active_template for each in alice.network.roster.peers() if each.id == bob.id] != [template]:
                await heard.wait()
                heard.clear()
        end()

    await told("")
    plan = await bob.peer.templates.plan("blank")
    await bob.peer.templates.apply("blank", plan.digest)
    await told("blank")
    await bob.peer.templates.undo()
    await told("")
