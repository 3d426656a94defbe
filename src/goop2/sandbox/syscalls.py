"""The system calls of a confined worker, as data: an allow-list, each call with the narrowest arguments that work.

A filter sees arguments as 64 bits, while the kernel often reads only the lower 32. So nothing here lists what is forbidden: a forbidden
value would pass with other upper bits. Every condition names the exact value that is allowed, or a bound for the whole 64 bits. A call that
is not listed, or has other arguments, fails with EPERM.

It must not know Lua, scripts or the peer, only descriptors and numbers of the kernel. It needs libseccomp (pyseccomp).
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import mmap
import resource
import signal
import time
from collections.abc import Mapping
from enum import Enum
from typing import Any, Final

import msgspec

SyscallFilter = Any
"""A pyseccomp.SyscallFilter; the library has no types."""

MREMAP_MAYMOVE: Final = 1
FUTEX_WAKE_PRIVATE: Final = 129
TIMER_ABSTIME: Final = 1

INDEX_REGION_BYTES: Final = max(32 * 1024, resource.getpagesize())
"""What SQLite maps of a -shm at a time (unixShmMap of SQLite 3.54: 32 KB, or one page where pages are larger)."""
INDEX_REGION_FRAMES: Final = 4062
"""Frames of the log that the first such region lists (HASHTABLE_NPAGE_ONE of SQLite's wal.c); later ones list 4096."""
FRAME_MIN_BYTES: Final = 512 + 24
"""A frame of the log with the smallest page SQLite has; no log has more frames than its size divided by this."""


class Slot(Enum):
    """A descriptor of this worker, whose number is known when it is confined."""

    SOCKET = "the socket to the peer"
    DATABASE = "data.db"
    LOG = "data.db-wal"
    INDEX = "data.db-shm"
    QUEUE = "write-queue.lock"


class Bound(Enum):
    """A condition on an argument that is no exact value."""

    NOT_ZERO = "anything but 0"
    WITHIN_INDEX = "less than the largest -shm this worker could need"


class SyscallRule(msgspec.Struct, frozen=True):
    """One way to make one call: argument number → its condition."""

    call: str
    arguments: Mapping[int, int | Slot | Bound] = msgspec.field(default_factory=dict)


class Descriptors(msgspec.Struct, frozen=True):
    """The descriptors a worker keeps, by their purpose; None for one it does not have."""

    socket: int | None = None
    database: int | None = None
    log: int | None = None
    index: int | None = None
    queue: int | None = None

    def number(self, slot: Slot) -> int | None:
        """Return the descriptor in `slot`."""
        numbers = {
            Slot.SOCKET: self.socket,
            Slot.DATABASE: self.database,
            Slot.LOG: self.log,
            Slot.INDEX: self.index,
            Slot.QUEUE: self.queue,
        }
        return numbers[slot]


_READ_WRITE: Final = mmap.PROT_READ | mmap.PROT_WRITE
_READ_EXECUTE: Final = mmap.PROT_READ | mmap.PROT_EXEC
_PRIVATE: Final = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS
_NO_ADDRESS: Final = {4: 0, 5: 0}

RULES: Final = (
    # Talk: one socket, without flags and addresses. No sendmsg and no recvmsg, so no descriptor can be passed in or out.
    SyscallRule("recvfrom", {0: Slot.SOCKET, 3: 0, **_NO_ADDRESS}),
    SyscallRule("sendto", {0: Slot.SOCKET, 3: 0, **_NO_ADDRESS}),
    # Memory of the VM and of Python. Shared memory would count against no limit of this process.
    SyscallRule("brk"),
    SyscallRule("munmap"),
    SyscallRule("mmap", {2: _READ_WRITE, 3: _PRIVATE}),
    SyscallRule("mremap", {1: Bound.NOT_ZERO, 3: MREMAP_MAYMOVE}),  # with 0 it would map shared memory a second time
    # LuaJIT's machine code is written, then executed, never both at once.
    SyscallRule("mprotect", {2: _READ_WRITE}),
    SyscallRule("mprotect", {2: _READ_EXECUTE}),
    # glibc ends a process whose futex_wake is refused. With one thread nobody waits, so no other operation is needed.
    SyscallRule("futex", {1: FUTEX_WAKE_PRIVATE}),
    SyscallRule("getrandom", {2: 0}),
    SyscallRule("exit_group"),
    # Clocks. os.clock always asks the kernel; the rest do where the vDSO does not answer. By other numbers the clocks of
    # other processes are read, which tells whether they exist.
    SyscallRule("clock_gettime", {0: time.CLOCK_REALTIME}),
    SyscallRule("clock_gettime", {0: time.CLOCK_MONOTONIC}),
    SyscallRule("clock_gettime", {0: time.CLOCK_PROCESS_CPUTIME_ID}),
    SyscallRule("clock_gettime", {0: time.CLOCK_BOOTTIME}),  # the fence of a leased peer (storage/write_fence.py)
    SyscallRule("gettimeofday", {1: 0}),
    SyscallRule("time"),
    # Waiting for the write lock: time.sleep of Python, usleep of SQLite.
    SyscallRule("clock_nanosleep", {0: time.CLOCK_MONOTONIC, 1: TIMER_ABSTIME}),
    SyscallRule("clock_nanosleep", {0: time.CLOCK_REALTIME, 1: 0}),
    # The alarm that ends a transaction (data_calls.py).
    SyscallRule("setitimer", {0: int(signal.ITIMER_REAL)}),
    # SQLite, on its files that are open already.
    SyscallRule("pread64", {0: Slot.DATABASE}),
    SyscallRule("pread64", {0: Slot.LOG}),
    SyscallRule("pwrite64", {0: Slot.DATABASE}),
    SyscallRule("pwrite64", {0: Slot.LOG}),
    SyscallRule("fdatasync", {0: Slot.DATABASE}),
    SyscallRule("fdatasync", {0: Slot.LOG}),
    SyscallRule("fsync", {0: Slot.DATABASE}),  # in builds of SQLite without fdatasync
    SyscallRule("fsync", {0: Slot.LOG}),
    SyscallRule("ftruncate", {0: Slot.DATABASE}),
    SyscallRule("ftruncate", {0: Slot.LOG}),
    SyscallRule("fstat", {0: Slot.DATABASE}),
    SyscallRule("fstat", {0: Slot.LOG}),
    SyscallRule("fstat", {0: Slot.INDEX}),
    # Locks of the index, never waited for, and nothing else of fcntl: F_SETOWN, F_SETSIG and O_ASYNC would have the kernel
    # send signals. The lock of data.db is taken when it is opened, and kept.
    SyscallRule("fcntl", {0: Slot.INDEX, 1: fcntl.F_SETLK}),
    # Locks of the write queue (storage/write_queue.py), also waited for. The file is never read or written.
    SyscallRule("fcntl", {0: Slot.QUEUE, 1: fcntl.F_SETLKW}),
    SyscallRule("fcntl", {0: Slot.QUEUE, 1: fcntl.F_GETLK}),
    SyscallRule("fcntl", {0: Slot.QUEUE, 1: fcntl.F_SETLK}),
    # The index of the log grows by one byte at the end of each page, and is mapped region by region. It is never truncated:
    # the peer has it mapped too, and would end with SIGBUS.
    SyscallRule("pwrite64", {0: Slot.INDEX, 2: 1, 3: Bound.WITHIN_INDEX}),
    SyscallRule(
        "mmap", {0: 0, 1: INDEX_REGION_BYTES, 2: _READ_WRITE, 3: mmap.MAP_SHARED, 4: Slot.INDEX, 5: Bound.WITHIN_INDEX}
    ),
)  # fmt: skip
"""All a confined worker may call."""

STAT_CALLS: Final = ("newfstatat", "stat", "lstat", "statx")
"""Calls that tell of any path whether it exists. A worker has none of them, unless SQLite needs one here (stat_probe.py)."""


def index_max_bytes(file_max_bytes: int) -> int:
    """Return the size of the -shm of a log of `file_max_bytes`, with the smallest pages."""
    return (file_max_bytes // FRAME_MIN_BYTES // INDEX_REGION_FRAMES + 2) * INDEX_REGION_BYTES


def open_filter(stat_calls: tuple[str, ...] = ()) -> SyscallFilter:
    """Return a filter with every rule that names no descriptor, and `stat_calls`. Raises what pyseccomp raises without libseccomp."""
    import pyseccomp

    allowed = pyseccomp.SyscallFilter(pyseccomp.ERRNO(errno.EPERM))
    for rule in RULES:
        if not _names_descriptor(rule):
            _add(allowed, rule, Descriptors(), 0)
    for name in stat_calls:
        _add(allowed, SyscallRule(name), Descriptors(), 0)
    return allowed


def add_descriptors(allowed: SyscallFilter, descriptors: Descriptors, index_bytes: int) -> None:
    """Add the rules that name descriptors, for those that are there."""
    for rule in RULES:
        if _names_descriptor(rule):
            _add(allowed, rule, descriptors, index_bytes)


def _names_descriptor(rule: SyscallRule) -> bool:
    return any(isinstance(value, Slot) for value in rule.arguments.values())


def _add(filter_: SyscallFilter, rule: SyscallRule, descriptors: Descriptors, index_bytes: int, action: int | None = None) -> None:
    """Add `rule`; for tests, `action` replaces that the call is allowed."""
    import pyseccomp

    conditions = []
    for number, value in rule.arguments.items():
        if value is Bound.NOT_ZERO:
            conditions.append(pyseccomp.Arg(number, pyseccomp.NE, 0))
        elif value is Bound.WITHIN_INDEX:
            conditions.append(pyseccomp.Arg(number, pyseccomp.LT, index_bytes))
        else:
            exact = descriptors.number(value) if isinstance(value, Slot) else int(value)
            if exact is None:
                return
            conditions.append(pyseccomp.Arg(number, pyseccomp.EQ, exact))
    with contextlib.suppress(OSError):  # a call this machine does not have
        filter_.add_rule(pyseccomp.ALLOW if action is None else action, rule.call, *conditions)
