"""Send sound at the pace it is heard: a little ahead of the clock, never more; a listener who is behind is moved ahead.

Nothing is stored for a listener. Taking the next piece says that the last one was sent; a listener who takes none gets none.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import Final

from goop2.services.listen.boundaries import SoundRange

LEAD_SECONDS: Final = 2.0
"""Ahead of the clock: a player's buffer over a home network."""
BLOCK_BYTES: Final = 32 * 1024
"""Ahead of that: browsers hand sound on in blocks of so much, and of 64 kbit/s that is four seconds."""
BEHIND_SECONDS: Final = 1.0
"""A listener so far behind misses what it missed."""
STEP_SECONDS: Final = 0.5
PIECE_BYTES: Final = 64 * 1024


async def paced(
    sound: SoundRange, position: Callable[[], float | None], sleep: Callable[[float], Awaitable[object]] = asyncio.sleep
) -> AsyncGenerator[bytes, None]:
    """Yield the pieces from the current position on: first what a decoder needs, then whole frames or pages.

    `position` gives seconds into the track, None once it no longer plays on from where it did; that is the end, as is the track's.
    """
    at: int | None = None
    while (now := position()) is not None:
        begin = await asyncio.to_thread(sound.offset, now)
        until = await asyncio.to_thread(_until, sound, now, begin)
        if at is None:
            yield sound.prefix
            at = begin
        # A short delay is caught up by sending faster; only a longer one skips sound.
        elif at < begin and at < await asyncio.to_thread(sound.offset, max(0.0, now - BEHIND_SECONDS)):
            at = begin
        while at < until:
            piece = await asyncio.to_thread(_piece, sound, at, min(PIECE_BYTES, until - at))
            if not piece:
                return
            yield piece
            at += len(piece)
        if at >= sound.end:
            return
        await sleep(STEP_SECONDS)


def _until(sound: SoundRange, now: float, begin: int) -> int:
    """Return how far ahead a listener may be: LEAD_SECONDS, and one browser block more."""
    per_second = (sound.offset(now + LEAD_SECONDS) - begin) / LEAD_SECONDS
    return sound.offset(now + LEAD_SECONDS + BLOCK_BYTES / per_second) if per_second > 0 else sound.end


def _piece(sound: SoundRange, at: int, size: int) -> bytes:
    sound.file.seek(at)
    return sound.file.read(size)
