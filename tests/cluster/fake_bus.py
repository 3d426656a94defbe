"""A bus of the tests: it keeps what was sent, and a far runner on it whose nodes are played."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from tests.clock import Clock
from tests.scripting.workshop import OWNER, invocation_of, script_of

from goop2 import __version__
from goop2.cluster import messages
from goop2.cluster.far_runner import FarRunner
from goop2.cluster.messages import Beat, Call, Ended, NodeSetup, OfCall, ToNode
from goop2.cluster.placement import Placement, Spill
from goop2.sandbox.messages import HostCall, HostCallAnswer
from goop2.scripting.call_queue import CallQueue
from goop2.scripting.fairness import OWNER_TENANT, Fairness
from goop2.scripting.invocation import Caller, ErrorCode, Outcome
from goop2.scripting.job import Job, Lease
from goop2.scripting.limits import WAITING_MAX, InvocationLimits
from goop2.scripting.peer_operations import Asking

M = TypeVar("M")
WELCOME = NodeSetup(b"owner", b"digest", "luajit21", "us", "Us", 1 << 20, False, "UTC0")
FUNCTION = script_of("function call(request) return 1 end", "function", "score")
DONE = Outcome(ErrorCode.OK, b"1")


class FakeBus:
    """Whatever was sent, and whether there is a connection."""

    def __init__(self, max_bytes: int = 8 << 20) -> None:
        self.connected = True
        self.max_bytes = max_bytes
        self.sent: list[tuple[str, bytes, str]] = []

    def send(self, subject: str, content: bytes, reply: str = "") -> None:
        self.sent.append((subject, content, reply))


class NearWithoutPlaces:
    """A near runner whose workers are all busy."""

    def __init__(self) -> None:
        self.pulled = 0

    def take(self, job: Job) -> bool:
        return False

    def pull(self) -> None:
        self.pulled += 1

    def tick(self, now: float) -> None:
        pass

    def abandon(self, job: Job) -> None:
        pass


class Operations:
    """What the peer does for scripts: it answers the operation's name."""

    def begin(self, worker: Asking, job: Job | None, message: HostCall) -> None:
        worker.send(HostCallAnswer(b"v", (message.operation.encode(),)))


class Field:
    """An owner's queue with a far runner on a fake bus."""

    def __init__(self, spill: Spill = "all", lend: Callable[[str, Lease, float], Coroutine[Any, Any, Outcome]] | None = None) -> None:
        self.bus, self.near, self.clock = FakeBus(), NearWithoutPlaces(), Clock()
        fairness: Fairness[Job] = Fairness(InvocationLimits(workers=8), warm_workers=2, queue_max=WAITING_MAX, clock=time.monotonic)
        self.calls = CallQueue(fairness, self.near, lambda _job: None)
        self.runner = FarRunner(
            bus=self.bus,
            calls=self.calls,
            lend=lend or _lend_none,
            operations=Operations(),
            placement=Placement(spill),
            welcome=WELCOME,
            name_of=lambda key: key.lower(),
            clock=self.clock,
        )
        self.calls.join(self.runner, first=False)
        self.echo()

    async def call(self, caller: Caller = OWNER, seconds: float = 5.0) -> asyncio.Task[Outcome]:
        """Have somebody call; the task is done with the outcome."""
        work = invocation_of(FUNCTION, caller, seconds)
        tenant = OWNER_TENANT if caller.owner else caller.account
        task = asyncio.ensure_future(self.calls.submit(tenant, work, time.monotonic(), work.deadline))
        await asyncio.sleep(0)
        return task

    def beat(self, key: str = "A", slots: int = 2, *, boot: bytes = b"12345678", digest: bytes = b"digest", **more: Any) -> None:
        """Have a node say that it is there."""
        beat = Beat(messages.PROTOCOL, more.pop("version", __version__), more.pop("flavours", ("luajit21",)), boot, slots, "host", digest)
        self.runner.hear(messages.beat_subject(key), messages.encode(msgspec_replaced(beat, more)), False)

    def tell(self, key: str, call: int, message: OfCall) -> None:
        """Have a node tell something of a call."""
        self.runner.hear(messages.call_subject(key, call), messages.encode(message), False)

    def end(self, key: str, call: Call, code: str = "ok", payload: bytes = b"1") -> None:
        """Have a node say how a call ended."""
        self.tell(key, call.id, Ended(code, payload, 0, 0.001))

    def nobody(self, key: str, call: Call) -> None:
        """Have the server say that nobody listens where a call was sent."""
        self.runner.hear(messages.call_subject(key, call.id), b"", True)

    def echo(self, seconds: float = 0.0) -> None:
        """Let so much time pass, and the server answer."""
        self.clock.now += seconds
        self.runner.hear(messages.ECHO, b"", False)

    def pass_silently(self, seconds: float) -> None:
        """Let time pass while the server answers and no node says anything."""
        for _ in range(round(seconds / 0.2)):
            self.echo(0.2)

    def sent(self, kind: type[M], key: str = "") -> list[M]:
        """Return what was sent of this kind, to this node."""
        decoded: list[tuple[str, ToNode]] = [(subject, messages.to_node.decode(content)) for subject, content, _ in self.bus.sent]
        return [message for subject, message in decoded if isinstance(message, kind) and f".{key}" in subject]


def msgspec_replaced(beat: Beat, more: dict[str, Any]) -> Beat:
    import msgspec

    return msgspec.structs.replace(beat, **more)


async def _lend_none(_tenant: str, _lease: Lease, _deadline: float) -> Outcome:
    raise AssertionError("no worker is lent in this test")
