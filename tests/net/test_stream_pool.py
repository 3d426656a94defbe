"""Idle streams of a connection, and places: the stream used last goes first, none that has ended, and places are given in turn."""

from __future__ import annotations

import asyncio
import time
from typing import cast

import pytest

from goop2.net.limits import KEPT_IDLE_SECONDS
from goop2.net.stream import Stream
from goop2.net.stream_pool import Places, StreamPool

HOUR_SECONDS = 3600.0
KEPT = "/goop-py/data-kept/1.0.0"


class Idle:
    """What the pool needs of a stream."""

    protocol = KEPT

    def __init__(self) -> None:
        self.fresh = True
        self.was_reset = False

    def reset(self) -> None:
        self.fresh, self.was_reset = False, True


def kept(pool: StreamPool, number: int) -> list[Idle]:
    """Return so many streams that were given back, the last one last."""
    streams = [Idle() for _ in range(number)]
    for stream in streams:
        pool.give_back(cast("Stream", stream))
    return streams


def taken(pool: StreamPool) -> object:
    """Return what the pool gives for the protocol."""
    return pool.take(KEPT)


def test_the_stream_that_was_used_last_is_taken_first() -> None:
    pool = StreamPool()
    first, last = kept(pool, 2)
    assert [taken(pool), taken(pool), taken(pool)] == [last, first, None]
    assert pool.take("/other") is None


def test_a_stream_that_has_ended_is_reset_and_not_taken() -> None:
    pool = StreamPool()
    good, bad = kept(pool, 2)
    bad.fresh = False
    assert taken(pool) is good
    assert bad.was_reset


def test_a_stream_that_has_something_unread_is_not_kept() -> None:
    pool = StreamPool()
    stream = Idle()
    stream.fresh = False
    pool.give_back(cast("Stream", stream))
    assert stream.was_reset
    assert taken(pool) is None


def test_what_is_idle_for_long_is_let_go(monkeypatch: pytest.MonkeyPatch) -> None:
    pool = StreamPool()
    (old,) = kept(pool, 1)
    later = time.monotonic() + KEPT_IDLE_SECONDS + 1
    monkeypatch.setattr(time, "monotonic", lambda: later)
    (new,) = kept(pool, 1)
    pool.evict_idle()
    assert (old.was_reset, new.was_reset) == (True, False)
    assert taken(pool) is new


def test_a_declined_protocol_is_asked_for_only_when_there_is_no_other() -> None:
    pool = StreamPool()
    assert pool.candidates(["/a", "/b"]) == ["/a", "/b"]
    pool.chose(["/a", "/b"], "/b")
    assert pool.candidates(["/a", "/b"]) == ["/b"]
    assert pool.speaks("/b")
    assert not pool.speaks("/a")
    assert pool.candidates(["/a"]) == ["/a"]
    pool.forget("/b")
    assert not pool.speaks("/b")


def later() -> float:
    return asyncio.get_running_loop().time() + HOUR_SECONDS


async def test_who_finds_no_place_has_the_next_in_turn() -> None:
    places, order = Places(2), []

    async def work(name: str) -> None:
        await places.take(later())
        order.append(name)
        await asyncio.sleep(0)
        places.give_back()

    await asyncio.gather(*(work(name) for name in "abcde"))
    assert "".join(order) == "abcde"
    assert places._free == 2


async def test_who_waits_for_too_long_is_told_and_takes_nothing() -> None:
    places = Places(1)
    await places.take(later())
    with pytest.raises(TimeoutError):
        await places.take(asyncio.get_running_loop().time() + 0.01)
    places.give_back()
    await asyncio.wait_for(places.take(later()), 1)


@pytest.mark.parametrize("given_first", [False, True])
async def test_who_is_cancelled_while_it_waits_leaves_its_turn_to_the_next(given_first: bool) -> None:
    """Also in the moment in which the place was its own already."""
    places = Places(1)
    await places.take(later())
    first, second = (asyncio.create_task(places.take(later())) for _ in range(2))
    await asyncio.sleep(0)
    if given_first:
        places.give_back()
        first.cancel()
    else:
        first.cancel()
        places.give_back()
    await asyncio.wait_for(second, 1)
    assert first.cancelled()
    places.give_back()
    assert places._free == 1
