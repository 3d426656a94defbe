"""A socket's carrier, on a real pair of sockets: what came and what goes, and that nothing of it outlives the connection."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
from collections.abc import AsyncIterator
from typing import Any

import pytest
from goop2.net.carriers import SocketCarrier
from tests.net.hosts import until

from goop2.net.packets import LENGTH_BYTES, Packets

MEGABYTE = 1024 * 1024


class Plain:
    """No cipher at all: what is on the wire can be read."""

    def encrypt(self, data: bytes) -> bytes:
        return bytes(data)

    def decrypt(self, data: bytes) -> bytes:
        if data.startswith(b"forged"):
            raise ValueError("no such tag")
        return data


def message(content: bytes) -> bytes:
    return len(content).to_bytes(LENGTH_BYTES, "big") + content


class Heard:
    """Who the bytes are for and from."""

    def __init__(self) -> None:
        self.came: list[bytes] = []
        self.to_send: list[bytes] = []
        self.sizes: list[int] = []
        self.asked = 0

    def receive(self, data: bytes) -> None:
        if data == b"goodbye":
            raise EOFError
        self.came.append(data)

    def outgoing(self) -> bytes:
        self.asked += 1
        batch, self.to_send = b"".join(self.to_send), []
        return batch

    def sent(self, size: int) -> None:
        self.sizes.append(size)


class Carried:
    """A carrier that runs, and the other side's socket."""

    def __init__(self, early_message: bytes = b"", early: bytes = b"") -> None:
        self.cargo = Heard()
        ours, self.other = socket.socketpair()
        ours.setblocking(False)
        self.other.setblocking(False)
        self.socket = ours
        self.carrier = SocketCarrier(ours, Packets(Plain(), early_message), early, guest.touch)
        self.life = asyncio.create_task(guest.call(self.carrier.run, self.cargo))

    def send(self, *contents: bytes) -> None:
        for content in contents:
            self.cargo.to_send.append(content)
            self.carrier.wake()

    def is_closed(self) -> bool:
        try:
            return self.other.recv(1, socket.MSG_PEEK) == b""
        except BlockingIOError:
            return False


@contextlib.asynccontextmanager
async def carried(**early: bytes) -> AsyncIterator[Carried]:
    one = Carried(**early)
    # What a callback of the loop lets through would be told here, and nowhere else.
    unhandled: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _loop, context: unhandled.append(context))
    try:
        await asyncio.sleep(0.02)
        one.socket.close()
        yield one
    finally:
        one.life.cancel()
        await asyncio.gather(one.life, return_exceptions=True)
        one.other.close()
        asyncio.get_running_loop().set_exception_handler(None)
    assert unhandled == []


async def test_what_comes_is_taken_and_what_was_read_before_comes_first() -> None:
    async with carried(early=b"first", early_message=message(b"second")) as one:
        await until(lambda: len(one.cargo.came) == 2)
        one.other.send(message(b"third") + message(b"four")[:3])
        one.other.send(message(b"four")[3:])
        await until(lambda: one.cargo.came == [b"first", b"second", b"third", b"four"])


async def test_what_gathers_in_a_turn_goes_in_one_packet() -> None:
    async with carried() as one:
        one.send(b"one", b"two")
        await until(lambda: bool(one.cargo.sizes))
        assert one.other.recv(100) == message(b"onetwo")
        assert one.cargo.sizes == [6]


async def test_what_was_to_be_sent_before_it_ran_is_sent() -> None:
    one = Carried()
    one.send(b"hello")
    await until(lambda: one.cargo.sizes == [5])
    one.other.close()
    await one.life
    one.socket.close()


async def test_a_socket_that_was_closed_before_it_ran_ends_it() -> None:
    one = Carried()
    one.socket.close()
    one.other.close()
    with pytest.raises(OSError, match="file descriptor"):
        await one.life


async def test_who_ends_it_closes_the_socket() -> None:
    async with carried() as one:
        one.carrier.end()
        assert one.is_closed()
        await asyncio.wait_for(one.life, 20)
        one.carrier.end()


async def test_a_slow_reader_is_waited_for_and_gets_all_of_it() -> None:
    async with carried() as one:
        content = os.urandom(3 * MEGABYTE)
        one.send(content)
        one.send(b"last")
        await asyncio.sleep(0.05)
        assert one.cargo.sizes == []
        packets, came = Packets(Plain()), b""
        async with asyncio.timeout(20):
            while len(came) < len(content) + 4:
                with contextlib.suppress(BlockingIOError):
                    came += b"".join(packets.receive(one.other.recv(65536)))
                await asyncio.sleep(0)
        assert came == content + b"last"
        assert sum(one.cargo.sizes) == len(came)
        asked = one.cargo.asked
        await asyncio.sleep(0.02)
        assert one.cargo.asked <= asked + 1, "it asks for more to send all the time"


@pytest.mark.parametrize("what", ["it closes", "it says so", "its bytes do not decrypt"])
async def test_the_end_is_the_end_of_the_run_and_closes_the_socket(what: str) -> None:
    async with carried() as one:
        if what == "it closes":
            one.other.shutdown(socket.SHUT_WR)
        else:
            one.other.send(message(b"goodbye" if what == "it says so" else b"forged"))
        await asyncio.wait_for(one.life, 20)
        assert one.is_closed()


async def test_a_reset_while_it_sends_is_the_end_too() -> None:
    async with carried() as one:
        one.send(bytes(3 * MEGABYTE))
        await asyncio.sleep(0.05)
        # Its reader would tell, too.
        asyncio.get_running_loop().remove_reader(one.carrier._fd)
        one.other.close()
        await asyncio.wait_for(one.life, 20)


async def test_who_is_done_reads_to_the_other_sides_end_and_is_not_ended_by_what_would_have_been_sent() -> None:
    one = Carried()
    await asyncio.sleep(0.02)
    assert one.carrier.finish()
    assert one.is_closed()
    one.send(b"an answer nobody hears")
    await asyncio.sleep(0.02)
    one.other.send(message(b"still talking"))
    await until(lambda: one.cargo.came == [b"still talking"])
    one.other.close()
    await asyncio.wait_for(one.life, 20)
    assert not one.carrier.finish()
    one.socket.close()


async def test_who_cancels_it_closes_the_socket() -> None:
    async with carried() as one:
        one.life.cancel()
        await until(one.is_closed)


async def test_after_the_end_nothing_is_written_to_who_has_the_number_now() -> None:
    async with carried() as one:
        one.send(b"in the same turn")
        number = one.carrier._fd
        one.carrier.end()
        pair = socket.socketpair()
        stranger, beside = pair if pair[0].fileno() == number else pair[::-1]
        if stranger.fileno() != number:
            os.dup2(stranger.fileno(), number)
        one.send(b"too late")
        await asyncio.sleep(0.02)
        beside.setblocking(False)
        with pytest.raises(BlockingIOError):
            beside.recv(100)
        beside.close()
        if stranger.fileno() != number:
            os.close(number)
        stranger.close()
