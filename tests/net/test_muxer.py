"""The muxer: streams there and back, their ends, and what nobody can take from it."""

from __future__ import annotations

import contextlib

import pytest
import trio
from libp2p.stream_muxer.exceptions import MuxedConnUnavailable, MuxedStreamError, MuxedStreamReset
from tests.net.muxers import Pipe, a_muxer_and_bytes, read_all, run, two_muxers

from goop2.net import frames
from goop2.net.limits import (
    CONTROL_FRAME_COSTS_BYTES,
    CONTROL_FRAMES_MAX,
    LIBRARY_WRITE_SECONDS,
    SILENCE_SECONDS,
    STREAMS_PER_DIRECTION,
    UNSENT_MAX_BYTES,
    WINDOW_MAX_BYTES,
    HostLimits,
)
from goop2.net.muxer import FIRST_WINDOW_BYTES, MuxedStream, Muxer

SYN = frames.write(frames.WINDOW, frames.SYN, 1)


async def pair(dialler: Muxer, dialled: Muxer) -> tuple[MuxedStream, MuxedStream]:
    """A stream, at both its ends."""
    return await dialler.open_stream(), await dialled.accept_stream()


# Streams.


def test_bytes_go_both_ways_and_each_side_ends_its_own() -> None:
    async def main() -> None:
        async with two_muxers() as (dialler, dialled):
            ours, theirs = await pair(dialler, dialled)
            await ours.write(b"question")
            await ours.close()
            assert await read_all(theirs) == b"question"
            await theirs.write(b"answer")
            await theirs.close()
            assert await read_all(ours) == b"answer"
            assert (dialler.streams, dialled.streams) == ({}, {})

    run(main)


def test_more_than_any_window_arrives_whole_while_another_stream_goes_on() -> None:
    content = bytes(range(256)) * 4096 * 5

    async def main() -> None:
        async with two_muxers() as (dialler, dialled):
            ours, theirs = await pair(dialler, dialled)
            beside, its_end = await pair(dialler, dialled)
            async with trio.open_nursery() as nursery:
                nursery.start_soon(ours.write, content)
                await beside.write(b"hello")
                assert await its_end.read() == b"hello"
                got = b""
                while len(got) < len(content):
                    got += await theirs.read()
            assert got == content
            assert dialled.admission.memory.held == 0

    run(main)


def test_both_sides_open_streams() -> None:
    async def main() -> None:
        async with two_muxers() as (dialler, dialled):
            one, its_end = await pair(dialled, dialler)
            await one.write(b"from the dialled")
            assert await its_end.read() == b"from the dialled"
            assert (dialler.is_initiator, dialled.is_initiator) == (True, False)

    run(main)


def test_a_stream_that_is_reset_does_not_look_like_one_that_is_done() -> None:
    async def main() -> None:
        async with two_muxers() as (dialler, dialled):
            ours, theirs = await pair(dialler, dialled)
            await ours.write(b"half a")
            ours.abandon()
            with pytest.raises(MuxedStreamReset):
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
            await whole.close()
            await half.write(b"half a")
            await half_end.arrival()
            await dialler.secured_conn.close()
            await dialled.event_closed.wait()
            assert await read_all(whole_end) == b"whole"
            with pytest.raises(MuxedStreamReset):
                await half_end.read()
            with pytest.raises(MuxedConnUnavailable):
                await dialled.accept_stream()
            with pytest.raises(MuxedStreamError):
                await dialled.open_stream()
            assert dialled.admission.memory.held == 0

    run(main)


@pytest.mark.parametrize("_whoever_runs_first", range(20))
def test_the_librarys_reset_at_the_end_of_a_connection_takes_nothing_that_came_whole(_whoever_runs_first: int) -> None:
    async def main() -> None:
        async with two_muxers() as (dialler, dialled), trio.open_nursery() as nursery:
            ours, theirs = await pair(dialler, dialled)

            async def accept() -> None:
                with pytest.raises(MuxedConnUnavailable):
                    await dialled.accept_stream()
                await theirs.reset()

            nursery.start_soon(accept)
            await ours.write(b"whole")
            await ours.close()
            await dialler.close()
            await dialled.event_closed.wait()
            assert await read_all(theirs) == b"whole"

    run(main)


def test_the_last_words_before_a_goodbye_are_heard() -> None:
    async def main() -> None:
        async with two_muxers() as (dialler, dialled):
            ours, theirs = await pair(dialler, dialled)
            await ours.write(b"bye")
            await ours.close()
            await dialler.close()
            assert await read_all(theirs) == b"bye"

    run(main)


def test_a_cancelled_writer_leaves_the_connection_whole() -> None:
    async def main() -> None:
        async with two_muxers() as (dialler, dialled):
            ours, theirs = await pair(dialler, dialled)
            with trio.move_on_after(1) as scope:
                await ours.write(bytes(2 * WINDOW_MAX_BYTES))
            assert scope.cancelled_caught
            ours.abandon()
            again, its_end = await pair(dialler, dialled)
            await again.write(b"still there")
            assert await its_end.read() == b"still there"
            assert theirs.was_reset

    run(main)


def test_a_reader_that_pauses_for_long_gets_everything() -> None:
    """The library's muxer gives up after 5 s, with part of the data sent."""
    size = 3 * WINDOW_MAX_BYTES

    async def write(stream: MuxedStream) -> None:
        left = size
        while left:
            left -= await stream.write_some(bytes(left))
        await stream.close()

    async def main() -> None:
        async with two_muxers() as (dialler, dialled):
            ours, theirs = await pair(dialler, dialled)
            async with trio.open_nursery() as nursery:
                nursery.start_soon(write, ours)
                await theirs.read()
                await trio.sleep(20)
                assert len(await read_all(theirs)) > size - FIRST_WINDOW_BYTES

    run(main)


# What the other side cannot do.


def test_what_the_library_writes_gives_up_when_nothing_is_taken() -> None:
    async def main() -> None:
        async with two_muxers() as (dialler, dialled):
            ours, _theirs = await pair(dialler, dialled)
            begun = trio.current_time()
            with pytest.raises(MuxedStreamError, match="has taken nothing for 5 s"):
                await ours.write(bytes(2 * FIRST_WINDOW_BYTES))
            assert trio.current_time() - begun < 2 * LIBRARY_WRITE_SECONDS

    run(main)


def test_who_sends_more_than_the_window_loses_the_connection() -> None:
    async def main() -> None:
        async with a_muxer_and_bytes() as (dialled, other):
            await other.write(SYN)
            piece = frames.write(frames.DATA, 0, 1, data=bytes(FIRST_WINDOW_BYTES // 4))
            await other.write(piece * 4)
            await trio.testing.wait_all_tasks_blocked()
            assert not dialled.is_closed
            assert dialled.admission.memory.held == FIRST_WINDOW_BYTES
            await other.write(frames.write(frames.DATA, 0, 1, data=b"x"))
            await dialled.event_closed.wait()
            assert dialled.admission.memory.held == 0

    run(main)


def test_bytes_that_do_not_even_decrypt_end_their_connection_and_nothing_else() -> None:
    async def main() -> None:
        async with a_muxer_and_bytes() as (dialled, other):
            pipe = dialled.secured_conn
            assert isinstance(pipe, Pipe)
            pipe.failure = ValueError("no such tag")
            await other.write(SYN)
            await dialled.event_closed.wait()

    run(main)


def test_what_all_hold_together_is_bounded() -> None:
    async def main() -> None:
        async with a_muxer_and_bytes(HostLimits(buffered_bytes=100)) as (dialled, other):
            await other.write(SYN + frames.write(frames.DATA, 0, 1, data=bytes(101)))
            await dialled.event_closed.wait()

    run(main)


def test_who_sends_more_than_a_minutes_worth_loses_the_connection_however_fast_it_is_read() -> None:
    async def main() -> None:
        async with a_muxer_and_bytes(HostLimits(bytes_per_minute_and_peer=1000)) as (dialled, other):
            await other.write(SYN)
            stream = await dialled.accept_stream()
            for _ in range(9):
                await other.write(frames.write(frames.DATA, 0, 1, data=bytes(100)))
                await stream.read()
            await other.write(frames.write(frames.DATA, 0, 1, data=bytes(100)))
            await dialled.event_closed.wait()

    run(main)


def test_frames_without_data_are_counted_too() -> None:
    async def main() -> None:
        async with a_muxer_and_bytes(HostLimits(bytes_per_minute_and_peer=10 * CONTROL_FRAME_COSTS_BYTES)) as (dialled, other):
            await other.write(frames.write(frames.WINDOW, 0, 99, 1) * 11)
            await dialled.event_closed.wait()

    run(main)


def test_who_makes_us_answer_and_reads_no_answer_loses_the_connection() -> None:
    async def main() -> None:
        async with a_muxer_and_bytes() as (dialled, other):
            # Unread in the pipe: our writer is stuck with the first answer.
            _stick(dialled)
            for _ in range(CONTROL_FRAMES_MAX + 2):
                await other.write(frames.write(frames.PING, frames.SYN, 0, 1))
                await trio.testing.wait_all_tasks_blocked()
            await dialled.event_closed.wait()

    run(main)


def _stick(muxer: Muxer) -> None:
    pipe = muxer.secured_conn
    assert isinstance(pipe, Pipe)
    pipe.stuck = True


def test_streams_do_not_gather_more_than_a_bound_for_a_slow_connection() -> None:
    async def main() -> None:
        async with two_muxers() as (dialler, dialled):
            streams = [await pair(dialler, dialled) for _ in range(4)]
            _stick(dialler)
            async with trio.open_nursery() as nursery:
                for ours, _theirs in streams:
                    nursery.start_soon(ours.write, bytes(FIRST_WINDOW_BYTES))
                await trio.testing.wait_all_tasks_blocked()
                assert dialler._unsent < 2 * UNSENT_MAX_BYTES
                nursery.cancel_scope.cancel()

    run(main)


def test_streams_beyond_the_bound_are_refused_one_by_one() -> None:
    async def main() -> None:
        async with two_muxers() as (dialler, dialled):
            for _ in range(STREAMS_PER_DIRECTION):
                await pair(dialler, dialled)
            with pytest.raises(MuxedStreamError, match="256 streams are open"):
                await dialler.open_stream()
        async with a_muxer_and_bytes() as (dialled, other):
            await other.write(b"".join(frames.write(frames.WINDOW, frames.SYN, 2 * each + 1) for each in range(STREAMS_PER_DIRECTION + 50)))
            await trio.testing.wait_all_tasks_blocked()
            assert len(dialled.streams) == STREAMS_PER_DIRECTION
            with contextlib.suppress(trio.BrokenResourceError):
                await other.write(b"".join(frames.write(frames.WINDOW, frames.SYN, 2 * each + 1) for each in range(1000, 10_000)))
            await dialled.event_closed.wait()

    run(main)


@pytest.mark.parametrize("stream_id", [0, 2])
def test_a_stream_that_is_not_theirs_to_open_ends_the_connection(stream_id: int) -> None:
    async def main() -> None:
        async with a_muxer_and_bytes() as (dialled, other):
            await other.write(frames.write(frames.WINDOW, frames.SYN, stream_id))
            await dialled.event_closed.wait()

    run(main)


def test_what_still_comes_of_a_stream_that_was_reset_is_dropped() -> None:
    async def main() -> None:
        async with a_muxer_and_bytes() as (dialled, other):
            await other.write(SYN)
            (await dialled.accept_stream()).abandon()
            await other.write(frames.write(frames.DATA, 0, 1, data=bytes(1000)))
            await trio.testing.wait_all_tasks_blocked()
            assert not dialled.is_closed
            assert dialled.admission.memory.held == 0

    run(main)


def test_what_nobody_reads_is_let_go_with_its_stream() -> None:
    async def main() -> None:
        async with two_muxers() as (dialler, dialled):
            ours, theirs = await pair(dialler, dialled)
            await ours.write(b"never read")
            await ours.close()
            await theirs.arrival()
            await theirs.close()
            assert dialled.admission.memory.held == len(b"never read")
            del theirs
            assert dialled.admission.memory.held == 0

    run(main)


def test_a_connection_whose_other_side_is_gone_without_a_word_is_lost_after_a_while() -> None:
    async def main() -> None:
        async with a_muxer_and_bytes() as (dialled, _silent):
            begun = trio.current_time()
            await dialled.event_closed.wait()
            assert SILENCE_SECONDS <= trio.current_time() - begun <= SILENCE_SECONDS + 60

    run(main)


def test_an_idle_connection_lives_on() -> None:
    async def main() -> None:
        async with two_muxers() as (dialler, dialled):
            await trio.sleep(24 * 3600)
            ours, theirs = await pair(dialler, dialled)
            await ours.write(b"good morning")
            assert await theirs.read() == b"good morning"

    run(main)
