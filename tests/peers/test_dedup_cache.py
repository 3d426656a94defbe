"""Repeats of messages: known by sender and id, as many as the cache holds."""

from __future__ import annotations

from goop2.peers.dedup_cache import DedupCache


def test_a_message_is_new_once_for_each_sender() -> None:
    cache = DedupCache()
    assert cache.first_time("bob", "1")
    assert not cache.first_time("bob", "1")
    assert cache.first_time("bob", "2")
    assert cache.first_time("carol", "1")


def test_a_message_that_was_not_saved_is_new_again() -> None:
    cache = DedupCache()
    assert cache.first_time("bob", "1")
    cache.forget("bob", "1")
    cache.forget("bob", "never seen")
    assert cache.first_time("bob", "1")


def test_beyond_its_size_the_oldest_is_forgotten() -> None:
    cache = DedupCache(size=2)
    assert [cache.first_time("bob", id_) for id_ in ("1", "2", "3")] == [True] * 3
    assert not cache.first_time("bob", "3")
    assert not cache.first_time("bob", "2")
    assert cache.first_time("bob", "1")
