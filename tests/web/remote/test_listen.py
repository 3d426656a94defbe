"""Listening on a visited site's pages, over HTTP: what a page gets, what it cannot reach, and when this peer is a listener and when not."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, cast

import pytest
import pytest_asyncio
from tests.net.hosts import new_identity, until
from tests.web.served import Answer, Served, served

from goop2.net.faults import StreamBrokenError, UnreachableError
from goop2.services.listen.follower import Following
from goop2.services.listen.session import ListenError, Track
from goop2.web.http.peer_host import host_label
from goop2.web.remote import listen
from goop2.web.remote.network import NetworkView

pytestmark = pytest.mark.asyncio(loop_scope="module")

HOST, OTHER = new_identity().peer_id, new_identity().peer_id
SESSION = "listen-0123456789abcdef"
OFFERED = {"id": SESSION, "name": "Evening"}
TRACK = Track(name="Song", duration=100.0, bitrate=128_000, format="mp3")


@dataclass
class Sound:
    format: str
    beginning: Callable[[], float]
    pieces: AsyncIterator[bytes]


class Followed:
    """Another peer's session, as peers/followed_session.py has it."""

    def __init__(self, following: Following) -> None:
        self.following = following
        self.offered: dict[str, Any] = {HOST: OFFERED}
        self.refusal = ""
        self.joins: list[tuple[str, str]] = []
        self.over: set[tuple[str, str]] = set()
        self.format = "mp3"
        self.sounding = asyncio.Event()
        self.fault: Exception | None = None

    async def session_of(self, host: str) -> object:
        if host not in (HOST, OTHER):
            raise UnreachableError(f"{host} cannot be reached")
        return self.offered.get(host)

    def is_over(self, host: str, group: str) -> bool:
        return (host, group) in self.over

    async def join(self, host: str, group: str) -> None:
        self.joins.append((host, group))
        if self.refusal:
            raise ListenError(self.refusal)
        self.following.ask(host, group)
        self.following.let_in("Evening", 1)
        self.following.heard("load", TRACK)
        self.following.heard("play", position=10.0)

    def leave(self) -> None:
        self.following.end()

    @asynccontextmanager
    async def sound(self) -> AsyncIterator[Sound]:
        if self.fault is not None:
            raise self.fault
        yield Sound(self.format, lambda: 12.5, self._pieces())

    async def _pieces(self) -> AsyncIterator[bytes]:
        yield b"some"
        await self.sounding.wait()
        yield b"thing"


class Net:
    def __init__(self, followed: Followed) -> None:
        self.followed = followed
        self.roster = self

    def subscribe(self, _callback: object) -> Any:
        return lambda: None


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def up(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Served]:
    async with served(tmp_path_factory.mktemp("remote")) as one:
        yield one


@pytest_asyncio.fixture(loop_scope="module")
async def followed(up: Served, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Followed]:
    assert listen.LOOK_SECONDS == 5
    monkeypatch.setattr(listen, "LOOK_SECONDS", 0.05)
    followed = Followed(up.peer.listening.following)
    up.web.remote.network = cast(NetworkView, Net(followed))
    yield followed
    followed.leave()
    up.web.remote.network = None
    await asyncio.sleep(0.1)  # streams of the test's pages end


def at(up: Served, peer: str = HOST) -> str:
    return f"{host_label(peer)}.localhost:{up.port}"


async def ask(up: Served, path: str, peer: str = HOST) -> Answer:
    return await up.ask(f"/api/listen/{path}", host=at(up, peer))


async def answered(up: Served, path: str, status: int) -> Answer:
    """The answer once it has this status."""
    for _ in range(500):
        answer = await ask(up, path)
        if answer.status == status:
            return answer
        await asyncio.sleep(0.01)
    pytest.fail(f"{path} never was {status}")


@asynccontextmanager
async def hearing(up: Served, query: str = "?join=1", peer: str = HOST) -> AsyncIterator[asyncio.StreamReader]:
    """A page that reads events."""
    reader, writer = await asyncio.open_connection("127.0.0.1", up.port)
    writer.write(f"GET /api/listen/events{query} HTTP/1.1\r\nHost: {at(up, peer)}\r\n\r\n".encode())
    try:
        await reader.readuntil(b"retry: 1000")
        yield reader
    finally:
        writer.close()


async def test_who_only_looks_is_no_listener(up: Served, followed: Followed) -> None:
    async with hearing(up, "") as events:
        assert (await ask(up, "state")).json == OFFERED
        await events.readuntil(b"event: listen")
        followed.offered[HOST] = None
        await events.readuntil(b"event: listen")
        assert (await ask(up, "state")).json is None
    assert followed.joins == []
    assert (await ask(up, "audio?key=1")).status == 503


async def test_a_page_that_joins_makes_this_peer_a_listener_until_it_is_gone(up: Served, followed: Followed) -> None:
    async with hearing(up), hearing(up):
        await until(lambda: followed.following.followed is not None)
        state = (await ask(up, "state")).json
        assert (state["role"], state["host"], state["track"]["name"]) == ("listener", HOST, "Song")
        assert followed.joins == [(HOST, SESSION)]
    await until(lambda: followed.following.followed is None)


async def test_a_session_that_ends_is_followed_by_the_next(up: Served, followed: Followed) -> None:
    async with hearing(up):
        await until(lambda: followed.following.followed is not None)
        followed.offered[HOST] = {**OFFERED, "id": "listen-aaaaaaaaaaaaaaaa"}
        followed.following.heard("close")
        await until(lambda: followed.following.followed is not None)
        assert followed.joins == [(HOST, SESSION), (HOST, "listen-aaaaaaaaaaaaaaaa")]


async def test_a_page_that_still_listens_joins_no_session_that_is_closed_and_the_owner_can_host(up: Served, followed: Followed) -> None:
    async with hearing(up, f"?join=1&session={SESSION}"):
        await until(lambda: len(followed.joins) == 1)
        followed.over.add((HOST, SESSION))
        followed.following.end()
        await asyncio.sleep(0.2)  # four looks of the page's watch
        assert len(followed.joins) == 1
        await up.peer.listening.create("Mine")
        await up.peer.listening.close()


async def test_why_we_are_not_let_in_is_an_event(up: Served, followed: Followed) -> None:
    followed.refusal = "the host lets nobody in: no room"
    async with hearing(up) as events:
        await events.readuntil(b"event: refused")
        assert b"no room" in await events.readline() + await events.readline()


async def test_a_page_reaches_no_other_peers_session(up: Served, followed: Followed) -> None:
    """Whatever it names: the host is whose page it is."""
    async with hearing(up, f"?join=1&session={SESSION}&host={HOST}&peer={HOST}", OTHER):
        await until(lambda: bool(followed.joins))
        assert followed.joins == [(OTHER, SESSION)]
        assert (await ask(up, "audio?key=1")).status == 503
        assert (await ask(up, "state", new_identity().peer_id)).json is None
    control = await up.ask("/api/listen/control", host=at(up), method="POST", body=json.dumps({"action": "play"}).encode())
    assert (control.status, control.json["code"]) == (403, "forbidden")


async def test_the_sound_comes_as_it_is_and_says_where_it_began(up: Served, followed: Followed) -> None:
    async with hearing(up):
        await until(lambda: followed.following.followed is not None)
        assert (await ask(up, "began?key=k")).status == 404
        asking = asyncio.create_task(ask(up, "audio?key=k"))
        assert (await answered(up, "began?key=k", 200)).json == {"position": 12.5}
        followed.sounding.set()
        heard = await asking
        assert (heard.status, heard.headers["content-type"], heard.body) == (200, "audio/mpeg", b"something")
        assert heard.headers["x-content-type-options"] == "nosniff"
        assert (await ask(up, "began?key=k")).status == 404


async def test_what_the_host_does_wrong_is_an_error_and_no_sound(up: Served, followed: Followed) -> None:
    async with hearing(up):
        await until(lambda: followed.following.followed is not None)
        for fault in (StreamBrokenError("it does not keep to the protocol"), ListenError("the host gives no sound: no track")):
            followed.fault = fault
            answer = await ask(up, "audio?key=1")
            assert (answer.status, answer.json["message"]) == (503, str(fault))


async def test_a_few_pages_hear_at_a_time_and_one_that_has_gone_leaves_its_place(up: Served, followed: Followed) -> None:
    async with hearing(up):
        await until(lambda: followed.following.followed is not None)
        writers = []
        for number in range(listen.SOUNDS_MAX):
            reader, writer = await asyncio.open_connection("127.0.0.1", up.port)
            writer.write(f"GET /api/listen/audio?key={number} HTTP/1.1\r\nHost: {at(up)}\r\n\r\n".encode())
            await reader.readuntil(b"some")
            writers.append(writer)
        assert (await ask(up, "audio?key=x")).status == 503
        writers.pop().close()
        await answered(up, "began?key=3", 404)
        followed.sounding.set()
        assert (await ask(up, "audio?key=x")).status == 200
        for writer in writers:
            writer.close()


async def test_without_a_network_there_is_nothing(up: Served) -> None:
    assert (await ask(up, "state")).json is None
    assert (await ask(up, "audio?key=1")).status == 503
