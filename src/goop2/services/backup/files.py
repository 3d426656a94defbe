"""The files of a peer folder that go along with its database, and their way into the archive and out of it.

    goop.json, schemas/, the site, the scripts where they lie elsewhere, data/*.json

The peer's key never goes along: `goop2 backup DIR --identity FILE` writes it. What cannot go along is told, not passed over.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Final

from goop2.config import Settings
from goop2.folder.regular_files import open_regular, shown
from goop2.services.backup.program import BackupError
from goop2.storage.backup_archive import FILE_MAX_BYTES, BackupArchive

SETTINGS: Final = "goop.json"
SCHEMAS: Final = "schemas"
DATA: Final = "data"
JSON: Final = ".json"
DEPTH_MAX: Final = 64
"""Folders within folders; nobody's are deeper."""
_PRIVATE_MODE: Final = 0o600
_MODE: Final = 0o644
_EXECUTABLE: Final = 0o111


@dataclass(slots=True)
class _Found:
    """What a look at the folder has found."""

    files: dict[str, tuple[Path, os.stat_result]] = field(default_factory=dict)
    """Name in the archive → the file, and how it looks."""
    left_out: list[str] = field(default_factory=list)
    """Names of what cannot go along, each with its reason."""
    folders: list[Path] = field(default_factory=list)


class FolderFiles:
    """The files of the peer in `folder`, looked at by their times and sizes. Blocking; one look at a time."""

    def __init__(self, folder: Path, settings: Settings) -> None:
        self._folder = folder
        self._site = settings.paths.site_root
        self._roots = tuple(dict.fromkeys((SCHEMAS, self._site, settings.lua.script_dir)))
        self.folders: tuple[Path, ...] = tuple(folder / root for root in self._roots)
        """Where a change may happen that the next look must see."""

    def small_state(self) -> tuple[object, ...]:
        """Return a value that changes when goop.json or a file of data/ does, whose folders hold databases and so change all the time."""
        found = _Found()
        self._small(found)
        return tuple(sorted((name, _stamp(status)) for name, (_, status) in found.files.items()))

    def save(self, archive: BackupArchive) -> tuple[bool, list[str]]:
        """Bring the archive up to date; return whether anything changed, and what is left out. Raises `StorageError`."""
        found = _Found()
        self._small(found)
        for root in self._roots:
            self._walk(self._folder / root, root, found, 0)
        self.folders = tuple(found.folders)
        before = archive.stamps()
        changed = [name for name, (_, status) in found.files.items() if before.get(name) != _stamp(status)]
        removed = before.keys() - found.files.keys()
        if changed or removed:
            with archive.changing():
                for name in removed:
                    archive.remove(name)
                for name in changed:
                    self._put(archive, name, found)
        return bool(changed or removed), found.left_out

    def _put(self, archive: BackupArchive, name: str, found: _Found) -> None:
        path, _ = found.files[name]
        try:
            with open_regular(path, None) as content:
                # Of the file that was opened, which may be another one than the look at the folder has found.
                now = os.fstat(content.fileno())
                if now.st_size > FILE_MAX_BYTES:
                    found.left_out.append(f"{name} (larger than {FILE_MAX_BYTES >> 20} MB)")
                    return
                mode = stat.S_IMODE(now.st_mode)
                archive.put(name, content, size=now.st_size, mode=mode, changed_at=int(now.st_mtime), stamp=_stamp(now))
        except OSError as error:
            # Without a file's name it is the archive that cannot be written, or the disk: no reason to leave this file out.
            if error.filename is None and not isinstance(error, FileNotFoundError):
                raise
            if not isinstance(error, FileNotFoundError):
                found.left_out.append(f"{name} ({error.strerror})")

    def _small(self, found: _Found) -> None:
        self._add(self._folder / SETTINGS, SETTINGS, found)
        for entry in _entries(self._folder / DATA):
            if entry.name.endswith(JSON):
                self._add(Path(entry.path), f"{DATA}/{entry.name}", found)

    def _walk(self, folder: Path, name: str, found: _Found, depth: int) -> None:
        found.folders.append(folder)
        if depth > DEPTH_MAX:
            found.left_out.append(f"{name}/ (folders within folders too deep)")
            return
        for entry in _entries(folder):
            inside = f"{name}/{entry.name}"
            if entry.is_dir(follow_symlinks=False):
                self._walk(Path(entry.path), inside, found, depth + 1)
            else:
                self._add(Path(entry.path), inside, found)

    def _add(self, path: Path, name: str, found: _Found) -> None:
        if shown(name) != name:
            found.left_out.append(f"{shown(name)} (its name is not UTF-8)")
            return
        try:
            # Not followed at first: a link may lead to any file of the machine, which would go to the place with the site.
            status = path.lstat()
            if stat.S_ISLNK(status.st_mode) and name != SETTINGS:  # goop.json may be one; others may lead anywhere
                found.left_out.append(f"{name} (a link)")
                return
            status = path.stat()
        except FileNotFoundError:
            return
        except OSError as error:
            found.left_out.append(f"{name} ({error.strerror})")
            return
        if stat.S_ISREG(status.st_mode):
            if status.st_size > FILE_MAX_BYTES:
                found.left_out.append(f"{name} (larger than {FILE_MAX_BYTES >> 20} MB)")
            else:
                found.files[name] = path, status


def unpack(archive: BackupArchive, folder: Path) -> int:
    """Write the files of an archive into `folder`, which is empty and the caller's own; return how many. Raises `BackupError`, OSError.

    The archive comes from a place that others may be able to write to, so a name that leads elsewhere is refused.
    """
    files = archive.files()
    # All of them before the first is written: one bad name means that somebody has changed the archive.
    for each in files:
        _check_name(each.name)
    for each in files:
        private = each.name == SETTINGS or each.name.startswith(f"{DATA}/")
        target = folder / each.name
        target.parent.mkdir(mode=0o700 if private else 0o755, parents=True, exist_ok=True)
        mode = _PRIVATE_MODE if private else _MODE | (each.mode & _EXECUTABLE)
        descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, mode)
        with os.fdopen(descriptor, "wb") as opened:
            for part in archive.read(each.name):
                opened.write(part)
    return len(files)


def _check_name(name: str) -> None:
    """Raise `BackupError` for a name that is none of a peer's files."""
    parts = PurePosixPath(name).parts
    usual = bool(parts) and name == "/".join(parts) and ".." not in parts and not name.startswith("/") and "\0" not in name
    if usual and parts[0] == DATA:
        usual = len(parts) == 2 and name.endswith(JSON) and not parts[1].startswith(".")
    elif usual and len(parts) == 1:
        usual = name == SETTINGS
    if not usual or (parts[0].startswith(("data.", ".")) and parts[0] != SETTINGS):
        raise BackupError(
            f"the backup has a file with the name {name[:100]!r}, which no peer has: it was changed by somebody, and is not used"
        )


def _entries(folder: Path) -> Iterator[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as listed:
            yield from sorted(listed, key=lambda entry: entry.name)
    except (FileNotFoundError, NotADirectoryError):
        return


def _stamp(status: os.stat_result) -> str:
    return f"{status.st_ino}.{status.st_size}.{status.st_mtime_ns}.{stat.S_IMODE(status.st_mode)}"
