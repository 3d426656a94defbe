"""Messages that were seen and that can be asked for: each for its time, and never more than the bound."""

from __future__ import annotations

import pytest
from tests.clock import Clock

from goop2.net.gossip.caches import ANSWERS_PER_NEIGHBOUR, GOSSIP_WINDOWS, KEPT_WINDOWS, MessageCache, SeenCache


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_a_message_is_seen_for_so_long(clock: Clock) -> None:
    seen = SeenCache(10, 5, clock)
    seen.add(b"one")
    clock.now += 9
    assert b"one" in seen
    clock.now += 1
    assert b"one" not in seen


def test_one_that_comes_again_is_not_seen_for_longer(clock: Clock) -> None:
    seen = SeenCache(10, 5, clock)
    seen.add(b"one")
    clock.now += 9
    seen.add(b"one")
    clock.now += 1
    assert b"one" not in seen


def test_the_oldest_is_forgotten_beyond_the_bound(clock: Clock) -> None:
    seen = SeenCache(10, 2, clock)
    for name in (b"one", b"two", b"three"):
        seen.add(name)
    assert [name in seen for name in (b"one", b"two", b"three")] == [False, True, True]
    assert len(seen) == 2


def test_what_is_over_leaves_nothing_behind(clock: Clock) -> None:
    seen = SeenCache(10, 100, clock)
    for number in range(50):
        seen.add(b"%d" % number)
    clock.now += 10
    seen.evict()
    assert len(seen) == 0


def test_a_message_is_offered_and_answered_for_so_many_heartbeats() -> None:
    cache = MessageCache(1000)
    cache.add(b"name", b"id", b"content")
    for heartbeat in range(KEPT_WINDOWS):
        assert cache.offered() == ([b"id"] if heartbeat < GOSSIP_WINDOWS else [])
        assert cache.ask(b"name", f"neighbour {heartbeat}") == b"content"
        cache.shift()
    assert cache.ask(b"name", "late") is None
    assert len(cache) == 0


def test_a_neighbour_is_answered_so_often() -> None:
    cache = MessageCache(1000)
    cache.add(b"name", b"id", b"content")
    assert [cache.ask(b"name", "ann") for _ in range(ANSWERS_PER_NEIGHBOUR + 1)] == [b"content"] * ANSWERS_PER_NEIGHBOUR + [None]
    assert cache.ask(b"name", "bob") == b"content"


def test_the_oldest_make_room_beyond_so_many_bytes() -> None:
    cache = MessageCache(10)
    for number in range(5):
        cache.add(b"%d" % number, b"id %d" % number, b"four")
    assert cache.offered() == [b"id 3", b"id 4"]
    assert cache.ask(b"0", "ann") is None
    for _ in range(KEPT_WINDOWS):
        cache.shift()
    cache.add(b"last", b"id", b"four" * 2)
    assert cache.offered() == [b"id"]


def test_a_message_longer_than_all_is_not_kept() -> None:
    cache = MessageCache(3)
    cache.add(b"name", b"id", b"four")
    assert (len(cache), cache.offered()) == (0, [])
