"""go-, js- and py-libp2p against a whole peer of ours, both directions, byte for byte what network.md describes."""

from __future__ import annotations

import asyncio
import json
import re
import time
import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any

import pytest
import pytest_asyncio
from tests.interop.others import Other, OtherRefusedError, go_peer, js_peer, py_peer, running
from tests.net.hosts import LOOPBACK, new_identity
from tests.services.listen.sounds import wav

from goop2.app import join, open_peer
from goop2.net.address import parse
from goop2.net.faults import NetworkError
from goop2.peers.client import RequestRefusedError as NoFile
from goop2.peers.network import PeerNetwork
from goop2.protocols import data, listen
from goop2.services.groups.records import GroupChange
from goop2.services.peer import Peer

pytestmark = pytest.mark.asyncio(loop_scope="module")

CONTENT, SITE, DATA, MQ, LISTEN = (f"/goop/{name}/1.0.0" for name in ("content", "site", "data", "mq", "listen"))
PRESENCE = "goop.presence.v1"
LARGE = bytes(range(256)) * 1200
FILES = {
    "goop.json": json.dumps({"lua": {"enabled": True}, "profile": {"label": "Alice", "email": "alice@example.org", "share_email": True}}),
    "schemas/posts.json": json.dumps({"name": "posts", "columns": [{"name": "body", "type": "text"}], "access": {"insert": "open"}}),
    "schemas/diary.json": json.dumps(
        {
            "name": "diary",
            "columns": [{"name": "body", "type": "text"}],
            "access": dict.fromkeys(("read", "insert", "update", "delete"), "local"),
        }
    ),
    "site/index.html": "<h1>Alice</h1>",
    "site/lua/hello.lua": "function handle(args) return 'Hello, ' .. args .. ' alias ' .. goop.peer.label end",
    "site/lua/functions/whoami.lua": "--- Says who calls\nfunction call(request) return {goop.peer.id, request.params.a} end",
    "site/lua/functions/fails.lua": '\nfunction call() error("no such game") end',
}


@dataclass
class Met:
    """A peer of ours, and one that is not, connected."""

    peer: Peer
    network: PeerNetwork
    other: Other

    @property
    def id(self) -> str:
        return self.peer.identity.peer_id

    async def ask(self, protocol: str, request: bytes = b"") -> bytes:
        """What ours answers to the other."""
        return await self.other.ask(self.id, protocol, request)

    async def data(self, **asked: object) -> Any:
        answer = await self.ask(DATA, json.dumps(asked).encode() + b"\n")
        assert answer.endswith(b"\n")
        assert answer.count(b"\n") == 1
        return json.loads(answer)

    async def send(self, topic: str, payload: object, id_: str = "") -> str:
        """A message from the other, which is acknowledged; its id."""
        id_ = id_ or str(uuid.uuid4())
        message = {"type": "msg", "id": id_, "seq": 3, "topic": topic, "payload": payload}
        assert await self.ask(MQ, json.dumps(message).encode() + b"\n") == b'{"type":"ack","id":"%s","seq":3}\n' % id_.encode()
        return id_

    async def envelope(self, group: str, type_: str, **more: object) -> None:
        await self.send(f"group:{group}:{type_}", {"type": type_, "group": group, "from": self.other.id, **more})

    async def changed(self, what: str) -> Callable[[], Any]:
        """Waits, when called, for the next change of a group."""
        found: asyncio.Future[GroupChange] = asyncio.get_running_loop().create_future()
        self.network.groups.subscribe(lambda each: found.set_result(each) if each.what == what and not found.done() else None)
        return lambda: asyncio.wait_for(found, 60)


@pytest.fixture(scope="module", params=[go_peer, js_peer, py_peer], ids=["go-libp2p", "js-libp2p", "py-libp2p"])
def command(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    made: list[str] = request.param(tmp_path_factory.mktemp("other"))
    return made


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def met(command: list[str], tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Met]:
    folder = tmp_path_factory.mktemp("ours")
    for path, text in FILES.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text)
    (folder / "site/large.bin").write_bytes(LARGE)
    wav(folder / "long.wav", 30)
    async with AsyncExitStack() as stack:
        peer = await stack.enter_async_context(open_peer(folder, {}))
        # It takes seconds to start, and a peer says that it is online when it starts itself.
        other = await stack.enter_async_context(running(command))
        network = await stack.enter_async_context(join(peer, 0, listen_on=LOOPBACK, near_by=False))
        await other.subscribe(PRESENCE)
        await other.connect(network.host.addresses[0])
        yield Met(peer, network, other)


async def until(condition: Callable[[], bool]) -> None:
    for _ in range(3000):
        if condition():
            return
        await asyncio.sleep(0.02)
    pytest.fail("it did not come about within a minute")


# They ask, we answer.


async def test_our_label(met: Met) -> None:
    assert await met.ask(CONTENT) == b"Alice\n"


@pytest.mark.parametrize(
    ("request_", "answer"),
    [
        (b"GET /\n", b"OK text/html; charset=utf-8 14\n<h1>Alice</h1>"),
        (b"GET /index.html\n", b"OK text/html; charset=utf-8 14\n<h1>Alice</h1>"),
        (b"GET /large.bin\n", b"OK application/octet-stream %d\n" % len(LARGE) + LARGE),
        (b"GET /nothing.html\n", b"ERR not found\n"),
        (b"GET /lua/hello.lua\n", b"ERR not found\n"),
        (b"GET /../goop.json\n", b"ERR not found\n"),
        (b"PUT /\n", b"ERR bad request\n"),
    ],
)
async def test_our_site(met: Met, request_: bytes, answer: bytes) -> None:
    assert await met.ask(SITE, request_) == answer


async def test_our_functions(met: Met) -> None:
    called = await met.ask(DATA, b'{"op":"lua-call","function":"whoami","params":{"a":1},"peer_id":"%s"}\n' % met.id.encode())
    assert called == b'{"ok":true,"data":["%s",1]}\n' % met.other.id.encode()
    failure = {"ok": False, "error": "fails:2: no such game", "code": "script_error", "script": "fails", "line": 2}
    assert await met.data(op="lua-call", function="fails", params={}) == failure
    listed = [{"name": "fails", "description": ""}, {"name": "whoami", "description": "Says who calls"}]
    assert await met.data(op="lua-list") == {"ok": True, "data": {"functions": listed}}
    assert (await met.data(op="lua-call", function="nothing"))["code"] == "not_found"


async def test_our_tables_under_their_policies(met: Met) -> None:
    (table,) = (await met.data(op="tables"))["data"]
    assert (table["name"], sorted(table)) == ("posts", ["created_at", "insert_policy", "mode", "name"])
    described = (await met.data(op="describe", table="posts"))["data"]
    assert (sorted(described), described["mode"], described["schema"]["name"]) == (["mode", "schema"], "orm", "posts")
    inserted = (await met.data(op="insert", table="posts", data={"body": "from afar"}))["data"]
    assert inserted["status"] == "inserted"
    query = {"op": "query", "table": "posts", "columns": ["body", "_owner"], "where": "_id = ?", "args": [inserted["id"]], "limit": 5}
    assert await met.data(**query) == {"ok": True, "data": [{"body": "from afar", "_owner": met.other.id}]}
    updated = await met.ask(DATA, b'{"op":"update","table":"posts","id":%d,"data":{"body":"x"}}\n' % inserted["id"])
    assert updated == b'{"ok":true,"data":{"status":"updated"}}\n'
    deleted = await met.ask(DATA, b'{"op":"delete","table":"posts","id":%d}\n' % inserted["id"])
    assert deleted == b'{"ok":true,"data":{"status":"deleted"}}\n'
    for refused in ("create-table", "add-column", "drop-column", "rename-table", "delete-table", "update-where", "nonsense"):
        answer = await met.data(op=refused, table="posts", name="posts", column="body")
        assert (answer["ok"], answer["code"]) == (False, "forbidden"), refused
    assert (await met.data(op="query", table="diary"))["code"] == "not_found"
    assert (await met.data(op="insert", table="diary", data={"body": "x"}))["ok"] is False


async def test_a_request_that_is_none_is_answered_in_words(met: Met) -> None:
    answer = json.loads(await met.ask(DATA, b"nonsense\n"))
    assert (answer["ok"], answer["code"]) == (False, "bad_request")


async def test_a_command_is_acknowledged_and_answered_by_a_message_back_once(met: Met) -> None:
    id_ = await met.send("chat", {"content": "!hello Gopher"})
    await met.send("chat", {"content": "!hello Gopher"}, id_)
    sender, reply = await met.other.message("chat")
    assert sender == met.id
    assert sorted(reply) == ["id", "payload", "seq", "topic", "type"]
    assert (reply["type"], uuid.UUID(reply["id"]).version, type(reply["seq"])) == ("msg", 4, int)
    assert sorted(reply["payload"]) == ["content", "timestamp"]
    assert reply["payload"]["content"].startswith("Hello, Gopher alias ")
    assert abs(reply["payload"]["timestamp"] - time.time() * 1000) < 60_000
    await met.send("chat", {"content": "!hello again", "timestamp": 1})
    assert (await met.other.message("chat"))[1]["payload"]["content"].startswith("Hello, again alias ")


async def test_their_page_has_our_message_and_ours_has_theirs(met: Met) -> None:
    sent = await met.peer.chat.send(met.other.id, "look at this")
    _, message = await met.other.message("chat")
    assert (sent.state, message["payload"]) == ("sent", {"content": "look at this", "timestamp": sent.timestamp})
    await met.send("mq.ack", {"msg_id": message["id"]})
    said = await met.peer.chat.messages(met.other.id)
    assert [each.state for each in said if each.id == sent.id] == ["delivered"]

    id_ = await met.send("chat", {"content": "and at this", "timestamp": 1})
    met.peer.chat.shown(await met.peer.chat.messages(met.other.id))
    await met.other.came(MQ, b'"topic":"mq.ack","payload":{"msg_id":"%s"}}\n' % id_.encode())


async def test_they_ask_who_we_are_and_say_who_they_are(met: Met) -> None:
    await met.send("identity", {})
    _, message = await met.other.message("identity.response")
    assert message["payload"].items() >= {"peerID": met.id, "content": "Alice", "email": "alice@example.org"}.items()
    await met.send("identity.response", {"peerID": met.id, "content": "Gopher", "email": "", "avatarHash": "", "futureKey": 1})
    found = met.network.roster.get(met.other.id)
    assert found is not None
    assert found.label == "Gopher"
    await met.send("group.invite", {"group_id": "g", "group_name": "G", "host_peer_id": met.other.id, "app_type": "chat", "volatile": True})
    await met.send("a.topic.of.the.future", None)


async def test_what_they_say_to_everybody_is_heard_and_not_kept(met: Met) -> None:
    heard: list[tuple[str, str]] = []
    met.network.broadcasts.add(lambda each: heard.append((each.sender, each.content)))
    await met.send("chat.broadcast", {"content": "to all", "timestamp": 1})
    assert heard == [(met.other.id, "to all")]
    assert "to all" not in [each.content for each in await met.peer.chat.messages(met.other.id)]
    await met.network.broadcast("to all of you", 7)
    assert (await met.other.message("chat.broadcast"))[1]["payload"] == {"content": "to all of you", "timestamp": 7}


async def test_a_protocol_we_do_not_serve_is_refused(met: Met) -> None:
    for protocol in ("/goop/nosuch/1.0.0", "/goop/avatar/2.0.0"):
        with pytest.raises(OtherRefusedError):
            await met.other.ask(met.id, protocol, b"GET /\n")


async def test_they_are_a_member_of_a_group_here(met: Met) -> None:
    group = met.network.groups.host("Friends", "template", max_members=1).id
    await met.envelope(group, "join")
    _, welcome = await met.other.message(f"group:{group}:welcome")
    listed = welcome["payload"].pop("members")
    assert all({"joined_at", "peer_id"} <= set(each) <= {"joined_at", "peer_id", "role", "name"} for each in listed)
    assert [each["peer_id"] for each in listed] == [met.other.id]
    expected = {"group_name": "Friends", "app_type": "template", "max_members": 1}
    assert welcome["payload"].items() >= expected.items()
    assert met.network.groups.is_member(met.other.id, "template")

    said = await met.changed("msg")
    await met.send(f"group:{group}:msg", {"any": ["thing"]})
    change = await said()
    assert (change.sender, json.loads(change.payload)) == (met.other.id, {"any": ["thing"]})
    met.network.outbox.post(met.network.groups.send(met.id, group, b'{"to":"all"}'))
    assert (await met.other.message(f"group:{group}:msg"))[1]["payload"] == {"to": "all"}

    await met.envelope(group, "ping")
    _, pong = await met.other.message(f"group:{group}:pong")
    assert pong["payload"] == {"type": "pong", "group": group, "from": met.id}
    met.network.outbox.post(met.network.groups.change(group, "Best friends", 2))
    _, meta = await met.other.message(f"group:{group}:meta")
    assert meta["payload"].items() >= {"group_name": "Best friends", "app_type": "template", "max_members": 2}.items()

    await met.envelope(group, "leave")
    await until(lambda: not met.network.groups.is_member(met.other.id, "template"))
    await met.envelope(group, "join")
    await met.other.message(f"group:{group}:welcome")
    met.network.outbox.post(met.network.groups.close(group))
    assert (await met.other.message(f"group:{group}:close"))[1]["payload"] == {"type": "close", "group": group, "from": met.id}


async def test_a_full_group_says_so_in_the_envelope_and_at_top_level(met: Met) -> None:
    group = met.network.groups.host("Me alone", "template", max_members=1, take_part=True).id
    await met.envelope(group, "join")
    _, error = await met.other.message(f"group:{group}:error")
    payload = error["payload"]
    assert (payload["type"], payload["group"], payload["code"], payload["payload"]["code"]) == ("error", group, "full", "full")
    assert payload["message"] == payload["payload"]["message"]
    met.network.groups.close(group)


async def test_they_hear_a_session_here(met: Met) -> None:
    listening = met.peer.listening
    group = (await listening.create("Evening")).id
    request = f"LISTEN {group}\n".encode()
    assert re.fullmatch(r"listen-[0-9a-f]{16}", group)
    assert await met.ask(LISTEN, request) == b"ERR no track\n"
    await met.envelope(group, "join")
    _, welcome = await met.other.message(f"group:{group}:welcome")
    assert [each["peer_id"] for each in welcome["payload"]["members"]] == [met.id, met.other.id]
    await listening.load("long.wav")
    _, load = await met.other.message(f"group:{group}:msg")
    track = {"name": "long", "duration": 30.0, "bitrate": 705_600, "format": "wav", "is_stream": False}
    assert load["payload"]["app_type"] == "listen"
    assert load["payload"]["listen"].items() >= {"action": "load", "track": track, "queue_index": 0, "queue_total": 1}.items()
    assert await met.ask(LISTEN, request) == b"OK wav 705600 30.00\n"
    await listening.play()
    header, _, sound = (await met.other.ask(met.id, LISTEN, request, 60_000)).partition(b"\n")
    assert header == b"OK wav 705600 30.00"
    assert sound[:4] == b"RIFF"
    assert sound[44:1044] in (met.peer.folder / "long.wav").read_bytes()
    assert await met.ask(LISTEN, b"LISTEN listen-0123456789abcdef\n") == b"ERR not found\n"
    assert await met.ask(LISTEN, b"LISTEN what\n") == b"ERR not found\n"
    await listening.close()
    await met.other.came(MQ, f'"topic":"group:{group}:close"'.encode())
    actions = [json.loads(line)["payload"]["listen"]["action"] for _, line in met.other.all_that_came(MQ) if b'"listen":{' in line]
    assert [action for action in actions if action != "sync"] == ["play", "close"]


# We ask, they answer.


async def test_their_label(met: Met) -> None:
    await met.other.answer(CONTENT, b"Gopher\n", 0)
    assert await met.network.client.label(met.other.id) == "Gopher"


async def test_their_site(met: Met) -> None:
    await met.other.answer(SITE, b"OK text/html; charset=utf-8 %d\n" % len(LARGE) + LARGE)
    async with met.network.client.file(met.other.id, "/a page.html?x=1") as answer:
        assert answer.mime == "text/html; charset=utf-8"
        assert b"".join([piece async for piece in answer.pieces]) == LARGE
    assert await met.other.came(SITE) == (met.id, b"GET /a page.html?x=1\n")
    await met.other.answer(SITE, b"ERR site disabled\n")
    with pytest.raises(NoFile, match="site disabled"):
        async with met.network.client.file(met.other.id, "/"):
            pass
    await met.other.answer(SITE, b"OK text/html 500\nonly so much")
    with pytest.raises(NetworkError, match="ended 488 bytes early"):
        async with met.network.client.file(met.other.id, "/") as answer:
            assert b"".join([piece async for piece in answer.pieces])


async def test_their_functions_and_tables(met: Met) -> None:
    await met.other.answer(DATA, b'{"ok":true,"data":{"score":7}}\n')
    assert await met.network.client.call(met.other.id, "score", b'{"a":1}') == data.SuccessAnswer(b'{"score":7}')
    assert await met.other.came(DATA) == (met.id, b'{"op":"lua-call","function":"score","params":{"a":1}}\n')
    await met.other.answer(DATA, b'{"ok":true}\n')
    asked = data.requested(b'{"op":"query","table":"t","where":"a = ?","args":[1],"limit":5}')
    assert await met.network.client.ask(met.other.id, asked) == data.SuccessAnswer(b"null")
    _, line = await met.other.came(DATA)
    assert json.loads(line) == {"op": "query", "table": "t", "where": "a = ?", "args": [1], "limit": 5}
    await met.other.answer(DATA, b'{"ok":false,"error":"no such table"}\n')
    assert await met.network.client.ask(met.other.id, asked) == data.FailureAnswer("no such table")


async def test_our_message_to_them_is_one_line(met: Met) -> None:
    id_ = await met.network.client.chat(met.other.id, "hi", 7)
    sender, line = await met.other.came(MQ, id_.encode())
    form = rb'\{"type":"msg","id":"%s","seq":\d+,"topic":"chat","payload":\{"content":"hi","timestamp":7\}\}\n' % id_.encode()
    assert sender == met.id
    assert re.fullmatch(form, line)


async def test_we_are_a_member_of_their_group(met: Met) -> None:
    groups, host, group = met.network.groups, met.other.id, "their-group"
    joined = await met.changed("joined")
    met.network.outbox.post(groups.join(host, group))
    _, asked = await met.other.message(f"group:{group}:join")
    assert asked["payload"] == {"type": "join", "group": group, "from": met.id}
    members = [{"peer_id": met.id, "joined_at": 1764000000000}, {"peer_id": host, "joined_at": "2026-01-01T00:00:00Z"}]
    welcome = {"group_name": "Theirs", "group_type": "chat", "max_members": 8, "volatile": False, "members": members}
    await met.send(f"group:{group}:welcome", welcome)
    known = (await joined()).group
    assert (known.name, known.kind, known.max_members, known.members) == ("Theirs", "chat", 8, (met.id, host))
    said = await met.changed("msg")
    await met.send(f"group:{group}:msg", {"n": 1})
    assert json.loads((await said()).payload) == {"n": 1}
    met.network.outbox.post(groups.send(host, group, b'{"n":2}'))
    assert (await met.other.message(f"group:{group}:msg"))[1]["payload"] == {"n": 2}
    left = await met.changed("members")
    await met.send(f"group:{group}:members", {"members": members[:1]})
    assert (await left()).group.members == (met.id,)
    met.network.outbox.post(groups.leave(host, group))
    assert (await met.other.message(f"group:{group}:leave"))[1]["payload"] == {"type": "leave", "group": group, "from": met.id}

    refused = await met.changed("refused")
    met.network.outbox.post(groups.join(host, group))
    await met.other.message(f"group:{group}:join")
    await met.envelope(group, "error", code="full", message="no room")
    assert (await refused()).refused.code == "full"


async def test_their_sound(met: Met) -> None:
    await met.other.answer(LISTEN, b"OK mp3 128000 61.50\n" + LARGE)
    async with await met.network.host.open(met.other.id, LISTEN) as stream:
        reader = listen.header_reader()
        await stream.write(listen.request("listen-0123456789abcdef"))
        while (line := reader.receive(await stream.read())) is None:
            pass
        assert listen.answered(line) == listen.SoundHeader("mp3", 128_000, 61.5)
        sound = reader.rest()
        while piece := await stream.read():
            sound += piece
    assert sound == LARGE
    assert await met.other.came(LISTEN) == (met.id, b"LISTEN listen-0123456789abcdef\n")


# Who is who.


async def test_their_signs_are_believed_about_themselves_alone_and_ours_reach_them(met: Met) -> None:
    author, first = await met.other.came(PRESENCE)
    said = json.loads(first)
    assert (author, said["peerId"], said["content"], said["email"]) == (met.id, met.id, "Alice", "alice@example.org")
    # "online" is said once (network.md, "Heartbeats"): who joined the mesh after that hears the next announcement, an update.
    assert said["type"] in ("online", "update")
    assert said["addrs"] == list(met.network.host.addresses)
    assert abs(said["ts"] - time.time() * 1000) < 60_000
    nobody = new_identity().peer_id
    for count in range(200):
        own = {"type": "online", "peerId": met.other.id, "content": "Ferris", "ts": time.time_ns() // 10**6, "avatarHash": "", "new": count}
        forged = [{**own, "peerId": who, "content": "Forged", "addrs": [f"/ip4/127.0.0.1/tcp/1/p2p/{who}"]} for who in (nobody, met.id)]
        for each in (*forged, {**own, "addrs": [met.other.address]}):
            await met.other.publish(PRESENCE, json.dumps(each).encode())
        found = met.network.roster.get(met.other.id)
        if found is not None and found.label == "Ferris":
            break
        await asyncio.sleep(0.5)  # it is said again as a peer says it
    assert found is not None
    assert (found.label, found.proved, found.addresses) == ("Ferris", True, (met.other.address,))
    assert {peer.label for peer in met.network.roster.peers()} == {"Ferris"}
    met.network.discovery.changed()
    await met.other.came(PRESENCE, b'"type":"update"')
    bye = {"type": "offline", "peerId": met.other.id, "ts": time.time_ns() // 10**6 + 1000}
    await met.other.publish(PRESENCE, json.dumps(bye).encode())
    await until(lambda: met.network.roster.get(met.other.id) is None)


async def test_without_encryption_there_is_no_connection_either_way(met: Met, command: list[str]) -> None:
    async with running(command, security="plaintext") as bare:
        with pytest.raises(OtherRefusedError):
            await bare.connect(met.network.host.addresses[0])
        address = parse(bare.address)
        with pytest.raises(NetworkError):
            await met.network.host.connect(address.peer, [address])
        assert not met.network.host.is_connected(address.peer)


async def test_who_answers_with_another_key_is_not_taken_for_the_peer_that_was_meant(met: Met, command: list[str]) -> None:
    forged = new_identity().peer_id
    with pytest.raises(OtherRefusedError):
        await met.other.connect(met.network.host.addresses[0].replace(met.id, forged))
    async with running(command) as another:
        address = parse(another.address.replace(another.id, forged))
        with pytest.raises(NetworkError):
            await met.network.host.connect(forged, [address])
        assert not met.network.host.is_connected(forged)
