"""What the kernel lets a worker do, as data, and the ordered program that applies it to this process.

Everything a worker needs is open before this runs; afterwards it computes and talks over one socket
(and the descriptors of its database). Each layer is best effort and reports exactly: "" when in
force, otherwise why not. This file knows nothing of Lua, scripts or the peer.

Order matters: Landlock and seccomp need to open or call what later layers forbid.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import importlib
import os
import resource
import signal
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

HOST_ALLOWANCE_BYTES: Final = 96 * 1024 * 1024
"""Private memory a worker may take beyond what it starts with and its VM: frames, JSON, SQLite, machine code."""

NICENESS: Final = 5
"""Workers yield the processor to the peer, so that no script can starve it."""

STACK_BYTES: Final = 8 * 1024 * 1024
"""What every system gives by default. Where the owner's is unlimited, recursion through C would take a gigabyte."""

RLIMITS: Final = {
    "RLIMIT_CORE": 0,
    "RLIMIT_NPROC": 0,
    "RLIMIT_MEMLOCK": 0,
    "RLIMIT_MSGQUEUE": 0,
    "RLIMIT_NOFILE": 0,  # no descriptor beyond those that are open
    "RLIMIT_STACK": STACK_BYTES,
}
"""Limits of every worker, or less where it has less; RLIMIT_DATA is added from what the process holds when it is confined."""

SYSCALLS: Final = (
    # talk: only descriptors that are open already; no sendmsg, no recvmsg, so none can be passed in
    "recvfrom", "sendto",
    # memory: the VM, Python, and LuaJIT's machine code
    "brk", "mmap", "munmap", "mremap", "mprotect", "madvise",
    # one thread's own business
    "futex", "sched_yield", "rt_sigreturn", "rt_sigprocmask", "getrandom", "exit", "exit_group",
    # clocks, where the vDSO does not answer
    "clock_gettime", "gettimeofday", "time", "clock_nanosleep",
    # SQLite, on files that are open already
    "pread64", "pwrite64", "fdatasync", "ftruncate", "fstat", "fcntl", "close",
    # the same, as other builds of SQLite and newer C libraries ask it
    "fsync", "newfstatat",
    # the second a transaction may last
    "setitimer",
)  # fmt: skip
"""All a confined worker may call; anything else fails with EPERM."""

SyscallFilter = Any
"""A pyseccomp.SyscallFilter (the library has no types), or the exception that kept it from being made."""

_PR_SET_PDEATHSIG = 1
_PR_SET_NO_NEW_PRIVS = 38
_libc = ctypes.CDLL(None, use_errno=True)


@dataclass(frozen=True)
class Wall:
    """What `confine` needs to know of this worker."""

    keep_descriptors: Collection[int]
    memory_bytes: int
    """The allocator limit of one VM."""
    parent: int
    """The process whose death ends this one."""
    data_bytes: int
    """Private memory this process holds now (`data_bytes`); the limit is counted from there."""
    skip: Collection[str] = field(default_factory=tuple)


def confine(wall: Wall, syscalls: SyscallFilter) -> dict[str, str]:
    """Apply every layer to this process, in order. Returns layer → "" (in force) or why it is not."""
    return {name: "switched off" if name in wall.skip else _attempt(apply, wall, syscalls) for name, apply in LAYERS.items()}


def _attempt(apply: Callable[[Wall, SyscallFilter], None], wall: Wall, syscalls: SyscallFilter) -> str:
    try:
        apply(wall, syscalls)
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return ""


def prepare() -> SyscallFilter:
    """Before the fork: import what the layers need, and build the seccomp filter of `SYSCALLS`.

    System calls this machine does not have are left out. Without libseccomp the answer is what went
    wrong, for the layer to report.
    """
    with contextlib.suppress(ImportError):
        importlib.import_module("py_landlock")
    try:
        import pyseccomp
    except (ImportError, RuntimeError, OSError) as error:
        return error
    allowed = pyseccomp.SyscallFilter(pyseccomp.ERRNO(errno.EPERM))
    for name in SYSCALLS:
        try:
            allowed.add_rule(pyseccomp.ALLOW, name)
        except OSError:
            continue
    return allowed


def die_with_parent(parent: int) -> None:
    """End this process when process `parent` ends; at once if it has ended already."""
    _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)


def _prctl(option: int, value: int) -> None:
    if _libc.prctl(option, value, 0, 0, 0) != 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))


def _check_environment(_wall: Wall, _filter: SyscallFilter) -> None:
    inherited = sorted(name for name in os.environ if name not in ALLOWED_ENVIRONMENT)
    if inherited:
        raise RuntimeError(f"the environment still holds {', '.join(inherited)}")


def _close_descriptors(wall: Wall, _filter: SyscallFilter) -> None:
    for start, end in _gaps(wall.keep_descriptors, resource.getrlimit(resource.RLIMIT_NOFILE)[1]):
        if start < end:  # closerange(0, 0) would close them all
            os.closerange(start, end)


def _gaps(kept: Iterable[int], limit: int) -> Iterable[tuple[int, int]]:
    start = 0
    for descriptor in sorted(kept):
        yield start, descriptor
        start = descriptor + 1
    yield start, limit


def _die_with_parent(wall: Wall, _filter: SyscallFilter) -> None:
    die_with_parent(wall.parent)


def _limit_resources(wall: Wall, _filter: SyscallFilter) -> None:
    limits = {getattr(resource, name): value for name, value in RLIMITS.items() if hasattr(resource, name)}
    limits[resource.RLIMIT_DATA] = wall.data_bytes + wall.memory_bytes + HOST_ALLOWANCE_BYTES
    for limit, value in limits.items():
        ours = resource.getrlimit(limit)[1]
        most = value if ours == resource.RLIM_INFINITY else min(value, ours)
        resource.setrlimit(limit, (most, most))
    os.nice(NICENESS)


def data_bytes() -> int:
    """What counts against RLIMIT_DATA now (proc(5), statm: the sixth field, in pages)."""
    return int(Path("/proc/self/statm").read_text("ascii").split()[5]) * resource.getpagesize()


def _renounce_privileges(_wall: Wall, _filter: SyscallFilter) -> None:
    _prctl(_PR_SET_NO_NEW_PRIVS, 1)


def _restrict_files(_wall: Wall, _filter: SyscallFilter) -> None:
    import py_landlock

    py_landlock.Landlock(strict=False).apply()


def _restrict_syscalls(_wall: Wall, syscalls: SyscallFilter) -> None:
    if isinstance(syscalls, Exception):
        raise syscalls
    syscalls.load()


ALLOWED_ENVIRONMENT: Final = ("GLIBC_TUNABLES", "TZ", "LC_CTYPE")
"""malloc's tuning, the owner's time zone, and what Python's own start adds; nothing else of the owner's."""

LAYERS: Final[dict[str, Callable[[Wall, SyscallFilter], None]]] = {
    "environment": _check_environment,
    "descriptors": _close_descriptors,
    "parent-death": _die_with_parent,
    "no-new-privileges": _renounce_privileges,
    "landlock": _restrict_files,
    "rlimits": _limit_resources,
    "seccomp": _restrict_syscalls,
}
"""Layer → what applies it, in the order they are applied."""
