"""The versions of each script that were saved: the last 50, packed, in `data/script-versions/<kind>-<name>/`.

A file is `<milliseconds since 1970>-<digest>.z`. Bounded by number, by bytes for each script and by bytes in all; the oldest go first, and
the newest stays whatever its size. What cannot be kept is missing from the history alone: a save goes on. It must not know who saves.
"""

from __future__ import annotations

import contextlib
import hashlib
import re
import time
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import structlog

from goop2.folder.regular_files import read_regular
from goop2.folder.script_changes import NAME, TEXT_MAX_BYTES, Kind, ScriptChangeError
from goop2.folder.whole_file import replace_whole

FOLDER: Final = "data/script-versions"
KEPT_MAX: Final = 50
"""Versions of one script."""
SCRIPT_MAX_BYTES: Final = 4 * 1024 * 1024
"""Packed versions of one script: fifty of a usual script take a twentieth of it, of one of 1 MB some ten fit."""
ALL_MAX_BYTES: Final = 64 * 1024 * 1024
_FILE: Final = re.compile(r"(\d{1,15})-([0-9a-f]{16})\.z")
_DIGEST_BYTES: Final = 8

_log: structlog.typing.FilteringBoundLogger = structlog.get_logger("goop2.folder")


@dataclass(frozen=True, slots=True)
class SavedVersion:
    """One saved version of a script."""

    id: str
    at: float
    """When it was saved, seconds since 1970."""


class ScriptVersions:
    """The saved versions of the scripts of one peer. Blocking."""

    def __init__(self, folder: Path, clock: Callable[[], float] = time.time) -> None:
        self._folder = folder
        self._clock = clock

    def record(self, kind: Kind, name: str, text: str) -> None:
        """Keep `text` as the newest version, unless it is that already. Never raises for the disk: a script is saved all the same."""
        content = text.encode()
        if len(content) > TEXT_MAX_BYTES:
            return
        digest = hashlib.blake2b(content, digest_size=_DIGEST_BYTES).hexdigest()
        try:
            place = self._place(kind, name, make=True)
            known = _versions(place)
            if known and known[-1].stem.endswith(digest):
                return
            # The clock may have been set back: the newest version stays the last one.
            newest = int(known[-1].name.partition("-")[0]) + 1 if known else 0
            at = max(int(self._clock() * 1000), newest)
            replace_whole(place / f"{at}-{digest}.z", zlib.compress(content, 6))
            self._trim(place)
        except OSError as error:
            _log.warning("a version of a script is not kept", script=name, why=error.strerror or str(error))

    def listed(self, kind: Kind, name: str) -> list[SavedVersion]:
        """Return the versions of a script, the newest first."""
        try:
            found = _versions(self._place(kind, name))
        except OSError:
            return []
        return [SavedVersion(file.stem, int(file.name.partition("-")[0]) / 1000) for file in reversed(found)]

    def read(self, kind: Kind, name: str, version: str) -> str:
        """Return the text of a version. Raises `ScriptChangeError` when it is not kept, or cannot be read."""
        if not _FILE.fullmatch(f"{version}.z"):
            raise ScriptChangeError("there is no such version")
        try:
            packed = read_regular(self._place(kind, name) / f"{version}.z", self._folder, 2 * TEXT_MAX_BYTES)
            unpacking = zlib.decompressobj()
            # Bounded: a file that came with the folder may be small and unpack to gigabytes.
            return unpacking.decompress(packed, TEXT_MAX_BYTES).decode()
        except FileNotFoundError:
            raise ScriptChangeError("this version is not kept any more") from None
        except (OSError, zlib.error, UnicodeDecodeError):
            raise ScriptChangeError("this version cannot be read") from None

    def rename(self, kind: Kind, name: str, new_name: str) -> None:
        """Let a script that has another name now keep its versions; those of an earlier script of that name stay where they are."""
        with contextlib.suppress(OSError):
            place, target = self._place(kind, name), self._place(kind, new_name)
            if not target.exists():
                place.rename(target)

    def _place(self, kind: Kind, name: str, *, make: bool = False) -> Path:
        if not NAME.match(name):
            raise ScriptChangeError("a script's name is 1 to 64 letters, digits, - and _")
        place = self._folder / FOLDER / f"{kind}-{name.lower() if kind == 'command' else name}"
        # Before anything is made: a folder that came from elsewhere may have a link in its place.
        if not place.resolve().is_relative_to(self._folder.resolve() / "data"):
            raise OSError(f"{FOLDER} leads out of data/")
        if make:
            place.mkdir(mode=0o700, parents=True, exist_ok=True)
            place.chmod(0o700)
        return place

    def _trim(self, place: Path) -> None:
        _remove_beyond(_versions(place), KEPT_MAX, SCRIPT_MAX_BYTES)
        everything = [file for each in place.parent.iterdir() if each.is_dir() for file in _versions(each)[:-1]]
        _remove_beyond(sorted(everything, key=lambda file: int(file.name.partition("-")[0])), len(everything), ALL_MAX_BYTES)


def _versions(place: Path) -> list[Path]:
    """Return the files of versions in a folder, the oldest first."""
    files = [file for file in place.iterdir() if _FILE.fullmatch(file.name)] if place.is_dir() else []
    return sorted(files, key=lambda file: int(file.name.partition("-")[0]))


def _remove_beyond(files: list[Path], number: int, max_bytes: int) -> None:
    """Remove the oldest of `files` until at most `number` are left, with at most `max_bytes`; never the newest."""
    room = max_bytes
    for place, file in enumerate(reversed(files)):
        with contextlib.suppress(OSError):
            room -= file.stat().st_size
            if place and (place >= number or room < 0):
                file.unlink()
