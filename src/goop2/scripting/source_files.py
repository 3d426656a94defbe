"""The script folder on disk: which files are scripts, and their content, read safely.

Only regular files are opened whose real path lies in the script folder's real path, which itself lies in the peer's. A folder may have been
unpacked from a stranger's archive, and a link in it must not make `!x` out of somebody's private file.

It must not know what compiles, what runs, or what anybody is told about it.
"""

from __future__ import annotations

import hashlib
import math
import os
import re
import stat
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final, Literal, NamedTuple

import msgspec

from goop2.folder.regular_files import read_real
from goop2.scripting.annotations import NO_ANNOTATIONS, Annotations, parse
from goop2.scripting.handle_scan import RUN, defines
from goop2.scripting.limits import MEGABYTE_BYTES, SCRIPT_MAX_BYTES, STAT_SETTLED_SECONDS, WARNINGS_MAX
from goop2.scripting.printable import printable

Kind = Literal["command", "function", "library"]
"""A `library` is shared code: no caller runs it, scripts load it by goop.use."""

FUNCTIONS_FOLDER = "functions"
"""The folder below the script folder that holds data functions."""
LIBRARY_FOLDER = "lib"
"""The one that holds shared code."""

_SCRIPT_NAME = re.compile(r"([A-Za-z0-9_-]+)\.lua")
_TYPES = b"---@meta"
"""Begins a file that only declares types for editors, as goop.lua does."""
_NOT_FOR_US = re.compile(r"\..*|.*~|#.*#|\d+|.*\.(bak|orig|part|swp|tmp)", re.DOTALL)
"""Hidden files, and what editors leave lying for a moment while they save; they deserve no warning."""

_BYTE_ORDER_MARK: Final = b"\xef\xbb\xbf"
_SHELL_LINE = re.compile(rb"#[^\r\n]*")
"""`#!/usr/bin/lua`, which `lua` itself passes over; its end stays, for the count of lines."""

_NAME_MAX_CHARS = 80


class Stamp(msgspec.Struct, frozen=True, gc=False):
    """Data by which an unchanged file is recognised without reading it. A program can set the mtime back, not the ctime."""

    device: int
    inode: int
    size: int
    mtime_ns: int
    ctime_ns: int

    @staticmethod
    def of(status: os.stat_result) -> Stamp:
        """Return the stamp of the file with this status."""
        return Stamp(status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)

    def settled_at(self, seconds: float) -> bool:
        """Return whether the last change was so long before `seconds` that another one has a later stamp."""
        return max(self.mtime_ns, self.ctime_ns) / 1e9 + STAT_SETTLED_SECONDS < seconds


class SourceFile(msgspec.Struct, frozen=True, gc=False):
    """A script's file as it was last read. There may be 10,000, so it is made quickly and does not burden the garbage collector."""

    kind: Kind
    name: str
    path: str
    """As shown to people: relative to the peer folder, with `/`."""
    real_folder: str
    """Where it really lies."""
    stamp: Stamp | None
    """None when the file must be read again, whatever its status says."""
    version: bytes
    """Digest of kind, name and source; of the problem where there is one."""
    source: bytes = b""
    """UTF-8, without a byte order mark."""
    annotations: Annotations = NO_ANNOTATIONS
    problem: str = ""
    """Why there is no source, as a sentence; empty when there is."""
    is_empty: bool = False
    """That is the problem: nothing, or only blanks, stands in it."""


class Snapshot(msgspec.Struct, frozen=True):
    """The script folder at one moment."""

    files: Mapping[str, SourceFile]
    """By `SourceFile.path`; no two of one kind and name."""
    warnings: tuple[str, ...] = ()
    """What was ignored and why, as sentences."""


class SourceFolder:
    """Reads a peer's script folder, `script_dir` being relative to `folder` or absolute.

    Without state: what was read before is given by the caller.
    """

    def __init__(self, folder: Path, script_dir: Path, homes: Sequence[Path] = ()) -> None:
        """:param homes: real paths in which scripts may lie as well as in the peer folder."""
        self._folder = folder
        self._homes = homes
        self._script_dir = folder / script_dir
        self._shown = _relative(self._script_dir, folder)

    def places(self, snapshot: Snapshot) -> list[Path]:
        """Return the folders in which a change may matter, whether they are there or not yet."""
        places = {self._script_dir, self._script_dir / FUNCTIONS_FOLDER, self._script_dir / LIBRARY_FOLDER}
        return sorted(places | {Path(folder) for folder in {file.real_folder for file in snapshot.files.values()}})

    def has_links(self, places: Iterable[Path]) -> bool:
        """Return whether one of `places` is reached through a link: other links on the way are not watched."""
        folders = [self._script_dir, self._script_dir / FUNCTIONS_FOLDER, self._script_dir / LIBRARY_FOLDER]
        return not {*places} <= {*folders, *(Path(os.path.realpath(folder)) for folder in folders)}

    def read(self, before: Snapshot) -> Snapshot:
        """Return what is there now; files that have not changed since `before` are taken from it. Never raises OSError."""
        return _FileRead(self._folder, self._homes, self._script_dir, self._shown, before).snapshot()


class _FileRead:
    """One pass over the folder that reads the changed files."""

    def __init__(self, folder: Path, homes: Sequence[Path], script_dir: Path, shown: str, before: Snapshot) -> None:
        self._folder = folder
        self._homes = homes
        self._script_dir = script_dir
        self._shown = shown
        self._before = before
        self._warnings: list[str] = []
        self._root = script_dir

    def snapshot(self) -> Snapshot:
        files = {file.path: file for file in self._files()}
        return Snapshot(files, tuple(self._warnings[:WARNINGS_MAX]))

    def _files(self) -> Iterator[SourceFile]:
        try:
            self._root = self._script_dir.resolve(strict=True)
            home = self._folder.resolve(strict=True)
        except FileNotFoundError:
            return
        except (OSError, RuntimeError) as error:
            self._warnings.append(f"{self._shown} cannot be read: {_reason(error)}; its scripts stay as they were")
            yield from self._before.files.values()
            return
        # A link may lead anywhere: what a stranger's template links to must not become a script.
        if not any(self._root.is_relative_to(each) for each in (home, *self._homes)):
            self._warnings.append(f"{self._shown} leads out of the peer folder, so no script in it is loaded; put a real folder there")
            return
        if not self._root.is_dir():
            self._warnings.append(f"{self._shown} is not a folder, so no script is loaded from it")
            return
        yield from self._scripts("command", self._script_dir, self._shown)
        yield from self._scripts("function", self._script_dir / FUNCTIONS_FOLDER, f"{self._shown}/{FUNCTIONS_FOLDER}")
        yield from self._scripts("library", self._script_dir / LIBRARY_FOLDER, f"{self._shown}/{LIBRARY_FOLDER}")

    def _scripts(self, kind: Kind, directory: Path, shown: str) -> Iterator[SourceFile]:
        """Yield the scripts of one kind; where two names differ only in case, the first in sort order."""
        taken: dict[str, str] = {}
        real_folder = self._real_folder(directory)
        for file_name in self._listed(kind, directory, shown):
            match = _SCRIPT_NAME.fullmatch(file_name)
            if match is None:
                self._ignore_odd_name(kind, directory / file_name, shown)
                continue
            # Commands are typed by people, so their case does not matter; functions are called by code.
            name = match[1].lower() if kind == "command" else match[1]
            if name in taken:
                self._warnings.append(f"{shown}/{file_name} is ignored: !{name} is {shown}/{taken[name]} already; rename one of the two")
                continue
            file = self._file(kind, name, f"{directory}/{file_name}", f"{shown}/{file_name}", real_folder)
            if file is not None:
                taken[name] = file_name
                yield file

    def _listed(self, kind: Kind, directory: Path, shown: str) -> Iterable[str]:
        """Return file names in sort order. If the folder cannot be listed for a while, those of before."""
        try:
            return sorted(os.listdir(directory))  # noqa: PTH208 - names alone, without a Path for each
        except FileNotFoundError:
            return ()
        except NotADirectoryError:
            self._warnings.append(f"{shown} is not a folder, so no script is loaded from it")
            return ()
        except OSError as error:
            self._warnings.append(f"{shown} cannot be listed: {_reason(error)}; its scripts stay as they were")
            return sorted(Path(file.path).name for file in self._before.files.values() if file.kind == kind)

    def _ignore_odd_name(self, kind: Kind, path: Path, shown: str) -> None:
        name = path.name
        if _NOT_FOR_US.fullmatch(name) or (kind == "command" and name in (FUNCTIONS_FOLDER, LIBRARY_FOLDER)):
            return
        seen = f"{shown}/{printable(name, _NAME_MAX_CHARS)}"
        if path.is_dir():
            self._warnings.append(f"{seen} is ignored: scripts lie in {self._shown} and {self._shown}/{FUNCTIONS_FOLDER}, not deeper")
        else:
            self._warnings.append(f"{seen} is ignored: a script's name is letters, digits, - and _, then .lua")

    def _real_folder(self, directory: Path) -> str | None:
        """Return the real path of a folder inside the script folder, None when it is elsewhere: then each file is followed on its own."""
        real = os.path.realpath(directory)
        return real if Path(real).is_relative_to(self._root) else None

    def _file(self, kind: Kind, name: str, path: str, shown: str, real_folder: str | None) -> SourceFile | None:
        """Return the script at `path`; None if it is no file of ours, or gone. Of thousands, most are no links, and are not followed as
        such.
        """
        known = self._before.files.get(shown)
        try:
            now = time.time()
            status = os.lstat(path)
            if real_folder is not None and not stat.S_ISLNK(status.st_mode):
                if known is not None and known.stamp == Stamp.of(status):
                    return known
                real_path = f"{real_folder}/{_name_in(path)}"
            else:
                real_path = os.path.realpath(path, strict=True)
                if not Path(real_path).is_relative_to(self._root):
                    self._warnings.append(f"{shown} is ignored: it is a link that leads out of {self._shown}")
                    return None
                status = os.stat(real_path)  # noqa: PTH116 - no Path for each
                real_folder = _folder_of(real_path)
            if not stat.S_ISREG(status.st_mode):
                self._warnings.append(f"{shown} is ignored: it is not a regular file")
                return None
            stamp = Stamp.of(status)
            if known is not None and known.stamp == stamp:
                return known
            # One byte more than allowed tells a file that is too large from one that is just as large as it may be.
            content = read_real(real_path, SCRIPT_MAX_BYTES + 1)
        except FileNotFoundError:
            return None
        except (OSError, RuntimeError) as error:
            place = _Place(kind, name, shown, _folder_of(path), None)
            return _judged(place, problem=f"{_name_in(path)} cannot be read: {_reason(error)}")
        # Written within the resolution of the file system's clock: a second write may leave the same stamp, so it is read again.
        settled = stamp if stamp.settled_at(now) else None
        return _filled(_Place(kind, name, shown, real_folder, settled), content, status.st_size)


class _Place(NamedTuple):
    """What is known of a file before its content is read; the fields with which a `SourceFile` begins."""

    kind: Kind
    name: str
    path: str
    real_folder: str
    stamp: Stamp | None


def _name_in(path: str) -> str:
    return path.rpartition("/")[2]


def _folder_of(path: str) -> str:
    return path.rpartition("/")[0] or "/"


def _filled(place: _Place, content: bytes, size: int) -> SourceFile | None:
    """Return the file there with what was read: a source, or the problem with it; None for types for editors, which are no script."""
    file_name = _name_in(place.path)
    if len(content) > SCRIPT_MAX_BYTES:
        return _judged(place, problem=f"{file_name} is {_megabytes(max(size, len(content)))}; the most is 1 MB")
    source = content.removeprefix(_BYTE_ORDER_MARK)
    try:
        text = source.decode()
    except UnicodeDecodeError as error:
        offset = error.start + len(content) - len(source)
        return _judged(place, problem=f"{file_name} is not UTF-8: byte {offset} is 0x{content[offset]:02x}; save it as UTF-8")
    if shell := _SHELL_LINE.match(source):
        source = source[shell.end() :]
        text = source.decode()
    if source.startswith(_TYPES):
        return None
    if not text or text.isspace():
        return _judged(place, problem=f"{file_name} is empty", is_empty=True)
    return _judged(place, source, parse(text, place.path, lambda: _no_schedule(place.kind, source)))


def _no_schedule(kind: Kind, source: bytes) -> str:
    """Return why a file of this kind is not run by a schedule, "" when it is."""
    if kind != "function":
        return "only data functions, in the folder functions, run by a schedule"
    return "" if defines(source, RUN) else "this file defines no function run(event)"


def _judged(
    place: _Place, source: bytes = b"", annotations: Annotations = NO_ANNOTATIONS, problem: str = "", *, is_empty: bool = False
) -> SourceFile:
    """Return the file with its version. Kind and name count: a worker keeps compiled sources by version, and errors name the script."""
    # The problem counts too: a file whose problem changes is judged and reported anew.
    version = hashlib.blake2b(b"%b\0%b" % (f"{place.kind}/{place.name}\0{problem}".encode(), source), digest_size=16).digest()
    return SourceFile(*place, version, source, annotations, problem, is_empty)


def _megabytes(size: int) -> str:
    """Return megabytes rounded up, so that a file that is too large never looks as if it fitted."""
    return f"{math.ceil(size / MEGABYTE_BYTES * 10) / 10:.1f} MB"


def _reason(error: Exception) -> str:
    """Return the system's own words without its path."""
    return (error.strerror if isinstance(error, OSError) else None) or str(error)


def _relative(path: Path, folder: Path) -> str:
    """Return `path` as shown to people, whichever of the two is a real path."""
    bases = [folder, folder.absolute(), Path(os.path.realpath(folder))]
    return next((path.relative_to(base).as_posix() for base in bases if path.is_relative_to(base)), path.name)
