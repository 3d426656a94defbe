"""The modes of a peer's files: only its own user may read them, since messages, keys and tokens are in them.

They are checked when a peer or a command opens the folder: goop.json, data.db with the files that SQLite keeps beside it, and data/. Only
files of this process's own user are changed, nothing else in the folder, and not the folder itself. New files get these modes from the
start.
"""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from goop2.folder.regular_files import shown

FILE_MODE: Final = 0o600
FOLDER_MODE: Final = 0o700
DATA_FOLDER: Final = "data"
PUT_ASIDE: Final = "data/templates"
"""Holds what a template has replaced (file_switch.py)."""
PLACES: Final = ("goop.json", "data.db", "data.db-wal", "data.db-shm", "data.db-journal")
NAMED_MAX: Final = 3
"""Names in a sentence; the rest is counted."""
DEPTH_MAX: Final = 8
"""Folders below data/ that are looked into; there is none today."""
_OTHERS_MAY: Final = stat.S_IRWXG | stat.S_IRWXO
_FILE: Final = os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_NOCTTY | os.O_CLOEXEC
_FOLDER: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


def tighten(folder: Path) -> list[str]:
    """Make the private files of the peer in `folder` private; return messages for its owner, none if nothing had to be done."""
    tightened: list[str] = []
    failed: list[str] = []
    for name, done in _tightened(folder):
        if done:
            tightened.append(name)
        else:
            failed.append(name)
    told = []
    if tightened:
        told.append(
            f"{_named(tightened)} in {shown(folder)} could be read by others on this machine; now only this user can "
            '("storage": {"group_readable": true} leaves modes as they are)'
        )
    if failed:
        told.append(f"{_named(failed)} in {shown(folder)} can be read by others on this machine, and the mode cannot be changed")
    return told


def make_private(file: Path) -> None:
    """Make an empty file at `file` that only this user may read, unless something is there. Raises OSError."""
    with contextlib.suppress(FileExistsError):
        os.close(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, FILE_MODE))


def _named(names: list[str]) -> str:
    more = len(names) - NAMED_MAX
    return ", ".join(names[:NAMED_MAX]) + (f" and {more} more" if more > 0 else "")


def _tightened(folder: Path) -> Iterator[tuple[str, bool]]:
    """Yield each file whose mode was too wide, and whether it is private now."""
    database = Path(os.path.realpath(folder / "data.db"))
    for name in PLACES:
        # A link of the owner's: what it leads to holds the same secrets. What SQLite writes lies beside the real file.
        real = Path(os.path.realpath(folder / name)) if name == "goop.json" else database.with_name(name.replace("data.db", database.name))
        done = _tighten(os.fspath(real), None, _FILE)
        if done is not None:
            yield name, done
    yield from _tightened_folder(DATA_FOLDER, os.fspath(folder / DATA_FOLDER), None, 0)


def _tightened_folder(shown_as: str, name: str, parent: int | None, depth: int) -> Iterator[tuple[str, bool]]:
    done = _tighten(name, parent, _FOLDER)
    if done is not None:
        yield f"{shown_as}/", done
    if depth > DEPTH_MAX:
        return
    with contextlib.suppress(OSError):
        # The folder first: from then on nobody else can put a link in a file's place.
        here = os.open(name, _FOLDER, dir_fd=parent)
        try:
            for each in sorted(os.listdir(here)):  # noqa: PTH208 - a descriptor
                inner = f"{shown_as}/{shown(each)}"
                status = os.stat(each, dir_fd=here, follow_symlinks=False)
                if stat.S_ISDIR(status.st_mode):
                    # Files of the site that a template has replaced have their modes when they come back; nobody else enters the folder.
                    yield from _tightened_folder(inner, each, here, DEPTH_MAX + 1 if inner == PUT_ASIDE else depth + 1)
                elif stat.S_ISREG(status.st_mode) and (done := _tighten(each, here, _FILE)) is not None:
                    yield inner, done
        finally:
            os.close(here)


def _tighten(name: str, folder: int | None, flags: int) -> bool | None:
    """Return whether it is private now; None if it was before, is not this user's, or does not exist."""
    try:
        if not _is_too_wide(os.stat(name, dir_fd=folder, follow_symlinks=False)):
            return None
        descriptor = os.open(name, flags, dir_fd=folder)
    except FileNotFoundError:
        return None
    except OSError:
        return False
    try:
        if not _is_too_wide(os.fstat(descriptor)):
            return None
        with contextlib.suppress(OSError):  # a medium that can only be read
            os.fchmod(descriptor, FOLDER_MODE if flags & os.O_DIRECTORY else FILE_MODE)
        return not _is_too_wide(os.fstat(descriptor))  # some file systems take a mode and forget it
    finally:
        os.close(descriptor)


def _is_too_wide(status: os.stat_result) -> bool:
    private = stat.S_ISREG(status.st_mode) or stat.S_ISDIR(status.st_mode)
    return private and status.st_uid == os.geteuid() and bool(status.st_mode & _OTHERS_MAY)
