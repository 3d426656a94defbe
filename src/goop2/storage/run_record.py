"""The record of one run, and the filter of a search for many.

The engine makes records, the history stores them, the console, the terminal and the metrics show them. They are on the path of every
invocation, ten thousand a second: a msgspec struct is made five times faster than a frozen dataclass. It must not know how a run came
about.
"""

from __future__ import annotations

from typing import Annotated, Final, Literal

import msgspec

Level = Literal["info", "warn", "error"]

OK: Final = "ok"
"""Status of a run that gave its result."""
SCRIPT_ERROR: Final = "script_error"
"""Status of a run whose script failed, and of a call of a script that does not compile."""
FAILED: Final = "failed"
"""A status to ask for: every failure (`Run.is_failure`)."""
REFUSED: Final = "refused"
"""A status to ask for: every call that was turned away before it ran."""
LEVELS: Final[tuple[Level, ...]] = ("info", "warn", "error")
"""Levels of log lines, the least first. Who asks for one wants it and those after it."""
DETAIL_MAX_CHARS: Final = 1000
"""What is kept of an SQL statement or another detail of a host call."""
KEPT_VALUE_MAX_BYTES: Final = 2048
"""What is kept of the arguments and of the answer of a run, each."""


class HostCallRecord(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """One host call of a run. Workers send it, so every field has a bound.

    A value of goop.kv, a row's values, a header or an address beyond its host never stand here.
    """

    operation: Annotated[str, msgspec.Meta(max_length=4096)]
    started: float
    """Milliseconds since the run began."""
    duration: float
    """Milliseconds."""
    detail: Annotated[str, msgspec.Meta(max_length=DETAIL_MAX_CHARS)] = ""
    """SQL text, table, key, file name, or method, host and status."""
    rows: int | None = None
    """Rows read or changed; None where that means nothing."""
    scanned: int | None = 0
    """Rows SQLite stepped over in full scans of a table (SQLITE_STMTSTATUS_FULLSCAN_STEP); None where they were not counted."""


class Run(msgspec.Struct, frozen=True, gc=False):
    """One invocation, from being accepted to its end. Holds no reference that could make a cycle."""

    id: int
    """Counts on over restarts."""
    kind: str
    """`command` or `function`."""
    script: str
    caller: str
    """The caller's id."""
    status: str
    """`ok`, or the error class."""
    message: str
    """The error, empty when ok."""
    line: int | None
    """Line of the script the error names."""
    started: float
    """Wall clock, seconds since 1970."""
    milliseconds: float
    """From being accepted to the end, waiting included."""
    waited_milliseconds: float
    """Of these, before a worker took it."""
    memory_bytes: int
    """What the VM held at the end."""
    calls: tuple[HostCallRecord, ...] = ()
    """Host calls in the order they began."""
    log: tuple[tuple[Level, str], ...] = ()
    truncated: bool = False
    """The script logged more than is kept."""
    caller_kind: str = ""
    """`owner`, `peer` or `visitor`; "" in a summary of several."""
    caller_label: str = ""
    version: bytes = b""
    """Digest of the script's source; b"" for a call that found no script."""
    argument: bytes = b""
    """A command's text or a function's parameters as JSON, the first KEPT_VALUE_MAX_BYTES."""
    argument_bytes: int = 0
    """All of it, so that a cut can be told."""
    answer: bytes = b""
    """The reply, or the result as JSON, the first KEPT_VALUE_MAX_BYTES."""
    answer_bytes: int = 0
    traceback: str = ""
    """Where the script was when it failed, line by line, the innermost first."""
    count: int = 1
    """More than 1: a summary of so many runs, of which this is the slowest, or the last one refused."""
    refused: bool = False
    """Whether the call was turned away before it ran."""

    @property
    def is_failure(self) -> bool:
        """Return whether it failed by a fault of its script or of the peer; a call that was only turned away did not."""
        return self.status != OK and (not self.refused or self.status == SCRIPT_ERROR)


class RunFilter(msgspec.Struct, frozen=True):
    """The runs to search for; an empty field means any."""

    script: str = ""
    kind: str = ""
    status: str = ""
    """`ok`, an error class, FAILED or REFUSED."""
    caller: str = ""
    """An id, whole or with `…` for what is left out of it."""
    text: str = ""
    """Stands somewhere in names, error, arguments, answer or log, whatever its case."""
    level: str = ""
    """Of LEVELS: runs with a log line of this level or a worse one."""
    since: float = 0.0
    """Began at this second since 1970, or later."""
    after: int = 0
    """Newer than the run of this id."""
    before: int = 0
    """Older than the run of this id; 0 means any."""


def level_mask(log: tuple[tuple[Level, str], ...]) -> int:
    """Return the levels of log lines as bits, so that a database can compare them."""
    mask = 0
    for level, _ in log:
        mask |= 1 << LEVELS.index(level)
    return mask


def wanted_mask(level: str) -> int:
    """Return the bits of this level and of those worse than it."""
    place = LEVELS.index(level) if level in LEVELS else 0
    return sum(1 << each for each in range(place, len(LEVELS)))
