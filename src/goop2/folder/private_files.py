"""Recognise the files of a peer folder that are for its owner only, under any name: a hard link is the same file.

A name is no evidence, so files are compared by device and inode.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from goop2.folder.regular_files import ABSENT

PRIVATE: Final = ("data", "goop.json")
"""What names in the peer folder begin with that nobody but the owner gets: data/, data.db with what lies beside it, goop.json, copies."""
PRIVATE_FOLDER: Final = "data"


def is_private(folder: Path, status: os.stat_result) -> bool:
    """Return whether a file is one of the owner's private files in `folder`: goop.json, the database, or something in data/.

    Raises OSError where that cannot be known.
    """
    wanted = file_identity(status)
    with passing_over_absent():
        for name in os.listdir(folder):  # noqa: PTH208 - names alone
            with passing_over_absent():
                if name.casefold().startswith(PRIVATE) and file_identity(os.stat(f"{folder}/{name}")) == wanted:  # noqa: PTH116 - a link's end
                    return True
    return holds_file(folder / PRIVATE_FOLDER, wanted)


def holds_file(folder: Path, wanted: tuple[int, int]) -> bool:
    """Return whether a file of that identity lies somewhere in `folder`. Raises OSError if that cannot be found out."""
    for inside, _, names in os.walk(folder, onerror=raise_unless_absent):
        for name in names:
            with passing_over_absent():
                if file_identity(os.lstat(f"{inside}/{name}")) == wanted:
                    return True
    return False


def raise_unless_absent(error: OSError) -> None:
    """Raise `error` unless it means that a file does not exist."""
    if error.errno not in ABSENT:
        raise error


@contextlib.contextmanager
def passing_over_absent() -> Iterator[None]:
    """End the block at a missing file: files may vanish while a folder is read."""
    try:
        yield
    except OSError as error:
        raise_unless_absent(error)


def file_identity(status: os.stat_result) -> tuple[int, int]:
    """Return device and inode, which identify a file under any name."""
    return status.st_dev, status.st_ino
