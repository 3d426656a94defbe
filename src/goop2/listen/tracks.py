"""Audio files as tracks: which may be loaded, and what they are. mutagen reads them; an MP3 it would guess at is counted (mpeg.py)."""

from __future__ import annotations

import os
import stat
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO, Final

from goop2.listen.mpeg import NoFrames, scan
from goop2.listen.session import ListenError, Track

FORMATS: Final = {"MP3": "mp3", "OggVorbis": "ogg", "OggOpus": "opus", "FLAC": "flac", "WAVE": "wav"}
"""mutagen's class → format."""
SHOWN_CHARS: Final = 200
_OPEN: Final = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOFOLLOW
"""A track's path is real when it is loaded; a link that has taken its place since leads nowhere."""


class Library:
    """The places tracks may come from: the peer's folder without what is never served, and the owner's media folders."""

    def __init__(self, folder: Path, script_dir: Path, media_dirs: Sequence[str]) -> None:
        self._folder = folder
        self._script_dir = script_dir
        self._media_dirs = [Path(place).expanduser() for place in media_dirs]

    def load(self, path: str) -> Track:
        """The track at `path`, absolute or in the peer's folder. Blocking. Raises `ListenError` naming the file."""
        shown = path[:SHOWN_CHARS]
        real = self._real(path, shown)
        with self.open(str(real)) as file:
            return _described(file, real, shown)

    def open(self, real_path: str) -> BinaryIO:
        """A track's file. Raises `ListenError` when it is not there any more."""
        try:
            descriptor = os.open(real_path, _OPEN)
        except OSError as error:
            raise ListenError(f"{Path(real_path).name} cannot be opened: {error.strerror}") from None
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            os.close(descriptor)
            raise ListenError(f"{Path(real_path).name} is no regular file")
        return os.fdopen(descriptor, "rb")

    def _real(self, path: str, shown: str) -> Path:
        try:
            real = (self._folder / Path(path).expanduser()).resolve(strict=True)
            places = [self._folder.resolve(), *(place.resolve() for place in self._media_dirs)]
            hidden = [self._script_dir.resolve(), (self._folder / "data").resolve()]
        except (OSError, RuntimeError, ValueError):
            raise ListenError(f"{shown} is no file here") from None
        place = next((place for place in places if real.is_relative_to(place)), None)
        if place is None:
            raise ListenError(f"{shown} lies outside the peer's folder: the owner may add its folder to listen.media_dirs")
        if any(real.is_relative_to(each) for each in hidden) or any(part.startswith(".") for part in real.relative_to(place).parts):
            raise ListenError(f"{shown} is no file here")
        return real


def _described(file: BinaryIO, real: Path, shown: str) -> Track:
    import mutagen

    try:
        found = mutagen.File(file)
        format_ = FORMATS.get(type(found).__name__)
        if found is None or format_ is None:
            raise ListenError(f"{shown} is no audio file this peer plays: MP3, Ogg Vorbis or Opus, FLAC, WAV")
        duration, bitrate = float(found.info.length), int(getattr(found.info, "bitrate", 0) or 0)
        if (format_ == "mp3" and getattr(found.info, "sketchy", True)) or (format_ == "mp3" and not _has_contents(found)):
            file.seek(0)
            duration, audio = scan(file)
            bitrate = int(audio * 8 / duration)
    except (mutagen.MutagenError, NoFrames, OSError, ValueError, EOFError) as error:
        raise ListenError(f"{shown} is broken, or no audio file: {error or type(error).__name__}") from None
    if duration <= 0:
        raise ListenError(f"{shown} holds no sound")
    size = os.fstat(file.fileno()).st_size
    return Track(_name(found, real), round(duration, 3), bitrate or int(size * 8 / duration), format_, str(real))


def _has_contents(found: object) -> bool:
    """Whether an MP3 says itself how many frames it has (a Xing, Info or VBRI header)."""
    mode = getattr(getattr(found, "info", None), "bitrate_mode", 0)
    return int(mode) != 0


def _name(found: object, real: Path) -> str:
    """Artist and title where it says them, else the file's name."""
    tags = getattr(found, "tags", None) or {}
    words = [_first(tags, *keys) for keys in (("TPE1", "artist"), ("TIT2", "title"))]
    return " – ".join(filter(None, words)) if words[1] else real.stem


def _first(tags: object, *keys: str) -> str:
    for key in keys:
        value = tags.get(key) if hasattr(tags, "get") else None
        text = str(value[0] if isinstance(value, list) and value else getattr(value, "text", [value or ""])[0] or "")
        if text.strip():
            return " ".join(text.split())[:SHOWN_CHARS]
    return ""
