"""The lock that allows one running peer a folder: `data/peer.lock`, released by the system however the peer ends.

Commands that only call scripts need no lock and work beside a running peer. A command that joins the network holds it for a moment and says
so in the file, so that others may wait. It must not know what a peer does.
"""

from __future__ import annotations

import fcntl
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import ClassVar, Final

FILE: Final = "data/peer.lock"
_COMMAND: Final = "command"
_HOLDER_MAX_BYTES: Final = 40


class FolderLockedError(Exception):
    """A peer runs in that folder already, or the lock cannot be taken; the message says which, in one sentence."""

    owner_code: ClassVar = "locked"

    def __init__(self, message: str, *, passing: bool = False, held: bool = True) -> None:
        super().__init__(message)
        self.held = held
        """Another process holds it. False: the folder does not let it be had, now or later."""
        self.passing = passing
        """A command holds it, and ends by itself."""


@contextmanager
def locked(folder: Path, *, passing: bool = False) -> Iterator[None]:
    """Hold the lock of the peer folder `folder`. Raises `FolderLockedError` at once when another process holds it.

    `passing`: for as long as a command takes.
    """
    file = folder / FILE
    try:
        file.parent.mkdir(mode=0o700, exist_ok=True)
        # Never unlinked: whoever waited for the old file's lock would hold one nobody else sees.
        descriptor = os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK, 0o600)
    except OSError as error:
        raise FolderLockedError(f"{file} cannot be made ({error.strerror}): a running peer marks its folder there", held=False) from None
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise FolderLockedError(f"{file} is not a regular file: move it away, a running peer marks its folder there", held=False)
        _lock(folder, descriptor)
        # One with another name (a hard link) may be a file of the owner's: it is locked all the same, and not written to.
        if status.st_nlink == 1:
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, f"{os.getpid()}{f' {_COMMAND}' if passing else ''}\n".encode(), 0)
        yield
    finally:
        os.close(descriptor)


def _lock(folder: Path, descriptor: int) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        said = os.pread(descriptor, _HOLDER_MAX_BYTES, 0) if os.fstat(descriptor).st_nlink == 1 else b""
        holder, _, kind = said.decode("ascii", "replace").strip().partition(" ")
        known = f" (process {holder})" if holder.isdigit() else ""
        if kind == _COMMAND:
            raise FolderLockedError(f"a command is at work in {folder}{known}: try again when it has ended", passing=True) from None
        raise FolderLockedError(f"a peer runs in {folder} already{known}: end it first, or use another folder") from None
    except OSError as error:
        raise FolderLockedError(
            f"{folder / FILE} cannot be locked ({error.strerror}): is the folder on a network drive?", held=False
        ) from None
