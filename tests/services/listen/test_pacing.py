"""Sound at the pace it is heard, by a clock of the test's."""

from __future__ import annotations

import asyncio
import io
import tracemalloc
from collections.abc import Callable
from contextlib import aclosing

import pytest

from goop2.services.listen import pacing
from goop2.services.listen.boundaries import SoundRange
from goop2.services.listen.pacing import BEHIND_SECONDS, BLOCK_BYTES, LEAD_SECONDS, STEP_SECONDS, paced

BYTES_PER_SECOND = 16_000
FRAME = 400
AHEAD_SECONDS = LEAD_SECONDS + BLOCK_BYTES / BYTES_PER_SECOND


class Clock:
    """Goes on when somebody sleeps."""

    def __init__(self, at: float = 0.0) -> None:
        self.at: float | None = at

    def position(self) -> float | None:
        return self.at

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(0)
        if self.at is not None:
            self.at += seconds


def even(seconds: int, content: Callable[[int], bytes] = bytes) -> SoundRange:
    end = seconds * BYTES_PER_SECOND

    def boundary(at: float) -> tuple[int, float]:
        offset = min(end, int(at * BYTES_PER_SECOND) // FRAME * FRAME)
        return offset, offset / BYTES_PER_SECOND

    return SoundRange(io.BytesIO(content(end)), b"head", end, boundary)


async def test_all_of_it_comes_in_order_and_never_more_than_the_lead_ahead() -> None:
    clock = Clock()
    heard = even(30, lambda end: bytes(range(256)) * (end // 256))
    got = b""
    async for piece in paced(heard, clock.position, clock.sleep):
        got += piece
        assert clock.at is not None
        assert len(got) - 4 <= (clock.at + AHEAD_SECONDS) * BYTES_PER_SECOND
    assert got == b"head" + heard.file.read() if heard.file.seek(0) == 0 else b""
    assert clock.at == pytest.approx(30 - AHEAD_SECONDS, abs=STEP_SECONDS)


async def test_a_browser_that_holds_a_block_back_has_the_lead_still() -> None:
    """At any rate: what it has in whole blocks reaches LEAD_SECONDS beyond what is heard."""
    clock = Clock(20.0)
    async with aclosing(paced(even(60), clock.position, clock.sleep)) as pieces:
        got = [len(await anext(pieces)) for _ in range(2)]
    assert sum(got[1:]) // BLOCK_BYTES * BLOCK_BYTES >= LEAD_SECONDS * BYTES_PER_SECOND


async def test_who_comes_late_hears_the_second_that_is_played() -> None:
    clock = Clock(20.02)
    got = [piece async for piece in paced(even(30), clock.position, clock.sleep)]
    assert sum(map(len, got)) == 4 + 10 * BYTES_PER_SECOND


async def test_a_listener_who_is_slow_misses_what_it_missed_in_whole_frames() -> None:
    clock = Clock()
    heard = even(60, lambda end: b"".join(i.to_bytes(4, "big") * (FRAME // 4) for i in range(end // FRAME)))
    frames: list[int] = []
    async with aclosing(paced(heard, clock.position, clock.sleep)) as pieces:
        assert await anext(pieces) == b"head"
        async for piece in pieces:
            assert len(piece) % FRAME == 0
            frames += [int.from_bytes(piece[at : at + 4], "big") for at in range(0, len(piece), FRAME)]
            if clock.at is not None and 10 < clock.at < 10.6:
                clock.at += 15  # the network stalls
    assert frames == sorted(frames)
    missed = set(range(60 * BYTES_PER_SECOND // FRAME)) - set(frames)
    assert (15 - AHEAD_SECONDS - BEHIND_SECONDS) * BYTES_PER_SECOND / FRAME <= len(missed) <= 15 * BYTES_PER_SECOND / FRAME


async def test_a_listener_who_reads_nothing_costs_one_piece(monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[int] = []
    real = pacing._piece

    def counted(sound: SoundRange, at: int, size: int) -> bytes:
        read.append(size)
        return real(sound, at, size)

    monkeypatch.setattr(pacing, "_piece", counted)
    clock = Clock()
    async with aclosing(paced(even(3600), clock.position, clock.sleep)) as pieces:
        await anext(pieces)
        await anext(pieces)
        clock.at = 3000.0
        for _ in range(50):
            await asyncio.sleep(0)
    assert sum(read) <= pacing.PIECE_BYTES


async def test_a_pause_ends_it() -> None:
    clock = Clock()
    async with aclosing(paced(even(30), clock.position, clock.sleep)) as pieces:
        assert await anext(pieces) == b"head"
        clock.at = None
        rest = [piece async for piece in pieces]
    assert sum(map(len, rest)) <= AHEAD_SECONDS * BYTES_PER_SECOND


@pytest.mark.slow
async def test_an_hour_leaves_the_memory_as_it_was() -> None:
    clock = Clock()
    heard = even(3600)
    tracemalloc.start()
    try:
        at_ten_minutes = at_the_end = 0
        async for _ in paced(heard, clock.position, clock.sleep):
            at_the_end = tracemalloc.get_traced_memory()[0]
            if not at_ten_minutes and clock.at is not None and clock.at > 600:
                at_ten_minutes = at_the_end
    finally:
        tracemalloc.stop()
    assert clock.at is not None
    assert clock.at > 3500
    assert at_the_end - at_ten_minutes < 50_000
