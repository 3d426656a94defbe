"""What readers of a rendezvous hear: of each peer the newest, however slow they are."""

from __future__ import annotations

from goop2.rendezvous import announcement_log as module
from goop2.rendezvous.announcement_log import Announcements
from goop2.rendezvous.limits import TAKEN_AT_ONCE


def heard(reader: module.AnnouncementReader) -> list[bytes]:
    return [each.json for each in reader.take()]


def test_a_slow_reader_hears_the_newest_of_each_peer_and_nothing_older() -> None:
    announcements = Announcements()
    slow = announcements.read("192.0.2.1")
    for number in range(1000):
        for peer in ("ann", "bob"):
            announcements.publish(peer, b"%s %d" % (peer.encode(), number))
    assert heard(slow) == [b"ann 999", b"bob 999"]
    assert heard(slow) == []


def test_what_waits_is_never_more_than_there_are_peers() -> None:
    announcements = Announcements(kept=10)
    reader = announcements.read("192.0.2.1")
    for number in range(100):
        announcements.publish(f"peer {number % 5}", b"x")
    assert len(announcements) == len(reader.take()) == 5


def test_whoever_misses_something_is_told_so() -> None:
    announcements = Announcements(kept=3)
    reader = announcements.read("192.0.2.1")
    announcements.publish("ann", b"ann")
    missed = [reader.missed]
    for number in range(3):
        announcements.publish(f"peer {number}", b"x")
    missed.append(reader.missed)
    reader.catch_up()
    missed.append(reader.missed)
    assert missed == [False, True, False], "ann was dropped before it was heard"
    assert heard(reader) == []


def test_much_is_taken_in_parts_and_what_is_newer_meanwhile_replaces_what_waits() -> None:
    announcements = Announcements()
    reader = announcements.read("192.0.2.1")
    for number in range(2 * TAKEN_AT_ONCE):
        announcements.publish(f"peer {number}", b"old")
    assert len(reader.take()) == TAKEN_AT_ONCE
    assert reader.news.is_set()
    announcements.publish(f"peer {2 * TAKEN_AT_ONCE - 1}", b"new")
    assert heard(reader) == [b"old"] * (TAKEN_AT_ONCE - 1) + [b"new"]
    assert not reader.news.is_set()


def test_a_reader_that_was_away_goes_on_where_it_was() -> None:
    announcements = Announcements()
    announcements.publish("ann", b"1")
    place = f"{announcements.start}-{announcements.last}"
    announcements.publish("bob", b"2")
    assert heard(announcements.read("", place)) == [b"2"]
    for unknown in ("other-1", f"{announcements.start}-99", f"{announcements.start}-" + "9" * 5000, "x"):
        assert announcements.read("", unknown).missed


def test_of_a_peer_that_fell_silent_nobody_hears_any_more() -> None:
    announcements = Announcements()
    reader = announcements.read("")
    announcements.publish("ann", b"here")
    announcements.drop("ann")
    assert heard(reader) == []
    assert not reader.missed


def test_readers_are_counted_by_network_until_they_close() -> None:
    announcements = Announcements()
    readers = [announcements.read("2001:db8::/64") for _ in range(3)]
    assert (announcements.readers, announcements.readers_of("2001:db8::/64")) == (3, 3)
    for reader in readers:
        reader.close()
        reader.close()
    assert (announcements.readers, announcements.readers_of("2001:db8::/64")) == (0, 0)


def test_a_reader_of_some_peers_hears_those_and_is_woken_by_those_alone() -> None:
    announcements = Announcements()
    reader = announcements.read("", "", frozenset({"ann", "bob"}))
    reader.catch_up()
    announcements.publish("cleo", b"cleo")
    assert not reader.news.is_set()
    announcements.publish("bob", b"bob")
    announcements.publish("ann", b"ann")
    assert reader.news.is_set()
    assert heard(reader) == [b"bob", b"ann"]
    announcements.publish("ann", b"ann 2")
    assert heard(reader) == [b"ann 2"]
    reader.close()
    announcements.publish("ann", b"ann 3")
    assert announcements._of_some == {}


def test_readers_at_one_place_take_the_same_text_which_is_put_together_once() -> None:
    announcements = Announcements()
    one, other = announcements.read(""), announcements.read("")
    announcements.publish("ann", b"1")
    announcements.publish("bob", b"2")
    first = one.take_events()
    assert first == b"".join(announcements.frame(number, json) for number, json in ((1, b"1"), (2, b"2")))
    assert other.take_events() is first
    announcements.publish("ann", b"3")
    assert (one.take_events(), one.take_events()) == (announcements.frame(3, b"3"), b"")


def test_events_are_taken_in_parts_too_and_a_peer_that_is_gone_is_not_among_them() -> None:
    announcements = Announcements()
    reader, other = announcements.read(""), announcements.read("")
    for number in range(TAKEN_AT_ONCE + 1):
        announcements.publish(f"peer {number}", b"x")
    assert reader.take_events().count(b"data: ") == TAKEN_AT_ONCE
    assert reader.news.is_set()
    announcements.drop("peer 0")
    assert other.take_events().count(b"data: ") == TAKEN_AT_ONCE
    assert reader.take_events().count(b"data: ") == 1
