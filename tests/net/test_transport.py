"""A socket's transport, on a real pair of sockets, and a stream's: what came and what goes, and that nothing outlives the connection."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
from collections.abc import AsyncIterator
from typing import Any

import pytest
from tests.net.hosts import asked, connect, echo, loopback_host, two_hosts, until

from goop2.net.host import Host
from goop2.net.stream import Stream
from goop2.net.transport import SocketTransport, StreamTransport

MEGABYTE = 1024 * 1024


class Heard:
    """Whom the bytes are for and from."""

    def __init__(self) -> None:
        self.came = b""
        self.to_send: list[bytes] = []
        self.sent_batches = 0
        self.asked = 0
        self.losses = 0

    def receive(self, data: bytes) -> None:
        if data == b"goodbye":
            raise EOFError
        if data.startswith(b"forged"):
            raise ValueError("no such tag")
        self.came += data

    def outgoing(self) -> bytes:
        self.asked += 1
        batch, self.to_send = b"".join(self.to_send), []
        return batch

    def sent(self) -> None:
        self.sent_batches += 1

    def lost(self) -> None:
        self.losses += 1


class Carried:
    """A transport that is served, and the other side's socket."""

    def __init__(self) -> None:
        self.heard = Heard()
        self.socket, self.other = socket.socketpair()
        self.other.setblocking(False)
        self.transport = SocketTransport(self.socket)
        self.transport.attach(self.heard)

    def send(self, *contents: bytes) -> None:
        for content in contents:
            self.heard.to_send.append(content)
            self.transport.wake()

    def is_closed(self) -> bool:
        try:
            return self.other.recv(1, socket.MSG_PEEK) == b""
        except BlockingIOError:
            return False


@contextlib.asynccontextmanager
async def carried() -> AsyncIterator[Carried]:
    one = Carried()
    # What a callback of the loop lets through would be told here, and nowhere else.
    unhandled: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _loop, context: unhandled.append(context))
    try:
        yield one
    finally:
        one.transport.end()
        one.other.close()
        asyncio.get_running_loop().set_exception_handler(None)
    assert unhandled == []
    assert one.heard.losses == 1
    assert one.socket.fileno() == -1


async def test_what_comes_is_taken() -> None:
    async with carried() as one:
        one.other.send(b"first")
        await until(lambda: one.heard.came == b"first")
        one.other.send(b"second")
        await until(lambda: one.heard.came == b"firstsecond")


async def test_what_gathers_in_a_turn_goes_in_one_packet() -> None:
    async with carried() as one:
        one.send(b"one", b"two")
        await until(lambda: one.heard.sent_batches == 1)
        assert one.other.recv(100) == b"onetwo"


async def test_another_receiver_takes_over() -> None:
    async with carried() as one:
        one.other.send(b"for the first")
        await until(lambda: bool(one.heard.came))
        first, one.heard = one.heard, Heard()
        one.transport.attach(one.heard)
        one.other.send(b"for the second")
        one.send(b"by the second")
        await until(lambda: one.heard.came == b"for the second")
        await until(lambda: one.heard.sent_batches == 1)
        assert first.came == b"for the first"
        assert one.other.recv(100) == b"by the second"


async def test_who_ends_it_closes_the_socket() -> None:
    async with carried() as one:
        one.transport.end()
        assert one.is_closed()
        one.transport.end()


async def test_who_comes_after_the_end_is_told_of_it() -> None:
    async with carried() as one:
        one.transport.end()
        late = Heard()
        one.transport.attach(late)
        await until(lambda: late.losses == 1)


async def test_a_slow_reader_is_waited_for_and_gets_all_of_it() -> None:
    async with carried() as one:
        content = os.urandom(3 * MEGABYTE)
        one.send(content)
        one.send(b"last")
        await asyncio.sleep(0.05)  # the system's buffers are full by now
        assert one.heard.sent_batches == 0
        came = b""
        async with asyncio.timeout(20):
            while len(came) < len(content) + 4:
                with contextlib.suppress(BlockingIOError):
                    came += one.other.recv(65536)
                await asyncio.sleep(0)
        assert came == content + b"last"
        asked_before = one.heard.asked
        await asyncio.sleep(0.02)  # many turns of a loop that asks too often
        assert one.heard.asked <= asked_before + 1, "it asks for more to send all the time"


@pytest.mark.parametrize("what", ["it closes", "it says so", "its bytes do not decrypt"])
async def test_the_end_closes_the_socket(what: str) -> None:
    async with carried() as one:
        if what == "it closes":
            one.other.shutdown(socket.SHUT_WR)
        else:
            one.other.send(b"goodbye" if what == "it says so" else b"forged")
        await until(one.is_closed)
        assert one.heard.losses == 1


async def test_a_reset_while_it_sends_is_the_end_too() -> None:
    async with carried() as one:
        one.send(bytes(3 * MEGABYTE))
        await asyncio.sleep(0.05)  # the system's buffers are full by now
        # Its reader would tell, too.
        asyncio.get_running_loop().remove_reader(one.socket)
        one.other.close()
        await until(lambda: one.heard.losses == 1)


async def test_who_is_done_reads_to_the_other_sides_end_and_is_not_ended_by_what_would_have_been_sent() -> None:
    async with carried() as one:
        assert one.transport.finish()
        assert one.is_closed()
        one.send(b"an answer nobody hears")
        await asyncio.sleep(0.02)  # an error of this send would be here by now
        one.other.send(b"still talking")
        await until(lambda: one.heard.came == b"still talking")
        one.other.close()
        await until(lambda: one.heard.losses == 1)
        assert not one.transport.finish()


async def test_after_the_end_nothing_is_written_to_who_has_the_number_now() -> None:
    async with carried() as one:
        one.send(b"in the same turn")
        number = one.socket.fileno()
        one.transport.end()
        pair = socket.socketpair()
        stranger, beside = pair if pair[0].fileno() == number else pair[::-1]
        assert stranger.fileno() == number
        one.send(b"too late")
        await asyncio.sleep(0.02)  # what is sent would be there by now
        beside.setblocking(False)
        with pytest.raises(BlockingIOError):
            beside.recv(100)
        beside.close()
        stranger.close()


# Over a stream of another connection.


@contextlib.asynccontextmanager
async def a_circuit() -> AsyncIterator[tuple[Host, Host, Host]]:
    """Who calls, and who is called, by way of somebody who joins two streams; nothing else connects them."""
    async with loopback_host() as caller, loopback_host() as callee, loopback_host() as middle:
        await connect(caller, middle)
        await connect(callee, middle)

        async def brought(stream: Stream) -> None:
            transport = StreamTransport(stream)
            connection = await callee.upgrade(transport, opened_by_us=False, origin="/p2p-circuit/x", is_relayed=True)
            await connection.closed.wait()

        async def hop(stream: Stream) -> None:
            async with await middle.open(callee.peer_id, "/test/stop") as onward:

                async def carry(source: Stream, target: Stream) -> None:
                    while piece := await source.read(None):
                        await target.write(piece)
                    await target.finish()

                await asyncio.gather(carry(stream, onward), carry(onward, stream))

        await callee.serve("/test/stop", brought, None)
        await middle.serve("/test/hop", hop, None)
        yield caller, callee, middle


async def test_a_connection_through_a_third_is_one_like_any_other() -> None:
    async with a_circuit() as (caller, callee, middle):
        await callee.serve("/test/echo", echo)
        stream = await caller.open(middle.peer_id, "/test/hop")
        connection = await caller.upgrade(
            StreamTransport(stream),
            opened_by_us=True,
            expected=callee.peer_id,
            remote=f"/p2p/{middle.peer_id}/p2p-circuit",
            is_relayed=True,
        )
        assert connection.peer == callee.peer_id
        assert connection.address == ""
        content = os.urandom(2 * MEGABYTE)
        assert await asked(caller, callee, content) == content
        (theirs,) = callee.connections(caller.peer_id)
        assert (theirs.is_relayed, theirs.origin) == (True, "/p2p-circuit/x")
        await connection.close()
        await until(lambda: not callee.connections(caller.peer_id))
        await asyncio.wait_for(theirs.closed.wait(), 5)
        assert caller.connections(callee.peer_id) == ()


async def test_the_end_of_the_stream_is_the_end_of_the_connection() -> None:
    async with a_circuit() as (caller, callee, middle):
        stream = await caller.open(middle.peer_id, "/test/hop")
        connection = await caller.upgrade(StreamTransport(stream), opened_by_us=True, is_relayed=True)
        await middle.disconnect(caller.peer_id)
        await asyncio.wait_for(connection.closed.wait(), 5)
        await until(lambda: not callee.connections(caller.peer_id))


async def test_new_streams_take_a_direct_connection_rather_than_one_through_a_third() -> None:
    async with a_circuit() as (caller, callee, middle):
        stream = await caller.open(middle.peer_id, "/test/hop")
        relayed = await caller.upgrade(StreamTransport(stream), opened_by_us=True, is_relayed=True)
        direct = await caller.dial_address(callee.peer_id, f"/ip4/127.0.0.1/tcp/{callee.port}")
        await callee.serve("/test/echo", echo)
        assert (await caller.open(callee.peer_id, "/test/echo")).connection is direct
        assert (await caller.open(callee.peer_id, "/test/echo", relayed=True)).connection is relayed
        direct.abandon()
        assert (await caller.open(callee.peer_id, "/test/echo")).connection is relayed
        await relayed.close()


async def test_two_hosts_on_one_loop_end_in_order() -> None:
    async with two_hosts() as (caller, callee):
        ends: list[str] = []
        caller.watch(disconnected=lambda connection: ends.append(connection.peer))
        await callee.close()
        await until(lambda: ends == [callee.peer_id])
