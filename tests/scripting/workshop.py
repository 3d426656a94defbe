"""Pools, scripts and callers for tests: real worker processes, made and ended in a test."""

from __future__ import annotations

import contextlib
import hashlib
import os
import resource
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Literal

from goop2.sandbox.messages import Setup
from goop2.scripting.annotations import NO_ANNOTATIONS, Annotations
from goop2.scripting.api import FUNCTIONS, PRIVATE
from goop2.scripting.api.rules import rules
from goop2.scripting.api.stubs import stubs
from goop2.scripting.catalog import Script
from goop2.scripting.invocation import Caller, Invocation, PeerOperation
from goop2.scripting.limits import InvocationLimits
from goop2.scripting.pool import Pool

OWNER = Caller("owner", "Owner", owner=True)
HELLO = "function handle(args) return 'Hello, ' .. args .. '!' end"
OPERATION_RULES = rules((*FUNCTIONS, *PRIVATE))
LOOP = "function handle() while true do end end"


def setup_of(flavour: str = "luajit21", operations: tuple[str, ...] = (), skip_layers: tuple[str, ...] = ()) -> Setup:
    return Setup(
        flavour=flavour,
        declarations=stubs(FUNCTIONS),
        self_id="us",
        self_label="Us",
        memory_bytes=InvocationLimits().memory_bytes,
        operations=tuple(rule for rule in OPERATION_RULES if not rule.in_peer or rule.name in operations),
        skip_layers=skip_layers,
    )


def script_of(
    source: str, kind: Literal["command", "function"] = "command", name: str = "hello", annotations: Annotations = NO_ANNOTATIONS
) -> Script:
    text = source.encode()
    return Script(kind, name, f"site/lua/{name}.lua", text, hashlib.blake2b(text + kind.encode(), digest_size=16).digest(), annotations)


def invocation_of(source: str | Script, caller: Caller = OWNER, seconds: float = 5.0, argument: bytes = b"") -> Invocation:
    script = script_of(source) if isinstance(source, str) else source
    return Invocation(script, argument, caller, time.monotonic() + seconds)


def stranger(number: int | str) -> Caller:
    return Caller(f"stranger-{number}")


@asynccontextmanager
async def open_pool(
    limits: InvocationLimits | None = None, setup: Setup | None = None, operations: Mapping[str, PeerOperation] | None = None
) -> AsyncIterator[Pool]:
    operations = operations or {}
    pool = Pool(setup or setup_of(operations=tuple(operations)), limits or InvocationLimits(workers=8), operations)
    try:
        await pool.start()
        yield pool
    finally:
        await pool.stop()


def cpu_seconds(pid: int) -> float | None:
    """CPU a process has used; None when it is gone (a zombie is gone)."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text("ascii").rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return None if fields[0] in "ZX" else (int(fields[11]) + int(fields[12])) / 100


def resident_bytes(pid: int | str = "self") -> int:
    return int(Path(f"/proc/{pid}/statm").read_text("ascii").split()[1]) * 4096


def is_alive(pid: int) -> bool:
    return cpu_seconds(pid) is not None


@contextmanager
def no_descriptors_left() -> Iterator[list[int]]:
    """Every number this process may have for a file is taken, by the ones given too."""
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    taken = [os.dup(1)]
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(int(each.name) for each in Path("/proc/self/fd").iterdir()) + 1, limits[1]))
    try:
        take_descriptors(taken)
        yield taken
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)
        for descriptor in taken:
            os.close(descriptor)


def take_descriptors(taken: list[int]) -> None:
    with contextlib.suppress(OSError):
        while True:
            taken.append(os.dup(1))
