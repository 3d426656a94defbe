"""Files as they are found in the wild: cut, tagged at either end, with headers that lie. How long each is another tool tells, which
decodes all of it and counts: what headers say is wrong by minutes here.
"""

# mypy: disable-error-code="no-untyped-call"

from __future__ import annotations

import random
import struct
import wave
from collections.abc import Callable
from pathlib import Path

import pytest
from mutagen.apev2 import APEv2, APEValue
from mutagen.flac import FLAC, Picture
from mutagen.id3 import APIC, ID3, TIT2, TPE1
from tests.services.listen.sounds import RATE, encoded, heard_seconds

from goop2.services.listen.boundaries import sound
from goop2.services.listen.session import ListenError
from goop2.services.listen.tracks import Library

SECONDS = 12.0
CLOSE_SECONDS = 0.1
PICTURE = b"\xff\xd8\xff\xe0" + random.Random(5).randbytes(1_500_000)
"""Random bytes hold what looks like frames of an MP3, a hundred of them."""
ID3V1 = b"TAG" + b"Old Title".ljust(30, b"\0") + b"Old Artist".ljust(30, b"\0") + bytes(65)
PCM = struct.pack("<HHIIHH", 1, 1, RATE, RATE * 2, 2, 16)
EXTENSIBLE = struct.pack("<HHIIHHHHI", 0xFFFE, 1, RATE, RATE * 2, 2, 16, 22, 16, 4) + b"\1\0\0\0\0\0\x10\0\x80\0\0\xaa\0\x38\x9b\x71"
DOUBLES = struct.pack("<HHIIHH", 3, 1, RATE, RATE * 8, 8, 64)
ADPCM = struct.pack("<HHIIHHHH", 2, 1, RATE, RATE, 1024, 4, 2, 500)
TO_A_PIPE = 0xFFFFFFFF


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Silence, then noise: a varying bitrate varies as much as it can."""
    file = tmp_path_factory.mktemp("odd") / "source.wav"
    with wave.open(str(file), "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(RATE)
        half = int(RATE * SECONDS / 2)
        out.writeframes(bytes(2 * half) + random.Random(7).randbytes(2 * half))
    return file


@pytest.fixture(scope="module")
def vbr(source: Path) -> Path:
    """An MP3 of varying bitrate with a header that says how long it is."""
    return encoded(source, source.with_name("vbr.mp3"), "-V", "2")


@pytest.fixture(scope="module")
def bare(source: Path) -> bytes:
    """The frames of one without, and without tags."""
    made = encoded(source, source.with_name("bare.mp3"), "-V", "2", "-t")
    ID3(made).delete(made)
    return made.read_bytes()


def riff(*chunks: tuple[bytes, bytes], said: int | None = None) -> bytes:
    """A WAV of these chunks; `said`: how long it says it is, wrongly."""
    body = b"WAVE"
    for name, content in chunks:
        length = said if said is not None and name == b"data" else len(content)
        body += name + struct.pack("<I", length) + content + bytes(len(content) % 2)
    return b"RIFF" + struct.pack("<I", len(body) if said is None else said) + body


ID3V2 = b"ID3\x04\0\0\0\0\1\0" + bytes(128)
WITH_FOOTER = b"ID3\x04\0\x10\0\0\1\0" + bytes(128) + b"3DI\x04\0\x10\0\0\1\0"
ODD_MP3: dict[str, Callable[[bytes], bytes]] = {
    "no header": lambda bare: bare,
    "ID3v1": lambda bare: bare + ID3V1,
    "two ID3v2, one with a footer": lambda bare: ID3V2 + WITH_FOOTER + bare,
    "garbage before the first frame": lambda bare: random.Random(1).randbytes(70_000) + bare,
    "zeros before the first frame": lambda bare: bytes(70_000) + bare,
    "garbage in the middle": lambda bare: bare[: len(bare) // 2] + PICTURE + bare[len(bare) // 2 :],
    "a picture behind the last frame": lambda bare: bare + PICTURE + ID3V1,
    "cut in a frame": lambda bare: bare[: len(bare) * 2 // 3 + 77],
}


@pytest.mark.parametrize("odd", ODD_MP3)
def test_an_odd_mp3_is_as_long_as_it_sounds(tmp_path: Path, bare: bytes, odd: str) -> None:
    (tmp_path / "odd.mp3").write_bytes(ODD_MP3[odd](bare))
    if odd in ("garbage in the middle", "a picture behind the last frame"):
        expected = heard_seconds(bare, ".mp3")  # decoders make noise of garbage
    else:
        expected = heard_seconds((tmp_path / "odd.mp3").read_bytes(), ".mp3")
    assert loaded(tmp_path, "odd.mp3") == pytest.approx(expected, abs=CLOSE_SECONDS)


def test_a_header_of_an_mp3_that_was_cut_is_not_believed(tmp_path: Path, vbr: Path) -> None:
    content = vbr.read_bytes()[: vbr.stat().st_size * 2 // 3]
    (tmp_path / "cut.mp3").write_bytes(content)
    assert b"Xing" in content
    assert loaded(tmp_path, "cut.mp3") == pytest.approx(heard_seconds(content, ".mp3"), abs=CLOSE_SECONDS)
    assert loaded(tmp_path, "cut.mp3") < SECONDS - 1


def test_a_vbri_header_is_no_sound(tmp_path: Path, bare: bytes) -> None:
    header = bytearray(144 * 128_000 // RATE)
    header[:4], header[36:40] = b"\xff\xfb\x90\xc4", b"VBRI"
    (tmp_path / "a.mp3").write_bytes(bare)
    (tmp_path / "vbri.mp3").write_bytes(bytes(header) + bare)
    assert loaded(tmp_path, "vbri.mp3") == loaded(tmp_path, "a.mp3")


def test_large_covers_and_tags_are_passed_over(tmp_path: Path, vbr: Path, bare: bytes) -> None:
    (tmp_path / "cover.mp3").write_bytes(vbr.read_bytes())
    tags = ID3()
    for frame in (APIC(3, "image/jpeg", 3, "", PICTURE), TIT2(3, "Title"), TPE1(3, "Artist")):
        tags.add(frame)
    tags.save(tmp_path / "cover.mp3")
    (tmp_path / "ape.mp3").write_bytes(bare)
    ape = APEv2()
    ape["Title"], ape["Artist"], ape["Cover Art (Front)"] = "Title", "Artist", APEValue(PICTURE, 1)
    ape.save(str(tmp_path / "ape.mp3"))
    for name in ("cover.mp3", "ape.mp3"):
        track = Library(tmp_path, tmp_path / "lua", []).load(name)
        assert track.name == "Artist – Title"
        assert track.duration == pytest.approx(heard_seconds(vbr.read_bytes(), ".mp3"), abs=CLOSE_SECONDS)


WAVS: dict[str, Callable[[bytes], bytes]] = {
    "extensible": lambda data: riff((b"fmt ", EXTENSIBLE), (b"data", data)),
    "odd chunks": lambda data: riff((b"JUNK", b"x" * 27), (b"fmt ", PCM), (b"LIST", b"INFOabc"), (b"data", data), (b"id3 ", b"abc")),
    "written to a pipe": lambda data: riff((b"fmt ", PCM), (b"data", data), said=TO_A_PIPE),
    "cut": lambda data: riff((b"fmt ", PCM), (b"data", data))[: len(data) // 2],
}


@pytest.mark.parametrize("odd", WAVS)
def test_an_odd_wav_is_as_long_as_it_sounds(tmp_path: Path, source: Path, odd: str) -> None:
    content = WAVS[odd](source.read_bytes()[44:])
    (tmp_path / "odd.wav").write_bytes(content)
    assert loaded(tmp_path, "odd.wav") == pytest.approx(heard_seconds(content, ".wav"), abs=CLOSE_SECONDS)


@pytest.mark.parametrize("options", [("-b", "24"), ("-e", "floating-point", "-b", "32"), ("-b", "8"), ("-e", "a-law"), ("-c", "6")])
def test_wavs_of_other_samples(tmp_path: Path, source: Path, options: tuple[str, ...]) -> None:
    encoded(source, tmp_path / "odd.wav", *options)
    assert loaded(tmp_path, "odd.wav") == pytest.approx(SECONDS, abs=CLOSE_SECONDS)


@pytest.mark.parametrize("format_", [ADPCM, DOUBLES])
def test_a_wav_no_browser_plays_is_refused(tmp_path: Path, format_: bytes) -> None:
    (tmp_path / "odd.wav").write_bytes(riff((b"fmt ", format_), (b"data", bytes(10_000))))
    with pytest.raises(ListenError, match=r"odd\.wav .* browsers do not play"):
        loaded(tmp_path, "odd.wav")


def test_what_holds_no_frames_is_refused_in_words(tmp_path: Path) -> None:
    (tmp_path / "odd.mp3").write_bytes(b"\xff\xfd\x84\x04" + bytes(800))  # as MP2 begins
    (tmp_path / "text.mp3").write_text("no sound at all" * 1000)
    for name in ("odd.mp3", "text.mp3"):
        with pytest.raises(ListenError, match=rf"{name} is broken, or no audio file: .* "):
            loaded(tmp_path, name)


def test_a_flac_without_its_length_and_one_that_was_cut(tmp_path: Path, source: Path) -> None:
    whole = encoded(source, tmp_path / "whole.flac")
    content = bytearray(whole.read_bytes())
    content[21] &= 0xF0
    content[22:26] = bytes(4)  # as an encoder that writes to a pipe leaves it
    (tmp_path / "piped.flac").write_bytes(content)
    (tmp_path / "cut.flac").write_bytes(whole.read_bytes()[: len(content) * 2 // 3])
    assert loaded(tmp_path, "piped.flac") == pytest.approx(SECONDS, abs=CLOSE_SECONDS)
    heard = heard_seconds((tmp_path / "cut.flac").read_bytes(), ".flac")
    assert loaded(tmp_path, "cut.flac") == pytest.approx(heard, abs=CLOSE_SECONDS)
    cover = FLAC(whole)
    picture = Picture()
    picture.data, picture.mime, picture.type = PICTURE, "image/jpeg", 3
    cover.add_picture(picture)
    cover.save()
    assert loaded(tmp_path, "whole.flac") == pytest.approx(SECONDS, abs=CLOSE_SECONDS)


@pytest.mark.parametrize("ending", [".ogg", ".opus"])
def test_an_ogg_that_was_cut(tmp_path: Path, source: Path, ending: str) -> None:
    content = encoded(source, tmp_path / f"whole{ending}").read_bytes()
    (tmp_path / f"cut{ending}").write_bytes(content[: len(content) * 2 // 3])
    heard = heard_seconds((tmp_path / f"cut{ending}").read_bytes(), ending)
    assert loaded(tmp_path, f"cut{ending}") == pytest.approx(heard, abs=CLOSE_SECONDS)


@pytest.mark.parametrize("ending", [".ogg", ".opus"])
def test_recordings_one_behind_the_other_are_no_track(tmp_path: Path, source: Path, ending: str) -> None:
    """Browsers play on into the second, of which nobody knew before."""
    content = encoded(source, tmp_path / f"one{ending}").read_bytes()
    (tmp_path / f"two{ending}").write_bytes(content * 2)
    assert loaded(tmp_path, f"one{ending}") == pytest.approx(SECONDS, abs=CLOSE_SECONDS)
    with pytest.raises(ListenError, match=rf"two{ending} .* load them one by one"):
        loaded(tmp_path, f"two{ending}")


# ── what is wrong in tags and names costs the title, not the sound ───────────────────────────────

SMALL = bytes([0, 0, 0, 100])


def block(kind: int, content: bytes) -> bytes:
    """A metadata block of FLAC."""
    return bytes([kind]) + len(content).to_bytes(3, "big") + content


def frames_of(flac: bytes) -> bytes:
    """A FLAC without its metadata."""
    at, last = 4, False
    while not last:
        last, at = bool(flac[at] & 0x80), at + 4 + int.from_bytes(flac[at + 1 : at + 4], "big")
    return flac[at:]


def rf64(wav: bytes) -> bytes:
    """A WAV as RF64, whose length stands in a chunk of its own."""
    said = struct.pack("<IQQQI", 28, len(wav) + 28, len(wav) - 44, (len(wav) - 44) // 2, 0)
    return b"RF64\xff\xff\xff\xffWAVEds64" + said + wav[12:40] + b"\xff\xff\xff\xff" + wav[44:] + b"LIST\4\0\0\0INFO"


def mp3_in_wav(mp3: bytes) -> bytes:
    return riff((b"fmt ", struct.pack("<HHIIHHH", 0x55, 1, RATE, 8000, 1, 0, 12) + bytes(12)), (b"data", mp3))


WRONG_TAGS: dict[str, tuple[str, Callable[[bytes], bytes]]] = {
    "id3-of-unknown-version.mp3": ("mp3", lambda mp3: b"ID3\x05\0\0" + SMALL + bytes(100) + mp3),
    "id3-extended-header-broken.mp3": ("mp3", lambda mp3: b"ID3\x04\0\x40" + SMALL + b"\x7f\x7f\x7f\x7f" + bytes(96) + mp3),
    "id3-size-plain-number.mp3": ("mp3", lambda mp3: b"ID3\x03\0\0" + struct.pack(">I", 1000) + bytes(1000) + mp3),
    "id3-size-beyond-file.mp3": ("mp3", lambda mp3: b"ID3\x03\0\0\x7f\x7f\x7f\x7f" + bytes(500) + mp3),
    "an-mp3.wav": ("mp3", lambda mp3: mp3),
    "an-mp3-without-an-ending": ("mp3", lambda mp3: mp3),
    "mp3-inside.wav": ("mp3", mp3_in_wav),
    "id3-in-front.flac": ("flac", lambda flac: b"ID3\x04\0\0" + SMALL + bytes(100) + flac),
    "two-id3-in-front.flac": ("flac", lambda flac: (b"ID3\x04\0\0" + SMALL + bytes(100)) * 2 + flac),
    "id3-of-a-plain-size-in-front.flac": ("flac", lambda flac: b"ID3\x03\0\0" + struct.pack(">I", 1000) + bytes(1000) + flac),
    "comments-broken.flac": (
        "flac",
        lambda flac: b"fLaC" + block(0, flac[8:42]) + block(128 | 4, struct.pack("<I", 99999) + b"x") + frames_of(flac),
    ),
    "picture-broken.flac": ("flac", lambda flac: b"fLaC" + block(0, flac[8:42]) + block(128 | 6, b"\xff" * 40) + frames_of(flac)),
    "a-flac.mp3": ("flac", lambda flac: flac),
    "a-flac.ogg": ("flac", lambda flac: flac),
    "id3-in-front.wav": ("wav", lambda wav: b"ID3\x04\0\0" + SMALL + bytes(100) + wav),
    "rf64.wav": ("wav", rf64),
    "a-wav.mp3": ("wav", lambda wav: wav),
    "id3-chunk-broken.wav": ("wav", lambda wav: wav + b"id3 \x0c\0\0\0ID3\x09\0\0\x7f\x7f\x7f\x7f"),
}


@pytest.fixture(scope="module")
def whole(source: Path, bare: bytes) -> dict[str, bytes]:
    """Format → a file of it."""
    return {"mp3": bare, "flac": encoded(source, source.with_name("whole.flac")).read_bytes(), "wav": source.read_bytes()}


@pytest.mark.parametrize("name", WRONG_TAGS)
def test_wrong_tags_and_names_cost_the_title_not_the_sound(tmp_path: Path, whole: dict[str, bytes], name: str) -> None:
    format_, change = WRONG_TAGS[name]
    (tmp_path / name).write_bytes(change(whole[format_]))
    track = Library(tmp_path, tmp_path / "lua", []).load(name)
    assert track.format == format_
    assert track.name in (Path(name).stem, "Somebody – The Title")
    assert track.duration == pytest.approx(SECONDS, abs=CLOSE_SECONDS)


@pytest.mark.parametrize("name", WRONG_TAGS)
def test_what_is_sent_of_such_a_file_begins_with_its_sound(tmp_path: Path, whole: dict[str, bytes], name: str) -> None:
    format_, change = WRONG_TAGS[name]
    (tmp_path / name).write_bytes(change(whole[format_]))
    library = Library(tmp_path, tmp_path / "lua", [])
    track = library.load(name)
    with library.open(track) as file:
        heard = sound(file, track)
        begin = heard.offset(0)
        file.seek(begin)
        sent = heard.prefix + file.read(heard.end - begin)
    assert sent.startswith({"mp3": (b"\xff",), "flac": (b"fLaC",), "wav": (b"RIFF", b"RF64")}[format_])
    if not name.startswith("rf64"):  # which the other tool does not know
        assert heard_seconds(sent, f".{format_}") == pytest.approx(SECONDS, abs=CLOSE_SECONDS)


@pytest.mark.parametrize("first", [block(4, bytes(8)), block(1, bytes(34)), block(0, bytes(33)), b""])
def test_a_flac_whose_first_block_is_not_its_stream_s_is_refused(tmp_path: Path, whole: dict[str, bytes], first: bytes) -> None:
    flac = whole["flac"]
    (tmp_path / "odd.flac").write_bytes(b"fLaC" + first + block(128, flac[8:42]) + frames_of(flac) if first else b"fLaC" + frames_of(flac))
    with pytest.raises(ListenError, match=r"odd\.flac .*STREAMINFO"):
        loaded(tmp_path, "odd.flac")


def test_a_front_without_end_is_refused_at_once(tmp_path: Path, whole: dict[str, bytes]) -> None:
    (tmp_path / "odd.wav").write_bytes(b"RIFF\0\0\0\0WAVE" + b"junk\0\0\0\0" * 2000 + whole["wav"][12:])
    (tmp_path / "odd.flac").write_bytes(
        b"fLaC" + block(0, whole["flac"][8:42]) + block(1, b"") * 2000 + block(129, b"") + frames_of(whole["flac"])
    )
    for name, what in (("odd.wav", "chunks"), ("odd.flac", "blocks")):
        with pytest.raises(ListenError, match=rf"{name} .*more than 1024 {what} stand before"):
            loaded(tmp_path, name)


@pytest.mark.parametrize("ending", [".ogg", ".opus"])
def test_an_ogg_whose_comments_are_broken_is_as_long_as_it_was(tmp_path: Path, source: Path, ending: str) -> None:
    content = bytearray(encoded(source, tmp_path / f"whole{ending}").read_bytes())
    mark = b"\x03vorbis" if ending == ".ogg" else b"OpusTags"
    at = content.index(mark) + len(mark)
    content[at : at + 4] = b"\xff\xff\xff\x7f"
    (tmp_path / f"odd{ending}").write_bytes(content)
    assert loaded(tmp_path, f"odd{ending}") == pytest.approx(loaded(tmp_path, f"whole{ending}"), abs=0.001)


def loaded(folder: Path, name: str) -> float:
    return Library(folder, folder / "lua", []).load(name).duration
