"""One transfer: a file of another peer comes piece by piece, goes on where it stopped, and is kept only if it has the listed hash.

What has come is in `received/<group id>/.<name>.<hash>.part`, so a transfer goes on after a restart too, and another version of the file
begins anew.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import stat
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import BinaryIO, Final, Literal, NamedTuple, Protocol

from goop2.folder import threads
from goop2.folder.shared_files import hash_of
from goop2.net.faults import NetworkError
from goop2.protocols.shared_files import SharedFile
from goop2.services.shared_files.errors import FilesRefusedError, TransferFailedError

PIECE_BYTES: Final = 4 * 1024 * 1024
"""Asked for at a time. An encrypted piece is held whole, and what a broken one had of it is asked for again."""
RETRY_SECONDS: Final = (1.0, 2.0, 5.0, 10.0, 20.0)
"""Pauses after failures in a row; then the transfer stops, and goes on when it is started again."""
_HASH_CHARS: Final = 16
FILES: Final = threads.FolderThreads("the folder of shared files", 4, 120.0)
"""Threads of their own: to copy or hash a large file on a slow disk takes longer than anything of a site."""

State = Literal["running", "done", "stopped"]


class Pieces(NamedTuple):
    """What a peer sends: where it begins in the file, and its bytes."""

    offset: int
    content: AsyncIterator[bytes]


class FileSource(Protocol):
    """Asks peers for files (peers/file_exchange.py). Both raise `NetworkError`."""

    async def files(self, peer: str, group: str) -> list[SharedFile]:
        """Return what a peer shares with a group."""

    def piece(self, peer: str, group: str, file: SharedFile, offset: int, length: int) -> AbstractAsyncContextManager[Pieces]:
        """Open `length` bytes of a file from `offset` on, or the whole file where the peer knows no pieces."""


class Transfer:
    """A file of a peer on its way here. `changed` is called whenever there is something new to show."""

    def __init__(self, group: str, peer: str, file: SharedFile, folder: Path, changed: Callable[[], object]) -> None:
        """Take the folder in which the file is kept, which exists."""
        self.group = group
        self.peer = peer
        self.file = file
        self.state: State = "running"
        self.problem = ""
        """Why it is stopped; "" otherwise."""
        self._folder = folder
        self._part = folder / f".{file.name}.{file.hash.partition(':')[2][:_HASH_CHARS]}.part"
        self._changed = changed
        self.received = min(_size(self._part), file.size)
        """Bytes that are here."""

    @property
    def path(self) -> Path:
        """Return where the file is when it is here."""
        return self._folder / self.file.name

    async def run(self, source: FileSource) -> None:
        """Let the file come, until it is here, or nothing comes any more; `state` and `problem` say how it ended."""
        try:
            await self._all(source)
            await FILES.run(self._finish)
            self.state = "done"
        except (NetworkError, threads.FolderHangsError) as error:
            self.state, self.problem = "stopped", str(error)
        except OSError as error:
            self.state, self.problem = "stopped", f"the file cannot be written: {error.strerror or error}"
        except asyncio.CancelledError:
            self.state, self.problem = "stopped", "stopped; it goes on where it was when it is fetched again"
            raise
        finally:
            self._changed()

    async def _all(self, source: FileSource) -> None:
        failures = 0
        while self.received < self.file.size:
            before = self.received
            try:
                await self._piece(source)
                failures = 0
            except FilesRefusedError:
                raise
            except NetworkError:
                failures = 0 if self.received > before else failures
                if failures >= len(RETRY_SECONDS):
                    raise
                await asyncio.sleep(RETRY_SECONDS[failures])
                failures += 1

    async def _piece(self, source: FileSource) -> None:
        length = min(PIECE_BYTES, self.file.size - self.received)
        async with source.piece(self.peer, self.group, self.file, self.received, length) as pieces:
            # A peer that knows no offset sends the whole file; what is here already is passed over.
            skip = self.received - pieces.offset
            with await FILES.run(_open_part, self._part, self.received) as part:
                async for content in pieces.content:
                    new, skip = content[skip:], max(0, skip - len(content))
                    if self.received + len(new) > self.file.size:
                        raise TransferFailedError(f"{self.peer} sends more of {self.file.name!r} than the {self.file.size} bytes it listed")
                    if new:
                        await FILES.run(part.write, new)
                        self.received += len(new)
                        self._changed()

    def _finish(self) -> None:
        """Keep the file if it is the one that was listed. Raises `TransferFailedError`."""
        with _open_part(self._part, self.file.size) as part:
            found = hash_of(part)
            os.fsync(part.fileno())
        if found != self.file.hash:
            self._part.unlink(missing_ok=True)
            self.received = 0
            raise TransferFailedError(
                f"what came of {self.file.name!r} is not the file that {self.peer} listed, and is thrown away: fetch it again"
            )
        self._part.replace(self.path)


def _size(part: Path) -> int:
    """Return how much of a file is here; a link, and a file with another name too, is none of it."""
    try:
        status = part.lstat()
    except OSError:
        return 0
    return status.st_size if stat.S_ISREG(status.st_mode) and status.st_nlink == 1 else 0


def _open_part(part: Path, size: int) -> BinaryIO:
    """Open what has come of a file, cut to `size`, at its end; a link in its place is not followed."""
    with contextlib.suppress(FileNotFoundError):
        # A folder of a stranger's may have another file under this name too: that one is not written.
        if part.lstat().st_nlink > 1:
            part.unlink()
    descriptor = os.open(part, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    opened = os.fdopen(descriptor, "r+b", buffering=0)
    opened.truncate(size)
    opened.seek(size)
    return opened
