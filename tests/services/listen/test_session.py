"""The session against a player that is moved by hand."""

from __future__ import annotations

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from goop2.services.listen.session import ListenError, Track, create

TRACK = Track(name="Song", duration=100.0, bitrate=128_000, format="mp3")


class Player(RuleBasedStateMachine):
    """What a listener would see who is moved step by step."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 1000.0
        self.session = create("Evening", self.now)
        self.position = 0.0
        self.playing = False

    @rule(seconds=st.floats(0, 60))
    def pass_time(self, seconds: float) -> None:
        self.now += seconds
        if self.playing:
            self.position = min(TRACK.duration, self.position + seconds)

    @rule()
    def load(self) -> None:
        self.session = self.session.load(TRACK, self.now)
        self.position, self.playing = 0.0, False

    @precondition(lambda self: self.session.track is not None)
    @rule()
    def play(self) -> None:
        self.session = self.session.play(self.now)
        self.position = 0.0 if self.position >= TRACK.duration else self.position
        self.playing = True

    @precondition(lambda self: self.session.track is not None)
    @rule()
    def pause(self) -> None:
        self.session = self.session.pause(self.now)
        self.playing = False

    @precondition(lambda self: self.session.track is not None)
    @rule(seconds=st.floats(0, 100))
    def seek(self, seconds: float) -> None:
        self.session = self.session.seek(seconds, self.now)
        self.position = seconds

    @precondition(lambda self: self.session.track is None)
    @rule()
    def nothing_without_a_track(self) -> None:
        with pytest.raises(ListenError, match="no track is loaded"):
            self.session.play(self.now)
        with pytest.raises(ListenError, match="no track is loaded"):
            self.session.pause(self.now)
        with pytest.raises(ListenError, match="no track is loaded"):
            self.session.seek(0, self.now)

    @invariant()
    def both_are_in_step(self) -> None:
        assert self.session.at(self.now) == pytest.approx(self.position, abs=1e-6)
        assert self.session.ended(self.now) == (self.playing and self.position >= TRACK.duration)


TestPlayer = Player.TestCase
TestPlayer.settings = settings(max_examples=100, stateful_step_count=40)


@pytest.mark.parametrize("seconds", [-1, 100.1, float("nan"), float("inf")])
def test_a_position_outside_the_track_is_refused(seconds: float) -> None:
    session = create("Evening", 0).load(TRACK, 0)
    with pytest.raises(ListenError, match=r"the track has 100\.0"):
        session.seek(seconds, 0)


@pytest.mark.parametrize("name", ["", "  ", "x" * 101])
def test_a_name_that_is_none_is_refused(name: str) -> None:
    with pytest.raises(ListenError, match="name"):
        create(name, 0)


def test_a_name_is_one_line_without_control_characters() -> None:
    assert create("The\n\x1b[31mEvening", 0).name == "The \N{REPLACEMENT CHARACTER}[31mEvening"


def test_an_id_is_the_networks() -> None:
    session = create("  A   name ", 0)
    assert session.name == "A name"
    assert len(session.id) == len("listen-") + 16
