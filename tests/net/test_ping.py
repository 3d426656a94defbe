"""Pings: there and back, in whatever pieces, and no more than one pays for."""

from __future__ import annotations

import pytest
import uvloop
from tests.net.hosts import two_hosts

from goop2.net import ping as ping_module
from goop2.net.faults import ProtocolNotSupportedError, StreamBrokenError
from goop2.net.ping import PING, PING_BYTES, ping
from goop2.net.stream import Stream


async def test_a_ping_comes_back() -> None:
    async with two_hosts() as (caller, callee):
        assert 0 < await ping(caller, caller.connections()[0]) < 5
        assert 0 < await ping(callee, callee.connections()[0]) < 5


def test_a_ping_is_not_counted_in_whole_milliseconds() -> None:
    """The clock of the loop that peers run on is; on a local network that would be 0."""

    async def pings() -> list[float]:
        async with two_hosts() as (caller, _callee):
            return [1000 * await ping(caller, caller.connections()[0]) for _ in range(5)]

    assert any(abs(milliseconds - round(milliseconds)) > 0.0001 for milliseconds in uvloop.run(pings()))


async def test_several_pings_on_one_stream_in_any_pieces() -> None:
    async with two_hosts() as (caller, callee), await caller.open(callee.peer_id, PING) as stream:
        said, answer = bytes(range(64)) + b"half of one", b""
        for each in said:
            await stream.write(bytes((each,)))
        while len(answer) < 2 * PING_BYTES:
            answer += await stream.read(5)
        assert answer == said[:64]


async def test_a_stream_without_pings_is_let_go(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ping_module, "IDLE_SECONDS", 0.1)
    async with two_hosts() as (caller, callee), await caller.open(callee.peer_id, PING) as stream:
        with pytest.raises(StreamBrokenError):
            await stream.read(5)


async def test_another_answer_is_none() -> None:
    async with two_hosts() as (caller, callee):

        async def lie(stream: Stream) -> None:
            await stream.finish(bytes(PING_BYTES))

        await callee.serve(PING, lie)
        with pytest.raises(StreamBrokenError, match="gives back another ping"):
            await ping(caller, caller.connections()[0])


async def test_who_does_not_speak_it_is_named() -> None:
    async with two_hosts() as (caller, callee):
        del callee._acceptor._handlers[PING]
        with pytest.raises(ProtocolNotSupportedError):
            await ping(caller, caller.connections()[0])
