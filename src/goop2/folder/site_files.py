"""The public files of `site/`, opened so that nothing can replace them between check and reading.

A path is walked component by component. Each is opened relative to the folder before it, and never through a link; links are read and
walked by hand, and may lead anywhere inside the site. The file that was walked to is the one that is served. If the system cannot open a
file just now, it is not reported as missing.

    never: the script folder (whatever it is called here) and hard links to a file in it, names that begin with a dot, anything outside,
           anything that is not a regular file, and hard links to goop.json, data.db with the files beside it, or a file in data/

The web, the network and `goop.site.read` share it. It must not know who asks.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import stat
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Final, cast

import structlog

from goop2.folder.private_files import file_identity, holds_file, is_private, passing_over_absent, raise_unless_absent
from goop2.folder.regular_files import ABSENT

SITE: Final = "site"
INDEX: Final = "index.html"
PATH_MAX_CHARS: Final = 1024
LINKS_MAX: Final = 16
"""Links on one path; more is a circle."""
DEPTH_MAX: Final = 32
"""Folders below the site that are listed."""
LISTED_MAX: Final = 10_000
"""Files in one listing."""

_ROOT: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
"""The site itself may be a link: the owner put it there."""
_FOLDER: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
"""Without O_NONBLOCK a pipe would hold us for ever."""
_IT_IS_A_LINK: Final = frozenset({errno.ELOOP, errno.ENOTDIR, errno.EMLINK})
"""What systems say to O_NOFOLLOW at a link; ENOTDIR also to a file where a folder should be."""

_SHORTAGES: Final = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOMEM})
"""What every file would meet now, so that a list made meanwhile would be of nothing."""
SAID_AGAIN_SECONDS: Final = 60.0
"""So long the owner is not told once more that files cannot be read for the same reason: visitors ask for many."""
UNREADABLE_RETRY_SECONDS: Final = 5
"""When whoever asked may ask again for what could not be read: a shortage of descriptors is over soon, and a broken disk costs one try."""
SHOWN_CHARS: Final = 200
"""Of a path in the log."""

_log: structlog.typing.FilteringBoundLogger = structlog.get_logger("goop2.site")

_NOT_IN_NAMES: Final = re.compile(r"[\x00\ud800-\udfff]")
"""What no system takes in a name."""

_Hidden = frozenset[tuple[int, int]]


class FileNotServedError(Exception):
    """There is no such public file: absent, hidden, a script, or outside. Callers are not told which."""


class SiteFolderError(FileNotServedError):
    """The path is a folder; with a `/` at its end it would mean its index.html."""


class UnreadableError(OSError):
    """The system cannot say whether the file exists, or cannot open it now: no descriptor left, a broken disk, no permission.

    `code` is an error class of behaviour.md.
    """

    code = "unavailable"
    retry_after_seconds = float(UNREADABLE_RETRY_SECONDS)

    def __init__(self, path: str, cause: OSError) -> None:
        reason = cause.strerror or type(cause).__name__
        super().__init__(cause.errno or errno.EIO, f"it cannot be read now ({reason})", path)

    def __str__(self) -> str:
        return f"{self.filename}: {self.strerror}"


class SiteFileTooLargeError(Exception):
    """The file is larger than its reader accepts; the message gives both numbers."""


@dataclass(frozen=True, slots=True)
class SiteFile:
    """An open file of the site; close it, or use it in a `with`."""

    path: str
    """As it was asked for, without a leading `/`, the index named."""
    content: BinaryIO
    status: os.stat_result

    def __enter__(self) -> SiteFile:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.content.close()


@dataclass(frozen=True, slots=True)
class SiteFileEntry:
    """A file of the site in a list."""

    path: str
    size: int
    """Bytes."""
    modified: int
    """Milliseconds since 1970."""
    is_folder: bool = False


class SiteFiles:
    """The site of the peer in `folder`, whose scripts are in `script_dirs`. Blocking: call it from a thread.

    `site_root` is the folder of the site, relative to the peer's. More than one folder of scripts: the one the peer began with, and
    where its name leads now.
    """

    def __init__(self, folder: Path, script_dirs: Iterable[Path], site_root: str = SITE) -> None:
        self.root = folder / site_root
        self._script_dirs = frozenset(script_dirs)
        self._folder = folder
        self._said: dict[int | None, float] = {}
        """Why files could not be read, by the system's number → when the owner was told last."""

    def open(self, path: str) -> SiteFile:
        """Return the file at `path`, `/`-separated; `""` and a path that ends in `/` mean index.html there.

        Raises `FileNotServedError`, `SiteFolderError`, `UnreadableError`.
        """
        relative = path.removeprefix("/")
        if not relative or relative.endswith("/"):
            relative += INDEX
        with self._told_apart(relative), contextlib.ExitStack() as stack:
            descriptor = Walk(self.root, self.hidden(), stack).to_file(components(relative))
            status = os.fstat(descriptor)
            if stat.S_ISDIR(status.st_mode):
                raise SiteFolderError(relative)
            if not stat.S_ISREG(status.st_mode) or self._is_secret(status):
                raise FileNotServedError(relative)
            # A duplicate: the walk closes its own.
            return SiteFile(relative, cast("BinaryIO", os.fdopen(os.dup(descriptor), "rb", buffering=0)), status)

    def read(self, path: str, max_bytes: int) -> bytes:
        """Return the content at `path`. Raises `FileNotServedError`, `SiteFolderError`, `UnreadableError`, and `SiteFileTooLargeError`
        beyond `max_bytes`.
        """
        with self.open(path) as file, self._told_apart(file.path):
            # Read, not asked: a file can grow after its size was taken.
            content = bytearray()
            while piece := file.content.read(max_bytes + 1 - len(content)):
                content += piece
        if len(content) > max_bytes:
            raise SiteFileTooLargeError(f"{file.path} is {max(file.status.st_size, len(content))} bytes; the most is {max_bytes}")
        return bytes(content)

    def listing(self, *, folders: bool = False) -> list[SiteFileEntry]:
        """Return every file that `open` serves, by path, without those behind links to folders. At most LISTED_MAX. With `folders` also
        these.

        Raises `UnreadableError` where the whole site cannot be listed; a file or a folder that cannot be read on its own is left out.
        """
        found: list[SiteFileEntry] = []
        with contextlib.suppress(FileNotServedError), self._told_apart(SITE):
            root = os.open(self.root, _ROOT)
            try:
                self._list(root, "", found, self.hidden(), 0)
            finally:
                os.close(root)
        return sorted((listed for listed in found if folders or not listed.is_folder), key=lambda listed: listed.path)

    def _list(self, folder: int, prefix: str, found: list[SiteFileEntry], hidden: _Hidden, depth: int) -> None:
        status = os.fstat(folder)
        if file_identity(status) in hidden or depth > DEPTH_MAX:
            return
        if prefix:
            found.append(SiteFileEntry(prefix.removesuffix("/"), 0, status.st_mtime_ns // 1_000_000, is_folder=True))
        for name in sorted(os.listdir(folder)):
            if name.startswith(".") or _NOT_IN_NAMES.search(name) or len(found) >= LISTED_MAX:
                continue
            try:
                self._list_one(folder, name, prefix + name, found, hidden, depth)
            except FileNotServedError:
                continue
            except OSError as error:
                if error.errno in _SHORTAGES:
                    raise
                if error.errno not in ABSENT:
                    self._tell(prefix + name, error)

    def _list_one(self, folder: int, name: str, path: str, found: list[SiteFileEntry], hidden: _Hidden, depth: int) -> None:
        status = os.stat(name, dir_fd=folder, follow_symlinks=False)
        if stat.S_ISDIR(status.st_mode):
            inner = os.open(name, _FOLDER, dir_fd=folder)
            try:
                self._list(inner, f"{path}/", found, hidden, depth + 1)
            finally:
                os.close(inner)
        elif stat.S_ISREG(status.st_mode) and not self._is_secret(status):
            found.append(_listed(path, status))
        elif stat.S_ISLNK(status.st_mode):
            with self.open(path) as target:
                found.append(_listed(path, target.status))

    def _is_secret(self, status: os.stat_result) -> bool:
        """Return whether it is a script or a private file under another name, a hard link. A file with a single name cannot be.

        Raises OSError where these cannot be looked through: then nobody knows.
        """
        if status.st_nlink <= 1:
            return False
        return is_private(self._folder, status) or any(holds_file(folder, file_identity(status)) for folder in self._script_dirs)

    def hidden(self) -> _Hidden:
        """Return the existing folders of scripts, by identity: a file system may ignore case in names.

        Raises OSError where one cannot be looked at: it would not be hidden.
        """
        found = set()
        for folder in self._script_dirs:
            with passing_over_absent():
                found.add(file_identity(folder.stat()))
        return frozenset(found)

    @contextlib.contextmanager
    def _told_apart(self, path: str) -> Iterator[None]:
        """Raise `FileNotServedError` if the system says that the file does not exist, and `UnreadableError` for other errors; the owner is
        told.
        """
        try:
            with _absent_as_not_served(path):
                yield
        except UnreadableError:
            raise
        except OSError as error:
            self._tell(path, error)
            raise UnreadableError(path, error) from None

    def _tell(self, path: str, error: OSError) -> None:
        now = time.monotonic()
        if now - self._said.get(error.errno, -SAID_AGAIN_SECONDS) >= SAID_AGAIN_SECONDS:
            self._said[error.errno] = now
            _log.warning("a file of the site cannot be read", path=repr(path[:SHOWN_CHARS]), why=error.strerror or str(error))


class Walk:
    """The walk along one path: the open folders behind it, and the number of links followed. Raises `FileNotServedError` and OSError."""

    def __init__(self, root: Path, hidden: _Hidden, stack: contextlib.ExitStack) -> None:
        self._root = root
        self._hidden = hidden
        self._stack = stack
        self._links = 0
        with _absent_as_not_served("the site"):
            self._folders = [self._opened(str(root), _ROOT, None)]
        self._check_folder(self._folders[0])

    def to_file(self, components: list[str]) -> int:
        """Return a descriptor of the file at the end of the path."""
        ahead = components[::-1]
        while ahead:
            name = ahead.pop()
            if name == "..":
                self._leave()
                continue
            if name.startswith("."):
                raise FileNotServedError(name)
            step = self._step(name, _FOLDER if ahead else _FILE)
            if isinstance(step, str):
                ahead += self._link(step)[::-1]
                continue
            self._check_folder(step)
            if not ahead:
                return step
            self._folders.append(step)
        return self._folders[-1]

    def into(self, name: str) -> int:
        """Go into the folder `name`; return its descriptor."""
        descriptor = self.to_file([name])
        if not stat.S_ISDIR(os.fstat(descriptor).st_mode):
            raise FileNotServedError(name)
        if descriptor != self._folders[-1]:
            self._folders.append(descriptor)
        return descriptor

    @property
    def here(self) -> int:
        """Return a descriptor of the current folder."""
        return self._folders[-1]

    def _step(self, name: str, flags: int) -> int | str:
        """Return a descriptor of `name` in the current folder, or the target of a link."""
        with _absent_as_not_served(name):
            try:
                return self._opened(name, flags, self._folders[-1])
            except OSError as error:
                if error.errno not in _IT_IS_A_LINK:
                    raise
            return os.readlink(name, dir_fd=self._folders[-1])

    def _link(self, target: str) -> list[str]:
        """Return the rest of the path after a link to `target`; an absolute one begins at the site again."""
        self._links += 1
        if self._links > LINKS_MAX:
            raise FileNotServedError(target)
        if target.startswith("/"):
            target = self._inside(target)
            del self._folders[1:]
        return [part for part in target.split("/") if part not in ("", ".")]

    def _inside(self, target: str) -> str:
        for root in (str(self._root.absolute()), os.path.realpath(self._root)):
            if target.startswith(f"{root}/"):
                return target[len(root) :]
        raise FileNotServedError(target)

    def _leave(self) -> None:
        if len(self._folders) == 1:
            raise FileNotServedError("..")
        self._folders.pop()

    def _opened(self, name: str, flags: int, folder: int | None) -> int:
        descriptor = os.open(name, flags, dir_fd=folder)
        self._stack.callback(os.close, descriptor)
        return descriptor

    def _check_folder(self, descriptor: int) -> None:
        if file_identity(os.fstat(descriptor)) in self._hidden:
            raise FileNotServedError("the script folder")


def components(path: str) -> list[str]:
    """Return the names on a requested path. Raises `FileNotServedError` for an invalid one."""
    parts = path.split("/")
    if len(path) > PATH_MAX_CHARS or any(part in ("", ".", "..") for part in parts) or _NOT_IN_NAMES.search(path):
        raise FileNotServedError(path)
    return parts


@contextlib.contextmanager
def _absent_as_not_served(name: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise_unless_absent(error)
        raise FileNotServedError(name) from None


def _listed(path: str, status: os.stat_result) -> SiteFileEntry:
    return SiteFileEntry(path, status.st_size, status.st_mtime_ns // 1_000_000)
