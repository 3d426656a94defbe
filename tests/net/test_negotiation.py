"""Agreeing on a protocol, byte for byte as others do it, and in how many steps."""

from __future__ import annotations

import asyncio
import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.net.jumping_loop import run
from tests.net.muxers import read_all, two_muxers

from goop2.net.muxer import MuxedStream, MuxedStreamError
from goop2.net.negotiation import NAME_MAX_BYTES, TRIES_MAX, accept, choose, message, proposal
from goop2.protocols.errors import RemoteProtocolError

SECONDS = 5
HEADER = b"\x13/multistream/1.0.0\n"


def test_messages_are_those_of_the_format() -> None:
    assert message("/multistream/1.0.0") == HEADER
    assert proposal("/a") == HEADER + b"\x03/a\n"
    assert message("x" * 199) == b"\xc8\x01" + b"x" * 199 + b"\n"


def test_the_first_that_is_spoken_is_chosen_by_both_sides() -> None:
    async def main() -> None:
        async with two_muxers() as (dialler, dialled):
            ours = dialler.open()
            theirs = await dialled.accept_stream()
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(expect_accepted(theirs, "/b"))
                assert await choose(ours, ["/a", "/b"]) == "/b"

    run(main)


async def expect_accepted(stream: MuxedStream, protocol: str) -> None:
    wanted, unsent = await accept(stream, {protocol})
    assert (wanted, unsent) == (protocol, b"")


@pytest.mark.parametrize("length", [126, 127, 128, 255, 256, 1000, NAME_MAX_BYTES - 1])
def test_a_name_as_long_as_may_be_is_spoken_by_both_sides(length: int) -> None:
    """Of 127 bytes and more with its newline, the length before it takes two bytes; both sides may have asked for another name first."""
    name = "/" + "x" * (length - 1)

    async def main() -> None:
        async with two_muxers() as (dialler, dialled):
            ours = dialler.open()
            theirs = await dialled.accept_stream()
            async with asyncio.timeout(SECONDS), asyncio.TaskGroup() as tasks:
                tasks.create_task(expect_accepted(theirs, name))
                assert await choose(ours, ["/a" + "y" * 200, name]) == name

    run(main)


@pytest.mark.parametrize("size", [NAME_MAX_BYTES + 1, 2 * NAME_MAX_BYTES, (1 << 14) - 1])
def test_a_longer_name_is_refused_by_its_length_before_it_comes(size: int) -> None:
    async def main() -> None:
        async with two_muxers() as (dialler, dialled):
            ours = dialler.open()
            theirs = await dialled.accept_stream()
            await ours.write(HEADER + bytes((size & 0x7F | 0x80, size >> 7)))
            with pytest.raises(RemoteProtocolError, match=rf"name of {size} bytes"):
                async with asyncio.timeout(SECONDS):
                    await accept(theirs, {"/a"})

    run(main)


def test_nothing_spoken_is_said() -> None:
    async def main() -> None:
        async with two_muxers() as (dialler, dialled):
            ours = dialler.open()
            theirs = await dialled.accept_stream()
            await theirs.write(HEADER + b"\x03na\n" * 2)
            assert await choose(ours, ["/a", "/b"]) is None
            ours.close_now()
            assert await read_all(theirs) == proposal("/a") + message("/b")

    run(main)


def test_whoever_waits_for_each_answer_gets_it_at_once() -> None:
    """As py-libp2p asks."""

    async def main() -> None:
        async with two_muxers() as (dialler, dialled), asyncio.TaskGroup() as tasks:
            ours = dialler.open()
            tasks.create_task(expect_accepted(await dialled.accept_stream(), "/b"))
            await ours.write(HEADER)
            assert await ours.read(65536) == HEADER
            await ours.write(message("/a"))
            assert await ours.read(65536) == message("na")
            await ours.write(message("/b"))
            assert await ours.read(65536) == message("/b")

    run(main)


def test_whoever_waits_for_nothing_gets_the_answer_with_what_is_said_first() -> None:
    """As go-libp2p asks, and we do."""

    async def main() -> None:
        async with two_muxers() as (dialler, dialled):
            ours = dialler.open()
            theirs = await dialled.accept_stream()
            await ours.write(proposal("/a") + b"question\n")
            assert await accept(theirs, {"/a"}) == ("/a", proposal("/a"))
            assert await theirs.read(65536) == b"question\n"

    run(main)


@pytest.mark.parametrize(
    "sent",
    [
        b"GET / HTTP/1.1\r\n\r\n",
        HEADER + b"\x00",
        HEADER + b"\xff\x7f" + bytes(100),
        HEADER + b"\x03/ab",
        HEADER + b"\x03/x\n" * (TRIES_MAX + 1),
        HEADER,
    ],
)
def test_what_asks_for_no_protocol_is_refused(sent: bytes) -> None:
    async def main() -> None:
        async with two_muxers() as (dialler, dialled):
            ours = dialler.open()
            theirs = await dialled.accept_stream()
            await ours.write(sent)
            ours.close_now()
            with pytest.raises((RemoteProtocolError, MuxedStreamError)):
                await accept(theirs, {"/a"})

    run(main)


@pytest.mark.parametrize("answer", [b"HTTP/1.1 400 Bad Request\r\n", HEADER + message("/b")])
def test_an_answer_to_another_question_is_none(answer: bytes) -> None:
    async def main() -> None:
        async with two_muxers() as (dialler, dialled):
            ours = dialler.open()
            await (await dialled.accept_stream()).write(answer)
            with pytest.raises(RemoteProtocolError):
                await choose(ours, ["/a"])

    run(main)


@given(st.binary(max_size=60) | st.binary(max_size=40).map(lambda rest: HEADER + rest))
def test_whatever_comes_is_accepted_or_refused(sent: bytes) -> None:
    """Invariant: any bytes end in a protocol that is spoken, a RemoteFault, or the stream's end; never in another exception."""

    async def main() -> None:
        async with two_muxers() as (dialler, dialled):
            ours = dialler.open()
            theirs = await dialled.accept_stream()
            await ours.write(sent)
            ours.close_now()
            with contextlib.suppress(RemoteProtocolError, MuxedStreamError):
                assert (await accept(theirs, {"/a"}))[0] == "/a"

    run(main)
