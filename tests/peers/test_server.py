"""Two peers over real connections: labels, files, functions and messages, as one of them serves them and the other asks."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import msgspec
import pytest
import pytest_asyncio
from structlog.testing import capture_logs
from tests.net.hosts import asked, connect, loopback_host, new_identity, until

from goop2.app import open_peer
from goop2.folder.site_files import SiteFiles, UnreadableError
from goop2.net.faults import StreamBrokenError, UnreachableError
from goop2.net.host import Host
from goop2.net.limits import RESEND_AFTER_SECONDS
from goop2.net.stream import Stream
from goop2.peers import client as client_module
from goop2.peers import server as serving_module
from goop2.peers.client import MessageRejectedError, PeerClient, RequestRefusedError
from goop2.peers.dedup_cache import DedupCache
from goop2.peers.server import MessageNotAcceptedError, PeerServer, Received
from goop2.protocols import data, mq
from goop2.protocols.data import FailureAnswer, SuccessAnswer
from goop2.protocols.line import LineReader
from goop2.protocols.topics import ChatPayload
from goop2.scripting.invocation import Caller

SETTINGS = {"lua": {"enabled": True, "rate_limit_per_peer": 5}, "profile": {"label": "Alice"}}
FILES = {
    "site/index.html": "<h1>Alice</h1>",
    "site/style.css": "h1 { color: red }",
    "site/types.ts": "type Score = number",
    "site/.secret": "a password",
    "site/lua/hello.lua": '--- Greets\nfunction handle(args) return "Hello " .. args .. " from " .. goop.peer.id end',
    "site/lua/functions/whoami.lua": "--- Says who calls\nfunction call(request) return {id = goop.peer.id, params = request.params} end",
    "site/lua/functions/fails.lua": '\nfunction call(request) error("no such game") end',
}


@dataclass
class Pair:
    """A caller and a peer that serves, connected, and the messages each has got."""

    caller: Host
    client: PeerClient
    callee: Host
    folder: Path
    received: list[Received]
    replies: list[Received]
    fail_to_keep: list[Exception]
    """Raised, each once, where a message would be kept."""
    may_keep: asyncio.Event
    """Unset: whatever is to be kept waits."""


@contextlib.asynccontextmanager
async def pair(folder: Path) -> AsyncIterator[Pair]:
    (folder / "goop.json").write_text(json.dumps(SETTINGS))
    for path, text in FILES.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text)
    received: list[Received] = []
    replies: list[Received] = []
    tasks: list[asyncio.Task[None]] = []
    fail_to_keep: list[Exception] = []
    may_keep = asyncio.Event()
    may_keep.set()

    async def keep(message: Received) -> None:
        await may_keep.wait()
        if fail_to_keep:
            raise fail_to_keep.pop()
        received.append(message)
        if isinstance(message.event, ChatPayload) and message.event.content.startswith("!"):
            tasks.append(asyncio.create_task(answer(message.sender, message.event.content)))

    async def keep_reply(message: Received) -> None:
        replies.append(message)

    async with open_peer(folder, {}) as peer, loopback_host() as caller, loopback_host() as callee:
        answers = PeerClient(callee)

        async def answer(to: str, command: str) -> None:
            reply = await peer.engine.command(Caller(to), command)
            await answers.chat(to, reply.text, 1)

        files = SiteFiles(folder, [peer.settings.script_dir(folder)])
        for host, keeper in ((callee, keep), (caller, keep_reply)):
            await PeerServer(
                label=lambda: "Alice",
                files=files,
                engine=peer.engine,
                catalog=peer.catalog,
                caller_of=Caller,
                save=keeper,
                operations={},
            ).attach(host)
        await connect(caller, callee)
        yield Pair(caller, PeerClient(caller), callee, folder, received, replies, fail_to_keep, may_keep)


@pytest_asyncio.fixture
async def two(tmp_path: Path) -> AsyncIterator[Pair]:
    pair_ = pair(tmp_path)
    async with pair_ as opened:
        yield opened


async def fetched(two: Pair, path: str) -> tuple[str, bytes]:
    async with two.client.file(two.callee.peer_id, path) as answer:
        return answer.mime, b"".join([piece async for piece in answer.pieces])


async def test_a_peer_says_what_it_is_called(two: Pair) -> None:
    assert await two.client.label(two.callee.peer_id) == "Alice"


async def test_the_site_is_served_with_types(two: Pair) -> None:
    assert await fetched(two, "/") == ("text/html; charset=utf-8", b"<h1>Alice</h1>")
    assert await fetched(two, "/types.ts") == ("text/plain; charset=utf-8", b"type Score = number")  # Python alone takes it for a film
    assert await fetched(two, "/style.css") == ("text/css; charset=utf-8", b"h1 { color: red }")
    for name, type_ in (("app.js", "text/javascript; charset=utf-8"), ("photo.webp", "image/webp"), ("all.tar.gz", "application/gzip")):
        (two.folder / "site" / name).write_text("x")
        assert await fetched(two, f"/{name}") == (type_, b"x")


async def test_a_large_file_comes_in_pieces_and_whole(two: Pair) -> None:
    content = bytes(range(256)) * 8192
    (two.folder / "site" / "film.bin").write_bytes(content)
    assert await fetched(two, "/film.bin") == ("application/octet-stream", content)


@pytest.mark.parametrize(
    "path", ["/nothing", "/.secret", "/lua/hello.lua", "/lua/functions/whoami.lua", "/../goop.json", "/link.txt", "/LUA/hello.lua", "/lua"]
)
async def test_what_is_not_for_others_is_not_found(two: Pair, path: str) -> None:
    (two.folder / "site" / "link.txt").symlink_to("../goop.json")
    with pytest.raises(RequestRefusedError, match="not found") as refused:
        await fetched(two, path)
    assert refused.value.reason == "not found"


async def test_what_cannot_be_read_now_is_not_said_to_be_absent(two: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    def opened(_files: SiteFiles, path: str) -> object:
        raise UnreadableError(path, OSError(errno.EMFILE, "Too many open files"))

    monkeypatch.setattr(SiteFiles, "open", opened)
    with pytest.raises(RequestRefusedError) as refused:
        await fetched(two, "/style.css")
    assert refused.value.reason == "unavailable"


@pytest.mark.parametrize("request_", [b"HELO\n", b"GET /" + b"x" * 4100 + b"\n", b"GET /" + b"x" * 9000 + b"\n", b"GET /ind", b""])
async def test_a_request_that_is_none_is_said_so(two: Pair, request_: bytes) -> None:
    assert await asked(two.caller, two.callee, request_, "/goop/site/1.0.0") == b"ERR bad request\n"


async def test_a_file_nobody_would_read_is_refused_before_its_first_byte(two: Pair) -> None:
    with (two.folder / "site" / "film.bin").open("wb") as film:
        film.truncate(51 * 1024 * 1024)
    with pytest.raises(RequestRefusedError, match="forbidden"):
        await fetched(two, "/film.bin")


async def test_a_function_is_called_by_the_id_the_connection_proved(two: Pair) -> None:
    answer = await two.client.call(two.callee.peer_id, "whoami", b'{"a":[1,null]}')
    assert isinstance(answer, SuccessAnswer)
    result = json.loads(answer.json)
    assert result["id"] == two.caller.peer_id


async def test_an_id_a_request_claims_is_nothing(two: Pair) -> None:
    line = b'{"op":"lua-call","function":"whoami","params":{},"peer_id":"%s","from":"%s"}\n'
    forged = line % (two.callee.peer_id.encode(), two.callee.peer_id.encode())
    answer = json.loads(await asked(two.caller, two.callee, forged, data.PROTOCOL))
    assert answer["data"]["id"] == two.caller.peer_id


async def test_a_function_that_fails_names_class_script_and_line(two: Pair) -> None:
    answer = await two.client.call(two.callee.peer_id, "fails")
    assert answer == FailureAnswer("fails:2: no such game", "script_error", None, "fails", 2)


async def test_an_unknown_function_and_an_unknown_operation_are_refused(two: Pair) -> None:
    assert await two.client.call(two.callee.peer_id, "nothing") == FailureAnswer("unknown function: nothing", "not_found")
    for op in ("create-table", "delete-table", "drop"):
        assert await two.client.ask(two.callee.peer_id, data.DataRequest(op)) == FailureAnswer(
            f"no operation '{op}' for others", "forbidden"
        )


async def test_callers_are_rate_limited_and_told_how_long(two: Pair) -> None:
    answers = [await two.client.call(two.callee.peer_id, "whoami") for _ in range(6)]
    last = answers[-1]
    assert isinstance(last, FailureAnswer)
    assert last.code == "rate_limited"
    assert last.retry_after is not None
    assert 0 < last.retry_after <= 60


async def test_functions_are_listed_with_descriptions(two: Pair) -> None:
    answer = await two.client.ask(two.callee.peer_id, data.DataRequest("lua-list"))
    assert isinstance(answer, SuccessAnswer)
    assert json.loads(answer.json) == {
        "functions": [{"name": "fails", "description": ""}, {"name": "whoami", "description": "Says who calls"}]
    }


async def test_a_broken_request_is_answered_in_words(two: Pair) -> None:
    answer = json.loads(await asked(two.caller, two.callee, b'{"op":\n', data.PROTOCOL))
    assert (answer["ok"], answer["code"]) == (False, "bad_request")


async def test_a_message_is_kept_before_it_is_acknowledged_with_its_true_sender(two: Pair) -> None:
    id_ = await two.client.chat(two.callee.peer_id, "hi Alice", 1700000000000)
    assert two.received == [Received(two.caller.peer_id, id_, ChatPayload("hi Alice", 1700000000000))]


async def test_a_message_that_cannot_be_kept_is_not_acknowledged_and_may_come_again(two: Pair) -> None:
    two.fail_to_keep.append(OSError("disk full"))
    two.fail_to_keep.append(OSError("disk full"))
    with pytest.raises(StreamBrokenError):
        await two.client.chat(two.callee.peer_id, "hi", 1)
    two.fail_to_keep.append(OSError("disk full"))
    id_ = await two.client.chat(two.callee.peer_id, "hi", 1)
    assert [message.id for message in two.received] == [id_]


async def test_a_command_is_answered_by_a_message_back(two: Pair) -> None:
    await two.client.chat(two.callee.peer_id, "!hello Bob", 1)
    await until(lambda: bool(two.replies))
    assert two.replies[0].sender == two.callee.peer_id
    assert two.replies[0].event == ChatPayload(f"Hello Bob from {two.caller.peer_id}", 1)


async def test_a_retry_is_acknowledged_again_and_kept_once(two: Pair) -> None:
    message = mq.send(mq.Message("the-same", 1, "chat", msgspec.Raw(b'{"content":"!hello Bob"}')))
    for _ in range(2):
        assert json.loads(await asked(two.caller, two.callee, message, mq.PROTOCOL)) == {"type": "ack", "id": "the-same", "seq": 1}
    await until(lambda: bool(two.replies))
    await asyncio.sleep(0.1)  # a second reply would be here by now
    assert (len(two.received), len(two.replies)) == (1, 1)


@pytest.mark.parametrize("fails", [False, True])
async def test_a_retry_that_comes_while_the_first_is_being_kept_has_its_outcome(two: Pair, fails: bool) -> None:
    message = mq.send(mq.Message("the-same", 1, "chat", msgspec.Raw(b'{"content":"hi"}')))
    two.may_keep.clear()
    tries = [asyncio.create_task(asked(two.caller, two.callee, message, mq.PROTOCOL)) for _ in range(2)]
    await asyncio.sleep(0.3)  # an answer before its time would be here by now
    assert not any(each.done() for each in tries)
    if fails:
        two.fail_to_keep.append(OSError("disk full"))
    two.may_keep.set()
    answers = await asyncio.gather(*tries, return_exceptions=True)
    assert [isinstance(answer, StreamBrokenError) for answer in answers] == [fails, fails]
    assert len(two.received) == (0 if fails else 1)


async def test_the_same_id_of_another_sender_is_another_message() -> None:
    seen = DedupCache(2)
    assert [seen.first_time("ann", "1"), seen.first_time("bob", "1"), seen.first_time("ann", "1")] == [True, True, False]
    seen.first_time("eve", "1")
    assert len(seen._ids) == 2


def test_a_repeat_is_logged_once_with_both_ids() -> None:
    seen = DedupCache()
    with capture_logs() as logged:
        for _ in range(3):
            seen.first_time("ann", "message-1")
            seen.first_time("bob", "message-1")
        seen.forget("ann", "message-1")
        assert seen.first_time("ann", "message-1")
    assert [(line["event"], line["peer"], line["id"]) for line in logged] == [
        ("a repeated message is dropped", "ann", "'message-1'"),
        ("a repeated message is dropped", "bob", "'message-1'"),
    ]


async def test_a_message_nobody_acknowledges_is_sent_once_more_and_then_given_up(two: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    got: list[bytes] = []

    async def deaf(stream: Stream) -> None:
        got.append(await stream.read())
        await asyncio.sleep(10)  # until the sender gives up

    monkeypatch.setattr(client_module, "ACK_SECONDS", 0.2)
    await two.callee.serve(mq.PROTOCOL, deaf)
    with pytest.raises(StreamBrokenError, match=r"does not answer in time|is too slow"):
        await two.client.chat(two.callee.peer_id, "hi", 1)
    assert len(got) == 2
    assert json.loads(got[0])["id"] == json.loads(got[1])["id"]


async def test_a_request_that_comes_a_byte_a_second_is_given_up(two: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    async def read_line_quickly(stream: Stream, reader: LineReader) -> bytes:
        return await original(stream, reader, 0.3)

    original = serving_module.read_line
    monkeypatch.setattr(serving_module, "read_line", read_line_quickly)
    async with await two.caller.open(two.callee.peer_id, data.PROTOCOL) as stream:
        with contextlib.suppress(StreamBrokenError):
            for _ in range(6):
                await stream.write(b"x")
                await asyncio.sleep(0.1)  # the drip that is tried
        with pytest.raises(StreamBrokenError):
            await stream.read(2)


async def test_a_peer_that_is_not_there_is_said_at_once(two: Pair) -> None:
    gone = new_identity().peer_id
    with pytest.raises(UnreachableError, match=f"{gone} cannot be reached: no address of it is known"):
        await two.client.label(gone)


async def test_a_message_that_is_refused_is_answered_with_the_reason_and_not_sent_again(two: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    two.fail_to_keep.append(MessageNotAcceptedError("rate_limited", "too many messages", 11.5))
    with pytest.raises(MessageRejectedError, match="does not take the message: too many messages") as refusal:
        await two.client.chat(two.callee.peer_id, "hi", 1)
    assert (refusal.value.code, refusal.value.retry_after_seconds) == ("rate_limited", 12)
    await asyncio.sleep(2 * RESEND_AFTER_SECONDS)  # it would be sent again by now
    assert two.received == []
    id_ = await two.client.chat(two.callee.peer_id, "hi", 1)
    assert [message.id for message in two.received] == [id_]


MALFORMED = [
    (b'{"type":"msg","id":"8b4c","topic":"chat","payload":{"content":5}}', "8b4c"),
    (b'{"type":"msg","id":"8b4c","topic":"chat","payload":[]}', "8b4c"),
    (b'{"type":"msg","id":"8b4c","topic":"chat","payload":"hi"}', "8b4c"),
    (b'{"type":"msg","id":"8b4c","topic":"chat","payload":{"content":"hi","timestamp":"now"}}', "8b4c"),
    (b'{"type":"msg","id":"8b4c","topic":"chat.broadcast","payload":7}', "8b4c"),
    (b'{"type":"msg","id":"8b4c","topic":"mq.ack","payload":{"msg_id":7}}', "8b4c"),
    (b'{"type":"msg","id":"8b4c","topic":"identity.response","payload":{"content":[]}}', "8b4c"),
    (b'{"type":"msg","id":"8b4c","topic":"group.invite","payload":{}}', "8b4c"),
    (b'{"type":"msg","id":"8b4c","topic":"group:g:members","payload":[]}', "8b4c"),
    (b'{"type":"msg","id":"8b4c","topic":7}', "8b4c"),
    (b"hello", None),
    (b"7", None),
]


@pytest.mark.parametrize(("sent", "id_"), MALFORMED)
async def test_a_malformed_message_is_refused_with_the_reason(two: Pair, sent: bytes, id_: str | None) -> None:
    async with await two.caller.open(two.callee.peer_id, mq.PROTOCOL) as stream:
        await stream.finish(sent + b"\n")
        answer = json.loads(await stream.line(LineReader("the refusal", 4096), 5))
    assert (answer["type"], answer.get("refused"), answer["code"], "id" in answer) == ("refused", id_, "forbidden", False)
    assert "message is invalid" in answer["error"]
    assert two.received == []


async def test_the_owner_is_told_of_malformed_messages_once(two: Pair) -> None:
    with capture_logs() as lines:
        for number in range(3):
            with pytest.raises(MessageRejectedError, match="payload of the chat message is invalid"):
                await two.client.send(two.callee.peer_id, "chat", b'{"content":%d}' % number)
    assert [line["event"] for line in lines if line["log_level"] == "warning"] == ["a message is refused"]
    assert not [line for line in lines if line["event"] == "exchange failed"]


async def test_a_message_says_which_network_it_comes_from(two: Pair) -> None:
    await two.client.chat(two.callee.peer_id, "hi", 1)
    assert two.received[0].origin == "127.0.0.1"
