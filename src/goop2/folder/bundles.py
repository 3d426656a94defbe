"""Read a template that somebody else made, a folder or a .tar.gz, whole and checked before anything of it is written.

It may come from a stranger. So links, devices, names that lead out, names that some file systems take for one, endless and damaged
archives are refused, each in one sentence. Names that begin with a dot are passed over, since no site serves them. It must not know what
the files mean.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import os
import stat
import tarfile
import unicodedata
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, ClassVar, Final, cast

from goop2.folder.bundle_limits import (
    ARCHIVE_MAX_BYTES,
    DEPTH_MAX,
    ENTRIES_MAX,
    FILE_MAX_BYTES,
    FILES_MAX,
    HEADERS_MAX_BYTES,
    NAME_MAX_BYTES,
    PATH_MAX_CHARS,
    SHOWN_MAX_CHARS,
    TOTAL_MAX_BYTES,
)
from goop2.folder.regular_files import FileRefusedError, open_regular, shown

MANIFEST: Final = "manifest.json"
ENDINGS: Final = (".tar.gz", ".tgz")
PEER_FOLDERS: Final = ("site", "schemas")
"""What a template that is laid out as a peer folder has at its top."""
_FOLDER: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
_DAMAGED: Final = (tarfile.TarError, zlib.error, gzip.BadGzipFile, EOFError, ValueError, OverflowError, UnicodeError)
"""What Python's archive modules raise at an archive that is not one, or not whole."""
_PIECE_BYTES: Final = 256 * 1024


class BundleError(Exception):
    """The template cannot be used, and nothing of it was written; the message says why in one sentence."""

    code: ClassVar = "bad_request"
    owner_code: ClassVar = "template"


@dataclass(frozen=True, slots=True)
class Bundle:
    """The files of a template, checked."""

    name: str
    """Of the folder it was in."""
    files: Mapping[str, bytes]
    """Path with `/` between its names → content, in the order of the paths."""
    skipped: tuple[str, ...] = ()
    """Names that begin with a dot."""

    @property
    def digest(self) -> str:
        """Return what tells this content from any other."""
        hashed = hashlib.blake2b(digest_size=16)
        for path, content in self.files.items():
            # With its length, so that no content can look like another file's name.
            hashed.update(f"{path}\0{len(content)}\0".encode())
            hashed.update(content)
        return hashed.hexdigest()


def read_bundle(path: Path, only: Sequence[str] = ()) -> Bundle:
    """Return the template in a folder or an archive. `only`: what of a folder without a manifest belongs to it.

    Raises `BundleError`.
    """
    try:
        status = path.stat()
    except OSError as error:
        raise BundleError(f"{shown(path)} cannot be read ({error.strerror}): name a template, a folder or a .tar.gz file") from None
    if stat.S_ISDIR(status.st_mode):
        return read_folder(path, only)
    if not path.name.lower().endswith(ENDINGS):
        raise BundleError(f"{shown(path)} is neither a folder nor a .tar.gz file")
    try:
        with open_regular(path, None) as opened:
            return read_archive(opened, _stem(path.name))
    except FileRefusedError as error:
        raise BundleError(f"{shown(path)} cannot be read: {error.strerror}") from None
    except OSError as error:
        raise BundleError(f"{shown(path)} cannot be read ({error.strerror})") from None


def read_folder(folder: Path, only: Sequence[str] = ()) -> Bundle:
    """Return the template in `folder`; where it has no manifest, only these names in it are looked at. Raises `BundleError`."""
    gathering = _Gathering()
    try:
        descriptor = os.open(folder, _FOLDER & ~os.O_NOFOLLOW)  # a link to the folder is the owner's
        try:
            wanted = () if MANIFEST in os.listdir(descriptor) else only  # noqa: PTH208 - a descriptor
            _walk(descriptor, (), gathering, wanted)
        finally:
            os.close(descriptor)
    except OSError as error:
        raise BundleError(f"{shown(error.filename or folder)} cannot be read ({error.strerror})") from None
    return gathering.bundle(Path(os.path.realpath(folder)).name)


def read_archive(opened: BinaryIO, name: str) -> Bundle:
    """Return the template in a .tar.gz; a folder that holds all of it is left out of the paths, and gives the name. Raises
    `BundleError`.
    """
    gathering = _Gathering()
    size = os.fstat(opened.fileno()).st_size if _has_descriptor(opened) else 0
    if size > ARCHIVE_MAX_BYTES:
        raise BundleError(f"the archive is {size} bytes; the most is {ARCHIVE_MAX_BYTES}")
    try:
        with gzip.GzipFile(fileobj=opened) as unpacked:
            counted = _Counted(unpacked)
            with tarfile.open(
                fileobj=cast("BinaryIO", counted), mode="r|", errorlevel=2, encoding="utf-8", errors="surrogateescape"
            ) as archive:
                _members(archive, gathering)
            # tarfile stops at the end of the tar, before gzip has compared its checksum.
            while counted.read(_PIECE_BYTES):  # to the end, where the checksum stands
                pass
    except BundleError:
        raise
    except _DAMAGED as error:
        raise BundleError(f"the archive is damaged, or no .tar.gz: {_reason(error)}") from None
    top, files = _without_top(gathering.files)
    return gathering.bundle(top or name, files)


def _members(archive: tarfile.TarFile, gathering: _Gathering) -> None:
    for member in archive:
        parts = gathering.parts_of(member.name)
        if member.isdir() or parts is None:
            continue
        # A sparse file may say that it has terabytes, and hold none of them.
        if not member.isreg() or member.issparse():
            raise BundleError(f"the archive holds {_kind(member)}, {_shown(member.name)}: a template has only files and folders")
        gathering.check_size(member.name, member.size)
        content = archive.extractfile(member)
        gathering.add(parts, content.read() if content is not None else b"")


def _kind(member: tarfile.TarInfo) -> str:
    if member.issym() or member.islnk():
        return "a link"
    return "a device or a pipe" if member.isdev() else "something that is no plain file"


def _walk(folder: int, above: tuple[str, ...], gathering: _Gathering, only: Sequence[str]) -> None:
    for name in sorted(os.listdir(folder)):
        if only and name not in only:
            continue
        path = "/".join((*above, name))
        parts = gathering.parts_of(path)
        if parts is None:
            continue
        status = os.stat(name, dir_fd=folder, follow_symlinks=False)
        if stat.S_ISDIR(status.st_mode):
            inner = os.open(name, _FOLDER, dir_fd=folder)
            try:
                _walk(inner, (*above, name), gathering, ())
            finally:
                os.close(inner)
        elif stat.S_ISREG(status.st_mode):
            gathering.check_size(path, status.st_size)
            gathering.add(parts, _content(name, folder, path))
        else:
            kind = "a link" if stat.S_ISLNK(status.st_mode) else "no plain file"
            raise BundleError(f"{_shown(path)} is {kind}: a template has only files and folders")


def _content(name: str, folder: int, path: str) -> bytes:
    with os.fdopen(os.open(name, _FILE, dir_fd=folder), "rb") as opened:
        if not stat.S_ISREG(os.fstat(opened.fileno()).st_mode):
            raise BundleError(f"{_shown(path)} is no plain file: a template has only files and folders")
        return opened.read(FILE_MAX_BYTES + 1)


class _Gathering:
    """The files read so far, and the checks that look at all of them."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self._alike: dict[str, str] = {}
        """What a file system without capitals makes of a path → the path; of folders too."""
        self._folders: set[str] = set()
        self._skipped: list[str] = []
        self._entries = 0
        self._total = 0

    def parts_of(self, name: str) -> tuple[str, ...] | None:
        """Return the names of a path; None for one that is passed over. Raises `BundleError`."""
        self._entries += 1
        if self._entries > ENTRIES_MAX:
            raise BundleError(f"the template has more than {ENTRIES_MAX} files and folders")
        if name.startswith("/"):
            raise BundleError(f"the template holds {_shown(name)}, an absolute path: its files are inside its folder")
        parts = tuple(part for part in name.split("/") if part not in ("", "."))
        if ".." in parts:
            raise BundleError(f"the template holds {_shown(name)}, which leads out of its folder")
        if not parts:
            return None
        _check_names(name, parts)
        if any(part.startswith(".") for part in parts):
            self._skipped.append("/".join(parts))
            return None
        return parts

    def check_size(self, name: str, size: int) -> None:
        """Raise `BundleError` for a file that is too large, before it is read."""
        if size > FILE_MAX_BYTES:
            raise BundleError(f"{_shown(name)} is {size} bytes; the most is {FILE_MAX_BYTES} a file")
        if self._total + size > TOTAL_MAX_BYTES:
            raise BundleError(f"the template is larger than {TOTAL_MAX_BYTES} bytes in all")

    def add(self, parts: tuple[str, ...], content: bytes) -> None:
        """Take a file. Raises `BundleError` for one whose place is taken."""
        path = "/".join(parts)
        self.check_size(path, len(content))
        if len(self.files) >= FILES_MAX:
            raise BundleError(f"the template has more than {FILES_MAX} files")
        for depth in range(1, len(parts)):
            self._enter("/".join(parts[:depth]), is_folder=True)
        self._enter(path, is_folder=False)
        self.files[path] = content
        self._total += len(content)

    def _enter(self, path: str, *, is_folder: bool) -> None:
        # An owner may move the folder to a Mac or to Windows, where one of the two would replace the other.
        key = unicodedata.normalize("NFC", path).casefold()
        other = self._alike.setdefault(key, path)
        if other != path:
            raise BundleError(f"{_shown(other)} and {_shown(path)} differ only in capitals, which some file systems take for one name")
        if path in self.files or (path in self._folders and not is_folder):
            raise BundleError(f"the template holds {_shown(path)} twice")
        if is_folder:
            self._folders.add(path)

    def bundle(self, name: str, files: Mapping[str, bytes] | None = None) -> Bundle:
        """Return what was gathered. Raises `BundleError` for nothing."""
        found = self.files if files is None else files
        if not found:
            raise BundleError("the template is empty: it holds no file that a site could have")
        return Bundle(name, dict(sorted(found.items())), tuple(sorted(self._skipped)))


def _check_names(name: str, parts: tuple[str, ...]) -> None:
    if shown(name) != name or any(not part.isprintable() or "\\" in part for part in parts):
        raise BundleError(f"the template holds {_shown(name)}, a name with characters that a site cannot have")
    if len(name) > PATH_MAX_CHARS or len(parts) > DEPTH_MAX or any(len(part.encode()) > NAME_MAX_BYTES for part in parts):
        raise BundleError(f"the template holds a path that is too long or too deep: {_shown(name)}")


class _Counted(io.RawIOBase):
    """What an archive unpacks to, which ends when there is more of it than a template may have."""

    def __init__(self, unpacked: gzip.GzipFile) -> None:
        self._unpacked = unpacked
        self._left = TOTAL_MAX_BYTES + HEADERS_MAX_BYTES

    def readable(self) -> bool:
        """Return that it can be read (io.RawIOBase)."""
        return True

    def read(self, size: int = -1) -> bytes:
        """Return at most `size` bytes, none at the end. Raises `BundleError` beyond the bound."""
        wanted = self._left + 1 if size < 0 else min(size, self._left + 1)
        content = self._unpacked.read(wanted)
        self._left -= len(content)
        if self._left < 0:
            raise BundleError(f"the archive unpacks to more than {TOTAL_MAX_BYTES} bytes, the most a template may have")
        return content


def _without_top(files: Mapping[str, bytes]) -> tuple[str, Mapping[str, bytes]]:
    """Return the one folder that everything is in, "" without one, and the files below it."""
    tops = {path.partition("/")[0] for path in files}
    if len(tops) != 1 or MANIFEST in files or not all("/" in path for path in files):
        return "", files
    (top,) = tops
    # A template of one folder, such as `site`, is no folder around a template.
    if top in PEER_FOLDERS and f"{top}/{MANIFEST}" not in files:
        return "", files
    return top, {path.removeprefix(f"{top}/"): content for path, content in files.items()}


def _stem(name: str) -> str:
    return next((name[: -len(ending)] for ending in ENDINGS if name.lower().endswith(ending)), name)


def _has_descriptor(opened: BinaryIO) -> bool:
    try:
        opened.fileno()
    except (OSError, AttributeError):
        return False
    return True


def _reason(error: BaseException) -> str:
    """Return in words of ours what is wrong: those of the modules quote the archive's bytes."""
    if isinstance(error, EOFError):
        return "it ends too early"
    if isinstance(error, gzip.BadGzipFile):
        return "it is not gzip, or its checksum is wrong"
    return "what it unpacks to is no tar archive" if isinstance(error, tarfile.TarError) else "its content is not sound"


def _shown(name: str) -> str:
    text = shown(name)
    return repr(text if len(text) <= SHOWN_MAX_CHARS else f"{text[:SHOWN_MAX_CHARS]}…")
