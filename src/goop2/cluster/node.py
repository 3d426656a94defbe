"""A node: the pool and the wall of a peer on another machine, without its data. `goop2 worker` runs it.

It runs what its owner gives it and passes every host call on; it decides nothing. The workers are made as the owner says in `NodeSetup`. It
enforces the seconds left too, so that a call ends although its owner is not heard any more. It must not know a peer's folder.
"""

from __future__ import annotations

import asyncio
import importlib.util
import secrets
import socket
import time
from collections import OrderedDict
from collections.abc import Awaitable
from typing import Final

import msgspec
import structlog

from goop2 import __version__
from goop2.cluster import messages
from goop2.cluster.limits import BEAT_SECONDS, DRAIN_SECONDS, FAREWELL_SECONDS, SOURCES_KEPT, SOURCES_KEPT_BYTES
from goop2.cluster.messages import Asked, Beat, Call, Cancel, Ended, Farewell, HostAnswer, Logged, NodeSetup, OfCall, Refused, ToNode
from goop2.cluster.switched_bus import SwitchedBus
from goop2.sandbox.framing import WorkerProtocolError
from goop2.sandbox.messages import GROUP_CLOSE, HANDLE, SCHEDULE, UNKNOWN_VERSION, HostCall, HostCallAnswer, Setup
from goop2.sandbox.vm import FLAVOURS
from goop2.scripting.annotations import NO_ANNOTATIONS
from goop2.scripting.api import FUNCTIONS, PRIVATE
from goop2.scripting.api.rules import rules
from goop2.scripting.api.stubs import stubs
from goop2.scripting.catalog import Script
from goop2.scripting.fairness import Fairness
from goop2.scripting.invocation import Caller, ErrorCode, Invocation, Outcome
from goop2.scripting.job import Job
from goop2.scripting.limits import InvocationLimits
from goop2.scripting.peer_operations import Asking
from goop2.scripting.pool import Pool
from goop2.scripting.runs import RunLog
from goop2.storage.run_record import Level

HOST_SHOWN_CHARS: Final = 64

log = structlog.get_logger(__name__)


class OpenFairness(Fairness[Job]):
    """Everybody may have any worker: the owner has decided already who comes first."""

    def may_start(self, tenant: str, usable: int) -> bool:
        """Return whether there is an idle worker."""
        return usable > 0

    def may_run(self, tenant: str) -> bool:
        """Return True: the owner sends no more calls than this node has slots, so none of them has to wait for another."""
        return True


class _PassedLog(RunLog):
    """The log of a run, whose lines go to the owner as they come."""

    def __init__(self, node: Node, call: int) -> None:
        super().__init__()
        self._node, self._call = node, call

    def append(self, level: Level, text: str) -> None:
        """Pass a line on to the owner; nothing is kept here."""
        self._node.tell(self._call, Logged(level, text))


class _NodeCall(msgspec.Struct, eq=False):
    """A call that is under way here."""

    id: int
    task: asyncio.Task[None] | None = None
    asking: Asking | None = None
    """The worker that waits for an answer."""
    questions: int = 0


class Node:
    """One node, from its start to its end."""

    def __init__(self, key: str, slots: int, bus: SwitchedBus) -> None:
        """`key`: its public key, as NATS writes it. `slots`: how many calls it runs at once. Needs a running loop."""
        self._bus = bus
        self._key = key
        self._slots = slots
        self._boot = secrets.token_bytes(8)
        self._flavours = tuple(name for name, module in FLAVOURS.items() if importlib.util.find_spec(module))
        self._pool: Pool | None = None
        self._welcome: NodeSetup | None = None
        """By which the pool was made."""
        self._making: asyncio.Task[None] | None = None
        self._calls: dict[int, _NodeCall] = {}
        self._of: dict[Invocation, _NodeCall] = {}
        self._sources: OrderedDict[bytes, bytes] = OrderedDict()
        self._sources_bytes = 0
        self._leaving = False
        self._farewell = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()
        self.refused: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        """Done with the reason why the owner does not use this node."""
        self.in_use = asyncio.Event()
        """Set once the owner has said how the workers are to be."""

    # ── the interface ────────────────────────────────────────────────────────────────────────

    async def beat(self) -> None:
        """Say that this node is there, for ever."""
        while True:
            self.beat_once()
            await asyncio.sleep(BEAT_SECONDS)

    def beat_once(self) -> None:
        """Say that this node is there."""
        digest = self._welcome.digest if self._welcome is not None else b""
        host = socket.gethostname()[:HOST_SHOWN_CHARS]
        beat = Beat(messages.PROTOCOL, __version__, self._flavours, self._boot, self._slots, host, digest, self._leaving)
        self._bus.send(messages.beat_subject(self._key), messages.encode(beat))

    async def leave(self) -> None:
        """Take no more calls, and end when those under way are over."""
        self._leaving = True
        self.beat_once()
        if self._bus.connected:
            await _at_most(self._farewell.wait(), FAREWELL_SECONDS)
        await _at_most(self._idle.wait(), DRAIN_SECONDS)

    async def stop(self) -> None:
        """End the workers and what runs on them. Idempotent."""
        for call in list(self._calls.values()):
            if call.task is not None:
                call.task.cancel()
        if self._making is not None:
            self._making.cancel()
            await asyncio.gather(self._making, return_exceptions=True)
        if self._pool is not None:
            await self._pool.stop()

    @property
    def subject(self) -> str:
        """Return where this node listens."""
        return messages.node_subject(self._key, self._boot)

    @property
    def under_way(self) -> int:
        """Return how many calls run here now."""
        return len(self._calls)

    def tell(self, call: int, message: OfCall) -> None:
        """Tell the owner something of a call; how it ended reaches it although the server is away for a moment."""
        content = messages.encode(message)
        subject = messages.call_subject(self._key, call)
        # The outcome of work that was done must arrive. A log line or a question is worth nothing to an owner that is away.
        if isinstance(message, Ended):
            self._bus.send_surely(subject, content)
        else:
            self._bus.send(subject, content)

    def hear(self, subject: str, content: bytes, nobody: bool) -> None:
        """Take a message of the owner. Never raises."""
        del subject, nobody
        try:
            message: ToNode = messages.to_node.decode(content)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            log.error("the owner sent what no message is; is it another version of goop2?", error=str(error))
            return
        match message:
            case Call():
                self._begin(message)
            case Cancel():
                self._cancel(message.id)
            case HostAnswer():
                self._answer(message)
            case NodeSetup():
                self._follow(message)
            case Refused():
                if not self.refused.done():
                    self.refused.set_result(message.why)
            case Farewell():
                self._farewell.set()

    # ── as the owner wants it ────────────────────────────────────────────────────────────────

    def _follow(self, welcome: NodeSetup) -> None:
        """Make workers as the owner says, one change after the other."""
        if self._making is None and welcome != self._welcome:
            self._making = asyncio.get_running_loop().create_task(self._make(welcome))
            self._making.add_done_callback(self._made)

    def _made(self, task: asyncio.Task[None]) -> None:
        self._making = None
        if not task.cancelled() and (error := task.exception()) is not None and not self.refused.done():
            # Workers that cannot be made will not be made at the next beat either: `goop2 worker` ends with this sentence.
            self.refused.set_result(str(error))

    async def _make(self, welcome: NodeSetup) -> None:
        if self._welcome is not None and self._welcome.owner != welcome.owner:
            for number in list(self._calls):  # of an owner that was started again since: nobody waits for them
                self._cancel(number)
        setup, limits = setup_of(welcome), limits_of(welcome, self._slots)
        if self._pool is None:
            pool = Pool(setup, limits, {}, fairness_kind=OpenFairness, operations=self)
            try:
                await pool.start()
            except BaseException:
                await pool.stop()
                raise
            self._pool = pool
        else:
            await self._pool.renew(setup, limits)
        self._welcome = welcome
        self.in_use.set()
        self.beat_once()

    # ── calls ────────────────────────────────────────────────────────────────────────────────

    def _begin(self, message: Call) -> None:
        # A call is carried out at most once, whatever may come twice.
        if message.id in self._calls:
            return
        if message.source is not None:
            self._keep_source(message.version, message.source)
        source = self._sources.get(message.version)
        if source is None or self._pool is None:
            # Forgotten, or this node was started anew meanwhile: the owner sends the call again, with its source.
            self.tell(message.id, Ended(UNKNOWN_VERSION, b"", 0, 0.0))
            return
        invocation = invocation_of(message, source)
        call = self._calls[message.id] = _NodeCall(message.id)
        self._idle.clear()
        invocation.log = _PassedLog(self, call.id)
        self._of[invocation] = call
        call.task = asyncio.get_running_loop().create_task(self._run(self._pool, call, invocation))

    async def _run(self, pool: Pool, call: _NodeCall, invocation: Invocation) -> None:
        begun = time.monotonic()
        try:
            outcome = await pool.run(invocation)
            self.tell(call.id, ended(outcome, time.monotonic() - begun))
        finally:
            del self._calls[call.id], self._of[invocation]
            if not self._calls:
                self._idle.set()

    def _cancel(self, number: int) -> None:
        call = self._calls.get(number)
        if call is not None and call.task is not None:
            call.task.cancel()

    def _keep_source(self, version: bytes, source: bytes) -> None:
        if version not in self._sources:
            self._sources_bytes += len(source)
        self._sources[version] = source
        # The oldest goes first, as in the owner's own list (`KnownNode.sources`), so that both mostly agree on what is here.
        while len(self._sources) > SOURCES_KEPT or self._sources_bytes > SOURCES_KEPT_BYTES:
            self._sources_bytes -= len(self._sources.popitem(last=False)[1])

    # ── host calls (scripting.peer_operations.HostOperations) ────────────────────────────────

    def begin(self, worker: Asking, job: Job | None, message: HostCall) -> None:
        """Pass a host call on to the owner. Raises `WorkerProtocolError`."""
        call = self._of.get(job.work) if job is not None and isinstance(job.work, Invocation) else None
        if call is None or call.asking is not None:
            raise WorkerProtocolError("a host call out of place")
        call.asking = worker
        call.questions += 1
        self.tell(call.id, Asked(call.questions, message.operation, message.arguments))

    def _answer(self, message: HostAnswer) -> None:
        call = self._calls.get(message.id)
        # An answer to an earlier question, or of a call that is over, is late: whoever asked is gone.
        if call is not None and call.asking is not None and call.questions == message.number:
            worker, call.asking = call.asking, None
            worker.send(HostCallAnswer(message.shape, message.values))


def setup_of(welcome: NodeSetup) -> Setup:
    """Return what the workers of a node are told: they have no database, and ask for everything but the log."""
    return Setup(
        flavour=welcome.flavour,
        declarations=stubs(FUNCTIONS),
        self_id=welcome.self_id,
        self_label=welcome.self_label,
        memory_bytes=welcome.memory_bytes,
        # No operation is done in a worker here: the database is with the owner.
        operations=tuple(msgspec.structs.replace(rule, in_peer=True) for rule in rules((*FUNCTIONS, *PRIVATE))),
        time_zone=welcome.time_zone,
    )


def limits_of(welcome: NodeSetup, slots: int) -> InvocationLimits:
    """Return the limits of a node's pool: as many workers as it has slots."""
    return InvocationLimits(workers=slots, memory_bytes=welcome.memory_bytes, process_per_call=welcome.process_per_call)


def invocation_of(message: Call, source: bytes) -> Invocation:
    """Return a call as the pool takes it; its deadline is counted from now on this machine's clock."""
    script = Script(
        "command" if message.kind in ("command", HANDLE) else "function",
        message.script,
        "",
        source,
        message.version,
        NO_ANNOTATIONS,
        of_function=message.kind == HANDLE,
        event=GROUP_CLOSE if message.kind == GROUP_CLOSE else SCHEDULE if message.kind == SCHEDULE else "",
    )
    caller = Caller(message.caller_id, message.caller_label, message.owner, message.caller_email)
    return Invocation(script, message.argument, caller, time.monotonic() + message.seconds_left)


def ended(outcome: Outcome, seconds: float) -> Ended:
    """Return an outcome as the owner is told of it, after so many seconds here."""
    code = outcome.code if outcome.code in ErrorCode else ErrorCode.UNAVAILABLE
    work = max(0.0, seconds - outcome.waited_seconds)
    return Ended(code, outcome.payload, outcome.memory_bytes, work, outcome.calls, outcome.error_code, outcome.traceback)


async def _at_most(waiting: Awaitable[object], seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            await waiting
    except TimeoutError:
        return
