"""Which files may be loaded, and how long they are; checked against another tool."""

# mypy: disable-error-code="no-untyped-call"

from __future__ import annotations

import errno
import tracemalloc
from pathlib import Path

import pytest
from mutagen.id3 import ID3, TIT2
from tests.services.listen.sounds import FRAME_SECONDS, encoded, heard_seconds, mp3, wav

from goop2.services.listen.mpeg import scan
from goop2.services.listen.session import AudioUnreadableError, ListenError
from goop2.services.listen.tracks import Library

CLOSE_SECONDS = 0.1
BROKEN = [
    *(b"", b"not a sound", b"RIFF\0\0\0\0WAVE", b"ID3\x04\0\0\0\0\0\0"),
    *(b"\xff\xfb" * 50, b"fLaC" + b"\0" * 40, b"OggS" + b"\0" * 60),
]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "peer/site/lua").mkdir(parents=True)
    (tmp_path / "peer/data").mkdir()
    return tmp_path / "peer"


@pytest.fixture
def library(folder: Path) -> Library:
    return Library(folder, folder / "site/lua", [str(folder.parent / "music")])


def test_a_wav_is_described(library: Library, folder: Path) -> None:
    wav(folder / "tone.wav", 2.5)
    track = library.load("tone.wav")
    assert (track.name, track.format) == ("tone", "wav")
    assert track.duration == pytest.approx(2.5, abs=0.01)
    assert track.bitrate == pytest.approx(705_600, rel=0.01)


def test_an_mp3_of_varying_bitrate_without_contents_is_counted(library: Library, folder: Path) -> None:
    """The first frame says 64 kbit/s, the rest is 320: the guess would be five times as long."""
    frames = [5] * 10 + [14] * 990
    mp3(folder / "vbr.mp3", frames)
    track = library.load("vbr.mp3")
    assert track.duration == pytest.approx(1000 * FRAME_SECONDS, abs=CLOSE_SECONDS)
    assert 300_000 < track.bitrate < 320_000


def test_what_stands_before_the_first_frame_does_not_count(library: Library, folder: Path) -> None:
    tag = b"ID3\x04\x00\x00" + bytes([0, 0, 8, 0]) + b"\0" * 1024
    mp3(folder / "tagged.mp3", [9] * 200, tag)
    assert library.load("tagged.mp3").duration == pytest.approx(200 * FRAME_SECONDS, abs=CLOSE_SECONDS)


def test_a_long_file_is_never_held(folder: Path) -> None:
    file = mp3(folder / "long.mp3", [14] * 20_000)
    tracemalloc.start()
    try:
        with file.open("rb") as opened:
            scan(opened)
        assert tracemalloc.get_traced_memory()[1] < 2_000_000 < file.stat().st_size
    finally:
        tracemalloc.stop()


def test_a_link_that_takes_a_tracks_place_leads_nowhere(library: Library, folder: Path) -> None:
    track = library.load(wav(folder / "tone.wav", 1).name)
    (folder / "tone.wav").unlink()
    secret = folder / "data/key"
    secret.write_text("secret")
    (folder / "tone.wav").symlink_to(secret)
    with pytest.raises(ListenError, match=r"tone\.wav cannot be opened"):
        library.open(track)


@pytest.mark.slow
def test_three_hours_of_varying_bitrate(library: Library, folder: Path) -> None:
    count = int(3 * 3600 / FRAME_SECONDS)
    mp3(folder / "long.mp3", ([5] * 30 + [9] * 10) * (count // 40))
    assert library.load("long.mp3").duration == pytest.approx(count // 40 * 40 * FRAME_SECONDS, abs=CLOSE_SECONDS)


@pytest.mark.parametrize(
    ("name", "options", "format_"),
    [
        ("a.mp3", ("-V", "4"), "mp3"),
        ("b.mp3", ("-V", "4", "-t"), "mp3"),
        ("c.mp3", ("-b", "128"), "mp3"),
        ("a.ogg", (), "ogg"),
        ("a.opus", (), "opus"),
        ("a.flac", (), "flac"),
        ("a.wav", ("-c", "2"), "wav"),
    ],
)
def test_every_format_is_as_long_as_another_tool_says(
    library: Library, folder: Path, name: str, options: tuple[str, ...], format_: str
) -> None:
    source = wav(folder / "source.wav", 7.3)
    file = encoded(source, folder / name, *options)
    track = library.load(name)
    assert track.format == format_
    assert track.duration == pytest.approx(7.3, abs=CLOSE_SECONDS)
    assert track.duration == pytest.approx(heard_seconds(file.read_bytes(), file.suffix), abs=CLOSE_SECONDS)
    if format_ != "wav":
        assert track.name == "Somebody – The Title"


@pytest.mark.parametrize(
    "content",
    [b"", b"not a sound", b"RIFF\0\0\0\0WAVE", b"ID3\x04\0\0\0\0\0\0", b"\xff\xfb" * 50, b"fLaC" + b"\0" * 40, b"OggS" + b"\0" * 60],
)
@pytest.mark.parametrize("name", ["x.mp3", "x.wav", "x.flac", "x.ogg", "x.txt"])
def test_a_broken_file_is_an_error_that_names_it(library: Library, folder: Path, name: str, content: bytes) -> None:
    (folder / name).write_bytes(content)
    with pytest.raises(ListenError, match=name):
        library.load(name)


def test_only_the_peers_folder_and_the_owners_media_folders(library: Library, folder: Path) -> None:
    outside, music = folder.parent / "outside", folder.parent / "music"
    outside.mkdir()
    music.mkdir()
    wav(outside / "tone.wav", 1)
    wav(music / "tone.wav", 1)
    wav(folder / "data/tone.wav", 1)
    wav(folder / "site/lua/tone.wav", 1)
    wav(folder / ".hidden.wav", 1)
    (folder / "link.wav").symlink_to(outside / "tone.wav")
    assert library.load(str(music / "tone.wav")).name == "tone"
    for path in (str(outside / "tone.wav"), "../outside/tone.wav", "link.wav"):
        with pytest.raises(ListenError, match="outside the peer's folder"):
            library.load(path)
    for path in ("data/tone.wav", "site/lua/tone.wav", ".hidden.wav", "nothing.wav", "\0", "site"):
        with pytest.raises(ListenError):
            library.load(path)


def test_nobody_learns_what_lies_outside(library: Library, folder: Path) -> None:
    """A stranger may choose the path: what is there and what is not there answer alike."""
    (folder.parent / "outside").mkdir()
    wav(folder.parent / "outside/there.wav", 1)
    said = []
    for name in ("there.wav", "nothere.wav"):
        with pytest.raises(ListenError) as raised:
            library.load(f"../outside/{name}")
        said.append(str(raised.value).replace(name, ""))
    assert said[0] == said[1]
    for home in ("~root/x", "~nosuchuser/x"):
        with pytest.raises(ListenError, match=f"{home} is no file here"):
            library.load(home)


def test_a_media_folder_may_be_named_from_the_peers_folder(folder: Path) -> None:
    (folder.parent / "music").mkdir()
    wav(folder.parent / "music/tone.wav", 1)
    assert Library(folder, folder / "site/lua", ["../music"]).load("../music/tone.wav").name == "tone"


def test_a_name_is_one_line_without_control_characters(library: Library, folder: Path) -> None:
    mp3(folder / "song.mp3", [9] * 50)
    tags = ID3()
    tags.add(TIT2(3, "The\nTitle\x1b[31m" + "x" * 1000))
    tags.save(folder / "song.mp3")
    name = library.load("song.mp3").name
    assert name.startswith("The Title\N{REPLACEMENT CHARACTER}[31mx")
    assert len(name) <= 200


def test_a_file_that_cannot_be_opened_now_is_not_said_to_be_absent(library: Library, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    track = library.load(wav(folder / "tone.wav", 1).name)

    def opened(_path: object) -> None:
        raise OSError(errno.EMFILE, "Too many open files")

    monkeypatch.setattr("goop2.services.listen.tracks.open_real", opened)
    with pytest.raises(AudioUnreadableError, match="Too many open files"):
        library.open(track)
    monkeypatch.undo()
    (folder / "tone.wav").unlink()
    with pytest.raises(ListenError) as absent:
        library.open(track)
    assert not isinstance(absent.value, AudioUnreadableError)


def test_a_hard_link_to_a_private_file_is_not_loaded(library: Library, folder: Path) -> None:
    wav(folder / "tone.wav", 1)
    (folder / "twin.wav").hardlink_to(folder / "tone.wav")
    track = library.load("twin.wav")
    (folder / "data/kept.wav").hardlink_to(folder / "tone.wav")
    with pytest.raises(ListenError, match=r"twin\.wav is no file here"):
        library.load("twin.wav")
    with pytest.raises(ListenError, match=r"twin\.wav is no file here"):
        library.open(track)
