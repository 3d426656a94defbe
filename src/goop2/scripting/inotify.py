"""The kernel's notifications of changes in folders (inotify(7)), in the event loop: no thread, and no wake-up without a change.

Folders are watched for any change in them. The folders above are watched too, so that a parent that is renamed, replaced or made is
noticed: for their own renaming or removal, and for the name of the next folder on the way down if that is missing, is a link, or is the
folder itself. Other changes in them, for example in /tmp, wake nobody up. It must not know what the folders hold.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import os
import struct
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Final

_MODIFY, _ATTRIB, _CLOSE_WRITE = 0x2, 0x4, 0x8
_MOVED_FROM, _MOVED_TO, _CREATE, _DELETE, _DELETE_SELF, _MOVE_SELF = 0x40, 0x80, 0x100, 0x200, 0x400, 0x800
_OVERFLOW, _IGNORED, _ONLYDIR = 0x4000, 0x8000, 0x01000000
_NAMES: Final = _CREATE | _DELETE | _MOVED_FROM | _MOVED_TO | _DELETE_SELF | _MOVE_SELF
_ITSELF: Final = _DELETE_SELF | _MOVE_SELF
_ANYTHING: Final = _NAMES | _MODIFY | _ATTRIB | _CLOSE_WRITE
_HEAD = struct.Struct("iIII")
_READ_BYTES: Final = 64 * 1024
ABOVE_MAX: Final = 64
"""Folders above a watched one that are watched too; nobody's are deeper."""

_TOLD_FILE_SYSTEMS: Final = frozenset(
    {
        0xEF53,  # ext2, ext3, ext4
        0x58465342,  # xfs
        0x9123683E,  # btrfs
        0x2FC12FC1,  # zfs
        0xF2F52010,  # f2fs
        0xCA451A4E,  # bcachefs
        0x01021994,  # tmpfs
        0x858458F6,  # ramfs
        0x794C7630,  # overlayfs
    }
)
"""Those (statfs(2)) in which nothing changes but by this machine's kernel, which tells of it. Network file systems are not among them."""
_STATFS_BYTES: Final = 512
"""More than a struct statfs takes anywhere; it begins with the type, a long."""


def is_available() -> bool:
    """Return whether this system has inotify."""
    return sys.platform == "linux"


def reports_all_changes(folders: Iterable[Path]) -> bool:
    """Return whether the kernel reports every change in `folders`; missing ones do not count. It may block on a disk that hangs."""
    libc = ctypes.CDLL(None, use_errno=True)
    for folder in folders:
        status = (ctypes.c_long * (_STATFS_BYTES // ctypes.sizeof(ctypes.c_long)))()
        if libc.statfs(os.fsencode(folder), status) == 0 and status[0] & 0xFFFFFFFF not in _TOLD_FILE_SYSTEMS:
            return False
    return True


class Notifications:
    """Watches on `folders`, there or not (yet), until `close`; made in any thread. Raises OSError when the system gives no more of them."""

    _descriptor = -1

    def __init__(self, folders: Iterable[Path]) -> None:
        self._libc = ctypes.CDLL(None, use_errno=True)
        self._wanted: dict[int, set[bytes] | None] = {}
        """Watch → names that matter in its folder; None: all."""
        self.changed = asyncio.Event()
        """Set at each change; whoever waits clears it."""
        self._descriptor = self._libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
        if self._descriptor < 0:
            raise _error()
        try:
            for folder in folders:
                self._watch(folder)
        except BaseException:
            self.__del__()
            raise

    def listen(self) -> None:
        """Set `changed` at each change from now on, and for those there were; in the event loop."""
        asyncio.get_running_loop().add_reader(self._descriptor, self._read)

    def close(self) -> None:
        """End all watches. Idempotent."""
        if self._descriptor >= 0:
            asyncio.get_running_loop().remove_reader(self._descriptor)
            self.__del__()

    def __del__(self) -> None:
        if self._descriptor >= 0:  # nobody waited any more for the thread that made it
            os.close(self._descriptor)
            self._descriptor = -1

    def _watch(self, folder: Path) -> None:
        there, name = self._add(folder, None), True
        for _ in range(ABOVE_MAX):
            if folder.parent == folder:
                return
            if name or not there or folder.is_symlink():
                self._add(folder.parent, os.fsencode(folder.name))
            if not there:  # it may have come before its name was watched
                self._add(folder, None if name else b"", _ITSELF)
            folder = folder.parent
            there, name = self._add(folder, b"", _ITSELF), False

    def _add(self, folder: Path, name: bytes | None, named: int = _NAMES) -> bool:
        watch = self._libc.inotify_add_watch(
            self._descriptor, os.fsencode(folder), _ANYTHING | _ONLYDIR if name is None else named | _ONLYDIR | _MASK_ADD
        )
        if watch < 0:
            error = _error()
            if isinstance(error, FileNotFoundError | NotADirectoryError | PermissionError):
                return False  # not there yet: the folder above tells when it comes
            raise error
        names = self._wanted.setdefault(watch, set() if name is not None else None)
        if name is None:
            self._wanted[watch] = None
        elif names is not None:
            names.add(name)
        return True

    def _read(self) -> None:
        with contextlib.suppress(BlockingIOError):
            data = os.read(self._descriptor, _READ_BYTES)
            if any(self._matters(*event) for event in _events(data)):
                self.changed.set()

    def _matters(self, watch: int, mask: int, name: bytes) -> bool:
        if mask & (_OVERFLOW | _IGNORED | _DELETE_SELF | _MOVE_SELF):
            return True
        names = self._wanted.get(watch)
        return names is None or name in names


_MASK_ADD: Final = 0x20000000
"""A folder that is watched for everything already stays so."""


def _events(data: bytes) -> Iterable[tuple[int, int, bytes]]:
    place = 0
    while place < len(data):
        watch, mask, _cookie, length = _HEAD.unpack_from(data, place)
        place += _HEAD.size
        yield watch, mask, data[place : place + length].rstrip(b"\0")
        place += length


def _error() -> OSError:
    code = ctypes.get_errno()
    return OSError(code, os.strerror(code))
