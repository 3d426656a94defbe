"""The layers that confine a worker, as data, and the ordered program that applies them to this process.

Everything a worker needs is open before this runs; afterwards it computes and talks over one socket (and the descriptors of its database).
Each layer is best effort and reports exactly: "" when in force, otherwise why not. It must not know Lua, scripts or the peer.

The order matters: Landlock and seccomp need to open or call what later layers forbid.
"""

from __future__ import annotations

import ctypes
import importlib
import os
import resource
import signal
from collections.abc import Callable, Collection, Iterable, Mapping
from pathlib import Path
from typing import Final

import msgspec

from goop2.sandbox.stat_probe import needed_stat_calls
from goop2.sandbox.syscalls import Descriptors, SyscallFilter, add_descriptors, index_max_bytes, open_filter

HOST_ALLOWANCE_BYTES: Final = 96 * 1024 * 1024
"""Private memory a worker may take beyond what it starts with and its VM: frames, JSON, SQLite, machine code."""

NICENESS: Final = 5
"""Workers yield the processor to the peer, so that no script can starve it."""

STACK_BYTES: Final = 8 * 1024 * 1024
"""What every system gives by default. Where the owner's is unlimited, recursion through C would take a gigabyte."""

MAPPINGS_ALLOWANCE_BYTES: Final = 16 * 1024 * 1024
"""Address space beyond memory, stack and -shm: LuaJIT maps its machine code where a jump reaches it, by trying."""

CPU_START_SECONDS: Final = 10
"""Processor time a worker may take before the peer allows it more, which it does before each invocation (scripting/worker.py)."""

OOM_SCORE_FORK_SERVER: Final = 900
OOM_SCORE_WORKER: Final = 1000
"""Where memory runs out, the kernel ends a worker first, then the fork server, then the peer (proc(5), oom_score_adj)."""

FILE_ALLOWANCE_BYTES: Final = 256 * 1024 * 1024
"""How far above `storage.max_mb` no file may grow, whatever a worker does: the log beside the database needs room too."""

RLIMITS: Final = {
    "RLIMIT_CORE": 0,
    "RLIMIT_NPROC": 0,
    "RLIMIT_MEMLOCK": 0,
    "RLIMIT_MSGQUEUE": 0,
    "RLIMIT_NOFILE": 0,  # no descriptor beyond those that are open
    "RLIMIT_STACK": STACK_BYTES,
}
"""Limits of every worker, or less where it has less. The limits of memory are added from what the process holds when it is confined."""

_PR_SET_PDEATHSIG = 1
_PR_SET_NO_NEW_PRIVS = 38
_libc = ctypes.CDLL(None, use_errno=True)


class Wall(msgspec.Struct, frozen=True, kw_only=True):
    """What `confine` must know of this worker."""

    keep_descriptors: Collection[int]
    memory_bytes: int
    """The allocator limit of one VM."""
    parent: int
    """The process whose death ends this one."""
    held: HeldMemory
    """What this process holds now (`held_memory`); the limits of memory are counted from there."""
    skip: Collection[str] = msgspec.field(default_factory=tuple)
    descriptors: Descriptors = msgspec.field(default_factory=Descriptors)
    """What of `keep_descriptors` system calls may be made on."""
    file_max_bytes: int = FILE_ALLOWANCE_BYTES
    """The size no file may grow beyond."""


class HeldMemory(msgspec.Struct, frozen=True):
    """Memory of a process, as RLIMIT_DATA and as RLIMIT_AS count it."""

    data_bytes: int
    address_bytes: int


class Ground(msgspec.Struct, frozen=True):
    """What the fork server found out for all its workers."""

    syscalls: SyscallFilter | Exception
    """The filter without the rules that name descriptors, or what kept it from being made."""
    gaps: Mapping[str, str] = msgspec.field(default_factory=dict)
    """What a layer that is in force does not cover on this machine: name → sentence (`GAPS`)."""


def confine(wall: Wall, ground: Ground) -> dict[str, str]:
    """Apply every layer to this process, in order; return layer → "" (in force) or why it is not."""
    return {name: "switched off" if name in wall.skip else _attempt(apply, wall, ground) for name, apply in LAYERS.items()}


def _attempt(apply: Callable[[Wall, Ground], None], wall: Wall, ground: Ground) -> str:
    try:
        apply(wall, ground)
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return ""


def prepare() -> Ground:
    """Import what the layers need, find out what this machine offers, and build the seccomp filter; before the fork.

    System calls this machine does not have are left out of the filter. Without libseccomp the answer holds what went wrong,
    for the layer to report. The process must be single-threaded: another one is forked to try out a filter.
    """
    gaps = {}
    if not _landlock_scopes_signals():
        gaps["signal-scope"] = "this kernel's Landlock does not keep signals within a process; seccomp alone does"
    try:
        importlib.import_module("pyseccomp")
        stat_calls = needed_stat_calls()
        syscalls: SyscallFilter | Exception = open_filter(stat_calls)
    except (ImportError, RuntimeError, OSError) as error:
        return Ground(error, gaps)
    if stat_calls:
        gaps["stat-calls"] = f"SQLite needs {' and '.join(stat_calls)} here, by which a worker learns which files and processes exist"
    return Ground(syscalls, gaps)


GAPS: Final = ("signal-scope", "stat-calls")
"""What a machine may lack although every layer is in force."""

_SIGNAL_SCOPE_ABI = 6
"""The version of Landlock that keeps signals within a process and its children: Linux 6.12."""


def _landlock_scopes_signals() -> bool:
    """Return whether Landlock blocks signals; also False without Landlock, which the layer reports."""
    try:
        import py_landlock

        return py_landlock.get_abi_version() >= _SIGNAL_SCOPE_ABI
    except Exception:  # the library's own errors differ between its versions; without Landlock its layer tells the reason
        return False


def go_first_when_memory_ends(score: int) -> None:
    """Have the kernel end this process before others when memory runs out. Raising the score needs no right; it is never lowered."""
    file = Path("/proc/self/oom_score_adj")
    try:
        file.write_text(str(max(score, int(file.read_text("ascii")))), "ascii")
    except (OSError, ValueError):
        return  # no Linux, or /proc is not there: then the peer is as likely to be ended as a worker


def die_with_parent(parent: int | None = None) -> None:
    """End this process when its parent ends; at once if that was process `parent` and has ended already."""
    _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if parent is not None and os.getppid() != parent:
        os._exit(1)


def _prctl(option: int, value: int) -> None:
    if _libc.prctl(option, value, 0, 0, 0) != 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))


def _check_environment(_wall: Wall, _ground: Ground) -> None:
    inherited = sorted(name for name in os.environ if name not in ALLOWED_ENVIRONMENT)
    if inherited:
        raise RuntimeError(f"the environment still holds {', '.join(inherited)}")


def _close_descriptors(wall: Wall, _ground: Ground) -> None:
    for start, end in _gaps(wall.keep_descriptors, resource.getrlimit(resource.RLIMIT_NOFILE)[1]):
        if start < end:  # closerange(0, 0) would close them all
            os.closerange(start, end)


def _gaps(kept: Iterable[int], limit: int) -> Iterable[tuple[int, int]]:
    start = 0
    for descriptor in sorted(kept):
        yield start, descriptor
        start = descriptor + 1
    yield start, limit


def _die_with_parent(wall: Wall, _ground: Ground) -> None:
    die_with_parent(wall.parent)


def _limit_resources(wall: Wall, _ground: Ground) -> None:
    limits = {getattr(resource, name): value for name, value in RLIMITS.items() if hasattr(resource, name)}
    beyond = wall.memory_bytes + HOST_ALLOWANCE_BYTES
    limits[resource.RLIMIT_DATA] = wall.held.data_bytes + beyond
    # Memory that was written and then made read-only or executable counts against RLIMIT_DATA no more, only against RLIMIT_AS.
    mapped = STACK_BYTES + index_max_bytes(wall.file_max_bytes) + MAPPINGS_ALLOWANCE_BYTES
    limits[resource.RLIMIT_AS] = wall.held.address_bytes + beyond + mapped
    limits[resource.RLIMIT_FSIZE] = wall.file_max_bytes
    for limit, value in limits.items():
        ours = resource.getrlimit(limit)[1]
        most = value if ours == resource.RLIM_INFINITY else min(value, ours)
        resource.setrlimit(limit, (most, most))
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)  # a file at its limit is an error of SQLite, not the end of the worker
    _limit_cpu()
    os.nice(NICENESS)


def file_limit(storage_max_bytes: int, files: Iterable[int]) -> int:
    """Return the size no file of a database may grow beyond; `files` are its open descriptors, which may be larger than allowed already."""
    largest = max((os.fstat(file).st_size for file in files), default=0)
    return max(storage_max_bytes, largest) + FILE_ALLOWANCE_BYTES


def _limit_cpu() -> None:
    """Set the soft limit alone: the peer raises it, and needs no right for that up to the hard one."""
    most = resource.getrlimit(resource.RLIMIT_CPU)[1]
    start = CPU_START_SECONDS if most == resource.RLIM_INFINITY else min(CPU_START_SECONDS, most)
    resource.setrlimit(resource.RLIMIT_CPU, (start, most))


def held_memory() -> HeldMemory:
    """Return what this process holds now (proc(5), statm: the sixth field and the first, in pages)."""
    fields = Path("/proc/self/statm").read_text("ascii").split()
    page = resource.getpagesize()
    return HeldMemory(int(fields[5]) * page, int(fields[0]) * page)


def _renounce_privileges(_wall: Wall, _ground: Ground) -> None:
    _prctl(_PR_SET_NO_NEW_PRIVS, 1)


def _restrict_files(_wall: Wall, _ground: Ground) -> None:
    import py_landlock

    py_landlock.Landlock(strict=False).apply()


def _restrict_syscalls(wall: Wall, ground: Ground) -> None:
    if isinstance(ground.syscalls, Exception):
        raise ground.syscalls
    add_descriptors(ground.syscalls, wall.descriptors, index_max_bytes(wall.file_max_bytes))
    ground.syscalls.load()


ALLOWED_ENVIRONMENT: Final = ("GLIBC_TUNABLES", "TZ", "LC_CTYPE")
"""malloc's tuning, the owner's time zone, and what Python's own start adds; nothing else of the owner's."""

LAYERS: Final[dict[str, Callable[[Wall, Ground], None]]] = {
    "environment": _check_environment,
    "descriptors": _close_descriptors,
    "parent-death": _die_with_parent,
    "no-new-privileges": _renounce_privileges,
    "landlock": _restrict_files,
    "rlimits": _limit_resources,
    "seccomp": _restrict_syscalls,
}
"""Layer → what applies it, in the order they are applied."""
