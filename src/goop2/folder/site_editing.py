"""The files of `site/` as an editor works on them: by version, so that two editors never overwrite each other unseen.

It walks as site_changes.py does, so what cannot be served cannot be edited, made or replaced. It must not know who asks.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import os
import secrets
import stat
from dataclasses import dataclass
from typing import Final

from goop2.folder.content_types import content_type
from goop2.folder.site_changes import SiteChangeError, SiteFileMissingError, in_its_folder
from goop2.folder.site_files import FileNotServedError, SiteFiles, SiteFileTooLargeError, components

TEXT_MAX_BYTES: Final = 1024 * 1024
"""Of a file that an editor shows; for more it would be of no use."""
PICTURE_MAX_BYTES: Final = 2 * 1024 * 1024
"""Of a picture that is shown in the editor's place."""
SHOWN_PICTURES: Final = ("image/png", "image/jpeg", "image/gif", "image/webp", "image/avif", "image/svg+xml", "image/x-icon")
_VERSION_BYTES: Final = 16
_READ: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_NEW: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_MODE: Final = 0o644


class SiteConflictError(SiteChangeError):
    """The file is not the one that was shown: it was changed, removed, or made meanwhile. Nothing was written."""

    code = "conflict"


@dataclass(frozen=True, slots=True, kw_only=True)
class EditedFile:
    """A file as an editor gets it."""

    path: str
    version: str
    """Of its content, to be shown when it is saved."""
    size: int
    text: str | None = None
    """None for what is no text, or too much of it."""
    picture: str = ""
    """A data URL."""
    why: str = ""
    """Why there is no text."""


def read(files: SiteFiles, path: str) -> EditedFile:
    """Return the file at `path`. Raises `SiteFileMissingError`, `UnreadableError`."""
    try:
        # Opened to learn its size, and the name by which it is served, before a content that may be too large is read.
        with files.open(path) as opened:
            path, size = opened.path, opened.status.st_size
        content = files.read(path, PICTURE_MAX_BYTES)
    except FileNotServedError:
        raise SiteFileMissingError(f"{path!r} is no file of the site") from None
    except SiteFileTooLargeError:
        return EditedFile(path=path, version="", size=size, why=f"It has {size:,} bytes, too many to be edited here.")
    known = version_of(content)
    # An SVG is a picture and a text, so it is shown as both.
    kind = content_type(path).partition(";")[0]
    if kind in SHOWN_PICTURES and kind != "image/svg+xml":
        return EditedFile(path=path, version=known, size=len(content), picture=_as_url(kind, content), why="It is a picture.")
    text = _text(content)
    if text is None:
        return EditedFile(path=path, version=known, size=len(content), why="It is no UTF-8 text, so it cannot be edited here.")
    if len(content) > TEXT_MAX_BYTES:
        return EditedFile(path=path, version=known, size=len(content), why=f"It has {len(content):,} bytes, too many to be edited here.")
    return EditedFile(
        path=path, version=known, size=len(content), text=text, picture=_as_url(kind, content) if kind in SHOWN_PICTURES else ""
    )


def _text(content: bytes) -> str | None:
    try:
        return None if b"\0" in content else content.decode()
    except UnicodeDecodeError:
        return None


def _as_url(kind: str, content: bytes) -> str:
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"


def version_of(content: bytes) -> str:
    """Return what tells a content from another."""
    return hashlib.blake2b(content, digest_size=_VERSION_BYTES).hexdigest()


def save(files: SiteFiles, path: str, content: bytes, version: str | None) -> str:
    """Put `content` in place of the version `version`; "" for a file that is new, None for whatever is there. Return its version.

    Raises `SiteConflictError`, `SiteChangeError`.
    """

    # All by the descriptor of the folder: a folder that is replaced by a link meanwhile leads nowhere else.
    def put(folder: int, name: str) -> None:
        _check_version(folder, name, path, version)
        temporary = f".{secrets.token_hex(8)}.part"  # nobody is served half a file
        descriptor = os.open(temporary, _NEW, _MODE, dir_fd=folder)
        try:
            with os.fdopen(descriptor, "wb") as opened:
                opened.write(content)
                opened.flush()
                os.fsync(opened.fileno())
            if version == "":
                _take_free_name(folder, temporary, name, path)
            else:
                _check_version(folder, name, path, version)  # once more: writing takes time
                os.replace(temporary, name, src_dir_fd=folder, dst_dir_fd=folder)
        except BaseException:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(temporary, dir_fd=folder)
            raise

    in_its_folder(files, path, put, make=True)
    return version_of(content)


def delete(files: SiteFiles, path: str, version: str | None = None) -> None:
    """Remove a file, and the folders that are empty without it. Raises `SiteConflictError`, `SiteChangeError`."""

    def unlink(folder: int, name: str) -> None:
        _check_version(folder, name, path, version)
        os.unlink(name, dir_fd=folder)

    in_its_folder(files, path, unlink, make=False)
    _remove_empty(files, path)


def rename(files: SiteFiles, path: str, new_path: str) -> None:
    """Give a file another name or folder; it takes nobody's place. Raises `SiteConflictError`, `SiteChangeError`."""
    if path == new_path:
        return

    def link(folder: int, name: str) -> None:
        _check_regular(folder, name)

        def into(target: int, new_name: str) -> None:
            try:
                # A link and then a removal: unlike a rename it takes no other file's place, and a stop in between loses nothing.
                os.link(name, new_name, src_dir_fd=folder, dst_dir_fd=target, follow_symlinks=False)
            except FileExistsError:
                raise SiteConflictError(f"there is a file {new_path!r} already") from None

        in_its_folder(files, new_path, into, make=True)
        os.unlink(name, dir_fd=folder)

    in_its_folder(files, path, link, make=False)
    _remove_empty(files, path)


def _take_free_name(folder: int, temporary: str, name: str, path: str) -> None:
    try:
        os.link(temporary, name, src_dir_fd=folder, dst_dir_fd=folder)  # unlike a rename it takes nobody's place
    except FileExistsError:
        raise SiteConflictError(f"there is a file {path!r} already") from None
    os.unlink(temporary, dir_fd=folder)


def _check_regular(folder: int, name: str) -> None:
    if not stat.S_ISREG(os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode):
        raise FileNotServedError(name)


def _check_version(folder: int, name: str, path: str, version: str | None) -> None:
    try:
        _check_regular(folder, name)
    except FileNotFoundError:
        if version:
            raise SiteConflictError(f"{path!r} was removed or renamed meanwhile") from None
        return
    if version == "":
        raise SiteConflictError(f"there is a file {path!r} already")
    if version is None:
        return
    with os.fdopen(os.open(name, _READ, dir_fd=folder), "rb") as opened:
        if version_of(opened.read(PICTURE_MAX_BYTES + 1)) != version:
            raise SiteConflictError(f"{path!r} was changed meanwhile, by an editor or another tab")


def _remove_empty(files: SiteFiles, path: str) -> None:
    """Remove the folders on the way to a file that is gone, as long as nothing is in them."""
    parts = components(path.removeprefix("/"))[:-1]
    with contextlib.suppress(OSError):
        for depth in range(len(parts), 0, -1):
            folder = files.root.joinpath(*parts[:depth])
            # Its owner has made it: it stays, and so does everything above it.
            if folder.is_symlink():
                return
            folder.rmdir()
