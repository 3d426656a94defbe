"""The one way to open a file that a peer reads from its folder by itself.

A folder may have been unpacked from a stranger's archive. So a file is read only if it is a regular file that really lies in the folder it
is read from, and only up to a size that the reader names. A link inside the folder is allowed. A named pipe, a device or an endless file
can neither block nor feed the reader. The open descriptor is checked, so nothing can replace the file between check and reading.

Every room may use it. It must not know what a file means.
"""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path
from typing import BinaryIO, Final, cast

LISTED_MAX: Final = 10_000
"""Names read from one folder; nobody keeps more schemas or key-value files, and each costs a look."""

ABSENT: Final = frozenset(
    {errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.EMLINK, errno.ENAMETOOLONG, errno.EINVAL, errno.EILSEQ, errno.ENXIO, errno.EISDIR}
)
"""What systems say of a name behind which there is no file, or which none can have. After anything else there may be one."""

_FOLDER: Final = getattr(os, "O_PATH", os.O_RDONLY) | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
"""O_PATH needs no right to list the folder, only to pass through it."""
_LISTED: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE: Final = os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_NOCTTY | os.O_CLOEXEC
"""Without O_NONBLOCK a named pipe would hold us until somebody writes to it; O_NOCTTY: a terminal does not become ours."""
_KINDS: Final = (
    (stat.S_ISDIR, "a folder"),
    (stat.S_ISFIFO, "a named pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)


class FileRefusedError(OSError):
    """The file exists and is not read: not a regular file, outside the folder, or too large.

    `strerror` is the reason as a clause ("it is a named pipe, not a regular file"), `filename` the file, as for any other OSError.
    """

    def __init__(self, path: Path | str, reason: str, number: int = errno.EPERM) -> None:
        super().__init__(number, reason, os.fspath(path))


class NotRegularError(FileRefusedError):
    """It is a folder, a pipe, a device or a socket."""


def read_regular(path: Path, within: Path | None, max_bytes: int, private: tuple[str, ...] = ()) -> bytes:
    """Return the content of the file at `path`. Raises `FileRefusedError` beyond `max_bytes` and as `open_regular` does."""
    with open_regular(path, within, private) as file:
        content = _bounded(file, max_bytes + 1)
    if len(content) > max_bytes:
        raise FileRefusedError(path, f"it is larger than {max_bytes} bytes")
    return content


def open_regular(path: Path, within: Path | None, private: tuple[str, ...] = ()) -> BinaryIO:
    """Open the regular file at `path`, which must really lie in the folder `within`; None lets a link lead anywhere.

    `private`: what the names directly in `within` begin with that no link may lead to. A hard link may be to one of these, and the file
    does not tell which, so then a file with more than one name is refused as well.
    Raises `FileRefusedError`, `FileNotFoundError` when there is no such name, and what the system says otherwise.
    """
    return _checked(path, _opened(path, within, _FILE, private), single=bool(private))


def read_real(real: str, max_bytes: int) -> bytes:
    """Return at most `max_bytes` of the regular file at `real`, a path the caller has just resolved and judged. Raises as `open_regular`.

    For readers of thousands of files: the way to the file is not walked once more, and nothing is made of it but its content.
    """
    descriptor = _open(real, real, _FILE, None)
    try:
        status = os.fstat(descriptor)
        _check_regular(real, status)
        return _content(descriptor, status.st_size, max_bytes)
    finally:
        os.close(descriptor)


def open_real(real: Path) -> BinaryIO:
    """Open the regular file at `real`, a path the caller has resolved and judged. Raises as `open_regular`."""
    return _checked(real, _open(real, real, _FILE, None))


def list_names(folder: Path, within: Path) -> list[str]:
    """Return the names in `folder`, sorted, LISTED_MAX at most. It must really lie in `within`, or be it. Raises as `open_regular`."""
    descriptor = _opened(folder, within, _LISTED)
    try:
        names = []
        with os.scandir(descriptor) as entries:
            for entry in entries:
                names.append(entry.name)
                if len(names) >= LISTED_MAX:
                    break
        return sorted(names)
    finally:
        os.close(descriptor)


def shown(path: Path | str) -> str:
    """Return `path` as text that can be printed and sent; a byte of a name that is not UTF-8 becomes U+FFFD."""
    return os.fsencode(path).decode("utf-8", "replace")


def _checked(path: Path, descriptor: int, *, single: bool = False) -> BinaryIO:
    try:
        status = os.fstat(descriptor)
        _check_regular(path, status)
        if single and status.st_nlink > 1:
            raise FileRefusedError(path, "it has another name too (a hard link), perhaps that of a private file: put a copy of it there")
        return cast("BinaryIO", os.fdopen(descriptor, "rb", buffering=0))
    except BaseException:
        os.close(descriptor)
        raise


def _bounded(file: BinaryIO, max_bytes: int) -> bytes:
    """Read at most so many bytes; a file can grow after its size was read, and some have none."""
    content = bytearray()
    while piece := file.read(max_bytes - len(content)):
        content += piece
    return bytes(content)


def _content(descriptor: int, size: int, max_bytes: int) -> bytes:
    """Do as `_bounded`; if the file is still as large as a moment ago, it is not asked again whether there is more."""
    content = os.read(descriptor, min(size + 1, max_bytes))
    if len(content) == size > 0:
        return content
    while len(content) < max_bytes and (piece := os.read(descriptor, max_bytes - len(content))):
        content += piece
    return content


def _opened(path: Path, within: Path | None, flags: int, private: tuple[str, ...] = ()) -> int:
    """Open the real file of `path` and return its descriptor, without following a link that was made a moment ago."""
    real = _real(path)
    if within is None:
        _check_kind(path, os.lstat(real), flags)
        return _open(path, real, flags, None)
    root = os.path.realpath(within, strict=True)
    relative = os.path.relpath(real, root)
    if relative == ".." or relative.startswith("../"):
        _check_kind(path, os.lstat(real), flags)
        raise FileRefusedError(path, f"it leads out of {shown(within)}: put the file itself there")
    parts = relative.split("/")
    if private and parts[0].casefold().startswith(private):
        raise FileRefusedError(path, f"it leads to {shown(relative)}, which is for nobody but the peer's owner")
    if relative == ".":
        return _open(path, real, flags, None)
    return _walked(path, root, parts, flags)


def _walked(path: Path, root: str, parts: list[str], flags: int) -> int:
    here = _open(path, root, _FOLDER, None)
    try:
        for part in parts[:-1]:
            inner = _open(path, part, _FOLDER, here)
            os.close(here)
            here = inner
        # Looked at first: to open a device may do something to it.
        _check_kind(path, os.stat(parts[-1], dir_fd=here, follow_symlinks=False), flags)
        return _open(path, parts[-1], flags, here)
    finally:
        os.close(here)


def _real(path: Path) -> str:
    try:
        return os.path.realpath(path, strict=True)
    except FileNotFoundError:
        if os.path.lexists(path):
            raise FileRefusedError(path, "it is a link to nothing", errno.ENOENT) from None
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), os.fspath(path)) from None


def _open(path: Path | str, name: str | Path, flags: int, folder: int | None) -> int:
    try:
        return os.open(name, flags) if folder is None else os.open(name, flags, dir_fd=folder)
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise FileRefusedError(path, "it became a link while it was opened") from None
        if error.errno == errno.ENXIO:
            raise NotRegularError(path, "it is a socket or a device, not a regular file") from None
        # The name that was asked for, not the part of it at which the system stopped.
        raise type(error)(error.errno, error.strerror, os.fspath(path)) from None


def _check_kind(path: Path, status: os.stat_result, flags: int) -> None:
    if not flags & os.O_DIRECTORY:
        _check_regular(path, status)


def _check_regular(path: Path | str, status: os.stat_result) -> None:
    if not stat.S_ISREG(status.st_mode):
        kind = next((name for is_kind, name in _KINDS if is_kind(status.st_mode)), "something else")
        raise NotRegularError(path, f"it is {kind}, not a regular file")
