"""A small private file, written whole or not at all: made once and never overwritten, as a key is, or put in place of an older one."""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Iterator
from pathlib import Path


def make_whole(file: Path, content: bytes) -> None:
    """Make `file` for this user only, and safely on the disk, unless another process was first. Raises OSError."""
    with _temporary(file, content) as temporary, contextlib.suppress(FileExistsError):
        # A link fails where a rename would replace: the first process wins, the others read what it wrote.
        os.link(temporary, file)
        sync(file.parent)


def replace_whole(file: Path, content: bytes) -> None:
    """Put `content` in the place of `file`, for this user's eyes only and safely on the disk. Raises OSError."""
    with _temporary(file, content) as temporary:
        # A link in the place of the file is replaced, and not written through.
        temporary.replace(file)
        sync(file.parent)


@contextlib.contextmanager
def _temporary(file: Path, content: bytes) -> Iterator[Path]:
    """Make a file beside `file` that is removed at the end."""
    path = file.with_name(f".{file.name}.{secrets.token_hex(8)}")
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        with open(descriptor, "wb") as opened:  # noqa: PTH123 (a descriptor, which Path does not open)
            opened.write(content)
            opened.flush()
            os.fsync(descriptor)
        yield path
    finally:
        path.unlink(missing_ok=True)


def sync(path: Path) -> None:
    """Wait until a file's content, or a folder's names, are on the disk. Raises OSError."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
