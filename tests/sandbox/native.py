"""Workers that native code has taken over, for tests: a pool whose workers execute text behind the wall."""

from __future__ import annotations

import json
import os
import sys
import textwrap
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from unittest import mock

import msgspec
import pyseccomp
from tests.sandbox.native_fork_server import NAME
from tests.scripting.workshop import invocation_of, open_pool, script_of, setup_of

from goop2.sandbox.answers import Answer, ok
from goop2.scripting import fork_server
from goop2.scripting.invocation import Invocation, Outcome
from goop2.scripting.limits import InvocationLimits
from goop2.scripting.pool import Pool
from goop2.storage.database import FILE, Database, open_database

CALLS = ("clock_gettime", "fallocate", "ftruncate", "mmap", "newfstatat", "pwrite64", "stat", "lstat", "statx")
NUMBERS = {name: number for name in CALLS if (number := pyseccomp.resolve_syscall(pyseccomp.Arch.NATIVE, name)) >= 0}
"""System calls of this machine by name: behind the wall they cannot be looked up."""

SCRIPT = script_of("function call() end", "function", NAME)

LIBC = """
libc = ctypes.CDLL(None, use_errno=True)
libc.mmap.restype = ctypes.c_void_p
libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int, ctypes.c_int, ctypes.c_int, ctypes.c_long]
libc.mprotect.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
FAILED = ctypes.c_void_p(-1).value
WORDS = [ctypes.c_long] * 6
def call(name, *words):
    '''A system call as it is; the error's number, 0 without one.'''
    ctypes.set_errno(0)
    libc.syscall(ctypes.c_long(NUMBERS.get(name, name)), *(ctypes.c_ulong(word) for word in (*words, *[0] * (6 - len(words)))))
    return ctypes.get_errno()
FILES = worker.data.descriptors if worker.data else {}
"""
"""What such code begins with: the C library, system calls by name or number, and the descriptors of the database by suffix."""


async def _commands(_invocation: Invocation) -> Answer:
    return ok()


OPERATIONS = {"commands": _commands}


@dataclass(frozen=True)
class Workers:
    """A pool of them, and the database they share with us."""

    pool: Pool
    path: Path
    beside: Database

    async def outcome(self, text: str, seconds: float = 5.0) -> Outcome:
        """What comes of a call of `text`."""
        return await self.pool.run(
            invocation_of(SCRIPT, seconds=seconds, argument=f"NUMBERS = {NUMBERS}\n{LIBC}{textwrap.dedent(text)}".encode())
        )

    async def out(self, text: str, seconds: float = 5.0) -> dict[str, object]:
        """What `text` puts into `out`."""
        outcome = await self.outcome(text, seconds)
        assert outcome.code == "ok", outcome
        found: dict[str, object] = json.loads(outcome.payload)
        return found


@asynccontextmanager
async def native_workers(
    folder: Path, *, skip: tuple[str, ...] = (), workers: int = 1, storage_max_bytes: int = 1024**3
) -> AsyncIterator[Workers]:
    """Workers of a database in `folder`, without the layers `skip`; the peer's own connection is `beside`."""
    path = folder / FILE
    beside = open_database(path, guarded=False)
    beside.rows("CREATE TABLE IF NOT EXISTS t (x)")
    setup = msgspec.structs.replace(
        setup_of(operations=tuple(OPERATIONS), skip_layers=skip), database=os.fsencode(path), storage_max_bytes=storage_max_bytes
    )
    command = (sys.executable, "-I", str(Path(__file__).with_name("native_fork_server.py")))
    try:
        with mock.patch.object(fork_server, "COMMAND", command):
            async with open_pool(InvocationLimits(workers=workers), setup, OPERATIONS) as pool:
                yield Workers(pool, path, beside)
    finally:
        beside.close()
