"""Events over HTTP: opened, resumed, bounded, ended with the peer."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from tests.web.served import Served, served

from goop2.web.limits import CONSUMERS_PER_CALLER_MAX

pytestmark = pytest.mark.asyncio(loop_scope="module")


class Stream:
    """An open stream of events."""

    def __init__(self, reader: asyncio.StreamReader, status: int) -> None:
        self.status = status
        self._reader = reader

    async def event(self) -> dict[str, str]:
        """The next event but the first, `here`: id, event, data."""
        found = await self.any_event()
        return found if found["event"] != "here" else await self.event()

    async def any_event(self) -> dict[str, str]:
        """The next event: id, event, data."""
        fields: dict[str, str] = {}
        async with asyncio.timeout(5):
            while line := (await self._reader.readline()).decode().strip() or "data" not in fields:
                name, _, value = str(line).partition(": ")
                if name in ("id", "event", "data"):
                    fields[name] = value
        return fields

    async def end(self) -> None:
        """Wait for the end of the connection."""
        async with asyncio.timeout(5):
            await self._reader.read(-1)


@asynccontextmanager
async def listening(up: Served, host: str, last_id: str = "", path: str = "/api/events", token: str = "") -> AsyncIterator[Stream]:
    reader, writer = await asyncio.open_connection("127.0.0.1", up.port)
    resumed = f"Last-Event-ID: {last_id}\r\n" if last_id else ""
    writer.write(f"GET {path} HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {token}\r\n{resumed}\r\n".encode())
    head = await reader.readuntil(b"\r\n\r\n")
    try:
        yield Stream(reader, int(head.split()[1]))
    finally:
        writer.close()
        await writer.wait_closed()


async def say(up: Served, host: str, text: str) -> None:
    body = f'{{"peer": "", "content": "{text}"}}'.encode()
    assert (await up.ask("/api/chat/send", host=host, method="POST", body=body)).status == 200


@pytest.fixture
def ann(up: Served) -> str:
    return up.visitor("ann")


async def test_a_reply_comes_as_an_event_and_can_be_had_again(up: Served, ann: str) -> None:
    async with listening(up, ann) as stream:
        await say(up, ann, "!first")
        event = await stream.event()
        assert event["event"] == "chat"
        assert '"content":"Unknown command: first"' in event["data"]
    await say(up, ann, "!second")
    async with listening(up, ann, event["id"]) as stream:
        assert '"content":"Unknown command: second"' in (await stream.event())["data"]


async def test_whoever_is_cut_off_before_anything_happened_misses_nothing(up: Served, ann: str) -> None:
    async with listening(up, ann) as stream:
        here = await stream.any_event()
    await say(up, ann, "!meanwhile")
    assert here["event"] == "here"
    async with listening(up, ann, here["id"]) as stream:
        assert '"content":"Unknown command: meanwhile"' in (await stream.event())["data"]
    async with listening(up, ann, path=f"/api/events?after={here['id']}") as stream:
        assert '"content":"Unknown command: meanwhile"' in (await stream.event())["data"]


async def test_the_console_hears_of_runs_and_of_scripts_and_a_site_does_not(up: Served, ann: str) -> None:
    async with listening(up, up.console, path="/api/console/events", token=up.web.token.text) as stream, listening(up, ann) as page:
        await up.call("fails", host=ann)
        ended = await stream.event()
        assert ended["event"] == "run"
        run = json.loads(ended["data"])
        assert (run["script"], run["caller"], run["status"], run["line"]) == ("fails", "visitor-ann", "script_error", 3)
        (up.folder / "site/lua/new.lua").write_text("function handle(")
        await up.peer.catalog.scan()
        changed = json.loads((await stream.event())["data"])
        assert (changed["what"], changed["name"]) == ("broken", "new")
        await say(up, ann, "!first")
        assert (await page.event())["event"] == "chat"
    async with listening(up, up.console, ended["id"], "/api/console/events", up.web.token.text) as stream:
        assert (await stream.event())["event"] == "script"
    async with listening(up, up.console, path="/api/console/events") as refused:
        assert refused.status == 403


async def test_after_a_new_start_of_the_peer_a_page_hears_of_the_gap(up: Served, ann: str) -> None:
    async with listening(up, ann, "earlier-17") as stream:
        assert (await stream.event())["event"] == "gap"


async def test_one_caller_has_so_many_streams_and_no_more(up: Served, ann: str) -> None:
    async with asyncio.timeout(10):
        open_streams = [listening(up, ann) for _ in range(CONSUMERS_PER_CALLER_MAX)]
        for stream in open_streams:
            assert (await stream.__aenter__()).status == 200
        async with listening(up, ann) as refused:
            assert refused.status == 503
        async with listening(up, up.visitor("bob")) as other:
            assert other.status == 200
        for stream in open_streams:
            await stream.__aexit__(None, None, None)
        while True:  # a place is free as soon as the peer has noticed
            async with listening(up, ann) as again:
                if again.status == 200:
                    break
            await asyncio.sleep(0.02)


ANOTHER = "12D3KooWD3eckifWpRn9wQpMG9R9hX3sD158z7EqHWmweQAJU5SA"


@pytest.mark.parametrize("path", ["/api/events", "/api/listen/events?join=1"])
async def test_only_who_gets_events_reads_them(up: Served, ann: str, path: str) -> None:
    """An answer to HEAD has an end; other methods are none."""
    async with asyncio.timeout(5):
        answer = await up.ask(path, method="HEAD", host=ann)
        assert (answer.status, answer.headers["content-type"], answer.body) == (200, "text/event-stream", b"")
        for method in ("POST", "DELETE", "OPTIONS"):
            answer = await up.ask(path, method=method, host=ann)
            assert (answer.status, answer.headers["allow"]) == (405, "GET, HEAD")
    assert not [name for name in up.peer.listening.who() if name]


async def test_what_was_said_is_kept_for_its_caller_alone(up: Served) -> None:
    async def messages(host: str, body: str = "{}") -> list[dict[str, object]]:
        answer = await up.ask("/api/chat/messages", host=host, method="POST", body=body.encode())
        assert answer.status == 200
        return list(answer.json)

    carol, this = up.visitor("carol"), up.peer.identity.peer_id
    await say(up, carol, "Hello there")
    await say(up, carol, "!nosuch")
    found = await messages(carol)
    assert [(each["from"] == this, each["content"]) for each in found] == [
        (False, "Hello there"),
        (False, "!nosuch"),
        (True, "Unknown command: nosuch"),
    ]
    assert await messages(up.visitor("dave")) == []
    assert await messages(carol, f'{{"before": {found[1]["id"]}}}') == found[:1]
    for body in (f'{{"peer": "{ANOTHER}"}}', '{"peer": "carol"}'):
        answer = await up.ask("/api/chat/messages", host=up.visitor("dave"), method="POST", body=body.encode())
        assert (answer.status, answer.json["code"]) == (403, "forbidden")


async def test_a_page_chats_with_its_own_peer_only(up: Served, ann: str) -> None:
    async def send(body: bytes) -> tuple[int, str]:
        answer = await up.ask("/api/chat/send", host=ann, method="POST", body=body)
        return answer.status, answer.json["code"]

    assert await send(b'{"peer": "12D3KooWD3eckifWpRn9wQpMG9R9hX3sD158z7EqHWmweQAJU5SA", "content": "!x"}') == (403, "forbidden")
    assert await send(b'{"content": "  "}') == (400, "bad_request")
    assert await send(b"{}") == (400, "bad_request")


@pytest.mark.parametrize(
    ("content", "status", "code"), [("  ", 400, "bad_request"), ("x" * 65_537, 400, "bad_request"), ("hello", 503, "unavailable")]
)
async def test_what_nobody_would_take_is_said_to_nobody(up: Served, content: str, status: int, code: str) -> None:
    answer = await up.ask("/api/chat/broadcast", method="POST", body=f'{{"content": "{content}"}}'.encode())
    assert (answer.status, answer.json["code"]) == (status, code)


async def test_streams_end_at_once_when_the_peer_does(tmp_path: Path) -> None:
    async with served(tmp_path) as up:
        streams = listening(up, up.site)
        stream = await streams.__aenter__()
        begun = time.monotonic()
    assert time.monotonic() - begun < 1
    await stream.end()
    await streams.__aexit__(None, None, None)
