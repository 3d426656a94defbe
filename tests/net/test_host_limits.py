"""The host: what a stranger cannot take of it, and that nobody is waited for without an end."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

import pytest
from tests.net.hosts import LOOPBACK, asked, connect, echo, loopback_host, new_identity, read_all, two_hosts, until

from goop2.net import stream as stream_module
from goop2.net.faults import NetworkError, PeerBusyError, StreamBrokenError, UnreachableError
from goop2.net.host import Host, open_host
from goop2.net.limits import MEGABYTE_BYTES, HostLimits
from goop2.net.stream import Stream

ECHO = "/test/echo"


async def never(stream: Stream) -> None:
    """Reads nothing and answers nothing."""
    await asyncio.sleep(60)  # until it is cancelled


async def test_a_sender_that_ignores_the_window_loses_the_connection_and_fills_nothing() -> None:
    async with two_hosts() as (caller, callee):
        await callee.serve("/test/never", never)
        stream = await caller.open(callee.peer_id, "/test/never")
        muxed: Any = stream.muxed
        muxed.send_window = 1 << 40
        with contextlib.suppress(StreamBrokenError):
            await stream.write(bytes(4 * MEGABYTE_BYTES))
        await until(lambda: callee.peers() == ())
        assert callee.admission.memory.held == 0


@pytest.mark.parametrize("way", ["it calls", "it is called"])
async def test_a_copy_of_the_peers_own_key_is_not_let_in(monkeypatch: pytest.MonkeyPatch, way: str) -> None:
    identity = new_identity()
    async with open_host(identity, 0, None, LOOPBACK) as own, open_host(identity, 0, None, LOOPBACK) as copy:
        monkeypatch.setattr(copy._upgrader._keys, "peer", new_identity().peer_id)  # it keeps no such rule
        await own.serve(ECHO, echo)
        await copy.serve(ECHO, echo)

        async def exchange(caller: Host, callee: Host) -> None:
            await connect(caller, callee)
            await asked(caller, callee, b"hello", ECHO)

        with pytest.raises(NetworkError):
            await exchange(*((copy, own) if way == "it calls" else (own, copy)))
        assert own.peers() == ()
        async with loopback_host() as other:
            await connect(other, own)
            assert await asked(other, own, b"hello", ECHO) == b"hello"


async def test_a_frame_larger_than_any_window_is_not_even_read() -> None:
    async with two_hosts() as (caller, callee):
        await callee.serve("/test/never", never)
        stream = await caller.open(callee.peer_id, "/test/never")
        announced = (0).to_bytes(4, "big") + stream.muxed.stream_id.to_bytes(4, "big") + (8 * MEGABYTE_BYTES).to_bytes(4, "big")
        stream.connection.muxer.post(announced)
        await until(lambda: callee.peers() == ())


async def test_all_strangers_together_fill_no_more_than_the_bound() -> None:
    bound = 300_000
    async with two_hosts(HostLimits(buffered_bytes=bound)) as (caller, callee):
        await callee.serve("/test/never", never)
        streams = [await caller.open(callee.peer_id, "/test/never") for _ in range(3)]
        results = await asyncio.gather(*(stream.write(bytes(200_000)) for stream in streams), return_exceptions=True)
        await until(lambda: callee.peers() == ())
        assert callee.admission.memory.held == 0
        await until(lambda: any(result is not None for result in results) or caller.peers() == ())


async def test_whoever_sends_more_than_a_minutes_worth_loses_the_connection() -> None:
    async with two_hosts(HostLimits(bytes_per_minute_and_peer=200_000)) as (caller, callee):
        await callee.serve(ECHO, echo)
        assert len(await asked(caller, callee, bytes(100_000))) == 100_000
        with pytest.raises(StreamBrokenError):
            await asked(caller, callee, bytes(150_000))


async def test_what_we_asked_for_is_not_counted_against_the_one_who_answers() -> None:
    async with loopback_host(HostLimits(bytes_per_minute_and_peer=1000)) as caller, loopback_host() as callee:

        async def handler(stream: Stream) -> None:
            await stream.finish(bytes(500_000))

        await callee.serve(ECHO, handler)
        await connect(caller, callee)
        assert len(await asked(caller, callee, b"")) == 500_000


async def test_a_peer_has_so_many_streams_and_no_more_until_one_ends() -> None:
    async with two_hosts(HostLimits(streams_per_peer=4)) as (caller, callee):
        await callee.serve(ECHO, echo)
        await until(lambda: len(callee.admission._streams) == 0)
        held = [await caller.open(callee.peer_id, ECHO) for _ in range(4)]
        await until(lambda: len(callee.admission._streams) == 4)
        with pytest.raises(StreamBrokenError):
            await asked(caller, callee, b"one too many")
        held[0].reset()
        await until(lambda: len(callee.admission._streams) == 3)
        assert await asked(caller, callee, b"room again") == b"room again"


async def test_our_own_streams_to_one_peer_have_an_end_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("goop2.net.host.OUTGOING_STREAMS_PER_PEER", 2)
    async with two_hosts() as (caller, callee):
        await callee.serve(ECHO, echo)
        async with await caller.open(callee.peer_id, ECHO), await caller.open(callee.peer_id, ECHO):
            with pytest.raises(PeerBusyError, match="2 streams to 12D3Koo"):
                await caller.open(callee.peer_id, ECHO)
        assert await asked(caller, callee, b"room again") == b"room again"


async def test_a_stream_the_other_side_never_ends_is_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream_module, "LINGER_SECONDS", 1.0)
    async with two_hosts() as (caller, callee):

        async def answer_at_once(stream: Stream) -> None:
            await stream.finish(b"done")

        await callee.serve(ECHO, answer_at_once)
        for _ in range(3):
            stream = await caller.open(callee.peer_id, ECHO)
            assert await read_all(stream) == b"done"
        await until(lambda: _remembered(callee) == 0)


async def test_whoever_ends_no_stream_has_every_answer_and_the_oldest_goes_for_the_newest() -> None:
    async with two_hosts(HostLimits(streams_per_peer=2)) as (caller, callee):

        async def answer_at_once(stream: Stream) -> None:
            await stream.finish(b"done")

        await callee.serve(ECHO, answer_at_once)
        held = []
        for _ in range(6):
            held.append(await caller.open(callee.peer_id, ECHO))
            await until(lambda: len(callee.admission._streams) == 0)
            assert await read_all(held[-1]) == b"done"
            assert not held[-1].muxed.was_reset
        await until(lambda: [stream.muxed.was_reset for stream in held] == [True] * 4 + [False] * 2)
        assert len(callee.admission._lingering) == 2


def _remembered(host: Host) -> int:
    """Streams the muxers of a host know of."""
    return sum(len(connection.muxer.streams) for connection in host.connections())


async def test_a_connection_gives_its_place_back_when_it_ends() -> None:
    async with loopback_host(HostLimits(connections=2)) as callee:
        await callee.serve(ECHO, echo)
        for _ in range(4):
            async with loopback_host() as caller:
                await connect(caller, callee)
                assert await asked(caller, callee, b"hello") == b"hello"
            await until(lambda: len(callee.admission._connections) == 0)


async def test_connections_of_one_address_have_an_end() -> None:
    async with (
        loopback_host(HostLimits(connections_per_address=1)) as callee,
        loopback_host() as one,
        loopback_host() as two,
    ):
        await connect(one, callee)
        with pytest.raises(UnreachableError):
            await connect(two, callee)


async def test_those_that_connect_and_say_nothing_keep_nobody_out() -> None:
    async with loopback_host(HostLimits(connections=2)) as callee, loopback_host() as caller:
        silent = [await asyncio.open_connection(LOOPBACK, callee.port) for _ in range(2)]
        await until(lambda: len(callee.admission._connections) == 2)
        await connect(caller, callee)
        async with asyncio.timeout(5):
            assert await silent[0][0].read() is not None
        await until(lambda: [each.peer for each in callee.peers()] == [caller.peer_id])
        assert len(callee.admission._connections) == 2
        for _, writer in silent:
            writer.close()


async def test_whoever_connects_and_says_nothing_is_sent_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("goop2.net.upgrade.HANDSHAKE_SECONDS", 0.2)
    async with loopback_host() as callee:
        reader, writer = await asyncio.open_connection(LOOPBACK, callee.port)
        async with asyncio.timeout(5):
            while await reader.read(1000):
                pass
        writer.close()
        await until(lambda: len(callee.admission._connections) == 0)


async def test_whoever_answers_too_slowly_is_given_up() -> None:
    async with two_hosts() as (caller, callee):
        await callee.serve("/test/never", never)
        async with await caller.open(callee.peer_id, "/test/never") as stream:
            with pytest.raises(StreamBrokenError, match="is too slow"):
                await stream.read(0.1)


async def test_whoever_takes_nothing_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream_module, "WRITE_SECONDS", 0.2)
    async with two_hosts() as (caller, callee):
        await callee.serve("/test/never", never)
        async with await caller.open(callee.peer_id, "/test/never") as stream:
            with pytest.raises(StreamBrokenError, match="is too slow"):
                await stream.write(bytes(3 * MEGABYTE_BYTES))


async def test_a_reader_that_pauses_for_seconds_gets_everything() -> None:
    size = 600_000
    async with two_hosts() as (caller, callee):

        async def handler(stream: Stream) -> None:
            await stream.finish(bytes(size))

        await callee.serve(ECHO, handler)
        async with await caller.open(callee.peer_id, ECHO) as stream:
            await asyncio.sleep(1.5)  # a reader that is slow, within its bound
            assert len(await read_all(stream)) == size
