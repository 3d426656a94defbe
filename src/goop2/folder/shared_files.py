"""The files a peer shares with groups, `shared/<group id>/`, and those it has fetched from others, `received/<group id>/`.

A folder may have come from a stranger: only regular files that really lie there are read, under one name each, so that no link and no hard
link shares a private file. Names are checked by whoever calls (`protocols/shared_files.py`) and again here. All functions block.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import secrets
from collections import OrderedDict
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Final, NamedTuple

from goop2.folder.regular_files import FileRefusedError, list_names, open_regular
from goop2.protocols.shared_files import FILE_MAX_BYTES, FILES_MAX, SharedFile, is_safe_group, is_safe_name

SHARED: Final = "shared"
RECEIVED: Final = "received"
PIECE_BYTES: Final = 256 * 1024
HASHES_MAX: Final = 4096
"""Hashes that are remembered, 200 bytes each; a list of many large files is asked for again and again."""
_HIDDEN: Final = (".",)
"""What names begin with that nobody is given: files that are being written."""
_MODE: Final = 0o600


class SharedFileError(Exception):
    """A file cannot be shared, kept or read; the message says why. `code` is an error class of behaviour.md."""

    code = "bad_request"


class SharedFileNotFoundError(SharedFileError):
    """The group has no file of that name, or it is none that may be given away."""

    code = "not_found"


class OpenedFile(NamedTuple):
    """An open file of a group, and its size when it was opened."""

    content: BinaryIO
    size: int


class GroupFolder:
    """The folders of one kind, `shared` or `received`, in a peer folder."""

    def __init__(self, folder: Path, kind: str) -> None:
        self._folder = folder
        self._kind = kind
        self._hashes: OrderedDict[tuple[int, ...], str] = OrderedDict()
        """What the system says of a file → its hash."""

    def path(self, group: str) -> Path:
        """Return the folder of a group. Raises `SharedFileError` for an id that can be no folder."""
        if not is_safe_group(group):
            raise SharedFileError(f"the group {group[:80]!r} has an id that can be no folder: letters, digits, - and _ can")
        return self._folder / self._kind / group

    def is_empty(self, group: str) -> bool:
        """Return whether nothing is in the folder of a group."""
        try:
            return not list_names(self.path(group), self._folder)
        except FileNotFoundError:
            return True

    def listing(self, group: str) -> list[SharedFile]:
        """Return the files of a group, by name, with their hashes. Raises `SharedFileError`."""
        place = self.path(group)
        try:
            names = list_names(place, self._folder)
        except FileNotFoundError:
            return []
        except OSError as error:
            raise SharedFileError(f"the folder {self._kind}/{group} cannot be read: {error.strerror or error}") from None
        found = []
        for name in names:
            # What cannot be read or is too large is no shared file; a file may also vanish meanwhile.
            with contextlib.suppress(OSError, SharedFileError), self.opened(group, name) as file:
                status = os.fstat(file.content.fileno())
                found.append(SharedFile(name, file.size, int(status.st_mtime), self._hash(file.content, status)))
            if len(found) >= FILES_MAX:
                break
        return found

    @contextlib.contextmanager
    def opened(self, group: str, name: str) -> Iterator[OpenedFile]:
        """Open a file of a group for the block. Raises `SharedFileError`."""
        with self.open(group, name).content as content:
            yield OpenedFile(content, os.fstat(content.fileno()).st_size)

    def open(self, group: str, name: str) -> OpenedFile:
        """Open a file of a group. Raises `SharedFileError`."""
        place = self.path(group)
        if not is_safe_name(name):
            raise SharedFileNotFoundError(f"there is no file {name[:80]!r}")
        try:
            # Its folder itself must lie here, or a link of a stranger's archive would share another one.
            list_place = os.path.realpath(place)
            if list_place != os.path.join(os.path.realpath(self._folder), self._kind, group):  # noqa: PTH118 - texts of the system
                raise FileRefusedError(place, "it is a link")
            content = open_regular(place / name, place, private=_HIDDEN)
        except FileNotFoundError:
            raise SharedFileNotFoundError(f"there is no file {name!r}") from None
        except OSError as error:
            raise SharedFileError(f"the file {name!r} cannot be read: {error.strerror or error}") from None
        size = os.fstat(content.fileno()).st_size
        if size > FILE_MAX_BYTES:
            content.close()
            raise SharedFileError(f"the file {name!r} is {size} bytes; the most is {FILE_MAX_BYTES}")
        return OpenedFile(content, size)

    def add(self, group: str, name: str, source: BinaryIO, quota_bytes: int) -> int:
        """Put the content of `source` into the folder of a group, in the place of a file of that name; return its size.

        `quota_bytes`: what the files of the group may have together. Raises `SharedFileError`, and OSError when it cannot be written.
        """
        if not is_safe_name(name):
            raise SharedFileError(
                f'{name[:80]!r} is no name for a shared file: no path, no dot in front, no control character or any of \\ : * ? " < > |'
            )
        place = self.made(group)
        others = sum(file.size for file in self._sizes(group) if file.name != name)
        if sum(file.name != name for file in self._sizes(group)) >= FILES_MAX:
            raise SharedFileError(f"the group has {FILES_MAX} files here, the most there may be: remove one")
        temporary = place / f".{secrets.token_hex(8)}.part"
        try:
            size = self._copy(source, temporary, min(FILE_MAX_BYTES, max(0, quota_bytes - others)), name, others, quota_bytes)
            temporary.replace(place / name)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
        return size

    def remove(self, group: str, name: str) -> None:
        """Remove a file. Raises `SharedFileNotFoundError`, and OSError when it cannot be removed."""
        self.open(group, name).content.close()
        (self.path(group) / name).unlink()

    def made(self, group: str) -> Path:
        """Return the folder of a group, made if it is not there. Raises `SharedFileError` and OSError."""
        place = self.path(group)
        place.parent.mkdir(mode=0o700, exist_ok=True)
        place.mkdir(mode=0o700, exist_ok=True)
        if place.is_symlink() or place.parent.is_symlink():
            raise SharedFileError(f"the folder {self._kind}/{group} is a link, perhaps out of the peer folder: remove it")
        return place

    def _sizes(self, group: str) -> list[SharedFile]:
        """Return the files of a group without their hashes."""
        found = []
        with contextlib.suppress(FileNotFoundError):
            for name in list_names(self.path(group), self._folder):
                with contextlib.suppress(OSError):
                    found.append(SharedFile(name, (self.path(group) / name).lstat().st_size))
        return [file for file in found if is_safe_name(file.name)]

    @staticmethod
    def _copy(source: BinaryIO, target: Path, most: int, name: str, others: int, quota_bytes: int) -> int:
        size = 0
        with os.fdopen(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, _MODE), "wb") as written:
            while piece := source.read(PIECE_BYTES):
                size += len(piece)
                if size > FILE_MAX_BYTES:
                    raise SharedFileError(f"{name!r} is larger than {FILE_MAX_BYTES} bytes, the most that peers give each other")
                if size > most:
                    raise SharedFileError(
                        f"with {name!r} the files shared with this group would be larger than {quota_bytes} bytes "
                        f"({others} are used): remove one, or raise storage.shared_mb"
                    )
                written.write(piece)
        return size

    def _hash(self, content: BinaryIO, status: os.stat_result) -> str:
        key = (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)
        known = self._hashes.get(key)
        if known is None:
            known = self._hashes[key] = hash_of(content)
            if len(self._hashes) > HASHES_MAX:
                self._hashes.popitem(last=False)
        return known


def hash_of(content: BinaryIO) -> str:
    """Return the hash of a file from its beginning, as lists have it."""
    digest = hashlib.sha256()
    content.seek(0)
    while piece := content.read(PIECE_BYTES):
        digest.update(piece)
    return f"sha256:{digest.hexdigest()}"
