"""Audio files as tracks: which may be loaded, and what they are. Format and length are read from the sound itself (mpeg.py, flac.py,
wav.py, ogg.py), since names and headers may be wrong; mutagen reads the tags, which may be wrong too.
"""

from __future__ import annotations

import contextlib
import io
import os
import stat
import struct
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, BinaryIO, Final, NamedTuple, cast

from goop2.folder.private_files import is_private
from goop2.folder.regular_files import ABSENT, FileRefusedError, open_real, shown
from goop2.scripting.printable import printable
from goop2.services.listen import flac, ogg, wav
from goop2.services.listen.cover import Cover, cover_of
from goop2.services.listen.file_start import begins
from goop2.services.listen.mpeg import NoMpegFramesError, scan
from goop2.services.listen.session import AudioUnreadableError, ListenError, Track

ENDINGS: Final = (".mp3", ".ogg", ".oga", ".opus", ".flac", ".wav")
"""Of the names files are offered by; what is in them is looked at when one is loaded."""
FILES_MAX: Final = 1000
"""Offered to choose from; others are loaded by their path."""
LOOKED_AT_MAX: Final = 100_000
"""Names in a folder and below, before the rest is left out: a media folder may be a whole disk."""
SHOWN_CHARS: Final = 200


class Library:
    """The places that tracks may come from: the peer's folder without its private files, and the owner's media folders."""

    def __init__(self, folder: Path, script_dir: Path, media_dirs: Sequence[str]) -> None:
        self._folder = folder
        self._script_dir = script_dir
        self.warnings: list[str] = []
        """Media folders that are passed over, and why."""
        self._media_dirs = [place for each in media_dirs if (place := self._media_dir(each)) is not None]

    def _media_dir(self, place: str) -> Path | None:
        try:
            return self._folder / Path(place).expanduser()
        except RuntimeError:  # a service, say, or a container's user without a name
            self.warnings.append(
                f"listen.media_dirs: {place} is passed over: no home of the user who runs the peer is known, so name the path"
            )
            return None

    def load(self, path: str) -> Track:
        """Return the track at `path`, absolute or in the peer's folder. Blocking. Raises `ListenError` naming the file."""
        shown = printable(path, SHOWN_CHARS)
        real = self._real(path, shown)
        with _opened(real) as file:
            self._check_open_to_all(file, shown)
            return _described(file, real, shown)

    def again(self, track: Track) -> Track:
        """Return a track of an earlier start: unchanged if its file is, else loaded again. Blocking. Raises `ListenError`."""
        try:
            real = self._real(track.path, track.path)
            found = replace(track, path=str(real))
            self.open(found).close()
        except ListenError:
            return self.load(track.path)
        return found

    def open(self, track: Track) -> BinaryIO:
        """Return a track's file. Blocking. Raises `ListenError` if it is gone, or another one."""
        file = _opened(Path(track.path))
        self._check_open_to_all(file, Path(track.path).name)
        if _stamp(file) != track.stamp:
            file.close()
            raise ListenError(f"{Path(track.path).name} has changed since it was loaded: load it again")
        return file

    def cover(self, track: Track) -> Cover | None:
        """Return the picture in it. Blocking. Raises `ListenError` if its file has changed since it was loaded."""
        with self.open(track) as file:
            return _cover(_tagged(file, track.format))

    def files(self) -> list[str]:
        """Return the files that could be loaded, by name: relative paths in the peer's folder, absolute ones in the owner's media folders.
        Blocking.
        """
        hidden = self._hidden()
        found = [str(path.relative_to(self._folder)) for path in _sounds(self._folder, hidden)]
        for place in self._media_dirs:
            found += [str(path) for path in _sounds(place, hidden)]
        # Pages and scripts name files in UTF-8: one whose name is not cannot be chosen, and the others can.
        named = [path for path in found if shown(path) == path]
        return sorted(dict.fromkeys(named[:FILES_MAX]), key=str.casefold)

    def _check_open_to_all(self, file: BinaryIO, shown: str) -> None:
        """Raise `ListenError` if it is a private file under another name: a hard link."""
        status = os.fstat(file.fileno())
        try:
            private = status.st_nlink > 1 and is_private(self._folder, status)
        except OSError:
            private = True
        if private:
            file.close()
            raise ListenError(f"{shown} is no file here")

    def _hidden(self) -> list[Path]:
        return [self._script_dir.resolve(), (self._folder / "data").resolve()]

    def _real(self, path: str, shown: str) -> Path:
        """Return the real path of a track. For paths outside the folders it does not say whether they exist: strangers choose paths."""
        try:
            # As a shell has it, but for ~name: who has an account here is nobody's business.
            real = (self._folder / (Path(path).expanduser() if path.startswith("~/") else path)).resolve()
            places = [self._folder.resolve(), *(place.resolve() for place in self._media_dirs)]
            hidden = self._hidden()
        except (OSError, RuntimeError, ValueError):
            raise ListenError(f"{shown} is no file here") from None
        place = next((place for place in places if real.is_relative_to(place)), None)
        if place is None:
            raise ListenError(f"{shown} lies outside the peer's folder: the owner may add its folder to listen.media_dirs")
        dotted = any(part.startswith(".") for part in real.relative_to(place).parts)
        if dotted or any(real.is_relative_to(each) for each in hidden) or not _is_file(real):
            raise ListenError(f"{shown} is no file here")
        return real


def _sounds(place: Path, hidden: Sequence[Path]) -> Iterator[Path]:
    """Yield audio files below `place`, by their names' endings; through no link and into no hidden folder."""
    looked_at = 0
    for folder, folders, names in os.walk(place):
        inside = Path(folder)
        # In place: os.walk then skips hidden folders and those that must not be served.
        folders[:] = sorted(name for name in folders if not name.startswith(".") and (inside / name).resolve() not in hidden)
        looked_at += len(names) + 1
        # A media folder may hold a million files; the list is for choosing a track.
        if looked_at > LOOKED_AT_MAX:
            return
        yield from (inside / name for name in sorted(names) if not name.startswith(".") and name.lower().endswith(ENDINGS))


def _opened(path: Path) -> BinaryIO:
    try:
        return io.BufferedReader(cast("io.RawIOBase", open_real(path)))
    except OSError as error:
        kind = ListenError if isinstance(error, FileRefusedError) or error.errno in ABSENT else AudioUnreadableError
        raise kind(f"{shown(path.name)} cannot be opened: {error.strerror}") from None


def _stamp(file: BinaryIO) -> tuple[int, int]:
    status = os.fstat(file.fileno())
    return status.st_size, status.st_mtime_ns


def _is_file(path: Path) -> bool:
    """Return whether a path is a regular file. A path that cannot be checked counts as one: opening it says why."""
    try:
        return stat.S_ISREG(path.stat().st_mode)
    except OSError as error:
        return error.errno not in ABSENT


def _described(file: BinaryIO, real: Path, shown: str) -> Track:
    stamp = _stamp(file)
    try:
        # The content decides, since names lie. Only for MP3, which may begin with anything, the name is a hint.
        format_ = _format(file, real.name)
        if not format_:
            raise ListenError(f"{shown} is no audio file this peer plays: MP3, Ogg Vorbis or Opus, FLAC, WAV")
        duration, audio = _MEASURED[format_](file, stamp[0])
    except (NoMpegFramesError, OSError, ValueError, EOFError, struct.error) as error:
        raise ListenError(f"{shown} is broken, or no audio file: {printable(str(error) or type(error).__name__, SHOWN_CHARS)}") from None
    if duration <= 0:
        raise ListenError(f"{shown} holds no sound")
    tagged = _tagged(file, format_)
    has_cover = _cover(tagged) is not None
    return Track(
        name=_name(tagged, real),
        duration=round(duration, 3),
        bitrate=int(audio * 8 / duration),
        format=format_,
        path=str(real),
        stamp=stamp,
        has_cover=has_cover,
    )


def _format(file: BinaryIO, name: str) -> str:
    """Return the format of the file by its content, whatever its name; "" if it is none that we play."""
    for marks, format_ in ((flac.MARK,), "flac"), (wav.MARKS, "wav"):
        with contextlib.suppress(ValueError):
            begins(file, marks)
            return "mp3" if format_ == "wav" and _holds_mp3(file) else format_
    file.seek(0)
    head = file.read(ogg.CODEC_BYTES)
    if head.startswith(b"OggS"):
        return ogg.codec(head)
    return "mp3" if head.startswith((b"ID3", b"\xff")) or name.lower().endswith(ENDINGS) else ""


def _holds_mp3(file: BinaryIO) -> bool:
    try:
        wav.layout(file)
    except wav.WavHoldsMp3Error:
        return True
    except (ValueError, struct.error):
        pass
    return False


def _mp3(file: BinaryIO, _size: int) -> tuple[float, int]:
    return scan(file)


def _ogg(file: BinaryIO, size: int) -> tuple[float, int]:
    if ogg.is_chained(file):
        raise ValueError("it is several recordings one behind the other, and only the first says how long it is: load them one by one")
    return ogg.duration(file), size


def _flac(file: BinaryIO, size: int) -> tuple[float, int]:
    return flac.duration(file), size - flac.layout(file).first


def _wav(file: BinaryIO, _size: int) -> tuple[float, int]:
    known = wav.layout(file)
    return known.duration, known.end - known.begin


_MEASURED: Final[Mapping[str, Callable[[BinaryIO, int], tuple[float, int]]]] = {
    "mp3": _mp3,
    "ogg": _ogg,
    "opus": _ogg,
    "flac": _flac,
    "wav": _wav,
}
"""Format → seconds and bytes of sound, of what is really there: headers are wrong where a file was cut or written to a pipe."""


class _Tagged(NamedTuple):
    """The tags and pictures that a sound file holds."""

    tags: Any
    """As mutagen reads them: a mapping, or None."""
    pictures: Sequence[Any] = ()
    """FLAC's blocks."""


def _tagged(file: BinaryIO, format_: str) -> _Tagged:
    """Return the tags of a file. Wrong tags cost the title and the cover, not the sound."""
    from mutagen import apev2, flac, id3, mp3, oggopus, oggvorbis, wave

    readers: dict[str, tuple[Any, ...]] = {
        "mp3": (mp3.MP3, id3.ID3, apev2.APEv2),
        "ogg": (oggvorbis.OggVorbis,),
        "opus": (oggopus.OggOpus,),
        "flac": (flac.FLAC, id3.ID3),
        "wav": (wave.WAVE, id3.ID3),
    }
    for reader in readers[format_]:
        with contextlib.suppress(Exception):  # of a library, at a stranger's bytes
            file.seek(0)
            found = reader(fileobj=file)
            tags = getattr(found, "tags", found)
            if tags is not None:
                return _Tagged(tags, getattr(found, "pictures", ()))
    return _Tagged(None)


def _name(tagged: _Tagged, real: Path) -> str:
    """Return artist and title if the tags have them, else the file's name."""
    artist = title = ""
    with contextlib.suppress(Exception):  # as above
        artist, title = _first(tagged.tags or {}, "TPE1", "artist"), _first(tagged.tags or {}, "TIT2", "title")
    return printable(" – ".join(filter(None, (artist, title))) if title else real.stem, SHOWN_CHARS)


def _cover(tagged: _Tagged) -> Cover | None:
    with contextlib.suppress(Exception):  # as above
        return cover_of(tagged.tags, tagged.pictures)
    return None


def _first(tags: Any, *keys: str) -> str:
    for key in keys:
        value = tags.get(key)
        first = value[0] if value else ""
        if text := " ".join(str(first).split()):
            return text
    return ""
