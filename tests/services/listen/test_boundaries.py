"""Sound from any second: what another tool makes of it, and where the frames really are."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import pytest
from tests.services.listen.sounds import FRAME_SECONDS, KBITS, encoded, heard_seconds, mp3, mp3_frame, noise

from goop2.services.listen import boundaries
from goop2.services.listen.boundaries import SoundRange, sound
from goop2.services.listen.session import ListenError, Track
from goop2.services.listen.tracks import Library

SECONDS = 20.0
CLOSE_SECONDS = 0.15
"""A page of Ogg Vorbis lasts up to a tenth of a second at this rate, and a decoder needs the one before."""


_open: list[BinaryIO] = []


@pytest.fixture(autouse=True)
def _closed() -> Iterator[None]:
    yield
    while _open:
        _open.pop().close()


def kept_open(file: Path) -> BinaryIO:
    """Until the test is over."""
    _open.append(file.open("rb"))
    return _open[-1]


def opened(file: Path) -> tuple[Track, SoundRange]:
    track = Library(file.parent, file.parent / "lua", []).load(file.name)
    return track, sound(kept_open(file), track)


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return noise(tmp_path_factory.mktemp("boundaries") / "source.wav", SECONDS)


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("a.mp3", ("-V", "4")),
        ("a.ogg", ("-q", "9")),
        ("a.opus", ("--max-delay", "100")),
        ("a.flac", ()),
        ("a.wav", ("-c", "2")),
    ],
)
@pytest.mark.parametrize("seconds", [0, 0.9, 7.5, 18.2])
def test_what_is_heard_from_a_second_on_is_the_rest(
    source: Path, tmp_path: Path, name: str, options: tuple[str, ...], seconds: float
) -> None:
    file = encoded(source, tmp_path / name, *options)
    _, heard = opened(file)
    content = heard.prefix + file.read_bytes()[heard.offset(seconds) : heard.end]
    assert heard_seconds(content, file.suffix) == pytest.approx(SECONDS - seconds, abs=CLOSE_SECONDS)


@pytest.mark.parametrize("name", ["a.mp3", "a.ogg", "a.opus", "a.flac", "a.wav"])
def test_later_is_never_before_and_the_end_is_the_end(source: Path, tmp_path: Path, name: str) -> None:
    track, heard = opened(encoded(source, tmp_path / name))
    offsets = [heard.offset(tenth / 10) for tenth in range(int(SECONDS * 10))]
    assert offsets == sorted(offsets)
    assert len(set(offsets)) > SECONDS / 2
    assert heard.offset(track.duration) == heard.end


def test_three_hours_of_varying_bitrate_are_sought_right(tmp_path: Path) -> None:
    """A guess by bytes would be minutes off: the first half has a fifth of the second half's bitrate."""
    half = int(1.5 * 3600 / FRAME_SECONDS)
    file = mp3(tmp_path / "long.mp3", [5] * half + [14] * half)
    _, heard = opened(file)
    small, large = (len(mp3_frame(index)) for index in (5, 14))
    assert KBITS[14] == 5 * KBITS[5]
    for seconds in (0, 61.7, 5000, 5399, 5401, 9000.5, 10_700):
        frame = int(seconds / FRAME_SECONDS)
        right = min(frame, half) * small + max(0, frame - half) * large
        offset, begins = heard.boundary(seconds)
        assert 0 <= right - offset <= 0.11 / FRAME_SECONDS * large
        frame = round(begins / FRAME_SECONDS)
        assert offset == min(frame, half) * small + max(0, frame - half) * large, "the second it says is the second it finds"
        heard.file.seek(offset)
        assert heard.file.read(2) == b"\xff\xfb"


def test_marks_are_bounded_and_still_frames(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(boundaries, "MARKS_MAX", 16)
    file = mp3(tmp_path / "a.mp3", [9] * 1000)
    _, heard = opened(file)
    size = len(mp3_frame(9))
    assert len({heard.offset(frame * FRAME_SECONDS) for frame in range(999)}) <= 16
    for frame in range(0, 1000, 7):
        offset = heard.offset((frame + 0.5) * FRAME_SECONDS)
        assert offset % size == 0
        assert 0 <= frame - offset // size < 128


def test_a_file_is_read_once_however_often_it_is_asked_for_and_again_when_it_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[BinaryIO] = []
    real = boundaries._marks
    monkeypatch.setattr(boundaries, "_marks", lambda file: real(read.append(file) or file))  # type: ignore[func-returns-value]
    file = mp3(tmp_path / "a.mp3", [9] * 100)
    for _ in range(3):
        opened(file)
    assert len(read) == 1
    mp3(file, [9] * 200)
    assert opened(file)[1].offset(200 * FRAME_SECONDS - 0.01) > file.stat().st_size - 5 * len(mp3_frame(9))
    assert len(read) == 2


@pytest.mark.parametrize("content", [b"", b"RIFF\0\0\0\0WAVE", b"not a sound" * 9, b"fLaC" + b"\0" * 90, b"OggS" + b"\0" * 90])
@pytest.mark.parametrize("format_", ["mp3", "ogg", "opus", "flac", "wav"])
def test_a_file_that_is_another_now_is_an_error(tmp_path: Path, format_: str, content: bytes) -> None:
    (tmp_path / "x").write_bytes(content)
    with pytest.raises(ListenError, match="Song is broken, or not the file that was loaded"):
        sound(kept_open(tmp_path / "x"), Track(name="Song", duration=10.0, bitrate=128_000, format=format_))
