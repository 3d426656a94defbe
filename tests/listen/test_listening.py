"""The one session of a peer, as those who serve its sound follow it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from tests.listen.sounds import wav

from goop2.listen.listening import Listening
from goop2.listen.session import ListenError
from goop2.listen.tracks import Library


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def listening(tmp_path: Path, clock: Clock) -> Listening:
    wav(tmp_path / "tone.wav", 3)
    return Listening(tmp_path, Library(tmp_path, tmp_path / "lua", []), clock)


async def test_a_position_is_followed_while_it_plays_on(listening: Listening, clock: Clock) -> None:
    group = (await listening.create("Evening")).id
    assert listening.follow(group) is None
    await listening.load("tone.wav")
    await listening.play()
    followed = listening.follow(group)
    assert followed is not None
    track, position = followed
    assert (track.name, position()) == ("tone", 0.0)
    clock.now += 1.5
    assert position() == 1.5


CHANGES: list[Callable[[Listening], Awaitable[object]]] = [
    lambda listening: listening.pause(),
    lambda listening: listening.seek(1),
    lambda listening: listening.play(),
    lambda listening: listening.load("tone.wav"),
    lambda listening: listening.close(),
]


@pytest.mark.parametrize("change", CHANGES, ids=["pause", "seek", "play", "load", "close"])
async def test_any_change_ends_what_followed(listening: Listening, change: Callable[[Listening], Awaitable[object]]) -> None:
    group = (await listening.create("Evening")).id
    await listening.load("tone.wav")
    await listening.play()
    followed = listening.follow(group)
    await change(listening)
    assert followed is not None
    assert followed[1]() is None


async def test_only_the_open_session_is_followed(listening: Listening) -> None:
    await listening.create("Evening")
    with pytest.raises(ListenError, match="no such session"):
        listening.follow("listen-0123456789abcdef")


async def test_all_who_serve_listeners_are_counted(listening: Listening) -> None:
    end = listening.counted(lambda: 2)
    listening.counted(lambda: 3)
    assert listening.listeners() == 5
    end()
    assert listening.listeners() == 3
