"""The changes to files of `site/`: written whole or not at all, and never through a link out of it.

It walks paths as reading does (site_files.py), so what cannot be read there cannot be written: no scripts, no names that begin with a dot.
It must not know who asks.
"""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import stat
from collections.abc import Callable
from typing import Final

from goop2.folder.site_files import FileNotServedError, SiteFiles, Walk, components

_NEW: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_MODE: Final = 0o644
_OF_THE_DISK: Final = frozenset(
    {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO, errno.EACCES, errno.EPERM, errno.EMFILE, errno.ENFILE, errno.ENOMEM}
)


class SiteChangeError(Exception):
    """Nothing was changed; the message says why, in one sentence. `code` is an error class of behaviour.md."""

    code = "bad_request"


class SiteWriteError(SiteChangeError):
    """The disk does not allow it: it is full or read-only. No caller is at fault."""

    code = "unavailable"


class SiteFileMissingError(SiteChangeError):
    """The site has no file at this path."""

    code = "not_found"


def write(files: SiteFiles, path: str, content: bytes) -> None:
    """Put `content` at `path`, making folders as needed. Raises `SiteChangeError`."""

    def put(folder: int, name: str) -> None:
        with contextlib.suppress(FileNotFoundError):
            if not stat.S_ISREG(os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode):
                raise FileNotServedError(name)
        # The name begins with a dot, so nobody is served half a file.
        temporary = f".{secrets.token_hex(8)}.part"
        descriptor = os.open(temporary, _NEW, _MODE, dir_fd=folder)
        try:
            with os.fdopen(descriptor, "wb") as opened:
                opened.write(content)
            os.replace(temporary, name, src_dir_fd=folder, dst_dir_fd=folder)
        except BaseException:
            os.unlink(temporary, dir_fd=folder)
            raise

    in_its_folder(files, path, put, make=True)


def remove(files: SiteFiles, path: str) -> None:
    """Remove the file at `path`. Raises `SiteChangeError`."""

    def unlink(folder: int, name: str) -> None:
        if stat.S_ISDIR(os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode):
            raise FileNotServedError(name)
        os.unlink(name, dir_fd=folder)

    in_its_folder(files, path, unlink, make=False)


def in_its_folder(files: SiteFiles, path: str, change: Callable[[int, str], None], make: bool) -> None:
    """Call `change` with a descriptor of the folder that `path` is in, and the name in it. `make`: folders that are missing are made.

    Raises `SiteChangeError`; folders made on the way are removed then.
    """
    try:
        *folders, name = components(path.removeprefix("/"))
        if any(each.startswith(".") for each in (*folders, name)):  # known before a folder is made on the way there
            raise FileNotServedError(path)
        with contextlib.ExitStack() as stack:
            if make:
                files.root.mkdir(exist_ok=True)
            walk = Walk(files.root, files.hidden(), stack)
            made: list[tuple[int, str]] = []
            try:
                for folder in folders:
                    _enter(walk, folder, made if make else None)
                change(walk.here, name)
            except BaseException:
                for parent, folder in reversed(made):  # what was refused leaves nothing behind
                    with contextlib.suppress(OSError):
                        os.rmdir(folder, dir_fd=parent)
                raise
    except FileNotServedError:
        raise SiteChangeError(f"{path!r} is no place for a file of the site: no scripts, no hidden names, nothing outside of it") from None
    except FileNotFoundError:
        raise SiteFileMissingError(f"{path!r} is not there") from None
    except OSError as error:
        raise (SiteWriteError if error.errno in _OF_THE_DISK else SiteChangeError)(
            f"{path!r} cannot be changed ({error.strerror})"
        ) from None


def _enter(walk: Walk, folder: str, made: list[tuple[int, str]] | None) -> None:
    """Open `folder`. If `made` is given, a missing folder is made and added to it: its parent's descriptor and its name."""
    if made is not None:
        with contextlib.suppress(FileExistsError):
            os.mkdir(folder, dir_fd=walk.here)
            made.append((walk.here, folder))
    walk.into(folder)
