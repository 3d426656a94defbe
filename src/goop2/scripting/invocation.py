"""The requests to the pool and their outcomes: plain values, shared by engine and pool.

An invocation is one call of one script version by one caller. Nothing here does anything.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache

import msgspec

from goop2.protocols.source_network import is_network
from goop2.sandbox.answers import Answer
from goop2.scripting.catalog import Script
from goop2.scripting.runs import RunLog
from goop2.storage.run_record import HostCallRecord

VISITOR_PREFIX = "visitor-"
"""Begin of the ids of callers who come by a browser; no peer id begins so."""


class ErrorCode(StrEnum):
    """Error classes of behaviour.md, "Data functions"; `OK` is the absence of one."""

    OK = "ok"
    NOT_FOUND = "not_found"
    BAD_REQUEST = "bad_request"
    FORBIDDEN = "forbidden"
    RATE_LIMITED = "rate_limited"
    SCRIPT_ERROR = "script_error"
    TIMEOUT = "timeout"
    MEMORY = "memory"
    UNAVAILABLE = "unavailable"


@dataclass(frozen=True, slots=True)
class Caller:
    """The caller (behaviour.md, "Who is calling"). `id` is authenticated, `label` is untrusted text."""

    id: str
    label: str = ""
    owner: bool = False
    email: str = ""
    """What the caller says it is; "" when it says nothing."""
    address: str = ""
    """Where a visitor comes from who can have as many ids as they like; limits count it too."""

    @property
    def kind(self) -> str:
        """Return `owner`, `visitor` (a browser) or `peer`."""
        return "owner" if self.owner else "visitor" if self.id.startswith(VISITOR_PREFIX) else "peer"

    @property
    def tenant(self) -> str:
        """Return the key under which queues and shares count this caller."""
        return self.address or self.id

    @property
    def account(self) -> str:
        """Return the key under which worker time is counted: the network address if one is known, since ids cost nothing.

        On the loopback address everybody is behind one address (a proxy, programs of this machine), so there the id counts.
        """
        return self.id if not self.address or _is_loopback(self.address) else self.address

    def coming_from(self, origin: str) -> Caller:
        """Return this caller with its network. Callers behind one relay have none and are counted by their ids."""
        # Not dataclasses.replace, which takes four times as long, on the path of every call.
        return Caller(self.id, self.label, self.owner, self.email, origin) if is_network(origin) else self


@lru_cache(4096)
def _is_loopback(address: str) -> bool:
    """Return whether `address` (an IPv4 address or an IPv6 network) is this machine's own."""
    try:
        return ipaddress.ip_network(address).is_loopback or address == "::/64"  # the /64 that holds ::1
    except ValueError:
        return False


class Invocation(msgspec.Struct, eq=False):
    """One call on its way. `deadline` is `time.monotonic()`, counted from acceptance, waiting included."""

    script: Script
    argument: bytes
    caller: Caller
    deadline: float
    log: RunLog | None = None
    """Made at the first line it logs."""
    clock: float | None = None
    """What the time is for it, in seconds since 1970; None for the real one."""
    spent: dict[str, int] = msgspec.field(default_factory=dict)
    """What operations of the peer count for it, each under its own name."""


class Outcome(msgspec.Struct, frozen=True, gc=False):
    """How an invocation ended: its code and payload."""

    code: ErrorCode
    payload: bytes
    """Reply text, result as JSON, or the error message."""
    memory_bytes: int = 0
    waited_seconds: float = 0.0
    """From acceptance until a worker took it."""
    calls: tuple[HostCallRecord, ...] = ()
    file_fault: str = ""
    """The last error the database file itself gave during the run, "" for none."""
    error_code: str = ""
    """`code` of the table the script raised, "" when it raised none."""
    traceback: str = ""
    """Where the script was when it failed, for the owner alone."""


PeerOperation = Callable[..., Awaitable[Answer]]
"""async operation(invocation, *arguments) -> Answer; cancelled when the invocation ends first.

Number and types of the arguments are as declared (scripting/api/rules.py). Raises `WorkerProtocolError` (sandbox.framing) for others that
no script can make a worker send."""
