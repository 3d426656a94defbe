"""The one session of a peer, as those who serve its sound follow it."""

from __future__ import annotations

import asyncio
import errno
import json
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from tests.clock import Clock
from tests.services.listen.sounds import wav

from goop2.services.listen import service as listening_module
from goop2.services.listen.service import ListenService, State
from goop2.services.listen.session import ListenError
from goop2.services.listen.tracks import Library


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def listening(tmp_path: Path, clock: Clock) -> ListenService:
    wav(tmp_path / "tone.wav", 3)
    return ListenService(tmp_path, Library(tmp_path, tmp_path / "lua", []), clock)


async def test_a_position_is_followed_while_it_plays_on(listening: ListenService, clock: Clock) -> None:
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


CHANGES: list[Callable[[ListenService], Awaitable[object]]] = [
    lambda listening: listening.pause(),
    lambda listening: listening.seek(1),
    lambda listening: listening.play(),
    lambda listening: listening.load("tone.wav"),
    lambda listening: listening.close(),
]


@pytest.mark.parametrize("change", CHANGES, ids=["pause", "seek", "play", "load", "close"])
async def test_any_change_ends_what_followed(listening: ListenService, change: Callable[[ListenService], Awaitable[object]]) -> None:
    group = (await listening.create("Evening")).id
    await listening.load("tone.wav")
    await listening.play()
    followed = listening.follow(group)
    await change(listening)
    assert followed is not None
    assert followed[1]() is None


async def test_only_the_open_session_is_followed(listening: ListenService) -> None:
    await listening.create("Evening")
    with pytest.raises(ListenError, match="no such session"):
        listening.follow("listen-0123456789abcdef")


async def test_all_who_serve_listeners_are_counted(listening: ListenService) -> None:
    told: list[int] = []
    listening.counts.add(told.append)
    end = listening.serves(lambda: ["ann", "bob"])
    listening.serves(lambda: iter(["cid"]))
    assert listening.who() == ["ann", "bob", "cid"]
    listening.recount()
    end()
    listening.recount()
    assert told == [3, 1]


async def test_the_end_of_a_track_is_a_pause_there_which_others_hear(tmp_path: Path) -> None:
    wav(tmp_path / "tone.wav", 0.3)
    listening = ListenService(tmp_path, Library(tmp_path, tmp_path / "lua", []))
    await listening.create("Evening")
    await listening.load("tone.wav")
    told: list[str] = []
    over = asyncio.Event()

    def hear(state: State | None) -> None:
        assert state is not None
        told.append(f"{'playing' if state.playing else 'paused'} at {state.position:.1f}")
        if not state.playing:
            over.set()

    listening.subscribe(hear)
    await listening.play()
    async with asyncio.timeout(10):
        await over.wait()
    await listening.play()  # anew from the start
    assert told == ["playing at 0.0", "paused at 0.3", "playing at 0.0"]
    await listening.stop()


async def test_where_it_is_is_kept_now_and_then(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listening_module, "KEPT_EVERY_SECONDS", 0.05)
    wav(tmp_path / "tone.wav", 20)
    listening = ListenService(tmp_path, Library(tmp_path, tmp_path / "lua", []))
    await listening.create("Evening")
    await listening.load("tone.wav")
    await listening.play()
    async with asyncio.timeout(10):
        while json.loads((tmp_path / "data/listen.json").read_text())["position"] < 0.1:  # noqa: ASYNC110 - a file tells nobody
            await asyncio.sleep(0.05)
    await listening.stop()


@pytest.mark.parametrize("change", ["deleted", "replaced"])
async def test_a_track_whose_file_is_gone_plays_no_more(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: str) -> None:
    """Who came now would hear nothing."""
    monkeypatch.setattr(listening_module, "KEPT_EVERY_SECONDS", 0.05)
    wav(tmp_path / "tone.wav", 20)
    listening = ListenService(tmp_path, Library(tmp_path, tmp_path / "lua", []))
    await listening.create("Evening")
    await listening.load("tone.wav")
    await listening.play()
    paused = asyncio.Event()
    listening.subscribe(lambda state: paused.set() if state is not None and not state.playing else None)
    (tmp_path / "tone.wav").unlink()
    if change == "replaced":
        wav(tmp_path / "tone.wav", 3)
    async with asyncio.timeout(10):
        await paused.wait()
    with pytest.raises(ListenError, match=r"tone\.wav"):
        await listening.play()
    await listening.stop()


async def test_what_cannot_be_kept_leaves_no_rests(listening: ListenService, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    await listening.create("Evening")
    await listening.load("tone.wav")
    assert list((tmp_path / "data").iterdir()) == []


async def test_others_hear_of_a_change_whose_script_is_cancelled(listening: ListenService) -> None:
    await listening.create("Evening")
    await listening.load("tone.wav")
    told = asyncio.Event()
    listening.subscribe(lambda _: told.set())
    playing = asyncio.create_task(listening.play())
    await told.wait()
    playing.cancel()
    await asyncio.gather(playing, return_exceptions=True)
    state = listening.state()
    assert state is not None
    assert state.playing
    await listening.stop()
