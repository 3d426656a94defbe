"""The muxer: streams there and back, their ends, and what nobody can take from it."""

from __future__ import annotations

import asyncio

import pytest
from tests.net.jumping_loop import everybody_waits, run
from tests.net.muxers import Muxed, a_muxer_and_bytes, read_all, two_muxers

from goop2.net import frames
from goop2.net.limits import (
    CONTROL_FRAME_COSTS_BYTES,
    CONTROL_FRAMES_MAX,
    SILENCE_SECONDS,
    STREAMS_PER_DIRECTION,
    UNSENT_MAX_BYTES,
    WINDOW_MAX_BYTES,
    HostLimits,
)
from goop2.net.muxer import FIRST_WINDOW_BYTES, MuxedStream, MuxedStreamError, MuxedStreamResetError

SYN = frames.write(frames.WINDOW, frames.SYN, 1)


async def pair(dialler: Muxed, dialled: Muxed) -> tuple[MuxedStream, MuxedStream]:
    """A stream, at both its ends."""
    return dialler.open(), await dialled.accept_stream()


# Streams.


def test_bytes_go_both_ways_and_each_side_ends_its_own() -> None:
    async def main() -> None:
        async with two_muxers() as (dialler, dialled):
            ours, theirs = await pair(dialler, dialled)
            await ours.write(b"question")
            ours.close_now()
            assert await read_all(theirs) == b"question"
            await theirs.write(b"answer")
            theirs.close_now()
            assert await read_all(ours) == b"answer"
            assert (dialler.streams, dialled.streams) == ({}, {})

    run(main)


def test_more_than_any_window_arrives_whole_while_another_stream_goes_on() -> None:
    content = bytes(range(256)) * 4096 * 5

    async def main() -> None:
        async with two_muxers() as (dialler, dialled):
            ours, theirs = await pair(dialler, dialled)
            beside, its_end = await pair(dialler, dialled)
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(ours.write(content))
                await beside.write(b"hello")
                assert await its_end.read(65536) == b"hello"
                got = b""
                while len(got) < len(content):
                    got += await theirs.read(65536)
            assert got == content
            assert dialled.admission.memory.held == 0

    run(main)


def test_both_sides_open_streams() -> None:
    async def main() -> None:
        async with two_muxers() as (dialler, dialled):
            one, its_end = await pair(dialled, dialler)
            await one.write(b"from the dialled")
            assert await its_end.read(65536) == b"from the dialled"
            assert (dialler.opened_by_us, dialled.opened_by_us) == (True, False)

    run(main)


def test_a_stream_that_is_reset_does_not_look_like_one_that_is_done() -> None:
    async def main() -> None:
        async with two_muxers() as (dialler, dialled):
            ours, theirs = await pair(dialler, dialled)
            await ours.write(b"half a")
            ours.abandon()
            with pytest.raises(MuxedStreamResetError):
                await read_all(theirs)
            with pytest.raises(MuxedStreamError):
                await theirs.write(b"x")
            assert dialled.admission.memory.held == 0

    run(main)


def test_a_connection_that_is_lost_does_not_look_like_a_stream_that_is_done_but_what_was_whole_can_be_read() -> None:
    async def main() -> None:
        async with two_muxers() as (dialler, dialled):
            whole, whole_end = await pair(dialler, dialled)
            half, half_end = await pair(dialler, dialled)
            await whole.write(b"whole")
            whole.close_now()
            await half.write(b"half a")
            await everybody_waits()
            dialler.wire.end()
            await dialled.event_ended.wait()
            assert await read_all(whole_end) == b"whole"
            with pytest.raises(MuxedStreamResetError):
                await half_end.read(65536)
            with pytest.raises(MuxedStreamError):
                dialled.open()
            assert dialled.admission.memory.held == 0

    run(main)


def test_the_last_words_before_a_goodbye_are_heard() -> None:
    async def main() -> None:
        async with two_muxers() as (dialler, dialled):
            ours, theirs = await pair(dialler, dialled)
            await ours.write(b"bye")
            ours.close_now()
            await dialler.close()
            assert await read_all(theirs) == b"bye"

    run(main)


def test_a_cancelled_writer_leaves_the_connection_whole() -> None:
    async def main() -> None:
        async with two_muxers() as (dialler, dialled):
            ours, theirs = await pair(dialler, dialled)
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(1):
                    await ours.write(bytes(2 * WINDOW_MAX_BYTES))
            ours.abandon()
            again, its_end = await pair(dialler, dialled)
            await again.write(b"still there")
            assert await its_end.read(65536) == b"still there"
            assert theirs.was_reset

    run(main)


def test_a_reader_that_pauses_for_long_gets_everything() -> None:
    size = 3 * WINDOW_MAX_BYTES

    async def write(stream: MuxedStream) -> None:
        await stream.write(bytes(size))
        stream.close_now()

    async def main() -> None:
        async with two_muxers() as (dialler, dialled):
            ours, theirs = await pair(dialler, dialled)
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(write(ours))
                await theirs.read(65536)
                await asyncio.sleep(20)  # this loop's clock jumps
                assert len(await read_all(theirs)) > size - FIRST_WINDOW_BYTES

    run(main)


# What the other side cannot do.


def test_who_sends_more_than_the_window_loses_the_connection() -> None:
    async def main() -> None:
        async with a_muxer_and_bytes() as (dialled, other):
            other.write(SYN)
            piece = frames.write(frames.DATA, 0, 1, data=bytes(FIRST_WINDOW_BYTES // 4))
            other.write(piece * 4)
            await everybody_waits()
            assert not dialled.is_ended
            assert dialled.admission.memory.held == FIRST_WINDOW_BYTES
            other.write(frames.write(frames.DATA, 0, 1, data=b"x"))
            await dialled.event_ended.wait()
            assert dialled.admission.memory.held == 0

    run(main)


def test_what_all_hold_together_is_bounded() -> None:
    async def main() -> None:
        async with a_muxer_and_bytes(HostLimits(buffered_bytes=100)) as (dialled, other):
            other.write(SYN + frames.write(frames.DATA, 0, 1, data=bytes(101)))
            await dialled.event_ended.wait()

    run(main)


def test_who_sends_more_than_a_minutes_worth_loses_the_connection_however_fast_it_is_read() -> None:
    async def main() -> None:
        async with a_muxer_and_bytes(HostLimits(bytes_per_minute_and_peer=1000)) as (dialled, other):
            other.write(SYN)
            stream = await dialled.accept_stream()
            for _ in range(9):
                other.write(frames.write(frames.DATA, 0, 1, data=bytes(100)))
                await stream.read(65536)
            other.write(frames.write(frames.DATA, 0, 1, data=bytes(100)))
            await dialled.event_ended.wait()

    run(main)


def test_frames_without_data_are_counted_too() -> None:
    async def main() -> None:
        async with a_muxer_and_bytes(HostLimits(bytes_per_minute_and_peer=10 * CONTROL_FRAME_COSTS_BYTES)) as (dialled, other):
            other.write(frames.write(frames.WINDOW, 0, 99, 1) * 11)
            await dialled.event_ended.wait()

    run(main)


def test_who_makes_us_answer_and_reads_no_answer_loses_the_connection() -> None:
    async def main() -> None:
        async with a_muxer_and_bytes() as (dialled, other):
            # Unread in the pipe: our writer is stuck with the first answer.
            dialled.wire.stuck = True
            for _ in range(CONTROL_FRAMES_MAX + 2):
                other.write(frames.write(frames.PING, frames.SYN, 0, 1))
                await everybody_waits()
            await dialled.event_ended.wait()

    run(main)


def test_streams_do_not_gather_more_than_a_bound_for_a_slow_connection() -> None:
    async def main() -> None:
        async with two_muxers() as (dialler, dialled):
            streams = [await pair(dialler, dialled) for _ in range(4)]
            dialler.wire.stuck = True
            writers = [asyncio.create_task(ours.write(bytes(FIRST_WINDOW_BYTES))) for ours, _theirs in streams]
            await everybody_waits()
            assert dialler._unsent < 2 * UNSENT_MAX_BYTES
            for writer in writers:
                writer.cancel()
            dialler.end()

    run(main)


def test_streams_beyond_the_bound_are_refused_one_by_one() -> None:
    async def main() -> None:
        async with two_muxers() as (dialler, dialled):
            for _ in range(STREAMS_PER_DIRECTION):
                await pair(dialler, dialled)
            with pytest.raises(MuxedStreamError, match="256 streams are open"):
                dialler.open()
        async with a_muxer_and_bytes() as (dialled, other):
            other.write(b"".join(frames.write(frames.WINDOW, frames.SYN, 2 * each + 1) for each in range(STREAMS_PER_DIRECTION + 50)))
            await everybody_waits()
            assert len(dialled.streams) == STREAMS_PER_DIRECTION
            other.write(b"".join(frames.write(frames.WINDOW, frames.SYN, 2 * each + 1) for each in range(1000, 10_000)))
            await dialled.event_ended.wait()

    run(main)


@pytest.mark.parametrize("stream_id", [0, 2])
def test_a_stream_that_is_not_theirs_to_open_ends_the_connection(stream_id: int) -> None:
    async def main() -> None:
        async with a_muxer_and_bytes() as (dialled, other):
            other.write(frames.write(frames.WINDOW, frames.SYN, stream_id))
            await dialled.event_ended.wait()

    run(main)


def test_what_still_comes_of_a_stream_that_was_reset_is_dropped() -> None:
    async def main() -> None:
        async with a_muxer_and_bytes() as (dialled, other):
            other.write(SYN)
            (await dialled.accept_stream()).abandon()
            other.write(frames.write(frames.DATA, 0, 1, data=bytes(1000)))
            await everybody_waits()
            assert not dialled.is_ended
            assert dialled.admission.memory.held == 0

    run(main)


def test_what_nobody_reads_is_let_go_with_its_stream() -> None:
    async def main() -> None:
        async with two_muxers() as (dialler, dialled):
            ours, theirs = await pair(dialler, dialled)
            await ours.write(b"never read")
            ours.close_now()
            await everybody_waits()
            theirs.close_now()
            assert dialled.admission.memory.held == len(b"never read")
            del theirs
            assert dialled.admission.memory.held == 0

    run(main)


def test_a_connection_whose_other_side_is_gone_without_a_word_is_lost_after_a_while() -> None:
    async def main() -> None:
        async with a_muxer_and_bytes() as (dialled, _silent):
            begun = asyncio.get_running_loop().time()
            await dialled.event_ended.wait()
            assert SILENCE_SECONDS <= asyncio.get_running_loop().time() - begun <= SILENCE_SECONDS + 60

    run(main)


def test_an_idle_connection_lives_on() -> None:
    async def main() -> None:
        async with two_muxers() as (dialler, dialled):
            await asyncio.sleep(24 * 3600)  # this loop's clock jumps
            ours, theirs = await pair(dialler, dialled)
            await ours.write(b"good morning")
            assert await theirs.read(65536) == b"good morning"

    run(main)
