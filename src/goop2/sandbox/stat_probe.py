"""Find out which calls SQLite makes on this machine to learn the size of an open file.

With the wheel of apsw that goop2 pins, SQLite needs only `fstat`. Other C libraries and other builds use `newfstatat` or `statx`, which
also tell of any path whether it exists. A trial process finds out which; it must be single-threaded.
"""

from __future__ import annotations

import errno
import os
from typing import Final

import apsw

from goop2.sandbox.syscalls import STAT_CALLS

CANDIDATES: Final = ((), ("newfstatat",), ("newfstatat", "statx"))
"""Calls beside fstat, fewest first."""


def needed_stat_calls() -> tuple[str, ...]:
    """Return the calls of `STAT_CALLS` that a worker needs here; the last candidate when none of them is enough."""
    return next((calls for calls in CANDIDATES if _is_enough(calls)), CANDIDATES[-1])


def _is_enough(allowed: tuple[str, ...]) -> bool:
    """Return whether SQLite learns a file's size in a process that may use only `fstat` and `allowed` of all stat calls."""
    pid = os.fork()
    if pid == 0:
        try:
            os._exit(0 if _try(allowed) else 1)
        finally:
            os._exit(2)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0


def _try(allowed: tuple[str, ...]) -> bool:
    import pyseccomp

    flags = [apsw.SQLITE_OPEN_READONLY | apsw.SQLITE_OPEN_MAIN_DB, 0]
    file = apsw.VFSFile("", __file__, flags)
    refusing = pyseccomp.SyscallFilter(pyseccomp.ALLOW)
    for call in STAT_CALLS:
        if call not in allowed:
            refusing.add_rule(pyseccomp.ERRNO(errno.EPERM), call)
    refusing.load()
    try:
        return file.xFileSize() > 0
    except apsw.Error:
        return False
