"""Payload encryption between two peers of ours, and between ours and one that knows the description and PyNaCl alone."""

from __future__ import annotations

import base64
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from nacl.public import PrivateKey
from tests.net.hosts import LOOPBACK, connect, loopback_host, new_identity, until
from tests.peers.test_network import SETTINGS, Joined, ask
from tests.services.listen.sounds import wav
from tests.wire_sealer import DATA, LISTEN, SITE, WireSealer, refused

from goop2.app import join, open_peer
from goop2.config import Address, payload_keys
from goop2.net.address import parse
from goop2.net.faults import StreamBrokenError
from goop2.net.gossip import open_gossip
from goop2.net.host import open_host
from goop2.peers import server
from goop2.peers.discovery.peers_file import RememberedPeers
from goop2.peers.payload_crypto import FAILURES_BEFORE_ASIDE, KeyRing
from goop2.protocols import data, encrypted_payload, mq, site
from goop2.protocols.presence import TOPIC
from goop2.rendezvous.server import open_rendezvous
from goop2.services.listen.operations import followed

SCRIPT = "function call(request) return {id = goop.peer.id, params = request.params} end"


async def joined(stack: AsyncExitStack, folder: Path, *, keys: bool = True, rendezvous: str = "") -> Joined:
    (folder / "site/lua/functions").mkdir(parents=True)
    (folder / "goop.json").write_text(
        json.dumps({**SETTINGS, "profile": {"label": folder.name}, "presence": {"rendezvous_wan": rendezvous}})
    )
    (folder / "site/lua/functions/who.lua").write_text(SCRIPT)
    (folder / "site/index.html").write_text(f"<h1>{folder.name}</h1>")
    wav(folder / "short.wav", 1.5)
    if keys:
        payload_keys.make(folder)
    peer = await stack.enter_async_context(open_peer(folder, {}))
    return Joined(peer, await stack.enter_async_context(join(peer, 0, listen_on=LOOPBACK, near_by=False)))


def key_ring(joined: Joined) -> KeyRing:
    return joined.network.client._key_ring


@dataclass
class Pair:
    """Ours, with keys, and a peer on the wire that has introduced itself."""

    ours: Joined
    wire: WireSealer


@pytest.fixture
async def pair(tmp_path: Path) -> AsyncIterator[Pair]:
    async with AsyncExitStack() as stack:
        ours = await joined(stack, tmp_path / "alice")
        host = await stack.enter_async_context(loopback_host())
        assert ours.peer.payload_keys is not None
        wire = WireSealer(host, PrivateKey.generate(), PrivateKey(ours.peer.payload_keys.private).public_key)
        await wire.serve()
        await connect(host, ours.network.host)
        await wire.introduce(ours.id)
        yield Pair(ours, wire)


async def two(stack: AsyncExitStack, tmp_path: Path, *, bobs_keys: bool = True) -> tuple[Joined, Joined]:
    alice = await joined(stack, tmp_path / "alice")
    bob = await joined(stack, tmp_path / "bob", keys=bobs_keys)
    await alice.network.discovery.connect(parse(bob.network.host.addresses[0]))
    for one, other in ((alice, bob), (bob, alice)):
        await know(one, other, keys=bobs_keys)
    return alice, bob


async def know(one: Joined, other: Joined, *, keys: bool) -> None:
    await until(lambda: any(each.proved for each in one.network.roster.peers() if each.id == other.id))
    await until(lambda: not keys or other.id in key_ring(one)._keys)


async def file(by: Joined, of: str, path: str = "/") -> tuple[bool, str, int, bytes]:
    async with by.network.client.file(of, path) as answer:
        return answer.encrypted, answer.mime, answer.size, b"".join([piece async for piece in answer.pieces])


class Counted:
    """How often a peer has sealed and opened, by what it calls."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.sealed: list[bytes] = []
        seal = encrypted_payload.PayloadBox.seal

        def counted(box: encrypted_payload.PayloadBox, content: bytes) -> bytes:
            self.sealed.append(content)
            return seal(box, content)

        monkeypatch.setattr(encrypted_payload.PayloadBox, "seal", counted)


async def test_two_peers_with_keys_seal_all_they_say(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    counted = Counted(monkeypatch)
    async with AsyncExitStack() as stack:
        alice, bob = await two(stack, tmp_path)
        found = await ask(alice, bob, "lua-call", function="who", params={"a": 1})
        assert found == {"id": alice.id, "params": {"a": 1}}
        assert await ask(alice, bob, "lua-call", function="nosuch") == "not_found"
        assert await file(alice, bob.id) == (True, "text/html; charset=utf-8", 12, b"<h1>bob</h1>")
        message = await alice.peer.chat.send(bob.id, "hello bob")
        assert message.state == "sent"
        assert [each.content for each in await bob.peer.chat.messages(alice.id)] == ["hello bob"]
    assert {b"GET /", b"<h1>bob</h1>"} <= set(counted.sealed)
    assert sum(b"hello bob" in content for content in counted.sealed) == 1
    assert sum(b'"lua-call"' in content for content in counted.sealed) == 2
    assert sum(b'"code":"not_found"' in content for content in counted.sealed) == 1


async def test_with_keys_on_one_side_alone_everything_is_plain(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    counted = Counted(monkeypatch)
    async with AsyncExitStack() as stack:
        alice, bob = await two(stack, tmp_path, bobs_keys=False)
        for one, other in ((alice, bob), (bob, alice)):
            found = await ask(one, other, "lua-call", function="who", params={})
            assert isinstance(found, dict)
            assert (await file(one, other.id))[0] is False
            assert (await one.peer.chat.send(other.id, "hello")).state == "sent"
    assert counted.sealed == []


async def test_a_peer_whose_key_is_another_by_now_gets_everything_plain_at_once(tmp_path: Path) -> None:
    async with AsyncExitStack() as stack:
        alice, bob = await two(stack, tmp_path)
        for each in (alice, bob):
            key_ring(each)._unknown._callbacks.clear()  # nobody asks for a key, or tells his with the question

        def mistaken() -> None:
            key_ring(alice).learn(bob.id, base64.b64encode(bytes(PrivateKey.generate().public_key)).decode(), supported=True)
            assert key_ring(alice).box(bob.id) is not None

        mistaken()
        assert isinstance(await ask(alice, bob, "lua-call", function="who", params={}), dict)
        assert key_ring(alice).box(bob.id) is None
        mistaken()
        assert (await file(alice, bob.id))[3] == b"<h1>bob</h1>"
        mistaken()
        assert (await alice.peer.chat.send(bob.id, "hello")).state == "sent"
        assert [each.content for each in await bob.peer.chat.messages(alice.id)] == ["hello"]


async def test_a_peer_with_the_wrong_key_of_another_asks_it_and_seals_again(tmp_path: Path) -> None:
    async with AsyncExitStack() as stack:
        alice, bob = await two(stack, tmp_path)
        key_ring(alice).learn(bob.id, base64.b64encode(bytes(PrivateKey.generate().public_key)).decode(), supported=True)
        await alice.peer.chat.send(bob.id, "hello")
        await until(lambda: key_ring(alice).box(bob.id) is not None)
        assert (await file(alice, bob.id))[0] is True


async def test_a_sealed_call_is_answered_sealed(pair: Pair) -> None:
    request = b'{"op":"lua-call","function":"who","params":{"a":1}}'
    answer = await pair.wire.exchange(pair.ours.id, DATA, b"ENC:" + pair.wire.seal(request) + b"\n")
    assert answer.startswith(b"ENC:")
    assert answer.endswith(b"\n")
    assert json.loads(pair.wire.open(answer[4:-1])) == {"ok": True, "data": {"id": pair.wire.host.peer_id, "params": {"a": 1}}}
    plain = await pair.wire.exchange(pair.ours.id, DATA, request + b"\n")
    assert json.loads(plain)["ok"] is True


async def test_a_sealed_request_for_a_file_is_answered_by_its_box(pair: Pair) -> None:
    answer = await pair.wire.exchange(pair.ours.id, SITE, b"ENC:" + pair.wire.seal(b"GET /") + b"\n")
    header, _, body = answer.partition(b"\n")
    assert header == b"EOK text/html; charset=utf-8 %d" % len(body)
    assert pair.wire.open(body) == b"<h1>alice</h1>"
    missing = await pair.wire.exchange(pair.ours.id, SITE, b"ENC:" + pair.wire.seal(b"GET /nothing") + b"\n")
    assert missing == b"ERR not found\n"
    assert (await pair.wire.exchange(pair.ours.id, SITE, b"GET /\n")).startswith(b"OK text/html")


async def test_a_sealed_message_is_kept_as_what_it_says(pair: Pair) -> None:
    ack = await pair.wire.message(pair.ours.id, "chat", {"enc": pair.wire.seal(b'{"content":"hi","timestamp":5}').decode()})
    assert ack == {"type": "ack", "id": "1", "seq": 7}
    kept = await pair.ours.peer.chat.messages(pair.wire.host.peer_id)
    assert [(each.content, each.sender) for each in kept] == [("hi", pair.wire.host.peer_id)]


@pytest.mark.parametrize("content", [b"", b"AAAA", b"%%%"], ids=["a bit", "no box", "no base64"])
async def test_what_is_tampered_with_is_refused_and_never_taken_for_plain(pair: Pair, content: bytes) -> None:
    def tampered(text: bytes) -> bytes:
        raw = bytearray(base64.b64decode(text))
        raw[-1] ^= 1
        return content or base64.b64encode(raw)

    call = tampered(pair.wire.seal(b'{"op":"lua-call","function":"who","params":{}}'))
    answer = json.loads(await pair.wire.exchange(pair.ours.id, DATA, b"ENC:" + call + b"\n"))
    assert (answer["ok"], answer["code"]) == (False, "bad_request")
    get = tampered(pair.wire.seal(b"GET /"))
    assert await pair.wire.exchange(pair.ours.id, SITE, b"ENC:" + get + b"\n") == b"ERR bad request\n"
    said = tampered(pair.wire.seal(b'{"content":"hi"}'))
    refusal = await pair.wire.message(pair.ours.id, "chat", {"enc": said.decode()})
    assert (refusal["type"], refusal["refused"], refusal["sealed"]) == ("refused", "1", True)
    assert "id" not in refusal
    assert await pair.ours.peer.chat.messages(pair.wire.host.peer_id) == []


async def test_a_message_refused_once_comes_again_and_is_kept(pair: Pair) -> None:
    assert (await pair.wire.message(pair.ours.id, "chat", {"enc": base64.b64encode(bytes(50)).decode()}))["type"] == "refused"
    ack = await pair.wire.message(pair.ours.id, "chat", {"enc": pair.wire.seal(b'{"content":"hi"}').decode()})
    assert ack["type"] == "ack"
    assert len(await pair.ours.peer.chat.messages(pair.wire.host.peer_id)) == 1


async def test_we_seal_for_a_peer_on_the_wire_and_open_its_answers(pair: Pair) -> None:
    peer = pair.wire.host.peer_id
    answer = await pair.ours.network.client.call(peer, "score", b'{"a":1}')
    assert isinstance(answer, data.SuccessAnswer)
    assert answer.json == b'"sealed"'
    assert await file(pair.ours, peer) == (True, "text/html; charset=utf-8", 15, b"<h1>sealed</h1>")
    called, got = pair.wire.lines
    assert json.loads(pair.wire.open(called.removeprefix(b"ENC:"))) == {"op": "lua-call", "function": "score", "params": {"a": 1}}
    assert pair.wire.open(got.removeprefix(b"ENC:")) == b"GET /"
    await pair.ours.network.client.chat(peer, "hi", 7)
    payload = pair.wire.messages[-1]["payload"]
    assert list(payload) == ["enc"]
    assert json.loads(pair.wire.open(payload["enc"].encode())) == {"content": "hi", "timestamp": 7}


async def test_who_we_are_and_our_key_is_told_to_who_asks(pair: Pair) -> None:
    assert (await pair.wire.message(pair.ours.id, "identity", {}))["type"] == "ack"
    await until(lambda: any(each["topic"] == "identity.response" for each in pair.wire.messages))
    said = pair.wire.messages[-1]["payload"]
    assert pair.ours.peer.payload_keys is not None
    assert said == {
        "peerID": pair.ours.id,
        "content": "alice",
        "email": "",
        "avatarHash": "",
        "publicKey": pair.ours.peer.payload_keys.public_text,
        "encryptionSupported": True,
    }


async def test_a_peer_cannot_tell_anothers_key(pair: Pair) -> None:
    peer = pair.wire.host.peer_id
    assert key_ring(pair.ours).box(peer) is not None
    key_ring(pair.ours)._keys.clear()
    pair.wire.identity["peerID"] = pair.ours.id
    await pair.wire.introduce(pair.ours.id)
    assert key_ring(pair.ours)._keys == {}


async def test_a_peer_that_refuses_our_seal_gets_the_same_message_plain(pair: Pair) -> None:
    peer = pair.wire.host.peer_id
    answers = [refused]
    acknowledge = pair.wire.ack
    pair.wire.ack = lambda message: (answers.pop() if answers and "enc" in message["payload"] else acknowledge)(message)
    id_ = await pair.ours.network.client.chat(peer, "hi", 7)
    chats = [each for each in pair.wire.messages if each["topic"] == "chat"]
    assert [(each["id"], each["payload"].get("content")) for each in chats] == [(id_, None), (id_, "hi")]


async def test_a_peer_that_is_silent_about_what_is_sealed_gets_plain_in_the_end(pair: Pair) -> None:
    peer = pair.wire.host.peer_id
    acknowledge = pair.wire.ack
    pair.wire.ack = lambda message: b"" if "enc" in message["payload"] else acknowledge(message)
    for _ in range(FAILURES_BEFORE_ASIDE // 2):
        with pytest.raises(StreamBrokenError):
            await pair.ours.network.client.chat(peer, "hi", 7)
    await pair.ours.network.client.chat(peer, "hi", 7)
    assert pair.wire.messages[-1]["payload"] == {"content": "hi", "timestamp": 7}


async def test_an_answer_that_does_not_open_is_no_answer(pair: Pair) -> None:
    peer = pair.wire.host.peer_id
    for answers in (lambda content: b"ENC:" + base64.b64encode(bytes(80)), lambda content: content):
        pair.wire.seal = answers  # type: ignore[method-assign]
        for exchange in (pair.ours.network.client.call(peer, "score"), file(pair.ours, peer)):
            with pytest.raises(StreamBrokenError, match="does not keep to the protocol"):
                await exchange
        key_ring(pair.ours).answered(peer)


async def test_a_plain_answer_to_a_sealed_call_is_none(pair: Pair) -> None:
    pair.wire.careless = True
    with pytest.raises(StreamBrokenError, match="the answer to an encrypted request is plain"):
        await pair.ours.network.client.call(pair.wire.host.peer_id, "score")


async def test_the_sound_of_a_session_comes_in_sealed_frames(pair: Pair) -> None:
    listening = pair.ours.peer.listening
    group = (await listening.create("Evening")).id
    await listening.load("short.wav")
    await listening.play()
    answer = await pair.wire.exchange(pair.ours.id, LISTEN, f"LISTEN {group}\n".encode())
    header, _, frames = answer.partition(b"\n")
    assert header.startswith(b"EAOK wav ")
    sound = b""
    while frames:
        size = int.from_bytes(frames[:4], "big")
        sound += pair.wire.open(frames[4 : 4 + size])
        frames = frames[4 + size :]
    assert sound.startswith(b"RIFF")
    assert len(sound) > 10_000


async def test_a_session_is_heard_through_its_seal(tmp_path: Path) -> None:
    async with AsyncExitStack() as stack:
        alice, bob = await two(stack, tmp_path)
        wav(alice.peer.folder / "long.wav", 30)
        listening = alice.peer.listening
        session = (await listening.create("Evening")).id
        await listening.load("long.wav")
        await bob.network.followed.join(alice.id, session)
        await listening.play()
        await until(lambda: '"playing": true' in json.dumps(followed(bob.peer.listening.following)))
        assert key_ring(alice).box(bob.id) is not None
        async with bob.network.followed.sound() as sound:
            assert (await anext(sound.pieces)).startswith(b"RIFF")
        asked: list[str] = []
        key_ring(bob)._keys.clear()
        key_ring(bob)._unknown._callbacks.clear()
        key_ring(bob).subscribe(asked.append)
        with pytest.raises(StreamBrokenError, match="the key of the sender is not known"):
            async with bob.network.followed.sound() as sound:
                await anext(sound.pieces)
        assert alice.id in asked


async def test_a_file_larger_than_anybody_reads_is_refused(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    for request in (b"ENC:" + pair.wire.seal(b"GET /") + b"\n", b"GET /\n"):
        with monkeypatch.context() as patched:
            patched.setattr(site, "BODY_MAX_BYTES", 3)
            assert await pair.wire.exchange(pair.ours.id, SITE, request) == b"ERR forbidden\n"


async def test_a_file_there_is_no_room_to_seal_comes_plain(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "ENCRYPTED_FILES_BYTES", 100)
    async with AsyncExitStack() as stack:
        alice, bob = await two(stack, tmp_path)
        assert (await file(alice, bob.id))[0] is False
        assert key_ring(alice).box(bob.id) is not None


async def test_bounds_hold_sealed_and_opened(pair: Pair) -> None:
    wire, peer = pair.wire, pair.ours.id
    at_most = b'"' + b"x" * (mq.MESSAGE_MAX_BYTES - 2) + b'"'
    assert (await wire.message(peer, "nosuch", {"enc": wire.seal(at_most).decode()}))["type"] == "ack"
    for box in (wire.seal(at_most + b" ").decode(), "A" * (mq.ENCRYPTED_MESSAGE_MAX_BYTES + 1)):
        refused = await wire.message(peer, "nosuch", {"enc": box})
        assert (refused["type"], refused["code"]) == ("refused", mq.FORBIDDEN)
        assert " is longer than " in refused["error"]
    for content in (wire.seal(b" " * (data.REQUEST_MAX_BYTES + 1)), b"A" * 2_000_000):
        answer = json.loads(await wire.exchange(peer, DATA, b"ENC:" + content + b"\n"))
        assert answer["error"].startswith("the request is longer than")
    too_long = wire.seal(b"GET /" + b"x" * site.REQUEST_MAX_BYTES)
    assert await wire.exchange(peer, SITE, b"ENC:" + too_long + b"\n") == b"ERR bad request\n"


async def test_a_session_is_heard_sealed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    counted = Counted(monkeypatch)
    async with AsyncExitStack() as stack:
        alice, bob = await two(stack, tmp_path)
        session = (await bob.peer.listening.create("Evening")).id
        await bob.peer.listening.load("short.wav")
        await alice.network.followed.join(bob.id, session)
        following = alice.peer.listening.following
        await until(lambda: following.followed is not None and following.followed.session.track is not None)
        await bob.peer.listening.play()
        await until(lambda: following.followed is not None and following.followed.session.playing)
        async with alice.network.followed.sound() as sound:
            heard = b"".join([piece async for piece in sound.pieces])
        assert heard[:4] == b"RIFF"
        assert any(piece.startswith(b"RIFF") for piece in counted.sealed)


async def test_our_key_is_told_over_no_gossip(tmp_path: Path) -> None:
    async with AsyncExitStack() as stack:
        alice = await joined(stack, tmp_path / "alice")
        host = await stack.enter_async_context(loopback_host())
        heard: list[dict[str, object]] = []

        def hear(_author: str, payload: bytes) -> bool:
            heard.append(json.loads(payload))
            return True

        await stack.enter_async_context(open_gossip(host, TOPIC, hear))
        await connect(host, alice.network.host)
        await until(lambda: any(said.get("peerId") == alice.id for said in heard))
        assert all(said["encryptionSupported"] is True for said in heard)
        assert all("publicKey" not in said for said in heard)


async def test_our_key_goes_to_a_rendezvous_server(tmp_path: Path) -> None:
    async with AsyncExitStack() as stack:
        url = await stack.enter_async_context(open_rendezvous(Address("127.0.0.1", 0)))
        alice = await joined(stack, tmp_path / "alice", rendezvous=url)
        assert alice.peer.payload_keys is not None
        async with httpx.AsyncClient(timeout=10) as client, client.stream("GET", f"{url}/events") as events:
            async for line in events.aiter_lines():
                if line.startswith("data: "):
                    assert json.loads(line[6:])["publicKey"] == alice.peer.payload_keys.public_text
                    break


async def test_a_peer_on_the_wire_whose_key_is_unknown_is_not_told_ours_and_then_is(tmp_path: Path) -> None:
    """The one order that works with a Go peer: its key first, ours as the answer."""
    async with AsyncExitStack() as stack:
        ours = await joined(stack, tmp_path / "alice")
        host = await stack.enter_async_context(loopback_host())
        assert ours.peer.payload_keys is not None
        wire = WireSealer(host, PrivateKey.generate(), PrivateKey(ours.peer.payload_keys.private).public_key)
        await wire.serve()
        wire.introduces_itself = False
        await connect(host, ours.network.host)
        assert (await wire.message(ours.id, "identity", {}))["type"] == "ack"
        await until(lambda: len(told(wire)) == 1)
        await until(lambda: any(each["topic"] == "identity" for each in wire.messages))
        assert told(wire)[0]["publicKey"] == ""
        await wire.introduce(ours.id)
        await until(lambda: len(told(wire)) == 2)
        assert told(wire)[1]["publicKey"] == ours.peer.payload_keys.public_text
        await until(lambda: host.peer_id in RememberedPeers(ours.peer.folder).keys())  # noqa: SIM118 - a method of ours


def told(wire: WireSealer) -> list[dict[str, object]]:
    return [each["payload"] for each in wire.messages if each["topic"] == "identity.response"]


async def test_what_a_peer_encrypts_is_read_after_our_restart(tmp_path: Path) -> None:
    """A Go peer keeps our key, and would tell us its own only in an answer that we could not read."""
    identity, key = new_identity(), PrivateKey.generate()
    folder = tmp_path / "alice"
    for start in range(2):
        async with AsyncExitStack() as stack:
            if not start:
                ours = await joined(stack, folder)
            else:
                peer = await stack.enter_async_context(open_peer(folder, {}))
                ours = Joined(peer, await stack.enter_async_context(join(peer, 0, listen_on=LOOPBACK, near_by=False)))
            host = await stack.enter_async_context(open_host(identity, 0, None, LOOPBACK))
            assert ours.peer.payload_keys is not None
            wire = WireSealer(host, key, PrivateKey(ours.peer.payload_keys.private).public_key)
            wire.introduces_itself = False
            await wire.serve()
            await connect(host, ours.network.host)
            if not start:
                await wire.introduce(ours.id)
            ack = await wire.message(ours.id, "chat", {"enc": wire.seal(b'{"content":"hi"}').decode()}, str(start))
            assert ack["type"] == "ack"
