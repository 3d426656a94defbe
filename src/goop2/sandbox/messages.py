"""The messages between peer and worker: one struct each, msgpack on the wire.

Both sides import this file, so it must know neither. The worker is not trusted: the peer decodes its messages against these types and
bounds, and anything else is a `WorkerProtocolError` (framing.py).
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Final, Literal

import msgspec

from goop2.storage.run_record import HostCallRecord

UNKNOWN_VERSION = "unknown_version"
"""Code of a `Done` that asks for the same `Invoke` with its source."""

BUILTIN = "builtin"
"""Kind of an `Invoke` whose script is ours and is handed its private operation (prelude.lua)."""

HANDLE = "handle"
"""Kind of an `Invoke` for the `handle` of a data function's file: run by the rules of a chat command, with the keys of that file."""

GROUP_CLOSE: Final = "group_close"
"""Kind of an `Invoke` for the `on_group_close` of a data function's file, with the id of the group."""

SCHEDULE: Final = "schedule"
"""Kind of an `Invoke` for the `run` of a data function's file, with the event as JSON; and of the record of its run."""

TEST: Final = "test"
"""Kind of an `Invoke` for a file of tests: its argument is "" for their names, or the place of the one to run (testing.lua)."""

Scalar = None | bool | int | float | bytes

ShortText = Annotated[str, msgspec.Meta(max_length=4096)]


class FailureForm(StrEnum):
    """How a function tells its script that it failed."""

    NIL = "nil"
    """`nil, "message"`: for functions that give a value."""
    MESSAGE = "message"
    """The message alone: for functions that give nothing when all went well."""
    FALSE = "false"
    """`false, "message"`: for checks."""
    ZERO = "zero"
    """`0, "message"`: for functions that give a number."""
    RAISE = "raise"
    """An error at the script's line."""


class OperationRule(msgspec.Struct, array_like=True, frozen=True):
    """What a worker is told of one operation of the goop table; scripting/api makes it from the declaration."""

    name: str
    in_peer: bool
    """Whether the peer does it; else the worker."""
    for_commands: bool
    """Whether chat commands may ask for it; data functions always may."""
    failure: FailureForm


class Setup(msgspec.Struct, array_like=True, frozen=True, kw_only=True):
    """Peer → fork server, once: everything its workers share."""

    flavour: str
    """Name of the Lua flavour, a key of `vm.FLAVOURS`; "" for the best there is."""
    declarations: dict[str, str]
    """Member of the goop table → the Lua expression that makes it (scripting/api renders them)."""
    self_id: str
    self_label: str
    memory_bytes: int
    """Allocator limit of one VM."""
    operations: tuple[OperationRule, ...]
    """The operations of the goop table that there are; others are not available."""
    time_zone: str = ""
    """The owner's TZ, "" for the system's."""
    skip_layers: tuple[str, ...] = ()
    """Confinement layers to leave out; for tests that show what each layer keeps away."""
    database: bytes = b""
    """Path of data.db, as bytes: a folder's name need not be UTF-8. b"" gives a worker none."""
    kv_enabled: bool = False
    stubs_clock: bool = False
    """Whether an `Invoke` may say what the time is, as it does for tests."""
    storage_max_bytes: int = 1024 * 1024 * 1024
    """What scripts and callers may fill data.db to (`storage.max_mb`); no file of it grows far beyond."""
    storage_synced: bool = False
    """Whether a commit is on the disk before it is over (`storage.synchronous`)."""


class Invoke(msgspec.Struct, array_like=True, frozen=True, tag=0, gc=False):
    """Peer → worker: run this script."""

    kind: str
    """`command`, `function`, HANDLE, GROUP_CLOSE, SCHEDULE, TEST or BUILTIN."""
    script: str
    version: bytes
    """Digest of the source; the worker keeps compiled versions by it."""
    source: bytes | None
    """None when this worker has been sent this version before."""
    argument: bytes
    """A command's text; a function's params as JSON."""
    caller_id: str
    caller_label: str
    seconds_left: float
    """After which the peer ends this worker: seconds, since two machines share no clock."""
    caller_email: str = ""
    clock: float | None = None
    """What the time is for this run, in seconds since 1970; None for the real one."""


class Compile(msgspec.Struct, array_like=True, frozen=True, tag=1, gc=False):
    """Peer → worker: does this source compile?"""

    script: str
    source: bytes


class HostCallAnswer(msgspec.Struct, array_like=True, frozen=True, tag=2, gc=False):
    """Peer → worker: the result of a `HostCall`, in the shape prelude.lua explains."""

    shape: bytes
    values: tuple[Scalar, ...]


class Lend(msgspec.Struct, array_like=True, frozen=True, tag=10, gc=False):
    """Peer → worker: do the operations on the database of this run, which is under way on another machine; no script runs here."""

    run: Invoke


class DataCall(msgspec.Struct, array_like=True, frozen=True, tag=11, gc=False):
    """Peer → lent worker: one operation on the database; it is answered by one `DataAnswer`."""

    operation: bytes
    arguments: tuple[Scalar, ...]


class Return(msgspec.Struct, array_like=True, frozen=True, tag=12, gc=False):
    """Peer → lent worker: the run has ended; what it left open is undone, and a `Done` follows."""


class DataAnswer(msgspec.Struct, array_like=True, frozen=True, tag=13, gc=False):
    """Lent worker → peer: the answer to a `DataCall`, in the shape prelude.lua explains."""

    shape: bytes
    values: tuple[Scalar, ...]
    in_transaction: bool
    """Whether the run is inside goop.db.transaction."""
    busy: bytes = b""
    """What the run was told when it did not get the lock that somebody else held; b"" when it did."""
    file_fault: ShortText = ""
    """As in `Done`."""


class Ready(msgspec.Struct, array_like=True, frozen=True, tag=3):
    """Worker → peer, first of all: layer of confinement → "" when in force, else why not."""

    layers: dict[str, ShortText]
    gaps: dict[str, ShortText] = {}
    """What a layer in force does not cover on this machine: name → sentence (confinement.GAPS)."""


class Done(msgspec.Struct, array_like=True, frozen=True, tag=4, gc=False):
    """Worker → peer: the invocation ended; `code` is "ok" or an error class (engine.ErrorCode)."""

    code: Annotated[str, msgspec.Meta(max_length=32)]
    payload: bytes
    """The reply, the result as JSON, or the error message."""
    memory_bytes: int
    """What the VM held at the end."""
    calls: Annotated[tuple[HostCallRecord, ...], msgspec.Meta(max_length=1000)] = ()
    file_fault: ShortText = ""
    """The last error the database file itself gave during the run: a full disk, damage; "" for none."""
    spent: bool = False
    """Whether this worker holds so much memory that a new one should take its place."""
    error_code: Annotated[str, msgspec.Meta(max_length=256)] = ""
    """`code` of the table the script raised, "" when it raised none."""
    traceback: ShortText = ""
    """Where the script was when it failed, a line a frame; for the owner alone."""


class Compiled(msgspec.Struct, array_like=True, frozen=True, tag=5, gc=False):
    """Worker → peer: "" when the source compiles, else the compiler's message."""

    message: ShortText


class Log(msgspec.Struct, array_like=True, frozen=True, tag=6, gc=False):
    """Worker → peer: a line of the run's log."""

    level: Literal["info", "warn", "error"]
    text: str


class HostCall(msgspec.Struct, array_like=True, frozen=True, tag=7, gc=False):
    """Worker → peer: an operation only the peer can do; it is answered by one `HostCallAnswer`."""

    operation: ShortText
    arguments: tuple[Scalar, ...]


ToWorker = Invoke | Compile | HostCallAnswer | Lend | DataCall | Return
FromWorker = Ready | Done | Compiled | Log | HostCall | DataAnswer


class Spawned(msgspec.Struct, array_like=True, frozen=True, tag=8):
    """Fork server → peer: a worker was forked; its pidfd comes beside this message."""

    pid: int


class Exited(msgspec.Struct, array_like=True, frozen=True, tag=9):
    """Fork server → peer: a worker is gone and reaped."""

    pid: int
    status: int
    """Exit code, or minus the number of the signal that ended it."""


FromForkServer = Spawned | Exited
