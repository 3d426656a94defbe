"""A stranger writes whatever it likes on every protocol a whole peer answers: each exchange ends in our own words, and the peer goes on."""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.long import few_and_many
from tests.net.hosts import LOOPBACK, connect, loopback_host
from tests.services.listen.sounds import wav

from goop2.app import join, open_peer
from goop2.net.acceptor import Acceptor, Handler
from goop2.net.faults import NetworkError
from goop2.net.host import Host
from goop2.net.stream import Stream
from goop2.peers.network import PeerNetwork
from goop2.protocols import autonat, circuit, dcutr
from goop2.protocols.errors import RemoteProtocolError
from goop2.services.chat.service import ChatError
from goop2.services.peer import Peer

CONTENT, SITE, DATA, MQ, LISTEN = (f"/goop/{name}/1.0.0" for name in ("content", "site", "data", "mq", "listen"))
NOBODY = "/ip4/127.0.0.1/tcp/9"
AT_ONCE = 16
OURS = (RemoteProtocolError, NetworkError, ChatError, TimeoutError)
"""What an exchange may end with: the stranger's fault, or a refusal."""
JUNK = (b"", b"\n", b"\x00", b"\xff", b'"', b"{}", b"[[[[", b"null", b"9" * 40, b"..", b"/", b"-1", b"true", b"\\ud800", b"x" * 300)


def message(topic: str, payload: object) -> bytes:
    return json.dumps({"type": "msg", "id": "%d", "seq": 1, "topic": topic, "payload": payload}).encode() + b"\n"


def right(group: str, session: str) -> list[tuple[str, bytes]]:
    """Protocol and a request that is answered; what is sent is made of these."""
    data = [
        {"op": "tables"},
        {"op": "describe", "table": "posts"},
        {"op": "query", "table": "posts", "where": "body = ?", "args": ["a"], "columns": ["body"], "limit": 3, "offset": 1, "order": "_id"},
        {"op": "insert", "table": "posts", "data": {"body": "a"}},
        {"op": "update", "table": "posts", "id": 1, "data": {"body": "b"}},
        {"op": "aggregate", "table": "posts", "expr": "count(*)", "group_by": "body"},
        {"op": "upsert", "table": "posts", "key_col": "body", "data": {"body": "a"}},
        {"op": "lua-call", "function": "echo", "params": {"a": [1, None, "x"]}},
        {"op": "lua-list"},
    ]
    talk: list[tuple[str, object]] = [
        ("chat", {"content": "!hello you", "timestamp": 1}),
        ("chat.broadcast", {"content": "all"}),
        ("mq.ack", {"msg_id": "x"}),
        ("identity", {}),
        ("identity.response", {"peerID": "x", "content": "X", "publicKey": "k", "encryptionSupported": True}),
        ("group.invite", {"group_id": "g", "group_name": "G", "host_peer_id": "x", "app_type": "listen", "volatile": True}),
        *((f"group:{group}:{kind}", {"type": kind, "group": group, "from": "x"}) for kind in ("join", "ping", "leave", "error", "close")),
        (f"group:{group}:welcome", {"group_name": "G", "members": [{"peer_id": "x", "joined_at": 1}]}),
        (f"group:{group}:msg", {"app_type": "listen", "listen": {"action": "seek", "position": 1.5}}),
    ]
    return [
        (CONTENT, b"x\n"),
        (SITE, b"GET /index.html\n"),
        (SITE, b"GET /..%2f../goop.json\n"),
        (LISTEN, f"LISTEN {session}\n".encode()),
        *((DATA, json.dumps(asked).encode() + b"\n") for asked in data),
        *((MQ, message(topic, payload)) for topic, payload in talk),
        (circuit.STOP, circuit.bring(bytes(38), 60, 1000)),
        (dcutr.PROTOCOL, dcutr.connect([NOBODY]) + dcutr.sync()),
        (autonat.DIAL_REQUEST, autonat.dial_request([NOBODY], 1)),
        (autonat.DIAL_BACK, autonat.dial_back(1)),
        (autonat.VERSION_1, autonat.v1_dial(b"", [NOBODY])),
    ]


def spoilt(text: bytes, chance: random.Random) -> bytes:
    """`text` with something else in up to three places, or cut."""
    for _ in range(chance.randrange(4)):
        begin = chance.randrange(len(text) + 1)
        end = min(len(text), begin + chance.randrange(10))
        text = text[:begin] + chance.choice((*JUNK, chance.randbytes(4), text[begin:end] * 3)) + text[end:]
    return text if chance.random() < 0.9 else text[: chance.randrange(len(text) + 1)]


@dataclass
class Attacked:
    peer: Peer
    network: PeerNetwork
    stranger: Host
    ended: list[Exception]
    """How the exchanges ended that did not come to their end."""


@pytest.fixture
async def attacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Attacked]:
    ended: list[Exception] = []

    serve = Acceptor.serve

    def serve_noting(acceptor: Acceptor, protocol: str, handler: Handler, seconds: float | None) -> None:
        async def noting(stream: Stream) -> None:
            try:
                await handler(stream)
            except Exception as error:
                ended.append(error)
                raise

        serve(acceptor, protocol, noting, seconds)

    for path, text in {
        "goop.json": json.dumps({"lua": {"enabled": True, "rate_limit_per_peer": 100_000, "rate_limit_global": 100_000}}),
        "schemas/posts.json": json.dumps({"name": "posts", "columns": [{"name": "body", "type": "text"}], "access": {"insert": "open"}}),
        "site/index.html": "<h1>Alice</h1>",
        "site/lua/hello.lua": "function handle(args) return 'Hello, ' .. args end",
        "site/lua/functions/echo.lua": "function call(request) return request.params end",
    }.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text)
    wav(tmp_path / "a.wav", 1)
    async with AsyncExitStack() as stack:
        peer = await stack.enter_async_context(open_peer(tmp_path, {}))
        with monkeypatch.context() as patched:
            patched.setattr(Acceptor, "serve", serve_noting)
            network = await stack.enter_async_context(join(peer, 0, listen_on=LOOPBACK, near_by=False))
        stranger = await stack.enter_async_context(loopback_host())
        await connect(stranger, network.host)
        yield Attacked(peer, network, stranger, ended)


async def said(stranger: Host, to: str, protocol: str, request: bytes) -> bytes:
    """What comes back; nothing when the stream is refused."""
    answer = b""
    with contextlib.suppress(NetworkError):
        async with asyncio.timeout(30), await stranger.open(to, protocol) as stream:
            await stream.finish(request)
            while piece := await stream.read(20):
                answer += piece
    return answer


@few_and_many("rounds", 4, 60)
async def test_whatever_comes_is_answered_or_refused_and_the_peer_goes_on(attacked: Attacked, rounds: int) -> None:
    here = attacked.network.host.peer_id
    group = attacked.network.groups.host("Friends", "template").id
    session = (await attacked.peer.listening.create("Evening")).id
    await attacked.peer.listening.load("a.wav")
    chance, requests = random.Random(20260101), right(group, session)
    for protocol, request in requests:
        await said(attacked.stranger, here, protocol, request)
    assert [error for error in attacked.ended if not isinstance(error, OURS)] == []

    sent = [(protocol, spoilt(request, chance)) for _ in range(rounds) for protocol, request in requests]
    answers = []
    for begin in range(0, len(sent), AT_ONCE):
        exchanges = (said(attacked.stranger, here, protocol, request) for protocol, request in sent[begin : begin + AT_ONCE])
        answers += await asyncio.gather(*exchanges)
    assert [error for error in attacked.ended if not isinstance(error, OURS)] == []
    for (protocol, request), answer in zip(sent, answers, strict=True):
        assert b"Traceback" not in answer, (protocol, request)
        assert b'"code":"internal"' not in answer, (protocol, request)
        if protocol == DATA and answer:
            assert isinstance(json.loads(answer)["ok"], bool), request
    assert sum(map(bool, answers)) > len(answers) / 4  # most come far enough to be answered

    assert await said(attacked.stranger, here, SITE, b"GET /\n") == b"OK text/html; charset=utf-8 14\n<h1>Alice</h1>"
    assert await said(attacked.stranger, here, DATA, b'{"op":"lua-call","function":"echo","params":[1]}\n') == b'{"ok":true,"data":[1]}\n'
    assert attacked.peer.database.scalar("SELECT count(*) FROM _chat_messages") != 0
