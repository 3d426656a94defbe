"""The listener's side of a session, by what its host says and a clock that is moved by hand."""

from __future__ import annotations

import pytest
from tests.clock import Clock

from goop2.services.listen.follower import Followed, Following
from goop2.services.listen.session import ListenError, Track

TRACK = Track(name="Song", duration=100.0, bitrate=128_000, format="mp3")


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def inside(clock: Clock) -> Following:
    """Let in, where a track plays at its 10th second."""
    following = Following(clock)
    following.ask("host", "listen-1")
    following.let_in("Evening", 1)
    following.heard("load", TRACK)
    following.heard("play", position=10.0)
    return following


def playing(following: Following) -> bool:
    assert following.followed is not None
    return following.followed.session.playing


def test_the_position_is_the_hosts_and_goes_on(clock: Clock, inside: Following) -> None:
    clock.now += 5
    assert inside.at() == 15
    inside.heard("pause", position=16.0)
    clock.now += 5
    assert (inside.at(), playing(inside)) == (16, False)
    inside.heard("seek", position=50.0)
    assert (inside.at(), playing(inside)) == (50, False)
    inside.heard("play", position=50.0)
    clock.now += 49
    assert not inside.ended()
    clock.now += 5
    assert (inside.at(), inside.ended()) == (100, True)


def test_where_sound_began_is_known_better_once_the_host_is(clock: Clock, inside: Following) -> None:
    """The first word may have been a while under way; sound that came meanwhile is of a later second than was thought."""
    beginning = inside.beginning()
    assert beginning() == 10
    clock.now += 5
    assert beginning() == 10
    inside.heard("sync", position=15.4)
    clock.now += 2
    assert beginning() == pytest.approx(10.4)
    inside.heard("seek", position=50.0)
    assert beginning() == pytest.approx(10.4), "of what is over nothing more is learnt"


def test_a_load_is_paused_at_its_position(inside: Following) -> None:
    inside.heard("load", Track(name="Next", duration=10.0, bitrate=1, format="mp3"), 3.0)
    assert (inside.at(), playing(inside)) == (3, False)


@pytest.mark.parametrize(("said", "after"), [(14.8, 14.98), (15.3, 15.3), (15.0, 15.0), (20.0, 20.0), (2.0, 2.0)])
def test_a_sync_that_comes_late_moves_little_and_a_jump_all_the_way(clock: Clock, inside: Following, said: float, after: float) -> None:
    clock.now += 5
    inside.heard("sync", position=said)
    assert inside.at() == pytest.approx(after)


def test_a_sync_says_that_it_plays_when_the_play_was_lost(inside: Following) -> None:
    inside.heard("pause", position=10.0)
    inside.heard("sync", position=12.0)
    assert (inside.at(), playing(inside)) == (12, True)


def test_sound_under_way_is_of_no_use_after_a_jump_and_goes_on_through_a_sync(clock: Clock, inside: Following) -> None:
    def run() -> int:
        assert inside.followed is not None
        return inside.followed.run

    before = run()
    clock.now += 5
    inside.heard("sync", position=15.1)
    inside.let_in("Another name", 3)
    assert run() == before
    for number, (action, position) in enumerate((("sync", 40.0), ("seek", 50.0), ("pause", 50.0), ("play", 50.0)), 1):
        inside.heard(action, position=position)
        assert run() == before + number


def test_nothing_is_heard_before_we_are_let_in_nor_of_no_track(clock: Clock) -> None:
    following = Following(clock)
    following.heard("load", TRACK)
    following.ask("host", "listen-1")
    following.heard("load", TRACK)
    following.let_in("Evening", 1)
    for action in ("play", "sync", "seek", "pause", "load"):
        following.heard(action, position=3.0)
    assert following.followed is not None
    assert following.followed.session.track is None
    assert following.at() == 0


def test_a_track_without_a_length_goes_on(clock: Clock, inside: Following) -> None:
    inside.heard("load", Track(name="Radio", duration=0.0, bitrate=128_000, format="mp3"))
    inside.heard("play", position=0.0)
    clock.now += 500
    assert (inside.at(), inside.ended()) == (500, False)


def test_one_session_at_a_time_and_its_end_is_told(inside: Following) -> None:
    told: list[Followed | None] = []
    inside.subscribe(told.append)
    with pytest.raises(ListenError, match="Evening"):
        inside.ask("other", "listen-2")
    inside.heard("close")
    inside.end()
    assert told == [None]
    inside.ask("other", "listen-2")
