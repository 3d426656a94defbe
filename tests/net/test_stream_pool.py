"""Idle streams of a connection: the last used first, none that has ended, and the protocols a peer supports."""

from __future__ import annotations

import time
from typing import cast

import pytest

from goop2.net.limits import KEPT_IDLE_SECONDS
from goop2.net.stream import Stream
from goop2.net.stream_pool import StreamPool

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
