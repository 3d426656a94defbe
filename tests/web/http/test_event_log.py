"""The ring of events: everybody at their own pace, what was missed is said, memory is bounded."""

from __future__ import annotations

from goop2.web.http.event_log import GAP, EventReader, Events

ME = frozenset({"me"})


def heard(reader: EventReader) -> list[tuple[str, bytes]]:
    return [(event.kind, event.data) for event in reader.take()]


def test_a_reader_hears_what_happens_from_now_on_and_once() -> None:
    events = Events()
    events.publish("run", 1, "me")
    reader = events.read("a", ME)
    events.publish("run", 2, "me")
    assert heard(reader) == [("run", b"2")]
    assert heard(reader) == []


def test_nobody_hears_what_is_for_others() -> None:
    events = Events()
    reader = events.read("a", ME)
    events.publish("chat", "private", "you")
    assert heard(reader) == []


def test_whoever_comes_back_hears_what_happened_meanwhile() -> None:
    events = Events()
    for number in range(5):
        events.publish("run", number, "me")
    assert heard(events.read("a", ME, f"{events.start}-3")) == [("run", b"3"), ("run", b"4")]
    assert heard(events.read("a", ME, f"{events.start}-5")) == []


def test_what_is_held_no_more_is_a_gap_and_the_rest_follows() -> None:
    events = Events(max_events=3)
    for number in range(10):
        events.publish("run", number, "me")
    assert heard(events.read("a", ME, f"{events.start}-2")) == [(GAP, b"{}"), ("run", b"7"), ("run", b"8"), ("run", b"9")]
    assert heard(events.read("a", ME, f"{events.start}-7")) == [("run", b"7"), ("run", b"8"), ("run", b"9")]


def test_whoever_knows_another_start_of_the_peer_is_told_of_a_gap() -> None:
    events = Events()
    events.publish("run", 1, "me")
    for stale in ("0000-1", f"{events.start}-2", f"{events.start}-x", f"{events.start}--1", f"{events.start}-{'9' * 5000}", "nonsense"):
        assert heard(events.read("a", ME, stale)) == [(GAP, b"{}"), ("run", b"1")]
    assert heard(Events().read("a", ME, "0000-1")) == [(GAP, b"{}")]


def test_a_slow_reader_costs_nothing_and_is_told_what_it_missed() -> None:
    events = Events(max_events=100, max_bytes=10_000)
    reader = events.read("a", ME)
    for _ in range(1000):
        events.publish("run", "x" * 1000, "me")
    assert events.kept_bytes <= 10_000
    kinds = [event.kind for event in reader.take()]
    assert kinds[0] == GAP
    assert len(kinds) < 12
    assert heard(reader) == []


def test_an_event_larger_than_all_room_is_held_alone() -> None:
    events = Events(max_bytes=100)
    reader = events.read("a", ME)
    events.publish("run", "x" * 1000, "me")
    assert len(reader.take()) == 1


def test_readers_are_woken_by_news_and_by_the_end() -> None:
    events = Events()
    reader = events.read("a", ME)
    reader.take()
    assert not reader.news.is_set()
    events.publish("run", 1, "me")
    assert reader.news.is_set()
    reader.take()
    events.stop()
    assert reader.news.is_set()
    assert reader.ended


def test_closed_readers_are_forgotten() -> None:
    events = Events()
    reader = events.read("a", ME)
    assert events.has_reader("me")
    assert not events.has_reader("you")
    assert events.readers(lambda name: name == "a") == 1
    reader.close()
    reader.close()
    assert not events.has_reader("me")
